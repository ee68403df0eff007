package inside

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarot-platform/internal/backup/archive"
	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/restore/task"
)

// shelf is an archive that restores a cluster that is a text.
type shelf struct {
	c       *cluster
	text    string // of what is restored
	last    time.Time
	reached bool
	late    error // of Flush
	none    error // of Choose
	chosen  time.Time
}

func (s *shelf) Flush(context.Context) (archive.Mark, error) {
	s.c.step()
	return archive.Mark{}, s.late
}

func (s *shelf) Choose(_ context.Context, at time.Time) (archive.Choice, error) {
	s.chosen = at
	return archive.Choice{Backup: archive.Backup{Label: "L", Bytes: 1 << 20, To: time.Unix(100, 0).UTC()}, At: at}, s.none
}

func (s *shelf) Restore(_ context.Context, _ archive.Choice, folder, _ string, look func(archive.Recovered) error) error {
	s.c.step()
	if _, err := os.Stat(folder); err == nil {
		return errors.New("it restores over something")
	}
	for _, file := range []string{"PG_VERSION", "base"} {
		text := s.text
		if file == "PG_VERSION" {
			text = "18\n"
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			return err
		}
		s.c.step()
	}
	return look(archive.Recovered{Last: s.last, Reached: s.reached})
}

// archivedRoom is a stack whose server's data are to be replaced as a whole.
func archivedRoom(t *testing.T, at string) (*Room, *cluster, *shelf) {
	t.Helper()
	r, c := serverRoom(t, journal.Everything)
	s := &shelf{c: c, text: "restored", reached: true}
	r.Archive, r.Want.At = s, at
	r.Server.Archive, r.Server.Data, r.Server.Version = "settings", "postgres", 18
	root := r.folder("postgres")
	for file, text := range map[string]string{"18/docker/PG_VERSION": "18\n", "18/docker/base": "live", "lock": "", "initialised": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was := looked
	looked = func(context.Context, archive.Recovered, string) (results.Content, error) {
		return results.Content{Schema: "schema", Rows: map[string]int64{"orders": 3}}, nil
	}
	t.Cleanup(func() { looked = was })
	return r, c, s
}

const moment = "2026-11-27T12:00:00Z"

// Killed at any moment, the same step once more ends as it would have.
func TestAServersDataAreReplacedAsAWhole(t *testing.T) {
	for end, last := 0, 1; end <= last; end++ {
		r, c, s := archivedRoom(t, moment)
		c.end = end
		goes(t, r, forward...)
		if end == 0 {
			last = c.steps
			if !s.chosen.Equal(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)) {
				t.Errorf("it is brought to %s", s.chosen)
			}
		}
		c.end = 0
		if now, was := r.text("postgres/18/docker/base"), r.text("postgres/.backup/replaced/run/18/docker/base"); now != "restored" || was != "live" || r.text("data/a") != "old a" {
			t.Errorf("now %q, before %q", now, was)
		}
		if left, err := durable.There(r.beside("postgres", incoming)); err != nil || left {
			t.Errorf("what was fetched is left: %v", err)
		}
		answer, err := r.Do(t.Context(), "list")
		if err != nil || len(answer.Kept) != 1 || answer.Kept[0].Run != "run" {
			t.Errorf("%+v, %v", answer.Kept, err)
		}
		r.Kept = "run"
		if _, err := r.Do(t.Context(), "forget"); err != nil || r.text("postgres/.backup/replaced/run/18/docker/base") != "none" {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("where it is ended at step %d", end)
		}
	}
}

// It is taken back from wherever it was ended, and that is ended, too.
func TestAServersDataAreTakenBack(t *testing.T) {
	for until := range len(forward) - 2 {
		for end, last := 0, 1; end <= last; end++ {
			r, c, _ := archivedRoom(t, "latest")
			goes(t, r, forward[:until+1]...)
			had := r.text("postgres/18/docker/base") == "restored"
			c.steps, c.end = 0, end
			if until >= 2 { // users were stopped
				goes(t, r, "undo", "started", "finish")
			} else {
				goes(t, r, "finish")
			}
			if end == 0 {
				last = c.steps
			}
			if now := r.text("postgres/18/docker/base"); now != "live" {
				t.Errorf("now %q", now)
			}
			if undone := r.text("postgres/.backup/undone/run/18/docker/base"); had != (undone == "restored") {
				t.Errorf("what was restored is %q", undone)
			}
			if t.Failed() {
				t.Fatalf("after %s, ended at %d", forward[until], end)
			}
		}
	}
}

func TestWhatIsWrongWithAnArchive(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, r *Room, s *shelf)
		step   string
		says   string
	}{
		"nothing leads there": {func(_ *testing.T, _ *Room, s *shelf) { s.none = errors.New("reaches back to") }, "load", "by the id of its snapshot"},
		"a server has it still": {func(t *testing.T, r *Room, _ *shelf) {
			file, err := os.Open(filepath.Join(r.folder("postgres"), "lock"))
			if err == nil {
				err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = file.Close() })
		}, "switch", "a server still has the data"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _, s := archivedRoom(t, moment)
			for _, step := range forward {
				if step == test.step {
					test.change(t, r, s)
					if _, err := r.Do(t.Context(), step); err == nil || !strings.Contains(err.Error(), test.says) {
						t.Errorf("%v", err)
					}
					return
				}
				goes(t, r, step)
			}
		})
	}
}

// A server that does not run is no reason not to restore, and it is told what may be missing.
func TestAnArchiveWithoutItsServer(t *testing.T) {
	r, c, s := archivedRoom(t, "latest")
	c.away, s.late, s.reached, s.last = true, postgres.Away(errors.New("no server")), false, time.Unix(200, 0).UTC()
	goes(t, r, "list", "fetch", "load")
	answer, err := r.Do(t.Context(), "take")
	if err != nil {
		t.Fatal(err)
	}
	var found task.Found
	if err := json.Unmarshal(answer.Journal.Found, &found); err != nil {
		t.Fatal(err)
	}
	if d := found.Database; d == nil || d.Unarchived == "" || d.Unreadable == "" || !d.Moment.Equal(s.last) || d.Rows["orders"] != 3 {
		t.Errorf("%+v", d)
	}
	c.away = false
	goes(t, r, "note", "switch", "check", "started", "finish")
}

func TestWhatIsOfTheArchive(t *testing.T) {
	s := &task.Server{Archive: "settings"}
	for at, is := range map[string]bool{"latest": true, moment: true, "0123abcd": false} {
		if s.Archived(journal.Want{At: at}) != is || s.Archived(journal.Want{At: at, Only: journal.Files}) {
			t.Errorf("%s", at)
		}
	}
	if (&task.Server{}).Archived(journal.Want{At: "latest"}) || (*task.Server)(nil).Archived(journal.Want{At: "latest"}) {
		t.Error("there is no archive")
	}
}
