package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"

	"tarot-platform/internal/backup/journal"
)

// WritersOf are a stack's running programs that have one of the volumes, or are among the
// workloads: plain containers, and services of Swarm with their number of replicas. Sorted by their names.
func (e *Engine) WritersOf(ctx context.Context, prefix string, volumes, workloads []string) ([]journal.Stopped, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", WorkloadLabel))})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	var all []journal.Stopped
	for _, c := range found {
		_, task := c.Labels[taskLabel]
		_, job := c.Labels[AttemptLabel]
		if task || job || !hasOneOf(c, volumes) && !slices.Contains(workloads, c.Labels[WorkloadLabel]) {
			continue
		}
		now, err := e.api.ContainerInspect(ctx, c.ID)
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", name(c), err)
		}
		all = append(all, journal.Stopped{Workload: c.Labels[WorkloadLabel], Name: name(c), ID: c.ID, Policy: string(now.HostConfig.RestartPolicy.Name)})
	}
	services, err := e.stackServices(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list services: %w", e.Address, err)
	}
	for _, s := range services {
		spec, mode := s.Spec.TaskTemplate.ContainerSpec, s.Spec.Mode.Replicated
		if spec == nil || !slices.Contains(workloads, spec.Labels[WorkloadLabel]) && !slices.ContainsFunc(spec.Mounts, func(m mount.Mount) bool { return m.Type == mount.TypeVolume && slices.Contains(volumes, m.Source) }) {
			continue
		}
		if mode == nil || mode.Replicas == nil {
			return nil, fmt.Errorf("service %s has one of the volumes, and no number of replicas that could be set to 0", s.Spec.Name)
		}
		if *mode.Replicas > 0 {
			all = append(all, journal.Stopped{Workload: spec.Labels[WorkloadLabel], Name: s.Spec.Name, Replicas: int(*mode.Replicas)})
		}
	}
	return sorted(all), nil
}

func sorted(all []journal.Stopped) []journal.Stopped {
	slices.SortFunc(all, func(a, b journal.Stopped) int { return strings.Compare(a.Workload+" "+a.Name, b.Workload+" "+b.Name) })
	return all
}

func hasOneOf(c container.Summary, volumes []string) bool {
	return slices.ContainsFunc(c.Mounts, func(m container.MountPoint) bool {
		return m.Type == mount.TypeVolume && slices.Contains(volumes, m.Name)
	})
}

// Mounting are the running containers, of whatever stack or none but one, that have one of the
// volumes. Without a stack's name they are all.
func (e *Engine) Mounting(ctx context.Context, volumes []string, but string) ([]string, error) {
	if len(volumes) == 0 {
		return nil, nil
	}
	found, err := e.api.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	var all []string
	for _, c := range found {
		if hasOneOf(c, volumes) && (but == "" || c.Labels[StackLabel] != but) {
			all = append(all, name(c))
		}
	}
	slices.Sort(all)
	return all, nil
}

// tasksTime is how long the tasks of a service that is scaled may take to end, and to come.
const tasksTime = 3 * time.Minute

// StopWriters stops programs one workload after the other, each with its own time to end, and
// returns when none of them runs. The engine does not start them by itself then, also after a
// crash of it. What is stopped already, or gone, is no error.
func (e *Engine) StopWriters(ctx context.Context, all []journal.Stopped, tell func(string)) error {
	for _, group := range groups(all) {
		tell("stopping " + group[0].Workload)
		failures := make([]error, len(group))
		var each sync.WaitGroup
		for i, s := range group {
			each.Go(func() {
				if failures[i] = e.stopWriter(ctx, s); failures[i] != nil {
					failures[i] = fmt.Errorf("%s was not stopped: %w", s.Name, failures[i])
				}
			})
		}
		each.Wait()
		if err := errors.Join(failures...); err != nil {
			return err
		}
	}
	return nil
}

