//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A rollout has users: everything that a deploy does is done under load, and no
// request may be lost. ROLLOUT_RELEASES is the number of good releases in a row (2; from
// 3 on, the way back goes further than to the one before), and ROLLOUT_RATE that of requests
// a second (80).
//
//suite:long
func TestRolloutOnContainers(t *testing.T) { rollout(t, "containers") }

//suite:long
func TestRolloutOnSwarm(t *testing.T) { rollout(t, "swarm") }

func rolloutStack(t *testing.T, runtime string, watched bool) *stack {
	return prodStack(t, rolloutValues(runtime, watched))
}

func rolloutValues(runtime string, watched bool) map[string]any {
	return map[string]any{
		"runtime": runtime, "monitoring.enabled": watched, "releases.keep": 100, "backend.replicas": 2, "backend.workers": 2, "backend.drain": "10s", "backend.stopGrace": "15s",
		"backend.health.interval": "1s", "backend.health.startPeriod": "15s", "backend.health.timeout": "3s",
		"backend.environment": map[string]any{"ENABLE_TEST_ENDPOINTS": "true"},
	}
}

func rollout(t *testing.T, runtime string) {
	s := rolloutStack(t, runtime, true) // as prod is
	s.up()
	out := s.outputs()
	first := fmt.Sprint(out["release"])
	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), fmt.Sprint(out["staticUrl"])+"/style.css")
	releases := number(t, "ROLLOUT_RELEASES", 2)
	tr.phase("nothing", func() { time.Sleep(3 * time.Second) })
	for i := range releases {
		s.edit("tarot/__init__.py", func(code string) string { return fmt.Sprintf("%s# release %d\n", code, i) })
		deploy := func() { s.up() }
		if i == 0 {
			deploy = s.foretold
		}
		tr.phase(fmt.Sprintf("release %d", i+1), deploy)
	}
	tr.phase("scale to 3", func() { s.config("backend.replicas", 3); s.foretold() })
	scaled := s.outputs()
	tr.phase("scale to 2", func() { s.config("backend.replicas", 2); s.up() })
	nginx := s.containers("nginx")
	tr.phase("rotate a secret", func() { s.config("secretVersions.adminPassword", 1); s.foretold() })
	rotated := s.outputs()
	get(t, fmt.Sprint(rotated["adminUrl"]), basic("admin", fmt.Sprint(out["adminPassword"]))).want(t, "the earlier password", http.StatusUnauthorized)
	get(t, fmt.Sprint(rotated["adminUrl"]), basic("admin", fmt.Sprint(rotated["adminPassword"]))).want(t, "the new password", http.StatusOK)
	tr.phase("configure nginx", func() { s.config("nginx.maxBody", "12m"); s.foretold() })
	tr.phase("renew the certificate", func() { s.config("nginx.serverNames[0]", "localhost"); s.up() })
	same(t, nginx, s.containers("nginx"), 1)

	now := s.outputs()
	for _, bad := range badReleases {
		tr.phase("bad: "+bad.name, func() { s.badRelease(bad, fmt.Sprint(now["image"])) })
	}
	tr.phase("back after a failed one", func() { s.moves("rollback") })
	s.runs(now)
	tr.phase("the next good release", func() { s.moves("forward") })
	s.runs(now)
	tr.phase("roll back", func() { s.moves("rollback") })
	s.runs(scaled) // what nginx has got since is none of the release's
	s.undrifted()
	get(t, fmt.Sprint(out["adminUrl"]), basic("admin", fmt.Sprint(rotated["adminPassword"]))).want(t, "the password of today in an earlier release", http.StatusOK)
	if releases > 2 {
		tr.phase("and further", func() { s.moves("rollback", first) })
		s.runs(out)
	}
	tr.phase("and forward", func() { s.moves("forward") })
	s.runs(now)
	if runtime == "containers" { // in swarm, tasks of both ports have one name
		tr.phase("another port", func() { s.config("backend.port", 8123); s.foretold() })
	}
	tr.report()

	// The negative control: a drain that is none has to be seen.
	begin := time.Now()
	for id := range s.containers("backend") {
		s.docker("kill", "--signal", "KILL", id)
	}
	time.Sleep(10 * time.Second) // what was sent while nobody answered has its answer
	if lost, count := tr.lost(begin); len(lost) == 0 {
		t.Errorf("all replicas were killed, and none of %d requests was lost: the load proves nothing", count)
	} else {
		t.Logf("negative control: lost %d of %d", len(lost), count)
	}
	tr.end(s.volume("data"), fmt.Sprint(out["image"]))
}

// runs fails where another release is said to run than the one of these outputs.
func (s *stack) runs(want map[string]any) {
	s.t.Helper()
	if now := s.outputs(); now["release"] != want["release"] || now["image"] != want["image"] {
		s.t.Errorf("%v of %v runs, want %v of %v", now["release"], now["image"], want["release"], want["image"])
	}
}

// bad is a release that must not reach a user.
type bad struct {
	name, file, old, new string
	says                 []string
}

var badReleases = []bad{
	{"fails its migration", "tarot/migrate.py", `    with stores.of(settings)`, "    raise RuntimeError(\"no such table\")\n    with stores.of(settings)", []string{"migrate", "no such table"}},
	{"crashes", "tarot/serve.py", `    return server.run(settings)`, `    raise SystemExit("broken start")`, []string{"broken start"}},
	{"is never healthy", "tarot/routes/operations.py", `code = 200 if content["status"] == "ok" else 503`, `code = 503`, []string{"not healthy"}},
	{"fails the smoke test", "tarot/routes/readings.py", "    \"\"\"Draw cards and store the reading.", "    raise RuntimeError(\"broken write\")\n    \"\"\"Draw cards and store the reading.",
		[]string{"smoke test: POST", "500", "broken write"}},
}

// badRelease deploys it, wants a failure that says why and the earlier release
// still there, and takes the change back.
func (s *stack) badRelease(b bad, image string) {
	t := s.t
	t.Helper()
	mend := s.breaks(b)
	s.fails(b)
	if !strings.Contains(string(get(t, "https://localhost:"+strconv.Itoa(s.https)+"/health").body), image) {
		t.Errorf("%s: another release than %s answers", b.name, image)
	}
	mend()
}

// fails is an `up` that does, and says why.
func (s *stack) fails(b bad) {
	s.t.Helper()
	said, err := s.run("up", "--yes", "--skip-preview")
	if err == nil {
		s.t.Errorf("%s: up succeeded", b.name)
	}
	for _, want := range append(b.says, "its last log lines") {
		if !strings.Contains(said, want) {
			s.t.Errorf("%s: the error does not say %q:\n%s", b.name, want, said)
		}
	}
}

// breaks makes the application the bad one, until it is mended.
func (s *stack) breaks(b bad) (mend func()) {
	t := s.t
	t.Helper()
	var before string
	s.edit(b.file, func(code string) string {
		before = code
		if !strings.Contains(code, b.old) {
			t.Fatalf("%s has changed: there is no %q", b.file, b.old)
		}
		return strings.Replace(code, b.old, b.new, 1)
	})
	return func() { s.edit(b.file, func(string) string { return before }) }
}

// edit changes a file of the application.
func (s *stack) edit(name string, change func(string) string) {
	s.t.Helper()
	path := filepath.Join(s.dir, s.app, name)
	code, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(change(string(code))), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) docker(args ...string) string { s.t.Helper(); return docker(s.t, args...) }

// docker runs the client, and returns its standard output.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	var errors strings.Builder
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, errors.String())
	}
	return string(out)
}
