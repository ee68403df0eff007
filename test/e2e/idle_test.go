//go:build e2e && cost

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// TestIdleCost measures what prod costs while nobody asks it anything, in processor time:
// `make bench-idle`. All that runs in its containers, and what the engine does for them,
// with 3 replicas and with 6. The engine's own processes are measured before, too: nothing
// else may use it meanwhile.
//
//suite:cost
func TestIdleCost(t *testing.T) {
	seconds := number(t, "IDLE_SECONDS", 300)
	engine := spent{}
	engine.since(t, nil, seconds)
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

// since fills in what was used in the next seconds: by the containers of the stack, by the
// engine's process of each (it starts the health checks), and by the engine itself.
func (p spent) since(t *testing.T, s *stack, seconds int) {
	t.Helper()
	workloads := map[string]string{}
	if s != nil {
		list, err := api(t).ContainerList(t.Context(), container.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if c.Labels["tarot.stack"] == s.prefix() {
				workloads[c.ID] = c.Labels["tarot.workload"]
			}
		}
	}
	before := processorTime(t, workloads)
	began := time.Now()
	time.Sleep(time.Duration(seconds) * time.Second)
	after := processorTime(t, workloads)
	for part := range after {
		p[part] = 100 * (after[part] - before[part]) / time.Since(began).Seconds()
	}
}

// processorTime is in seconds, by part.
func processorTime(t *testing.T, workloads map[string]string) map[string]float64 {
	t.Helper()
	parts := map[string]float64{}
	for id, workload := range workloads {
		answer, err := api(t).ContainerStatsOneShot(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		var stats container.StatsResponse
		err = json.NewDecoder(answer.Body).Decode(&stats)
		_ = answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		parts[workload] += float64(stats.CPUStats.CPUUsage.TotalUsage) / 1e9
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range processes {
		text, _ := os.ReadFile(file) // it may have ended
		words := strings.Split(string(text), "\x00")
		name := filepath.Base(words[0])
		switch {
		case name == "dockerd" || name == "containerd":
			parts[name] += ofProcess(filepath.Dir(file))
		case strings.HasPrefix(name, "containerd-shim"):
			for id, workload := range workloads {
				if slices.Contains(words, id) {
					parts["the engine's, for "+workload] += ofProcess(filepath.Dir(file))
				}
			}
		}
	}
	if parts["dockerd"] == 0 {
		t.Fatal("there is no dockerd on this machine")
	}
	return parts
}

// ofProcess is the time of a process and of those that it has waited for, in seconds.
func ofProcess(folder string) float64 {
	text, _ := os.ReadFile(filepath.Join(folder, "stat"))
	_, after, _ := strings.Cut(string(text), ") ")
	sum := 0.0
	for i, field := range strings.Fields(after) {
		if i >= 11 && i <= 14 { // utime, stime, cutime, cstime
			ticks, _ := strconv.ParseFloat(field, 64)
			sum += ticks / 100
		}
	}
	return sum
}