// groups are the programs by their workloads, in the order of the first of each.
func groups(all []journal.Stopped) [][]journal.Stopped {
	var groups [][]journal.Stopped
	at := map[string]int{}
	for _, s := range all {
		i, known := at[s.Workload]
		if !known {
			i = len(groups)
			at[s.Workload] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

func (e *Engine) stopWriter(ctx context.Context, s journal.Stopped) error {
	if s.ID == "" {
		if err := e.ScaleService(ctx, s.Name, 0); err != nil {
			return ignoreGone(err)
		}
		return e.awaitTasks(ctx, s.Name, 0)
	}
	c, err := e.api.ContainerInspect(ctx, s.ID)
	if err != nil {
		return ignoreGone(err)
	}
	grace := 10 * time.Second // the engine's own
	if c.Config != nil && c.Config.StopTimeout != nil {
		grace = time.Duration(*c.Config.StopTimeout) * time.Second
	}
	if err := e.StopContainer(ctx, s.ID, grace); err != nil {
		return err
	}
	if c, err = e.api.ContainerInspect(ctx, s.ID); err != nil {
		return ignoreGone(err)
	}
	if atWork(c) {
		return errors.New("it still runs")
	}
	return nil
}

// awaitTasks returns when that many tasks of a service run, and no others.
func (e *Engine) awaitTasks(ctx context.Context, service string, replicas int) error {
	var last int
	err := poll(ctx, tasksTime, func(ctx context.Context) (bool, error) {
		tasks, err := e.tasks(ctx, service)
		if err != nil {
			return false, err
		}
		last = 0
		others := 0
		for _, t := range tasks {
			switch {
			case t.DesiredState == swarm.TaskStateRunning && t.Status.State == swarm.TaskStateRunning:
				last++
			case working(t.Status.State):
				others++
			}
		}
		return last == replicas && others == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%d tasks of it run, not %d: %w%s", last, replicas, err, e.failedTaskLogs(ctx, service))
	}
	return nil
}

// working is true for a task that has a process, or may have one soon.
func working(s swarm.TaskState) bool {
	switch s {
	case swarm.TaskStatePreparing, swarm.TaskStateReady, swarm.TaskStateStarting, swarm.TaskStateRunning:
		return true
	}
	return false
}

// StartWriters starts what StopWriters has stopped, all at once, and returns when each is
// healthy, or runs where it has no check. Each is tried, whatever becomes of the others.
func (e *Engine) StartWriters(ctx context.Context, all []journal.Stopped, tell func(string)) error {
	return e.startWriters(ctx, all, tell, e.awaitWriter)
}

// BeginWriters starts them, and leaves the waiting to somebody else: to an `up`.
func (e *Engine) BeginWriters(ctx context.Context, all []journal.Stopped, tell func(string)) error {
	return e.startWriters(ctx, all, tell, func(context.Context, journal.Stopped) error { return nil })
}

func (e *Engine) startWriters(ctx context.Context, all []journal.Stopped, tell func(string), await func(context.Context, journal.Stopped) error) error {
	for _, group := range groups(all) {
		tell("starting " + group[0].Workload)
	}
	failures := make([]error, len(all))
	var each sync.WaitGroup
	for i, s := range all {
		each.Go(func() {
			if failures[i] = e.startWriter(ctx, s); failures[i] == nil {
				failures[i] = await(ctx, s)
			}
			if failures[i] != nil {
				failures[i] = fmt.Errorf("%s does not run: %w", s.Name, failures[i])
			}
		})
	}
	each.Wait()
	return errors.Join(failures...)
}

func (e *Engine) startWriter(ctx context.Context, s journal.Stopped) error {
	if s.ID == "" {
		return e.ScaleService(ctx, s.Name, s.Replicas)
	}
	if err := e.restart(ctx, s.ID, container.RestartPolicyMode(s.Policy)); err != nil {
		return err
	}
	return e.api.ContainerStart(ctx, s.ID, container.StartOptions{})
}

func (e *Engine) awaitWriter(ctx context.Context, s journal.Stopped) error {
	if s.ID == "" {
		return e.awaitTasks(ctx, s.Name, s.Replicas)
	}
	if err := e.awaitHealthy(ctx, s.ID); err != nil {
		return fmt.Errorf("%w%s", err, e.Logs(ctx, s.ID))
	}
	return nil
}

// steady is how long what has no health check has to run.
const steady = 2 * time.Second

// awaitHealthy returns when a container that was started is healthy, in the time that its own
// health check gives it.
func (e *Engine) awaitHealthy(ctx context.Context, id string) error {
	c, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	within := time.Minute
	if check := c.Config.Healthcheck; check != nil {
		within += check.StartPeriod + time.Duration(check.Retries+1)*(check.Interval+check.Timeout)
	}
	return poll(ctx, within, func(ctx context.Context) (bool, error) {
		c, err := e.api.ContainerInspect(ctx, id)
		switch {
		case err != nil:
			return false, err
		case c.State.Status == container.StateExited || c.State.Status == container.StateDead:
			return false, fmt.Errorf("it has ended: exit code %d", c.State.ExitCode)
		case c.State.Health == nil || c.State.Health.Status == container.NoHealthcheck:
			return c.State.Running && e.since(startedAt(c.State)) >= steady, nil
		case c.State.Health.Status == container.Unhealthy:
			return false, fmt.Errorf("it is unhealthy%s", saidByCheck(c.State))
		}
		return c.State.Running && c.State.Health.Status == container.Healthy, nil
	})
}

// JobEnded is true where the engine has a container of a stack's job, which has ended.
func (e *Engine) JobEnded(ctx context.Context, prefix, job string) (bool, error) {
	_, there, err := e.lastJob(ctx, prefix, job)
	return there, err
}

// RunAgain runs a stack's job once more, in the container of its last run.
func (e *Engine) RunAgain(ctx context.Context, prefix, job string, within time.Duration) error {
	last, there, err := e.lastJob(ctx, prefix, job)
	if err == nil && !there {
		err = errors.New("no container of it that has ended is on this engine")
	}
	if err == nil {
		err = e.api.ContainerStart(ctx, last.ID, container.StartOptions{})
	}
	if err == nil {
		err = e.AwaitJob(ctx, last.ID, within)
	}
	if err != nil {
		return fmt.Errorf("job %s: %w", job, err)
	}
	return nil
}

func (e *Engine) lastJob(ctx context.Context, prefix, job string) (last container.Summary, there bool, err error) {
	found, err := e.workload(ctx, prefix, job, true)
	for _, c := range found {
		if c.State == container.StateExited && (!there || c.Created > last.Created) {
			last, there = c, true
		}
	}
	return last, there, err
}
