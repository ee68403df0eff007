package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// night is a stack with two volumes, of which one has the database, and the restic that backs it up:
// the fake one in the folder, or the one that TEST_RESTIC names.
func night(t *testing.T) (n *nightly, live *sql.DB, fake fakeRestic) {
	t.Helper()
	at := t.TempDir()
	n = &nightly{log: slog.New(slog.NewTextHandler(io.Discard, nil)), now: time.Now}
	n.State, n.Source, n.Keep = filepath.Join(at, "state"), filepath.Join(at, "a [strange] source"), policy{7, 5, 12}
	n.Target = target.Target{Kind: target.Volume, Stack: "shop-prod"}
	n.Database = filepath.Join(n.Source, "data", "shop.db")
	fake = fakeRestic{filepath.Join(at, "restic")}
	for path, text := range map[string]string{
		n.State + "/state.sealed": "sealed", n.State + "/release": "v1.2\n",
		n.Source + "/data/notes.txt": "a note", n.Source + "/data/.backup/place.json": "{}",
		fake.path("none"): "",
	} {
		if err := put(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		if err := put(fmt.Sprintf("%s/uploads/[%d] a picture.jpg", n.Source, i), fmt.Appendf(nil, "picture %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	live = wrote(t, n.Database)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.restic = restic{program: self, log: n.log, env: append(os.Environ(), fakeResticIn+"="+fake.at), pause: time.Millisecond, patience: time.Minute}
	return n, live, fake
}

// realRestic has restic itself do it, where TEST_RESTIC names it.
func realRestic(t *testing.T, n *nightly) bool {
	program := os.Getenv("TEST_RESTIC")
	if program == "" {
		return false
	}
	at := t.TempDir()
	if err := put(at+"/key", []byte("a key for this test")); err != nil {
		t.Fatal(err)
	}
	n.restic.program = program
	n.restic.env = append(os.Environ(), "RESTIC_REPOSITORY="+at+"/repository", "RESTIC_PASSWORD_FILE="+at+"/key", "RESTIC_CACHE_DIR="+at+"/cache")
	return true
}

// wrote is a database with two tables, and a log that is not empty.
func wrote(t *testing.T, file string) *sql.DB {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{"PRAGMA journal_mode = WAL", "CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO orders SELECT i, hex(randomblob(50)) FROM n"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func (f fakeRestic) set(t *testing.T, name, text string) {
	t.Helper()
	if err := put(f.path(name), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// called are the commands of the calls.
func (f fakeRestic) called() (all []string) {
	for _, call := range strings.Split(f.says("calls"), "\n") {
		all = append(all, strings.Fields(call + " -")[0])
	}
	return all
}

func TestANightHoldsAllThatIsToBeKept(t *testing.T) {
	n, live, _ := night(t)
	realRestic(t, n)
	wrote(t, filepath.Join(n.Source, "data", "other.sqlite"))
	for range 2 { // the second one finds a repository
		if err := n.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := n.restic.snapshots(t.Context(), "shop-prod", nightlyTag)
	if err != nil || len(all) != 2 {
		t.Fatalf("snapshots: %v, %v", all, err)
	}
	if !slices.Contains(all[1].Tags, "release=v1.2") || !slices.Contains(all[1].Tags, "stack=shop-prod") {
		t.Errorf("tags: %v", all[1].Tags)
	}
	to := t.TempDir()
	if err := n.restic.run(t.Context(), io.Discard, "restore", "--target", to, all[1].ID); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{n.Source + "/data/notes.txt", n.Source + "/data/other.sqlite", n.Source + "/uploads/[3] a picture.jpg",
		n.State + "/dump/shop.db", n.State + "/dump/manifest.json", n.State + "/dump/others/data/other.sqlite", n.State + "/state.sealed", n.State + "/release"} {
		if _, err := os.Stat(to + path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{n.Database, n.Database + "-wal", n.Source + "/data/.backup"} {
		if _, err := os.Stat(to + path); !os.IsNotExist(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	var m manifest
	if err := readJSON(to+n.State+"/dump/manifest.json", &m); err != nil {
		t.Fatal(err)
	}
	if m.Release != "v1.2" || m.Volumes["uploads"].Files != 30 || m.Volumes["data"].Files < 2 || m.Database == nil || m.Database.Rows["orders"] != 200 ||
		m.Database.Source != "data/shop.db" || len(m.Others) != 1 {
		t.Errorf("manifest: %+v", m)
	}
	if _, hash, err := newest.Sum(to + n.State + "/dump/shop.db"); err != nil || hash != m.Database.SHA256 {
		t.Errorf("hash: %s, want %s: %v", hash, m.Database.SHA256, err)
	}
	if n.figures["files_snapshots"] != 2 || n.figures["files_size_bytes"] == 0 || n.figures["files_locks"] != 0 {
		t.Errorf("figures: %v", n.figures)
	}
	_ = live
}

// What each exit code of restic's means, by the command that ends with it.
func TestEveryExitCode(t *testing.T) {
	const known = `{"%s": "repository-1"}`
	for name, c := range map[string]struct {
		codes   map[string]string
		known   bool // the stack had a repository
		gone    bool // there is none
		forever bool // nobody waits
		outcome string
		says    string
		calls   []string // among the commands
		never   []string
	}{
		"no repository, of a new stack":      {gone: true, outcome: results.OK, calls: []string{"init", "backup"}},
		"no repository, and there was one":   {gone: true, known: true, outcome: results.Failed, says: "gone from the target", never: []string{"init", "backup"}},
		"a repository of before":             {outcome: results.OK, never: []string{"init"}, calls: []string{"backup"}},
		"wrong key":                          {known: true, codes: map[string]string{"cat": "12"}, outcome: results.Failed, says: "wrong key", never: []string{"init", "backup", "unlock"}},
		"the target does not answer":         {known: true, codes: map[string]string{"cat": "1"}, outcome: results.Inconclusive, never: []string{"init", "backup"}},
		"none can be made":                   {gone: true, codes: map[string]string{"init": "1"}, outcome: results.Failed, never: []string{"backup"}},
		"locks can not be removed":           {known: true, codes: map[string]string{"unlock": "1"}, outcome: results.Inconclusive, never: []string{"backup"}},
		"some files can not be read":         {known: true, codes: map[string]string{"backup": "3"}, outcome: results.Failed, says: "does not count", calls: []string{"tag"}, never: []string{"forget", "prune"}},
		"the snapshot fails":                 {known: true, codes: map[string]string{"backup": "1"}, outcome: results.Failed, never: []string{"forget"}},
		"the snapshot is interrupted":        {known: true, codes: map[string]string{"backup": "130"}, outcome: results.Failed, never: []string{"forget"}},
		"a code of a later restic":           {known: true, codes: map[string]string{"backup": "77"}, outcome: results.Failed, never: []string{"forget"}},
		"locked, and then no longer":         {known: true, codes: map[string]string{"backup": "11 11 0"}, outcome: results.OK},
		"locked for ever":                    {known: true, forever: true, codes: map[string]string{"backup": strings.Repeat("11 ", 500)}, outcome: results.Failed, says: "exit code 11"},
		"locked for those who look after it": {known: true, forever: true, codes: map[string]string{"forget": strings.Repeat("11 ", 500)}, outcome: results.OK, says: "old snapshots stay", calls: []string{"check"}},
		"it can not be read back":            {known: true, codes: map[string]string{"restore": "1"}, outcome: results.Failed, says: "read back", never: []string{"forget"}},
		"it could not be checked":            {known: true, codes: map[string]string{"check": "1"}, outcome: results.OK, says: "not checked"},
	} {
		t.Run(name, func(t *testing.T) {
			n, _, fake := night(t)
			if !c.gone {
				fake.set(t, "repository", "repository-1")
			}
			if c.known {
				if err := put(n.State+"/repository.json", fmt.Appendf(nil, known, n.Target.ID())); err != nil {
					t.Fatal(err)
				}
			}
			for command, codes := range c.codes {
				fake.set(t, command+".codes", codes)
			}
			if c.forever {
				n.restic.patience = time.Millisecond
			}
			err := n.run(t.Context())
			if outcome := outcomeOf(err); outcome != c.outcome {
				t.Errorf("outcome %s, want %s: %v", outcome, c.outcome, err)
			}
			if told := fmt.Sprint(err, n.told); !strings.Contains(told, c.says) {
				t.Errorf("it says %q, want %q", told, c.says)
			}
			called := fake.called()
			for _, command := range c.calls {
				if !slices.Contains(called, command) {
					t.Errorf("%s was not called: %v", command, called)
				}
			}
			for _, command := range c.never {
				if slices.Contains(called, command) {
					t.Errorf("%s was called: %v", command, called)
				}
			}
			if strings.Contains(fake.says("calls"), "--remove-all") {
				t.Error("the locks of the living were removed")
			}
		})
	}
}

func TestAnotherRepositoryIsNotWritten(t *testing.T) {
	n, _, fake := night(t)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	fake.set(t, "repository", "repository-2")
	fake.set(t, "calls", "")
	if err := n.run(t.Context()); outcomeOf(err) != results.Failed || slices.Contains(fake.called(), "backup") {
		t.Errorf("%v, %v", err, fake.called())
	}
	// Another target has its own.
	n.Target = target.Target{Kind: target.Folder, Path: "/srv", Stack: "shop-prod"}
	if err := n.run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotWholeIsNoneOfTheNightlyOnes(t *testing.T) {
	for _, appendOnly := range []bool{false, true} {
		n, _, fake := night(t)
		n.AppendOnly = appendOnly
		fake.set(t, "backup.codes", "3")
		if err := n.run(t.Context()); outcomeOf(err) != results.Failed {
			t.Errorf("%v", err)
		}
		u, err := n.upkeep()
		if err != nil || !slices.Equal(u.Incomplete, []string{"snapshot-1"}) {
			t.Errorf("remembered: %v, %v", u.Incomplete, err)
		}
		if tags := fake.index()[0].Tags; !appendOnly && (slices.Contains(tags, nightlyTag) || !slices.Contains(tags, incompleteTag)) {
			t.Errorf("tags: %v", tags)
		}
		if appendOnly && slices.Contains(fake.called(), "tag") {
			t.Error("a target that takes nothing away was asked to")
		}
	}
}

func TestASnapshotHasToHoldWhatItWasMadeOf(t *testing.T) {
	for fault, file := range map[string]string{"lose": "manifest.json", "spoil": "manifest.json"} {
		n, _, fake := night(t)
		fake.set(t, fault, file)
		if err := n.run(t.Context()); outcomeOf(err) != results.Failed {
			t.Errorf("%s %s: %v", fault, file, err)
		}
	}
	// Of files by chance all are looked at where there are no more.
	for fault, excluded := range map[string][]bool{"lose": {false, true}, "spoil": {false, true}} {
		for _, excluded := range excluded {
			n, _, fake := night(t)
			if err := os.RemoveAll(n.Source + "/uploads"); err != nil {
				t.Fatal(err)
			}
			if err := put(n.Source+"/uploads/one.jpg", []byte("one")); err != nil {
				t.Fatal(err)
			}
			fake.set(t, fault, "one.jpg")
			if excluded {
				n.Exclude = []string{"/uploads/one.*"}
			}
			want := results.Failed
			if excluded && fault == "lose" {
				want = results.OK // it was left out on purpose
			}
			if excluded && fault == "spoil" {
				want = results.OK // as above: it is not there
			}
			if err := n.run(t.Context()); outcomeOf(err) != want {
				t.Errorf("%s, left out %v: %v", fault, excluded, err)
			}
		}
	}
}

func TestAVolumeThatIsEmptyIsToldForThreeDays(t *testing.T) {
	n, _, _ := night(t)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(n.Source+"/uploads"), os.Mkdir(n.Source+"/uploads", 0o755)); err != nil {
		t.Fatal(err)
	}
	for day, want := range []string{results.Failed, results.Failed, results.Failed, results.OK, results.OK} {
		n.now = func() time.Time { return time.Now().Add(time.Duration(day)*24*time.Hour + time.Minute) }
		if err := n.run(t.Context()); outcomeOf(err) != want {
			t.Errorf("day %d: %v, want %s", day, err, want)
		}
	}
}

func TestADatabaseThatIsGoneOrDamagedIsNoSuccess(t *testing.T) {
	n, live, fake := night(t)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	_ = live.Close()
	text, err := os.ReadFile(n.Database)
	if err != nil {
		t.Fatal(err)
	}
	text[4096+200] ^= 0xff
	text[4096] ^= 0xff
	if err := os.WriteFile(n.Database, text, 0o644); err != nil {
		t.Fatal(err)
	}
	fake.set(t, "calls", "")
	if err := n.run(t.Context()); outcomeOf(err) != results.Failed || slices.Contains(fake.called(), "backup") {
		t.Errorf("damaged: %v, %v", err, fake.called())
	}
	if err := os.Remove(n.Database); err != nil {
		t.Fatal(err)
	}
	if err := n.run(t.Context()); outcomeOf(err) != results.Failed || slices.Contains(fake.called(), "backup") {
		t.Errorf("gone: %v, %v", err, fake.called())
	}
	n, _, _ = night(t)
	n.Database = filepath.Join(n.Source, "data", "later.db")
	if err := n.run(t.Context()); err != nil {
		t.Errorf("not there yet: %v", err)
	}
}

func TestNothingGoesUnlessOneIsLeftThatWasRestored(t *testing.T) {
	at := func(ids ...string) (all []snapshot) {
		for _, id := range ids {
			all = append(all, snapshot{ID: id})
		}
		return all
	}
	for name, c := range map[string]struct {
		keep, remove []snapshot
		verified     []string
		goes         []string
		why          string
	}{
		"nothing is old":             {keep: at("a", "b")},
		"a newer one was restored":   {keep: at("b", "c"), remove: at("a"), verified: []string{"a", "c"}, goes: []string{"a"}},
		"only the old was restored":  {keep: at("b", "c"), remove: at("a"), verified: []string{"a"}, why: "none of the 2 newer"},
		"none was restored":          {keep: at("b", "c"), remove: at("a"), why: "no rehearsal"},
		"one that is not here was":   {keep: at("b"), remove: at("a"), verified: []string{"x"}, why: "no rehearsal"},
		"none would be left":         {remove: at("a"), verified: []string{"a"}, why: "none of the 0 newer"},
		"one of those that stay was": {keep: at("b", "c"), remove: at("a"), verified: []string{"b"}, goes: []string{"a"}},
	} {
		restored := map[string]time.Time{}
		for _, id := range c.verified {
			restored[id] = time.Now()
		}
		goes, why := decided{c.keep, c.remove}.forgettable(restored)
		if !slices.Equal(goes, c.goes) || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: %v, %q", name, goes, why)
		}
	}
}

func TestOldSnapshotsGo(t *testing.T) {
	n, _, fake := night(t)
	for range 2 {
		if err := n.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all := fake.index()
	policy, err := json.Marshal([]decided{{Keep: all[1:], Remove: all[:1]}})
	if err != nil {
		t.Fatal(err)
	}
	fake.set(t, "forget.json", string(policy))
	for _, c := range []struct {
		verified   string
		appendOnly bool
		left       int
	}{{"{}", false, 3}, {`{"snapshot-1": "2026-11-01T00:00:00Z"}`, false, 4}, {`{"snapshot-2": "2026-11-01T00:00:00Z"}`, true, 5}, {`{"snapshot-2": "2026-11-01T00:00:00Z"}`, false, 5}} {
		if err := put(n.State+"/verified.json", []byte(c.verified)); err != nil {
			t.Fatal(err)
		}
		n.AppendOnly = c.appendOnly
		if err := n.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := fake.index(); len(left) != c.left {
			t.Errorf("verified %s, append-only %v: %d snapshots, want %d", c.verified, c.appendOnly, len(left), c.left)
		}
	}
}

func TestAFaultInTheRepositoryIsNoSuccess(t *testing.T) {
	n, _, fake := night(t)
	fake.set(t, "faults", "3")
	if err := n.run(t.Context()); outcomeOf(err) != results.Failed || !strings.Contains(fmt.Sprint(err), "3 faults") {
		t.Errorf("%v", err)
	}
	if u, err := n.upkeep(); err != nil || !slices.Equal(u.Checked[:], make([]time.Time, checkParts)) {
		t.Errorf("a part counts as read: %v, %v", u.Checked, err)
	}
}

// Every part is read within four weeks, also where days are missed.
func TestAllDataIsReadWithinAMonth(t *testing.T) {
	var u upkeep
	day := time.Date(2026, 1, 1, 2, 15, 0, 0, time.UTC)
	runs := 0
	for i := range 120 {
		now := day.AddDate(0, 0, i)
		if i >= 60 && i < 70 {
			continue // the machine was off
		}
		due := u.due(now)
		if len(due) == 0 || len(due) > 2 {
			t.Fatalf("day %d: %v", i, due)
		}
		runs += len(due)
		for _, part := range due {
			u.Checked[part-1] = now
		}
		old := now.Sub(u.covered())
		if i == 13 && u.covered().IsZero() {
			t.Error("after two weeks not all was read once")
		}
		if i >= 28 && i < 60 && old > 29*24*time.Hour || i >= 85 && old > 29*24*time.Hour {
			t.Errorf("day %d: since %s", i, old)
		}
	}
	if runs > 150 {
		t.Errorf("%d parts were read in 110 days", runs)
	}
}

func TestOneRunsAtATime(t *testing.T) {
	n, _, _ := night(t)
	release, err := alone(t.Context(), below(n.State, filesLock), 0)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"--state=" + n.State, "--source=" + n.Source, "--stack=shop-prod", "--secrets=" + t.TempDir()}
	if err := files(t.Context(), words); err != busy {
		t.Errorf("while another one runs: %v", err)
	}
	release()
	if _, err := alone(t.Context(), below(n.State, filesLock), 0); err != nil {
		t.Error(err)
	}
}

// The command itself, with its flags, what it writes down and its exit code.
func TestTheResultIsWrittenDown(t *testing.T) {
	n, _, fake := night(t)
	t.Setenv(fakeResticIn, fake.at)
	words := []string{"--state=" + n.State, "--source=" + n.Source, "--database=" + n.Database, "--replicator=http://nobody", "--stack=shop-prod",
		"--secrets=" + t.TempDir(), "--restic=" + n.restic.program, "--keep-daily=1", "--exclude=a", "--exclude=b", "--append-only"}
	for _, c := range []struct {
		code    string
		want    error
		outcome string
	}{{"", nil, results.OK}, {"12", exit(1), results.Failed}, {"1", inconclusive, results.Inconclusive}} {
		fake.set(t, "cat.codes", c.code)
		if err := files(t.Context(), words); err != c.want {
			t.Errorf("%q: %v, want %v", c.code, err, c.want)
		}
		all, err := results.All(n.State + "/results")
		if err != nil || all[0].Of != results.Files || all[0].Outcome != c.outcome || all[0].Succeeded.IsZero() || all[0].Figures["files_snapshots"] != 1 {
			t.Errorf("%q: %+v, %v", c.code, all, err)
		}
	}
	if err := files(t.Context(), append(words, "--database=/elsewhere/x.db")); err == nil || errors.Is(err, inconclusive) {
		t.Errorf("a database elsewhere: %v", err)
	}
}
