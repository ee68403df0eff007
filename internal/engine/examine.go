package engine

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
)

// What whoever looks for a fault wants to know of a stack (package doctor): what there is, as it is. Nothing
// is changed. What is gone between two questions is left out.

// Served is a service of the Swarm with its tasks, those that have ended too.
type Served struct {
	swarm.Service
	Tasks []swarm.Task
}

// Inspected are all of the stack's containers on this engine, the jobs and those that have ended too.
func (e *Engine) Inspected(ctx context.Context, prefix string) ([]container.InspectResponse, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return eachOf(found, func(c container.Summary) (container.InspectResponse, error) { return e.api.ContainerInspect(ctx, c.ID) })
}

// eachOf asks for each of what was found, all at once.
func eachOf[S, T any](found []S, ask func(S) (T, error)) ([]T, error) {
	all, failures := make([]T, len(found)), make([]error, len(found))
	var group sync.WaitGroup
	for i, one := range found {
		group.Go(func() { all[i], failures[i] = ask(one) })
	}
	group.Wait()
	var there []T
	for i, err := range failures {
		switch {
		case errdefs.IsNotFound(err):
		case err != nil:
			return nil, err
		default:
			there = append(there, all[i])
		}
	}
	return there, nil
}

// ServedOf are the stack's services; none where the engine is no manager.
func (e *Engine) ServedOf(ctx context.Context, prefix string) ([]Served, error) {
	services, err := e.stackServices(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	return eachOf(services, func(s swarm.Service) (Served, error) {
		tasks, err := e.tasks(ctx, s.Spec.Name)
		return Served{s, tasks}, err
	})
}

// NetworksOf are the stack's.
func (e *Engine) NetworksOf(ctx context.Context, prefix string) ([]network.Summary, error) {
	return e.api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
}

// VolumePlaces are all volumes of the engine, with the folders of its host that they are in.
func (e *Engine) VolumePlaces(ctx context.Context) (map[string]string, error) {
	found, err := e.api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	all := map[string]string{}
	for _, v := range found.Volumes {
		all[v.Name] = v.Mountpoint
	}
	return all, nil
}

// Described is an image as the engine has it; false: it has none of that name.
func (e *Engine) Described(ctx context.Context, reference string) (image.InspectResponse, bool, error) {
	found, err := e.api.ImageInspect(ctx, reference)
	if errdefs.IsNotFound(err) {
		return image.InspectResponse{}, false, nil
	}
	return found, err == nil, err
}

// Usage is what the engine keeps, in bytes, that no container needs.
type Usage struct {
	Images, Cache int64
	Unused        int
}

// DiskUsage asks for that. An engine before that API looks at the size of each volume for it, which takes its time.
func (e *Engine) DiskUsage(ctx context.Context) (u Usage, err error) {
	ask := func() (types.DiskUsage, error) {
		return e.api.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ImageObject, types.BuildCacheObject}})
	}
	found, err := ask()
	for err != nil && strings.Contains(err.Error(), "already running") && ctx.Err() == nil { // somebody else's question
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
			found, err = ask()
		}
	}
	if err != nil {
		return u, fmt.Errorf("how much of the disk images use: %w", err)
	}
	needed := int64(0)
	for _, i := range found.Images {
		if i.Containers == 0 {
			u.Unused++
		} else {
			needed += i.Size - max(i.SharedSize, 0)
		}
	}
	u.Images = max(found.LayersSize-needed, 0)
	for _, c := range found.BuildCache {
		if !c.InUse && !c.Shared {
			u.Cache += c.Size
		}
	}
	return u, nil
}

// API is the version that is spoken with the engine.
func (e *Engine) API() string { return e.api.ClientVersion() }

// Now is the engine's clock, and how far off that may be known.
func (e *Engine) Now(ctx context.Context) (now time.Time, within time.Duration, err error) {
	asked := time.Now()
	info, err := e.api.Info(ctx)
	if err != nil {
		return now, 0, err
	}
	within = time.Since(asked)
	now, err = time.Parse(time.RFC3339Nano, info.SystemTime)
	return now.Add(within / 2), within, err
}

// Within runs a command in a container, as the user that the container runs as, and returns what it prints. It
// is an ExitError where it fails.
func (e *Engine) Within(ctx context.Context, id, input string, command ...string) (string, error) {
	var out, errs bytes.Buffer
	err := e.execIn(ctx, id, id, strings.NewReader(input), &out, &errs, func() string { return strings.TrimSpace(errs.String()) }, command)
	return out.String(), err
}

// LastWords are the last lines of a container's log, or nothing where it can't be read.
func (e *Engine) LastWords(ctx context.Context, id string) string { return e.tail(ctx, id) }

// Kills is how often something in a container was killed for want of memory since then, as far as the engine
// remembers.
func (e *Engine) Kills(ctx context.Context, id string, since time.Time) (times int, err error) {
	at := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	said, failed := e.api.Events(ctx, events.ListOptions{Since: at(since), Until: at(time.Now().Add(time.Second)),
		Filters: filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("event", string(events.ActionOOM)), filters.Arg("container", id))})
	for {
		select {
		case <-said:
			times++
		case err := <-failed:
			if err != nil && ctx.Err() != nil {
				return times, ctx.Err()
			}
			return times, nil // its end is an error, too
		}
	}
}

// PortsTaken are the ports that something else than the stack has, a sentence each.
func (e *Engine) PortsTaken(ctx context.Context, prefix string, ports []Port) ([]error, error) {
	taken, _, err := e.checkPorts(ctx, ports, prefix)
	return taken, err
}

// CheckCannotRun is true where a container's health check does not even start.
func CheckCannotRun(c container.InspectResponse) bool { return checkCannotRun(c) }

// SaidByCheck is what a container's last health checks have said, as far as they have failed in a row.
func SaidByCheck(state *container.State) string {
	return strings.TrimPrefix(saidByCheck(state), "\nits health check says:\n")
}

// Workload is whose container it is, and what of: one that is to run for ever (neither Job nor Task), a Job, or
// what Swarm has made. Name is its own, as `docker ps` shows it.
type Workload struct {
	Name, Of  string
	Job, Task bool
}

// WorkloadOf reads a container's labels.
func WorkloadOf(c container.InspectResponse) Workload {
	_, job := c.Config.Labels[AttemptLabel]
	_, once := c.Config.Labels[OnceLabel]
	_, task := c.Config.Labels[taskLabel]
	return Workload{strings.TrimPrefix(c.Name, "/"), c.Config.Labels[WorkloadLabel], job || once, task}
}
