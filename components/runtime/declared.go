package runtime

import (
	"fmt"
	"maps"
	"sync"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/state"
)

// declared is what the program has declared so far.
type declared struct {
	mu         sync.Mutex
	containers []*docker.Container
	jobs       pulumi.StringMap
}

func (d *declared) container(c *docker.Container) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.containers = append(d.containers, c)
}

func (d *declared) job(name string, c *docker.Container) {
	d.container(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jobs == nil {
		d.jobs = pulumi.StringMap{}
	}
	d.jobs[name] = c.ID().ToStringOutput()
}

// Declared implements Runtime.
func (s Stack) Declared(ctx *pulumi.Context) ([]string, error) {
	var ids []string
	for _, c := range s.declared.containers {
		id, err := idOf(ctx, c)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// JobRuns implements Runtime.
//
// A job's container has nothing to do any more once it has ended, and `docker system
// prune` takes it away. So a deploy that has succeeded writes down which jobs have ended
// well, in Pulumi's state: what is gone and written down there does not run again. What is
// gone and not written down may have failed, and does.
func (s Stack) JobRuns() pulumi.StringMap {
	s.declared.mu.Lock()
	defer s.declared.mu.Unlock()
	return maps.Clone(s.declared.jobs)
}

// before is what Pulumi's state knows of a job; the zero one where it knows none.
func (s Stack) before(ctx *pulumi.Context, job string) (state.Job, error) {
	if s.Jobs == nil {
		return state.Job{}, nil
	}
	all, err := s.Jobs(ctx.Context())
	if err != nil {
		return state.Job{}, fmt.Errorf("no container of it is on the engine, and whether there was one can not be asked: %w", err)
	}
	return all[job], nil
}
