package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// It may read what is another's, and write nothing of that. Nobody but root can try it.
func TestAnotherUserReadsAllAndWritesNothing(t *testing.T) {
	folder := t.TempDir()
	for parent := folder; parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		_ = os.Chmod(parent, 0o755) //nolint:gosec // the other user has to get there
	}
	private, out := filepath.Join(folder, "private"), filepath.Join(folder, "out")
	for name, mode := range map[string]os.FileMode{private: 0o600, out: 0o666} {
		if err := os.WriteFile(name, []byte("a secret"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	err := as(t.Context(), []string{"12345:54321", "--", "/bin/sh", "-c", `{ id -u; id -g; cat "$1"; echo; echo x 2>/dev/null >"$1" || echo "not written"; } >"$2"; exit 7`, "sh", private, out})
	if os.Getuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "as 12345:54321: ") {
			t.Errorf("%v", err)
		}
		return
	}
	var code exit
	if !errors.As(err, &code) || code != 7 {
		t.Errorf("%v, want what the command ends with", err)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "12345\n54321\na secret\nnot written\n" {
		t.Errorf("%v: %s", err, got)
	}
}

func TestWhatAsWants(t *testing.T) {
	for _, args := range [][]string{nil, {"1:1", "--"}, {"1:1", "true"}, {"1", "--", "true"}, {"a:b", "--", "true"}} {
		if err := as(t.Context(), args); err == nil {
			t.Errorf("%q is enough", args)
		}
	}
}

// In one step, and with all of what it was given.
func TestKeep(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"state.sealed", "release"} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := keep(t.Context(), []string{from, to, "state.sealed", "release"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"state.sealed", "release"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != name {
			t.Errorf("%s, %v", got, err)
		}
	}
	if err := keep(t.Context(), []string{from, to, "state.sealed", "gone"}); err == nil {
		t.Error("what is not there was kept")
	}
}
