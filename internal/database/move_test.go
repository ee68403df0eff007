package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	backup "tarot-platform/internal/backup/journal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// errKilled is the end of a command.
var errKilled = errors.New("killed")

// world is an engine with a stack in it: where its database is, and who writes. A command ends at
// the call end, which is not done.
type world struct {
	t          *testing.T
	lock       *engine.Held
	notes      map[string]map[string]string
	calls, end int

	// kind and next are in the stack's file; on is what users have.
	kind, next, on string
	page, writes   bool
	// file, moved, server are the rows of the file of SQLite, of the one that has its name no
	// more, and of PostgreSQL's; nil: it is not there. copies are those in the scratch volume.
	file, moved, server map[string]int64
	copies              map[string]map[string]int64
	// lies is a command that copies a row less, and says that all is the same; differs one that
	// says it.
	lies, differs bool
	// rots is a copy that is another one when it is compared again.
	rots bool
	// sessions are of who is logged in to PostgreSQL as the application.
	sessions  []string
	mounted   []string // by whoever it is
	strangers []string // by others than the stack's own
	upFails   bool
	told      []string
}

func newWorld(t *testing.T) *world {
	return &world{t: t, notes: map[string]map[string]string{}, kind: config.SQLite, on: config.SQLite, writes: true,
		file: map[string]int64{"readings": 7}, copies: map[string]map[string]int64{}}
}

// act is a call that changes something.
func (w *world) act() error {
	if w.calls++; w.end > 0 && w.calls >= w.end {
		return errKilled
	}
	return nil
}

func (w *world) Lock(_ context.Context, _, _ string, mine engine.Held) (engine.Held, error) {
	if err := w.act(); err != nil {
		return engine.Held{}, err
	}
	if w.lock == nil {
		w.lock = &mine
	}
	return *w.lock, nil
}

func (w *world) Held(context.Context, string, string) (engine.Held, bool, error) {
	if w.lock == nil {
		return engine.Held{}, false, nil
	}
	return *w.lock, true, nil
}

func (w *world) Unlock(context.Context, string, string, string) error {
	if err := w.act(); err != nil {
		return err
	}
	w.lock = nil
	return nil
}

func (w *world) Note(_ context.Context, _, run, name string, data map[string]string) error {
	if err := w.act(); err != nil {
		return err
	}
	if data = maps.Clone(data); data == nil {
		data = map[string]string{}
	}
	w.notes[run+" "+name] = data
	return nil
}

func (w *world) Notes(_ context.Context, _, run string) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for key, data := range w.notes {
		if run == "" {
			all[key] = data
		} else if name, is := strings.CutPrefix(key, run+" "); is {
			all[name] = data
		}
	}
	return all, nil
}

func (w *world) RemoveNote(_ context.Context, _, run, name string) error {
	if err := w.act(); err != nil {
		return err
	}
	delete(w.notes, run+" "+name)
	return nil
}
func (w *world) Claimed(context.Context, string) (bool, error) { return false, nil }
func (w *world) Like(context.Context, string, string) (engine.Once, error) {
	return engine.Once{Image: "app:1", User: "10001:10001", Files: map[string][]byte{}, Mounts: []engine.OnceMount{{Source: "data", Target: "/data"}}}, nil
}
func (w *world) RunAgain(context.Context, string, string, time.Duration) error {
	if err := w.act(); err != nil {
		return err
	}
	w.server = map[string]int64{}
	return nil
}
func (w *world) WritersOf(context.Context, string, []string, []string) ([]backup.Stopped, error) {
	if !w.writes {
		return nil, nil
	}
	return []backup.Stopped{{Workload: "backend", Name: "p-s-backend-1", ID: "c1"}}, nil
}
func (w *world) StopWriters(_ context.Context, all []backup.Stopped, _ func(string)) error {
	if err := w.act(); err != nil {
		return err
	}
	if len(all) > 0 {
		w.writes = false
	}
	return nil
}
func (w *world) StartWriters(_ context.Context, all []backup.Stopped, _ func(string)) error {
	if err := w.act(); err != nil {
		return err
	}
	if len(all) > 0 {
		w.starts()
	}
	return nil
}

func (w *world) BeginWriters(ctx context.Context, all []backup.Stopped, tell func(string)) error {
	return w.StartWriters(ctx, all, tell)
}

