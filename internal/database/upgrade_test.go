package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	backup "tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
)

// servers is an engine with a stack whose PostgreSQL is upgraded: what is in which version's folder, which
// server runs, and who writes.
type servers struct {
	*world
	// version is in the stack's file, and on is the server's that there is; running is whether it runs.
	version, on int
	running     bool
	account     int // of the file
	// data are the rows by version; copied those of the copy beside.
	data         map[int]int64
	copied       int64
	dumped       int64
	marked       bool // the old one is marked as replaced
	loses, forge bool // the copy has a row less, or another one
	seen         int  // of copies
}

func newServers(t *testing.T) *servers {
	return &servers{world: newWorld(t), version: 17, on: 17, running: true, data: map[int]int64{17: 7}, copied: -1}
}

func (s *servers) WritersOf(context.Context, string, []string, []string) (all []backup.Stopped, err error) {
	if s.writes {
		all = append(all, backup.Stopped{Workload: "backend", Name: "p-s-backend-1", ID: "c1"})
	}
	if s.running {
		all = append(all, backup.Stopped{Workload: "postgres", Name: "p-s-postgres", ID: fmt.Sprint(s.on)})
	}
	return all, nil
}

func (s *servers) StopWriters(_ context.Context, all []backup.Stopped, _ func(string)) error {
	if err := s.act(); err != nil {
		return err
	}
	for _, w := range all {
		switch w.Workload {
		case "backend":
			s.writes = false
		case "postgres":
			if s.writes {
				s.t.Error("the server is stopped while somebody writes")
			}
			s.running = false
		}
	}
	return nil
}

func (s *servers) BeginWriters(ctx context.Context, all []backup.Stopped, tell func(string)) error {
	return s.StartWriters(ctx, all, tell)
}

func (s *servers) StartWriters(_ context.Context, all []backup.Stopped, _ func(string)) error {
	if err := s.act(); err != nil {
		return err
	}
	for _, w := range all {
		if w.Workload == "postgres" && w.ID == fmt.Sprint(s.on) {
			s.starts()
		}
	}
	for _, w := range all {
		if w.Workload == "backend" {
			s.serve()
		}
	}
	return nil
}

func (s *servers) starts() {
	if _, there := s.data[s.on]; !there || s.on == 17 && s.marked {
		s.t.Errorf("a server of %d starts on what is not its own", s.on)
	}
	s.running = true
}

func (s *servers) serve() {
	if !s.running {
		s.t.Error("users are served, and no server runs")
	}
	s.writes = true
}

// Remaining are those that an `up` has not made anew.
func (s *servers) Remaining(_ context.Context, _ string, all []backup.Stopped) ([]backup.Stopped, error) {
	return slices.DeleteFunc(slices.Clone(all), func(w backup.Stopped) bool {
		return w.Workload == "postgres" && w.ID != fmt.Sprint(s.on)
	}), nil
}

func (s *servers) Mounting(_ context.Context, _ []string, but string) ([]string, error) {
	if but != "" {
		return s.strangers, nil
	}
	return s.mounted, nil
}

func (s *servers) RunOnce(_ context.Context, _ string, o engine.Once, out io.Writer) error {
	if err := s.act(); err != nil {
		return err
	}
	counted := func(side string, rows int64) {
		fmt.Fprintf(out, "%s\tapp.public.readings\t%d\t%d\n%s\tapp.indexes\t1\t0\n", side, rows, rows, side)
	}
	switch what := o.Command[len(o.Command)-1]; what {
	case "look":
		fmt.Fprintf(out, "version\t17\nfree\t%d\nbytes\t10\n", int64(4<<30))
	case "dump":
		if !s.running || o.Image != "postgres:17" {
			return &engine.ExitError{Code: 1, Said: "no server, or not its programs"}
		}
		s.dumped = s.data[17]
		counted("before", s.dumped)
	case "load":
		s.seen++
		if s.copied = s.dumped; s.loses {
			s.copied--
		}
		counted("after", s.copied)
		if s.forge {
			fmt.Fprintln(out, "after\tapp.public.readings\t7\t8")
		}
	case "place":
		if s.writes || s.running {
			s.t.Error("the copy takes its place while somebody writes")
		}
		if _, there := s.data[18]; !there {
			s.data[18] = s.copied
			s.copied = -1
		}
		s.marked = true
	case "compare":
		if rows, there := s.data[18]; there {
			counted("after", rows)
		}
	case "back":
		delete(s.data, 18)
		s.marked = false
	case "clean":
		s.copied = -1
	default:
		if !strings.Contains(strings.Join(o.Command, " "), "psql") {
			s.t.Errorf("%v", o.Command)
		}
	}
	return nil
}

