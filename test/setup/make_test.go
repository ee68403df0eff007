package setup

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// makes runs make in a folder that has the real Makefile, state.sh and endpoints.sh; what they call
// writes down that it was called, and ends with 0 unless it is to fail.
func makes(t *testing.T, fails string, words ...string) (calls []string, said string, code int) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Makefile", "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "setup/lib.sh", "setup/timed.sh", "setup/state.sh", "setup/endpoints.sh"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(text), 0o755)
	}
	write("Pulumi.shop.yaml", "config:\n  tarot:runtime: swarm\n", 0o644)
	called := `printf '%s\n' "` + "${0##*/} $*" + `" >>"$CALLS"` + "\nif [ \"${0##*/}\" = '" + fails + "' ]; then exit 3; fi\n"
	for _, name := range []string{"engine.sh", "pulumi.sh", "stack.sh", "base-images.sh", "swarm.sh"} {
		write("setup/"+name, "#!/bin/sh\n"+called, 0o755)
	}
	write("setup/with.sh", "#!/bin/sh\nexec \"$@\"\n", 0o755)
	write("bin/pulumi", "#!/bin/sh\n"+called+`case "$*" in "stack output grafanaUrl "*) exit 1 ;; "stack output "*) echo https://localhost ;; esac`+"\n", 0o755)
	passphrase := filepath.Join(dir, "passphrase")
	write("passphrase", "a word\n", 0o600)

	cmd := exec.Command("make", append([]string{"--no-print-directory"}, words...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin", "HOME=" + dir, "TAROT_CACHE=" + filepath.Join(dir, "cache"), "PULUMI_HOME=" + filepath.Join(dir, ".pulumi"),
		"PULUMI_BACKEND_URL=file://" + dir, "PULUMI_CONFIG_PASSPHRASE_FILE=" + passphrase, "CALLS=" + filepath.Join(dir, "calls")}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	text, _ := os.ReadFile(filepath.Join(dir, "calls"))
	for line := range strings.Lines(string(text)) {
		calls = append(calls, strings.TrimSpace(regexp.MustCompile(` --cwd \S+`).ReplaceAllString(line, "")))
	}
	return calls, out.String(), cmd.ProcessState.ExitCode()
}

// What the README says first: each of its steps is made, in order, and says how long it took.
func TestMakeDev(t *testing.T) {
	calls, said, code := makes(t, "", "dev")
	want := []string{"engine.sh", "pulumi.sh", "stack.sh", "base-images.sh for dev", "pulumi stack output --stack dev", "pulumi stack --show-name --non-interactive", "pulumi up --stack dev --yes --skip-preview", "pulumi stack output url --stack dev"}
	if code != 0 || len(calls) < len(want) || !slices.Equal(calls[:len(want)], want) {
		t.Errorf("exit code %d, %q, want %q\n%s", code, calls, want, said)
	}
	for _, step := range []string{"Docker engine", "Go, Pulumi and its plugins", "the command stack", "base images", "the stack dev", "in all"} {
		if !regexp.MustCompile(`(?m)^  time  ` + step + `: (\d+ min )?\d+ s$`).MatchString(said) {
			t.Errorf("%s: how long it took is not said:\n%s", step, said)
		}
	}
	if !strings.Contains(said, "healthUrl  https://localhost\n") {
		t.Errorf("where the stack answers is not said:\n%s", said)
	}
}

// A step that fails is the last one, and says so.
func TestMakeDevEndsWhereAStepFails(t *testing.T) {
	calls, said, code := makes(t, "base-images.sh", "dev")
	if code == 0 || calls[len(calls)-1] != "base-images.sh for dev" || !strings.Contains(said, "  time  base images failed: ") || strings.Contains(said, "in all") {
		t.Errorf("exit code %d, %q\n%s", code, calls, said)
	}
}

func TestMakeUp(t *testing.T) {
	for _, test := range []struct {
		words []string
		up    string
		swarm bool
	}{
		{[]string{"prod"}, "pulumi up --stack prod", true},
		{[]string{"prod", "YES=yes"}, "pulumi up --stack prod --yes", true},
		{[]string{"up", "STACK=dev"}, "pulumi up --stack dev", false},
		{[]string{"up", "STACK=shop", "CI=true"}, "pulumi up --stack shop --yes", true},
	} {
		calls, said, code := makes(t, "", test.words...)
		if code != 0 || !slices.Contains(calls, test.up) || slices.Contains(calls, "swarm.sh") != test.swarm {
			t.Errorf("make %v: exit code %d, %q\n%s", test.words, code, calls, said)
		}
	}
	if calls, said, code := makes(t, "", "clear-pending", "STACK=dev"); code != 0 || !slices.Contains(calls, "pulumi refresh --stack dev --yes --skip-preview --clear-pending-creates") {
		t.Errorf("make clear-pending: exit code %d, %q\n%s", code, calls, said)
	}
}
