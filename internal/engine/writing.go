package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// Writer is what may write to a volume while it runs.
type Writer struct {
	// Name is the container's, or the service's, and ID the container's; empty: it is a service.
	Name, ID string
	// Replicas is how many tasks the service is to have.
	Replicas int
	// Stack is the one that it belongs to; empty: none.
	Stack string
	// Job is true for what runs to its end.
	Job bool
}

// Writers are those of a volume that run on this engine, sorted by their names.
func (e *Engine) Writers(ctx context.Context, volume string) ([]Writer, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("volume", volume))})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	all := map[string]Writer{}
	for _, c := range found {
		if !slices.ContainsFunc(c.Mounts, func(m container.MountPoint) bool { return m.Name == volume && m.RW }) {
			continue
		}
		_, job := c.Labels[AttemptLabel]
		w := Writer{Name: name(c), ID: c.ID, Stack: c.Labels[StackLabel], Job: job}
		if c.Labels[swarmService] != "" {
			service, err := e.service(ctx, w.Name)
			if err != nil {
				return nil, fmt.Errorf("service %s: %w", w.Name, err)
			}
			mode := service.Spec.Mode.Replicated
			if mode == nil || mode.Replicas == nil {
				return nil, fmt.Errorf("service %s has a task on each node, and can't be stopped", w.Name)
			}
			w.ID, w.Replicas = "", int(*mode.Replicas)
		}
		all[w.Name] = w
	}
	var sorted []Writer
	for _, w := range all {
		sorted = append(sorted, w)
	}
	slices.SortFunc(sorted, func(a, b Writer) int { return strings.Compare(a.Name, b.Name) })
	return sorted, nil
}

// Halt stops writers, all together, each within its own time, and returns when none of them
// writes any more. They stay stopped, also where the engine starts anew, until Resume, or an
// update of their stack.
func (e *Engine) Halt(ctx context.Context, all []Writer) error {
	return together(all, func(w Writer) error {
		if w.ID == "" {
			if err := e.ScaleService(ctx, w.Name, 0); err != nil {
				return err
			}
			service, err := e.service(ctx, w.Name)
			if err != nil {
				return err
			}
			return e.awaitNoTasks(ctx, service)
		}
		return errors.Join(e.restart(ctx, w.ID, container.RestartPolicyDisabled), e.api.ContainerStop(ctx, w.ID, container.StopOptions{}))
	})
}

// Resume starts what Halt has stopped.
func (e *Engine) Resume(ctx context.Context, all []Writer) error {
	return together(all, func(w Writer) error {
		if w.ID == "" {
			return e.ScaleService(ctx, w.Name, w.Replicas)
		}
		return errors.Join(e.restart(ctx, w.ID, Restart), e.api.ContainerStart(ctx, w.ID, container.StartOptions{}))
	})
}

func together(all []Writer, do func(Writer) error) error {
	failures := make([]error, len(all))
	var at sync.WaitGroup
	for i, w := range all {
		at.Go(func() {
			if err := do(w); err != nil {
				failures[i] = fmt.Errorf("%s: %w", w.Name, err)
			}
		})
	}
	at.Wait()
	return errors.Join(failures...)
}
