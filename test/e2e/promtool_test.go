//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// promtool runs Prometheus' own tool in a folder with the golden files and the
// tests, as a user without any rights.
func promtool(t *testing.T, rules string, args ...string) (string, error) {
	t.Helper()
	files, err := filepath.Glob("../../assets/prometheus/testdata/*.yml")
	if err != nil || len(files) < 8 {
		t.Fatalf("files: %v, %v", files, err)
	}
	// By standard input: the engine may be on another machine.
	script := "set -e\ncd /tmp\n"
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script += "cat > " + filepath.Base(file) + " <<'END_OF_FILE'\n" + string(text) + "\nEND_OF_FILE\n"
	}
	if rules != "" {
		script += "cp " + rules + " /run/config/rules.yml\n"
	}
	script += "/bin/promtool " + strings.Join(args, " ") + "\n"
	cmd := exec.Command("docker", "run", "--rm", "-i", "--network", "none", "--read-only", "--user", "65534:65534", "--cap-drop", "ALL",
		"--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/config:mode=1777", "--entrypoint", "/bin/sh", config.Defaults().Monitoring.Images.Prometheus, "-s")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestPrometheusAcceptsItsConfiguration gives every golden file to the real promtool.
//
//suite:core
func TestPrometheusAcceptsItsConfiguration(t *testing.T) {
	for _, stack := range []string{"prod", "dev", "rehearsal"} {
		t.Run(stack, func(t *testing.T) {
			for _, args := range [][]string{
				{"check", "config", "--lint=all", "--lint-fatal", stack + ".prometheus.yml"},
				{"check", "rules", "--lint=all", "--lint-fatal", stack + ".rules.yml"},
			} {
				if out, err := promtool(t, stack+".rules.yml", args...); err != nil || !strings.Contains(out, "SUCCESS") {
					t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
		})
	}
}

// TestRulesFireAndStaySilent runs the cases in testdata/*.test.yml. That there is
// one of each kind for every rule is seen to beside them.
//
//suite:core
func TestRulesFireAndStaySilent(t *testing.T) {
	files, err := filepath.Glob("../../assets/prometheus/testdata/*.test.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if out, err := promtool(t, "", "test", "rules", filepath.Base(file)); err != nil || !strings.Contains(out, "SUCCESS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
