package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// often is how many starts in a short time are no accident.
const often = 3

func restarts(ctx context.Context, p *patient) finding {
	bodies, err := p.bodies.get(ctx)
	served, err2 := p.served.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	var again, over []string
	n := 0
	for _, b := range bodies {
		if !b.lives() || b.Task {
			continue
		}
		n++
		started, err := time.Parse(time.RFC3339Nano, b.State.StartedAt)
		text := fmt.Sprintf("%s was started %d times more, its last exit code is %d", b.Workload.Name, b.RestartCount, b.State.ExitCode)
		switch {
		case b.State.Restarting:
			again = append(again, text+p.words(ctx, b.ID))
		case b.RestartCount < often || err != nil || time.Since(started) > lately:
		case b.well():
			over = append(over, text)
		default:
			again = append(again, text+p.words(ctx, b.ID))
		}
	}
	for _, s := range served {
		failed, last := 0, swarm.Task{}
		for _, t := range s.Tasks {
			if t.Status.State == swarm.TaskStateFailed && time.Since(t.Status.Timestamp) < lately {
				if failed++; t.Status.Timestamp.After(last.Status.Timestamp) {
					last = t
				}
			}
		}
		if n += replicas(s); failed >= often {
			text := fmt.Sprintf("%d tasks of %s have failed lately, the last one: %s", failed, s.Spec.Name, last.Status.Err)
			if p.recovered(bodies, s) {
				over = append(over, text)
				continue
			}
			if c := last.Status.ContainerStatus; c != nil {
				text += p.words(ctx, c.ContainerID)
			}
			again = append(again, text)
		}
	}
	if len(again) > 0 {
		return finding{result: checks.Fail, found: strings.Join(again, "\n"), cause: "its program ends a moment after its start: its own words say why; docs/runbooks/ContainerRestarting.md", mend: "make rollback STACK=" + p.Name}
	}
	if len(over) > 0 {
		return finding{result: checks.Warn, found: strings.Join(over, "\n") + "; it is healthy now", cause: "it was mended, or comes back: docs/runbooks/ContainerRestarting.md", mend: "make logs STACK=" + p.Name + " SINCE=30m FOLLOW=no"}
	}
	return pass("%d replicas", n)
}

// recovered is true for a service whose tasks are all there, and well.
func (p *patient) recovered(bodies []body, s engine.Served) bool {
	well := 0
	for _, t := range newest(s) {
		if t.Status.State != swarm.TaskStateRunning || t.Status.ContainerStatus == nil {
			continue
		}
		// On another node Swarm's word has to do: it ends what is not healthy.
		at := slices.IndexFunc(bodies, func(b body) bool { return b.ID == t.Status.ContainerStatus.ContainerID })
		if at < 0 || bodies[at].well() {
			well++
		}
	}
	return well >= replicas(s)
}

func healthRuns(ctx context.Context, p *patient) finding {
	living, err := p.living(ctx)
	if err != nil {
		return unknown(err)
	}
	var unable []string
	n := 0
	for _, b := range living {
		if !b.running() || b.State.Health == nil || b.State.Health.Status == container.NoHealthcheck {
			continue
		}
		if n++; engine.CheckCannotRun(b.InspectResponse) {
			unable = append(unable, b.Workload.Name+" says: "+engine.SaidByCheck(b.State))
		}
	}
	if len(unable) > 0 {
		return finding{result: checks.Fail, found: strings.Join(unable, "\n"), cause: "its program is not in the image, or its user may not start it: nothing is said of the application by that",
			mend: "docs/operating.md#health-checks"}
	}
	if n == 0 {
		return skip("nothing runs that has one")
	}
	return pass("%d of them", n)
}

// starts is how long a replica may take until it is healthy, beside its own start period.
const starts = 2 * time.Minute

func health(ctx context.Context, p *patient) finding {
	living, err := p.living(ctx)
	served, err2 := p.served.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	var unwell, slow []string
	whose := config.BackendName
	n := 0
	for _, b := range living {
		if !b.running() || b.State.Health == nil {
			continue
		}
		n++
		started, _ := time.Parse(time.RFC3339Nano, b.State.StartedAt)
		said := engine.SaidByCheck(b.State)
		if said != "" {
			said = "\nits health check says:\n" + said
		}
		switch b.State.Health.Status {
		case container.Unhealthy:
			unwell, whose = append(unwell, b.Workload.Name+" is unhealthy"+said+p.words(ctx, b.ID)), b.Of
		case container.Starting:
			if time.Since(started) > starts {
				slow = append(slow, fmt.Sprintf("%s has been starting for %s%s", b.Workload.Name, time.Since(started).Truncate(time.Second), said))
			}
		}
	}
	for _, s := range served { // Swarm ends what is unhealthy, and it is seen by that alone
		if bodies, _ := p.bodies.get(ctx); p.recovered(bodies, s) {
			continue
		}
		for _, t := range s.Tasks {
			if t.Status.State == swarm.TaskStateFailed && strings.Contains(t.Status.Err, "unhealthy") && time.Since(t.Status.Timestamp) < lately && !slices.ContainsFunc(unwell, func(u string) bool { return strings.HasPrefix(u, s.Spec.Name) }) {
				unwell = append(unwell, fmt.Sprintf("%s.%d: %s%s", s.Spec.Name, t.Slot, t.Status.Err, p.saidLast(ctx, t)))
			}
		}
	}
	f := finding{result: checks.Fail, found: strings.Join(append(unwell, slow...), "\n"), cause: "what the check asks for is not answered: the application hangs, or lacks what it needs", mend: "make logs STACK=" + p.Name + " SERVICE=" + whose + " LEVEL=error FOLLOW=no"}
	switch {
	case len(unwell) > 0:
		return f
	case len(slow) > 0:
		f.result = checks.Warn
		return f
	case n == 0:
		return skip("nothing runs that has a health check")
	}
	return pass("%d containers", n)
}

// saidLast is what the health check and the log of a task say that has ended.
func (p *patient) saidLast(ctx context.Context, t swarm.Task) string {
	if t.Status.ContainerStatus == nil {
		return ""
	}
	bodies, _ := p.bodies.get(ctx)
	for _, b := range bodies {
		if b.ID == t.Status.ContainerStatus.ContainerID {
			if said := engine.SaidByCheck(b.State); said != "" {
				return "\nits health check says:\n" + said + p.words(ctx, b.ID)
			}
			return p.words(ctx, b.ID)
		}
	}
	return ""
}
