package inside

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/valkey"
	"tarot-platform/internal/restore/task"
)

const queueText = "all tasks of one moment"

// queueRoom is a stack with a queue: what its server has written, and the copy of a snapshot.
func queueRoom(t *testing.T, only, copied string) *Room {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(file, []byte(queueText), 0o600); err != nil {
		t.Fatal(err)
	}
	bytes, hash, err := newest.Sum(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := json.Marshal(valkey.Manifest{At: time.Unix(1, 0).UTC(), File: "queue-1.rdb", Bytes: bytes, SHA256: hash, Keys: valkey.Keys{Lasting: 2, Passing: 1}})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"data/a": "old a"}
	if copied != "" {
		files["valkey-copy/manifest.json"], files["valkey-copy/queue-1.rdb"], files["valkey-copy/lock"] = string(m), copied, ""
	}
	r := roomOf(t, source{files: files}, map[string]string{"data/a": "a",
		"valkey-copy/users.acl": "accounts", "valkey-copy/appendonlydir/appendonly.aof.7.incr.aof": "new tasks", "valkey-copy/appendonlydir/appendonly.aof.manifest": "new"})
	r.Volumes = append(r.Volumes, task.Volume{Name: "valkey-copy", Queue: valkey.Log})
	r.Database, r.Want.Only = nil, only
	return r
}

// queueIs looks at what the server finds at its start.
func (r *Room) queueIs(t *testing.T, restored bool) {
	t.Helper()
	want := map[string]string{"valkey-copy/users.acl": "accounts",
		"valkey-copy/appendonlydir/appendonly.aof.7.incr.aof": "new tasks", "valkey-copy/appendonlydir/appendonly.aof.manifest": "new", "valkey-copy/appendonlydir/appendonly.aof.1.base.rdb": "none"}
	if restored {
		want = map[string]string{"valkey-copy/users.acl": "accounts",
			"valkey-copy/appendonlydir/appendonly.aof.7.incr.aof": "none", "valkey-copy/appendonlydir/appendonly.aof.1.base.rdb": queueText,
			"valkey-copy/appendonlydir/appendonly.aof.manifest":                        "file appendonly.aof.1.base.rdb seq 1 type b\n",
			"valkey-copy/.backup/replaced/run/appendonlydir/appendonly.aof.7.incr.aof": "new tasks"}
	}
	for name, text := range want {
		if is := r.text(name); is != text {
			t.Errorf("%s is %q, not %q", name, is, text)
		}
	}
}

var queueSteps = []string{"fetch", "note", "switch", "check", "started", "finish"}

// ended runs the steps, each of which is ended at one change of a file, and begun again.
func (r *Room) ended(t *testing.T, at int, steps ...string) (changes int) {
	t.Helper()
	durable.Step = func(string) {
		if changes++; changes == at {
			panic(killed{})
		}
	}
	defer func() { durable.Step = func(string) {} }()
	goes(t, r, steps...)
	return changes
}

// Ended at any moment, the same step once more ends as it would have; and so does taking it back.
func TestAQueueIsRestoredInPlaceOfTheServersFiles(t *testing.T) {
	for at, last := 0, 1; at <= last; at++ {
		r := queueRoom(t, journal.Everything, queueText)
		if changes := r.ended(t, at, queueSteps...); at == 0 {
			last = changes
		}
		r.queueIs(t, true)
		if a := r.text("data/a"); a != "old a" {
			t.Errorf("another volume has %q", a)
		}
		if t.Failed() {
			t.Fatalf("where it is ended at change %d", at)
		}
	}
	for at, last := 0, 1; at <= last; at++ {
		r := queueRoom(t, journal.Queue, queueText)
		goes(t, r, queueSteps[:4]...)
		if changes := r.ended(t, at, "undo", "started", "finish"); at == 0 {
			last = changes
		}
		r.queueIs(t, false)
		if a := r.text("data/a"); a != "a" {
			t.Errorf("another volume has %q", a)
		}
		if t.Failed() {
			t.Fatalf("where its taking back is ended at change %d", at)
		}
	}
}

func TestWhatIsFoundOfAQueue(t *testing.T) {
	r := queueRoom(t, journal.Queue, queueText)
	answer, err := r.Do(t.Context(), "fetch")
	var found task.Found
	if err == nil {
		err = json.Unmarshal(answer.Journal.Found, &found)
	}
	if err != nil || found.Queue == nil || found.Queue.Keys != 3 || !found.Queue.Moment.Equal(time.Unix(1, 0)) || len(found.Volumes) > 0 {
		t.Errorf("%v: %+v", err, found)
	}
	r.queueIs(t, false)
}

func TestAQueueThatIsNotRestored(t *testing.T) {
	for name, test := range map[string]struct {
		only, copied, says string
		change             func(*Room)
	}{
		"only files":        {only: journal.Files, copied: queueText},
		"only the database": {only: journal.Database, copied: queueText, says: "none to restore here"},
		"another copy":      {only: journal.Queue, copied: "another", says: "its hash differs"},
		"of before":         {only: journal.Everything},
		"there is none":     {only: journal.Queue, copied: queueText, change: func(r *Room) { r.Volumes = r.Volumes[:2] }, says: "no queue that is backed up"},
	} {
		t.Run(name, func(t *testing.T) {
			r := queueRoom(t, test.only, test.copied)
			if test.change != nil {
				test.change(r)
			}
			_, err := r.Do(t.Context(), "fetch")
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v", err)
				}
			} else {
				through(t, r, queueSteps[1:]...)
			}
			r.queueIs(t, false)
		})
	}
}
