package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
)

// stood is the scene of a stack with a PostgreSQL, with somebody in the room with a server.
func stood(t *testing.T, change func(*serverWorld)) *scene {
	t.Helper()
	n, fake := dumpedTo(t)
	w := newServerWorld(t)
	w.copy.At = time.Now().UTC()
	text := []byte("a copy")
	file := below(n.Dump, w.copy.File)
	if err := put(file, text); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.copy.Bytes, w.copy.SHA256, err = newest.Sum(file); err != nil {
		t.Fatal(err)
	}
	m, err := json.Marshal(w.copy)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{below(n.Dump, postgres.ManifestFile): m, filepath.Dir(n.State) + "/key": []byte(sealing + "\n")} {
		if err := put(path, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(n.State + "/state.sealed"); err != nil {
		t.Fatal(err)
	}
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &rehearsal{restic: n.restic, log: n.log, now: time.Now, parts: map[string]error{}, figures: map[string]float64{}}
	h.State, h.Scratch, h.MaxFiles, h.Sources = n.State, w.room.Scratch, 1<<30, n.Source
	h.Target, h.Files, h.Key = n.Target, n.Target, filepath.Dir(n.State)+"/key"
	h.Dump, h.Room, h.Patience, h.Busy = n.Dump, w.room.At, 20*time.Second, time.Second
	change(w)
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-done:
				w.room.clear()
				return
			case <-time.After(20 * time.Millisecond):
				_ = w.room.look(t.Context())
			}
		}
	}()
	t.Cleanup(func() { close(done); <-over })
	return &scene{rehearsal: h, night: n, fake: fake}
}

func TestARehearsalOfAPostgres(t *testing.T) {
	for name, test := range map[string]struct {
		world    func(*serverWorld)
		change   func(t *testing.T, s *scene)
		database string
		files    string
		says     string
	}{
		"all is well": {database: results.OK, files: results.OK},
		"rows are missing": {world: func(w *serverWorld) { w.set("rows", `["orders", 2]`+"\n") },
			database: results.Failed, files: results.OK, says: "orders"},
		"the copy is another one": {change: func(t *testing.T, s *scene) {
			if err := put(s.fake.path("snapshots", "snapshot-1", s.Dump, "app-1.dump"), []byte("another")); err != nil {
				t.Fatal(err)
			}
		}, files: results.Failed, says: "its hash differs"},
		"the room is empty": {change: func(t *testing.T, s *scene) { s.Room, s.Patience = t.TempDir(), 0 },
			database: results.Inconclusive, files: results.OK, says: "does rehearsal-postgres run?"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.world == nil {
				test.world = func(*serverWorld) {}
			}
			s := stood(t, test.world)
			if test.change != nil {
				test.change(t, s)
			}
			s.open(t)
			err := s.run(t.Context())
			for part, want := range map[string]string{partDatabase: test.database, partFiles: test.files} {
				found, there := s.parts[part]
				if there != (want != "") || there && outcomeOf(found) != want {
					t.Errorf("%s: %v, want %q", part, found, want)
				}
			}
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%v", err)
			}
			known, e := verified(s.State)
			if e != nil || (len(known) == 1) != (test.says == "") {
				t.Errorf("%v, %v: what was not restored as a whole lets older ones go", known, e)
			}
			if entries, _ := os.ReadDir(s.Scratch); len(entries) > 0 {
				t.Errorf("%d are left in the scratch", len(entries))
			}
		})
	}
}
