//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// A queue is copied while it is used, backed up, and rehearsed; its volume's content is destroyed then,
// and comes back: a restore that is killed in its midst is taken back, and the next one is finished.
// What was put in after the destruction is kept until somebody forgets it.
//
//suite:thorough
func TestQueueBackups(t *testing.T) {
	s := prodStack(t, map[string]any{
		"runtime": "containers", "backend.replicas": 1, "backend.workers": 1, "nginx.tls.mode": "off", "backup.enabled": true,
		"cache.enabled": true, "cache.profile": "queue", "cache.memory": "64m",
	})
	s.up()
	look := s.operator()
	does := func(code int, says string, words ...string) string {
		t.Helper()
		said, got := look(words...)
		if (got == 0) != (code == 0) || !strings.Contains(said, says) {
			t.Fatalf("%s: exit code %d, want one like %d and %q\n%s", strings.Join(words, " "), got, code, says, said)
		}
		return said
	}
	app := s.cacheAddress()
	if said := s.ask(app, "REPLCONF rdb-only 1"); !strings.Contains(said, "NOPERM") {
		t.Errorf("the application may copy all of the server: %s", said)
	}
	const jobs = 1000
	s.push(app, "jobs", jobs)
	does(0, "", "run-schedule", s.name, "valkey-copy")
	does(0, "", "run-schedule", s.name, "backup-files")
	does(0, "", "backup", "verify", s.name)

	server := s.one("valkey")
	s.docker("exec", server, "rm", "-rf", "/data/appendonlydir")
	s.killOne("containers", "valkey", 1)
	s.until("an empty server answers", func() bool { return strings.HasPrefix(s.ask(app, "PING"), "OK\nPONG") })
	if left := s.waiting(app, "jobs"); len(left) > 0 {
		t.Fatalf("%d jobs are left: nothing was destroyed", len(left))
	}
	s.push(app, "later", 3)

	restoring := s.began("restore", s.name, "--only", "queue", "--yes")
	s.until("it stops what uses the queue", func() bool {
		return strings.Contains(restoring.said(), "stopping valkey") || strings.Contains(restoring.said(), "stack: ")
	})
	if err := restoring.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = restoring.Wait()
	if !strings.Contains(restoring.said(), "stopping backend") {
		t.Errorf("the application goes on with the queue:\n%s", restoring.said())
	}
	does(1, "BACK=yes", "restore", s.name, "--yes")
	does(0, "", "restore", s.name, "--back", "--yes")
	if left := s.waiting(app, "later"); len(left) != 3 {
		t.Errorf("%d jobs of before are there after it was taken back", len(left))
	}
	if said := does(0, "done again", "restore", s.name, "--only", "queue", "--yes"); strings.Contains(said, "files: ") {
		t.Errorf("other volumes are restored, too:\n%s", said)
	}
	found := map[string]bool{}
	for _, job := range s.waiting(app, "jobs") {
		found[job] = true
	}
	for i := range jobs {
		if !found[fmt.Sprint(i)] {
			t.Errorf("job %d is missing", i)
		}
	}
	t.Logf("of %d jobs that were acknowledged before the copy, %d are there", jobs, len(found))
	if left := s.waiting(app, "later"); len(left) > 0 {
		t.Errorf("%d jobs of the replaced queue are there", len(left))
	}
	s.push(app, "jobs", 1) // it is written to the restored files
	if list := does(0, "of what it has replaced", "restore", s.name, "--list"); strings.Count(list, "of what it has replaced") < 1 {
		t.Error(list)
	}
	s.store(s.outputs()) // no unchanged: what was stopped together may have swapped its addresses, which nginx knows
	does(0, "", "run-schedule", s.name, "valkey-copy")
	does(0, "", "run-schedule", s.name, "backup-files")
	does(0, "", "backup", "verify", s.name)
}

// push puts numbered jobs into a list, each of which is acknowledged.
func (s *stack) push(as *url.URL, list string, jobs int) {
	s.t.Helper()
	var commands []string
	for i := range jobs {
		commands = append(commands, fmt.Sprintf("LPUSH %s %d", list, i))
	}
	said := s.ask(as, commands...)
	if lines := strings.Fields(said); len(lines) != jobs+1 || strings.Contains(said, "ERR") {
		s.t.Fatalf("%d answers for %d jobs: %.300s", len(lines)-1, jobs, said)
	}
}

// waiting are the jobs in a list.
func (s *stack) waiting(as *url.URL, list string) []string {
	s.t.Helper()
	all := strings.Fields(s.ask(as, "LRANGE "+list+" 0 -1"))
	if len(all) == 0 || all[0] != "OK" {
		s.t.Fatalf("the queue does not answer: %q", all)
	}
	return all[1:]
}
