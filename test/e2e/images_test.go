//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"tarot-platform/components/backend"
	"tarot-platform/components/runtime"
	"tarot-platform/internal/images"
)

// hub is a registry of this machine's that has base images under the names of a mirror, and
// forgets all when it is closed. The engine speaks HTTP with it, as it is on 127.0.0.1.
type hub struct {
	*httptest.Server
	s    *stack
	name string
}

func newHub(s *stack) *hub {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	h := &hub{httptest.NewUnstartedServer(registry.New()), s, listener.Addr().String()}
	h.Listener = listener
	h.Start()
	s.t.Cleanup(h.Close)
	return h
}

// has gives the registry an image of this engine's, under the name that it has on a mirror.
func (h *hub) has(image, as string) {
	h.s.t.Helper()
	name := h.name + "/library/" + as
	h.s.docker("tag", image, name)
	h.s.t.Cleanup(func() { _ = exec.Command("docker", "rmi", name).Run() })
	h.s.docker("push", "--quiet", name)
}

// An application whose Dockerfile is outside of its folder, and needs a secret to be built. Its
// base image and nginx are taken by the digests that a registry names, and the base moves under
// its tag: nothing changes until images.lock says so, and a rollback brings the old one. The stack's
// file stays as it is. What is locked and here needs no registry.
//
//suite:thorough
func TestImagesAreUpdated(t *testing.T) {
	source, err := filepath.Abs("testdata/application")
	if err != nil {
		t.Fatal(err)
	}
	s := prodStack(t, map[string]any{
		"runtime": "containers", "backend.context": "./other", "backend.dockerfile": "../docker/Dockerfile", "backend.replicas": 1, "backend.memory": "64m", "nginx.tls.mode": "off",
		"build.secrets": []string{"INDEX_TOKEN"}, "backend.secrets": []string{"PAYMENT_KEY"},
	})
	for _, name := range []string{"docker", "base"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	folder, dockerfile := filepath.Join(s.dir, "other"), filepath.Join(s.dir, "docker", "Dockerfile")
	if err := os.CopyFS(folder, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("docker/Dockerfile", strings.Replace(string(text), "COPY . .", "COPY . .\nRUN --mount=type=secret,id=INDEX_TOKEN wc -c </run/secrets/INDEX_TOKEN >static/token", 1))
	if err := os.Remove(filepath.Join(folder, "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	token := "index-token-" + s.id
	s.mustRun("config", "set", "--secret", "tarot:INDEX_TOKEN", token)
	s.mustRun("config", "set", "--secret", "tarot:PAYMENT_KEY", "payment-key-"+s.id)
	base := func() string { // what the application was built on
		t.Helper()
		for id := range s.containers("backend") {
			return strings.TrimSpace(s.docker("inspect", "--format", `{{index .Config.Labels "e2e.base"}}`, id))
		}
		t.Fatal("no replica")
		return ""
	}

	s.up()
	if got := get(t, fmt.Sprint(s.outputs()["staticUrl"])+"/token").want(t, "what the build saw", 200); strings.TrimSpace(string(got.body)) != fmt.Sprint(len(token)) {
		t.Errorf("the build saw a token of %q letters, not %d", got.body, len(token))
	}
	log, err := os.ReadFile(filepath.Join(s.dir, runtime.BuildLog))
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range map[string]string{"docker inspect": s.inspections(fmt.Sprint(s.outputs()["image"])), "the state": s.mustRun("stack", "export"), "the log of the build": string(log)} {
		if strings.Contains(text, token) {
			t.Errorf("the secret is in %s", place)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".build", "secrets", "*", "*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	s.unchanged()

	// The registry has what this engine has; then the base moves.
	h := newHub(s)
	s.env = append(s.env, "TAROT_REGISTRY_MIRROR="+h.name+"/library/")
	operate := s.operator()
	h.has(backend.Python, backend.Python)
	lock := func() string {
		text, _ := os.ReadFile(filepath.Join(s.dir, images.LockFile))
		return string(text)
	}
	said, code := operate("images", "update", s.name)
	if code != 1 || !strings.Contains(said, "nginx.image: "+h.name+"/library/nginx:1.30") || !strings.Contains(said, `build.baseImages["`+backend.Python+`"]`) {
		t.Errorf("a registry without nginx: exit code %d\n%s", code, said)
	}
	if text := lock(); !strings.Contains(text, "\n"+backend.Python+" sha256:") || strings.Contains(text, "nginx:1.30 ") {
		t.Errorf("the lock:\n%s", text)
	}
	h.has("nginx:1.30", "nginx:1.30")
	if said, code := operate("images", "update", s.name); code != 0 {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	s.up()
	for id := range s.containers("nginx") {
		if image := strings.TrimSpace(s.docker("inspect", "--format", "{{.Config.Image}}", id)); !strings.HasPrefix(image, h.name+"/library/nginx:1.30@sha256:") {
			t.Errorf("nginx runs %s", image)
		}
	}
	s.unchanged()
	if base() != "" {
		t.Errorf("the base is %q already", base())
	}

	s.write("base/Dockerfile", "FROM "+backend.Python+"\nLABEL e2e.base=moved\n")
	moved := "e2e-" + s.id + "-base"
	s.docker("build", "--quiet", "--tag", moved, filepath.Join(s.dir, "base"))
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", moved).Run() })
	h.has(moved, backend.Python)
	s.unchanged() // the tag has moved, and the stack has not
	if said, code := operate("images", "update", s.name, backend.Python); code != 0 || strings.Contains(said, "nginx") {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	if said := s.mustRun("preview"); !strings.Contains(said, "backend: restarts, new ones first") || !strings.Contains(said, "nginx: is not restarted") {
		t.Errorf("the preview:\n%s", said)
	}
	s.up()
	if base() != "moved" {
		t.Errorf("it was built on %q", base())
	}
	if text, err := os.ReadFile(dockerfile); err != nil || strings.Contains(string(text), "sha256") {
		t.Errorf("the user's Dockerfile: %v\n%s", err, text)
	}
	s.moves("rollback")
	if base() != "" {
		t.Errorf("after the rollback it is built on %q", base())
	}
	s.moves("forward")

	// Nobody answers: that is not that nothing is new.
	locked := lock()
	h.CloseClientConnections()
	h.Config.Handler = http.NotFoundHandler()
	h.Close()
	said, code = operate("images", "update", s.name)
	if code != 1 || strings.Contains(said, "Nothing is new") || !strings.Contains(said, "could not be asked for") || lock() != locked {
		t.Errorf("without a registry: exit code %d\n%s", code, said)
	}
	s.unchanged()
	if text, _ := os.ReadFile(s.configFile()); strings.Contains(string(text), "@sha256:") {
		t.Errorf("the stack's file:\n%s", text)
	}
}
