package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/valkey"
)

// queuedUp is a night of a stack with a queue, whose copy is that old.
func queuedUp(t *testing.T, age time.Duration) (*nightly, fakeRestic, valkey.Manifest) {
	t.Helper()
	n, _, fake := night(t)
	n.Database, n.Queue, n.QueueAge = "", below(n.Source, "valkey-copy"), 3*time.Hour
	m := valkey.Manifest{At: time.Now().Add(-age).UTC(), File: "queue-1.rdb", Keys: valkey.Keys{Lasting: 2, Passing: 1}}
	if err := put(below(n.Queue, m.File), []byte("tasks")); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.Bytes, m.SHA256, err = newest.Sum(below(n.Queue, m.File)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"lock": nil, newest.ManifestFile: text} {
		if err := put(below(n.Queue, name), text); err != nil {
			t.Fatal(err)
		}
	}
	return n, fake, m
}

// All else is backed up in any case: what is old or missing is told after that.
func TestAQueueThatIsInNoCopyIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		age    time.Duration
		change func(*nightly)
		says   string
	}{
		"a new one":         {age: time.Hour},
		"an old one":        {age: 4 * time.Hour, says: "and so 4h"},
		"none yet":          {change: func(n *nightly) { _ = os.RemoveAll(n.Queue); _ = os.Mkdir(n.Queue, 0o755) }, says: "SCHEDULE=valkey-copy"},
		"half of the words": {change: func(n *nightly) { _ = os.Truncate(below(n.Queue, "queue-1.rdb"), 2) }, says: "another size"},
	} {
		t.Run(name, func(t *testing.T) {
			n, fake, want := queuedUp(t, test.age)
			if test.change != nil {
				test.change(n)
			}
			err := n.run(t.Context())
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || outcomeOf(err) != results.Failed) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(fake.says("calls"), "backup --json") {
				t.Error("the files are in no backup, either")
			}
			var m manifest
			if e := readJSON(below(n.State, dumpFolder, manifestFile), &m); e != nil || (m.Queue == nil) != strings.Contains(test.says, "SCHEDULE") {
				t.Errorf("%+v, %v", m, e)
			}
			if err == nil && m.Queue.SHA256 != want.SHA256 {
				t.Errorf("%+v", m.Queue)
			}
		})
	}
}

