package doctor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-connections/nat"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
)

func TestAGoodStackHasNothing(t *testing.T) {
	r := goodStack(t).look()
	if r.Has(checks.Fail) || r.Has(checks.Warn) || r.Has(checks.Unknown) || len(r.IDs(checks.Pass)) < 34 || r.Release != "r1" {
		t.Errorf("%d pass: %+v", len(r.IDs(checks.Pass)), r.Checks)
	}
}

// Each check has a fault of its own, which is told once: with what was seen, and what to do.
var faults = []struct {
	name, id, result, found, mend string
	breaks                        func(w *world)
}{
	{"no engine", "engine", checks.Fail, "no answer at", "make engine", func(w *world) { w.stack.Engine, w.stack.EngineError = nil, errors.New("no answer at unix:///x") }},
	{"an old engine", "engine-version", checks.Fail, "Docker 19.03.9", "apt-get", func(w *world) { w.stack.About.Version = "19.03.9" }},
	{"an old API", "engine-version", checks.Fail, "API 1.40", "apt-get", func(w *world) { w.stack.About.API = "1.40" }},
	{"no swarm", "swarm", checks.Fail, "inactive", "docker swarm init", func(w *world) {
		w.stack.Config.Runtime, w.stack.About.Manager, w.stack.About.Swarm = "swarm", false, "inactive"
	}},
	{"a clock that is off", "clock", checks.Fail, "off this machine's", "set-ntp", func(w *world) { w.off = time.Hour }},
	{"a clock that is a bit off", "clock", checks.Warn, "off this machine's", "set-ntp", func(w *world) { w.off = 10 * time.Second }},
	{"a clock that was set back", "clock", checks.Fail, "was made at", "set-ntp", func(w *world) { w.of(firstID).Created = time.Now().Add(time.Hour).Format(time.RFC3339Nano) }},
	{"a full volume", "disk", checks.Fail, "the volume data is full: it has 1 % free", "docker system df", func(w *world) {
		w.says(firstID, "room\t/app/data\t1000\t500\t500", "room\t/app/data\t1000\t990\t10")
	}},
	{"a nearly full disk", "disk", checks.Warn, "the engine's disk has 5 % free", "docker system df", func(w *world) {
		for _, id := range []string{nginxID, firstID, secondID} {
			w.says(id, "room\t/\t1000\t500\t500", "room\t/\t1000\t950\t50")
		}
	}},
	{"no inodes", "inodes", checks.Fail, "the volume data is full: it has 0 % free", "du --inodes", func(w *world) {
		w.says(firstID, "inodes\t/app/data\t1000\t500\t500", "inodes\t/app/data\t1000\t1000\t0")
	}},
	{"old images", "old-images", checks.Warn, "7 images that no container has, 90 GB", "docker image prune", func(w *world) { w.usage = engine.Usage{Unused: 7, Images: 90 << 30} }},
	{"build cache", "build-cache", checks.Warn, "90 GB of build cache", "docker builder prune", func(w *world) { w.usage = engine.Usage{Cache: 90 << 30} }},
	{"logs that nobody rotates", "log-driver", checks.Warn, "tarot-prod-nginx-1", "max-size", func(w *world) { w.of(nginxID).HostConfig.LogConfig.Config = nil }},
	{"logs that go elsewhere", "log-driver", checks.Warn, "tarot-prod-nginx-1 (syslog)", "docs/operating.md", func(w *world) { w.of(nginxID).HostConfig.LogConfig.Type = "syslog" }},
	{"a wrong key", "configuration", checks.Fail, "backend.replica: unknown", "docs/configuration.md", func(w *world) { w.stack.ConfigError = errors.New("backend.replica: unknown") }},
	{"a wrong value", "configuration", checks.Fail, "port", "docs/configuration.md", func(w *world) { w.stack.Config.Backend.Port = -1 }},
	{"no state", "pulumi", checks.Fail, "incorrect passphrase", "pulumi stack ls", func(w *world) { w.unreadable = errors.New("incorrect passphrase") }},
	{"a stack that was never made", "pulumi", checks.Fail, "there is no stack prod", "pulumi stack init prod", func(w *world) { w.unreadable = errors.New("error: no stack named 'prod' found") }},
	{"a lock of the dead", "lock", checks.Fail, "an `up` by ann", "make lock-release STACK=prod", func(w *world) {
		w.held = &engine.Held{Run: "r", Who: "ann", Operation: engine.Up, Process: "elsewhere/1/1", Silent: 20 * time.Minute}
	}},
	{"somebody at work", "lock", checks.Warn, "ann", "make lock STACK=prod", func(w *world) {
		w.held = &engine.Held{Run: "r", Who: "ann", Operation: engine.Up, Process: "elsewhere/1/1", Silent: time.Second}
	}},
	{"a claim of the dead", "lock", checks.Warn, "claim", "pulumi up -s prod", func(w *world) { w.claimed = true }},
	{"an interrupted move", "unfinished", checks.Fail, "the move of the database to PostgreSQL by ann", "make database-move STACK=prod CONTINUE=yes", func(w *world) {
		w.held = &engine.Held{Run: "r", Who: "ann", Operation: engine.MoveToPostgres}
	}},
	{"an interrupted restore", "unfinished", checks.Fail, "a restore by ann", "make restore STACK=prod CONTINUE=yes", func(w *world) { w.held = &engine.Held{Run: "r", Who: "ann", Operation: engine.Restore} }},
	{"a deploy that has failed", "last-deploy", checks.Warn, "failed: the release was not healthy", "pulumi up -s prod", func(w *world) {
		w.deployed(history.Entry{Operation: "up", Result: history.Failed, Why: "the release was not healthy", At: time.Now()})
	}},
	{"a container that is gone", "state", checks.Fail, "container tarot-prod-backend-2", "pulumi up --refresh --yes -s prod", func(w *world) { w.without(secondID) }},
	{"a network that is gone", "state", checks.Fail, "network edge", "pulumi up --refresh", func(w *world) { w.networks = w.networks[1:] }},
	{"an orphan", "orphans", checks.Fail, "tarot-prod-left", "docker rm -f tarot-prod-left", func(w *world) {
		w.bodies = append(w.bodies, w.container("o4444444444444", "backend", "tarot-prod-left", "other", "/elsewhere"))
	}},
	{"an image that is gone", "image", checks.Fail, "nginx:1.30", "pulumi up --refresh", func(w *world) { delete(w.images, "nginx:1.30") }},
	{"another machine's image", "architecture", checks.Fail, "linux/arm64", "tarot:build.platform linux/amd64", func(w *world) {
		w.images["nginx:1.30"] = image.InspectResponse{Os: "linux", Architecture: "arm64"}
	}},
	{"a port of somebody else's", "port", checks.Fail, "is published by the container other", "ss -ltnp", func(w *world) {
		w.taken = []error{errors.New(`tarot:nginx.httpsPort: "443" is published by the container other`)}
		w.of(nginxID).State = &container.State{Status: container.StateCreated}
	}},
	{"a port that was somebody else's", "port", checks.Fail, "port is already allocated", "docker start tarot-prod-nginx-1", func(w *world) {
		w.of(nginxID).State = &container.State{Status: container.StateCreated, Error: "Bind for 0.0.0.0:443 failed: port is already allocated"}
	}},
	{"a task that was rejected", "tasks", checks.Fail, "worker.1 is rejected: No such image", "pulumi up --refresh", func(w *world) { w.swarmed(task(swarm.TaskStateRejected, "No such image: x", time.Minute)) }},
	{"a task that no node takes", "tasks", checks.Fail, "no suitable node", "pulumi up --refresh", func(w *world) { w.swarmed(task(swarm.TaskStatePending, "no suitable node", time.Minute)) }},
	{"a migration that has failed", "jobs", checks.Fail, "ValueError: own words", "pulumi up --yes -s prod", func(w *world) {
		w.of(jobID).State.ExitCode = 1
		w.deployed(history.Entry{Operation: "up", Result: history.Succeeded})
		delete(w.history, "1")
	}},
	{"a job that only warns", "jobs", checks.Warn, "exit code 1", "pulumi up", func(w *world) { w.of(jobID).State.ExitCode = 1 }},
	{"killed for want of memory", "out-of-memory", checks.Fail, "tarot-prod-backend-1-aaaaaaa, which may have 512 MB", "tarot:backend.memory 1g", func(w *world) {
		w.of(firstID).State = &container.State{Status: container.StateRestarting, Restarting: true, Running: true, OOMKilled: true, ExitCode: 137}
	}},
	{"a worker that was killed", "out-of-memory", checks.Fail, "backend-1", "tarot:backend.memory", func(w *world) { w.says(firstID, "killed\t0", "killed\t3"); w.kills = 3 }},
	{"a worker that was killed long ago", "out-of-memory", checks.Warn, "since its start", "tarot:backend.memory", func(w *world) { w.says(firstID, "killed\t0", "killed\t3") }},
	{"a container that has ended", "containers", checks.Fail, "is exited, exit code 3\nits last log lines:\nfirst\nValueError: own words", "docker start tarot-prod-backend-1-aaaaaaa", func(w *world) {
		w.of(firstID).State = &container.State{Status: container.StateExited, ExitCode: 3}
	}},
	{"nothing at all", "containers", checks.Fail, "nothing of the stack is on this engine", "pulumi up --yes -s prod", func(w *world) { w.bodies, w.networks, w.whole.Resources, w.whole.Outputs = nil, nil, nil, nil }},
	{"too few tasks", "containers", checks.Fail, "0 of 1 tasks run", "docker service ps", func(w *world) { w.swarmed(task(swarm.TaskStateFailed, "exit 1", time.Minute)) }},
	{"a restart loop", "restarts", checks.Fail, "was started 9 times more, its last exit code is 1\nits last log lines:\nfirst\nValueError: own words", "make rollback STACK=prod", func(w *world) {
		w.of(firstID).State = &container.State{Status: container.StateRestarting, Restarting: true, Running: true, ExitCode: 1}
		w.of(firstID).RestartCount = 9
	}},
	{"a restart loop that is over", "restarts", checks.Warn, "it is healthy now", "make logs", func(w *world) {
		w.of(firstID).RestartCount, w.of(firstID).State.StartedAt = 9, time.Now().Add(-time.Minute).Format(time.RFC3339Nano)
	}},
	{"a check that can't run", "health-runs", checks.Fail, "curl: not found", "docs/operating.md#health-checks", func(w *world) {
		failed := &container.HealthcheckResult{ExitCode: 127, Output: "sh: curl: not found"}
		w.of(firstID).Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "curl", "localhost"}}
		w.of(firstID).State.Health = &container.Health{Status: container.Unhealthy, Log: []*container.HealthcheckResult{failed, failed, failed}}
	}},
	{"an unhealthy replica", "health", checks.Fail, "its health check says:\nexit code 1: 503 database", "make logs STACK=prod", func(w *world) {
		w.of(firstID).State.Health = &container.Health{Status: container.Unhealthy, Log: []*container.HealthcheckResult{{ExitCode: 1, Output: "503 database"}}}
	}},
	{"one that does not get healthy", "health", checks.Warn, "has been starting for 1h", "make logs", func(w *world) { w.of(firstID).State.Health.Status = container.Starting }},
	{"a volume that is gone", "volumes", checks.Fail, "no volume data", "make restore STACK=prod", func(w *world) { delete(w.volumes, "data") }},
	{"data beside the volume", "volumes", checks.Fail, "writes /app/data, and nothing is mounted there", "pulumi up --refresh", func(w *world) { w.of(firstID).Mounts = nil }},
	{"a mount that fails", "volumes", checks.Fail, "error while mounting volume", "pulumi up --refresh", func(w *world) {
		w.of(firstID).State = &container.State{Status: container.StateCreated, Error: "error while mounting volume 'data': no such device"}
	}},
	{"a file's rights", "data-writable", checks.Fail, "backend-1-aaaaaaa may not write /app/data/prod.db: ---------- 1 0 0", "chown -R 10001:10001 /volumes/data", func(w *world) {
		w.says(firstID, "write\t/app/data/prod.db\t", "write\t/app/data/prod.db\t---------- 1 0 0")
	}},
	{"no database", "database-file", checks.Fail, "file is not a database", "make restore STACK=prod ONLY=database", func(w *world) {
		w.says(firstID, `prod.db", "error": ""`, `prod.db", "error": "file is not a database"`)
	}},
	{"a network that was disconnected", "networks", checks.Fail, "backend-1-aaaaaaa is not on tarot-prod-backend", "docker network connect --alias backend tarot-prod-backend tarot-prod-backend-1-aaaaaaa", func(w *world) {
		w.of(firstID).NetworkSettings.Networks = nil
	}},
	{"a name that is gone", "networks", checks.Fail, "without its name nginx", "docker network disconnect tarot-prod-backend tarot-prod-nginx-1 && docker network connect --alias nginx", func(w *world) {
		w.of(nginxID).NetworkSettings.Networks["tarot-prod-backend"].Aliases = nil
	}},
	{"no name server", "names", checks.Fail, "backend-1-aaaaaaa does not know the name nginx", "docker restart tarot-prod-backend-1-aaaaaaa", func(w *world) { w.says(firstID, "name\tnginx\t10.0.0.4", "name\tnginx\t") }},
	{"an address that nobody is at", "connection", checks.Fail, "CACHE_URL in tarot-prod-backend-1-aaaaaaa: the name cache is not known", "make logs STACK=prod", func(w *world) {
		w.says(firstID, `cache:6379", "error": ""`, `cache:6379", "error": "the name cache is not known"`)
	}},
	{"no route", "way-out", checks.Fail, "tarot-prod-nginx-1 has no route out", "systemctl restart docker", func(w *world) { w.says(nginxID, "route\tyes", "route\tno") }},
	{"no forwarding", "way-out", checks.Fail, "forwards nothing", "net.ipv4.ip_forward=1", func(w *world) { w.stack.About.Forwards = false }},
	{"packets that are too large", "mtu", checks.Warn, "eth0 in tarot-prod-nginx-1: 1500", `"mtu": 1400`, func(w *world) { w.stack.Uplink = 1400 }},
	{"an old configuration of nginx", "nginx-configuration", checks.Fail, "it runs 0ldc0ffee, and c0ffee was deployed", "docker kill -s HUP tarot-prod-nginx-1", func(w *world) { w.says(nginxID, "serves\tc0ffee", "serves\t0ldc0ffee") }},
	{"replicas of before", "nginx-configuration", checks.Fail, "it sends nobody to tarot-prod-backend-2-bbbbbbb", "pulumi up --yes", func(w *world) {
		w.says(nginxID, "serves\tc0ffee tarot-prod-backend-1-aaaaaaa tarot-prod-backend-2-bbbbbbb", "serves\tc0ffee tarot-prod-backend-1-aaaaaaa")
	}},
	{"a nginx that hangs", "nginx-configuration", checks.Fail, "does not answer in its own container", "docker restart tarot-prod-nginx-1", func(w *world) {
		w.says(nginxID, "serves\tc0ffee tarot-prod-backend-1-aaaaaaa tarot-prod-backend-2-bbbbbbb", "serves\t")
	}},
	{"upstreams that are gone", "nginx-upstreams", checks.Fail, "nobody on its network is called tarot-prod-backend-2-bbbbbbb", "pulumi up --refresh", func(w *world) {
		w.says(nginxID, "name\ttarot-prod-backend-2-bbbbbbb\t10.0.0.3", "name\ttarot-prod-backend-2-bbbbbbb\t")
	}},
	{"a certificate that has ended", "certificate", checks.Fail, "it has ended on 2020-01-02", "pulumi up --yes -s prod", func(w *world) {
		w.serve(certificateOf(w.t, "example.org", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)))
	}},
	{"a certificate of another name", "certificate", checks.Fail, "not example.org", "pulumi up --yes -s prod", func(w *world) {
		w.serve(certificateOf(w.t, "other.example", time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)))
	}},
	{"a certificate that ends soon", "certificate", checks.Warn, "in 23 hours", "pulumi up --yes -s prod", func(w *world) {
		w.serve(certificateOf(w.t, "example.org", time.Now().Add(-90*24*time.Hour), time.Now().Add(23*time.Hour+time.Minute)))
	}},
	{"a site that does not answer", "site", checks.Fail, "/health answers 502", "make logs STACK=prod", func(w *world) { w.codes["/health"] = 502 }},
	{"static files that are not there", "static", checks.Fail, "/static/r/abc/style.css answers 404", "pulumi up --refresh", func(w *world) { w.codes["/static/r/abc/style.css"] = 404 }},
	{"static files that nginx may not read", "static", checks.Fail, "may not read what is in /srv/static", "chmod -R a+rX /volumes/static", func(w *world) { w.says(nginxID, "static\tr/abc/style.css", "static\t\tdenied") }},
	{"no static files", "static", checks.Fail, "there is no file in nginx's", "pulumi up --refresh", func(w *world) { w.says(nginxID, "static\tr/abc/style.css", "static\t") }},
}

