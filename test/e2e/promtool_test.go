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

// rulesFiles are the golden files of the rules, and their tests: Prometheus' own, and those
// beside the parts that bring some along.
func rulesFiles(t *testing.T, pattern string) []string {
	t.Helper()
	var all []string
	for _, folder := range []string{"../../assets/prometheus/testdata/", "../../components/*/testdata/"} {
		files, err := filepath.Glob(folder + pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	return all
}

// promtool runs Prometheus' own tool in a folder with the golden files and the
// tests, as a user without any rights.
func promtool(t *testing.T, rules string, args ...string) (string, error) {
	t.Helper()
	files := rulesFiles(t, "*.yml")
	if len(files) < 8 {
		t.Fatalf("files: %v", files)
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
			if out, err := promtool(t, stack+".rules.yml", "check", "config", "--lint=all", "--lint-fatal", stack+".prometheus.yml"); err != nil || !strings.Contains(out, "SUCCESS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	for _, file := range rulesFiles(t, "*.rules.yml") {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			if out, err := promtool(t, "", "check", "rules", "--lint=all", "--lint-fatal", name); err != nil || !strings.Contains(out, "SUCCESS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestRulesFireAndStaySilent runs the cases in testdata/*.test.yml. That there is
// one of each kind for every rule is seen to beside them.
//
//suite:core
func TestRulesFireAndStaySilent(t *testing.T) {
	files := rulesFiles(t, "*.test.yml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if out, err := promtool(t, "", "test", "rules", filepath.Base(file)); err != nil || !strings.Contains(out, "SUCCESS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
