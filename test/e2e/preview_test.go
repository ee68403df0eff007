//go:build e2e

package e2e

import (
	"context"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// foretold is an `up`, and fails where it does something else than the preview
// before it said: restart a workload, new ones first or not, or leave it alone.
func (s *stack) foretold() {
	s.t.Helper()
	workloads := []string{"backend", "nginx"}
	before := map[string]map[string]bool{}
	for _, w := range workloads {
		before[w] = s.ids(w)
	}
	said := s.mustRun("preview")
	least := s.watch(workloads, s.up)
	for _, w := range workloads {
		_, fate, told := strings.Cut(said, w+": ")
		fate, _, _ = strings.Cut(fate, "\n")
		restarts, stays := strings.HasPrefix(fate, "restarts"), strings.HasPrefix(fate, "is not restarted")
		if !told || restarts == stays {
			s.t.Errorf("the preview does not say whether %s restarts: %q", w, said)
			continue
		}
		time.Sleep(time.Second) // a task that is taken away is on its way out
		kept, made := 0, 0
		now := s.ids(w)
		for id := range now {
			if before[w][id] {
				kept++
			} else {
				made++
			}
		}
		s.t.Logf("the preview said %s %s; %d were made, %d were kept, %d ran at the least", w, fate, made, kept, least[w])
		if first := strings.HasPrefix(fate, "restarts, new ones first"); restarts && first != (least[w] > 0) {
			s.t.Errorf("the preview said that %s %s; at the least %d containers ran", w, fate, least[w])
		}
		if restarts && made == 0 || stays && made > max(0, len(now)-len(before[w])) {
			s.t.Errorf("the preview said that %s %s; %d containers were made, and %d kept", w, fate, made, kept)
		}
	}
}

// watch does something, and returns how many containers of each workload ran meanwhile
// at the least.
func (s *stack) watch(workloads []string, do func() string) map[string]int {
	s.t.Helper()
	least := map[string]int{}
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			for _, w := range workloads {
				found, err := api(s.t).ContainerList(context.Background(), container.ListOptions{Filters: filters.NewArgs(
					filters.Arg("label", "tarot.stack="+s.prefix()), filters.Arg("label", "tarot.workload="+w))})
				if before, seen := least[w]; err == nil && (!seen || len(found) < before) {
					least[w] = len(found)
				}
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	do()
	close(done)
	<-watched
	return least
}

func (s *stack) ids(workload string) map[string]bool {
	all := map[string]bool{}
	for id := range s.containers(workload) {
		all[id] = true
	}
	return all
}
