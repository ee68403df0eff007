package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// endingTime is how much longer than its programs may take Swarm may take to end a service's tasks.
const endingTime = time.Minute

// EndServices ends the tasks of those of the stack's Swarm services that are going: told are their
// names without the stack's prefix. It returns when no task is left; the services stay, without one.
//
// Pulumi's Docker provider waits for a task of a service that it removes for exactly as long as
// the task's program may take to end, so it gives up on each that takes that long (a shell as
// process 1, Node.js without a handler), has removed the service by then, and does not find it
// when it is told again.
func (e *Engine) EndServices(ctx context.Context, prefix string, going func(name string) bool) error {
	services, err := e.stackServices(ctx, prefix)
	if err != nil {
		return err
	}
	var ending []swarm.Service
	for _, s := range services {
		if !going(strings.TrimPrefix(s.Spec.Name, prefix+"-")) {
			continue
		}
		if err := e.ScaleService(ctx, s.Spec.Name, 0); err != nil {
			return err
		}
		ending = append(ending, s)
	}
	for _, s := range ending {
		if err := e.awaitNoTasks(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// awaitNoTasks returns when no task of a service that has been scaled to nothing is left.
func (e *Engine) awaitNoTasks(ctx context.Context, s swarm.Service) error {
	within := endingTime
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil && c.StopGracePeriod != nil {
		within += *c.StopGracePeriod
	}
	err := poll(ctx, within, func(ctx context.Context) (bool, error) {
		if _, err := e.service(ctx, s.Spec.Name); errdefs.IsNotFound(err) {
			return true, nil // somebody else has removed it
		}
		tasks, err := e.tasks(ctx, s.Spec.Name)
		if err != nil {
			return false, err
		}
		for _, t := range tasks {
			switch t.Status.State {
			case swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed, swarm.TaskStateRejected, swarm.TaskStateRemove, swarm.TaskStateOrphaned:
			default:
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("service %s does not end: %w", s.Spec.Name, err)
	}
	return nil
}

// stackServices are the stack's Swarm services; none where this engine manages no swarm.
func (e *Engine) stackServices(ctx context.Context, prefix string) ([]swarm.Service, error) {
	if e.Info.Swarm.LocalNodeState != swarm.LocalNodeStateActive || !e.Info.Swarm.ControlAvailable {
		return nil, nil
	}
	return e.api.ServiceList(ctx, swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
}
