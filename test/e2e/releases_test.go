//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/engine"
)

// releasing is a stack of a small application whose folder has a file that its image
// does not copy.
func releasing(t *testing.T, runtime string) *stack {
	t.Helper()
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.context": "./released", "backend.replicas": 1, "backend.memory": "64m", "backend.drain": "1s", "backend.stopGrace": "15s",
		"backend.health.interval": "1s", "backend.health.startPeriod": "5s", "nginx.tls.mode": "off", "releases.keep": 1,
	})
	if err := os.CopyFS(filepath.Join(s.dir, "released"), os.DirFS("testdata/releases")); err != nil {
		t.Fatal(err)
	}
	// An image of this run's own: what the engine has built before is no young image any
	// more, whatever its new tag.
	s.append("released/server.py", "# "+s.id+"\n")
	s.note("first")
	return s
}

// note changes the file that the image does not copy: another hash, the same image.
func (s *stack) note(text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "released", "NOTES.md"), []byte(text+"\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// refused fails where an `up` succeeds, or does not say all of this.
func (s *stack) refused(says ...string) string {
	s.t.Helper()
	said, err := s.run("up", "--yes", "--skip-preview")
	if err == nil {
		s.t.Errorf("up succeeded")
	}
	for _, want := range says {
		if !strings.Contains(said, want) {
			s.t.Errorf("nothing says %q:\n%s", want, said)
		}
	}
	return said
}

// settings are what the application says that it was deployed with.
func (s *stack) settings() map[string]any {
	s.t.Helper()
	return get(s.t, fmt.Sprintf("http://localhost:%d/settings", s.http)).want(s.t, "settings", 200).json(s.t)
}

func hasImage(t *testing.T, name string) bool {
	t.Helper()
	docker, err := engine.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there, err := docker.HasImage(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

//suite:core
func TestReleases(t *testing.T) {
	t.Parallel() // these wait more than they work
	s := releasing(t, "containers")
	s.config("backend.environment.GREETING", "hello")
	s.up()
	first := s.outputs()
	images := []string{fmt.Sprint(first["image"])}

	t.Run("no update removes what it deploys", func(t *testing.T) {
		defer s.in(t)()
		for i := range 3 {
			s.note(fmt.Sprint(i))
			s.up()
			now := fmt.Sprint(s.outputs()["image"])
			if slices.Contains(images, now) || !hasImage(t, now) || s.settings()["RELEASE"] != now {
				t.Errorf("%s after %v; %v answers", now, images, s.settings())
			}
			images = append(images, now)
		}
		// All of them are young. A day later:
		docker, err := engine.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		removed, err := docker.PruneReleases(t.Context(), engine.Prune{Prefix: s.prefix(), Current: fmt.Sprint(s.outputs()["release"]), Repository: "tarot-backend", Keep: 1})
		// The first one stays: the container that holds the secrets was made of it.
		if err != nil || len(removed) != 2 {
			t.Errorf("removed %v, %v\n%s", removed, err, s.docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.Image}}"))
		}
		for i, want := range []bool{true, false, true, true} { // the last: the release that runs, and one earlier
			if hasImage(t, images[i]) != want {
				t.Errorf("%s is there: %v", images[i], !want)
			}
		}
		s.docker("restart", s.one("backend"))
		s.up() // which may find it at another address
	})

	t.Run("an image that is gone comes back by a plain up", func(t *testing.T) {
		defer s.in(t)()
		now := fmt.Sprint(s.outputs()["image"])
		s.docker("image", "rm", now) // the engine lets it go: the image has another tag
		s.config("backend.workers", 2)
		if preview := s.mustRun("preview", "--diff"); !strings.Contains(preview, "missingSince") {
			t.Errorf("the preview does not say it:\n%s", preview)
		}
		s.up()
		if !hasImage(t, now) || s.settings()["RELEASE"] != now {
			t.Errorf("%v answers", s.settings())
		}
		s.unchanged()
	})

	t.Run("no secret in an object, and no password in an address", func(t *testing.T) {
		defer s.in(t)()
		s.mustRun("config", "set", "--secret", "--path", "tarot:backend.databaseUrl", "postgresql://shop:pa55word@db.internal/shop")
		how := "pulumi config set --secret tarot:databaseUrl"
		s.refused("tarot:backend.databaseUrl: a secret is not allowed here", how)
		if said, err := s.run("preview"); err == nil || !strings.Contains(said, how) {
			t.Errorf("a preview says nothing of it: %v\n%s", err, said)
		}
		s.config("backend.databaseUrl", "postgresql://shop:pa55word@db.internal/shop")
		if said := s.refused("tarot:backend.databaseUrl: ", how); strings.Contains(said, "pa55word") {
			t.Errorf("the password is shown:\n%s", said)
		}
		s.mustRun("config", "rm", "--path", "tarot:backend.databaseUrl")
	})

	t.Run("a rollback takes the application back, and not the platform", func(t *testing.T) {
		defer s.in(t)()
		s.config("backend.environment.GREETING", "goodbye")
		s.config("nginx.maxBody", "7m")
		s.up()
		if s.settings()["GREETING"] != "goodbye" {
			t.Errorf("%v", s.settings())
		}
		said := s.moves("rollback")
		configuration := s.docker("exec", s.one("nginx"), "sh", "-c", "cat /run/nginx/current/nginx.conf")
		if s.settings()["GREETING"] != "hello" || !strings.Contains(configuration, "client_max_body_size 7") {
			t.Errorf("%v, nginx: %.200s\n%s", s.settings(), configuration, said)
		}
	})

	t.Run("another checkout does not go forward in silence", func(t *testing.T) {
		defer s.in(t)()
		pinned := fmt.Sprint(s.outputs()["release"])
		s.config("releases.pin", "") // which is what another checkout says
		s.refused(pinned, engine.Who(), "make forward STACK="+s.name, "make rollback STACK="+s.name+" TO="+pinned)
		if said := s.mustRun("preview"); !strings.Contains(said, "make forward STACK="+s.name) {
			t.Errorf("the preview does not warn:\n%s", said)
		}
		if s.settings()["GREETING"] != "hello" {
			t.Errorf("%v", s.settings())
		}
		s.moves("forward")
		if s.settings()["GREETING"] != "goodbye" {
			t.Errorf("%v", s.settings())
		}
		s.up()
	})

	t.Run("a record without the application's configuration is nothing to return to", func(t *testing.T) {
		defer s.in(t)()
		const lost = "r0123456789"
		_, err := api(t).VolumeCreate(t.Context(), volume.CreateOptions{Name: s.prefix() + "-release-" + lost, Labels: map[string]string{
			engine.StackLabel: s.prefix(), engine.ReleaseLabel: lost, engine.ImageLabel: fmt.Sprint(s.outputs()["image"]),
			engine.ConfigurationLabel: `{"tarot:runtime":"containers"}`, engine.ApplicationLabel: "{}"}})
		if err != nil {
			t.Fatal(err)
		}
		s.config("releases.pin", lost)
		s.refused("release "+lost+" can not be returned to: its record says nothing of tarot:backend", "make forward")
		s.config("releases.pin", "")
		if s.settings()["GREETING"] != "goodbye" {
			t.Errorf("%v", s.settings())
		}
	})
}

// In Swarm the task of an image that is gone is rejected every 2 s, for ever.
//
//suite:thorough
func TestAnImageThatIsGoneInSwarm(t *testing.T) {
	t.Parallel() // these wait more than they work
	s := releasing(t, "swarm")
	s.up()
	s.note("another tag of the same image")
	s.up()
	image := fmt.Sprint(s.outputs()["image"])
	s.docker("image", "rm", image)
	s.docker("rm", "--force", s.one("backend"))
	service := s.prefix() + "-backend"
	rejected := func() bool {
		return strings.Contains(s.docker("service", "ps", "--no-trunc", "--format", "{{.Error}}", service), "No such image")
	}
	for i := 0; !rejected(); i++ {
		if i == 120 {
			t.Fatal("no task is rejected")
		}
		time.Sleep(500 * time.Millisecond)
	}
	s.up()
	if !hasImage(t, image) || s.settings()["RELEASE"] != image {
		t.Errorf("%v answers", s.settings())
	}
	s.unchanged()
}
