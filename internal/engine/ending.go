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
	if e.Info.Swarm.LocalNodeState != swarm.LocalNodeStateActive || !e.Info.Swarm.ControlAvailable {
		return nil
	}
	services, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
	if err != nil {
		return err
	}
	var names []string
	within := endingTime
	for _, s := range services {
		if !going(strings.TrimPrefix(s.Spec.Name, prefix+"-")) {
			continue
		}
		if err := e.ScaleService(ctx, s.Spec.Name, 0); err != nil {
			return err
		}
		names = append(names, s.Spec.Name)
		if c := s.Spec.TaskTemplate.ContainerSpec; c != nil && c.StopGracePeriod != nil {
			within = max(within, endingTime+*c.StopGracePeriod)
		}
	}
	for _, name := range names {
		err := poll(ctx, within, func(ctx context.Context) (bool, error) {
			if _, err := e.service(ctx, name); errdefs.IsNotFound(err) {
				return true, nil // somebody else has removed it
			}
			tasks, err := e.tasks(ctx, name)
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
			return fmt.Errorf("service %s does not end: %w", name, err)
		}
	}
	return nil
}
