package postgres

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// pooling has a pooler, with changes.
func pooling(changes ...func(*config.Config)) part.Context {
	return with(append([]func(*config.Config){func(c *config.Config) { c.Database.Pooler.Enabled = true }}, changes...)...)
}

func TestSettingsOfThePooler(t *testing.T) {
	c := pooling(func(c *config.Config) { c.Database.Pooler.Connections, c.Database.Pooler.Clients = 7, 1000 })
	golden.Check(t, "testdata/pgbouncer.ini", poolerSettings(c.Config))
	golden.Check(t, "testdata/pgbouncer-hba.conf", poolersClients)
	text, err := poolersUsers("the-password")
	verifier, _ := Verifier("the-password")
	if err != nil || text != "\"pooler\" \"\"\n\"exporter\" \""+verifier+"\"\n" {
		t.Errorf("%v: %s", err, text)
	}
}

func TestThePoolerIsNoSuperuserAndHasNoPassword(t *testing.T) {
	s := spec(t, Bouncer{}, pooling())
	p := s.Services[0]
	if p.User != "13:13" || len(p.Environment)+len(p.Ports) != 0 || !slices.Equal(p.Networks, []string{part.Inner}) || len(p.Secrets) != 1 || p.Secrets[0].Secret != figuresPassword {
		t.Errorf("%+v", p)
	}
	if p.StopFirst() || p.StopSignal != "SIGINT" || p.StopGrace == 0 {
		t.Error("there is a moment without one, or what is under way is cut off")
	}
	if !slices.ContainsFunc(p.Mounts, func(m part.Mount) bool { return m.Source == Socket && m.ReadOnly }) {
		t.Errorf("%+v", p.Mounts)
	}
	if !slices.Equal(s.Needs, []string{"postgres", "postgres-users"}) {
		t.Errorf("it comes before its account: %q", s.Needs)
	}
	if secret := s.Secrets[0]; secret.Rotates != "poolerPassword" || secret.Length < 32 {
		t.Errorf("%+v", secret)
	}
}

// Who the server lets in is the same as without a pooler, but by the socket.
func TestTheServerLetsThePoolerIn(t *testing.T) {
	for pools, c := range map[bool]part.Context{true: pooling(), false: with()} {
		hba, ident := letIn(c)
		if !pools && (hba != logins || ident != identities) {
			t.Errorf("another server without a pooler: %s%s", hba, ident)
		}
		for _, line := range []string{"local   postgres  pooler             peer map=users\n", "local   app       +app               scram-sha-256\n"} {
			if strings.Contains(hba, line) != pools {
				t.Errorf("%v: %s in %s", pools, line, hba)
			}
		}
		if strings.Contains(ident, "users   proxy     pooler\n") != pools || !strings.HasSuffix(hba, logins) {
			t.Errorf("%v: %s%s", pools, hba, ident)
		}
		files := map[string]string{}
		for _, f := range spec(t, Server{}, c).Services[0].Files {
			files[f.Name], _ = f.Text.Known()
		}
		if files["pg_hba.conf"] != hba || files["pg_ident.conf"] != ident {
			t.Errorf("%v: the server has %v", pools, files)
		}
	}
}

// What is changed by another password: nothing of the pooler's.
func TestAnotherAccountIsNothingToThePooler(t *testing.T) {
	described := func(version int) string {
		s := spec(t, Bouncer{}, pooling(func(c *config.Config) { c.SecretVersions.DatabasePassword = version }))
		return fmt.Sprintf("%+v %+v", s.Services[0].Program, s.Secrets)
	}
	if described(0) != described(1) {
		t.Error("it restarts")
	}
}

func TestTheApplicationGetsTheAddressOfThePooler(t *testing.T) {
	c := pooling()
	if spec(t, Users{}, c).Application[0].Name != "DB_POOL_SIZE" {
		t.Error("it gets two addresses")
	}
	all := spec(t, Bouncer{}, c).Application
	for i, want := range []struct{ name, host, direct string }{{"DATABASE_URL", "postgres-pooler:6432", "postgres:5432"}, {"DATABASE_DIRECT_URL", "postgres:5432", ""}} {
		v := all[i]
		if v.Name != want.name || !v.Export || v.Secret != passwordSecret || (v.Direct != nil) != (want.direct != "") {
			t.Fatalf("%+v", v)
		}
		for host, made := range map[string]func(string) (string, error){want.host: v.Make, want.direct: v.Direct} {
			if made == nil {
				continue
			}
			text, err := made("abc")
			u, wrong := url.Parse(text)
			if err != nil || wrong != nil || u.Host != host || u.Path != "/app" {
				t.Errorf("%s: %v, %v: %s", v.Name, err, wrong, text)
			}
		}
	}
	c.Database.Kind, c.Database.Next = config.SQLite, config.Postgres
	if s := spec(t, Bouncer{}, c); len(s.Application) != 0 || len(s.Services) != 1 {
		t.Errorf("ready beside: %+v", s)
	}
}

