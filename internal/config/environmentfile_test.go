package config

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestAnEnvironmentFileIsAsIfItWereInTheStackFile(t *testing.T) {
	inProject(t)
	write(t, "app/.env", "# comment\nexport A=1\nB2='$HOME'\nC=\"two\\nlines\" # more\nD=${A}x\nE=${NONE:-default}\nEMPTY=\nOWN=file\n")
	before := raw("runtime", "swarm", "backend", `{"environmentFile":"app/.env","replicas":2,"environment":{"OWN":7}}`)
	kept := maps.Clone(before)
	for range 2 { // what is merged has nothing more to merge
		after, err := WithEnvironmentFile(before)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Decode(after)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"A": "1", "B2": "$HOME", "C": "two\nlines", "D": "1x", "E": "default", "EMPTY": "", "OWN": "7"}
		if !maps.Equal(cfg.Backend.Environment, want) || cfg.Backend.Replicas != 2 || cfg.Backend.EnvironmentFile != "" || cfg.Runtime != "swarm" {
			t.Errorf("%+v", cfg.Backend)
		}
		if !maps.Equal(before, kept) {
			t.Errorf("what was given is changed: %v", before)
		}
		before, kept = after, maps.Clone(after)
	}
}

func TestAnEnvironmentFileThatCanNotBeReadIsNamed(t *testing.T) {
	inProject(t)
	for text, want := range map[string]string{
		"A=$NOWHERE\n":   "NOWHERE has no value in it; a $ that means itself",
		"A=1\nB\n":       "B has no value in it",
		"A=\"open\n":     "unterminated",
		"not a name=1\n": "line 1",
	} {
		write(t, "app/.env", text)
		_, err := WithEnvironmentFile(raw("backend", `{"environmentFile":"app/.env"}`))
		if err == nil || !strings.HasPrefix(err.Error(), `tarot:backend.environmentFile: "app/.env" is not allowed; allowed: empty, or a file in .env form that exists (`) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := WithEnvironmentFile(raw("backend", `{"environmentFile":"app/none.env"}`)); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	for _, backend := range []string{"", "{", `[]`, `{"environmentFile":1}`, `{"environmentFile":""}`, `{}`} {
		if given := raw("backend", backend); !equalAfter(given) {
			t.Errorf("%s is changed", backend)
		}
	}
}

func equalAfter(given map[string]string) bool {
	after, err := WithEnvironmentFile(given)
	one, _ := json.Marshal(given)
	other, _ := json.Marshal(after)
	return err == nil && string(one) == string(other)
}
