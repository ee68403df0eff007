//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// prodOverrides gives a prod stack's volumes names of its own.
func prodStack(t *testing.T, overrides map[string]any) *stack {
	t.Helper()
	s := newStack(t, "Pulumi.prod.yaml", overrides)
	s.config("volumes.static", s.volume("static"))
	s.config("volumes.logs", s.volume("logs"))
	return s
}

//suite:core
func TestDevStack(t *testing.T) {
	port, debugger := freePort(t), freePort(t)
	s := newStack(t, "Pulumi.dev.yaml", map[string]any{"backend.publishPort": port, "backend.debuggerPort": debugger})
	s.writeProject("") // the one stack whose program Pulumi compiles, as it does a user's
	s.up()
	out := s.outputs()
	if want := fmt.Sprintf("http://localhost:%d", port); out["url"] != want {
		t.Errorf("url %v, want %s", out["url"], want)
	}
	s.checkSite(out, 1)
	s.checkSecrets(out)
	s.checkHardening("backend", false)
	s.audited()
	s.undrifted()
	s.examined()
	reading := s.store(out)
	if conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", debugger), 5*time.Second); err != nil {
		t.Errorf("debugger: %v", err)
	} else {
		_ = conn.Close()
	}
	s.unchanged()

	t.Run("a code change is served without an up", func(t *testing.T) {
		defer s.in(t)()
		file := filepath.Join(s.dir, "app", "tarot", "routes", "cards.py")
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		added := fmt.Sprintf("%s\n\n@router.get(\"/changed/%s\")\ndef changed() -> str:\n    return \"%s\"\n", code, s.id, s.id)
		if err := os.WriteFile(file, []byte(added), 0o644); err != nil {
			t.Fatal(err)
		}
		saved := time.Now()
		url := fmt.Sprintf("%v/cards/changed/%s", out["apiUrl"], s.id)
		for !served(url) {
			if time.Since(saved) > 3*time.Second {
				t.Fatalf("not served 3 s after it was saved")
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("served %.2f s after it was saved", time.Since(saved).Seconds())
	})

	s.mustRun("destroy", "--yes", "--skip-preview")
	if !s.hasVolume(s.volume("data")) {
		t.Fatal("destroy removed the data volume")
	}
	s.up()
	s.read(s.outputs(), reading)
}

// served is true when the address answers 200; while the server reloads, it
// may not answer at all.
func served(url string) bool {
	response, err := visitor.Get(url)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == 200
}

//suite:core
func TestProdStackOnSwarm(t *testing.T) { prod(t, "swarm") }

//suite:core
func TestProdStackOnContainers(t *testing.T) { prod(t, "containers") }

func prod(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{"runtime": runtime})
	s.up()
	out := s.outputs()
	if out["runtime"] != runtime || out["url"] != fmt.Sprintf("https://localhost:%d", s.https) {
		t.Errorf("runtime %v at %v", out["runtime"], out["url"])
	}
	s.checkSite(out, 3)
	s.checkEdge(out)
	s.checkSecrets(out)
	s.checkHardening("backend", true)
	s.checkHardening("nginx", true)
	s.audited()
	s.verified()
	s.preflighted()
	s.undrifted()
	s.examined()
	s.checkOperating(out)
	reading := s.store(out)
	s.unchanged()
	s.checkHealthStarts("backend")
	s.checkHealthStarts("nginx")

	t.Run("scaling restarts no other task", func(t *testing.T) {
		defer s.in(t)()
		before := s.containers("backend")
		s.config("backend.replicas", 5)
		s.up()
		five := s.containers("backend")
		if len(five) != 5 {
			t.Fatalf("%d containers, want 5", len(five))
		}
		same(t, before, five, 3)
		s.config("backend.replicas", 2)
		s.up()
		s.waitFor("backend", 2)
		same(t, five, s.containers("backend"), 2)
	})

	t.Run("a bad release fails, and the next good one heals", func(t *testing.T) {
		defer s.in(t)()
		before := s.containers("backend")
		s.config("backend.environment.DB_POOL_SIZE", "none")
		said, err := s.run("up", "--yes", "--skip-preview")
		if err == nil {
			t.Fatal("up succeeded")
		}
		for _, want := range []string{"ended with exit code", "its last log lines", "DB_POOL_SIZE"} {
			if !strings.Contains(said, want) {
				t.Errorf("the error does not say %q:\n%s", want, said)
			}
		}
		get(t, fmt.Sprint(out["healthUrl"])).want(t, "the earlier release", 200)
		if _, err := s.run("up", "--yes", "--skip-preview"); err == nil {
			t.Error("the same again succeeded")
		}
		same(t, before, s.containers("backend"), len(before))
		if said, code := s.operator()("drift", s.name); code == 1 {
			t.Errorf("what the release has left is no drift:\n%s", said)
		}
		s.mustRun("config", "rm", "--path", "tarot:backend.environment.DB_POOL_SIZE")
		s.up()
		s.read(s.outputs(), reading)
		s.unchanged()
	})

	t.Run("nginx takes another configuration without a restart", func(t *testing.T) {
		defer s.in(t)()
		before := s.containers("nginx")
		s.config("maintenance", true)
		// It is there for what does not work: the deploy may get no further.
		mend := s.breaks(badReleases[0])
		if said, err := s.run("up", "--yes", "--skip-preview"); err == nil {
			t.Errorf("a migration that fails is a success:\n%s", said)
		}
		get(t, fmt.Sprint(out["healthUrl"])).want(t, "closed before anything else", http.StatusServiceUnavailable)
		mend()
		s.up()
		closed := get(t, fmt.Sprint(out["url"]), header("Accept", "text/html")).want(t, "the maintenance page", http.StatusServiceUnavailable)
		if !strings.Contains(string(closed.body), "Back in a moment") || closed.header.Get("Retry-After") == "" || closed.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("the page says %.100s, %v", closed.body, closed.header)
		}
		machine := get(t, fmt.Sprint(out["url"])).want(t, "the same for programs", http.StatusServiceUnavailable)
		if kind := machine.header.Get("Content-Type"); kind != "application/json" || machine.json(t)["detail"] == "" {
			t.Errorf("%q: %s", kind, machine.body)
		}
		s.config("maintenance", false)
		s.up()
		get(t, fmt.Sprint(out["healthUrl"])).want(t, "open again", http.StatusOK)
		same(t, before, s.containers("nginx"), 1)
	})

	t.Run("an update keeps the data and the earlier image", func(t *testing.T) {
		defer s.in(t)()
		file := filepath.Join(s.dir, "app", "tarot", "__init__.py")
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(code, "# changed\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
		preview := s.mustRun("preview", "--diff")
		s.up()
		after := s.outputs()
		if after["image"] == out["image"] {
			t.Fatal("the image is the same")
		}
		if !strings.Contains(preview, fmt.Sprint(after["image"])) {
			t.Errorf("the preview did not name %v", after["image"])
		}
		for _, image := range []any{out["image"], after["image"]} {
			if _, err := api(t).ImageInspect(t.Context(), fmt.Sprint(image)); err != nil {
				t.Errorf("image %v: %v", image, err)
			}
		}
		s.waitFor("backend", 2) // those before have finished what they had begun
		for _, c := range s.containers("backend") {
			if c.Config.Image != after["image"] {
				t.Errorf("%s runs %s", c.Name, c.Config.Image)
			}
		}
		s.read(after, reading)
	})

	t.Run("there is a way back, and forward", func(t *testing.T) {
		defer s.in(t)()
		now := s.outputs()
		earlier := s.releaseOf(fmt.Sprint(out["image"]))
		s.config("releases.pin", earlier)
		if said := s.up(); !strings.Contains(said, "releases.pin is "+earlier) {
			t.Errorf("nothing says that the release is pinned:\n%s", said)
		}
		back := s.outputs()
		if back["image"] != out["image"] || back["release"] != earlier {
			t.Errorf("back at %v, %v", back["image"], back["release"])
		}
		s.read(back, reading)
		s.unchanged()
		s.config("releases.pin", "") // as in a checkout that knows of no rollback
		if said, err := s.run("up", "--yes", "--skip-preview"); err == nil || !strings.Contains(said, "make forward STACK="+s.name) {
			t.Errorf("it goes forward in silence: %v\n%s", err, said)
		}
		s.moves("forward")
		if forward := s.outputs(); forward["image"] != now["image"] || forward["release"] != now["release"] {
			t.Errorf("forward at %v, %v", forward["image"], forward["release"])
		}
	})

	t.Run("a change by hand is told, and mended", func(t *testing.T) {
		defer s.in(t)()
		count, _ := s.outputs()["replicas"].(float64)
		says := "it may use 0.7 cores, not "
		if runtime == "swarm" {
			says = "it is scaled to 1, not "
			s.docker("service", "scale", "--detach", s.prefix()+"-backend=1")
		} else {
			s.docker("update", "--cpus", "0.7", s.one("backend"))
		}
		if said, err := s.run("up", "--yes", "--skip-preview"); err == nil || !strings.Contains(said, says) || !strings.Contains(said, "pulumi up --refresh") {
			t.Errorf("%v; nothing says %q:\n%s", err, says, said)
		}
		s.mustRun("up", "--yes", "--skip-preview", "--refresh")
		s.whole("backend", int(count))
		s.unchanged()
	})

	// What does not roll is said to, and comes back.
	t.Run("the networks change", func(t *testing.T) {
		defer s.in(t)()
		s.config("networks.backendEgress", true)
		s.config("networks.backendSubnet", s.subnet(218))
		s.foretold()
		s.read(s.outputs(), reading)
		s.unchanged()
	})

	t.Run("the other runtime takes over", func(t *testing.T) {
		defer s.in(t)()
		other := map[string]string{"swarm": "containers", "containers": "swarm"}[runtime]
		s.config("runtime", other)
		s.foretold()
		now := s.outputs()
		if now["runtime"] != other {
			t.Errorf("runs as %v, not %s", now["runtime"], other)
		}
		s.read(now, reading)
		s.unchanged()
	})

	if runtime == "swarm" {
		return // it runs in containers by now, and of those TestDevStack asks the same
	}
	t.Run("data outlives the stack", func(t *testing.T) {
		defer s.in(t)()
		s.mustRun("destroy", "--yes", "--skip-preview")
		if !s.hasVolume(s.volume("data")) {
			t.Fatal("destroy removed the data volume")
		}
		s.up()
		s.read(s.outputs(), reading)
	})
}

