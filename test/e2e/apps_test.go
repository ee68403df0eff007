//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Applications that nobody here wrote (test/apps): each is deployed as it is, by configuration
// alone, and goes through a release under load, one that is no good, and the way back.

// A Flask application under Gunicorn 23, which knows no networks in FORWARDED_ALLOW_IPS.
//
//suite:thorough
func TestFlaskOnContainers(t *testing.T) { flask(t, "containers") }

//suite:thorough
func TestFlaskOnSwarm(t *testing.T) { flask(t, "swarm") }

func flask(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := appStack(t, runtime, "blog", map[string]any{
		"backend.port": 5000, "backend.health.path": "/", "backend.databaseUrl": "", "volumes.data": "", "volumes.static": "",
		"backend.volumes": map[string]any{"instance": "/app/instance"}, "backend.aliases": map[string]any{"SECRET_KEY": "JWT_SECRET_KEY"},
		"backend.migrate": []string{"flask", "--app", "blog", "init-db"},
	})
	s.fails(bad{name: "an address that is a network", says: []string{"does not appear to be an IPv4 or IPv6 address", "tarot:backend.environment", "FORWARDED_ALLOW_IPS"}})
	if n := len(s.containers("backend")); n > 0 && runtime == "containers" { // in swarm the service tries again
		t.Errorf("%d replicas run all the same", n)
	}
	s.config("backend.environment", map[string]any{"FORWARDED_ALLOW_IPS": "*"})
	s.up()
	site := fmt.Sprint(s.outputs()["url"])
	if said := get(t, site+"/").json(t); said["scheme"] != "https" {
		t.Errorf("it does not believe nginx: %v", said)
	}
	tr := startVisits(t, s.id, appVisits(20, site, "/posts", "title"))
	s.lives(tr, "blog.py", site+"/", bad{"crashes", "blog.py", `os.environ["SECRET_KEY"]`, `os.environ["NO_SUCH_KEY"]`, []string{"NO_SUCH_KEY"}})
	tr.stopped()
	tr.reconcile(list(t, site+"/posts"))
	s.unchanged()
}

// A FastAPI application that migrates in its entrypoint and listens on port 80, as tutorials
// have it, and sends events.
//
//suite:thorough
func TestFastAPIOnContainers(t *testing.T) { fastAPI(t, "containers") }

//suite:thorough
func TestFastAPIOnSwarm(t *testing.T) { fastAPI(t, "swarm") }

func fastAPI(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := appStack(t, runtime, "notes", map[string]any{
		"backend.port": 80, "backend.health.path": "/", "backend.workingDir": "/code", "backend.databaseUrl": "sqlite:////code/data/notes.db", "volumes.static": "",
	})
	s.up()
	site := fmt.Sprint(s.outputs()["url"])
	if said := get(t, site+"/").json(t); said["scheme"] != "https" {
		t.Errorf("it does not believe nginx: %v", said)
	}
	events(t, site+"/events")
	const migration = "migrations/versions/0002_bad.py"
	tr := startVisits(t, s.id, appVisits(20, site, "/notes", "text"))
	s.lives(tr, "main.py", site+"/", bad{"crashes", "main.py", "app = FastAPI()", `raise RuntimeError("broken start")`, []string{"broken start"}})

	// What the entrypoint did the platform does, once for a release: so there is a way back
	// over a migration, which the earlier release does not know.
	s.config("backend.command", []string{"uvicorn", "main:app", "--host", "0.0.0.0", "--port", "80"})
	s.config("backend.migrate", []string{"alembic", "upgrade", "head"})
	tr.phase("the platform migrates", func() { s.up() })
	before := s.outputs()
	s.write(filepath.Join(s.app, migration), "revision = \"0002\"\ndown_revision = \"0001\"\n\n\ndef upgrade() -> None:\n    raise RuntimeError(\"broken migration\")\n")
	tr.phase("bad: fails its migration", func() { s.fails(bad{name: "fails its migration", says: []string{"migrate", "broken migration"}}) })
	s.write(filepath.Join(s.app, migration), "from alembic import op\n\nrevision = \"0002\"\ndown_revision = \"0001\"\n\n\ndef upgrade() -> None:\n    op.execute(\"CREATE INDEX by_text ON notes (text)\")\n")
	tr.phase("a migration", func() { s.up() })
	tr.phase("back over it", func() { s.moves("rollback") })
	s.runs(before)
	tr.report()
	tr.stopped()
	tr.reconcile(list(t, site+"/notes"))
	s.unchanged()
}