func TestThePoolersAccountIsMadeWithTheOthers(t *testing.T) {
	s := spec(t, Users{}, pooling(func(c *config.Config) { c.Database.Extensions = []string{"postgis"} }))
	add, only := s.Jobs[0], s.Jobs[1]
	if !slices.Equal(add.Command, []string{"/bin/sh", "/run/config/pooler.sh", "18", "all", "postgis"}) || len(add.Files) != 2 {
		t.Errorf("%q, %+v", add.Command, add.Files)
	}
	if !slices.Equal(only.Command, []string{"/bin/sh", "/run/config/users.sh", "18", "only"}) || len(only.Files) != 1 {
		t.Errorf("%q, %+v", only.Command, only.Files)
	}
	v := newVolume(t)
	v.write(v.conf+"/users.sh", usersScript)
	v.program("psql", `cat >>"$SAID.sql"; echo x >>"$SAID"`)
	if said, failed := v.run(poolerScript, "18", "all", "postgis"); failed || strings.Count(v.asked(), "x") != 2 {
		t.Errorf("%v after %s: %s", failed, v.asked(), said)
	}
	sql, err := os.ReadFile(v.said + ".sql")
	accounts, pooler := strings.Index(string(sql), "CREATE ROLE %I"), strings.Index(string(sql), "CREATE ROLE pooler LOGIN")
	if err != nil || accounts < 0 || pooler < accounts || !strings.Contains(string(sql), "REVOKE ALL ON FUNCTION pooler.verifier(text) FROM PUBLIC;") {
		t.Errorf("%v: %s", err, sql)
	}
	v.program("psql", `cat >/dev/null; echo x >>"$SAID"; exit 3`)
	if _, failed := v.run(poolerScript, "18", "all"); !failed || strings.Count(v.asked(), "x") != 3 {
		t.Errorf("it goes on without accounts: %s", v.asked())
	}
}

func TestWithoutAPoolerNothingIsThere(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"off":    func(c *config.Config) { c.Database.Pooler.Enabled = false },
		"SQLite": func(c *config.Config) { c.Database.Kind = config.SQLite },
	} {
		for _, p := range []part.Part{Bouncer{}, BouncerExporter{}} {
			if s := spec(t, p, pooling(change)); fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", part.Spec{}) {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
	if s := spec(t, BouncerExporter{}, pooling(func(c *config.Config) { c.Monitoring.Enabled = false })); len(s.Services) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheExporterOfThePoolerHasItsPasswordInNoArgument(t *testing.T) {
	s := spec(t, BouncerExporter{}, pooling()).Services[0]
	if len(s.Secrets) != 1 || s.Secrets[0].Export != "PGPASSWORD" || !slices.Equal(s.Networks, []string{part.Watch, part.Inner}) {
		t.Errorf("%+v", s)
	}
	if slices.ContainsFunc(s.Mounts, func(m part.Mount) bool { return m.Kind == workload.Volume }) {
		t.Errorf("%+v", s.Mounts)
	}
}

func TestRulesOfThePooler(t *testing.T) {
	golden.Check(t, "testdata/pooler.rules.yml", "groups:\n"+spec(t, BouncerExporter{}, pooling()).Alerts[0].YAML)
}

func TestWhatIsAskedOfThePoolerIsKept(t *testing.T) {
	asksForWhatIsKept(t, spec(t, BouncerExporter{}, pooling()), "pgbouncer.json", poolerMetrics, `pgbouncer_up pgbouncer_used_clients pgbouncer_config_max_client_connections
		pgbouncer_databases_pool_size pgbouncer_databases_current_connections pgbouncer_pools_client_active_connections pgbouncer_pools_client_waiting_connections
		pgbouncer_pools_client_maxwait_seconds pgbouncer_pools_server_active_connections pgbouncer_pools_server_idle_connections
		pgbouncer_stats_totals_sql_transactions_pooled_total pgbouncer_stats_totals_client_wait_seconds_total pgbouncer_stats_totals_server_in_transaction_seconds_total`)
}
