package toolchain

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// launcher is a project that brings launcher.sh, and a `pulumi` that tells its passphrase.
type launcher struct{ project, program, home string }

func newLauncher(t *testing.T) launcher {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("launcher.sh")
	if err != nil {
		t.Fatal(err)
	}
	l := launcher{filepath.Join(dir, "project"), filepath.Join(dir, "bin", "pulumi"), filepath.Join(dir, "home")}
	libexec := filepath.Join(dir, "libexec")
	write(t, l.program, strings.ReplaceAll(string(script), "@libexec@", libexec))
	write(t, filepath.Join(libexec, "pulumi"), "#!/bin/sh\necho \"${PULUMI_CONFIG_PASSPHRASE-not set}|$*\"\n")
	write(t, filepath.Join(l.project, "Pulumi.yaml"), "name: tarot\n")
	write(t, filepath.Join(l.project, "toolchain", "launcher.sh"), "")
	write(t, filepath.Join(l.project, "components", "nginx.go"), "")
	write(t, filepath.Join(dir, "other", "Pulumi.yaml"), "name: other\n")
	return l
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}

// passphrase is what the real CLI gets to see when the launcher is called in dir.
func (l launcher) passphrase(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(l.program, args...)
	cmd.Dir = filepath.Join(l.project, dir)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PULUMI_HOME=" + l.home}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, passed, _ := strings.Cut(strings.TrimSuffix(string(out), "\n"), "|")
	if passed != strings.Join(args, " ") {
		t.Errorf("arguments %q reached the CLI as %q", args, passed)
	}
	return got
}

func TestLauncherGivesOnlyDevItsPassphrase(t *testing.T) {
	l := newLauncher(t)
	const empty, none = "", "not set"
	cases := map[string]struct {
		dir  string
		env  []string
		args string
		want string
	}{
		"short option":        {"", nil, "up -s dev", empty},
		"attached":            {"", nil, "up -sdev", empty},
		"long option":         {"", nil, "up --stack dev", empty},
		"full name":           {"", nil, "up --stack=organization/tarot/dev", empty},
		"in a subfolder":      {"components", nil, "preview -s dev", empty},
		"chosen folder":       {"../other", nil, "-C ../project up -s dev", empty},
		"stack init":          {"", nil, "stack init dev", empty},
		"stack rm":            {"", nil, "stack rm dev --yes", empty},
		"variable":            {"", []string{"PULUMI_STACK=dev"}, "up", empty},
		"after the end":       {"", nil, "config set -s dev a -- -s prod", empty},
		"prod":                {"", nil, "up -s prod", none},
		"stack init prod":     {"", nil, "stack init prod", none},
		"prod over variable":  {"", []string{"PULUMI_STACK=dev"}, "up -s prod", none},
		"nothing chosen":      {"", nil, "up", none},
		"no arguments":        {"", nil, "", none},
		"similar name":        {"", nil, "up -s dev2", none},
		"other project":       {"../other", nil, "up -s dev", none},
		"other folder chosen": {"", nil, "--cwd=../other up -s dev", none},
		"no project":          {"..", nil, "up -s dev", none},
		"given":               {"", []string{"PULUMI_CONFIG_PASSPHRASE=x"}, "up -s dev", "x"},
		"given as a file":     {"", []string{"PULUMI_CONFIG_PASSPHRASE_FILE=/x"}, "up -s dev", none},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := l.passphrase(t, c.dir, c.env, strings.Fields(c.args)...); got != c.want {
				t.Errorf("pulumi %s: passphrase %q, want %q", c.args, got, c.want)
			}
		})
	}
}

func TestLauncherKnowsTheSelectedStack(t *testing.T) {
	l := newLauncher(t)
	sum := sha1.Sum([]byte(filepath.Join(l.project, "Pulumi.yaml")))
	settings := filepath.Join(l.home, "workspaces", "tarot-"+hex.EncodeToString(sum[:])+"-workspace.json")

	write(t, settings, "{\n    \"stacks\": {\n        \"file://~\": \"organization/tarot/dev\"\n    }\n}")
	if got := l.passphrase(t, "components", nil, "up"); got != "" {
		t.Errorf("dev is selected: got %q", got)
	}
	if got := l.passphrase(t, "", nil, "up", "-s", "prod"); got != "not set" {
		t.Errorf("dev is selected, but prod is meant: got %q", got)
	}
	write(t, settings, "{\n    \"stacks\": {\n        \"file://~\": \"organization/tarot/dev\",\n"+
		"        \"file:///x\": \"organization/tarot/prod\"\n    }\n}")
	if got := l.passphrase(t, "", nil, "up"); got != "not set" {
		t.Errorf("it depends on the backend which is selected: got %q", got)
	}
}
