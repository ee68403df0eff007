package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

const (
	pollInterval = 200 * time.Millisecond
	// failedStarts is how many tasks of a new service may fail before it is
	// given up. An update has a failure action of its own.
	failedStarts = 3
)

// Restart is the policy of what runs for ever. An engine that starts after a crash stops
// what it finds running, and takes that for a wish: what has unless-stopped stays down
// (seen with 20.10.24).
const Restart = container.RestartPolicyAlways

// AwaitContainer returns when the container is as wanted and healthy, or has run for as
// long as it has to where there is no check, and
// an error with its last log lines when it can't be, or is not within the time.
// One that was stopped is started, and one that has become unhealthy since it was
// made is restarted: plain Docker leaves it hanging.
func (e *Engine) AwaitContainer(ctx context.Context, id string, want Wanted, within time.Duration) error {
	var last, check string
	name, started, seen, revived, restored := id, false, false, false, false
	ask := func(ctx context.Context) (bool, error) {
		c, err := e.api.ContainerInspect(ctx, id)
		if err == nil {
			name = strings.TrimPrefix(c.Name, "/")
		}
		switch {
		case errdefs.IsNotFound(err):
			return false, errors.New("it is in the stack's state, but no longer on the engine: `pulumi up --refresh` brings it back")
		case err != nil:
			return false, err
		}
		if difference := want.difference(c, e.Info); difference != "" {
			return false, errors.New(difference)
		}
		if !restored && c.HostConfig.RestartPolicy.Name != Restart { // StopContainer has
			restored = true
			if err := e.restart(ctx, id, Restart); err != nil {
				return true, err
			}
		}
		health, well := "", false
		switch {
		case want.Steady > 0:
			well, last = e.since(startedAt(c.State)) >= want.Steady, c.State.Status
		case c.State.Health == nil:
			return false, fmt.Errorf("image %s has no health check", want.Image)
		default:
			health = c.State.Health.Status
			well, last, check = health == container.Healthy, c.State.Status+", "+health, saidByCheck(c.State)
		}
		first := !seen
		seen = true
		if first && c.State.Running && health == container.Unhealthy { // a new one has had no time to be
			revived = true
			return true, e.api.ContainerRestart(context.WithoutCancel(ctx), id, container.StopOptions{})
		}
		if c.State.Running && !c.State.Restarting && well {
			err := e.limitProcesses(ctx, c) // of what runs: the engine refuses one that comes and goes
			return err == nil, err
		}
		if c.State.Status == container.StateExited && !started {
			started = true
			err := e.api.ContainerStart(ctx, id, container.StartOptions{})
			return err != nil, err // no question: it is not asked again
		}
		if err := e.hopeless(c); err != nil {
			return false, err
		}
		if health == container.Unhealthy || c.State.Status == "exited" || c.State.Status == "dead" || c.RestartCount >= failedStarts {
			if c.State.Running && c.RestartCount == 0 {
				return false, fmt.Errorf("it is %s", last)
			}
			return false, fmt.Errorf("it is %s (exit code %d, %d restarts)", last, c.State.ExitCode, c.RestartCount)
		}
		return false, nil
	}
	err := poll(ctx, within, ask)
	if err == nil && revived {
		err = poll(ctx, within, ask) // the restart may have taken as long as the grace
	}
	if err != nil {
		return fmt.Errorf("container %s does not run as wanted: %w%s%s%s", name, err, state(last), check, e.Logs(ctx, id))
	}
	return nil
}

// AwaitService returns when every wanted task of the service runs what was
// asked for and the update is completed, neither paused nor rolled back, and an
// error with the last log lines of a failed task when that can't be, or is not
// so within the time.
//
// The provider's own convergence check is not enough: it returns as soon as
// running equals wanted, even while the update goes on.
func (e *Engine) AwaitService(ctx context.Context, name string, want Tasks, within time.Duration) error {
	var last string
	image, replicas := want.Image, want.Replicas
	err := poll(ctx, within, func(ctx context.Context) (bool, error) {
		service, _, err := e.api.ServiceInspectWithRaw(ctx, name, swarm.ServiceInspectOptions{})
		if err != nil {
			return false, err
		}
		if update := service.UpdateStatus; update != nil && failedUpdate(update.State) {
			return false, fmt.Errorf("its update is %s: %s", update.State, update.Message)
		}
		// The engine may have added a digest; the image may be named by one.
		if runs := service.Spec.TaskTemplate.ContainerSpec.Image; runs != image && withoutDigest(runs) != image {
			return false, fmt.Errorf("it runs %s, not %s", runs, image)
		}
		if check := service.Spec.TaskTemplate.ContainerSpec.Healthcheck; want.Steady == 0 && (check == nil || len(check.Test) == 0 || check.Test[0] == "NONE") {
			// Swarm would call a task running as soon as its process has started.
			return false, fmt.Errorf("image %s has no health check", image)
		}
		if mode := service.Spec.Mode.Replicated; mode != nil && mode.Replicas != nil && *mode.Replicas != uint64(replicas) {
			return false, fmt.Errorf("it is scaled to %d, not %d: `pulumi up --refresh` mends it", *mode.Replicas, replicas)
		}
		tasks, err := e.tasks(ctx, name)
		if err != nil {
			return false, err
		}
		running, failed, others := 0, 0, 0
		for _, t := range tasks {
			// The engine fills the kind of task in, in the service alone.
			t.Spec.Runtime = service.Spec.TaskTemplate.Runtime
			current := reflect.DeepEqual(t.Spec, service.Spec.TaskTemplate)
			switch {
			case t.DesiredState == swarm.TaskStateRunning && !current:
				others++
			case t.DesiredState == swarm.TaskStateRunning && t.Status.State == swarm.TaskStateRunning:
				if want.Steady == 0 || e.since(t.Status.Timestamp) >= want.Steady {
					running++
				}
			case t.DesiredState == swarm.TaskStateRunning && t.Status.State == swarm.TaskStateStarting:
				if err := e.hopeless(e.checkOf(ctx, t)); err != nil {
					return false, err
				}
			// By now the image is here; while it was not, Swarm tried every two seconds.
			case t.Status.State == swarm.TaskStateRejected && strings.Contains(t.Status.Err, "No such image"):
			// What failed before this specification was set says nothing of it.
			case current && t.Status.Timestamp.After(service.UpdatedAt) && (t.Status.State == swarm.TaskStateFailed || t.Status.State == swarm.TaskStateRejected || t.Status.State == swarm.TaskStateComplete):
				failed++
			}
		}
		last = fmt.Sprintf("%d of %d tasks run, %d of an earlier release, %d failed", running, replicas, others, failed)
		if failed >= failedStarts && running < replicas {
			return false, fmt.Errorf("%s", last)
		}
		updating := service.UpdateStatus != nil && service.UpdateStatus.State == swarm.UpdateStateUpdating
		return running == replicas && others == 0 && !updating, nil
	})
	if err != nil {
		return fmt.Errorf("service %s does not run as wanted: %w%s%s", name, err, state(last), e.failedTaskLogs(ctx, name))
	}
	return nil
}

