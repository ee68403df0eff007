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

// Sweep stops and removes the stack's containers but for the kept ones and
// Swarm's, all together. Each has its own time to stop.
func (e *Engine) Sweep(ctx context.Context, prefix string, keep []string) error {
	ctx = context.WithoutCancel(ctx)
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
	if err != nil {
		return err
	}
	failures := make([]error, len(found))
	var all sync.WaitGroup
	for i, c := range found {
		if _, task := c.Labels[taskLabel]; task || slices.Contains(keep, c.ID) {
			continue
		}
		all.Go(func() {
			err := e.api.ContainerStop(ctx, c.ID, container.StopOptions{})
			if err == nil {
				err = e.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
			}
			if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) { // a conflict: somebody else removes it
				failures[i] = fmt.Errorf("container %s: %w", name(c), err)
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

// RemoveNetwork is the same for a network. One that is in use stays, and is an
// error.
func (e *Engine) RemoveNetwork(ctx context.Context, prefix, name string) (bool, error) {
	n, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
	if errdefs.IsNotFound(err) || err == nil && n.Labels[StackLabel] != prefix {
		return false, nil
	}
	if err == nil {
		err = e.api.NetworkRemove(ctx, n.ID)
	}
	return err == nil, err
}