// A shop: Django under Gunicorn, started through a shell, with a Celery worker, beat and Valkey,
// and a service of Node.js beside it that sends events.
//
//suite:thorough
func TestDjangoOnContainers(t *testing.T) { django(t, "containers") }

//suite:thorough
func TestDjangoOnSwarm(t *testing.T) { django(t, "swarm") }

func django(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := appStack(t, runtime, "shop", map[string]any{
		"backend.workingDir": "/code", "backend.staticDir": "staticfiles", "backend.health.path": "/healthz/", "backend.databaseUrl": "", "volumes.data": "",
		"backend.volumes": map[string]any{"db": "/code/db"}, "backend.migrate": []string{"python", "manage.py", "migrate", "--noinput"},
		"backend.environment": map[string]any{"DJANGO_ALLOWED_HOSTS": "localhost", "SQLITE_PATH": "/code/db/shop.sqlite3", "FORWARDED_ALLOW_IPS": "*"},
		"backend.aliases":     map[string]any{"DJANGO_SECRET_KEY": "JWT_SECRET_KEY", "CELERY_BROKER_URL": "REDIS_URL"},
		"cache.enabled":       true, "cache.profile": "queue", "cache.memory": "64m",
		"services": map[string]any{
			"worker": map[string]any{"command": []string{"celery", "-A", "shop", "worker", "--concurrency", "2"}, "replicas": 2, "stopGrace": "30s"},
			"beat":   map[string]any{"command": []string{"celery", "-A", "shop", "beat", "--schedule", "/tmp/beat"}, "update": "stopFirst", "memory": "128m"},
			"ticker": map[string]any{"context": "./ticker", "port": 3000, "replicas": 2, "memory": "128m", "stopGrace": "5s",
				"health": map[string]any{"path": "/ready", "interval": "1s", "timeout": "3s", "startPeriod": "10s"}},
		},
		"routes": map[string]any{"ticker": map[string]any{"service": "ticker", "path": "/ticker"}},
	})
	copyApp(t, s, "ticker")
	s.up()
	site := fmt.Sprint(s.outputs()["url"])
	if said := get(t, site+"/").json(t); said["secure"] != true {
		t.Errorf("it does not believe nginx: %v", said)
	}
	get(t, site+"/static/admin/css/base.css").want(t, "a file that collectstatic has put there", http.StatusOK)
	events(t, site+"/ticker/events")

	tr := startVisits(t, s.id, appVisits(30, site, "/orders/", "name"))
	waiting := 400 // while the workers are exchanged
	order(t, site+"/orders/", waiting)
	followed := follow(site + "/ticker/events")
	s.edit("../ticker/server.js", func(code string) string { return strings.Replace(code, "VERSION = 1", "VERSION = 2", 1) })
	s.lives(tr, "orders/tasks.py", site+"/", bad{"crashes", "shop/wsgi.py", "application = get", `raise RuntimeError("broken start")` + "\napplication = get", []string{"broken start"}})
	if said := get(t, site+"/ticker").json(t); said["version"] != 2.0 {
		t.Errorf("the service beside it is another one: %v", said)
	}
	tr.stopped()
	if longest, wrong := followed(); longest > 5*time.Second || len(wrong) > 0 {
		t.Errorf("events paused for %s, and who came again was told %v", longest, wrong)
	}

	var now map[string]any
	ticks := get(t, site+"/orders/").json(t)["ticks"].(float64)
	for range 3 { // what is left in the queue takes the workers a while
		s.eventually("all orders are seen to, and beat beats", func() bool {
			now = get(t, site+"/orders/").json(t)
			return now["done"] == now["stored"] && now["ticks"].(float64) > ticks
		})
	}
	acknowledged := float64(len(tr.acknowledged) + waiting)
	by, _ := now["by"].(map[string]any)
	if now["stored"] != acknowledged || now["done"] != acknowledged || now["twice"] != 0.0 || acknowledged < 1000 || len(by) != 2 {
		t.Errorf("of %v orders: %v", acknowledged, now)
	}
	t.Logf("of %v orders: %v", acknowledged, now)
	s.unchanged()
}

// order puts so many orders at once.
func order(t *testing.T, address string, count int) {
	t.Helper()
	client := browser(false) // which keeps its connections
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range count / 4 {
				answer, err := client.Post(address, "application/json", strings.NewReader(`{"name": "one that waits"}`))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusCreated {
					t.Errorf("an order: %s", answer.Status)
				}
			}
		})
	}
	all.Wait()
}

