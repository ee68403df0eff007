//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
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
			// By standard input: the engine may be on another machine.
			script := ""
			for name, content := range map[string]string{
				"nginx.conf": string(text), assets.CandidateFile: assets.Candidate("token"),
				assets.CertificateFile: pair.Certificate, assets.KeyFile: pair.Key, assets.MetricsFile: assets.Metrics(), assets.TypesFile: assets.Types(),
			} {
				script += "cat > /run/nginx/" + name + " <<'END_OF_FILE'\n" + content + "\nEND_OF_FILE\n"
			}
			script += "nginx -t -c /run/nginx/nginx.conf\n"
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
