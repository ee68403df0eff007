package restore

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore/inside"
	"tarot-platform/internal/restore/task"
)

// world is a stack with an engine that is none, and files that are real.
type world struct {
	t      *testing.T
	folder string // with volumes and state
	source string // what the target has

	running map[string]bool
	locks   map[string]engine.Held
	page    bool
	claimed bool
	guests  []string // of others, on the volumes
	late    []string // the same, who come after that was looked for first
	schema  string   // of the database that the target has
	broken  error    // what the smoke test says of the restored data
	stuck   string   // a program that does not start again

	steps, end int // how many there were, and after which everything ends; 0: never
	dead       bool
	asked      []Shown
	told       []string
	no         bool // is the answer
	goBack     bool
}

// killed is what a process ends with that is killed.
type killed struct{}

// step counts, and ends everything at its time. What would be done after that does not happen.
func (w *world) step(string) {
	if w.dead {
		panic(killed{})
	}
	if w.steps++; w.steps == w.end {
		w.dead = true
		panic(killed{})
	}
}

var programs = []journal.Stopped{
	{Workload: "backend", Name: "p-s-backend-1", ID: "b1", Policy: "always"},
	{Workload: "backend", Name: "p-s-backend-2", ID: "b2", Policy: "always"},
	{Workload: "backup-replicator", Name: "p-s-backup-replicator", ID: "r", Policy: "always"},
	{Workload: "cron-backup-files", Name: "p-s-cron-backup-files", ID: "c", Policy: "always"},
	{Workload: "worker", Name: "p-s-worker", Replicas: 2},
}

// ids are those of the table t, as a text.
func ids(t *testing.T, file string) string {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		return err.Error()
	}
	// Of a copy: looking must not change what is looked at.
	folder := t.TempDir()
	for _, side := range []string{"", "-wal"} {
		if text, err := os.ReadFile(file + side); err == nil {
			put(t, filepath.Join(folder, "db"+side), string(text))
		}
	}
	copied := filepath.Join(folder, "db")
	if whole := execute(t, copied, "PRAGMA integrity_check"); whole != "ok" {
		return whole
	}
	return execute(t, copied, "SELECT group_concat(id, ' ') FROM (SELECT id FROM t ORDER BY id)")
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// What is there and what the target has.
const (
	liveIDs   = "1 2 3 4 5"
	backedUp  = "1 2 3"
	sinceThen = "1 2 3 77" // with what the application has written on what was restored
)

// made has the template of all worlds: live with a log that is not in the database yet, and the
// target's.
func made(t *testing.T) string {
	t.Helper()
	root := inMemory(t)
	work := filepath.Join(root, "work.db")
	data := filepath.Join(root, "world", "volumes", "data")
	execute(t, work, "PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1),(2),(3)")
	copyFile(t, work, filepath.Join(root, "source", "prod.db"))
	leave(t, work, "INSERT INTO t VALUES(4),(5)", func() {
		for _, side := range []string{"", "-wal", "-shm"} {
			copyFile(t, work+side, filepath.Join(data, "prod.db"+side))
		}
	})
	if info, err := os.Stat(filepath.Join(data, "prod.db-wal")); err != nil || info.Size() == 0 {
		t.Fatalf("the log is empty: %v", err)
	}
	if err := place.Write(filepath.Join(data, place.Folder), place.Place{Path: "db-1", Stack: "p-s", Target: "target", ID: "one", Written: true}); err != nil {
		t.Fatal(err)
	}
	uploads, static := filepath.Join(root, "world", "volumes", "uploads"), filepath.Join(root, "world", "volumes", "static")
	for file, text := range map[string]string{
		"data/notes.txt": "new notes", "uploads/a.txt": "a, changed", "uploads/new.txt": "only here", "uploads/deep/b.txt": "b", "uploads/cache/hot": "hot",
		"static/v2/app.js": "v2", "static/shared.css": "of v2",
	} {
		put(t, filepath.Join(root, "world", "volumes", file), text)
	}
	for file, text := range map[string]string{
		"data/notes.txt": "old notes", "uploads/a.txt": "a", "uploads/gone.txt": "was removed", "uploads/deep/b.txt": "b",
		"static/v1/app.js": "v1", "static/shared.css": "of v1",
	} {
		put(t, filepath.Join(root, "source", "files", file), text)
	}
	for _, folder := range []string{uploads, static, filepath.Join(root, "world", "state")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// inMemory is a folder in memory, where this machine has such: thousands of files are written and
// synced here, which takes a disk minutes.
func inMemory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "restore")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	put(t, to, string(text))
}