func (s *servers) up(_ context.Context, run string) error {
	if err := s.act(); err != nil {
		return err
	}
	if s.lock == nil || s.lock.Run != run {
		s.t.Error("an `up` without the lock")
	}
	if s.upFails {
		return errors.New("pulumi up: exit code 255")
	}
	if s.on != s.version {
		s.on = s.version
		s.starts()
	}
	if !s.running {
		s.t.Error("an `up` waits for a server that is stopped")
	}
	s.serve()
	s.page = false
	return nil
}

func (s *servers) upgrade() *Upgrade {
	return &Upgrade{Move: Move{Engine: s, Now: time.Now, Tell: func(text string) { s.told = append(s.told, text) }, Stack: Stack{
		Name: "s", Prefix: "p-s", Up: s.up, Volume: "data", Server: engine.Once{Command: []string{"psql"}},
		Clients: []string{"backend"}, Order: func(string) int { return 0 }, Nginx: "nginx", Close: []string{"close"}, Open: []string{"open"},
	}}, To: 18, Image: "postgres:18", Before: "postgres:17", Server: "postgres", Socket: "socket",
		On: func(int) []engine.Use { return nil },
		Configure: func(_ context.Context, version int, _ string) error {
			if err := s.act(); err != nil {
				return err
			}
			s.version = version
			s.account++
			return nil
		}}
}

func (s *servers) is(version int, rows int64) error {
	switch {
	case s.lock != nil:
		return errors.New("the stack is locked")
	case s.page || !s.writes || !s.running:
		return fmt.Errorf("users are not served: page %v, writes %v, server %v", s.page, s.writes, s.running)
	case s.on != version || s.version != version:
		return fmt.Errorf("users are on %d; the file says %d", s.on, s.version)
	case s.data[version] != rows || s.data[17] != 7:
		return fmt.Errorf("rows: %v", s.data)
	case s.copied >= 0:
		return errors.New("a copy is left")
	case s.marked != (version == 18):
		return fmt.Errorf("the earlier one is marked as replaced: %v", s.marked)
	}
	return nil
}

// Wherever it is killed, the next call goes on or goes back, and users have their rows.
func TestAnUpgradeThatIsKilledAnywhere(t *testing.T) {
	whole := newServers(t)
	if err := whole.upgrade().Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := whole.is(18, 7); err != nil || len(whole.notes) > 0 || whole.seen != 2 {
		t.Fatalf("%v, %v, %d copies", err, whole.notes, whole.seen)
	}
	for end := 1; end <= whole.calls; end++ {
		for _, back := range []bool{false, true} {
			s := newServers(t)
			s.end = end
			if err := s.upgrade().Begin(t.Context()); err == nil {
				t.Fatalf("at %d: it was not killed", end)
			}
			s.end = 0
			want := 18
			var err error
			done := slices.ContainsFunc(slices.Collect(maps.Keys(s.notes)), func(n string) bool { return strings.HasSuffix(n, " "+switched) })
			switch {
			case s.lock == nil:
				want = s.on
				s.copied = -1
			case back && !done:
				want = 17
				err = s.upgrade().Back(t.Context())
			default:
				err = s.upgrade().Continue(t.Context())
				if s.on == 17 { // it was going back
					want = 17
				}
			}
			if err = errors.Join(err, s.is(want, 7)); err != nil {
				t.Errorf("killed at %d, back %v: %v", end, back, err)
			}
		}
	}
}

func TestWhatIsWrongWithAnUpgradeGoesBackByItself(t *testing.T) {
	for name, test := range map[string]struct {
		wrong func(*servers)
		says  string
		page  bool
	}{
		"a row less":              {func(s *servers) { s.loses = true }, "app.public.readings: 7 before, 6 in the copy", false},
		"another row":             {func(s *servers) { s.forge = true }, "what is in them is not the same", false},
		"somebody has the volume": {func(s *servers) { s.mounted = []string{"stranger"} }, "stranger has the database all the same", true},
	} {
		s := newServers(t)
		test.wrong(s)
		err := s.upgrade().Begin(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "All is as it was before") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.is(17, 7); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if seen := slices.Contains(s.told, "users see the maintenance page"); seen != test.page {
			t.Errorf("%s: the page was shown: %v", name, seen)
		}
	}
}

