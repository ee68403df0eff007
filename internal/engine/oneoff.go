package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// oneOffLabel has the stack that a one-off is of. It has not the stack's own label: an `up` removes
// what has that and was not declared.
const oneOffLabel = "tarot.oneoff"

// serviceLabel is what Swarm puts on a task's container.
const serviceLabel = "com.docker.swarm.service.id"

// startTime is how long the container of a one-off may take until it runs.
const startTime = time.Minute

// OneOff is a fresh container that is what a replica is: its image, by its id, user, limits,
// secrets, volumes and networks; but no address that users' requests go to, no port and no health
// check.
type OneOff struct {
	Prefix, Workload string
	// Like is the container of the replica.
	Like string
	// Within is when it ends by itself, whatever becomes of whoever began it.
	Within time.Duration
	// Isolated is true for one on no network.
	Isolated bool
}

// Begun is a one-off that runs. It does nothing: commands are run in it (Enter).
type Begun struct {
	ID, Name string
	end      func(context.Context) error
}

// NewBegun is one with a way to end it.
func NewBegun(id, name string, end func(context.Context) error) Begun { return Begun{id, name, end} }

// End removes it, with all that runs in it. That it is gone is no error.
func (b Begun) End(ctx context.Context) error { return b.end(context.WithoutCancel(ctx)) }

// BeginOneOff starts one. In Swarm it is a service's only task, on this node, as nothing else is
// given Swarm's secrets; otherwise a container that the engine removes itself.
func (e *Engine) BeginOneOff(ctx context.Context, o OneOff) (Begun, error) {
	like, err := e.api.ContainerInspect(ctx, o.Like)
	if err != nil {
		return Begun{}, err
	}
	if isRoot(like.Config.User) {
		return Begun{}, ErrRoot
	}
	name := o.Prefix + "-run-" + strings.ToLower(rand.Text()[:6])
	if like.Config.Labels[serviceLabel] != "" && !o.Isolated {
		return e.beginTask(ctx, o, name, like)
	}
	return e.beginContainer(ctx, o, name, like)
}

// waits is the program of a one-off: it does nothing until its time is over. As the first process it
// is spared by `kill -1`, and by no other signal than KILL.
func (o OneOff) waits() []string {
	return []string{"sleep", strconv.Itoa(int(o.Within / time.Second))}
}

func (o OneOff) labels() map[string]string {
	return map[string]string{oneOffLabel: o.Prefix, "tarot.like": o.Workload}
}

func (e *Engine) beginContainer(ctx context.Context, o OneOff, name string, like container.InspectResponse) (Begun, error) {
	config := &container.Config{Image: like.Image, User: like.Config.User, Env: like.Config.Env, WorkingDir: like.Config.WorkingDir,
		Entrypoint: o.waits(), Cmd: []string{}, Labels: o.labels(), StopSignal: "SIGKILL",
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}}
	no := false
	h := like.HostConfig
	host := &container.HostConfig{CapDrop: h.CapDrop, CapAdd: h.CapAdd, SecurityOpt: h.SecurityOpt, ReadonlyRootfs: h.ReadonlyRootfs,
		Mounts: h.Mounts, Binds: h.Binds, Tmpfs: h.Tmpfs, GroupAdd: h.GroupAdd, ExtraHosts: h.ExtraHosts, Resources: h.Resources,
		Init: &no, AutoRemove: true, NetworkMode: "none", LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m"}},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled}}
	var networks []string
	if !o.Isolated && like.NetworkSettings != nil {
		networks = slices.Sorted(maps.Keys(like.NetworkSettings.Networks))
		networks = slices.DeleteFunc(networks, func(n string) bool { return n == "none" })
	}
	var first *network.NetworkingConfig
	if len(networks) > 0 {
		host.NetworkMode = container.NetworkMode(networks[0])
		first = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{networks[0]: {}}}
	}
	made, err := e.api.ContainerCreate(ctx, config, host, first, nil, name)
	if err != nil {
		return Begun{}, fmt.Errorf("container %s: %w", name, err)
	}
	begun := Begun{made.ID, name, func(ctx context.Context) error { return e.removeOneOff(ctx, made.ID) }}
	for _, n := range networks[min(1, len(networks)):] { // engines before API 1.44 take one at the start
		err = errors.Join(err, e.api.NetworkConnect(ctx, n, made.ID, &network.EndpointSettings{}))
	}
	if err == nil {
		err = e.api.ContainerStart(ctx, made.ID, container.StartOptions{})
	}
	if err != nil {
		return Begun{}, errors.Join(fmt.Errorf("container %s: %w", name, withoutSleep(err)), begun.End(ctx))
	}
	return begun, nil
}

// removeOneOff removes a container that the engine may be about to remove itself.
func (e *Engine) removeOneOff(ctx context.Context, id string) error {
	err := e.removeOnce(ctx, id)
	if errdefs.IsConflict(err) {
		err = nil
	}
	return err
}

