//go:build e2e && cost

package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// TestBackupCost measures what the continuous backup of SQLite costs, and how long a restore takes:
// `make bench-backup`. The rate and the p99 are those of one stack with its replicator
// and without it, in turns.
//
//suite:cost
func TestBackupCost(t *testing.T) {
	rounds := number(t, "COST_ROUNDS", 3)
	s := prodStack(t, map[string]any{"runtime": "containers", "backup.enabled": true, "backend.replicas": 2, "backend.workers": 2, "monitoring.enabled": false,
		"nginx.requestRate": 0, "nginx.cpus": 2.0, "nginx.tls.mode": "off"})
	s.up()
	out := s.outputs()
	look := s.operator()
	s.replicates("db-1", time.Time{})

	replicator := s.one("backup-replicator")
	rates, waits := map[bool][]float64{}, map[bool][]time.Duration{}
	for range rounds {
		for _, with := range []bool{false, true} {
			if !with {
				s.docker("stop", replicator)
			}
			rate, p99 := s.written(fmt.Sprint(out["apiUrl"]))
			rates[with], waits[with] = append(rates[with], rate), append(waits[with], p99)
			if !with {
				at := time.Now()
				s.docker("start", replicator)
				s.replicates("db-1", at)
			}
		}
	}
	for _, with := range []bool{false, true} {
		slices.Sort(rates[with])
		slices.Sort(waits[with])
	}
	t.Logf("reads and writes a second, of 8 users that ask again at once: %.0f with the replicator, %.0f without: ratio %.3f; at 80 a second p99 %s and %s: ratio %.2f",
		rates[true][rounds/2], rates[false][rounds/2], rates[true][rounds/2]/rates[false][rounds/2],
		waits[true][rounds/2].Round(time.Millisecond), waits[false][rounds/2].Round(time.Millisecond), float64(waits[true][rounds/2])/float64(waits[false][rounds/2]))

	for i, megabytes := range []int{10, 200, 1000} {
		history := fmt.Sprintf("db-%d", i+1)
		s.inDatabase(fmt.Sprintf(fill, megabytes*256))
		s.replicates(history, time.Now())
		file := s.size("data", "prod.db")
		before := s.size("backup", history)
		s.inDatabase(change)
		s.replicates(history, time.Now())
		first := s.size("backup", history) - before
		time.Sleep(time.Minute) // what it has sent is put together meanwhile, and what that makes stays a while
		t.Logf("%4d MB: 2 %% of the rows change: %.1f MB more on the target, %.1f MB a minute later: %.3f and %.3f of the file; the replicator has %s",
			file>>20, float64(first)/1e6, float64(s.size("backup", history)-before)/1e6, float64(first)/float64(file), float64(s.size("backup", history)-before)/float64(file),
			s.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", s.one("backup-replicator")))
		gap := s.unserved(fmt.Sprint(out["apiUrl"]) + "/cards/the-fool")
		begin := time.Now()
		if said, code := look("restore", s.name, "--only", "database", "--yes"); code != 0 {
			t.Fatalf("the restore: exit code %d\n%s", code, said)
		}
		took := time.Since(begin)
		t.Logf("%4d MB: restored in %s, of which users were not served for %s", file>>20, took.Round(time.Second), gap().Round(time.Second))
	}
}

// fill makes the database larger by rows of 4 kB; change gives 2 % of them, in all of the file, other contents.
const (
	fill = `import os, sqlite3
db = sqlite3.connect("/app/data/prod.db", timeout=30, isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS filling (id INTEGER PRIMARY KEY, body BLOB)")
for _ in range(0, %d, 250):
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO filling (body) VALUES (?)", [(os.urandom(3900),) for _ in range(250)])
    db.execute("COMMIT")`
	change = `import os, sqlite3
db = sqlite3.connect("/app/data/prod.db", timeout=30, isolation_level=None)
ids = [row[0] for row in db.execute("SELECT id FROM filling WHERE id % 50 = 0")]
for at in range(0, len(ids), 100):
    db.execute("BEGIN IMMEDIATE")
    db.executemany("UPDATE filling SET body = ? WHERE id = ?", [(os.urandom(3900), i) for i in ids[at:at + 100]])
    db.execute("COMMIT")`
)

// inDatabase runs Python in a replica.
func (s *stack) inDatabase(script string) {
	s.t.Helper()
	s.docker("exec", s.one("backend"), "python", "-c", script)
}

// size is what a volume has of files, or in folders, of that name, in bytes.
func (s *stack) size(volume, name string) int64 {
	s.t.Helper()
	of := s.prefix() + "-backup"
	if volume == "data" {
		of = s.volume("data")
	}
	const script = `import pathlib, sys
print(sum(f.stat().st_size for f in pathlib.Path("/v").rglob("*") if f.is_file() and sys.argv[1] in f.parts))`
	said := s.docker("run", "--rm", "--network", "none", "--user", "10001:10001", "--volume", of+":/v:ro", s.containers("backend")[s.one("backend")].Config.Image, "python", "-c", script, name)
	bytes, err := strconv.ParseInt(strings.TrimSpace(said), 10, 64)
	if err != nil || bytes == 0 {
		s.t.Fatalf("%s has %q of %s: %v", of, said, name, err)
	}
	return bytes
}

// written is the rate at which the stack answers 8 users of whom each second request is a write, and
// the p99 at 80 a second.
func (s *stack) written(api string) (rate float64, p99 time.Duration) {
	s.t.Helper()
	var n atomic.Int64
	targets := func(target *vegeta.Target) error {
		if i := n.Add(1); i%2 == 0 {
			*target = posting(api+"/readings", map[string]string{"question": fmt.Sprintf("cost-%d", i), "spread": "single"})
		} else {
			*target = getting(api + "/cards/the-fool")
		}
		return nil
	}
	run := func(rate vegeta.Rate, length time.Duration) (answered int, took []time.Duration) {
		attacker := vegeta.NewAttacker(vegeta.Workers(8), vegeta.MaxWorkers(8), vegeta.HTTP2(false), vegeta.TLSConfig(&tls.Config{InsecureSkipVerify: true})) //nolint:gosec // self-signed
		for result := range attacker.Attack(targets, rate, length, "") {
			if result.Code >= 300 || result.Code == 0 {
				s.t.Errorf("%d %s", result.Code, strings.TrimSpace(result.Error))
			}
			answered++
			took = append(took, result.Latency)
		}
		return answered, took
	}
	run(vegeta.Rate{}, 3*time.Second)
	const length = 20 * time.Second
	answered, _ := run(vegeta.Rate{}, length)
	time.Sleep(3 * time.Second)
	_, took := run(vegeta.Rate{Freq: 80, Per: time.Second}, length)
	slices.Sort(took)
	return float64(answered) / length.Seconds(), took[len(took)*99/100]
}

// unserved begins to ask, and what it returns says for how long in all nobody was served.
func (s *stack) unserved(address string) func() time.Duration {
	var missed atomic.Int64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		last := time.Now()
		for {
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
			answer, err := visitor.Get(address)
			now := time.Now()
			if err == nil {
				_ = answer.Body.Close()
			}
			if err != nil || answer.StatusCode != http.StatusOK {
				missed.Add(int64(now.Sub(last)))
			}
			last = now
		}
	}()
	return func() time.Duration {
		close(end)
		<-ended
		return time.Duration(missed.Load())
	}
}
