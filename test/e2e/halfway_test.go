//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A gallery that knows nothing of this project, with the Dockerfile that its owner wrote: it has
// no health check, runs as a user of its own from /code, reads its secrets from variables,
// and has no folder for data in its image. Configuration alone deploys it.
//
//suite:thorough
func TestMetHalfwayOnContainers(t *testing.T) { metHalfway(t, "containers") }

//suite:thorough
func TestMetHalfwayOnSwarm(t *testing.T) { metHalfway(t, "swarm") }

func metHalfway(t *testing.T, runtime string) {
	t.Parallel()                   // these wait more than they work
	const site = "gallery.invalid" // leads nowhere
	source, err := filepath.Abs("../apps/gallery")
	if err != nil {
		t.Fatal(err)
	}
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.context": "./gallery", "backend.replicas": 2, "backend.memory": "64m", "backend.port": 5000, "backend.user": "1000:1000",
		"backend.workingDir": "/code", "backend.databaseUrl": "sqlite:///./data/gallery.db", "nginx.serverNames": []string{site},
		"backend.environment": map[string]any{"GALLERY_DB": "/code/data/gallery.db", "ALLOWED_HOSTS": site}, "backend.environmentFile": "gallery.env",
		"backend.unset": []string{"STATIC_URL"}, "backend.volumes": map[string]any{"media": "/code/media"}, "backend.tmpfs": []string{"/code/cache"},
		"backend.secretEnvironment": []string{"GALLERY_SECRET"}, "backend.aliases": map[string]any{"SECRET_KEY": "JWT_SECRET_KEY"},
	})
	folder := filepath.Join(s.dir, "gallery")
	if err := os.CopyFS(folder, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "gallery.env"), []byte("# of the gallery\nexport GREETING='hello, $USER'\nGALLERY_DB=elsewhere.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := "gallery-secret-" + s.id
	s.mustRun("config", "set", "--secret", "tarot:GALLERY_SECRET", secret)
	// One that Compose has made, whose labels are no difference for an update.
	volume := s.prefix() + "-volume-media"
	s.docker("volume", "create", "--label", "com.docker.compose.project=gallery", "--label", "com.docker.compose.volume=media", volume)
	asked := func(r *http.Request) { r.Host = site }
	address := fmt.Sprintf("https://localhost:%d", s.https)

	said, err := s.run("up", "--yes", "--skip-preview")
	for _, key := range []string{"backend.health.path", "backend.health.port", "backend.health.command"} {
		if err == nil || !strings.Contains(said, key) {
			t.Errorf("an image without a health check: %s is not named in\n%s", key, said)
		}
	}
	if n := len(s.containers("backend")); n > 0 {
		t.Errorf("%d replicas run all the same", n)
	}

	// A first deploy that fails leaves nothing that runs, and is no obstacle to the next.
	s.config("backend.health.path", "/nowhere")
	if said, err = s.run("up", "--yes", "--skip-preview"); err == nil || !strings.Contains(said, "404") || !strings.Contains(said, `tarot:backend.health.path is "/nowhere"`) {
		t.Errorf("a health check of a page that is not there: %v\n%s", err, said)
	}
	within(t, 30*time.Second, "no replica runs", func() bool { return len(s.containers("backend")) == 0 })
	s.config("backend.health.path", "/healthz/")
	s.up()
	knows := func(version int) {
		t.Helper()
		got := get(t, address+"/", asked).want(t, "the gallery", 200).json(t)
		key, _ := got["key"].(string)
		delete(got, "key")
		want := map[string]any{"version": float64(version), "secret": secret, "debug": false, "greeting": "hello, $USER", "static_url": nil, "uid": 1000.0, "home": "/home/gallery", "user": "gallery"}
		if !maps.Equal(got, want) || len(key) < 32 {
			t.Errorf("it knows %v, and a key of %d letters; want %v", got, len(key), want)
		}
	}
	knows(1)
	ask(t, http.MethodPost, address+"/photos/", map[string]string{"name": "fool.txt", "shows": "a fool", "photo": "a cliff, a dog"}, asked).want(t, "a photo", 201)
	photo := func() {
		t.Helper()
		for range 6 { // by both replicas
			if got := get(t, address+"/photos/fool.txt", asked).want(t, "a photo", 200).json(t); got["photo"] != "a cliff, a dog" || got["shows"] != "a fool" {
				t.Errorf("%v", got)
			}
		}
	}
	photo()
	unseen := map[string]string{"docker inspect": s.inspections(fmt.Sprint(s.outputs()["image"])), "the state": s.mustRun("stack", "export"), "the outputs": s.mustRun("stack", "output", "--json")}
	if runtime == "swarm" {
		configs := strings.Fields(s.docker("config", "ls", "--quiet", "--filter", "name="+s.prefix()))
		unseen["a Swarm config"] = s.docker(append([]string{"config", "inspect", "--pretty"}, configs...)...)
	}
	for place, text := range unseen {
		if strings.Contains(text, secret) {
			t.Errorf("the secret is in %s", place)
		}
	}
	s.unchanged()

	// The next release, with another health check, which has the program's environment.
	text, err := os.ReadFile(filepath.Join(folder, "gallery.py"))
	if err != nil {
		t.Fatal(err)
	}
	next := strings.Replace(string(text), "VERSION = 1", "VERSION = 2", 1)
	if err := os.WriteFile(filepath.Join(folder, "gallery.py"), []byte(next), 0o644); err != nil { //nolint:gosec // its user reads it
		t.Fatal(err)
	}
	s.config("backend.health.path", "")
	s.config("backend.health.command", []string{"python", "check.py"})
	s.config("backend.paths.health", "/healthz/")
	s.up()
	knows(2)
	photo()
	for id := range s.containers("backend") {
		for _, place := range []string{"/code/data", "/code/media", "/code/media/fool.txt"} {
			if owner := strings.TrimSpace(s.docker("exec", id, "stat", "-c", "%u:%g", place)); owner != "1000:1000" {
				t.Errorf("%s belongs to %s", place, owner)
			}
		}
	}
	s.checkHardening("backend", true)

	// What the stack file forgets stays.
	if label := strings.TrimSpace(s.docker("volume", "inspect", "--format", `{{index .Labels "com.docker.compose.volume"}}`, volume)); label != "media" {
		t.Errorf("the volume is another one: %q", label)
	}
	if shown := s.outputs()["volumes"].(map[string]any); shown["media"] != volume || !slices.Contains(slices.Collect(maps.Keys(shown)), "data") {
		t.Errorf("%v", shown)
	}
	s.config("backend.volumes", map[string]any{"other": "/code/media"})
	s.up()
	if !s.hasVolume(volume) {
		t.Error("what was uploaded is gone")
	}
	s.config("backend.volumes", map[string]any{"media": "/code/media"})
	s.up()
	photo()
}
