//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stack has its data in a PostgreSQL: nobody gets at it who should not, a second server does not
// start beside it, and another database is refused. Under load it is killed, which takes seconds
// and none of what was acknowledged; and the application gets another account, which takes nothing.
//
//suite:long
func TestPostgresOnContainers(t *testing.T) { onPostgres(t, "containers") }

//suite:thorough
func TestPostgresOnSwarm(t *testing.T) { onPostgres(t, "swarm") }

func onPostgres(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.replicas": 2, "backend.workers": 2, "backend.drain": "10s", "backend.stopGrace": "15s", "nginx.tls.mode": "off",
		"backend.health.interval": "1s", "backend.health.startPeriod": "60s", "backend.health.timeout": "3s",
		"backend.environment": map[string]any{"ENABLE_TEST_ENDPOINTS": "true"},
		"database.kind":       "postgres", "database.memory": "512m", "database.connections": 70, "database.extensions": []string{"pg_stat_statements"},
		"database.settings": map[string]any{"log_min_duration_statement": "2s"},
	})
	s.up()
	s.checkHardening("postgres", true)
	out, first := s.outputs(), s.databaseAddress()
	reading := s.store(out)
	s.unchanged()

	t.Run("the server", func(t *testing.T) {
		defer s.in(t)()
		if said := s.sql("SELECT current_setting('data_checksums'), current_setting('log_min_duration_statement'), current_setting('max_connections'), extname FROM pg_extension WHERE extname LIKE 'pg_stat%'"); said != "on|2s|70|pg_stat_statements" {
			t.Errorf("it has %s", said)
		}
		if said := s.sql("SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'public'"); said != "app" {
			t.Errorf("the tables belong to %s", said)
		}
		if size := s.inside("postgres", "sh", "-c", "df -P -m /dev/shm | awk 'NR == 2 { print $2 }'"); strings.TrimSpace(size) == "64" {
			t.Error("its shared memory is the engine's 64 MB")
		}
		if made := s.unnamedVolumes(); len(made) > 0 {
			t.Errorf("volumes without a name were made: %v", made)
		}
	})
	t.Run("who gets in", func(t *testing.T) {
		defer s.in(t)()
		if said := s.loggedIn(first, "SELECT current_user, session_user"); said != "app|"+first.User.Username() {
			t.Errorf("the application's account: %s", said)
		}
		for name, as := range map[string]*url.URL{
			"password authentication failed": {User: url.UserPassword(first.User.Username(), "another"), Host: first.Host, Path: "/app"},
			"pg_hba.conf rejects":            {User: url.UserPassword("postgres", "x"), Host: first.Host, Path: "/app"},
		} {
			if said := s.loggedIn(as, "SELECT 1"); !strings.Contains(said, name) {
				t.Errorf("%s: %s", as.Redacted(), said)
			}
		}
	})
	t.Run("the prompt", func(t *testing.T) {
		defer s.in(t)()
		tool := s.operator()
		for _, test := range []struct {
			sql, says string
			code      int
			more      []string
		}{
			{"SELECT current_user, current_database()", "app\tapp\n", 0, nil},
			{"SELECT count(*) > 0 AS there FROM readings", "there\nt\n", 0, []string{"--csv"}},
			{"DELETE FROM readings", "cannot execute DELETE in a read-only transaction", 1, nil},
			{"SELECT pg_sleep(5)", "canceling statement due to statement timeout", 1, []string{"--timeout", "1s"}},
			{"CREATE TABLE noted (text text); DROP TABLE noted", "", 0, []string{"--write", "--yes"}},
		} {
			if said, code := tool(append([]string{"-s", s.name, "db", "-c", test.sql}, test.more...)...); code != test.code || !strings.Contains(said, test.says) {
				t.Errorf("%s: %d, %s", test.sql, code, said)
			}
		}
		if said, code := tool("-s", s.name, "run", "postgres", "--", "true"); code != 125 || !strings.Contains(said, "postgres owns its data") {
			t.Errorf("%d: %s", code, said)
		}
	})
	t.Run("a second server is refused", func(t *testing.T) {
		defer s.in(t)()
		id := s.one("postgres")
		c := s.containers("postgres")[id]
		second := exec.Command("docker", append([]string{"run", "--rm", "--network", "none", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm", "--volumes-from", id, "--user", c.Config.User,
			"--env", "PATIENCE=1", "--entrypoint", c.Path, c.Config.Image}, c.Args...)...)
		if said, err := second.CombinedOutput(); err == nil || !strings.Contains(string(said), "another server has this volume") {
			t.Errorf("%v: %s", err, said)
		}
	})
	t.Run("what is refused", func(t *testing.T) {
		defer s.in(t)()
		for key, test := range map[string]struct{ other, was any }{"database.kind": {"sqlite", "postgres"}, "database.version": {17, 18}, "database.connections": {50, 70}} {
			s.config(key, test.other)
			said, err := s.run("preview")
			if err == nil || !strings.Contains(said, "tarot:"+key) {
				t.Errorf("%s %v: %s", key, test.other, said)
			}
			s.config(key, test.was)
		}
		s.config("database.settings", map[string]any{"wrk_mem": "1MB"})
		s.refused("wrk_mem", "tarot:database.settings")
		s.config("database.settings", map[string]any{"log_min_duration_statement": "2s"})
		s.up() // the files that it would have been given had others' place
		s.whole("postgres", 1)
	})

	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), "")
	server := s.containers("postgres")
	tr.phase("another account", func() { s.config("secretVersions.databasePassword", 1); s.foretold() })
	same(t, server, s.containers("postgres"), 1)
	second := s.databaseAddress()
	if said := s.loggedIn(second, "SELECT current_user"); said != "app" || second.User.Username() == first.User.Username() {
		t.Errorf("the new account: %s", said)
	}
	if said := s.loggedIn(first, "SELECT 1"); !strings.Contains(said, "is not permitted to log in") {
		t.Errorf("the earlier account: %s", said)
	}
	tr.phase("after it", func() { time.Sleep(3 * time.Second) })
	tr.report()
	tr.incident("the server is killed", func() { s.killOne(runtime, "postgres", 1) })
	tr.settled()
	tr.stopped()
	var stored []string
	if err := json.Unmarshal([]byte(s.sql("SELECT coalesce(json_agg(question), '[]') FROM readings WHERE question LIKE 'load-%'")), &stored); err != nil {
		t.Fatal(err)
	}
	tr.reconcile(stored)
	s.noPasswordsOfPostgres(out, password(first), password(second))
	s.unchanged()

	// Nothing of what users have stored goes with the stack.
	s.mustRun("destroy", "--yes", "--skip-preview")
	if !s.hasVolume(s.prefix() + "-postgres") {
		t.Fatal("the data are gone with the stack")
	}
	s.up()
	s.read(s.outputs(), reading)
}