// appStack is a stack of an application of test/apps.
func appStack(t *testing.T, runtime, app string, values map[string]any) *stack {
	t.Helper()
	all := map[string]any{
		"runtime": runtime, "backend.context": "./" + app, "backend.replicas": 2, "backend.workers": 2, "backend.memory": "192m", "backend.drain": "5s", "backend.stopGrace": "10s",
		"backend.health.interval": "1s", "backend.health.timeout": "10s",
	}
	maps.Copy(all, values)
	s := prodStack(t, all)
	if folder, ok := values["volumes.static"]; ok {
		s.config("volumes.static", folder)
	}
	s.app, s.stubborn = app, runtime == "swarm"
	copyApp(t, s, app)
	return s
}

func copyApp(t *testing.T, s *stack, app string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(s.dir, app), os.DirFS(filepath.Join("../apps", app))); err != nil {
		t.Fatal(err)
	}
}

// appVisits are reads of / and writes of JSON with a name in one field.
func appVisits(rate int, site, path, field string) visits {
	return visits{
		rate: rate,
		request: func(n int64, post func() string) vegeta.Target {
			if n%10 < 4 {
				return posting(site+path, map[string]string{field: post()})
			}
			return getting(site + "/")
		},
		stored: func(body []byte) (string, error) {
			var said map[string]string
			err := json.Unmarshal(body, &said)
			return said[field], err
		},
	}
}

// lives takes the application through a release, one that is no good, and the way back. The
// file says `VERSION = 1`, and what is found at the address which one it is.
func (s *stack) lives(tr *traffic, file, address string, b bad) {
	s.t.Helper()
	first := s.outputs()
	is := func(version float64) {
		s.t.Helper()
		for range 4 { // by both replicas
			if said := get(s.t, address).want(s.t, "the application", http.StatusOK).json(s.t); said["version"] != version {
				s.t.Errorf("version %v answers, not %v", said["version"], version)
			}
		}
	}
	is(1)
	s.edit(file, func(code string) string { return strings.Replace(code, "VERSION = 1", "VERSION = 2", 1) })
	tr.phase("release", func() { s.up() })
	is(2)
	mend := s.breaks(b)
	tr.phase("bad: "+b.name, func() { s.fails(b) })
	is(2)
	mend()
	tr.phase("the next good one", func() { s.up() })
	tr.phase("roll back", func() { s.moves("rollback") })
	s.runs(first)
	is(1)
	tr.phase("and forward", func() { s.moves("forward") })
	is(2)
	tr.report()
}

// list reads a list of texts.
func list(t *testing.T, address string) (all []string) {
	t.Helper()
	if err := json.Unmarshal(get(t, address).want(t, address, http.StatusOK).body, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// browser is a client for streams; one that accepts gzip unpacks it.
func browser(gzip bool) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: !gzip, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // self-signed
}

// events fails where server-sent events do not come one by one, for a client that accepts gzip, too.
func events(t *testing.T, address string) {
	t.Helper()
	for _, gzip := range []bool{false, true} {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		came, err := stream(ctx, browser(gzip), address, 6)
		stop()
		if err != nil || len(came) < 6 {
			t.Errorf("with gzip %t: %d events, %v", gzip, len(came), err)
			continue
		}
		if took := came[5].Sub(came[0]); took < 500*time.Millisecond || took > 5*time.Second {
			t.Errorf("with gzip %t: six events, one each 0.2 s, came within %s", gzip, took)
		}
	}
}

// stream reads so many events, and tells when each came.
func stream(ctx context.Context, client *http.Client, address string, count int) (came []time.Time, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		return nil, fmt.Errorf("%s, %s", answer.Status, kind)
	}
	lines := bufio.NewScanner(answer.Body)
	for len(came) != count && lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			came = append(came, time.Now())
		}
	}
	return came, lines.Err()
}

// follow reads events, and comes again when they end, as a browser does; what it returns ends
// that, and tells the longest time without one, and what it was told instead of a stream.
func follow(address string) (end func() (longest time.Duration, wrong []string)) {
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var longest time.Duration
	var wrong []string
	all.Go(func() {
		last := time.Now()
		for ctx.Err() == nil {
			came, err := stream(ctx, browser(true), address, -1)
			for _, at := range came {
				longest, last = max(longest, at.Sub(last)), at
			}
			if len(came) == 0 && err != nil && ctx.Err() == nil {
				wrong = append(wrong, err.Error())
			}
		}
	})
	return func() (time.Duration, []string) { stop(); all.Wait(); return longest, wrong }
}
