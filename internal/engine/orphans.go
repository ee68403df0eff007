package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// taskLabel is what Swarm puts on the containers that it manages.
const taskLabel = "com.docker.swarm.task.id"

// Orphan is a container of the stack that nobody has declared.
type Orphan struct{ ID, Name, Workload string }

// Orphans are the stack's containers but for the kept ones and Swarm's.
func (e *Engine) Orphans(ctx context.Context, prefix string, keep []string) ([]Orphan, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
	var all []Orphan
	for _, c := range found {
		if _, task := c.Labels[taskLabel]; !task && !slices.Contains(keep, c.ID) {
			all = append(all, Orphan{c.ID, name(c), c.Labels[WorkloadLabel]})
		}
	}
	return all, err
}

// Remove stops and removes containers, all together. Each has its own time to
// stop. One that is gone is no error.
func (e *Engine) Remove(ctx context.Context, orphans []Orphan) error {
	failures := make([]error, len(orphans))
	var all sync.WaitGroup
	for i, s := range orphans {
		all.Go(func() {
			err := e.api.ContainerStop(ctx, s.ID, container.StopOptions{})
			if err == nil {
				err = e.api.ContainerRemove(ctx, s.ID, container.RemoveOptions{Force: true})
			}
			if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) { // a conflict: somebody else removes it
				failures[i] = fmt.Errorf("container %s: %w", s.Name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// RemoveContainer removes the stack's container of that name; false where there
// is none, or it is not the stack's.
func (e *Engine) RemoveContainer(ctx context.Context, prefix, name string) (bool, error) {
	c, err := e.api.ContainerInspect(ctx, name)
	if errdefs.IsNotFound(err) || err == nil && c.Config.Labels[StackLabel] != prefix {
		return false, nil
	}
	if err == nil {
		err = e.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
	}
	return err == nil, err
}

// RemoveService is the same for a service.
func (e *Engine) RemoveService(ctx context.Context, prefix, name string) (bool, error) {
	s, _, err := e.api.ServiceInspectWithRaw(ctx, name, swarm.ServiceInspectOptions{})
	if errdefs.IsNotFound(err) || err == nil && s.Spec.Labels[StackLabel] != prefix {
		return false, nil
	}
	if err == nil {
		err = e.api.ServiceRemove(ctx, s.ID)
	}
	return err == nil, err
}

// HasNetwork is true where the stack has a network of that name.
func (e *Engine) HasNetwork(ctx context.Context, prefix, name string) (bool, error) {
	id, err := e.ownNetwork(ctx, prefix, name)
	return id != "", err
}

// ownNetwork is the id of the stack's network of that name; empty: there is none, or it
// is somebody else's.
func (e *Engine) ownNetwork(ctx context.Context, prefix, name string) (id string, err error) {
	n, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
	if errdefs.IsNotFound(err) || err == nil && n.Labels[StackLabel] != prefix {
		return "", nil
	}
	return n.ID, err
}

// RemoveNetwork is the same for a network. One that is in use stays, and is an
// error.
func (e *Engine) RemoveNetwork(ctx context.Context, prefix, name string) (bool, error) {
	id, err := e.ownNetwork(ctx, prefix, name)
	if err != nil || id == "" {
		return false, err
	}
	err = e.api.NetworkRemove(ctx, id)
	return err == nil, err
}
