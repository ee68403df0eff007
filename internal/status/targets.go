package status

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// measurer is the workload that tells of all others' CPU and memory, and what Prometheus
// calls it.
const measurer = "cadvisor"

// seen is what Prometheus has data of.
type seen struct {
	// answering is how many targets of a job answer, and measured how many containers
	// of a workload cAdvisor has told of.
	answering, measured map[string]int
	// incomplete are the jobs of which something is missing that alerts need, by the
	// rule that says so at length.
	incomplete []string
}

const seenQuery = `count by (job) (up == 1) or count by (workload) (container_start_time_seconds{job="cadvisor"}) or ALERTS{alertname="TargetDown",alertstate="pending"}`

// settled is the age at which a container has been asked for its metrics, and at which
// Prometheus has forgotten what was in its place (a minute, and the next evaluation of the
// rules), with some room.
const settled = 90 * time.Second

// targets says which of the stack's parts are healthy, and have no data in the
// monitoring: alerts about them would stay silent. silenced are jobs of which the
// operator has said that there is none to be had. While a container is new, it asks
// again: it is no problem that it has not been asked yet.
func (s *Status) targets(ctx context.Context, prefix string, silenced []string, docker Engine) {
	begin := time.Now()
	for {
		found, err := see(ctx, prefix, docker)
		if err != nil {
			s.problem("it can't be seen what the monitoring has data of: %v", err)
			return
		}
		missing := s.unseen(found, silenced)
		if len(missing) == 0 {
			return
		}
		if time.Since(begin) >= settled-s.youngest() || ctx.Err() != nil {
			for _, m := range missing {
				s.problem("%s", m)
			}
			return
		}
		time.Sleep(time.Second)
	}
}

// youngest is the age of the newest container.
func (s *Status) youngest() time.Duration {
	least := settled
	for _, w := range s.Workloads {
		for _, r := range w.Replicas {
			least = min(least, time.Duration(r.Seconds)*time.Second)
		}
	}
	return least
}

func see(ctx context.Context, prefix string, docker Engine) (seen, error) {
	samples, err := query(ctx, prefix, docker, seenQuery)
	found := seen{map[string]int{}, map[string]int{}, nil}
	for _, sample := range samples {
		switch job := sample.labels["job"]; {
		case sample.labels["alertname"] != "":
			found.incomplete = append(found.incomplete, job)
		case job != "":
			found.answering[job] = int(sample.value)
		default:
			found.measured[sample.labels["workload"]] = int(sample.value)
		}
	}
	return found, err
}

// unseen compares it with what is healthy; what isn't, is told anyway.
func (s *Status) unseen(found seen, silenced []string) []string {
	var missing, unmeasured []string
	for _, w := range s.Workloads {
		job := w.job
		if w.Wanted == 0 || w.Healthy == 0 || slices.Contains(silenced, job) {
			continue
		}
		if got := found.answering[job]; job != "" && got < min(w.Healthy, w.Wanted) {
			missing = append(missing, fmt.Sprintf("the monitoring has no metrics of %s: %d of %d answer Prometheus, so alerts about it stay silent", w.Name, got, w.Healthy))
		}
	}
	if found.answering[measurer] > 0 && !slices.Contains(silenced, measurer) {
		healthy := s.beside(measurer)
		for _, name := range slices.Sorted(maps.Keys(healthy)) {
			if found.measured[name] < healthy[name] {
				unmeasured = append(unmeasured, name)
			}
		}
	}
	if len(unmeasured) > 0 {
		missing = append(missing, fmt.Sprintf("the monitoring has no CPU and memory of containers of %s: cAdvisor runs, and does not see them; make logs SERVICE=cadvisor",
			strings.Join(unmeasured, ", ")))
	}
	for _, job := range found.incomplete {
		if !slices.Contains(silenced, job) {
			missing = append(missing, fmt.Sprintf("the monitoring gets no metrics of %s, or not all: TargetDown is pending", job))
		}
	}
	return missing
}

// beside is how many healthy replicas, of the workloads that are to run, are on the
// machine that the named one is on: it sees no other.
func (s *Status) beside(name string) map[string]int {
	node := ""
	for _, w := range s.Workloads {
		if w.Name == name && len(w.Replicas) > 0 {
			node = w.Replicas[0].Node
		}
	}
	count := map[string]int{}
	for _, w := range s.Workloads {
		for _, r := range w.Replicas {
			if w.Wanted > 0 && r.State == "healthy" && r.Node == node {
				count[w.Name]++
			}
		}
	}
	return count
}
