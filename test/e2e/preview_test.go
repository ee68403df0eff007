//go:build e2e

package e2e

import (
	"strings"
	"time"
)

// foretold is an `up`, and fails where it does something else than the preview
// before it said: restart a workload, or leave it alone.
func (s *stack) foretold() {
	s.t.Helper()
	workloads := []string{"backend", "nginx"}
	before := map[string]map[string]bool{}
	for _, w := range workloads {
		before[w] = s.ids(w)
	}
	said := s.mustRun("preview")
	s.up()
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
		s.t.Logf("the preview said %s %s; %d were made, %d were kept", w, fate, made, kept)
		if restarts && made == 0 || stays && made > max(0, len(now)-len(before[w])) {
			s.t.Errorf("the preview said that %s %s; %d containers were made, and %d kept", w, fate, made, kept)
		}
	}
}

func (s *stack) ids(workload string) map[string]bool {
	all := map[string]bool{}
	for id := range s.containers(workload) {
		all[id] = true
	}
	return all
}
