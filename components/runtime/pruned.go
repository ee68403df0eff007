package runtime

import (
	"fmt"
	"sync"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/state"
)

// A task's container has nothing to do any more once it has ended, and `docker system
// prune` takes it away. So a deploy that has succeeded writes down which tasks have ended
// well, in Pulumi's state: what is gone and written down there does not run again. What is
// gone and not written down may have failed, and does.

// tasks are the one-shot tasks that the program has declared.
type tasks struct {
	mu  sync.Mutex
	ids pulumi.StringMap
}

func (t *tasks) add(name string, container *docker.Container) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ids == nil {
		t.ids = pulumi.StringMap{}
	}
	t.ids[name] = container.ID().ToStringOutput()
}

// Tasks are the ids of the containers of the one-shot tasks that were declared, by the
// tasks' names: to be registered under state.TasksOutput when all of them have ended well.
func (s Stack) Tasks() pulumi.StringMap {
	s.tasks.mu.Lock()
	defer s.tasks.mu.Unlock()
	return s.tasks.ids
}

// before is what Pulumi's state knows of a task; the zero one where it knows none.
func (s Stack) before(ctx *pulumi.Context, task string) (state.Task, error) {
	if s.Before == nil {
		return state.Task{}, nil
	}
	all, err := s.Before(ctx.Context())
	if err != nil {
		return state.Task{}, fmt.Errorf("no container of it is on the engine, and whether there was one can not be asked: %w", err)
	}
	return all[task], nil
}
