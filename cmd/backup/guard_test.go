package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/results"
)

func TestAGuardReplicatesAndEndsWell(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	p, has, err := place.Read(w.path("data/.backup"))
	if err != nil || !has || p.Path != "db-1" || p.Stack != "tarot-test" || p.Target != r.Target.ID() || p.ID == "" {
		t.Errorf("%v, %v: %+v", err, has, p)
	}
	eventually(t, "that something was written is known", func() bool { p, _, _ := place.Read(w.path("data/.backup")); return p.Written })
	marks, err := results.Marks(w.path("state"))
	if err != nil || len(marks) == 0 || marks[0].TXID != 18 || marks[0].Place != "db-1" || time.Since(marks[0].At) > time.Minute {
		t.Errorf("%v: %+v", err, marks)
	}
	eventually(t, "the target was asked", func() bool { return !r.status().Seen.IsZero() })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !w.there("ended")() {
		t.Error("litestream was not asked to end")
	}
}

// The next guard goes on where the earlier one was, asking for no more than its own history.
func TestTheNextGuardGoesOn(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	eventually(t, "that is known", func() bool { return r.placed().Written })
	stop()
	<-done
	w.says("ltxp_tarot-test_db-1", `[{"level":0,"max_txid":"0000000000000012","size":5,"timestamp":"2026-11-26T10:00:00Z"}]`)
	before, _, _ := place.Read(w.path("data/.backup"))
	r, stop, done = w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if after, _, _ := place.Read(w.path("data/.backup")); after.ID != before.ID || after.Path != "db-1" {
		t.Errorf("%+v became %+v", before, after)
	}
	stop()
	<-done
}

// A volume that is new does not write what another database has left, until somebody says so.
func TestATargetOfAnotherDatabase(t *testing.T) {
	w := newWorld(t)
	w.says("ltxp_tarot-test_db-3", `[{"level":9,"max_txid":"0000000000000012","size":5,"timestamp":"2026-11-26T10:00:00Z"}]`)
	r, stop, done := w.start()
	eventually(t, "it is foreign", isIn(r, results.Foreign))
	if why := r.status().Why; !strings.Contains(why, "db-3") || !strings.Contains(why, "2026-11-26T10:00:00Z") || !strings.Contains(why, "make restore") || !strings.Contains(why, "make backup-adopt") {
		t.Error(why)
	}
	if w.there("pid")() || w.there("data/.backup/place.json")() {
		t.Fatal("litestream was started, or a place written down")
	}
	if err := health(t.Context(), []string{"--work=" + w.path("work")}); err != nil {
		t.Errorf("what it can't mend by itself makes it unhealthy: %v", err)
	}
	if err := adopt(t.Context(), []string{"--work=" + w.path("work")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if p, _, _ := place.Read(w.path("data/.backup")); p.Path != "db-4" {
		t.Errorf("%+v", p)
	}
	if err := adopt(t.Context(), []string{"--work=" + w.path("work")}); err == nil {
		t.Error("there was something to adopt once more")
	}
	stop()
	<-done
}

// What could not be asked is not an empty target.
func TestATargetThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	w.says("ltx-error", "dial tcp: connection refused")
	r, stop, done := w.start()
	eventually(t, "it fails", isIn(r, results.Failing))
	if why := r.status().Why; !strings.Contains(why, "connection refused") {
		t.Error(why)
	}
	if w.there("pid")() || w.there("data/.backup/place.json")() {
		t.Fatal("it took the target for an empty one")
	}
	w.says("ltx-error", "")
	eventually(t, "it replicates", isIn(r, results.Replicating))
	stop()
	<-done
}

func TestTheDatabaseComesLater(t *testing.T) {
	w := newWorld(t)
	if err := os.Remove(w.path("data/app.db")); err != nil {
		t.Fatal(err)
	}
	r, stop, done := w.start()
	eventually(t, "it waits", isIn(r, results.NoDatabase))
	w.says("data/app.db", "SQLite format 3")
	eventually(t, "it replicates", isIn(r, results.Replicating))
	stop()
	<-done
}

// A litestream that ends is started again, and one whose target is gone is left alone.
func TestFaultsWhileItRuns(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	w.says("sync", "the target is gone")
	r.mu.Lock()
	r.mark.At, r.since = time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)
	r.mu.Unlock()
	eventually(t, "it fails, and says why", func() bool {
		s := r.status()
		return s.State == results.Failing && strings.Contains(s.Why, "the target is gone")
	})
	w.says("sync", `{"txid":19,"replicated_txid":19}`)
	eventually(t, "it replicates again", isIn(r, results.Replicating))

	first := w.pid()
	_ = syscall.Kill(first, syscall.SIGKILL)
	eventually(t, "another one runs", func() bool { return w.pid() != first && isIn(r, results.Replicating)() })
	if w.there("two-at-once")() {
		t.Error("there were two at once")
	}
	stop()
	<-done
}

