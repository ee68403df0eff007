//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A stack whose users write all the time, and that is backed up, goes from PostgreSQL 17 to 18: every id that was
// acknowledged is there. What the new image has not, and a copy that is not the same, are found out while users are served; a
// command that is killed behind the maintenance page is taken back, or finished by the next. UPGRADE_ROWS is how many rows
// there are before (100000).
//
//suite:thorough
func TestDatabaseUpgrade(t *testing.T) { upgradesDatabase(t, "containers") }

//suite:thorough
func TestDatabaseUpgradeOnSwarm(t *testing.T) { upgradesDatabase(t, "swarm") }

func upgradesDatabase(t *testing.T, runtime string) {
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.replicas": 2, "backend.workers": 2, "backend.drain": "5s", "backend.stopGrace": "10s", "nginx.tls.mode": "off", "monitoring.enabled": false,
		"database.kind": "postgres", "database.version": 17, "database.memory": "512m", "database.connections": 70, "database.extensions": []string{"pg_stat_statements"},
		"backup.enabled": runtime == "containers", // the names of Swarm's secrets are too short for a test's stack
	})
	s.up()
	out := s.outputs()
	look := s.operator()
	does := func(code int, says string, words ...string) string {
		t.Helper()
		said, got := look(append([]string{"database", "upgrade", s.name}, words...)...)
		if (got == 0) != (code == 0) || !strings.Contains(said, says) {
			t.Fatalf("%s: exit code %d, want one like %d and %q\n%s", strings.Join(words, " "), got, code, says, said)
		}
		return said
	}
	version := func(want string) {
		t.Helper()
		if now := s.sql("SELECT current_setting('server_version_num')::int / 10000"); now != want {
			t.Errorf("the database is in PostgreSQL %s, and not in %s", now, want)
		}
	}
	reading := s.store(out)
	rows := number(t, "UPGRADE_ROWS", 100_000)
	s.sql(fmt.Sprintf(`INSERT INTO readings (id, created_at, question, spread, draws, fingerprint, smoke)
		SELECT md5(i::text), created_at, 'filled ' || i, spread, draws, fingerprint, smoke FROM generate_series(1, %d) i, (SELECT * FROM readings LIMIT 1) r`, rows))
	size := s.sql("SELECT pg_size_pretty(pg_database_size('app'))")

	// By hand it is refused, and the refusal names the command.
	s.config("database.version", 18)
	if said, err := s.run("preview"); err == nil || !strings.Contains(said, "make database-upgrade") {
		t.Errorf("another version by hand: %v\n%s", err, said)
	}
	does(1, "The upgrade sets", "--yes")
	s.config("database.version", 17)
	does(1, "no upgrade of the database", "--continue")

	// What the new image has not.
	named := func(from, to string) {
		s.inside("postgres", "psql", "-X", "-q", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "app", "-c", "SET allow_system_table_mods = on",
			"-c", fmt.Sprintf("UPDATE pg_extension SET extname = '%s' WHERE extname = '%s'", to, from))
	}
	named("pg_stat_statements", "of_the_old_image")
	does(1, "the database has the extension of_the_old_image, and the image postgres:18", "--yes")
	named("of_the_old_image", "pg_stat_statements")

	// A copy that is another one, though every program says that all is well.
	before := s.containers("postgres")
	s.sql(`CREATE FUNCTION of_the_server(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT current_setting(''server_version_num'')';
		CREATE TABLE odd (id int PRIMARY KEY, made text GENERATED ALWAYS AS (of_the_server(id)) STORED); INSERT INTO odd VALUES (1)`)
	if said := does(1, "All is as it was before", "--yes"); !strings.Contains(said, "app.public.odd: 1 rows, and what is in them is not the same") || strings.Contains(said, "users see the maintenance page") {
		t.Errorf("a copy that is another one:\n%s", said)
	}
	s.sql("DROP TABLE odd; DROP FUNCTION of_the_server(int)")
	same(t, before, s.containers("postgres"), 1)
	s.read(out, reading)
	s.unchanged()

	stored := func() []string {
		var all []string
		if err := json.Unmarshal([]byte(s.sql("SELECT coalesce(json_agg(question), '[]') FROM readings WHERE question LIKE 'load-%'")), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	tr := startVisits(t, s.id, sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(tr.stopped)

	// Behind the page, and taken back.
	s.commandKilledAt("copying, and comparing", "database", "upgrade", s.name, "--yes")
	s.refused("is not finished, and nothing else is done")
	if said, code := look("status", s.name); code == 0 || !strings.Contains(said, "make database-upgrade STACK="+s.name+" CONTINUE=yes") {
		t.Errorf("the status, exit code %d:\n%s", code, said)
	}
	does(1, "BACK=yes", "--yes")
	does(0, "all is as it was before", "--back")
	version("17")
	if missing := without(tr.said(), stored()); len(missing) > 0 {
		t.Errorf("%d of what was acknowledged are missing after the way back", len(missing))
	}

	// And to its end.
	s.commandKilledAt("the server of before stops", "database", "upgrade", s.name, "--yes")
	said := does(0, "the database is in PostgreSQL 18", "--continue")
	took := regexp.MustCompile(`at most (\S+s)\b`).FindStringSubmatch(said)
	if took == nil {
		t.Fatalf("how long users saw the page is not told:\n%s", said)
	}
	t.Logf("users saw the maintenance page for at most %s, with %d rows, %s, and a command that was killed", took[1], rows, size)
	version("18")
	s.moved(tr, stored)
	if n := s.sql("SELECT count(*) FROM readings WHERE question LIKE 'filled %'"); n != strconv.Itoa(rows) {
		t.Errorf("%s of %d earlier rows are there", n, rows)
	}
	s.read(out, reading)
	s.unchanged()
	does(1, "the database is in PostgreSQL 18", "--yes")

	// It is archived from there, and what was replaced goes when somebody says so.
	if runtime == "containers" {
		if said, code := look("run-schedule", s.name, "postgres-archive"); code != 0 {
			t.Errorf("the archive of the new version, exit code %d:\n%s", code, said)
		}
	}
	kept := func() string { return s.inside("postgres", "sh", "-c", "cd /var/lib/postgresql && ls -d */docker") }
	if is := kept(); !strings.Contains(is, "17/docker") {
		t.Errorf("the version of before is gone: %s", is)
	}
	does(0, "is gone", "--forget", "--yes")
	if is := kept(); strings.Contains(is, "17/docker") || !strings.Contains(is, "18/docker") {
		t.Errorf("there are %s", is)
	}
	s.read(out, reading)
	if left := s.docker("volume", "ls", "--quiet", "--filter", "label=tarot.operation", "--filter", "label=tarot.stack="+s.prefix()); left != "" {
		t.Errorf("notes are left: %s", left)
	}
}
