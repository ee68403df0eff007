//go:build e2e && cost

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestIdleCost measures what prod costs while nobody asks it anything, in processor time:
// `make bench-idle`. A health check is held for 300 s: shorter windows have more or fewer of
// the engine's starts in them. All that runs in its containers, and what the engine does for them,
// with 3 replicas and with 6. The engine's own processes are measured before, too: nothing
// else may use it meanwhile.
//
//suite:cost
func TestIdleCost(t *testing.T) {
	seconds := number(t, "IDLE_SECONDS", 300)
	engine := spent{}
	engine.since(t, nil, min(seconds, 60)) // it does the same all the time
	t.Logf("the engine without the stack: %.2f %% of a core", engine.all())
	s := prodStack(t, map[string]any{"runtime": "swarm", "monitoring.enabled": true, "networks.isolated": true})
	used := map[int]float64{}
	for _, replicas := range []int{3, 6} {
		s.config("backend.replicas", replicas)
		s.up()
		s.waitFor("backend", replicas)
		time.Sleep(30 * time.Second) // what a start costs is no idling
		now := spent{}
		now.since(t, s, seconds)
		for _, part := range slices.Sorted(maps.Keys(now)) {
			t.Logf("%d replicas: %-24s %.2f %%", replicas, part, now[part])
		}
		used[replicas] = now.all() - engine.all()
		t.Logf("%d replicas: all of it %.2f %% of a core, without what the engine needs anyway", replicas, used[replicas])
	}
	further := (used[6] - used[3]) / 3
	t.Logf("a further replica: %.2f %%", further)
	if most := 5.0; used[3] > most {
		t.Errorf("prod with 3 replicas and monitoring uses %.2f %% of a core, want at most %.1f", used[3], most)
	}
	if most := 0.5; further > most {
		t.Errorf("a further replica uses %.2f %% of a core, want at most %.1f", further, most)
	}
}

// spent is the processor time of each part, in percent of a core.
type spent map[string]float64

func (p spent) all() float64 {
	sum := 0.0
	for _, part := range p {
		sum += part
	}
	return sum
}

// since fills in what was used in the next seconds: by the program of each container of the
// stack, by what the engine starts and does for it (the health checks), and by the engine itself.
func (p spent) since(t *testing.T, s *stack, seconds int) {
	t.Helper()
	programs := map[int]string{}
	if s != nil {
		for workload := range s.outputs()["services"].(map[string]any) {
			for _, c := range s.containers(workload) {
				programs[c.State.Pid] = workload
			}
		}
	}
	before := processorTime(t, programs)
	began := time.Now()
	time.Sleep(time.Duration(seconds) * time.Second)
	after := processorTime(t, programs)
	for part := range after {
		p[part] = 100 * (after[part] - before[part]) / time.Since(began).Seconds()
	}
}

// processorTime is in seconds, by part. A container's processes are descendants of its shim,
// which waits for what the engine starts in it, too. Each second is counted once: by a
// process that lives, or by the one that has waited for it.
func processorTime(t *testing.T, programs map[int]string) map[string]float64 {
	t.Helper()
	all := processes(t)
	children := map[int][]int{}
	for id, p := range all {
		children[p.parent] = append(children[p.parent], id)
	}
	var tree func(id int) float64
	tree = func(id int) float64 {
		sum := all[id].seconds
		for _, child := range children[id] {
			sum += tree(child)
		}
		return sum
	}
	parts := map[string]float64{}
	for id, workload := range programs {
		if _, runs := all[id]; !runs {
			t.Fatalf("a container of %s has ended", workload)
		}
		program := tree(id)
		parts[workload] += program
		parts["checks and engine, for "+workload] += tree(all[id].parent) - program
	}
	for _, p := range all {
		if p.name == "dockerd" || p.name == "containerd" {
			parts[p.name] += p.seconds
		}
	}
	if parts["dockerd"] == 0 {
		t.Fatal("there is no dockerd on this machine")
	}
	return parts
}

type process struct {
	name    string
	parent  int
	seconds float64 // its own, and those of children that it has waited for
}

// processes are all of the machine, by their ids.
func processes(t *testing.T) map[int]process {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]process{}
	for _, file := range files {
		text, _ := os.ReadFile(file) // it may have ended
		head, tail, whole := strings.Cut(string(text), ") ")
		fields := strings.Fields(tail)
		if !whole || len(fields) < 15 {
			continue
		}
		number, name, _ := strings.Cut(head, " (")
		id, _ := strconv.Atoi(number)
		p := process{name: name}
		p.parent, _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, _ := strconv.ParseFloat(field, 64)
			p.seconds += ticks / 100
		}
		all[id] = p
	}
	return all
}
