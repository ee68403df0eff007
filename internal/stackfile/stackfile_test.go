package stackfile

import (
	"slices"
	"strings"
	"testing"
)

const file = `encryptionsalt: v1:salt
config:
  # Where it comes from.
  tarot:runtime: swarm
  tarot:adminPassword:
    secure: v1:one
  tarot:backend:
    replicas: 2
    databaseUrl:
      secure: v1:two
    environment:
      my.name:
        secure: v1:three
    command: [serve, {secure: v1:four}]
`

var paths = []string{"tarot:adminPassword", `tarot:backend.command[1]`, "tarot:backend.databaseUrl", `tarot:backend.environment["my.name"]`}

func TestSecretsAreFoundWhereverTheyAre(t *testing.T) {
	got, err := Secrets([]byte(file))
	if err != nil || !slices.Equal(got, paths) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := Secrets([]byte("config: {}\n")); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Secrets([]byte("config: [")); err == nil {
		t.Error("a file that can not be read has none")
	}
}

func TestForgetLeavesAFileThatNeedsNoPassphrase(t *testing.T) {
	rest, got, err := Forget([]byte(file))
	slices.Sort(got)
	if err != nil || !slices.Equal(got, paths) {
		t.Errorf("%q, %v", got, err)
	}
	for _, gone := range []string{"v1:", "salt", "adminPassword"} {
		if strings.Contains(string(rest), gone) {
			t.Errorf("%s is still there:\n%s", gone, rest)
		}
	}
	for _, kept := range []string{"tarot:runtime: swarm", "# Where it comes from.", "replicas: 2", `command: [serve, ""]`, `databaseUrl: ""`} {
		if !strings.Contains(string(rest), kept) {
			t.Errorf("%s is gone:\n%s", kept, rest)
		}
	}
	if _, _, err := Forget([]byte("name: x\n")); err == nil {
		t.Error("a file without configuration")
	}
}