// starts has users' programs write to what they have: to a file that is not there they can't.
func (w *world) starts() {
	w.writes = true
	if w.on == config.SQLite && w.file == nil || w.on == config.Postgres && w.server == nil {
		w.t.Errorf("users are on %s, and nothing is there", w.on)
	}
}
func (w *world) Remaining(_ context.Context, _ string, all []backup.Stopped) ([]backup.Stopped, error) {
	return all, nil
}
func (w *world) Mounting(_ context.Context, _ []string, but string) ([]string, error) {
	if but != "" {
		return w.strangers, nil
	}
	return w.mounted, nil
}
func (w *world) Runs(context.Context, string, string) (int, error) { return 1, nil }
func (w *world) Exec(_ context.Context, _, _ string, command ...string) (string, error) {
	if err := w.act(); err != nil {
		return "", err
	}
	w.page = command[0] == "close"
	return "", nil
}
func (w *world) MarkUses(context.Context, []engine.Use, bool) error { return nil }
func (w *world) Volume(context.Context, string) (engine.Volume, bool, error) {
	return engine.Volume{}, false, nil
}
func (w *world) RemoveVolume(context.Context, string) error {
	if err := w.act(); err != nil {
		return err
	}
	w.copies = map[string]map[string]int64{}
	return nil
}

func (w *world) RunOnce(_ context.Context, _ string, o engine.Once, out io.Writer) error {
	if err := w.act(); err != nil {
		return err
	}
	text := strings.Join(o.Command, " ")
	at := func(n int) string { // from the end
		if n > len(o.Command) {
			return ""
		}
		return o.Command[len(o.Command)-n]
	}
	switch {
	case strings.Contains(text, "psql"):
		switch script := string(o.Files[stepFolder+"/do.sql"]); {
		case strings.HasSuffix(script, freshSQL):
			if !strings.Contains(script, "\\set run 'move "+w.lock.Run+"'") || !strings.Contains(script, "\\set before 'app_before_"+w.lock.Run+"'") {
				w.t.Errorf("what is there is of no run: %.80s", script)
			}
			w.server = nil
		case strings.Contains(script, "SELECT DISTINCT client_addr"):
			fmt.Fprint(out, strings.Join(w.sessions, "\n"))
		case strings.HasSuffix(script, rowsSQL):
			for table, n := range w.server {
				fmt.Fprintf(out, "%s\t%d\n", table, n)
			}
		}
	case slices.Contains(o.Command, sourceScript):
		words := o.Command[slices.Index(o.Command, sourceScript)+1:]
		return w.sqliteCopy(words, out)
	case slices.Contains(o.Command, asideScript):
		if at(3) == "back" {
			if w.moved != nil {
				w.file, w.moved = w.moved, nil
			}
			return nil
		}
		if w.moved == nil {
			w.file, w.moved = nil, w.file
		}
	case (at(1) == "migrate" || at(1) == "copy" || at(2) == "copy") && slices.ContainsFunc(o.Mounts, func(m engine.OnceMount) bool { return m.Source == "data" }):
		w.t.Errorf("%s gets at the database that users have", text)
	case (at(1) == "migrate" || at(1) == "copy" || at(2) == "copy") && !strings.Contains(string(o.Files[stepFolder+"/environment"]), "unset DATABASE_URL_FILE\n"):
		w.t.Errorf("%s finds another address in a file", text)
	case at(1) == "migrate":
		if target := string(o.Files[stepFolder+"/environment"]); strings.Contains(target, targetFile) {
			w.copies[targetFile] = map[string]int64{}
		}
	case at(1) == "copy" || at(2) == "copy":
		return w.applicationCopies(o, at(1) == "--verify", out)
	case strings.Contains(text, ".undone-"):
		w.file = nil
	case strings.HasPrefix(text, "rm "):
		delete(w.copies, targetFile)
	}
	return nil
}

func (w *world) sqliteCopy(words []string, out io.Writer) error {
	from := w.copies[words[0]]
	if words[0] == "/data/prod.db" {
		from = w.file
	}
	if from == nil {
		return &engine.ExitError{Code: 1, Said: words[0] + " is not there"}
	}
	if len(words) > 2 && w.writes {
		w.t.Error("something writes")
	}
	if len(words) < 3 && !w.writes && words[0] == "/data/prod.db" {
		w.t.Error("nobody looks whether something writes")
	}
	if words[1] == "/data/prod.db" {
		w.file = maps.Clone(from)
	} else {
		w.copies[words[1]] = maps.Clone(from)
	}
	return json.NewEncoder(out).Encode(from)
}

