package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// Labels of what a stack has on the engine, beside StackLabel.
const (
	WorkloadLabel = "tarot.workload"
	AttemptLabel  = "tarot.attempt"
)

// jobGrace is how long a job may take to end after SIGTERM.
const jobGrace = 10 * time.Second

// AwaitJob starts the container, if that was never done, and returns when it has ended with exit code 0, and an error
// with its last log lines when it has ended otherwise. One that does not end within
// the time is stopped, and has ended when the error is told: nothing may go on at
// the data behind the back of the next attempt.
func (e *Engine) AwaitJob(ctx context.Context, id string, within time.Duration) error {
	err := poll(ctx, within, func(ctx context.Context) (bool, error) {
		c, err := e.api.ContainerInspect(ctx, id)
		switch {
		case err != nil:
			return false, err
		case c.State.Status == container.StateCreated:
			return false, e.api.ContainerStart(ctx, id, container.StartOptions{})
		case c.State.Status != container.StateExited && c.State.Status != container.StateDead:
			return false, nil
		}
		return true, failure(c.State)
	})
	if errors.Is(err, errTime) && ctx.Err() == nil {
		err = errors.Join(fmt.Errorf("it did not end, and was stopped: %w", err), e.StopContainer(ctx, id, jobGrace))
	}
	if err != nil {
		return fmt.Errorf("%w%s", err, e.Logs(ctx, id))
	}
	return nil
}

// AwaitEarlier returns when no earlier run of a job is at work: an `up`
// that was killed leaves one that goes on, and two of them would change the same
// data at once. Each has the time that it had when it started; one that is still at
// work after that is stopped. tell is called with what is waited for.
func (e *Engine) AwaitEarlier(ctx context.Context, prefix, job string, within time.Duration, tell func(string)) error {
	found, err := e.workload(ctx, prefix, job, false)
	if err != nil {
		return err
	}
	for _, c := range found {
		if err := e.awaitEnd(ctx, c, within, tell); err != nil {
			return fmt.Errorf("its earlier run, the container %s: %w", name(c), err)
		}
	}
	return nil
}

func (e *Engine) awaitEnd(ctx context.Context, c container.Summary, within time.Duration, tell func(string)) error {
	now, err := e.api.ContainerInspect(ctx, c.ID)
	if errdefs.IsNotFound(err) || err == nil && !atWork(now) {
		return nil
	}
	if err != nil {
		return err
	}
	started, err := time.Parse(time.RFC3339Nano, now.State.StartedAt)
	if err != nil {
		return err
	}
	left := time.Until(started.Add(within)).Round(time.Second)
	if left > 0 {
		tell(fmt.Sprintf("an earlier run is still at work, the container %s: waiting for its end, for %s at most", name(c), left))
		err = poll(ctx, left, func(ctx context.Context) (bool, error) {
			now, err := e.api.ContainerInspect(ctx, c.ID)
			if errdefs.IsNotFound(err) {
				return true, nil
			}
			return err == nil && !atWork(now), err
		})
		if err == nil || !errors.Is(err, errTime) || ctx.Err() != nil {
			return err
		}
	}
	tell(fmt.Sprintf("an earlier run, the container %s, did not end within its %s, and is stopped", name(c), within))
	return e.StopContainer(ctx, c.ID, jobGrace)
}

// atWork is true while a container's program runs or will go on.
func atWork(c container.InspectResponse) bool {
	return c.State.Running || c.State.Paused || c.State.Restarting
}

// failure is why a job that has ended has not ended well. What was killed for memory may
// have been a part of it, and the exit code then says nothing.
func failure(ended *container.State) error {
	switch {
	case ended.OOMKilled:
		return errors.New("it was killed: out of memory")
	case ended.ExitCode != 0:
		return fmt.Errorf("it ended with exit code %d", ended.ExitCode)
	case ended.Status == container.StateDead:
		return errors.New("the engine calls it dead")
	}
	return nil
}

