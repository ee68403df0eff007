//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What is nobody's release happens under the same load: a replica dies or hangs,
// the database is locked, nginx is replaced, an `up` is killed. What can not be
// saved (a write in the hands of a replica that dies) is counted; what was
// acknowledged is stored, and the stack is as wanted afterwards.
//
//suite:long
func TestFaultsOnContainers(t *testing.T) { faults(t, "containers") }

//suite:thorough
func TestFaultsOnSwarm(t *testing.T) { faults(t, "swarm") }

func faults(t *testing.T, runtime string) {
	s := rolloutStack(t, runtime, false)
	s.up()
	out := s.outputs()
	image := fmt.Sprint(out["image"])
	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), fmt.Sprint(out["staticUrl"])+"/style.css")
	tr.phase("nothing", func() { time.Sleep(3 * time.Second) })
	tr.phase("database locked for 3 s", func() { s.lockDatabase(image, 3) })

	// Reads go to another replica; a write that had begun is not sent twice.
	lost := tr.incident("a replica is killed", func() { s.killOne(runtime, "backend", 2) })
	if most := number(t, "ROLLOUT_RATE", usualRate) / inHand; lost > most {
		t.Errorf("%d requests were lost with the replica, and it can't have had more than %d", lost, most)
	}
	tr.phase("after it", func() { time.Sleep(2 * time.Second) })

	tr.incident("a replica hangs", func() {
		hung := s.one("backend")
		s.exec(hung, stopProcesses("python"))
		s.docker("kill", "--signal", "STOP", hung)
		s.waitUnhealthy(hung)
		if runtime == "containers" { // where nothing but an `up` looks at it
			s.up()
		}
		s.waitStopped(hung)
		s.whole("backend", 2)
	})
	tr.phase("after it", func() { time.Sleep(2 * time.Second) })

	before := time.Now()
	tr.incident("nginx is replaced", func() { s.config("nginx.memory", "160m"); s.foretold() })
	gap := tr.gap(before)
	t.Logf("nginx is replaced: nobody listened for %.1f s", gap.Seconds())
	if gap > longestGap {
		t.Errorf("nobody listened for %s; docs/rollouts.md promises %s", gap, longestGap)
	}

	for _, victim := range []string{"CLI", "plugin"} {
		tr.phase("up whose "+victim+" is killed", func() { s.killed(victim) })
		tr.phase("the next up", func() { s.up() })
		s.whole("backend", 2)
		s.unchanged()
	}
	// As an `up` leaves it that was killed while it made nginx.
	tr.incident("nginx is not in the state", func() {
		s.mustRun("state", "delete", "--yes", s.urn("nginx"))
		if said := s.up(); !strings.Contains(said, "interrupted") {
			t.Errorf("nothing says that there was another nginx:\n%s", said)
		}
	})
	s.unchanged()
	if command := os.Getenv("ROLLOUT_RESTART_ENGINE"); command == "" {
		t.Log("NOT PROVEN here: that all comes back after a crash of the engine (ROLLOUT_RESTART_ENGINE=test/crash-engine.sh, with its whole path)")
	} else {
		tr.incident("the engine restarts", func() {
			if said, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("ROLLOUT_RESTART_ENGINE: %v: %s", err, said)
			}
			s.whole("backend", 2)
			s.whole("nginx", 1)
			time.Sleep(5 * time.Second)
		})
		tr.phase("after it", func() { time.Sleep(2 * time.Second); s.up() })
	}
	tr.end(s.volume("data"), image)
}

// inHand is the share of a second's requests that a replica may have begun.
const inHand = 8

// longestGap is what a replaced nginx may cost, docs/rollouts.md.
const longestGap = 8 * time.Second

// stopProcesses stops the processes whose names begin so, but process 1, which is the
// engine's to stop, and the shell that makes the health check, which no fault of a program
// stops.
func stopProcesses(name string) string {
	return `for p in /proc/[0-9]*; do read -r name <"$p/comm" && case $name in ` + name + `*) kill -STOP "${p#/proc/}" ;; esac; done`
}

// lockDatabase holds the database's write lock.
func (s *stack) lockDatabase(image string, seconds int) {
	s.t.Helper()
	const script = `import sqlite3, sys, time
db = sqlite3.connect("/app/data/prod.db", isolation_level=None, timeout=30)
db.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[1]))
db.execute("ROLLBACK")`
	s.docker("run", "--rm", "--network", "none", "--user", "10001:10001", "--volume", s.volume("data")+":/app/data",
		image, "python", "-c", script, fmt.Sprint(seconds))
}

// one of a workload's containers.
func (s *stack) one(workload string) string {
	s.t.Helper()
	for id := range s.containers(workload) {
		return id
	}
	s.t.Fatalf("there is no %s", workload)
	return ""
}