func newWorld(t *testing.T, template string) *world {
	t.Helper()
	folder, err := os.MkdirTemp(template, "w")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(template, "world"))); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, folder: folder, source: filepath.Join(template, "source"), running: map[string]bool{}, locks: map[string]engine.Held{}}
	for _, p := range programs {
		w.running[p.Name] = true
	}
	durable.Step = w.step
	t.Cleanup(func() { durable.Step = func(string) {} })
	return w
}

func (w *world) volume(names ...string) string {
	return filepath.Join(append([]string{w.folder, "volumes"}, names...)...)
}

// restore is a command of its own.
func (w *world) restore(who string) *Restore {
	request := task.Request{Stack: "p-s", Exclude: []string{"uploads/cache/**"},
		Volumes:  []task.Volume{{Name: "data", Engine: "e-data"}, {Name: "uploads", Engine: "e-uploads"}, {Name: "static", Engine: "e-static", Gains: true}},
		Database: &task.Database{Volume: "data", File: "prod.db", Live: "/app/data/prod.db"}, Smoke: task.Smoke{Health: "/health"}}
	return &Restore{Engine: w, Who: who, Now: func() time.Time { return time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC) },
		Stack: Stack{Name: "s", Prefix: "p-s", Request: request, Nginx: "nginx", Close: []string{"touch"}, Open: []string{"rm"}, Migrate: "migrate",
			Order: func(workload string) int {
				return slices.Index([]string{"cron-backup-files", "worker", "backend", "backup-replicator"}, workload)
			},
			Serves: func(workload string) bool { return workload == "backend" }},
		People: People{
			Ask:    func(s Shown) (bool, error) { w.asked = append(w.asked, s); return !w.no, nil },
			GoBack: func(error) (bool, error) { return w.goBack, nil },
			Tell:   func(text string) { w.told = append(w.told, text) },
		}}
}

// attempt runs something that may be killed.
func (w *world) attempt(do func() error) (err error, dead bool) { //nolint:staticcheck // the error is of what runs
	defer func() {
		if said := recover(); said != nil {
			if _, is := said.(killed); !is {
				panic(said)
			}
			dead = true
		}
	}()
	return do(), false
}

func (w *world) revive() { w.dead, w.end = false, 0 }

