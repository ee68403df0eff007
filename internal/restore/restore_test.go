package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
)

const (
	filesBefore = `data/notes.txt=new notes
static/shared.css=of v2
static/v2/app.js=v2
uploads/a.txt=a, changed
uploads/cache/hot=hot
uploads/deep/b.txt=b
uploads/new.txt=only here`
	filesAfter = `data/notes.txt=old notes
static/shared.css=of v2
static/v1/app.js=v1
static/v2/app.js=v2
uploads/a.txt=a
uploads/cache/hot=hot
uploads/deep/b.txt=b
uploads/gone.txt=was removed`
)

var everything = journal.Want{At: "latest"}

// run is the only one that has put something aside.
func (w *world) run() string {
	found, err := filepath.Glob(w.volume("data", ".backup", "replaced", "*"))
	if err != nil || len(found) != 1 {
		w.t.Errorf("replaced are %v, %v", found, err)
		return ""
	}
	return filepath.Base(found[0])
}

// restored holds what has to be so when all is restored.
func (w *world) restored(when string) {
	w.t.Helper()
	w.same(when, "files", w.files(), filesAfter)
	w.same(when, "database", ids(w.t, w.volume("data", "prod.db")), sinceThen)
	w.same(when, "history", w.history(), "db-2")
	// Nothing is lost: what was there, and was in no backup, is beside it.
	aside := w.volume("data", ".backup", "replaced", w.run())
	w.same(when, "replaced database", ids(w.t, filepath.Join(aside, "prod.db")), liveIDs)
	for file, want := range map[string]string{filepath.Join(aside, "notes.txt"): "new notes", w.volume("uploads", ".backup", "replaced", w.run(), "new.txt"): "only here"} {
		text, err := os.ReadFile(file)
		if err != nil || string(text) != want {
			w.t.Errorf("%s: %s is %q, %v", when, file, text, err)
		}
	}
	w.closed(when)
}

// before holds what has to be so when nothing is restored.
func (w *world) before(when string) {
	w.t.Helper()
	w.same(when, "files", w.files(), filesBefore)
	w.same(when, "database", ids(w.t, w.volume("data", "prod.db")), liveIDs)
	w.same(when, "history", w.history(), "db-1")
	w.closed(when)
}

// closed holds what has to be so when no restore is open.
func (w *world) closed(when string) {
	w.t.Helper()
	for _, p := range programs {
		if !w.running[p.Name] {
			w.t.Errorf("%s: %s does not run", when, p.Name)
		}
	}
	if w.page {
		w.t.Errorf("%s: users see the maintenance page", when)
	}
	if len(w.locks) > 0 {
		w.t.Errorf("%s: the lock is held: %v", when, w.locks)
	}
	for _, volume := range []string{"data", "uploads", "static"} {
		if _, err := os.Stat(w.volume(volume, ".backup", "incoming")); err == nil {
			w.t.Errorf("%s: what was fetched is left in %s", when, volume)
		}
	}
}

func (w *world) same(when, what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %s\n got %s\nwant %s", when, what, got, want)
	}
}

func TestRestore(t *testing.T) {
	w := newWorld(t, made(t))
	if err := w.restore("ann").Begin(t.Context(), everything); err != nil {
		t.Fatal(err)
	}
	w.restored("at the end")
	if len(w.asked) != 1 {
		t.Fatalf("asked %d times", len(w.asked))
	}
	d := w.asked[0].Found.Database
	if d == nil || d.Rows["t"] != 3 || d.Live["t"] != 5 || d.From != "db-1" || d.Next != "db-2" || d.Migrate {
		t.Errorf("shown of the database: %+v", d)
	}
	var told []string
	for _, v := range w.asked[0].Found.Volumes {
		told = append(told, strings.Join(append([]string{v.Name}, v.Names...), " "))
		if v.Name == "uploads" && (v.Added != 1 || v.Gone != 1) || v.Name == "static" && (v.Added != 1 || v.Gone+v.Replaced != 0) {
			t.Errorf("shown of files: %+v", v)
		}
	}
	w.same("shown", "volumes", strings.Join(told, ", "), "data, uploads new.txt, static")
}