// Attempt is the number of the next run of a job, if it has to run
// again because the last one has failed or was never started, and otherwise that
// of the last one. There is none where no container of it is left.
func (e *Engine) Attempt(ctx context.Context, prefix, job string) (attempt int, there bool, err error) {
	found, err := e.workload(ctx, prefix, job, true)
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	last := found[0]
	for _, c := range found {
		if c.Created > last.Created {
			last = c
		}
	}
	number, err := strconv.Atoi(last.Labels[AttemptLabel])
	if err != nil {
		return 0, true, fmt.Errorf("container %s: label %s: %w", name(last), AttemptLabel, err)
	}
	c, err := e.api.ContainerInspect(ctx, last.ID)
	if err != nil {
		return 0, true, err
	}
	switch c.State.Status {
	case container.StateCreated:
		number++
	case container.StateExited, container.StateDead:
		if failure(c.State) != nil {
			number++
		}
	}
	return number, true, nil
}

// workload lists the containers of one of a stack's workloads.
func (e *Engine) workload(ctx context.Context, prefix, workload string, all bool) ([]container.Summary, error) {
	return e.api.ContainerList(ctx, container.ListOptions{All: all, Filters: filters.NewArgs(
		filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", WorkloadLabel+"="+workload))})
}

// StopContainer stops a container and keeps it, and its log. It does not come back with
// the engine, until AwaitContainer wants it. The engine may take as long as the grace.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	seconds := int(grace / time.Second)
	return errors.Join(
		e.restart(ctx, id, container.RestartPolicyDisabled),
		e.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds}),
	)
}

// restart sets when the engine starts a container by itself.
func (e *Engine) restart(ctx context.Context, id string, policy container.RestartPolicyMode) error {
	_, err := e.api.ContainerUpdate(ctx, id, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: policy}})
	return err
}

// Runs is how many containers of a stack's workload run on this engine.
func (e *Engine) Runs(ctx context.Context, prefix, workload string) (int, error) {
	found, err := e.workload(ctx, prefix, workload, false)
	return len(found), err
}

// ImageOf is the image of the newest container of a stack's workload, whether it runs or not.
func (e *Engine) ImageOf(ctx context.Context, prefix, workload string) (string, error) {
	found, err := e.workload(ctx, prefix, workload, true)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no container of %s is on this engine: `pulumi up` brings it back", workload)
	}
	if err != nil {
		return "", err
	}
	newest := slices.MaxFunc(found, func(a, b container.Summary) int { return cmp.Compare(a.Created, b.Created) })
	return newest.Image, nil
}

// Mounted is true where a healthy container of a stack's workload has the volume.
func (e *Engine) Mounted(ctx context.Context, prefix, workload, volume string) (bool, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", WorkloadLabel+"="+workload),
		filters.Arg("volume", volume), filters.Arg("health", container.Healthy))})
	return len(found) > 0, err
}

// Published is where a port is reached on the engine's host.
type Published struct {
	// Address is 0.0.0.0 or :: for all of the host's.
	Address string
	Port    int
}

// Published are the ports that a workload's running containers have on the host, by
// the port in the container.
func (e *Engine) Published(ctx context.Context, prefix, workload string) (map[int]Published, error) {
	found, err := e.workload(ctx, prefix, workload, false)
	all := map[int]Published{}
	for _, c := range found {
		for _, p := range c.Ports {
			if p.PublicPort != 0 {
				all[int(p.PrivatePort)] = Published{p.IP, int(p.PublicPort)}
			}
		}
	}
	return all, err
}

// Signal sends a signal to the running containers of a workload.
func (e *Engine) Signal(ctx context.Context, prefix, workload, signal string) error {
	found, err := e.workload(ctx, prefix, workload, false)
	if err != nil {
		return err
	}
	var failures []error
	for _, c := range found {
		if err := e.api.ContainerKill(ctx, c.ID, signal); err != nil {
			failures = append(failures, fmt.Errorf("%s to container %s: %w", signal, name(c), err))
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("%s: no container of %s-%s runs on this engine", signal, prefix, workload)
	}
	return errors.Join(failures...)
}

// Tail is the last log lines of a workload's containers, for an error.
func (e *Engine) Tail(ctx context.Context, prefix, workload string) string {
	found, _ := e.workload(context.WithoutCancel(ctx), prefix, workload, true)
	var all strings.Builder
	for _, c := range found {
		all.WriteString("\n" + name(c) + ":" + e.Logs(ctx, c.ID))
	}
	return all.String()
}
