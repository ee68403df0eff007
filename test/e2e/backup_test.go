//go:build e2e

package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the database that was restored

	"tarot-platform/internal/backup/results"
)

// A stack whose users write all the time is backed up, and rehearses it; its replicator is killed; a
// second one is kept from the database; a restore is killed in its midst and finished; an empty
// machine becomes the same site; and a byte that is another one on the target is found.
//
//suite:long
func TestBackupsOnContainers(t *testing.T) { backups(t, "containers") }

//suite:thorough
func TestBackupsOnSwarm(t *testing.T) { backups(t, "swarm") }

func backups(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{"runtime": runtime, "backup.enabled": true, "backend.replicas": 1, "nginx.tls.mode": "off"})
	s.up()
	out := s.outputs()
	image, data := fmt.Sprint(out["image"]), s.volume("data")
	look := s.operator()
	tr := startVisits(t, s.id, sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(tr.stopped)

	s.replicates("db-1", time.Time{})
	if said, code := look("backup", "adopt", s.name); code == 0 || !strings.Contains(said, "there is nothing to adopt") {
		t.Errorf("a history that is its own is not to be begun anew: exit code %d\n%s", code, said)
	}
	if said, code := look("backup", "verify", s.name); code != 3 || !strings.Contains(said, "no nightly backup") {
		t.Errorf("before the first night: exit code %d\n%s", code, said)
	}
	if said, code := look("run-schedule", s.name, "backup-files"); code != 0 {
		t.Fatalf("the nightly backup: exit code %d\n%s", code, said)
	}
	if said, code := look("backup", "verify", s.name); code != 0 {
		t.Fatalf("the rehearsal: exit code %d\n%s", code, said)
	}
	if said, code := look("status", s.name); code != 0 || !strings.Contains(said, "db-1 on a volume") || !strings.Contains(said, "1 restored once") {
		t.Errorf("status: exit code %d\n%s", code, said)
	}

	t.Run("a replicator that is killed goes on", func(t *testing.T) {
		defer s.in(t)()
		at := time.Now()
		s.killOne(runtime, "backup-replicator", 1)
		s.replicates("db-1", at)
	})
	if runtime == "containers" { // where a container that is killed from outside stays dead
		t.Run("two seconds are lost at the most", func(t *testing.T) {
			defer s.in(t)()
			for range 3 {
				s.loses(look, tr)
			}
		})
	}
	t.Run("a second one is refused", func(t *testing.T) {
		defer s.in(t)()
		id := s.one("backup-replicator")
		first := s.containers("backup-replicator")[id]
		second := exec.Command("docker", append([]string{"run", "--rm", "--network", "none", "--tmpfs", "/tmp", "--volumes-from", id, "--user", first.Config.User,
			"--entrypoint", first.Path, first.Image}, append(slices.Clone(first.Args), "--patience=2s")...)...)
		said, err := second.CombinedOutput()
		if second.ProcessState.ExitCode() != 75 || !strings.Contains(string(said), "litestream was not started") {
			t.Errorf("%v\n%s", err, said)
		}
	})

	// What users were told two seconds before is in what is restored, however it is interrupted.
	said := tr.said()
	time.Sleep(2 * time.Second)
	restoring := s.began("restore", s.name, "--yes")
	s.until("it stops what writes", func() bool {
		return strings.Contains(restoring.said(), "stopping ") || strings.Contains(restoring.said(), "stack: ")
	})
	if err := restoring.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = restoring.Wait()
	if again, code := look("restore", s.name, "--yes"); code == 0 || !strings.Contains(again, "CONTINUE=yes") {
		t.Fatalf("a second restore: exit code %d\n%s\nthe first one:\n%s", code, again, restoring.said())
	}
	s.refused("is not finished, and nothing else is done")
	if finished, code := look("restore", s.name, "--continue", "--yes"); code != 0 {
		t.Fatalf("the restore: exit code %d\n%s\nbefore it was killed:\n%s", code, finished, restoring.said())
	}
	tr.stopped()
	stored := tr.inDatabase(data, image)
	missing := without(said, stored)
	t.Logf("acknowledged two seconds before %d, stored %d", len(said), len(stored))
	if len(said) < 20 || len(missing) > 0 {
		t.Errorf("of %d that were acknowledged, %d are missing: %s", len(said), len(missing), strings.Join(missing[:min(len(missing), 5)], ", "))
	}
	s.store(out)
	if kept, code := look("restore", s.name, "--list"); code != 0 || strings.Count(kept, "of what it has replaced") != 1 {
		t.Errorf("what is kept: exit code %d\n%s", code, kept)
	}
	s.unchanged() // all is as the state has it

	s.replicates("db-2", time.Time{})
	if again, code := look("backup", "verify", s.name); code != 0 {
		t.Errorf("after the restore: exit code %d\n%s", code, again)
	}
	t.Run("an empty machine becomes the same", func(t *testing.T) {
		defer s.in(t)()
		s.emptied(look, out)
	})
	flip := `import pathlib
for f in pathlib.Path("/target").rglob("db-3/**/*.ltx"):
    b = bytearray(f.read_bytes())
    b[len(b) // 2] ^= 1
    f.write_bytes(b)
    print(f)`
	flipped := s.docker("run", "--rm", "--network", "none", "--user", "10001:10001", "--volume", s.prefix()+"-backup:/target", image, "python", "-c", flip)
	if again, code := look("backup", "verify", s.name); code != 1 {
		t.Errorf("with another byte in each of\n%s: exit code %d\n%s", flipped, code, again)
	}
}

