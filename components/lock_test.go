package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

func TestAStackRunsWhatItsImagesAreLockedTo(t *testing.T) {
	inProject(t)
	if err := os.WriteFile("app/Dockerfile", []byte("FROM python:3.11-slim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := "@sha256:" + strings.Repeat("0", 64)
	cfg := stack(t, "prod as containers")
	of := func(docker *fakeEngine, cfg config.Config) *run {
		t.Helper()
		r := deploy(cfg, &recorder{stage: up}, docker)
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r
	}
	dockerfile := func(r *run) string {
		t.Helper()
		file, _ := r.get(t, "RemoteImage", "backend-image").at("build", "dockerfile").(string)
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	open := of(&fakeEngine{}, cfg)
	locks := map[string]string{cfg.Nginx.Image: cfg.Nginx.Image + sum, "python:3.11-slim": "python:3.11-slim" + sum, "other:1": "other:1" + sum}
	r := of(&fakeEngine{locked: locks}, cfg)
	if got := r.get(t, "RemoteImage", "nginx-image").at("name"); got != cfg.Nginx.Image+sum {
		t.Errorf("nginx's image is %v", got)
	}
	if got := r.get(t, "Container", "tarot-test-nginx-1").at("image"); got != cfg.Nginx.Image+sum {
		t.Errorf("nginx runs %v", got)
	}
	if got := dockerfile(r); got != "FROM python:3.11-slim"+sum+"\n" || dockerfile(open) != "FROM python:3.11-slim\n" {
		t.Errorf("%s", got)
	}
	if r.outputs["image"].Value == open.outputs["image"].Value {
		t.Error("another base is the same release")
	}
	// What the stack's file says of a base goes before the lock.
	cfg.Build.BaseImages = map[string]string{"python:3.11-slim": "mine:1"}
	if got := dockerfile(of(&fakeEngine{locked: locks}, cfg)); got != "FROM mine:1\n" {
		t.Errorf("%s", got)
	}
	if len(cfg.Build.BaseImages) != 1 {
		t.Errorf("the caller's configuration was changed: %v", cfg.Build.BaseImages)
	}
	// A pinned release was built; what else runs is of today.
	cfg = stack(t, "prod as containers", func(c *config.Config) {
		c.Backend.Image, c.Backend.Context = "tarot-backend:0123456789abcdef", "nowhere"
	})
	pinned := deployPinned(cfg, &recorder{stage: up}, &fakeEngine{locked: locks})
	if pinned.err != nil {
		t.Fatal(pinned.err)
	}
	if got := pinned.get(t, "RemoteImage", "nginx-image").at("name"); got != cfg.Nginx.Image+sum {
		t.Errorf("beside a pinned release, nginx's image is %v", got)
	}
}

func TestALockThatCanNotBeKeptEndsBeforeAnythingIsTouched(t *testing.T) {
	for _, name := range []string{"nginx:1.30", "python:3.11-slim", "prom/prometheus:v3.5.3", "postgres:18.6", "registry.example/web:1"} {
		inProject(t)
		if err := os.WriteFile("app/Dockerfile", []byte("FROM python:3.11-slim\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := stack(t, "prod as containers", func(c *config.Config) {
			c.Monitoring.Enabled = true
			c.Database.Kind = "postgres"
			c.Backend.Replicas = 1
		})
		if strings.HasPrefix(name, "registry.example") {
			cfg.Backend.Image = name
		}
		r := deploy(cfg, &recorder{stage: up}, &fakeEngine{locked: map[string]string{name: ""}})
		if r.err == nil || !strings.Contains(r.err.Error(), name+" can't be had") || len(r.all) > 0 {
			t.Errorf("%s: %v, after %d resources", name, r.err, len(r.all))
		}
	}
}
