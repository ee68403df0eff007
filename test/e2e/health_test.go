//go:build e2e

package e2e

import (
	"time"

	"github.com/docker/docker/api/types/container"
)

const (
	// firstCheck is the interval of 2 s, on a machine that is slow.
	firstCheck = 30 * time.Second
	// A hold is five minutes (components/runtime/health.go), nginx's is two, and may take a little longer.
	shortestHold, longestHold = 100 * time.Second, 5*time.Minute + 30*time.Second
	// holdShows is the time in which the engine would have started more checks, had it to.
	holdShows = 10 * time.Second
	// mostLogged is how many results the engine remembers.
	mostLogged = 5
)

// checkHealthStarts: the engine asks a new replica as soon as ever, and while a check
// passes it does not start it again and again: a start costs far more than what it asks.
func (s *stack) checkHealthStarts(workload string) {
	s.t.Helper()
	for _, c := range s.containers(workload) {
		for began := time.Now(); time.Since(firstPassed(c)) < holdShows && time.Since(began) < 2*time.Minute; c = s.containers(workload)[c.ID] {
			time.Sleep(time.Second)
		}
		if firstPassed(c).After(time.Now().Add(-holdShows)) {
			s.t.Errorf("no check of %s has passed", workload)
			continue
		}
		log := c.State.Health.Log
		began, err := time.Parse(time.RFC3339Nano, c.State.StartedAt)
		if first := log[0].Start.Sub(began); err != nil || len(log) < mostLogged && first > firstCheck {
			s.t.Errorf("%s: the first check began %s after the container, %v", c.Name, first, err)
		}
		for i, now := range log {
			// One that was cut off (the container was paused) leaves no result, and no mark.
			cutOff := i > 0 && now.Start.Sub(log[i-1].End) > firstCheck
			if took := now.End.Sub(now.Start); i > 0 && !cutOff && log[i-1].ExitCode == 0 && now.ExitCode == 0 && took < shortestHold {
				s.t.Errorf("%s: after a check that had passed, one was over within %s", c.Name, took)
			}
		}
		if since := time.Since(log[len(log)-1].End); since > longestHold {
			s.t.Errorf("%s: no answer for %s", c.Name, since)
		}
	}
}

// firstPassed is when the first check has passed that the engine remembers; now, where
// none has.
func firstPassed(c container.InspectResponse) time.Time {
	if c.ContainerJSONBase != nil && c.State.Health != nil {
		for _, result := range c.State.Health.Log {
			if result.ExitCode == 0 {
				return result.End
			}
		}
	}
	return time.Now()
}