// The room has no server here: what it finds is given.
func TestARehearsalOfAQueue(t *testing.T) {
	for name, test := range map[string]struct {
		says    finding
		change  func(t *testing.T, s *scene)
		outcome string
		why     string
	}{
		"all is well":       {says: finding{Outcome: results.OK}, outcome: results.OK},
		"a task is missing": {says: finding{Outcome: results.Failed, Why: "it holds 1"}, outcome: results.Failed, why: "it holds 1"},
		"the room is empty": {change: func(_ *testing.T, s *scene) { s.Patience = 0 }, outcome: results.Inconclusive, why: "does rehearsal-valkey run?"},
		"the copy is another one": {change: func(t *testing.T, s *scene) {
			if err := put(s.fake.path("snapshots", "snapshot-1", s.Queue, "queue-1.rdb"), []byte("other")); err != nil {
				t.Fatal(err)
			}
		}, outcome: results.Failed, why: "its hash differs"},
	} {
		t.Run(name, func(t *testing.T) {
			n, fake, m := queuedUp(t, 0)
			if err := put(filepath.Dir(n.State)+"/key", []byte(sealing+"\n")); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(n.State + "/state.sealed"); err != nil {
				t.Fatal(err)
			}
			if err := n.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			h := &rehearsal{restic: n.restic, log: n.log, now: time.Now, parts: map[string]error{}, figures: map[string]float64{}}
			h.State, h.Scratch, h.MaxFiles, h.Sources = n.State, t.TempDir(), 1<<30, n.Source
			h.Target, h.Files, h.Key = n.Target, n.Target, filepath.Dir(n.State)+"/key"
			h.Queue, h.QueueRoom, h.Patience, h.Busy = n.Queue, t.TempDir(), 20*time.Second, time.Second
			s := &scene{rehearsal: h, night: n, fake: fake}
			if test.change != nil {
				test.change(t, s)
			}
			done, over := make(chan struct{}), make(chan struct{})
			go func() { // the room
				defer close(over)
				for test.says.Outcome != "" {
					var q queueQuestion
					file := below(h.Scratch, roomFolder, queueFolder, questionFile)
					if readJSON(file, &q) == nil && q.ID != "" {
						text, _ := os.ReadFile(below(h.Scratch, roomFolder, queueFolder, m.File))
						if string(text) != "tasks" || q.Copy.Lasting != 2 {
							t.Errorf("it is asked of %q, %+v", text, q)
						}
						_ = writeJSON(below(h.QueueRoom, answerFile), answer{ID: q.ID, Found: map[string]finding{partQueue: test.says}})
						return
					}
					select {
					case <-done:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			}()
			defer func() { close(done); <-over }()
			s.open(t)
			err := s.run(t.Context())
			if found, there := s.parts[partQueue]; there != (test.outcome != "") || outcomeOf(found) != test.outcome {
				t.Errorf("%v, want %s", found, test.outcome)
			}
			if outcomeOf(s.parts[partFiles]) != results.OK || (err == nil) != (test.outcome == results.OK) || err != nil && !strings.Contains(err.Error(), test.why) {
				t.Errorf("%v", err)
			}
			known, e := verified(s.State)
			if e != nil || (len(known) == 1) != (test.outcome == results.OK) {
				t.Errorf("%v, %v: what was not restored as a whole lets older ones go", known, e)
			}
		})
	}
}

// A queue that was begun after the newest snapshot is no backup that has failed.
func TestASnapshotOfBeforeTheQueue(t *testing.T) {
	h := &rehearsal{}
	h.Queue = "/source/valkey-copy"
	for volume, want := range map[string]string{"data": results.Inconclusive, "valkey-copy": results.Failed} {
		if err := h.restoredQueue(t.TempDir(), manifest{Volumes: map[string]counted{volume: {}}}); outcomeOf(err) != want {
			t.Errorf("%s: %v, want %s", volume, err, want)
		}
	}
}

// A server that does not start on a copy is no server that could not be asked.
func TestTheRoomOfAQueue(t *testing.T) {
	for name, test := range map[string]struct{ program, outcome, why string }{
		"it does not start":   {"#!/bin/sh\necho 'Bad file format' >&2\nexit 1\n", results.Failed, "does not start on the copy"},
		"there is no program": {"", results.Inconclusive, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &queueRoom{Scratch: t.TempDir(), At: t.TempDir(), Program: filepath.Join(t.TempDir(), "valkey-server"), log: slog.New(slog.NewTextHandler(io.Discard, nil))}
			if test.program != "" {
				if err := os.WriteFile(r.Program, []byte(test.program), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			folder := below(r.Scratch, roomFolder, queueFolder)
			if err := put(below(folder, "queue-1.rdb"), []byte("tasks")); err != nil {
				t.Fatal(err)
			}
			if err := writeJSON(below(folder, questionFile), queueQuestion{ID: "1", Copy: valkey.Manifest{File: "queue-1.rdb"}}); err != nil {
				t.Fatal(err)
			}
			if err := r.look(t.Context()); err != nil {
				t.Fatal(err)
			}
			var a answer
			if err := readJSON(below(r.At, answerFile), &a); err != nil || a.ID != "1" || a.Found[partQueue].Outcome != test.outcome || !strings.Contains(a.Found[partQueue].Why, test.why) {
				t.Errorf("%v: %+v", err, a)
			}
			if _, err := os.Stat(below(r.At, "data")); err == nil {
				t.Error("the copy is left")
			}
		})
	}
}
