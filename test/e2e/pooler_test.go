//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// manyClients opens more connections than the server has for the pooler, and uses each, with statements
// that the driver prepares. Then it goes past the pooler for what needs a session.
const manyClients = `
import os, psycopg
def address(name): return open(os.environ[name]).read().replace("postgresql+psycopg", "postgresql")
all = [psycopg.connect(address("DATABASE_URL_FILE"), prepare_threshold=0, autocommit=True) for _ in range(40)]
said = 0
for turn in range(3):
    for n, c in enumerate(all):
        said += c.execute("SELECT %s::int + %s::int", (n, turn)).fetchone()[0] == n + turn
print(said, len({c.execute("SELECT pg_backend_pid()").fetchone()[0] for c in all}) <= 3)
with psycopg.connect(address("DATABASE_DIRECT_URL_FILE"), autocommit=True) as direct:
    direct.execute("SET statement_timeout = '7s'")
    direct.execute("SELECT pg_advisory_lock(42)")
    print(direct.execute("SHOW statement_timeout").fetchone()[0], direct.execute("SELECT pg_advisory_unlock(42)").fetchone()[0])
`

// A stack's application asks its PostgreSQL through a PgBouncer: by more connections than the server
// would take, and nobody else. Under load the account is replaced, which takes nothing, and nothing is restarted;
// a release takes nothing; other settings, and a pooler that is killed, take what the figures say, and nothing that
// was acknowledged.
//
//suite:thorough
func TestPoolerOnContainers(t *testing.T) { throughAPooler(t, "containers") }

//suite:thorough
func TestPoolerOnSwarm(t *testing.T) { throughAPooler(t, "swarm") }

func throughAPooler(t *testing.T, runtime string) {
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.replicas": 2, "backend.workers": 2, "backend.drain": "10s", "backend.stopGrace": "15s", "nginx.tls.mode": "off",
		"backend.health.interval": "1s", "backend.health.startPeriod": "60s", "backend.health.timeout": "3s",
		"backend.environment": map[string]any{"ENABLE_TEST_ENDPOINTS": "true"},
		"database.kind":       "postgres", "database.memory": "512m", "database.connections": 25, "database.pool": 5, "database.overflow": 5,
		"database.pooler.enabled": true, "database.pooler.connections": 3, "database.pooler.clients": 90,
		"monitoring.enabled": true, "monitoring.grafana.enabled": false,
	})
	s.up()
	const pooler = "postgres-pooler"
	s.checkHardening(pooler, true)
	out, first := s.outputs(), s.addressBy("DATABASE_URL", pooler+":6432")
	direct := s.addressBy("DATABASE_DIRECT_URL", "postgres:5432")
	reading := s.store(out)
	s.read(out, reading)
	s.unchanged()

	t.Run("who gets in", func(t *testing.T) {
		defer s.in(t)()
		if said := s.loggedIn(first, "SELECT current_user, session_user"); said != "app|"+first.User.Username() {
			t.Errorf("the application's account: %s", said)
		}
		own := first.User.Username()
		for _, test := range []struct {
			user     *url.Userinfo
			database string
			says     string
		}{
			{url.UserPassword(own, "another"), "app", "SASL authentication failed"},
			{url.UserPassword("postgres", "x"), "app", "no such user"},
			{url.UserPassword("pooler", "x"), "server", "no authentication method"},
			{first.User, "server", "no authentication method"},
			{first.User, "pgbouncer", "not allowed"},
		} {
			if said := s.loggedIn(&url.URL{User: test.user, Host: first.Host, Path: "/" + test.database}, "SELECT 1"); !strings.Contains(said, test.says) {
				t.Errorf("%s of %s: %s", test.user.Username(), test.database, said)
			}
		}
		if said := s.loggedIn(direct, "SELECT * FROM pooler.verifier('"+own+"')"); !strings.Contains(said, "does not exist") {
			t.Errorf("the application finds what an account is checked by: %s", said)
		}
		if made := s.unnamedVolumes(); len(made) > 0 {
			t.Errorf("volumes without a name were made: %v", made)
		}
	})
	t.Run("more clients than the server has connections", func(t *testing.T) {
		defer s.in(t)()
		if said := s.inside("backend", "sh", "-c", ". /run/config/environment; exec python -c '"+strings.ReplaceAll(manyClients, "'", `'"'"'`)+"'"); strings.Join(strings.Fields(said), " ") != "120 True 7s True" {
			t.Errorf("%s", said)
		}
		if said := s.sql("SELECT count(*) <= 3, bool_and(client_addr IS NULL) FROM pg_stat_activity WHERE usename LIKE 'app\\_%'"); said != "t|t" {
			t.Errorf("connections of the application: %s", said)
		}
	})
	t.Run("what is watched", func(t *testing.T) {
		defer s.in(t)()
		s.eventually("figures of the pooler", func() bool {
			return s.value("pgbouncer_up") == 1 && s.value(`pgbouncer_databases_pool_size{name="app"}`) == 3 && s.value("sum(pgbouncer_pools_client_active_connections{database=\"app\"})") > 0 &&
				s.value("pgbouncer_config_max_client_connections") > 90
		})
	})
	t.Run("what is refused", func(t *testing.T) {
		defer s.in(t)()
		for key, test := range map[string]struct{ other, was any }{"database.connections": {24, 25}, "database.pooler.clients": {80, 90}, "database.pooler.connections": {4, 3}} {
			s.config(key, test.other)
			said, err := s.run("preview")
			if want := strings.Replace(key, "pooler.connections", "connections", 1); err == nil || !strings.Contains(said, "tarot:"+want) || !strings.Contains(said, "at least") {
				t.Errorf("%s %v: %s", key, test.other, said)
			}
			s.config(key, test.was)
		}
	})

	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), "")
	before, server := s.containers(pooler), s.containers("postgres")
	tr.phase("another account", func() { s.config("secretVersions.databasePassword", 1); s.foretold() })
	same(t, server, s.containers("postgres"), 1)
	same(t, before, s.containers(pooler), 1)
	second := s.addressBy("DATABASE_URL", pooler+":6432")
	if said := s.loggedIn(second, "SELECT current_user"); said != "app" || second.User.Username() == first.User.Username() {
		t.Errorf("the new account: %s", said)
	}
	if said := s.loggedIn(first, "SELECT 1"); !strings.Contains(said, "FATAL") {
		t.Errorf("the earlier account: %s", said)
	}
	tr.phase("a release", func() { s.config("backend.logLevel", "warning"); s.up() })
	same(t, before, s.containers(pooler), 1)
	tr.phase("after it", func() { time.Sleep(3 * time.Second) })
	tr.report()
	tr.incident("other settings of the pooler", func() { s.config("database.pooler.clients", 100); s.up() })
	same(t, before, s.containers(pooler), 0)
	same(t, server, s.containers("postgres"), 1)
	tr.incident("the pooler is killed", func() { s.killOne(runtime, pooler, 1) })
	tr.settled()
	tr.stopped()
	var stored []string
	if err := json.Unmarshal([]byte(s.sql("SELECT coalesce(json_agg(question), '[]') FROM readings WHERE question LIKE 'load-%'")), &stored); err != nil {
		t.Fatal(err)
	}
	tr.reconcile(stored)
	s.noPasswordsOfPostgres(out, password(first), password(second))
	if said := s.docker("logs", s.one(pooler)); strings.Contains(said, password(second)) || strings.Contains(said, "SCRAM-SHA-256$") {
		t.Error("the pooler's log has a password, or what one is checked by")
	}
	s.unchanged()
}