func TestEachFaultIsToldOnce(t *testing.T) {
	broken := map[string]bool{}
	for _, f := range faults {
		broken[f.id] = true
		t.Run(f.name, func(t *testing.T) {
			w := goodStack(t)
			f.breaks(w)
			r := w.look()
			if fails := r.IDs(checks.Fail); f.result == checks.Fail && !slices.Equal(fails, []string{f.id}) || f.result == checks.Warn && len(fails) > 0 {
				t.Errorf("these fail: %q, %+v", fails, r.Checks)
			}
			at := slices.IndexFunc(r.Checks, func(c checks.Check) bool { return c.ID == f.id })
			c := r.Checks[at]
			if c.Result != f.result || !strings.Contains(c.Found, f.found) || !strings.Contains(c.Mend, f.mend) || !strings.HasSuffix(c.Mend, "\n"+Page+"#"+f.id) || c.Cause == "" {
				t.Errorf("it is told as %+v", c)
			}
			if f.result == checks.Fail && at != 0 {
				t.Errorf("it is told as the %d.", at+1)
			}
		})
	}
	for _, id := range IDs() {
		if !broken[id] {
			t.Errorf("nothing breaks %s", id)
		}
	}
}

// What gets no answer is never well.
func TestNoAnswerIsUnknown(t *testing.T) {
	for name, breaks := range map[string]func(*world){
		"an engine that refuses": func(w *world) { w.failure = errors.New("permission denied") },
		"an engine that hangs":   func(w *world) { w.hangs = true },
		"no engine":              func(w *world) { w.stack.Engine, w.stack.EngineError = nil, errors.New("no answer") },
	} {
		t.Run(name, func(t *testing.T) {
			w := goodStack(t)
			breaks(w)
			r := of(t.Context(), w.stack, all(), time.Second)
			passed := r.IDs(checks.Pass)
			slices.Sort(passed)
			// What the engine has said when it was opened, and what is not the engine's to say.
			may := []string{"configuration", "engine", "engine-version", "pulumi"}
			if got := slices.DeleteFunc(passed, func(id string) bool { return slices.Contains(may, id) }); len(got) > 0 || len(r.Checks) != len(IDs()) {
				t.Errorf("these pass: %q, of %d", got, len(r.Checks))
			}
			if len(r.IDs(checks.Unknown)) < 30 {
				t.Errorf("these are unknown: %q", r.IDs(checks.Unknown))
			}
		})
	}
}

