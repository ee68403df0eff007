//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is stored, and what is backed up of it, through faults, under users who write all the time:
// each id that was acknowledged is looked for. DATA_STORM is how many seconds processes are killed
// for (300), and DATA_GONE how many the target is gone for (60).
//
//suite:data
func TestDataOnContainers(t *testing.T) { dataThroughFaults(t, "containers") }

//suite:data
func TestDataOnSwarm(t *testing.T) { dataThroughFaults(t, "swarm") }

func dataThroughFaults(t *testing.T, runtime string) {
	s := prodStack(t, map[string]any{"runtime": runtime, "backup.enabled": true, "backend.replicas": 4, "backend.workers": 4, "nginx.tls.mode": "off",
		"backend.environment": map[string]any{"ENABLE_TEST_ENDPOINTS": "true"}}) // for its slow answers
	s.up()
	out := s.outputs()
	image, data := fmt.Sprint(out["image"]), s.volume("data")
	look := s.operator()
	s.replicates("db-1", time.Time{})
	if said, code := look("run-schedule", s.name, "backup-files"); code != 0 {
		t.Fatalf("the nightly backup: exit code %d\n%s", code, said)
	}
	load := func() *traffic {
		return startVisits(s.t, s.id, sampleVisits(100, fmt.Sprint(out["apiUrl"]), fmt.Sprint(out["staticUrl"])+"/style.css"))
	}

	t.Run("4 replicas of 4 processes, and a replicator, are killed all the time", func(t *testing.T) {
		defer s.in(t)()
		tr := load()
		killed := s.storm(time.Duration(number(t, "DATA_STORM", 300)) * time.Second)
		s.whole("backend", 4)
		tr.stopped()
		s.replicates("db-1", time.Now())
		live := tr.inDatabase(data, image)
		tr.reconcile(live)
		if target := s.onTarget(look, tr, "latest"); len(without(live, target)) > 0 || len(without(target, live)) > 0 {
			t.Errorf("%d rows, on the target %d", len(live), len(target))
		}
		if said, code := look("backup", "verify", s.name); code != 0 {
			t.Errorf("the rehearsal: exit code %d\n%s", code, said)
		}
		t.Logf("killed: %v", killed)
		if killed["worker"] < 10 || killed["replica"] < 2 || killed["replicator"] < 2 {
			t.Errorf("too few for a proof: %v", killed)
		}
	})
	t.Run("a point in time, id by id", func(t *testing.T) {
		defer s.in(t)()
		tr := load()
		time.Sleep(5 * time.Second)
		before := tr.said()
		time.Sleep(time.Second)
		at := time.Now().UTC().Format(time.RFC3339Nano)
		time.Sleep(2500 * time.Millisecond)
		after := tr.said()
		time.Sleep(3 * time.Second)
		tr.stopped()
		s.replicates("db-1", time.Now())
		restored := s.onTarget(look, tr, at)
		missing, more := without(before, restored), without(restored, after)
		t.Logf("acknowledged a second before %d, restored %d, acknowledged 2.5 seconds after %d, in all %d", len(before), len(restored), len(after), len(tr.said()))
		if len(missing) > 0 || len(more) > 0 || len(before) < 50 || len(tr.said()) < len(after)+50 {
			t.Errorf("missing %d, of later ones there are %d", len(missing), len(more))
		}
	})
	t.Run("a target that is gone, and comes back", func(t *testing.T) {
		defer s.in(t)()
		tr := load()
		s.onTargetFolder(image, "chmod 000 /target")
		s.until("it is told", func() bool {
			said, code := look("status", s.name)
			return code != 0 && strings.Contains(said, "backup")
		})
		time.Sleep(time.Duration(number(t, "DATA_GONE", 60)) * time.Second)
		tr.stopped()
		if lost, count := tr.lost(time.Time{}); len(lost) > 0 {
			t.Errorf("users lost %d of %d meanwhile: %s", len(lost), count, strings.Join(lost[:min(len(lost), 4)], "; "))
		}
		s.onTargetFolder(image, "chmod 700 /target")
		s.replicates("db-1", time.Now())
		live := tr.inDatabase(data, image)
		tr.reconcile(live)
		if missing := without(live, s.onTarget(look, tr, "latest")); len(missing) > 0 {
			t.Errorf("of %d that were written meanwhile, %d are not on the target", len(live), len(missing))
		}
	})
	t.Run("another key", func(t *testing.T) {
		defer s.in(t)()
		s.mustRun("config", "set", "--secret", "tarot:backupKey", "another key of the operator's")
		s.up()
		if said, code := look("run-schedule", s.name, "backup-files"); code == 0 || !strings.Contains(said, "wrong key") {
			t.Errorf("exit code %d\n%s", code, said)
		}
		s.mustRun("config", "rm", "tarot:backupKey")
		s.up()
		if said, code := look("run-schedule", s.name, "backup-files"); code != 0 {
			t.Errorf("with the first one again: exit code %d\n%s", code, said)
		}
	})
	t.Run("a byte of the nightly backup is another one", func(t *testing.T) {
		defer s.in(t)()
		if said, code := look("backup", "verify", s.name); code != 0 {
			t.Fatalf("before: exit code %d\n%s", code, said)
		}
		const flip = `import pathlib
for f in pathlib.Path("/target").rglob("restic/data/*/*"):
    b = bytearray(f.read_bytes())
    b[len(b) // 2] ^= 1
    f.chmod(0o600)
    f.write_bytes(b)
    print(f)`
		flipped := s.onTargetFolder(image, "python -c '"+flip+"'")
		if said, code := look("backup", "verify", s.name); code != 1 || flipped == "" {
			t.Errorf("with another byte in each of\n%s: exit code %d\n%s", flipped, code, said)
		}
	})
}

// onTargetFolder runs a shell command of root's on the target, which is a volume.
func (s *stack) onTargetFolder(image, command string) string {
	s.t.Helper()
	return s.docker("run", "--rm", "--network", "none", "--user", "0:0", "--tmpfs", "/tmp", "--volume", s.prefix()+"-backup:/target", image, "sh", "-c", command)
}

// storm kills processes for a while, every two seconds, and says how many of what: a worker, all
// of a replica's, or the replicator.
func (s *stack) storm(takes time.Duration) map[string]int {
	s.t.Helper()
	const worker = "kill -KILL $(ls /proc | grep '^[0-9]*$' | grep -v -x -e 1 -e $$ | sort -n | head -n %d | tail -n 1)"
	killed := map[string]int{}
	for end := time.Now().Add(takes); time.Now().Before(end); time.Sleep(2 * time.Second) {
		what, workload, command := "worker", "backend", fmt.Sprintf(worker, 1+rand.IntN(4))
		switch n := rand.IntN(10); {
		case n < 2:
			what, command = "replica", "kill -KILL -1"
		case n < 3:
			what, workload, command = "replicator", "backup-replicator", "kill -KILL -1"
		}
		var ids []string
		for id, c := range s.containers(workload) {
			if c.State.Running {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			continue // it is on its way back
		}
		slices.Sort(ids)
		// The shell that asks for it may be among those that are killed.
		if err := exec.Command("docker", "exec", ids[rand.IntN(len(ids))], "sh", "-c", command).Run(); err == nil || strings.Contains(err.Error(), "exit status 137") {
			killed[what]++
		}
	}
	return killed
}
