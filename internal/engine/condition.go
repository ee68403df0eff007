package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// Condition is how a workload does as the engine knows it, whatever it answers itself.
type Condition struct {
	// There is true where it has a container, whether that runs or not.
	There bool
	// Broken is true where it is there and none of its containers runs well: they have
	// ended, crash again and again, are unhealthy, or have yet to become healthy.
	Broken bool
	// Stopped is true where it is broken, and the engine starts none by itself.
	Stopped bool
	// Says is each container's state, for people.
	Says string
}

// Condition is a workload's.
func (e *Engine) Condition(ctx context.Context, prefix, workload string) (Condition, error) {
	found, err := e.workload(ctx, prefix, workload, true)
	if err != nil {
		return Condition{}, err
	}
	all := Condition{There: len(found) > 0, Broken: len(found) > 0, Stopped: len(found) > 0}
	var says []string
	for _, c := range found {
		says = append(says, name(c)+": "+strings.ToLower(c.Status))
		if c.State == container.StatePaused || c.State == container.StateRunning && !unhealthy(c) && !starting(c) {
			all.Broken = false
		}
		if _, task := c.Labels[taskLabel]; task || c.State == container.StateRunning || c.State == container.StateRestarting || c.State == container.StatePaused {
			all.Stopped = false
		}
	}
	all.Says = strings.Join(says, ", ")
	return all, nil
}

// A list has the health in words only.
func unhealthy(c container.Summary) bool { return strings.Contains(c.Status, "(unhealthy)") }
func starting(c container.Summary) bool  { return strings.Contains(c.Status, "(health: starting)") }

// Revive restarts those of a workload's containers that are unhealthy. Swarm does that
// by itself.
func (e *Engine) Revive(ctx context.Context, prefix, workload string) error {
	found, err := e.workload(ctx, prefix, workload, false)
	failures := []error{err}
	for _, c := range found {
		if _, task := c.Labels[taskLabel]; task || !unhealthy(c) {
			continue
		}
		if err := e.api.ContainerRestart(context.WithoutCancel(ctx), c.ID, container.StopOptions{}); err != nil {
			failures = append(failures, fmt.Errorf("restart %s: %w", name(c), err))
		}
	}
	return errors.Join(failures...)
}
