package workload

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// As runc sets it: from the user's entry in /etc/passwd, and / where there is none.
func TestAProgramHasAHomeThatItMayWrite(t *testing.T) {
	script := filepath.Join(t.TempDir(), "environment")
	w := Workload{Program: Program{Home: true, Environment: map[string]string{"PORT": "1"}}}
	if err := os.WriteFile(script, []byte(w.EnvironmentScript()), 0o600); err != nil {
		t.Fatal(err)
	}
	const say = `echo "$HOME $USER"`
	known, unknown := t.TempDir(), t.TempDir()
	for folder, id := range map[string]string{known: "echo shop", unknown: "echo id: cannot find name for user ID 10001 >&2; echo 10001; exit 1"} {
		if err := os.WriteFile(filepath.Join(folder, "id"), []byte("#!/bin/sh\n[ \"$1\" = -un ] && "+id+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		image       string
		environment []string
		want        string
	}{
		{unknown, nil, "/tmp app\n"}, {unknown, []string{"HOME=/"}, "/tmp app\n"}, {t.TempDir(), nil, "/tmp app\n"},
		{known, []string{"HOME=/home/shop"}, "/home/shop shop\n"}, {known, []string{"HOME=/", "USER=other"}, "/tmp other\n"},
	} {
		for how, words := range map[string][]string{"by its start": append(Homed("test"), "/bin/sh", "-c", say), "by its file": {"/bin/sh", "-c", ". " + script + "; " + say},
			"before its check": {"/bin/sh", "-c", w.Preamble(false, "") + say}} {
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Env = slices.Concat([]string{"PATH=" + test.image}, test.environment)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != test.want {
				t.Errorf("%s, %q: %q, %v", how, test.environment, out, err)
			}
		}
	}
}
