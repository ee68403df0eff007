//go:build e2e

package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
)

// TestNginxAcceptsItsConfiguration runs `nginx -t` of the real image, as the
// real user with a read-only root, on every golden file.
//
//suite:core
func TestNginxAcceptsItsConfiguration(t *testing.T) {
	files, err := filepath.Glob("../../assets/nginx/testdata/*.conf")
	if err != nil || len(files) < 3 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	pair, err := certificate.SelfSigned([]byte("e2e"), []string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script := written(string(text), pair) + "nginx -t -c /run/nginx/nginx.conf\n"
			cmd := exec.Command("docker", "run", "--rm", "-i", "--network", "none", "--read-only", "--user", "101:101", "--cap-drop", "ALL",
				"--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/nginx:mode=1777",
				"--entrypoint", "/bin/sh", config.Defaults().Nginx.Image, "-s")
			cmd.Stdin = strings.NewReader(script)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "test is successful") || strings.Contains(string(out), "[warn]") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// written is a script that writes what nginx reads. By standard input: the engine may be
// on another machine.
func written(configuration string, pair certificate.Pair) string {
	script := "ln -s /run/nginx /tmp/tls\n" // where the certificate may come by itself
	for name, content := range map[string]string{
		"nginx.conf": configuration, assets.CandidateFile: assets.Candidate("token"), assets.TypesFile: assets.Types(),
		assets.CertificateFile: pair.Certificate, assets.KeyFile: pair.Key, assets.MetricsFile: assets.Metrics(), assets.GroupsFile: assets.Groups()[0],
	} {
		script += "cat > /run/nginx/" + name + " <<'END_OF_FILE'\n" + content + "\nEND_OF_FILE\n"
	}
	return script
}

// TestIdleConnectionsDoNotStopNginx has more of them than the soft limit of open files
// that current engines give.
//
//suite:core
func TestIdleConnectionsDoNotStopNginx(t *testing.T) {
	text, err := os.ReadFile("../../assets/nginx/testdata/prod-without-tls.conf")
	if err != nil {
		t.Fatal(err)
	}
	id := dockerLine(t, "create", "--interactive", "--publish", "127.0.0.1::8080", "--ulimit", "nofile=1024:16384", "--read-only", "--user", "101:101",
		"--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/nginx:mode=1777", "--entrypoint", "/bin/sh", config.Defaults().Nginx.Image, "-s")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", id).Run() })
	cmd := exec.Command("docker", "start", "--interactive", id)
	cmd.Stdin = strings.NewReader(written(string(text), certificate.Pair{}) + "exec nginx -c /run/nginx/nginx.conf -g 'daemon off;'\n")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("docker", "rm", "--force", id).Run()
		if _ = cmd.Wait(); t.Failed() || strings.Contains(said.String(), "[warn]") || strings.Contains(said.String(), "[alert]") {
			t.Errorf("nginx says %.2000s", said.String())
		}
	})
	answers := func() (string, bool) {
		port, err := exec.Command("docker", "port", id, "8080/tcp").Output()
		if err != nil {
			return "", false
		}
		address := strings.TrimSpace(string(port))
		asked, err := http.NewRequest(http.MethodGet, "http://"+address+edge.Path, nil)
		if err != nil {
			return "", false
		}
		asked.Header = edge.For("token", edge.Upstreams)
		answer, err := visitor.Do(asked)
		if err != nil {
			return "", false
		}
		_ = answer.Body.Close()
		return address, answer.StatusCode == http.StatusOK
	}
	address, ok := "", false
	for deadline := time.Now().Add(time.Minute); !ok && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		address, ok = answers()
	}
	if !ok {
		t.Fatal("nginx does not start")
	}
	for n := range 1200 {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		defer connection.Close()
		if _, err := connection.Write([]byte("GET / HTTP/1.1\r\nHost: idle")); err != nil { // and no more
			t.Fatal(err)
		}
	}
	if _, ok := answers(); !ok {
		t.Error("nobody else is served beside 1,200 idle connections")
	}
}