// files are those of the volumes with their texts, without the database and what is the backup's.
func (w *world) files() string {
	var all []string
	err := filepath.WalkDir(w.volume(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, _ := filepath.Rel(w.volume(), path)
		if d.Name() == place.Folder {
			return fs.SkipDir
		}
		if d.IsDir() || strings.HasPrefix(d.Name(), "prod.db") {
			return nil
		}
		text, err := os.ReadFile(path)
		all = append(all, below+"="+string(text))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

func (w *world) history() string {
	p, _, err := place.Read(w.volume("data", place.Folder))
	if err != nil {
		return err.Error()
	}
	return p.Path
}

// The target.

func (w *world) Copy(context.Context, inside.Origin, string) (postgres.Manifest, error) {
	return postgres.Manifest{}, errors.New("there is none")
}

func (w *world) Find(_ context.Context, want journal.Want, d *task.Database) (inside.Origin, error) {
	o := inside.Origin{Snapshot: "5eed", Taken: time.Unix(900, 0), Bytes: 100, Used: 1, TargetID: "target"}
	if d != nil {
		o.History, o.Moment, o.Exact = 1, time.Unix(1000, 0), time.Second
	}
	if !want.Has(journal.Files) {
		o.Snapshot = ""
	}
	return o, nil
}

func (w *world) Database(_ context.Context, _ inside.Origin, _ task.Database, file string) error {
	copyFile(w.t, filepath.Join(w.source, "prod.db"), file)
	w.step("fetched")
	if w.schema != "" {
		execute(w.t, file, w.schema)
	}
	return nil
}

func (w *world) Files(_ context.Context, _ inside.Origin, volume, folder string) (bool, error) {
	err := os.CopyFS(folder, os.DirFS(filepath.Join(w.source, "files", volume)))
	w.step("fetched " + volume)
	return err == nil, err
}

// The engine.

func (w *world) RunOnce(ctx context.Context, _ string, o engine.Once, out io.Writer) error {
	w.step("run")
	var request task.Request
	if err := json.Unmarshal(o.Files[task.File], &request); err != nil {
		w.t.Fatal(err)
	}
	step := o.Command[len(o.Command)-1]
	if step == "smoke" {
		if w.broken != nil && ids(w.t, w.volume("data", "prod.db")) != liveIDs {
			return &engine.ExitError{Code: 1, Said: w.broken.Error()}
		}
		return nil
	}
	j, _, err := journal.Load(filepath.Join(w.folder, "state", "restore.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	if step == "switch" || step == "undo" && j.Planned { // before that, nothing is moved
		for _, p := range programs {
			if w.running[p.Name] {
				w.t.Errorf("%s runs while files are moved", p.Name)
			}
		}
		if !w.page {
			w.t.Error("files are moved, and users see no page")
		}
	}
	room := inside.Room{Request: request, State: filepath.Join(w.folder, "state"), Folders: w.volume(), From: w, Now: func() time.Time { return time.Unix(2000, 0) }}
	answer, err := room.Do(ctx, step)
	if err != nil {
		return &engine.ExitError{Code: 1, Said: err.Error()}
	}
	w.step("ran")
	return json.NewEncoder(out).Encode(answer)
}

func (w *world) WritersOf(context.Context, string, []string, []string) ([]journal.Stopped, error) {
	w.step("writers")
	var all []journal.Stopped
	for _, p := range programs {
		if w.running[p.Name] {
			all = append(all, p)
		}
	}
	return all, nil
}

func (w *world) StopWriters(_ context.Context, all []journal.Stopped, tell func(string)) error {
	for _, p := range all {
		w.step("stop")
		if !w.page {
			w.t.Errorf("%s is stopped, and users see no page", p.Name)
		}
		w.running[p.Name] = false
		tell("stopped " + p.Workload)
	}
	return nil
}

func (w *world) StartWriters(_ context.Context, all []journal.Stopped, _ func(string)) error {
	for _, p := range all {
		w.step("start")
		if p.Name == w.stuck {
			return errors.New(p.Name + " does not start")
		}
		if w.running[p.Name] = true; p.Name == "p-s-backend-1" && ids(w.t, w.volume("data", "prod.db")) == backedUp {
			execute(w.t, w.volume("data", "prod.db"), "INSERT INTO t VALUES(77)")
		}
	}
	return nil
}

func (w *world) Mounting(_ context.Context, _ []string, but string) ([]string, error) {
	w.step("mounting")
	all := slices.Clone(w.guests)
	if but != "" {
		return all, nil
	}
	all = append(all, w.late...)
	for _, p := range programs {
		if w.running[p.Name] {
			all = append(all, p.Name)
		}
	}
	return all, nil
}

func (w *world) JobEnded(context.Context, string, string) (bool, error) { return true, nil }
func (w *world) RunAgain(context.Context, string, string, time.Duration) error {
	w.step("job")
	w.told = append(w.told, "migrated")
	return nil
}
func (w *world) Runs(context.Context, string, string) (int, error) { return 1, nil }
func (w *world) Exec(_ context.Context, _, _ string, command ...string) (string, error) {
	w.step("exec")
	w.page = command[0] == "touch"
	return "", nil
}
func (w *world) Claimed(context.Context, string) (bool, error) { return w.claimed, nil }
func (w *world) Lock(_ context.Context, _, kind string, mine engine.Held) (engine.Held, error) {
	w.step("lock")
	if held, taken := w.locks[kind]; taken {
		return held, nil
	}
	w.locks[kind] = mine
	w.step("locked")
	return mine, nil
}
func (w *world) Held(_ context.Context, _, kind string) (engine.Held, bool, error) {
	held, taken := w.locks[kind]
	return held, taken, nil
}
func (w *world) Unlock(_ context.Context, _, kind, run string) error {
	w.step("unlock")
	if held, taken := w.locks[kind]; taken && held.Run != run {
		return errors.New("another one's lock")
	}
	delete(w.locks, kind)
	w.step("unlocked")
	return nil
}