// Half of an answer is none: a name that was not asked for yet is not gone.
func TestHalfOfAnAnswerIsUnknown(t *testing.T) {
	w := goodStack(t)
	w.end = ""
	r := w.look()
	if r.Has(checks.Fail) || r.Has(checks.Warn) {
		t.Errorf("%+v", r.Checks)
	}
	for _, id := range []string{"data-writable", "nginx-configuration", "nginx-upstreams", "static", "disk", "names", "out-of-memory", "way-out", "mtu", "connection", "database-file"} {
		if !slices.Contains(r.IDs(checks.Unknown), id) {
			t.Errorf("%s is not unknown", id)
		}
	}
}

func TestAddressesThatAreNotToldAreUnknown(t *testing.T) {
	w := goodStack(t)
	w.noPython = errors.New("exit code 1: SyntaxError")
	if r := w.look(); !slices.Equal(r.IDs(checks.Unknown), []string{"database-file", "connection"}) || r.Has(checks.Fail) {
		t.Errorf("%+v", r.Checks)
	}
}

// Without the state the engine is asked all the same, and what needs the state says why not.
func TestWithoutTheState(t *testing.T) {
	w := goodStack(t)
	w.unreadable = errors.New("get stack: incorrect passphrase")
	r := w.look()
	if !slices.Equal(r.IDs(checks.Unknown), []string{"state", "orphans"}) || len(r.IDs(checks.Pass)) < 30 {
		t.Errorf("unknown %q, %d pass", r.IDs(checks.Unknown), len(r.IDs(checks.Pass)))
	}
	for _, c := range r.Checks {
		if c.Result == checks.Unknown && !strings.Contains(c.Found, "state can not be read") {
			t.Errorf("%+v", c)
		}
	}
}

