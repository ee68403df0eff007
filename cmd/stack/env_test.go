package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/environment"
	"tarot-platform/internal/newstack"
)

// A stack is refused where the limits of what it runs are more together than it is to have, before its
// file is there.
func TestAStackFitsItsMemory(t *testing.T) {
	text, err := os.ReadFile("../../Pulumi.prod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		memory string
		want   string
	}{
		{"", ""}, {"64g", ""}, {"600m", "may use"},
	} {
		ceiling, err := ceilingOf(test.memory)
		if err != nil {
			t.Fatal(err)
		}
		err = newcomer{newstack.Args{Stack: "pr-7"}, "prod", ceiling}.fits(text)
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "backend 4 × 512MiB")) {
			t.Errorf("%q: %v", test.memory, err)
		}
	}
	for _, text := range []string{"much", "-1g", "0"} {
		if _, err := ceilingOf(text); err == nil || !strings.Contains(err.Error(), "--memory is") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheListOfStacksForATime(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var text strings.Builder
	if err := listed(&text, []environment.Environment{{Stack: "pr-1", Expires: now.Add(-time.Hour), Over: true}, {Stack: "pr-2", Expires: now.Add(90 * time.Minute)}}, now); err != nil {
		t.Fatal(err)
	}
	want := "STACK  UNTIL              LEFT\npr-1   2026-11-28T11:00Z  over: stack env expire\npr-2   2026-11-28T13:30Z  1h30m0s\n"
	if text.String() != want {
		t.Errorf("%s", &text)
	}
}

// The file that a stack is removed with is there for that time alone, and one that is there stays.
func TestAFileForTheTimeOfARemoval(t *testing.T) {
	t.Chdir(t.TempDir())
	done, err := withFile("pr-7", "v1:salt")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile("Pulumi.pr-7.yaml"); err != nil || string(text) != "encryptionsalt: v1:salt\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("Pulumi.pr-7.yaml", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err = withFile("pr-7", "v1:salt"); err != nil || done() != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile("Pulumi.pr-7.yaml"); string(text) != "mine" {
		t.Errorf("%q", text)
	}
}