// startedAt is when a container was started, for the last time so far.
func startedAt(s *container.State) time.Time {
	at, err := time.Parse(time.RFC3339Nano, s.StartedAt)
	if err != nil { // not yet
		return time.Now().Add(time.Hour)
	}
	return at
}

func state(last string) string {
	if last == "" {
		return ""
	}
	return " (last seen: " + last + ")"
}

func withoutDigest(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	return name
}

func (e *Engine) tasks(ctx context.Context, service string) ([]swarm.Task, error) {
	return e.api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", service))})
}

// failedTaskLogs shows the newest task that has failed, or else one that does not
// run: what the engine says of it, and its last log lines.
func (e *Engine) failedTaskLogs(ctx context.Context, service string) string {
	// The time of the question may be over, and was no fault of this one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	tasks, err := e.tasks(ctx, service)
	if err != nil {
		return ""
	}
	var shown *swarm.Task
	for i := range tasks {
		if t := &tasks[i]; suspicion(*t) > 0 && (shown == nil || suspicion(*t) > suspicion(*shown) ||
			suspicion(*t) == suspicion(*shown) && t.Status.Timestamp.After(shown.Status.Timestamp)) {
			shown = t
		}
	}
	if shown == nil {
		return ""
	}
	text := fmt.Sprintf("\n%s.%d: %s %s", service, shown.Slot, shown.Status.State, shown.Status.Err)
	if shown.Status.ContainerStatus != nil {
		text += saidByCheck(e.checkOf(ctx, *shown).State) + e.Logs(ctx, shown.Status.ContainerStatus.ContainerID)
	}
	return text
}

// suspicion is how likely a task is why its service does not run: it has failed,
// it has a container and does not run, or it has ended, which nothing should.
func suspicion(t swarm.Task) int {
	state := t.Status.State
	has := t.Status.ContainerStatus != nil && t.Status.ContainerStatus.ContainerID != ""
	switch {
	case state == swarm.TaskStateFailed || state == swarm.TaskStateRejected || t.Status.Err != "":
		return 4
	case t.DesiredState == swarm.TaskStateRunning && state != swarm.TaskStateRunning && has:
		return 3
	case state == swarm.TaskStateComplete:
		return 2
	case state != swarm.TaskStateRunning && has:
		return 1
	}
	return 0
}

// Logs returns a container's last log lines, or nothing where there are none, and before them
// whether something in it was killed for want of memory: they are an addition to an error that
// is told anyway.
func (e *Engine) Logs(ctx context.Context, container string) string {
	killed := e.outOfMemory(ctx, container)
	lines := e.tail(ctx, container)
	if lines == "" {
		return killed
	}
	return killed + "\nits last log lines:\n" + lines
}

func (e *Engine) tail(ctx context.Context, name string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	stream, err := e.api.ContainerLogs(ctx, name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(logRead)})
	if err != nil {
		return ""
	}
	defer stream.Close()
	var both bytes.Buffer
	if _, err := stdcopy.StdCopy(&both, &both, stream); err != nil {
		return ""
	}
	return lastLines(strings.TrimRight(both.String(), "\n"))
}

// errTime begins the error of what is not so within its time.
var errTime = errors.New("not within")

// poll asks until the answer is yes or no, or the time is over. A question that the
// engine has not answered is asked again: that says nothing of what was asked for.
func poll(ctx context.Context, within time.Duration, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var missed error // the last question, if it has no answer
	for {
		done, err := ask(ctx)
		switch {
		case done:
			return err
		case err == nil:
			missed = nil
		case ctx.Err() != nil: // then it says no more than that
		case !unanswered(err):
			return err
		default:
			missed = err
		}
		select {
		case <-ctx.Done():
			if missed != nil {
				return fmt.Errorf("%w %s: %w", errTime, within, missed)
			}
			return fmt.Errorf("%w %s", errTime, within)
		case <-ticker.C:
		}
	}
}

// unanswered is true where the engine could not be asked, or could not find out: it
// restarts, a connection broke, a Swarm has no leader for the moment.
func unanswered(err error) bool {
	var network net.Error
	return client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) || errdefs.IsInternal(err) || errdefs.IsDeadlineExceeded(err) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}