// Who is told how long it takes, and does not want that, keeps what there is.
func TestAnUpgradeThatIsNotWanted(t *testing.T) {
	s := newServers(t)
	u := s.upgrade()
	u.Ask = func(time.Duration) error { return errors.New("nothing was changed") }
	err := u.Begin(t.Context())
	if err == nil || s.is(17, 7) != nil || slices.Contains(s.told, "users see the maintenance page") {
		t.Errorf("%v, %v", err, s.is(17, 7))
	}
}

// When the last `up` has failed, users may have written: nothing is taken back then without being asked for, and not
// at all where they have.
func TestAnUpThatFailsAtTheEndOfAnUpgrade(t *testing.T) {
	half := func(reached bool) *servers {
		s := newServers(t)
		u := s.upgrade()
		u.Stack.Up = func(ctx context.Context, run string) error {
			if s.version == 18 && reached { // it gets as far as the server
				s.on = 18
				s.starts()
				s.writes = true
			}
			s.upFails = true
			return s.up(ctx, run)
		}
		if err := u.Begin(t.Context()); err == nil || !strings.Contains(err.Error(), "make database-upgrade STACK=s CONTINUE=yes") || s.lock == nil {
			t.Fatalf("%v", err)
		}
		s.upFails = false
		return s
	}
	for _, reached := range []bool{false, true} {
		s := half(reached)
		account := s.account
		if err := errors.Join(s.upgrade().Back(t.Context()), s.is(17, 7)); err != nil {
			t.Errorf("reached %v: %v", reached, err)
		}
		if s.account == account {
			t.Error("what was stopped has the account that it had: an `up` would not make it anew")
		}
		s = half(reached)
		if err := errors.Join(s.upgrade().Continue(t.Context()), s.is(18, 7)); err != nil {
			t.Errorf("reached %v: %v", reached, err)
		}
	}
	s := half(true)
	s.data[18]++
	if err := s.upgrade().Back(t.Context()); err == nil || !strings.Contains(err.Error(), "users have written to the new version") || s.data[18] != 8 {
		t.Errorf("%v", err)
	}
	if s.page || !s.writes || !s.running {
		t.Error("users are not served what they have written")
	}
	if err := errors.Join(s.upgrade().Continue(t.Context()), s.is(18, 8)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsThereBeforeAnUpgrade(t *testing.T) {
	fits := Present{Version: 17, Bytes: 1 << 30, Free: 3 << 30}
	for want, change := range map[string]func(*Present){
		"":                                 func(*Present) {},
		"the database is in PostgreSQL 18": func(p *Present) { p.Version = 18 },
		"has the extension postgis, and the image postgres:18 has none": func(p *Present) { p.Missing = []string{"postgis"} },
		"the tablespace fast":                                       func(p *Present) { p.Tablespaces = []string{"fast"} },
		"18/docker is in the volume v already":                      func(p *Present) { p.There = []string{"18/docker"} },
		"has 3071 MB free, and an upgrade of 1024 MB may need 3072": func(p *Present) { p.Free-- },
	} {
		p := fits
		change(&p)
		if err := p.Check("s", 18, "postgres:18", "v"); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A sequence goes on while others read; behind the page it has to be where it was.
func TestContentsOfACopy(t *testing.T) {
	before, after, err := contents("before\tapp.public.a\t2\t9\nbefore\tapp.sequence public.s\t4\t0\nafter\tapp.public.a\t2\t9\nafter\tapp.sequence public.s\t5\t0\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := equalContents(before, after, false); err != nil {
		t.Error(err)
	}
	if err := equalContents(before, after, true); err == nil {
		t.Error("a sequence is not where it was")
	}
	if digest(before) == digest(after) {
		t.Error("one word for two contents")
	}
	if _, _, err := contents("a\tb\n"); err == nil || equalContents(nil, nil, true) == nil {
		t.Error("what could not be counted is no copy")
	}
}

// No index may be in another order, and no page without its sum: a new one is as the server makes it.
func TestADatabaseIsMadeAsTheServerMakesIt(t *testing.T) {
	start, err := os.ReadFile("../../components/postgres/start.sh")
	if err != nil {
		t.Fatal(err)
	}
	flags := func(text string) string {
		_, rest, _ := strings.Cut(text, "/new\" --username")
		made, _, _ := strings.Cut(rest, "--no-instructions")
		return strings.Join(strings.Fields(strings.ReplaceAll(made, "\\", "")), " ")
	}
	_, rest, _ := strings.Cut(upgradeScript, `--pgdata "$new" --username`)
	made, _, _ := strings.Cut(rest, "--no-instructions")
	if here, there := strings.Join(strings.Fields(strings.ReplaceAll(made, "\\", "")), " "), flags(string(start)); here != there || here == "" {
		t.Errorf("%q, and the server %q", here, there)
	}
}
