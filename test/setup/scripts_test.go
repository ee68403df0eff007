package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs a script of set-up beside programs that are made of a line each, and returns what it and
// they said.
func script(t *testing.T, programs map[string]string, env []string, words ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil { //nolint:gosec // it is a program
			t.Fatal(err)
		}
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = root
	cmd.Env = append([]string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TAROT_CACHE=" + filepath.Join(dir, "cache"), "BIN=" + dir}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheSwarmIsOffered(t *testing.T) {
	for name, test := range map[string]struct {
		state, answer, says string
		fails               bool
	}{
		"a manager":                 {"active true 1", "", "manager of a swarm of 1", false},
		"a worker":                  {"active false 3", "", "worker of a swarm", true},
		"none, and nobody to ask":   {"inactive false 0", "", "TAROT_SWARM_INIT=yes", true},
		"none, and it is wanted":    {"inactive false 0", "TAROT_SWARM_INIT=yes", "manager of a swarm of 1", false},
		"one that is locked":        {"locked false 0", "", "docker swarm unlock", true},
		"an engine without a voice": {"", "", "no Docker engine answers", true},
	} {
		docker := `case "$1 $2" in "info --format") [ -n "` + test.state + `" ] && echo "` + test.state + `" ;; "swarm init") case "$*" in *"--listen-addr 127.0.0.1:2377"*) ;; *) exit 1 ;; esac ;; *) exit 1 ;; esac`
		said, err := script(t, map[string]string{"docker": docker}, append([]string{}, test.answer), "setup/swarm.sh")
		if (err != nil) != test.fails || !strings.Contains(said, test.says) {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
}

func TestTheScannerIsBuiltOnce(t *testing.T) {
	cache := "TAROT_CACHE=" + filepath.Join(t.TempDir(), "cache")
	programs := map[string]string{"pulumi": "", "go": `for last; do if [ "$before" = -o ]; then echo grype >"$last"; chmod +x "$last"; fi; before=$last; done`}
	for _, says := range []string{"Building grype", "ok    grype"} {
		if said, err := script(t, programs, []string{cache}, "setup/scanner.sh"); err != nil || !strings.Contains(said, says) || says != "Building grype" && strings.Contains(said, "Building") {
			t.Errorf("%q: %v\n%s", says, err, said)
		}
	}
	if said, err := script(t, map[string]string{"pulumi": "", "go": "exit 1"}, nil, "setup/scanner.sh"); err == nil || !strings.Contains(said, "GOPROXY") {
		t.Errorf("a Go that can't: %v\n%s", err, said)
	}
	if said, err := script(t, nil, []string{"TAROT_GRYPE=/bin/true"}, "setup/scanner.sh"); err != nil || !strings.Contains(said, "TAROT_GRYPE: /bin/true") {
		t.Errorf("one of one's own: %v\n%s", err, said)
	}
	if said, err := script(t, nil, []string{"TAROT_GRYPE=/nobody"}, "setup/scanner.sh"); err == nil {
		t.Errorf("one that is not there:\n%s", said)
	}
}
