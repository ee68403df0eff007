package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/seal"
	"tarot-platform/internal/backup/sqlite"
	"tarot-platform/internal/backup/target"
)

// migrated is the release's migration.
func migrated(fault, file string) error {
	if fault == "migration fails" {
		return fmt.Errorf("can't locate revision identified by 'ab12'")
	}
	if fault != "migrates" {
		return nil
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("ALTER TABLE orders ADD COLUMN price INTEGER")
	return err
}

// scene is a stack with a night's backup and a continuous copy, a replicator that answers, and both
// rooms of a rehearsal.
type scene struct {
	*rehearsal
	night *nightly
	live  *sql.DB
	fake  fakeRestic
	// copy is the folder of the continuous copy.
	copy string
	// mark is what the replicator answers; away: it does not.
	mark results.Mark
	away bool
	// commits are the transactions between two marks, and asked how often there was one.
	commits uint64
	asked   int
	// again is called before the second try; nil: nothing.
	again func()
	// fault is the release's.
	fault string
}

const sealing = "a key for these tests"

func rehearsed(t *testing.T) *scene {
	t.Helper()
	n, live, fake := night(t)
	at := filepath.Dir(n.State)
	s := &scene{night: n, live: live, fake: fake, copy: filepath.Join(at, "copy")}
	if err := put(n.State+"/state.sealed", seal.Seal(sealing, []byte("{}"))); err != nil {
		t.Fatal(err)
	}
	if err := put(at+"/key", []byte(sealing+"\n")); err != nil {
		t.Fatal(err)
	}
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.replicate(t)
	guard := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away {
			http.Error(w, "the target does not answer", http.StatusServiceUnavailable)
			return
		}
		if s.asked++; s.asked == 3 && s.again != nil {
			s.again()
		}
		m := s.mark
		m.TXID += uint64(1-s.asked%2) * s.commits // the second one of each try is later
		_ = json.NewEncoder(w).Encode(m)
	}))
	t.Cleanup(guard.Close)
	h := &rehearsal{restic: n.restic, log: n.log, now: time.Now, parts: map[string]error{}, figures: map[string]float64{}}
	h.State, h.Scratch, h.MaxFiles = n.State, filepath.Join(at, "scratch"), 1<<30
	h.Database, h.Source = "/data/shop.db", "/source/data/shop.db"
	h.Target, h.Files, h.Key = target.Target{Kind: target.Volume, Stack: "shop-prod"}, n.Target, at+"/key"
	h.Replicator, h.Litestream, h.Patience, h.Busy = guard.URL, n.restic.program, 20*time.Second, 100*time.Millisecond
	if err := os.Mkdir(h.Scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeCopyIn, s.copy)
	s.rehearsal = h
	return s
}

