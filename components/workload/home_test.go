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
	for _, test := range []struct {
		environment []string
		want        string
	}{
		{nil, "/tmp app\n"}, {[]string{"HOME=/"}, "/tmp app\n"}, {[]string{"HOME=/home/shop", "USER=shop"}, "/home/shop shop\n"},
	} {
		for how, words := range map[string][]string{"by its start": append(Homed("test"), "/bin/sh", "-c", say), "by its file": {"/bin/sh", "-c", ". " + script + "; " + say},
			"before its check": {"/bin/sh", "-c", w.Preamble(false, "") + say}} {
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Env = slices.Concat([]string{"PATH=/usr/bin:/bin"}, test.environment)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != test.want {
				t.Errorf("%s, %q: %q, %v", how, test.environment, out, err)
			}
		}
	}
}