// loses kills the replicator under load, and wants on the target what was acknowledged two
// seconds before. What it has left in the volume is not asked.
func (s *stack) loses(look func(...string) (string, int), tr *traffic) {
	t := s.t
	t.Helper()
	id := s.one("backup-replicator")
	said := tr.said()
	time.Sleep(2 * time.Second)
	s.docker("kill", id)
	later := len(tr.said()) - len(said)
	missing := without(said, s.onTarget(look, tr, "latest"))
	t.Logf("acknowledged two seconds before the kill %d, of these not on the target %d; acknowledged since %d", len(said), len(missing), later)
	if len(missing) > 0 || len(said) < 20 || later == 0 {
		t.Errorf("missing: %s", strings.Join(missing[:min(len(missing), 5)], ", "))
	}
	at := time.Now()
	s.docker("start", id)
	s.replicates("db-1", at)
}

// onTarget is what of the traffic is on the target at a moment. The stack is left alone.
func (s *stack) onTarget(look func(...string) (string, int), tr *traffic, at string) (names []string) {
	t := s.t
	t.Helper()
	folder := filepath.Join(t.TempDir(), "restored")
	if text, code := look("restore", s.name, "--only", "database", "--at", at, "--into", folder); code != 0 {
		t.Fatalf("restore --into: exit code %d\n%s", code, text)
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "database", "prod.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT question FROM readings WHERE question LIKE ? ORDER BY question", tr.run+"-%")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// without are those of all that are not in others.
func without(all, others []string) []string {
	in := map[string]bool{}
	for _, name := range others {
		in[name] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return in[name] })
}

// emptied takes away all that a machine has of the stack but the target of its backups, and the
// state, and makes it again of its file.
func (s *stack) emptied(look func(...string) (string, int), before map[string]any) {
	t := s.t
	t.Helper()
	if said, code := look("restore-machine", s.name, "--yes"); code == 0 || !strings.Contains(said, "backupKey is not in") {
		t.Errorf("without the key: exit code %d\n%s", code, said)
	}
	if said, code := look("backup", "key", s.name); code != 0 {
		t.Fatalf("the key: exit code %d\n%s", code, said)
	}
	if said, code := look("restore-machine", s.name, "--yes"); code == 0 || !strings.Contains(said, "no empty machine") {
		t.Errorf("of a stack that is there: exit code %d\n%s", code, said)
	}
	id := s.store(before)
	s.replicates("db-2", time.Now())
	s.mustRun("destroy", "--yes", "--skip-preview")
	s.removeVolumes(s.prefix() + "-backup")
	s.mustRun("stack", "rm", "--yes", "--preserve-config")
	s.mustRun("stack", "init", s.name)
	if said, code := look("restore-machine", s.name, "--yes"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	after := s.outputs()
	s.read(after, id)
	for _, same := range []string{"adminPassword", "apiUrl", "healthUrl"} {
		if before[same] != after[same] {
			t.Errorf("%s is another one", same)
		}
	}
	s.replicates("db-3", time.Time{})
}

// replicates waits until all is on the target that was committed after some time.
func (s *stack) replicates(history string, after time.Time) {
	s.t.Helper()
	var last string
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the replicator: %s", last)
		}
	}()
	s.until("it replicates", func() bool {
		for id := range s.containers("backup-replicator") {
			text, err := exec.Command("docker", "exec", id, "/run/backup/backup", "status").CombinedOutput()
			last = string(text)
			var found results.Status
			if err == nil && json.Unmarshal(text, &found) == nil && found.State == results.Replicating && found.Place == history && found.Mark.At.After(after) {
				return true
			}
		}
		return false
	})
}

// began is a command of the operator's that goes on. The operator has to be built.
func (s *stack) began(args ...string) *begun {
	s.t.Helper()
	b := &begun{Cmd: exec.Command(filepath.Join(s.dir, "build-stack"), args...)}
	b.Dir, b.Env, b.Stdout, b.Stderr = s.dir, s.env, b, b
	b.WaitDelay = 10 * time.Second
	if err := b.Start(); err != nil {
		s.t.Fatal(err)
	}
	return b
}
