//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// created makes a container that has the files and does not run yet. They go through
// the engine, which may be on another machine.
func created(t *testing.T, files map[string]string, args ...string) string {
	t.Helper()
	id := dockerLine(t, append([]string{"create"}, args...)...)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", id).Run() })
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o444, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker", "cp", "-", id+":/")
	cmd.Stdin = &archive
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return id
}

func dockerLine(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(docker(t, args...))
}

// ownNetwork is one whose gateway is this machine: what listens there is reached from
// the network, and from nowhere else.
type ownNetwork struct{ name, gateway string }

func newNetwork(t *testing.T) ownNetwork {
	t.Helper()
	id := make([]byte, 3)
	_, _ = rand.Read(id)
	n := ownNetwork{name: "e2e-" + hex.EncodeToString(id)}
	docker(t, "network", "create", n.name)
	t.Cleanup(func() { _ = exec.Command("docker", "network", "rm", n.name).Run() })
	n.gateway = dockerLine(t, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", n.name)
	return n
}

// published is where a container's port is on this machine.
func published(t *testing.T, id string, port int) (url string) {
	t.Helper()
	return "http://127.0.0.1:" + dockerLine(t, "inspect", "--format", fmt.Sprintf(`{{(index (index .NetworkSettings.Ports "%d/tcp") 0).HostPort}}`, port), id)
}

func answers(url string) bool {
	answer, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("after %s it is not so that %s", limit, what)
			return
		}
	}
}