// databaseAddress is what a replica finds in its file, and by its variable.
func (s *stack) databaseAddress() *url.URL {
	s.t.Helper()
	return s.addressBy("DATABASE_URL", "postgres:5432")
}

// addressBy is the same of a variable, of an address at a host.
func (s *stack) addressBy(name, host string) *url.URL {
	s.t.Helper()
	file := s.inside("backend", "sh", "-c", `. /run/config/environment; cat "$`+name+`_FILE"`)
	if variable := s.inside("backend", "sh", "-c", `. /run/config/environment; printf %s "$`+name+`"`); variable != file {
		s.t.Error("the variable and the file have two addresses")
	}
	address, err := url.Parse(file)
	if err != nil || password(address) == "" || address.Host != host {
		s.t.Fatalf("the application has no address: %v", err)
	}
	return address
}

// sql asks the server as its superuser, who is nobody from outside of its container.
func (s *stack) sql(query string) string {
	s.t.Helper()
	return strings.TrimSpace(s.inside("postgres", "psql", "-X", "-At", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "app", "-c", query))
}

// loggedIn asks by the network, as somebody, at the address's host.
func (s *stack) loggedIn(as *url.URL, query string) string {
	s.t.Helper()
	cmd := exec.Command("docker", "exec", "--env", "PGPASSWORD="+password(as), s.one("postgres"), "psql", "-X", "-At", "-h", as.Hostname(), "-p", as.Port(),
		"-U", as.User.Username(), "-d", strings.TrimPrefix(as.Path, "/"), "-c", query)
	said, _ := cmd.CombinedOutput() // who is refused is told
	return strings.TrimSpace(string(said))
}

// noPasswordsOfPostgres looks for them where they must not be.
func (s *stack) noPasswordsOfPostgres(out map[string]any, words ...string) {
	s.t.Helper()
	for place, text := range map[string]string{
		"docker inspect or history": s.inspections(fmt.Sprint(out["image"])),
		"the state":                 s.mustRun("stack", "export"),
		"the log of the server":     s.docker("logs", s.one("postgres")),
		"what the server keeps":     s.sql("SELECT string_agg(rolname || coalesce(rolpassword, ''), ' ') FROM pg_authid"),
	} {
		for _, word := range words {
			if strings.Contains(text, word) {
				s.t.Errorf("a password is in %s", place)
			}
		}
	}
	if kept := s.sql("SELECT count(*) FROM pg_authid WHERE rolname ~ '^app_' AND rolpassword LIKE 'SCRAM-SHA-256$4096:%'"); kept != "2" && kept != "1" {
		s.t.Errorf("%s accounts have a verifier", kept)
	}
}

// unnamedVolumes are those of the stack's containers, also of those that have ended, that the
// engine has made by itself. What only carries files never runs, and takes its own along when it goes.
func (s *stack) unnamedVolumes() []string {
	s.t.Helper()
	ids := strings.Fields(s.docker("ps", "--all", "--quiet", "--filter", "label=tarot.stack="+s.prefix()))
	lines := s.docker(append([]string{"inspect", "--format", `{{.Name}}{{range .Mounts}} {{.Name}}{{end}}`}, ids...)...)
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(lines), "\n"), func(line string) bool {
		return strings.Contains(strings.Fields(line)[0], "-files-") || !regexp.MustCompile(`\b[0-9a-f]{64}\b`).MatchString(line)
	})
}
