//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stack with a PostgreSQL is archived under load, copied, backed up, and rehearsed. Then it is brought to a moment by a
// restore that is killed in its midst and finished, on to its end after its server was killed, and to a moment that only the
// timeline before leads to. Each time all is compared with what was acknowledged, one by one. The same shape as TestBackups.
//
//suite:thorough
func TestPostgresBackups(t *testing.T) {
	s := prodStack(t, map[string]any{
		"runtime": "containers", "backend.replicas": 1, "nginx.tls.mode": "off", "backup.enabled": true,
		"database.kind": "postgres", "database.memory": "512m", "database.connections": 70, "backend.workers": 2, "database.extensions": []string{"pg_stat_statements"},
	})
	s.up()
	out := s.outputs()
	look := s.operator()
	does := func(code int, says string, words ...string) {
		t.Helper()
		began := time.Now()
		said, got := look(words...)
		if (got == 0) != (code == 0) || !strings.Contains(said, says) {
			t.Fatalf("%s: exit code %d, want one like %d and %q\n%s", strings.Join(words, " "), got, code, says, said)
		}
		t.Logf("%s: %s", strings.Join(words, " "), time.Since(began).Round(time.Second))
	}
	tr := startVisits(t, s.id, sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(tr.stopped)
	does(1, "SCHEDULE=postgres-dump", "run-schedule", s.name, "backup-files")
	does(0, "", "run-schedule", s.name, "postgres-archive")
	s.until("users have written", func() bool { return len(tr.said()) > 50 })
	does(0, "", "run-schedule", s.name, "postgres-dump")
	does(0, "", "run-schedule", s.name, "backup-files")
	does(0, "", "backup", "verify", s.name)

	before, at := tr.said(), time.Now().UTC()
	s.until("users have written since", func() bool { return len(tr.said()) > len(before)+50 })
	between, later := tr.said(), time.Now().UTC()
	s.until("users have written on", func() bool { return len(tr.said()) > len(between)+50 })
	tr.stopped()
	s.sql("DELETE FROM readings WHERE created_at < '" + at.Format("2006-01-02 15:04:05") + "'")
	since := s.stored("created_at > '" + at.Format("2006-01-02 15:04:05.000000") + "'")
	if len(since) < 50 {
		t.Fatalf("only %d are of after the moment", len(since))
	}
	folder := filepath.Join(t.TempDir(), "restored")
	does(0, "database", "restore", s.name, "--only", "database", "--at", at.Format(time.RFC3339Nano), "--into", folder)
	if found, err := filepath.Glob(filepath.Join(folder, "database", "app-*.dump")); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	restoring := s.began("restore", s.name, "--only", "database", "--at", at.Format(time.RFC3339Nano), "--yes")
	s.until("it stops what writes", func() bool {
		return strings.Contains(restoring.said(), "stopping ") || strings.Contains(restoring.said(), "stack: ")
	})
	if err := restoring.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = restoring.Wait()
	does(1, "CONTINUE=yes", "restore", s.name, "--yes")
	if text, code := look("restore", s.name, "--continue", "--yes"); code != 0 {
		t.Fatalf("exit code %d\n%s\nbefore it was killed:\n%s", code, text, restoring.said())
	}
	s.hasAll("at the moment", before, since)

	// It goes on from there, is archived along its own timeline, and loses nothing by a kill of its server.
	on := startVisits(t, s.id+"-on", sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(on.stopped)
	s.until("users write again", func() bool { return len(on.said()) > 30 })
	_ = exec.Command("docker", "exec", s.one("postgres"), "/bin/sh", "-c", "kill -KILL -1").Run() // from outside, the engine takes it for wanted
	had := len(on.said())
	s.until("users write after the kill", func() bool { return len(on.said()) > had+30 })
	on.stopped()
	again := on.said()
	does(0, "", "restore", s.name, "--only", "database", "--yes")
	s.hasAll("to the end", append(slices.Clone(before), again...), since)

	// The moment after the first one was on the timeline that was left.
	does(0, "", "restore", s.name, "--only", "database", "--at", later.Format(time.RFC3339Nano), "--yes")
	s.hasAll("on the timeline before", between, again)
	s.until("what is written is archived", func() bool { return s.sql("SELECT archived_count > 0 FROM pg_stat_archiver") == "t" })
	s.store(out)
	s.unchanged()

	list, code := look("restore", s.name, "--list")
	if code != 0 || strings.Count(list, "of what it has replaced") != 3 {
		t.Fatalf("what is kept: exit code %d\n%s", code, list)
	}
	for line := range strings.Lines(list) {
		run, _, _ := strings.Cut(line, " ")
		does(0, "", "restore", s.name, "--forget", run)
	}
	if left := s.inside("postgres", "find", "/var/lib/postgresql/.backup", "-name", "PG_VERSION"); strings.TrimSpace(left) != "" {
		t.Errorf("left: %s", left)
	}
	does(0, "", "run-schedule", s.name, "postgres-archive")

	// What rots on the target is found, and the next night mends it.
	s.inside("postgres", "/bin/sh", "-c", `find /target -path '*/bundle/*' -type f -size +100k | while read -r file; do
  n=1; while [ "$n" -lt 10 ]; do cp "$file" /tmp/was; { head -c $((n * 10000)) /tmp/was; printf rotten; tail -c +$((n * 10000 + 7)) /tmp/was; } >"$file"; n=$((n + 1)); done; done`)
	does(1, "can not be restored", "backup", "verify", s.name)
	does(0, "", "run-schedule", s.name, "postgres-archive")
	does(0, "", "backup", "verify", s.name)
}

// stored are the questions in the database that a condition holds for.
func (s *stack) stored(where string) (all []string) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.sql("SELECT coalesce(json_agg(question), '[]') FROM readings WHERE "+where)), &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// hasAll looks for each that has to be there, and each that must not be.
func (s *stack) hasAll(when string, there, gone []string) {
	s.t.Helper()
	stored := s.stored("true")
	if missing := without(there, stored); len(missing) > 0 {
		s.t.Errorf("%s: of %d that were acknowledged before, %d are missing: %s", when, len(there), len(missing), strings.Join(missing[:min(len(missing), 5)], ", "))
	}
	if left := len(gone) - len(without(gone, stored)); left > 0 {
		s.t.Errorf("%s: of %d that were written after, %d are there", when, len(gone), left)
	}
	s.t.Logf("%s: acknowledged before %d, written after %d, stored %d", when, len(there), len(gone), len(stored))
}
