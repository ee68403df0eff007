//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A command of the release that is due each minute, through a release: for each minute it has
// run, and once. One that fails, which its metrics say; and one that is run by hand.
//
//suite:thorough
func TestSchedulesOnContainers(t *testing.T) { schedules(t, "containers") }

//suite:thorough
func TestSchedulesOnSwarm(t *testing.T) { schedules(t, "swarm") }

// tick writes down for which minute it runs, and in which release.
const tick = `import os, jobs
db = jobs.connect()
db.execute("CREATE TABLE IF NOT EXISTS ticks (due TEXT, by TEXT)")
db.execute("INSERT INTO ticks VALUES (?, ?)", (os.environ["SCHEDULE_DUE"], jobs.VERSION))
print("ticked", flush=True)`

// ticks tells of all of them.
const ticks = `import json, os
os.environ.setdefault("DATABASE_URL", "sqlite:///./data/prod.db") # what is executed in a task of Swarm has not its variables
import jobs
db = jobs.connect()
db.execute("CREATE TABLE IF NOT EXISTS ticks (due TEXT, by TEXT)")
print(json.dumps([{"due": due, "by": by} for due, by in db.execute("SELECT due, by FROM ticks ORDER BY rowid")]))`

type ticked struct{ Due, By string }

func schedules(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.context": "./jobs/backend", "backend.replicas": 1, "backend.memory": "96m", "backend.drain": "5s", "backend.stopGrace": "10s",
		"backend.health": map[string]any{"interval": "1s", "timeout": "3s", "startPeriod": "10s", "retries": 2}, "nginx.tls.mode": "off",
		"schedules": map[string]any{
			"tick":   map[string]any{"cron": "* * * * *", "command": []string{"python", "tick.py"}, "timeLimit": "20s", "memory": "64m"},
			"broken": map[string]any{"cron": "* * * * *", "command": []string{"python", "-c", "raise SystemExit(3)"}, "timeLimit": "20s", "memory": "64m", "retries": 1, "retryPause": "1s"},
			"hand":   map[string]any{"cron": "0 0 29 2 *", "command": []string{"/bin/sh", "-c", "echo by hand of $(id -u) with $DATABASE_URL; exit 5"}, "timeLimit": "20s", "memory": "64m"},
		},
	})
	if err := os.CopyFS(filepath.Join(s.dir, "jobs/backend"), os.DirFS("testdata/jobs/backend")); err != nil {
		t.Fatal(err)
	}
	s.write("jobs/backend/tick.py", tick)
	s.up()
	ran := func() (all []ticked) {
		if err := json.Unmarshal([]byte(s.inside("backend", "python", "-c", ticks)), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	by := func(version string) (count int) {
		for _, r := range ran() {
			if r.By == version {
				count++
			}
		}
		return count
	}
	s.until("the first release ticks", func() bool { return by("1") > 0 })
	s.checkHardening("cron-tick", true)

	t.Run("by hand", func(t *testing.T) {
		defer s.in(t)()
		said, code := s.operator()("run-schedule", s.name, "hand")
		if code != 5 || !strings.Contains(said, "by hand of 10001 with sqlite:///") {
			t.Errorf("%d: %s", code, said)
		}
	})
	t.Run("what fails says so", func(t *testing.T) {
		defer s.in(t)()
		metrics := "import urllib.request as u; print(u.urlopen('http://cron-broken:9746/metrics').read().decode())"
		s.until("it has failed", func() bool {
			said := s.inside("backend", "python", "-c", metrics)
			return strings.Contains(said, `schedule_failing{schedule="broken"} 1`) && !strings.Contains(said, `schedule_runs_total{schedule="broken",outcome="failed"} 0`)
		})
	})
	t.Run("its lines are in the log", func(t *testing.T) {
		defer s.in(t)()
		if said, code := s.operator()("logs", s.name, "--service", "cron-tick", "--follow=false"); code != 0 || !strings.Contains(said, "ticked") || !strings.Contains(said, "succeeded") {
			t.Errorf("%d: %s", code, said)
		}
	})
	s.unchanged()

	s.write("jobs/backend/VERSION", "2")
	s.up()
	s.until("the second release ticks", func() bool { return by("2") > 1 })
	all := ran()
	for i, r := range all {
		due, err := time.Parse(time.RFC3339, r.Due)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		last, _ := time.Parse(time.RFC3339, all[i-1].Due)
		if due.Sub(last) != time.Minute || all[i-1].By > r.By {
			t.Errorf("after %v comes %v", all[i-1], r)
		}
	}
	t.Log(fmt.Sprint(all))
	s.unchanged()
}