// A copy that takes longer than a look is not begun anew with each: it would never be whole.
func TestACopyThatTakesLong(t *testing.T) {
	w := newWorld(t)
	w.says("slow", "3s")
	r, stop, done := w.start()
	eventually(t, "it says what it waits for", func() bool { return strings.Contains(r.status().Why, "has been at work for") })
	// Whoever wants a mark of now does not get that of a question asked before.
	before := time.Now()
	m, err := r.ask(t.Context(), time.Minute, before)
	if err != nil || m.TXID != 18 || m.At.Before(before) {
		t.Errorf("a mark: %+v, %v", m, err)
	}
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if w.there("given-up")() {
		t.Error("a copy was given up")
	}
	stop()
	<-done
}

func (w world) pid() int {
	text, _ := os.ReadFile(w.path("pid"))
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// The disk of the database is full: what is committed then is on the target, but nothing is.
func TestAFullDisk(t *testing.T) {
	w := newWorld(t)
	w.says("metrics", "# TYPE litestream_disk_full gauge\nlitestream_disk_full{db=\"x\"} 1")
	r, stop, done := w.start()
	eventually(t, "it says so", func() bool { s := r.status(); return s.State == results.Failing && strings.Contains(s.Why, "full") })
	stop()
	<-done
}

func TestALitestreamThatIsTooOld(t *testing.T) {
	for version, want := range map[string]string{"0.5.16": "0.5.17 or newer", "v0.3.13": "0.5.17 or newer", "(development build)": "has to be a release", "0.5.17": "", "0.6.0": "", "1.0.0": "", "v0.5.18": ""} {
		w := newWorld(t)
		w.says("version", version)
		_, err := litestreamVersion(t.Context(), w.path("litestream"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// Two guards of one folder: the second one starts no litestream, says who is in its way, and
// both tell of it.
func TestASecondGuardIsRefused(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	other := w // the same folder, sockets of its own
	if err := os.Mkdir(w.path("work2"), 0o700); err != nil {
		t.Fatal(err)
	}
	second, _, ended := other.start(func(o *guardOptions) { o.Work = w.path("work2") })
	eventually(t, "it waits", isIn(second, results.Locked))
	if why := second.status().Why; !strings.Contains(why, "stack tarot-test") || !strings.Contains(why, "since 20") {
		t.Error(why)
	}
	if err := health(t.Context(), []string{"--work=" + w.path("work2")}); err == nil {
		t.Error("one that has no lock is healthy")
	}
	var code exit
	if err := <-ended; !errors.As(err, &code) || code != 75 {
		t.Errorf("it ended by %v", err)
	}
	if w.there("two-at-once")() {
		t.Error("there were two at once")
	}
	if n := r.status().Refused; n != 1 {
		t.Errorf("the first one knows of %d", n)
	}
	if text := r.metrics(t.Context()); !strings.Contains(text, "\nbackup_second_replicator_total 1\n") {
		t.Error(text)
	}
	stop()
	<-done
}

// A release stops one before it starts the next: that waits.
func TestTheNextGuardWaitsForTheLock(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if err := os.Mkdir(w.path("work2"), 0o700); err != nil {
		t.Fatal(err)
	}
	second, stopSecond, ended := w.start(func(o *guardOptions) { o.Work, o.Patience = w.path("work2"), time.Minute })
	eventually(t, "it waits", isIn(second, results.Locked))
	stop()
	<-done
	eventually(t, "it replicates", isIn(second, results.Replicating))
	stopSecond()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if readRefusals(w.path("data")).Count != 0 {
		t.Error("waiting was counted as refused")
	}
}

// Whoever removes the lock's file has a second one get another.
func TestALockThatIsRemoved(t *testing.T) {
	w := newWorld(t)
	r, _, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if err := os.Remove(w.path("data/.backup/" + lockName)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "removed or replaced") {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it goes on")
	}
	if !w.there("ended")() {
		t.Error("litestream goes on")
	}
}

// The guard is killed, as the kernel does without memory: no litestream without a guard, and
// none without the lock.
func TestAGuardThatIsKilled(t *testing.T) {
	w := newWorld(t)
	g := w.process()
	eventually(t, "litestream runs", w.there("pid"))
	first := w.pid()
	if err := g.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = g.Wait()
	eventually(t, "litestream is gone", func() bool { return gone(first) })
	again := w.process()
	eventually(t, "another one runs", func() bool { n := w.pid(); return n != 0 && n != first })
	if w.there("two-at-once")() {
		t.Error("there were two at once")
	}
	if err := again.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := again.Wait(); err != nil {
		t.Errorf("it ended by %v", err)
	}
}

// gone is also true for one that nobody has taken leave of yet.
func gone(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestWhatTheGuardAnswers(t *testing.T) {
	w := newWorld(t)
	address := freeAddress(t)
	r, stop, done := w.start(func(o *guardOptions) { o.Listen, o.KeyKept = address, true })
	eventually(t, "it replicates", isIn(r, results.Replicating))
	client := results.Client{URL: "http://" + address}
	m, err := client.Mark(t.Context())
	if err != nil || m.TXID != 18 || m.Place != "db-1" || m.Content == nil || m.Content.Rows["t"] != 3 || m.Content.Schema != "s" {
		t.Errorf("%v: %+v", err, m)
	}
	if content, err := client.Rows(t.Context()); err != nil || content.Rows["t"] != 3 {
		t.Errorf("%v: %+v", err, content)
	}
	for _, path := range []string{"/adopt", "/status", "/health"} { // of the inside alone
		answer, err := http.Post("http://"+address+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	w.says("sync", "no target")
	if _, err := client.Mark(t.Context()); err == nil || !strings.Contains(err.Error(), "no target") {
		t.Errorf("a mark that is none: %v", err)
	}
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if !strings.Contains(string(text), "\nbackup_key_kept 1\n") {
		t.Errorf("%s", text)
	}
	stop()
	<-done
}

// Where no database is in a file it tells of the others alone.
func TestWithoutADatabase(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start(func(o *guardOptions) { o.Database = "" })
	eventually(t, "it is healthy", func() bool { return health(t.Context(), []string{"--work=" + w.path("work")}) == nil })
	if s := r.status(); s.State != results.NoDatabase || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	if text := r.metrics(t.Context()); strings.Contains(text, "replicated_timestamp") || strings.Contains(text, `name="database"`) || !strings.Contains(text, `backup_last_success_timestamp_seconds{name="files"} 0`) {
		t.Error(text)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWhatStandsInAGuardsWay(t *testing.T) {
	w := newWorld(t)
	for want, args := range map[string][]string{
		"--stack":             {"--database=/x/a.db"},
		"--target":            {"--database=/x/a.db", "--stack=s", "--target=ftp://x"},
		"from the root on":    {"--database=a.db", "--stack=s"},
		"no further words":    {"--database=/x/a.db", "--stack=s", "more"},
		"not defined: -wrong": {"--wrong"},
	} {
		if err := guard(t.Context(), append(args, "--secrets="+w.path("secrets"))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// What somebody has removed on the target is begun anew beside what is left of it.
func TestAHistoryThatIsLostWhileItIsWritten(t *testing.T) {
	w := newWorld(t)
	w.says("plan-error", "no matching backup files available")
	w.says("ltxp_tarot-test_db-1", `[{"level":0,"max_txid":"0000000000000012","size":5,"timestamp":"2026-11-26T10:00:00Z"}]`)
	place1 := place.Place{Path: "db-1", Stack: "tarot-test", Target: w.options().Target.ID(), ID: "x", Began: time.Now(), Written: true}
	if err := place.Write(w.path("data/.backup"), place1); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(w.path("data/.backup/meta-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.says("data/.backup/meta-1/0001.ltx", "")
	r, stop, done := w.start()
	eventually(t, "another one begins", func() bool { return r.placed().Path == "db-2" })
	w.says("plan-error", "")
	eventually(t, "it replicates", isIn(r, results.Replicating))
	stop()
	<-done
}

// litestream has the old file open, and would mix both.
func TestADatabaseThatIsReplacedWhileItIsReplicated(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	eventually(t, "that is known", func() bool { return r.placed().Written })
	first := w.pid()
	w.says("ltxp_tarot-test_db-1", `[{"level":0,"max_txid":"0000000000000012","size":5,"timestamp":"2026-11-26T10:00:00Z"}]`)
	w.says("data/new.db", "SQLite format 3")
	if err := os.Rename(w.path("data/new.db"), w.path("data/app.db")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another one begins", func() bool { return r.placed().Path == "db-2" && isIn(r, results.Replicating)() })
	if w.pid() == first || w.there("ended")() {
		t.Error("the litestream of the old file was let write what it had")
	}
	stop()
	<-done
}