// applicationCopies is the application's command.
func (w *world) applicationCopies(o engine.Once, verify bool, out io.Writer) error {
	said := string(o.Files[stepFolder+"/environment"])
	toServer := strings.Contains(said, "export DATABASE_URL='postgresql:")
	from := w.server
	if toServer {
		from = w.copies[sourceFile]
	}
	if from == nil {
		return &engine.ExitError{Code: 1, Said: "no source"}
	}
	other := int64(0)
	if w.differs || w.rots && verify {
		other = 1
	}
	for table, n := range from {
		fmt.Fprintf(out, `{"table": %q, "source": {"rows": %d, "hash": "x"}, "target": {"rows": %d, "hash": "x"}}`+"\n", table, n, n-other)
	}
	if verify {
		return nil
	}
	target := maps.Clone(from)
	if w.lies {
		target["readings"]--
	}
	if toServer {
		w.server = target
	} else {
		w.copies[targetFile] = target
	}
	return nil
}

// up has users get what the stack's file says.
func (w *world) up(_ context.Context, run string) error {
	if err := w.act(); err != nil {
		return err
	}
	if w.lock == nil || w.lock.Run != run {
		w.t.Error("an `up` without the lock")
	}
	if w.upFails {
		return errors.New("pulumi up: exit code 255")
	}
	if w.on = w.kind; w.next == config.Postgres && w.server == nil {
		w.server = map[string]int64{}
	}
	w.starts()
	w.page = false
	return nil
}

func (w *world) set(_ context.Context, values map[string]string) error {
	if err := w.act(); err != nil {
		return err
	}
	if next, is := values[nextKey]; is {
		w.next = next
	}
	if kind, is := values[kindKey]; is {
		w.kind = kind
	}
	return nil
}

func (w *world) move() *Move {
	same := func(text string) (string, error) { return text, nil }
	return &Move{Engine: w, Now: time.Now, Tell: func(text string) { w.told = append(w.told, text) }, Stack: Stack{
		Name: "s", Prefix: "p-s", Set: w.set, Up: w.up, Migrate: []string{"migrate"}, Copy: []string{"copy"}, Variables: []string{"DATABASE_URL"},
		File: "/data/prod.db", Volume: "data", Folder: "/data", Dialect: "sqlite", Server: engine.Once{Command: []string{"psql"}},
		Address: func(string) (string, error) { return "postgresql://app_1:word@postgres:5432/app", nil }, Role: same, Verifier: same,
		Clients: []string{"backend"}, Order: func(string) int { return 0 }, Nginx: "nginx", Close: []string{"close"}, Open: []string{"open"},
	}}
}

// is says what is wrong with how a world ends.
func (w *world) is(on string, rows int64) error {
	has := w.file
	if on == config.Postgres {
		has = w.server
	}
	switch {
	case w.lock != nil:
		return errors.New("the stack is locked")
	case w.page || !w.writes:
		return fmt.Errorf("users are not served: page %v, writes %v", w.page, w.writes)
	case w.on != on || w.kind != on || w.next != "":
		return fmt.Errorf("users are on %s; the file says %s, next %q", w.on, w.kind, w.next)
	case has["readings"] != rows:
		return fmt.Errorf("%d rows", has["readings"])
	case on == config.Postgres && w.file != nil:
		return errors.New("the file has its name still")
	}
	return nil
}