// A stack in development: no nginx, one replica that has its own port.
func TestADevelopmentStack(t *testing.T) {
	w := goodStack(t)
	c := &w.stack.Config
	c.Nginx.Enabled, c.Nginx.ServerNames, c.Nginx.TLS.Mode = false, nil, "off"
	c.Backend.Replicas, c.Backend.PublishPort, c.Networks.Isolated = 1, 443, false
	w.without(nginxID)
	w.without(secondID)
	w.whole.Resources = slices.Delete(w.whole.Resources, 1, 3)
	w.says(firstID, "name\tnginx\t10.0.0.4\n", "")
	w.of(firstID).NetworkSettings.Ports = nat.PortMap{"8000/tcp": {{HostIP: "127.0.0.1", HostPort: "443"}}}
	w.server.Close()
	w.server = httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(w.server.Close)
	r := w.look()
	if fails := r.IDs(checks.Fail); !slices.Equal(fails, []string{"site"}) || r.Has(checks.Unknown) {
		t.Errorf("these fail: %q: %+v", fails, r.Checks)
	}
}

// A database that does not come back has the application fail at its start, with its address in plain sight.
func TestAnAddressIsReadOfWhatDoesNotRun(t *testing.T) {
	for value, want := range map[string]string{
		"postgresql://user:word@nowhere/x": "nothing in the stack is called nowhere",
		"postgresql//user:word@db/x":       "there is no ://",
		"postgresql://user:wo rd@db:x/x":   "it is no address",
	} {
		w := goodStack(t)
		w.without(secondID)
		w.whole.Resources = slices.Delete(w.whole.Resources, 1, 2)
		c := w.of(firstID)
		c.State = &container.State{Status: container.StateRestarting, Restarting: true, Running: true, ExitCode: 1}
		c.Config.Env = []string{"DATABASE_URL=" + value}
		p := &patient{Stack: w.stack}
		p.facts(t.Context(), time.Second)
		f := connection(t.Context(), p)
		if f.result != checks.Fail || !strings.Contains(f.found, want) || strings.Contains(f.found, "word") || strings.Contains(f.found, "wo rd") {
			t.Errorf("%s: %+v", value, f)
		}
	}
}

func TestThePageHasEachCheck(t *testing.T) {
	text, err := os.ReadFile("../../" + Page)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, heading := range regexp.MustCompile("(?m)^### ([a-z-]+)\n\n(.+)").FindAllStringSubmatch(string(text), -1) {
		said = append(said, heading[1])
	}
	if !slices.Equal(said, IDs()) {
		t.Errorf("the page has\n%q\nand the checks are\n%q", said, IDs())
	}
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"20.10.24+dfsg1", "20.10", false}, {"20.9.1", "20.10", true}, {"28.5.2", "20.10", false}, {"19.03", "20.10", true}, {"", "20.10", false}, {"dev", "20.10", false}, {"1.9", "1.41", true}} {
		if older(c.a, c.b) != c.want {
			t.Errorf("%q is older than %q: %v", c.a, c.b, !c.want)
		}
	}
}
