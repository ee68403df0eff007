//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestOwnApplication deploys an application that is not ours, with a secret and
// variables of its own that a shell would misread.
//
//suite:core
func TestOwnApplication(t *testing.T) {
	t.Parallel() // these wait more than they work
	for _, runtime := range []string{"swarm", "containers"} {
		t.Run(runtime, func(t *testing.T) {
			folder, err := filepath.Abs("testdata/application")
			if err != nil {
				t.Fatal(err)
			}
			awkward := `it's "quoted" $HOME` + "`x` 100%"
			s := prodStack(t, map[string]any{
				"runtime": runtime, "backend.context": folder, "backend.replicas": 2, "backend.memory": "64m",
				"backend.environment": map[string]any{"AWKWARD": awkward}, "backend.secrets": []string{"PAYMENT_KEY"}, "nginx.tls.mode": "off",
			})
			secret := "own-secret-" + s.id
			s.mustRun("config", "set", "--secret", "tarot:PAYMENT_KEY", secret)
			s.mustRun("config", "set", "--secret", "tarot:adminPassword", "my-own-"+s.id)
			s.up()
			out := s.outputs()
			if want := fmt.Sprintf("http://localhost:%d", s.http); out["url"] != want {
				t.Errorf("url %v, want %s", out["url"], want)
			}
			if out["adminPassword"] != "my-own-"+s.id {
				t.Errorf("adminPassword %v is not the one that was set", out["adminPassword"])
			}
			answer := get(t, fmt.Sprint(out["healthUrl"])).want(t, "health", 200).json(t)
			environment := answer["environment"].(map[string]any)
			for name, want := range map[string]string{"AWKWARD": awkward, "PORT": "8000", "WORKERS": "4", "DATABASE_URL": "sqlite:///./data/prod.db", "WEB_CONCURRENCY": "4"} {
				if environment[name] != want {
					t.Errorf("%s is %v, want %s", name, environment[name], want)
				}
			}
			for _, name := range []string{"DEBUG", "LOG_LEVEL"} { // what nobody has set
				if value, set := environment[name]; set {
					t.Errorf("%s is %v", name, value)
				}
			}
			if answer["user"] != 10001.0 || answer["secret_length"] != float64(len(secret)) || answer["forwarded"] != "http" {
				t.Errorf("user %v, secret of %v letters, forwarded %v", answer["user"], answer["secret_length"], answer["forwarded"])
			}
			if file := get(t, fmt.Sprint(out["staticUrl"])+"/note.txt").want(t, "a static file", 200); string(file.body) != "kept by the image\n" {
				t.Errorf("the static file says %q", file.body)
			}
			if strings.Contains(s.inspections(fmt.Sprint(out["image"])), secret) {
				t.Error("the secret is in docker inspect")
			}
			s.unchanged()

			// The same as a ready image: nothing is built, and nothing restarts.
			before := s.containers("backend")
			s.config("backend.image", out["image"])
			s.config("backend.context", "./nowhere")
			s.up()
			same(t, before, s.containers("backend"), 2)
		})
	}
}
