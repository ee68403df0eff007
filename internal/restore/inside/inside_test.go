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

	"golang.org/x/sys/unix"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/restore/task"
)

// source has one file of each volume, and no database.
type source struct {
	bytes int64
	files map[string]string
}

func (s source) Find(context.Context, journal.Want, *task.Database) (Origin, error) {
	return Origin{Snapshot: "5eed", Bytes: s.bytes, DatabaseBytes: s.bytes, TargetID: "t"}, nil
}

func (source) Database(context.Context, Origin, task.Database, string) error {
	return errors.New("there is none")
}

func (s source) Files(_ context.Context, _ Origin, volume, folder string) (bool, error) {
	for name, text := range s.files {
		if below, mine := strings.CutPrefix(name, volume+"/"); mine {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, below)), 0o755); err != nil {
				return false, err
			}
			if err := os.WriteFile(filepath.Join(folder, below), []byte(text), 0o644); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

func roomOf(t *testing.T, s source, live map[string]string) *Room {
	t.Helper()
	folder := t.TempDir()
	r := &Room{Request: task.Request{Run: "run", Driver: "d", Stack: "s", Want: journal.Want{At: "latest", Only: journal.Files},
		Volumes: []task.Volume{{Name: "data"}, {Name: "static", Gains: true}}, Database: &task.Database{Volume: "data", File: "db/prod.db", Live: "/app/data/db/prod.db"}},
		State: filepath.Join(folder, "state"), Folders: filepath.Join(folder, "volumes"), From: s, Now: func() time.Time { return time.Unix(1, 0) }}
	for _, v := range r.Volumes {
		if err := os.MkdirAll(r.folder(v.Name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range live {
		file := filepath.Join(r.Folders, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// through runs the steps that the command runs when nothing goes wrong.
func through(t *testing.T, r *Room, steps ...string) {
	t.Helper()
	for _, step := range steps {
		if _, err := r.Do(t.Context(), step); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

func (r *Room) text(name string) string {
	text, err := os.ReadFile(filepath.Join(r.Folders, name))
	if err != nil {
		return "none"
	}
	return string(text)
}

// The database is in a folder with files: the folder stays, and the files go.
func TestFilesAroundTheDatabase(t *testing.T) {
	r := roomOf(t, source{files: map[string]string{"data/db/note": "old", "data/db/prod.db": "of the snapshot", "data/a": "old a"}},
		map[string]string{"data/db/prod.db": "live", "data/db/prod.db-wal": "log", "data/db/note": "new", "data/db/later": "later", "data/a": "a"})
	through(t, r, "fetch", "note", "switch", "check", "started", "finish")
	for name, want := range map[string]string{"data/db/prod.db": "live", "data/db/prod.db-wal": "log", "data/db/note": "old", "data/db/later": "none", "data/a": "old a",
		"data/.backup/replaced/run/db/note": "new", "data/.backup/replaced/run/db/later": "later", "data/.backup/replaced/run/a": "a"} {
		if is := r.text(name); is != want {
			t.Errorf("%s is %q, not %q", name, is, want)
		}
	}
}

func TestTheStaticVolumeOnlyGains(t *testing.T) {
	r := roomOf(t, source{files: map[string]string{"static/v1/app.js": "v1", "static/v2/app.js": "another v2", "static/v2/more.js": "more", "static/x": "file"}},
		map[string]string{"static/v2/app.js": "v2", "static/v3/app.js": "v3", "static/x/y": "folder"})
	through(t, r, "fetch", "note", "switch", "check", "started", "finish")
	for name, want := range map[string]string{"static/v1/app.js": "v1", "static/v2/app.js": "v2", "static/v2/more.js": "more", "static/v3/app.js": "v3", "static/x/y": "folder"} {
		if is := r.text(name); is != want {
			t.Errorf("%s is %q, not %q", name, is, want)
		}
	}
}

// What users did since with what was restored is no reason not to go back.
func TestTakenBackAfterUsersHadIt(t *testing.T) {
	r := roomOf(t, source{files: map[string]string{"data/a": "old a", "data/b": "old b"}}, map[string]string{"data/a": "a", "data/c": "c"})
	through(t, r, "fetch", "note", "switch", "check")
	for name, text := range map[string]string{"a": "old a, changed", "c": "made anew", "d": "new"} {
		if err := os.WriteFile(filepath.Join(r.folder("data"), name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(r.folder("data"), "b")); err != nil {
		t.Fatal(err)
	}
	through(t, r, "undo", "started", "finish")
	for name, want := range map[string]string{"data/a": "a", "data/b": "none", "data/c": "c", "data/d": "new", "data/.backup/undone/run/a": "old a, changed", "data/.backup/undone/run/c": "made anew"} {
		if is := r.text(name); is != want {
			t.Errorf("%s is %q, not %q", name, is, want)
		}
	}
}

func TestDiskThatIsTooSmall(t *testing.T) {
	r := roomOf(t, source{bytes: 100 << 20, files: map[string]string{"data/a": "old"}}, map[string]string{"data/a": "a"})
	defer func(was func(string) (int64, error)) { free = was }(free)
	free = func(string) (int64, error) { return 100 << 20, nil }
	_, err := r.Do(t.Context(), "fetch")
	if err == nil || !strings.Contains(err.Error(), "100 MB free") || !strings.Contains(err.Error(), "110 MB") {
		t.Errorf("%v", err)
	}
	if there, _ := exists(r.beside("data", incoming)); there || r.text("data/a") != "a" {
		t.Error("something was changed")
	}
	free = func(string) (int64, error) { return 200 << 20, nil }
	through(t, r, "fetch")
}

func TestAnotherRestoreIsOpen(t *testing.T) {
	r := roomOf(t, source{}, nil)
	through(t, r, "fetch")
	r.Run = "another"
	var open *ErrOpen
	if _, err := r.Do(t.Context(), "fetch"); !errors.As(err, &open) || open.Journal.Run != "run" {
		t.Errorf("%v", err)
	}
}

func TestAnotherCommandDrives(t *testing.T) {
	r := roomOf(t, source{}, nil)
	through(t, r, "fetch")
	other := *r
	other.Driver = "other"
	through(t, &other, "take")
	if _, err := r.Do(t.Context(), "note"); err == nil || !strings.Contains(err.Error(), "another command") {
		t.Errorf("%v", err)
	}
	through(t, &other, "note")
}

func TestStepsOfAnotherStage(t *testing.T) {
	r := roomOf(t, source{files: map[string]string{"data/a": "old"}}, map[string]string{"data/a": "a"})
	through(t, r, "fetch")
	for _, step := range []string{"switch", "undo", "check", "started"} {
		if _, err := r.Do(t.Context(), step); err == nil || !strings.Contains(err.Error(), `"asked"`) {
			t.Errorf("%s: %v", step, err)
		}
	}
	if r.text("data/a") != "a" {
		t.Error("it was replaced before anybody was asked")
	}
}

func TestForget(t *testing.T) {
	r := roomOf(t, source{files: map[string]string{"data/a": "old"}}, map[string]string{"data/a": "a"})
	through(t, r, "fetch", "note", "switch", "check", "started")
	r.Kept = "run"
	if _, err := r.Do(t.Context(), "forget"); err == nil {
		t.Error("that of an open restore is forgotten")
	}
	through(t, r, "finish")
	answer, err := r.Do(t.Context(), "list")
	if err != nil || len(answer.Kept) != 1 || answer.Kept[0] != (task.Kept{Run: "run", Bytes: 1}) {
		t.Errorf("%+v, %v", answer, err)
	}
	for _, wrong := range []string{"", ".", "..", "../..", "run/x", "nothing"} {
		if r.Kept = wrong; true {
			if _, err := r.Do(t.Context(), "forget"); err == nil {
				t.Errorf("forget %q", wrong)
			}
		}
	}
	r.Kept = "run"
	through(t, r, "forget")
	if r.text("data/.backup/replaced/run/a") != "none" || r.text("data/a") != "old" {
		t.Error("not that, or more, was removed")
	}
}

// A program that has the database open, as SQLite has it, is found, and nothing is moved.
func TestSomebodyHasTheDatabaseOpen(t *testing.T) {
	for name, hold := range map[string]func(r *Room) (*os.File, error){
		"a shared lock": func(r *Room) (*os.File, error) {
			f, err := os.OpenFile(r.live(), os.O_RDWR, 0)
			if err == nil {
				err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: pending + 2, Len: 510})
			}
			return f, err
		},
		"a replicator": func(r *Room) (*os.File, error) {
			f, err := os.OpenFile(r.beside("data", replicatorLock), os.O_RDWR|os.O_CREATE, 0o600)
			if err == nil {
				err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
			}
			return f, err
		},
	} {
		r := roomOf(t, source{}, map[string]string{"data/db/prod.db": "live", "data/.backup/x": ""})
		r.Want.Only = journal.Everything
		f, err := hold(r)
		if err != nil {
			t.Fatal(err)
		}
		if release, err := r.alone(); err == nil {
			release()
			t.Errorf("%s: it is alone", name)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		release, err := r.alone()
		if err != nil {
			t.Fatalf("%s, gone: %v", name, err)
		}
		release()
	}
}

// The number of a history that was begun and taken back is not used again.
func TestNextHistory(t *testing.T) {
	r := roomOf(t, source{}, nil)
	write := func(n int, names ...string) {
		if err := place.Write(r.beside("data", names...), place.Place{Path: place.Path(n), Stack: "s", Target: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "db-3"},
		{func() { write(4) }, "db-5"},
		{func() { write(7, undone, "r1", place.Folder) }, "db-8"},
		{func() { write(9, replaced, "r0", place.Folder) }, "db-10"},
	} {
		step.do()
		if p, err := r.next(Origin{Used: 2, TargetID: "t"}); err != nil || p.Path != step.want {
			t.Errorf("%s, %v; want %s", p.Path, err, step.want)
		}
	}
	if p, err := r.next(Origin{Used: 2, TargetID: "another"}); err != nil || p.Path != "db-3" {
		t.Errorf("another target: %s, %v", p.Path, err)
	}
}

// A journal that can't be read, or something unexpected at a goal, is told, and nothing is moved.
func TestSomethingIsInTheWay(t *testing.T) {
	r := roomOf(t, source{files: map[string]string{"data/a": "old"}}, map[string]string{"data/a": "a"})
	through(t, r, "fetch", "note", "switch")
	j, _, err := journal.Load(r.state(current))
	if err != nil {
		t.Fatal(err)
	}
	j.Stage = journal.Switching
	if err := r.save(&j); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.Moves[1].From, []byte("somebody else's"), 0o600); err != nil {
		if err := os.MkdirAll(filepath.Dir(j.Moves[1].From), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Do(t.Context(), "switch"); err == nil || !strings.Contains(err.Error(), "both are there") {
		t.Errorf("%v", err)
	}
	if r.text("data/a") != "old" || r.text("data/.backup/replaced/run/a") != "a" {
		t.Error("a file is lost")
	}
	if err := os.WriteFile(r.state(current), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var syntax *json.SyntaxError
	if _, err := r.Do(t.Context(), "switch"); !errors.As(err, &syntax) {
		t.Errorf("%v", err)
	}
}

func TestWhatWasFetchedBelongsToItsFoldersOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away: it is not tested here")
		return
	}
	r := roomOf(t, source{}, map[string]string{"data/db/prod.db": "live"})
	if err := errors.Join(os.Chown(filepath.Dir(r.live()), 10001, 10002), os.Chmod(r.live(), 0o604)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fetched")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.adopt(file); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if of := info.Sys().(*syscall.Stat_t); of.Uid != 10001 || of.Gid != 10002 || info.Mode().Perm() != 0o604 {
		t.Errorf("it is of %d:%d, %v", of.Uid, of.Gid, info.Mode())
	}
}
