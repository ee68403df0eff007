package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"tarot-platform/internal/audit"
)

// mostProcesses is the limit of a container's processes and threads, where the engine has one: far
// more than a server needs, and far fewer than a machine bears (the benchmark's 5.29).
const mostProcesses int64 = 4096

// Audited are the stack's containers on this engine, with the names of those that are elsewhere.
// What has ended in Swarm is left out: its successor is asked.
func (e *Engine) Audited(ctx context.Context, prefix string) (subjects []audit.Subject, elsewhere []string, err error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
	if err != nil {
		return nil, nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	var here []Replica
	for _, c := range found {
		here = append(here, Replica{ID: c.ID})
	}
	all, err := e.withTasks(ctx, prefix, here)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range all {
		if r.ID == "" {
			elsewhere = append(elsewhere, r.Name+" on "+r.Node)
		}
	}
	for _, summary := range found {
		_, task := summary.Labels[taskLabel]
		if task && summary.State != container.StateRunning || summary.State == container.StateCreated { // never started: by it files get into a volume
			continue
		}
		c, err := e.api.ContainerInspect(ctx, summary.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("container %s: %w", summary.ID, err)
		}
		_, job := summary.Labels[AttemptLabel]
		_, once := summary.Labels[OnceLabel]
		subjects = append(subjects, audit.Subject{InspectResponse: c, Workload: summary.Labels[WorkloadLabel],
			Title: short(strings.TrimPrefix(c.Name, "/"), prefix), Job: job || once, Task: task})
	}
	slices.SortFunc(subjects, func(a, b audit.Subject) int { return strings.Compare(a.Title, b.Title) })
	return subjects, elsewhere, nil
}

// limitProcesses gives a container that has no limit of its processes one; the provider has no
// field for it. It takes effect while the container runs.
func (e *Engine) limitProcesses(ctx context.Context, c container.InspectResponse) error {
	if limit := c.HostConfig.PidsLimit; !e.Info.PidsLimit || limit != nil && *limit > 0 {
		return nil
	}
	most := mostProcesses
	_, err := e.api.ContainerUpdate(ctx, c.ID, container.UpdateConfig{Resources: container.Resources{PidsLimit: &most}})
	return err
}
