//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
)

const (
	litestreamImage = "litestream/litestream:0.5.18"
	pythonImage     = "python:3.11-slim"
)

// restarts has the writer begin its log anew, as it does by itself from time to time: where that is while Litestream is
// away, and the new log is shorter than the old one was, Litestream takes it for the one that it knows (docs/adr/0021).
const restarts = `
import sqlite3
c = sqlite3.connect("/data/app.db", timeout=30, isolation_level=None)
print(*c.execute("pragma wal_checkpoint(restart)").fetchone())
`

// writer commits a row with each next number, and then says it. It never begins its log anew by itself.
const writer = `
import sqlite3, time
c = sqlite3.connect("/data/app.db", timeout=30, isolation_level=None)
c.execute("pragma journal_mode = wal")
c.execute("pragma wal_autocheckpoint = 0")
c.execute("create table if not exists said (id integer primary key, text text)")
n = c.execute("select coalesce(max(id), 0) from said").fetchone()[0]
while True:
    n += 1
    c.execute("insert into said values (?, ?)", (n, "x" * 200))
    print(n, flush=True)
    time.sleep(0.01)
`

// TestAReplicatorIsKilledWhileUsersWrite kills the guard with its Litestream, again and again: what
// was acknowledged two seconds before is in what is restored then, without a hole. And a
// second one is kept from the database.
//
//suite:long
func TestAReplicatorIsKilledWhileUsersWrite(t *testing.T) {
	t.Parallel() // with those that ask for little of the machine
	id := make([]byte, 3)
	_, _ = rand.Read(id)
	name := func(what string) string { return "e2e-" + hex.EncodeToString(id) + "-" + what }
	for _, volume := range []string{"data", "state", "target", "tools", "out"} {
		docker(t, "volume", "create", name(volume))
		t.Cleanup(func() { _ = exec.Command("docker", "volume", "rm", name(volume)).Run() })
	}
	container := func(image string, args ...string) (start []string) {
		return append([]string{"--network", "none", "--volume", name("data") + ":/data", "--volume", name("state") + ":/state", "--volume", name("target") + ":/target",
			"--volume", name("tools") + ":/run/backup", "--volume", name("out") + ":/out", "--tmpfs", "/tmp"}, append(args, image)...)
	}

	program := filepath.Join(t.TempDir(), "backup")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "../../cmd/backup")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+dockerLine(t, "version", "--format", "{{.Server.Arch}}"))
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	carrier := created(t, nil, container(litestreamImage)...)
	docker(t, "cp", program, carrier+":/run/backup/backup")

	writes := created(t, map[string]string{"/writer.py": writer}, append(container(pythonImage), "python", "/writer.py")...)
	words := []string{"guard", "--database=/data/app.db", "--stack=e2e"}
	guard := created(t, nil, append(container(litestreamImage, "--memory", "64m", "--entrypoint", "/run/backup/backup"), words...)...)
	docker(t, "start", writes, guard)

	replicating := func() (s results.Status) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
			text, err := exec.Command("docker", "exec", guard, "/run/backup/backup", "status").Output()
			if err == nil && json.Unmarshal(text, &s) == nil && s.State == results.Replicating && time.Since(s.Mark.At) < 20*time.Second {
				return s
			}
		}
		t.Fatalf("it does not replicate: %+v\n%s", s, docker(t, "logs", "--tail", "20", guard))
		return s
	}
	// said is the last number that was acknowledged by a time.
	said := func(by time.Time) int {
		lines := strings.Fields(docker(t, "logs", "--until", by.UTC().Format(time.RFC3339Nano), writes))
		n, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for round := range 3 {
		replicating()
		// Users have written for longer than may be lost; each time it is at another moment of its second.
		time.Sleep(3*time.Second + time.Duration(round)*1300*time.Millisecond)
		docker(t, "kill", "--signal", "KILL", guard)
		killed := time.Now() // later than it was
		out := fmt.Sprintf("/out/%d.db", round)
		docker(t, append(append([]string{"run", "--rm"}, container(litestreamImage)...), "restore", "-integrity-check", "full", "-o", out, "file:///target/e2e/db-1")...)
		count := dockerLine(t, append(append([]string{"run", "--rm"}, container(pythonImage)...), "python", "-c",
			fmt.Sprintf(`import sqlite3; print(*sqlite3.connect(%q).execute("select count(*), max(id) from said").fetchone())`, out))...)
		var rows, last int
		if _, err := fmt.Sscan(count, &rows, &last); err != nil {
			t.Fatalf("%q: %v", count, err)
		}
		if least := said(killed.Add(-2 * time.Second)); last < least || rows != last {
			t.Errorf("round %d: %d rows up to %d are restored; %d was acknowledged two seconds before", round, rows, last, least)
		} else {
			t.Logf("round %d: restored up to %d, acknowledged %d", round, last, said(killed))
		}
		if said := dockerLine(t, append(append([]string{"run", "--rm"}, container(pythonImage)...), "python", "-c", restarts)...); !strings.HasPrefix(said, "0 ") {
			t.Fatalf("the log does not begin anew: %s", said)
		}
		docker(t, "start", guard)
	}

	if s := replicating(); s.Place != "db-1" || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	within, cancel := context.WithTimeout(t.Context(), time.Minute) // one that is not refused goes on
	defer cancel()
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", name("second")).Run() })
	second := exec.CommandContext(within, "docker", append(append([]string{"run", "--rm", "--name", name("second")}, container(litestreamImage, "--entrypoint", "/run/backup/backup")...), append(words, "--patience=2s")...)...)
	second.WaitDelay = 5 * time.Second
	text, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != 75 || !strings.Contains(string(text), "litestream was not started") {
		t.Errorf("a second one: %v\n%s", err, text)
	}
	if s := replicating(); s.Refused != 1 {
		t.Errorf("the first one knows of %d", s.Refused)
	}
}