// same fails unless `count` of the containers that were there before are there
// now, never stopped.
func same(t *testing.T, before, now map[string]container.InspectResponse, count int) {
	t.Helper()
	kept := 0
	for id, was := range before {
		if is, ok := now[id]; ok && is.State.StartedAt == was.State.StartedAt {
			kept++
		}
	}
	if kept != count {
		t.Errorf("%d containers were left alone, want %d", kept, count)
	}
}

// waitFor waits until a workload has no more than the wanted containers: those
// that are taken away finish what they have begun first.
func (s *stack) waitFor(workload string, count int) {
	s.t.Helper()
	for range 60 {
		if len(s.containers(workload)) == count {
			return
		}
		time.Sleep(time.Second)
	}
	s.t.Fatalf("%d containers, want %d", len(s.containers(workload)), count)
}

// releaseOf names the newest release of an image.
func (s *stack) releaseOf(image string) string {
	s.t.Helper()
	found, err := api(s.t).VolumeList(context.Background(), volume.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", "tarot.stack="+s.prefix()), filters.Arg("label", "tarot.image="+image))})
	if err != nil || len(found.Volumes) == 0 {
		s.t.Fatalf("no release of %s: %v", image, err)
	}
	newest := found.Volumes[0]
	for _, v := range found.Volumes {
		if v.CreatedAt > newest.CreatedAt {
			newest = v
		}
	}
	return newest.Labels["tarot.release"]
}
