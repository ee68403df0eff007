//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A stack with a PostgreSQL is copied under load, backed up, and rehearsed; what is deleted then comes
// back by a restore that is killed in its midst and finished. The same shape as TestBackups.
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
		if said, got := look(words...); (got == 0) != (code == 0) || !strings.Contains(said, says) {
			t.Fatalf("%s: exit code %d, want one like %d and %q\n%s", strings.Join(words, " "), got, code, says, said)
		}
	}
	tr := startVisits(t, s.id, sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(tr.stopped)
	does(1, "SCHEDULE=postgres-dump", "run-schedule", s.name, "backup-files")
	s.until("users have written", func() bool { return len(tr.said()) > 50 })
	said := tr.said()
	does(0, "", "run-schedule", s.name, "postgres-dump")
	does(0, "", "run-schedule", s.name, "backup-files")
	does(0, "", "backup", "verify", s.name)

	tr.stopped()
	s.sql("DELETE FROM readings")
	does(1, "copied once a night", "restore", s.name, "--only", "database", "--at", time.Now().UTC().Format(time.RFC3339), "--yes")
	folder := filepath.Join(t.TempDir(), "restored")
	does(0, "database", "restore", s.name, "--only", "database", "--into", folder)
	if found, err := filepath.Glob(filepath.Join(folder, "database", "app-*.dump")); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	restoring := s.began("restore", s.name, "--only", "database", "--yes")
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
	var stored []string
	if err := json.Unmarshal([]byte(s.sql("SELECT coalesce(json_agg(question), '[]') FROM readings")), &stored); err != nil {
		t.Fatal(err)
	}
	if missing := without(said, stored); len(missing) > 0 {
		t.Errorf("of %d that were acknowledged before the copy, %d are missing: %s", len(said), len(missing), strings.Join(missing[:min(len(missing), 5)], ", "))
	}
	t.Logf("acknowledged before the copy %d, stored after the restore %d", len(said), len(stored))
	s.store(out)
	s.unchanged()
	list, code := look("restore", s.name, "--list")
	run, _, found := strings.Cut(list, " ")
	if code != 0 || !found || strings.Count(list, "of what it has replaced") != 1 {
		t.Fatalf("what is kept: exit code %d\n%s", code, list)
	}
	does(0, "", "restore", s.name, "--forget", run)
	if left := s.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'app\\_%'"); left != "0" {
		t.Errorf("%s databases are left", left)
	}
	does(0, "", "run-schedule", s.name, "postgres-dump")
	does(0, "", "backup", "verify", s.name)
}