// Wherever it is killed, the next call goes on or goes back, and users have their rows.
func TestAMoveThatIsKilledAnywhere(t *testing.T) {
	for _, to := range []engine.Operation{engine.MoveToPostgres, engine.MoveToSQLite} {
		made := func() *world {
			w := newWorld(t)
			if to == engine.MoveToSQLite {
				w.kind, w.on, w.file, w.server = config.Postgres, config.Postgres, nil, map[string]int64{"readings": 7}
			}
			return w
		}
		from, there := config.SQLite, config.Postgres
		if to == engine.MoveToSQLite {
			from, there = there, from
		}
		whole := made()
		if err := whole.move().Begin(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if err := whole.is(there, 7); err != nil || len(whole.notes) > 0 {
			t.Fatalf("%v, %v", err, whole.notes)
		}
		for end := 1; end <= whole.calls; end++ {
			for _, back := range []bool{false, true} {
				w := made()
				w.end = end
				if err := w.move().Begin(t.Context(), to); err == nil {
					t.Fatalf("%s at %d: it was not killed", to, end)
				}
				w.end = 0
				want := there
				var err error
				switch {
				case w.lock == nil && w.on == from:
					want = from
				case w.lock == nil:
				case back:
					if want = from; slices.ContainsFunc(slices.Collect(maps.Keys(w.notes)), func(n string) bool { return strings.HasSuffix(n, " "+switched) }) {
						want = there
						err = w.move().Continue(t.Context())
					} else {
						err = w.move().Back(t.Context())
					}
				default:
					if err = w.move().Continue(t.Context()); w.on == from { // it was going back
						want = from
					}
				}
				if err = errors.Join(err, w.is(want, 7)); err != nil {
					t.Errorf("%s, killed at %d, back %v: %v", to, end, back, err)
				}
			}
		}
	}
}

func TestWhatIsWrongGoesBackByItself(t *testing.T) {
	for name, test := range map[string]struct {
		wrong func(*world)
		says  string
	}{
		"a row less":              {func(w *world) { w.lies = true }, "table readings: 7 rows before, 6 in the copy"},
		"another copy later":      {func(w *world) { w.rots = true }, "table readings: 7 rows, and 6 in the copy"},
		"another copy":            {func(w *world) { w.differs = true }, "table readings: 7 rows, and 6 in the copy"},
		"somebody has the volume": {func(w *world) { w.mounted = []string{"stranger"} }, "stranger has the database all the same"},
	} {
		w := newWorld(t)
		test.wrong(w)
		err := w.move().Begin(t.Context(), engine.MoveToPostgres)
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "All is as it was before") {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.is(config.SQLite, 7); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Another stack's program would only be found once users see the maintenance page.
func TestASecondStackOnTheVolumeIsToldBeforeAnythingIsTouched(t *testing.T) {
	w := newWorld(t)
	w.strangers = []string{"tarot-dev-backend-1"}
	err := w.move().Begin(t.Context(), engine.MoveToPostgres)
	if err == nil || !strings.Contains(err.Error(), "tarot-dev-backend-1, of another stack or of none, has the volume") || w.lock != nil || w.calls > 0 {
		t.Errorf("%v, after %d calls", err, w.calls)
	}
}

// Users may have written to the new database when the last `up` has failed: nothing is taken back
// then without being asked for, and not at all where they have.
func TestAnUpThatFailsAtTheSwitch(t *testing.T) {
	half := func() *world {
		w := newWorld(t)
		m := w.move()
		m.Stack.Up = func(ctx context.Context, run string) error {
			w.upFails = w.kind == config.Postgres
			return w.up(ctx, run)
		}
		if err := m.Begin(t.Context(), engine.MoveToPostgres); err == nil || !strings.Contains(err.Error(), "CONTINUE=yes") || w.lock == nil {
			t.Fatalf("%v", err)
		}
		w.upFails = false
		return w
	}
	w := half()
	if err := errors.Join(w.move().Back(t.Context()), w.is(config.SQLite, 7)); err != nil {
		t.Error(err)
	}
	w = half()
	w.server["readings"]++
	if err := w.move().Back(t.Context()); err == nil || !strings.Contains(err.Error(), "users have written to the new database") {
		t.Errorf("%v", err)
	}
	if err := errors.Join(w.move().Continue(t.Context()), w.is(config.Postgres, 8)); err != nil {
		t.Errorf("the way on, after that: %v", err)
	}
}

// The same on the way back: what users have written to the file, PostgreSQL has not.
func TestAnUpThatFailsAtTheWayBack(t *testing.T) {
	half := func() *world {
		w := newWorld(t)
		if err := w.move().Begin(t.Context(), engine.MoveToPostgres); err != nil {
			t.Fatal(err)
		}
		m := w.move()
		m.Stack.Up = func(ctx context.Context, run string) error {
			w.upFails = w.kind == config.SQLite
			return w.up(ctx, run)
		}
		if err := m.Begin(t.Context(), engine.MoveToSQLite); err == nil || !strings.Contains(err.Error(), "CONTINUE=yes") || w.lock == nil {
			t.Fatalf("%v", err)
		}
		w.upFails = false
		return w
	}
	w := half()
	if err := errors.Join(w.move().Back(t.Context()), w.is(config.Postgres, 7)); err != nil {
		t.Error(err)
	}
	for name, written := range map[string]func(*world){"a row": func(w *world) { w.file["readings"]++ }, "in place of another": func(w *world) { w.rots = true }} {
		w = half()
		written(w)
		if err := w.move().Back(t.Context()); err == nil || !strings.Contains(err.Error(), "users have written to the new database") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhoIsLoggedInIsTold(t *testing.T) {
	w := newWorld(t)
	if err := w.move().Begin(t.Context(), engine.MoveToPostgres); err != nil {
		t.Fatal(err)
	}
	w.sessions = []string{"10.0.0.3"}
	err := w.move().Begin(t.Context(), engine.MoveToSQLite)
	if err == nil || !strings.Contains(err.Error(), "10.0.0.3 has the database all the same") || !strings.Contains(err.Error(), "All is as it was before") {
		t.Errorf("%v", err)
	}
	if err := w.is(config.Postgres, 7); err != nil {
		t.Error(err)
	}
}

// says is an engine in which the application's command says something, and ends so.
type says struct {
	*world
	text string
	err  error
}

func (s says) RunOnce(_ context.Context, _ string, _ engine.Once, out io.Writer) error {
	fmt.Fprint(out, s.text)
	return s.err
}

func TestWhatTheCommandSays(t *testing.T) {
	const good = `{"table": "a", "source": {"rows": 1, "hash": "x"}, "target": {"rows": 1, "hash": "x"}}` + "\n"
	ended := &engine.ExitError{Code: 1, Said: "it ends"}
	for want, said := range map[string]says{
		"":                              {text: good + "\n" + good},
		"it says of no table":           {},
		"is no JSON: \"copying\"":       {text: good + "copying\n"},
		"or what is in them is not the": {text: strings.Replace(good, `"x"`, `"y"`, 1)},
		"table a, row 7, column b: NUL": {text: `{"fault": {"table": "a", "column": "b", "key": 7, "reason": "NUL"}}` + "\n"},
		"column c: NUL":                 {text: `{"fault": {"table": "a", "column": "c", "key": 7, "reason": "NUL"}}` + "\n", err: ended},
		"it ends":                       {text: good, err: ended},
		"no engine":                     {text: good, err: errors.New("no engine")},
	} {
		m := newWorld(t).move()
		said.world = newWorld(t)
		m.Engine = said
		err := m.compared(t.Context(), "one", "other", "copy")
		if (err != nil) != (want != "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "copy: ")) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestTheSameRows(t *testing.T) {
	for want, test := range map[string][2]map[string]int64{
		"":                                       {{"a": 1, "b": 0}, {"a": 1, "c": 0}},
		"table a: 2 rows before, 1 in the copy":  {{"a": 2}, {"a": 1}},
		"table a: 1 rows before, 2 in the copy":  {{"a": 1}, {"a": 2}},
		"table b: 0 rows before, 1 in the copy":  {{"a": 1}, {"a": 1, "b": 1}},
		"table b: 1 rows before, 0 in the copy":  {{"a": 1, "b": 1}, {"a": 1}},
		"table none: 0 rows before, 1 in the co": {nil, {"none": 1}},
	} {
		if err := same(test[0], test[1]); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestWhatIsThereBeforeAMove(t *testing.T) {
	for want, found := range map[string]Looked{
		"":                                 {There: true, Bytes: 10, Free: 40},
		"there is no database in /f":       {Free: 40},
		"has 39 MB free, and a move of 10": {There: true, Bytes: 10 << 20, Free: 39 << 20},
	} {
		if err := found.Check("/f"); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", found, err)
		}
	}
}

// What is due may take a minute to end: users do not wait for that. And it is told what they have waited for.
func TestUsersWaitForNoSchedule(t *testing.T) {
	w := newWorld(t)
	m := w.move()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	m.Now = func() time.Time { now = now.Add(time.Second); return now }
	e := &stopping{world: w}
	m.Stack.Order = func(workload string) int { return map[string]int{"backend": 1, "backup-replicator": 2}[workload] }
	m.Engine = e
	if err := m.Begin(t.Context(), engine.MoveToPostgres); err != nil {
		t.Fatal(err)
	}
	if want := []string{"cron-nightly, page false", "backend, page true", "backup-replicator, page true"}; !slices.Equal(e.stopped, want) {
		t.Errorf("%q", e.stopped)
	}
	if !slices.Contains(w.told, "users have the other database. They saw the maintenance page for at most 3s: 1s until nobody wrote, 1s to copy and compare, 1s for the `up`") {
		t.Errorf("%q", w.told)
	}
}

// stopping notes who is stopped when.
type stopping struct {
	*world
	stopped []string
}

func (s *stopping) WritersOf(context.Context, string, []string, []string) (all []backup.Stopped, err error) {
	for _, name := range []string{"backup-replicator", "cron-nightly", "backend"} { // as an engine has them
		all = append(all, backup.Stopped{Workload: name, Name: "p-s-" + name + "-1", ID: name})
	}
	return all, nil
}

func (s *stopping) StopWriters(ctx context.Context, all []backup.Stopped, tell func(string)) error {
	for _, one := range all {
		s.stopped = append(s.stopped, fmt.Sprintf("%s, page %v", one.Workload, s.page))
	}
	return s.world.StopWriters(ctx, all, tell)
}

func (s *stopping) StartWriters(context.Context, []backup.Stopped, func(string)) error { return nil }
func (s *stopping) BeginWriters(context.Context, []backup.Stopped, func(string)) error { return nil }