// replicate has the continuous copy be what the live database is now.
func (s *scene) replicate(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(s.copy, 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(s.night.Database, sqlite.Dump)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_ = os.Remove(s.copy + "/copy.db")
	if err := db.VacuumInto(t.Context(), s.copy+"/copy.db"); err != nil {
		t.Fatal(err)
	}
	content, err := contentOf(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	s.mark = results.Mark{TXID: 7, At: time.Now(), Place: "db-1", Content: &content}
	if err := put(s.copy+"/txid", []byte("0000000000000007")); err != nil {
		t.Fatal(err)
	}
}

// open has somebody in the standing room, until the test ends.
func (s *scene) open(t *testing.T) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	self := s.restic.program
	t.Setenv(fakeRelease, s.fault)
	t.Setenv("TEST_DATABASE", below(s.Scratch, "shop.db"))
	asked, err := json.Marshal(application{Migrate: []string{self, "migrate", below(s.Scratch, "shop.db")}, Port: port, Host: "shop.example", Health: "/health", Read: "/orders", Start: 10, Grace: 5})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	socket := filepath.Join(t.TempDir(), "s")
	done := make(chan error, 1)
	go func() {
		done <- stand(ctx, []string{"--scratch=" + s.Scratch, "--socket=" + socket, "--database=/data/shop.db", "--application=" + string(asked), "--", self, "serve", fmt.Sprint(port)})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// rename has the rehearsal know the source by its name in these tests.
func (s *scene) rename() { s.Sources, s.Source = s.night.Source, s.night.Database }

func TestARehearsalFindsWhatIsWrong(t *testing.T) {
	fine := map[string]string{partDatabase: results.OK, partFiles: results.OK, partApplication: results.OK}
	with := func(changes ...string) map[string]string {
		all := maps.Clone(fine)
		for i := 0; i < len(changes); i += 2 {
			all[changes[i]] = changes[i+1]
		}
		return all
	}
	spoil := func(t *testing.T, path string, at int) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[(len(text)+at)%len(text)] ^= 1
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		fault func(t *testing.T, s *scene)
		want  map[string]string
		says  string
	}{
		"nothing": {func(*testing.T, *scene) {}, fine, ""},
		"a flipped byte in the nightly copy": {func(t *testing.T, s *scene) {
			spoil(t, s.fake.path("snapshots", "snapshot-1", s.State, "dump", "shop.db"), -10)
		}, with(partFiles, results.Failed), "its hash differs"},
		"a page of the continuous copy": {func(t *testing.T, s *scene) { spoil(t, s.copy+"/copy.db", 4096) },
			with(partDatabase, results.Failed), ""},
		"rows are missing in the continuous copy": {func(t *testing.T, s *scene) { s.mark.Content.Rows["orders"] = 300 },
			with(partDatabase, results.Failed), "table orders has 200 rows"},
		"a table is missing in it": {func(t *testing.T, s *scene) { s.mark.Content.Rows["customers"] = 3 },
			with(partDatabase, results.Failed), "table customers is missing"},
		"its schema is another one": {func(t *testing.T, s *scene) { s.mark.Content.Schema = "another" },
			with(partDatabase, results.Failed), "schema"},
		"it ends before what was sent": {func(t *testing.T, s *scene) { s.mark.TXID = 9 },
			with(partDatabase, results.Failed), "ends before"},
		"Litestream finds it damaged": {func(t *testing.T, s *scene) { _ = put(s.copy+"/fails", []byte("file checksum mismatch")) },
			with(partDatabase, results.Failed), "checksum"},
		"the target does not answer Litestream": {func(t *testing.T, s *scene) { _ = put(s.copy+"/unanswered", []byte("1")) },
			with(partDatabase, results.Inconclusive), "connection refused"},
		"the replicator does not answer": {func(t *testing.T, s *scene) { s.away = true },
			with(partDatabase, results.Inconclusive), "does not answer"},
		"the clock": {func(t *testing.T, s *scene) { s.mark.At = time.Now().Add(time.Hour) },
			with(partDatabase, results.Inconclusive), "clock"},
		"the snapshot can not be restored": {func(t *testing.T, s *scene) { s.fake.set(t, "restore.codes", "1") },
			with(partFiles, results.Failed), "can not be restored"},
		"the repository does not answer": {func(t *testing.T, s *scene) {
			s.fake.set(t, "restore.codes", "1")
			s.fake.set(t, "cat.codes", "1")
		}, with(partFiles, results.Inconclusive), ""},
		"the repository is gone": {func(t *testing.T, s *scene) { s.fake.set(t, "repository", "") },
			with(partFiles, results.Failed), ""},
		"another key": {func(t *testing.T, s *scene) { s.fake.set(t, "snapshots.codes", "12") },
			with(partFiles, results.Failed), "wrong key"},
		"what sets the stack up again does not open": {func(t *testing.T, s *scene) { _ = put(s.Key, []byte("another key than the one before")) },
			with(partFiles, results.Failed), "does not open"},
		"files are missing": {func(t *testing.T, s *scene) {
			_ = os.RemoveAll(s.fake.path("snapshots", "snapshot-1", s.night.Source, "uploads"))
		}, with(partFiles, results.Failed), "has 0 files"},
		"the nightly backup still runs": {func(t *testing.T, s *scene) {
			release, err := alone(t.Context(), below(s.State, filesLock), 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(release)
		}, with(partFiles, results.Inconclusive), "still runs"},
		"no snapshot is whole": {func(t *testing.T, s *scene) {
			_ = writeJSON(s.State+"/upkeep.json", upkeep{Incomplete: []string{"snapshot-1"}})
		},
			with(partFiles, results.Failed), "no snapshot that is whole"},
		"the release ends": {func(t *testing.T, s *scene) { s.fault = "ends" },
			with(partApplication, results.Failed), "it has ended"},
		"the release answers 500": {func(t *testing.T, s *scene) { s.fault = "answers 500" },
			with(partApplication, results.Failed), "500"},
		"the release's migration fails": {func(t *testing.T, s *scene) { s.fault = "migration fails" },
			with(partApplication, results.Failed), "migration fails"},
		"the schema is not the release's": {func(t *testing.T, s *scene) { s.fault = "migrates" },
			with(partApplication, results.Failed), "another one after the release's migration"},
		"the release spoils it": {func(t *testing.T, s *scene) { s.fault = "spoils" },
			with(partApplication, results.Failed), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := rehearsed(t)
			s.rename()
			c.fault(t, s)
			s.open(t)
			err := s.run(t.Context())
			got := map[string]string{}
			for part, err := range s.parts {
				got[part] = outcomeOf(err)
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v: %v", got, c.want, err)
			}
			if !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("it says %v, want %q", err, c.says)
			}
			want := results.OK
			for _, outcome := range c.want {
				if outcome == results.Failed || want == results.OK {
					want = outcome
				}
			}
			if outcomeOf(err) != want {
				t.Errorf("together %s, want %s", outcomeOf(err), want)
			}
			known, err := verified(s.State)
			if _, is := known["snapshot-1"]; err != nil || is != (c.want[partFiles] == results.OK) {
				t.Errorf("verified: %v, %v", known, err)
			}
			if left, err := os.ReadDir(s.Scratch); err != nil || len(left) > 0 {
				t.Errorf("left in the scratch: %v, %v", left, err)
			}
			if want == results.OK && (s.figures["rehearsal_restored_rows"] != 200 || s.figures["rehearsal_application_duration_seconds"] <= 0 || s.figures["rehearsal_restored_bytes"] < 8192) {
				t.Errorf("figures: %v", s.figures)
			}
		})
	}
}

func TestNobodyInTheStandingRoomIsInconclusive(t *testing.T) {
	s := rehearsed(t)
	s.rename()
	s.Patience = time.Second
	if err := s.run(t.Context()); outcomeOf(err) != results.Inconclusive || !strings.Contains(err.Error(), "does backup-rehearsal run?") {
		t.Errorf("%v", err)
	}
	if known, err := verified(s.State); err != nil || len(known) > 0 {
		t.Errorf("verified: %v, %v", known, err)
	}
}

func TestBeforeTheFirstNightNothingIsWrong(t *testing.T) {
	s := rehearsed(t)
	s.rename()
	s.fake.set(t, "repository", "")
	for _, file := range []string{"repository.json", "manifest.json"} {
		if err := os.Remove(s.State + "/" + file); err != nil {
			t.Fatal(err)
		}
	}
	s.open(t)
	if err := s.run(t.Context()); outcomeOf(err) != results.Inconclusive || outcomeOf(s.parts[partDatabase]) != results.OK {
		t.Errorf("%v", err)
	}
}

func TestOfTooMuchAPartIsRestored(t *testing.T) {
	s := rehearsed(t)
	s.rename()
	for i := range 40 {
		if err := put(fmt.Sprintf("%s/uploads/$large %d.bin", s.night.Source, i), make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.night.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.MaxFiles = 1_000_000
	s.open(t)
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.figures["rehearsal_restored_bytes"]; got > 1_200_000 || got < 150_000 {
		t.Errorf("%v bytes were restored", got)
	}
	if !strings.Contains(strings.Join(s.told, ""), "sampled") {
		t.Errorf("told: %v", s.told)
	}
}

func TestComparedAreTheRowsBeforeAndAfter(t *testing.T) {
	content := func(rows int64) *results.Content {
		return &results.Content{Schema: "s", Rows: map[string]int64{"a": rows}}
	}
	for name, c := range map[string]struct {
		before, after, restored int64
		want                    string
	}{
		"equal":                        {10_000, 10_000, 10_000, results.OK},
		"written meanwhile":            {10_000, 20_000, 15_000, results.OK},
		"deleted meanwhile":            {20_000, 10_000, 15_000, results.OK},
		"one is missing":               {10_000, 10_000, 9_999, results.Failed},
		"one more":                     {10_000, 10_000, 10_001, results.Failed},
		"one is missing in what grows": {10_000, 20_000, 9_999, results.Failed},
		"deleted and written":          {20_000, 10_000, 9_880, results.OK},
		"too few of what shrinks":      {20_000, 10_000, 9_879, results.Failed},
		"written and deleted":          {10_000, 10_100, 10_221, results.OK},
		"too many":                     {10_000, 10_100, 10_222, results.Failed},
		"few, and empty":               {3, 3, 0, results.Failed},
		"fewer, and empty":             {4, 3, 0, results.Failed},
		"emptied meanwhile":            {3, 0, 0, results.OK},
		"empty and is filled":          {0, 5, 0, results.OK},
	} {
		before, after := results.Mark{TXID: 5, Place: "db-1", Content: content(c.before)}, results.Mark{TXID: 8, Place: "db-1", Content: content(c.after)}
		err := compare(before, after, 7, *content(c.restored))
		if outcomeOf(err) != c.want || errors.As(err, new(unsure)) != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		// Where nothing was committed since, it is exactly what there is now.
		err = compare(before, after, 8, *content(c.restored))
		if (err == nil) != (c.restored == c.after) || errors.As(err, new(unsure)) {
			t.Errorf("%s, with nothing committed since: %v", name, err)
		}
	}
	changed := results.Mark{Content: &results.Content{Schema: "t"}}
	if err := compare(results.Mark{Content: content(1)}, changed, 7, *content(1)); outcomeOf(err) != results.Inconclusive {
		t.Errorf("a release between: %v", err)
	}
}

// What users delete and write meanwhile looks like a loss once, and a loss does so each time.
func TestWhatMayBeOfTheMomentIsRestoredAgain(t *testing.T) {
	for name, c := range map[string]struct {
		commits uint64
		heals   bool
		want    string
		marks   int
	}{
		"nothing was committed since": {0, false, results.Failed, 2},
		"a loss":                      {1, false, results.Failed, 2 * tries},
		"of the moment":               {1, true, results.OK, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := rehearsed(t)
			s.rename()
			s.commits = c.commits
			orders := s.mark.Content.Rows["orders"]
			s.mark.Content.Rows["orders"] = orders + 1
			if c.heals {
				s.again = func() { s.mark.Content.Rows["orders"] = orders }
			}
			_, err := s.continuous(t.Context())
			if outcomeOf(err) != c.want || s.asked != c.marks {
				t.Errorf("%d marks, %v", s.asked, err)
			}
			if s.figures["rehearsal_restored_rows"] != float64(orders) {
				t.Errorf("figures: %v", s.figures)
			}
		})
	}
}

// What can't be put into the standing room by a rehearsal that was killed is gone with the next one.
func TestTheNextOneBeginsEmpty(t *testing.T) {
	at := t.TempDir()
	if err := put(at+"/a/b/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(at+"/a/b", 0o500); err != nil {
		t.Fatal(err)
	}
	if err := empty(at); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(at); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The scratch is emptied file by file: an answer that is gone is not given again.
func TestAQuestionIsAnsweredOnce(t *testing.T) {
	at := t.TempDir()
	s := &standing{log: logger("test")}
	s.Scratch = at
	answered := func() bool {
		t.Helper()
		if err := s.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := readJSON(below(at, roomFolder, answerFile), &a); err != nil {
			t.Fatal(err)
		}
		return a.ID != ""
	}
	if err := os.Mkdir(below(at, roomFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	if answered() {
		t.Error("nothing was asked")
	}
	for _, id := range []string{"1", "2"} {
		if err := writeJSON(below(at, roomFolder, questionFile), question{ID: id}); err != nil {
			t.Fatal(err)
		}
		if !answered() {
			t.Errorf("%s has no answer", id)
		}
		if err := os.Remove(below(at, roomFolder, answerFile)); err != nil {
			t.Fatal(err)
		}
		if answered() {
			t.Errorf("%s was answered again", id)
		}
	}
}

func TestARehearsalAsACommand(t *testing.T) {
	s := rehearsed(t)
	t.Setenv(fakeResticIn, s.fake.at)
	s.open(t)
	words := []string{"--state=" + s.State, "--scratch=" + s.Scratch, "--database=/data/shop.db", "--source=/source/data/shop.db", "--replicator=" + s.Replicator,
		"--litestream=" + s.restic.program, "--restic=" + s.restic.program, "--key=" + s.Key, "--stack=shop-prod", "--secrets=" + t.TempDir(), "--files-target=", "--max-files=1000000"}
	if err := rehearse(t.Context(), words); err != nil {
		t.Fatal(err)
	}
	all, err := results.All(s.State + "/results")
	if err != nil || all[1].Outcome != results.OK || all[1].Parts[partApplication] != results.OK || all[1].Figures["rehearsal_restored_rows"] != 200 {
		t.Errorf("%+v, %v", all, err)
	}
	s.away = true
	if err := rehearse(t.Context(), words); err != inconclusive {
		t.Errorf("%v", err)
	}
	release, err := alone(t.Context(), below(s.State, rehearsalLock), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := rehearse(t.Context(), words); err != busy {
		t.Errorf("while another one runs: %v", err)
	}
}