// kills runs something that is killed after every step in turn, and then what a second call does.
func kills(t *testing.T, first func(*world) error, second, held func(*world, string)) {
	template := made(t)
	stride := 1
	if testing.Short() {
		stride = 17
	}
	for step := 1; ; step += stride {
		w := newWorld(t, template)
		w.end = step
		_, dead := w.attempt(func() error { return first(w) })
		if !dead {
			if step < 60 {
				t.Fatalf("there were only %d steps", step)
			}
			t.Logf("killed after each of %d steps", step-1)
			return
		}
		w.revive()
		at := "killed after step " + itoa(step)
		second(w, at)
		held(w, at)
		if t.Failed() {
			t.Fatalf("%s: told: %s", at, strings.Join(w.told, "; "))
		}
		if err := os.RemoveAll(w.folder); err != nil {
			t.Fatal(err)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func begins(w *world) error { return w.restore("ann").Begin(context.Background(), everything) }

func continues(w *world, at string) {
	if _, open := w.locks[Kind]; !open {
		return // it had not begun, or had ended
	}
	if err := w.restore("ben").Continue(context.Background()); err != nil {
		w.t.Errorf("%s: continue: %v", at, err)
	}
}

func goesBack(w *world, at string) {
	if _, open := w.locks[Kind]; !open {
		return
	}
	if err := w.restore("ben").Back(context.Background()); err != nil {
		w.t.Errorf("%s: back: %v", at, err)
	}
}

// one of both: a restore that was killed before it had the files, or after it had ended, leaves
// nothing open.
func (w *world) either(at string) {
	w.t.Helper()
	if w.history() == "db-1" {
		w.before(at)
		return
	}
	w.restored(at)
}

func TestKilledAtAnyStepAndContinued(t *testing.T) {
	restored := 0
	kills(t, begins, continues, func(w *world, at string) {
		w.either(at)
		if w.history() == "db-2" {
			restored++
		}
	})
	if restored < 40 && !testing.Short() {
		t.Errorf("only %d of them were finished", restored)
	}
}

func TestKilledAtAnyStepAndTakenBack(t *testing.T) {
	undone := 0
	kills(t, begins, goesBack, func(w *world, at string) {
		w.either(at)
		// What the application had written on what was restored is kept as well.
		found, _ := filepath.Glob(w.volume("data", ".backup", "undone", "*", "prod.db"))
		for _, file := range found {
			if is := ids(t, file); is != sinceThen && is != backedUp {
				t.Errorf("%s: undone is %s", at, is)
			}
			undone++
		}
	})
	if undone < 5 && !testing.Short() {
		t.Errorf("only %d of them had been switched", undone)
	}
}

// A release that does not run on what was restored has it taken back. That is killed, too.
func TestTakingBackIsKilledAtAnyStep(t *testing.T) {
	first := func(w *world) error {
		w.broken, w.goBack = errors.New("no such column"), true
		return begins(w)
	}
	kills(t, first, goesBack, func(w *world, at string) { w.before(at) })
}

// A second kill, of the second call.
func TestContinuedAndKilledAgain(t *testing.T) {
	template := made(t)
	whole := newWorld(t, template)
	if err := begins(whole); err != nil {
		t.Fatal(err)
	}
	strides := [2]int{7, 11}
	if testing.Short() {
		strides = [2]int{61, 71}
	}
	for first := 1; first < whole.steps; first += strides[0] {
		for second := 1; ; second += strides[1] {
			w := newWorld(t, template)
			w.end = first
			if _, dead := w.attempt(func() error { return begins(w) }); !dead {
				t.Fatal("it was not killed")
			}
			w.revive()
			if _, open := w.locks[Kind]; !open {
				break
			}
			w.end = w.steps + second
			_, dead := w.attempt(func() error { return w.restore("ben").Continue(context.Background()) })
			w.revive()
			at := "killed after " + itoa(first) + " and " + itoa(second)
			goesBack(w, at)
			w.either(at)
			_ = os.RemoveAll(w.folder)
			if !dead || t.Failed() {
				break
			}
		}
	}
}

func TestReleaseThatDoesNotRunOnWhatWasRestored(t *testing.T) {
	w := newWorld(t, made(t))
	w.broken, w.goBack = errors.New("no such column"), true
	err := begins(w)
	if err == nil || !strings.Contains(err.Error(), "no such column") || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("%v", err)
	}
	w.before("taken back")
}

func TestMigratesWhatIsOfAnotherRelease(t *testing.T) {
	w := newWorld(t, made(t))
	w.schema = "CREATE TABLE later(id INTEGER)"
	if err := begins(w); err != nil {
		t.Fatal(err)
	}
	if !w.asked[0].Found.Database.Migrate || !strings.Contains(strings.Join(w.told, " "), "migrated") {
		t.Errorf("asked %+v, told %v", w.asked[0].Found.Database, w.told)
	}
}

func TestNoIsNo(t *testing.T) {
	w := newWorld(t, made(t))
	w.no = true
	if err := begins(w); !errors.Is(err, errNo) {
		t.Error(err)
	}
	w.before("after a no")
}

func TestOnly(t *testing.T) {
	template := made(t)
	w := newWorld(t, template)
	if err := w.restore("ann").Begin(t.Context(), journal.Want{At: "latest", Only: journal.Database}); err != nil {
		t.Fatal(err)
	}
	w.same("only the database", "files", w.files(), filesBefore)
	w.same("only the database", "database", ids(t, w.volume("data", "prod.db")), sinceThen)
	w = newWorld(t, template)
	if err := w.restore("ann").Begin(t.Context(), journal.Want{At: "latest", Only: journal.Files}); err != nil {
		t.Fatal(err)
	}
	w.same("only files", "files", w.files(), filesAfter)
	w.same("only files", "database", ids(t, w.volume("data", "prod.db")), liveIDs)
	w.same("only files", "history", w.history(), "db-1")
}

func TestTwoRestores(t *testing.T) {
	w := newWorld(t, made(t))
	w.locks[Kind] = engine.Held{Run: "r", Who: "cleo@host", Since: time.Unix(0, 0), Operation: engine.Restore}
	err := begins(w)
	if err == nil || !strings.Contains(err.Error(), "cleo@host") || !strings.Contains(err.Error(), "1970-01-01T00:00:00Z") || !strings.Contains(err.Error(), "BACK=yes") {
		t.Errorf("%v", err)
	}
	if w.locks[Kind].Run != "r" {
		t.Error("the lock is another's now")
	}
}

// Whoever has removed the lock by hand meets the journal.
func TestLockThatWasRemoved(t *testing.T) {
	template := made(t)
	w := newWorld(t, template)
	if _, dead := w.attempt(func() error { w.end = 150; return begins(w) }); !dead {
		t.Fatal("it was not killed")
	}
	w.revive()
	delete(w.locks, Kind)
	if err := begins(w); err == nil || !strings.Contains(err.Error(), "CONTINUE=yes") {
		t.Errorf("%v", err)
	}
	if len(w.locks) > 0 {
		t.Error("the second one has left its lock")
	}
	if err := w.restore("ben").Continue(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.restored("continued")
}

// Two people go on with the same restore: the one that came first does nothing more.
func TestTwoGoOnWithOne(t *testing.T) {
	w := newWorld(t, made(t))
	first, second := w.restore("ann"), w.restore("ben")
	first.People.Ask = func(Shown) (bool, error) { // meanwhile
		second.People.Ask = func(Shown) (bool, error) { return true, nil }
		return true, second.Continue(t.Context())
	}
	err := first.Begin(t.Context(), everything)
	if err == nil || !strings.Contains(err.Error(), "no restore is open") && !strings.Contains(err.Error(), "another command") {
		t.Errorf("%v", err)
	}
	w.restored("by the second")
}

func TestUpAtWork(t *testing.T) {
	w := newWorld(t, made(t))
	w.claimed = true
	if err := begins(w); err == nil || !strings.Contains(err.Error(), "`up`") {
		t.Errorf("%v", err)
	}
	w.before("refused")
}

// It is found before users see the page.
func TestAnotherStackHasTheVolume(t *testing.T) {
	w := newWorld(t, made(t))
	w.guests = []string{"tarot-dev-backend-1"}
	if err := begins(w); err == nil || !strings.Contains(err.Error(), "docker stop tarot-dev-backend-1") {
		t.Errorf("%v", err)
	}
	if slices.ContainsFunc(w.told, func(text string) bool { return strings.HasPrefix(text, "stopped") }) {
		t.Errorf("%q", w.told)
	}
	w.before("refused")
}

func TestSomebodyElseHasTheVolume(t *testing.T) {
	w := newWorld(t, made(t))
	w.late, w.goBack = []string{"other-1"}, false
	if err := begins(w); err == nil || !strings.Contains(err.Error(), "other-1") {
		t.Errorf("%v", err)
	}
	w.same("refused", "database", ids(t, w.volume("data", "prod.db")), liveIDs)
	w.late = nil
	goesBack(w, "taken back")
	w.before("taken back")
}

// Nothing was moved by then: it is no reason not to go back that somebody has the volume.
func TestSomebodyElseHasTheVolumeAndItIsTakenBack(t *testing.T) {
	w := newWorld(t, made(t))
	w.late, w.goBack = []string{"other-1"}, true
	if err := begins(w); err == nil || !strings.Contains(err.Error(), "other-1") || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("%v", err)
	}
	w.before("taken back")
}

// Without anybody to ask, nothing is left open.
func TestNobodyToAsk(t *testing.T) {
	w := newWorld(t, made(t))
	r := w.restore("ann")
	r.People.Ask = func(Shown) (bool, error) { return false, errors.New("there is no terminal") }
	if err := r.Begin(t.Context(), everything); err == nil || !strings.Contains(err.Error(), "no terminal") {
		t.Errorf("%v", err)
	}
	w.before("nobody asked")
}

// A worker that does not start is told; users have the site, and what was restored stays.
func TestWhatDoesNotStartAtTheEnd(t *testing.T) {
	w := newWorld(t, made(t))
	w.stuck = "p-s-worker"
	if err := begins(w); err == nil || !strings.Contains(err.Error(), "p-s-worker") {
		t.Errorf("%v", err)
	}
	if w.page || len(w.locks) > 0 {
		t.Error("the site is not open")
	}
	w.same("at the end", "database", ids(t, w.volume("data", "prod.db")), sinceThen)
}