// withoutSleep says it where an image has not what a one-off waits with.
func withoutSleep(err error) error {
	if strings.Contains(err.Error(), `"sleep"`) {
		return fmt.Errorf("its image has no `sleep`, which a one-off needs: %w", err)
	}
	return err
}

func (e *Engine) beginTask(ctx context.Context, o OneOff, name string, like container.InspectResponse) (Begun, error) {
	if err := e.clearOneOffs(ctx, o.Prefix); err != nil {
		return Begun{}, err
	}
	of, err := e.service(ctx, like.Config.Labels[serviceLabel])
	if err != nil {
		return Begun{}, err
	}
	made, err := e.api.ServiceCreate(ctx, o.service(of.Spec, name, like.Image, e.Info.Swarm.NodeID), swarm.ServiceCreateOptions{})
	if err != nil {
		return Begun{}, fmt.Errorf("service %s: %w", name, err)
	}
	begun := Begun{Name: name}
	begun.end = func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := ignoreGone(e.api.ServiceRemove(within, made.ID))
		if begun.ID == "" {
			return err
		}
		return errors.Join(err, e.removeOneOff(ctx, begun.ID)) // Swarm does it as well, and takes its time
	}
	err = poll(ctx, startTime, func(ctx context.Context) (bool, error) {
		tasks, err := e.tasks(ctx, name)
		if err != nil {
			return false, err
		}
		for _, t := range tasks {
			switch t.Status.State {
			case swarm.TaskStateRunning:
				begun.ID = t.Status.ContainerStatus.ContainerID
				return true, nil
			case swarm.TaskStateFailed, swarm.TaskStateRejected, swarm.TaskStateComplete, swarm.TaskStateShutdown:
				return false, withoutSleep(errors.New(cmp.Or(t.Status.Err, t.Status.Message, string(t.Status.State))))
			}
		}
		return false, nil
	})
	if err != nil {
		return Begun{}, errors.Join(fmt.Errorf("service %s: its task does not run: %w", name, err), begun.End(ctx))
	}
	return begun, nil
}

// service is what a one-off is of a service.
func (o OneOff) service(of swarm.ServiceSpec, name, image, node string) swarm.ServiceSpec {
	spec := of.TaskTemplate
	like := *spec.ContainerSpec
	// By its id, an image is not asked for in any registry.
	like.Image = image
	waits, no, grace := o.waits(), false, time.Second
	like.Command, like.Args = waits[:1], waits[1:]
	like.Init, like.StopSignal, like.StopGracePeriod = &no, "SIGKILL", &grace
	like.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	like.Labels = o.labels()
	spec.ContainerSpec = &like
	spec.Networks = slices.Clone(spec.Networks)
	for i := range spec.Networks {
		spec.Networks[i].Aliases = nil // by which users' requests would find it
	}
	place := swarm.Placement{}
	if spec.Placement != nil {
		place = *spec.Placement
	}
	place.Constraints = append(slices.Clone(place.Constraints), "node.id=="+node)
	spec.Placement = &place
	spec.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
	spec.LogDriver = &swarm.Driver{Name: "json-file", Options: map[string]string{"max-size": "1m"}}
	spec.ForceUpdate = 0
	one := uint64(1)
	return swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: name, Labels: o.labels()},
		TaskTemplate: spec,
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &one}}, // the task of a job outlives its service
		EndpointSpec: &swarm.EndpointSpec{Mode: swarm.ResolutionModeDNSRR},
	}
}

// clearOneOffs removes the services of one-offs that have ended by themselves, as whoever began them
// was killed.
func (e *Engine) clearOneOffs(ctx context.Context, prefix string) error {
	all, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("label", oneOffLabel+"="+prefix))})
	if err != nil {
		return err
	}
	for _, s := range all {
		tasks, err := e.tasks(ctx, s.Spec.Name)
		if err != nil {
			return err
		}
		if len(tasks) > 0 && !slices.ContainsFunc(tasks, func(t swarm.Task) bool { return !over(t.Status.State) }) {
			if err := ignoreGone(e.api.ServiceRemove(ctx, s.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// over is true for a task that runs no more, and will not.
func over(s swarm.TaskState) bool {
	switch s {
	case swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed, swarm.TaskStateRejected, swarm.TaskStateOrphaned, swarm.TaskStateRemove:
		return true
	}
	return false
}

// Interrupt asks all that runs in a one-off to end.
func (e *Engine) Interrupt(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	created, err := e.api.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: []string{"/bin/sh", "-c", "kill -TERM -1"}})
	if err != nil {
		return ignoreGone(err)
	}
	return e.api.ContainerExecStart(ctx, created.ID, container.ExecStartOptions{Detach: true})
}

// KilledForMemory is true where the kernel has killed something in the container for want of
// memory.
func (e *Engine) KilledForMemory(ctx context.Context, id string) bool {
	c, err := e.api.ContainerInspect(ctx, id)
	return err == nil && c.State != nil && c.State.OOMKilled
}