// exec runs a shell command in a container that it may kill.
func (s *stack) exec(id, command string) {
	s.t.Helper()
	if said, err := exec.Command("docker", "exec", id, "sh", "-c", command).CombinedOutput(); err != nil && !strings.Contains(err.Error(), "exit status 137") {
		s.t.Fatalf("docker exec %s: %v: %s", command, err, said)
	}
}

// killOne kills a container of a workload, and returns when there is another one.
func (s *stack) killOne(runtime, workload string, count int) {
	s.t.Helper()
	killed, at := s.one(workload), time.Now()
	if runtime == "containers" {
		s.exec(killed, "kill -KILL -1") // killed from outside, Docker takes it for wanted
	} else {
		s.docker("kill", killed)
	}
	s.begunAfter(workload, at)
	s.whole(workload, count)
}

// whole waits until a workload has so many healthy containers, and no other.
func (s *stack) whole(workload string, count int) {
	s.t.Helper()
	var states []string
	for range 120 {
		states = nil
		healthy := 0
		for _, c := range s.containers(workload) {
			if c.State.Health != nil && c.State.Health.Status == "healthy" {
				healthy++
			}
			states = append(states, c.Name+" "+c.State.Status)
		}
		if healthy == count && len(states) == count {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	s.t.Errorf("%s: %v, want %d that are healthy", workload, states, count)
}

// begunAfter waits until one of a workload's containers has started since then.
func (s *stack) begunAfter(workload string, then time.Time) {
	s.t.Helper()
	for range 120 {
		for _, c := range s.containers(workload) {
			if at, err := time.Parse(time.RFC3339Nano, c.State.StartedAt); err == nil && at.After(then) {
				return
			}
		}
		time.Sleep(250 * time.Millisecond)
	}
	s.t.Errorf("no %s has started since %s", workload, then)
}

// waitUnhealthy takes what docs/operating.md says at most: 15 s until the next check, three
// that take 10 s, and 2 s after each of two.
func (s *stack) waitUnhealthy(id string) {
	s.t.Helper()
	hung := time.Now()
	defer func() { s.t.Logf("found unhealthy after %.1f s", time.Since(hung).Seconds()) }()
	for time.Since(hung) < 60*time.Second {
		if c, there := s.containers("backend")[id]; !there || c.State.Health.Status == "unhealthy" {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	s.t.Errorf("%s hangs and is not found unhealthy", id)
}

// waitStopped waits until a container has ended, or has been started again.
func (s *stack) waitStopped(id string) {
	s.t.Helper()
	for range 120 {
		if c, there := s.containers("backend")[id]; !there || c.State.Health.Status != "unhealthy" {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	s.t.Errorf("%s hangs and is not stopped", id)
}

// urn names the resource of a workload with one replica in the state.
func (s *stack) urn(workload string) string {
	s.t.Helper()
	for line := range strings.Lines(s.mustRun("stack", "--show-urns", "--show-ids")) {
		line = strings.TrimSpace(line)
		if _, urn, found := strings.Cut(line, "URN: "); found && (strings.HasSuffix(urn, "::"+s.prefix()+"-"+workload) || strings.HasSuffix(urn, "::"+s.prefix()+"-"+workload+"-1")) {
			return urn
		}
	}
	s.t.Fatalf("no %s in the state", workload)
	return ""
}

// killed is an `up` of a new release that loses the CLI or the Docker plugin when
// its first container is there.
func (s *stack) killed(victim string) {
	t := s.t
	t.Helper()
	s.edit("tarot/__init__.py", func(code string) string { return code + "# killed: " + victim + "\n" })
	before := s.ids("backend")
	candidate := s.ids("candidate")
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	up := exec.CommandContext(ctx, "pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", s.name)
	up.Dir, up.Env = s.dir, s.env
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	started := false
	for !started && len(ended) == 0 {
		for _, workload := range []string{"backend", "candidate"} {
			for id := range s.ids(workload) {
				started = started || !before[id] && !candidate[id]
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	if victim == "CLI" {
		_ = up.Process.Kill()
	} else if said, err := exec.Command("pkill", "-KILL", "-f", "-P", fmt.Sprint(up.Process.Pid), "pulumi-resource-docker").CombinedOutput(); err != nil {
		t.Fatalf("no plugin of %d: %v %s", up.Process.Pid, err, said)
	}
	if err := <-ended; err == nil || !started {
		t.Errorf("%v; no replica was started before the %s was killed, or the up succeeded", err, victim)
	}
	if victim == "CLI" {
		if said, err := s.run("up", "--yes", "--skip-preview"); err == nil || !strings.Contains(said, "pulumi cancel") {
			t.Errorf("the state of a killed CLI: %v, and nothing names `pulumi cancel`: %s", err, said)
		}
		s.mustRun("cancel", "--yes")
	}
}
