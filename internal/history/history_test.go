package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// memory is an engine's.
type memory struct {
	entries map[string]json.RawMessage
	failure error
}

func (m *memory) WriteHistory(_ context.Context, _, id string, entry json.RawMessage) error {
	if m.failure == nil {
		m.entries[id] = entry
	}
	return m.failure
}

func (m *memory) History(context.Context, string) (map[string]json.RawMessage, error) {
	return m.entries, m.failure
}

func TestTheHistoryIsReadAsItWasWritten(t *testing.T) {
	t.Chdir(t.TempDir())
	m := &memory{entries: map[string]json.RawMessage{}}
	begun := time.Now().Add(-time.Hour)
	for i, err := range []error{nil, errors.New("the migration has failed\nwith many lines"), context.Canceled} {
		e := Entry{At: begun.Add(time.Duration(i) * time.Minute), Operation: "up", From: "r1", To: "r2"}
		if err := Append(t.Context(), m, "p-s", e.Ended(err)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Read(t.Context(), m, "p-s")
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	for i, want := range []string{Interrupted, Failed, Succeeded} { // the latest first
		if all[i].Result != want || all[i].Login == "" || all[i].Host == "" || all[i].Seconds < 3000 {
			t.Errorf("%d: %+v", i, all[i])
		}
	}
	if all[1].Why != "the migration has failed" {
		t.Errorf("%q", all[1].Why)
	}
	var out bytes.Buffer
	if err := Write(&out, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"failed", "! the migration has failed", "r1 → r2", "1h0m0s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, out.String())
		}
	}
}

// What can't be written down is told, and nothing has failed for it.
func TestAHistoryThatCanNotBeWrittenFailsNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	var told []string
	done := false
	err := Do(t.Context(), &memory{failure: errors.New("no space")}, "p-s", Entry{Operation: "exec"}, func(text string) { told = append(told, text) }, func() error { done = true; return nil })
	if err != nil || !done || len(told) != 1 || !strings.Contains(told[0], "no space") {
		t.Errorf("%v, %v, %v", err, done, told)
	}
	failure := errors.New("exit code 3")
	m := &memory{entries: map[string]json.RawMessage{}}
	if err := Do(t.Context(), m, "p-s", Entry{Operation: "exec"}, nil, func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
	if all, err := Read(t.Context(), m, "p-s"); err != nil || len(all) != 1 || all[0].Result != Failed {
		t.Errorf("%v, %v", all, err)
	}
}

func TestTheCommitIsThatOfThisProject(t *testing.T) {
	folder := t.TempDir()
	run := func(words ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", words...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", words, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GITHUB_ACTOR", "")
	t.Setenv("GITLAB_USER_LOGIN", "")
	t.Chdir(folder)
	if a := Me(t.Context()); a.Commit != "" || a.Dirty {
		t.Errorf("without git: %+v", a)
	}
	run("init", "--quiet")
	run("config", "user.name", "Ann Example")
	run("config", "user.email", "ann@example.com")
	write("Pulumi.yaml", "name: x\n")
	if a := Me(t.Context()); a.Commit != "" {
		t.Errorf("nothing is committed: %+v", a)
	}
	run("add", ".")
	run("commit", "--quiet", "--message", "one")
	a := Me(t.Context())
	if a.Who != "Ann Example" || len(a.Commit) < 7 || a.Dirty || !strings.HasPrefix(a.Name(), "Ann Example (") || a.Revision() != a.Commit {
		t.Errorf("%+v, %s, %s", a, a.Name(), a.Revision())
	}
	write("Pulumi.prod.yaml", "config: {}\n")
	if a := Me(t.Context()); !a.Dirty || !strings.HasSuffix(a.Revision(), "+") {
		t.Errorf("with a file more: %+v", a)
	}
	// A copy in somebody's repository is not of it.
	write("copy/Pulumi.yaml", "name: x\n")
	t.Chdir(filepath.Join(folder, "copy"))
	if a := Me(t.Context()); a.Commit != "" {
		t.Errorf("a copy: %+v", a)
	}
	t.Setenv("GITHUB_ACTOR", "ben")
	if a := Me(t.Context()); a.Who != "ben" {
		t.Errorf("in a pipeline: %+v", a)
	}
}
