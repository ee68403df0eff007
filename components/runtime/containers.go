package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/engine"
)

// containers realises workloads as plain containers on one engine.
type containers struct{ Stack }

func (c containers) Network(ctx *pulumi.Context, n Network, parent pulumi.Resource) (*workload.Network, error) {
	return network(ctx, c.Stack, "bridge", n, parent)
}

// containerService is one container for each replica.
//
// A changed one is made beside the one that runs: under a name of its own, and
// not among the upstreams, as the edge names the replicas one by one. Pulumi deletes
// what was replaced at the end of a program that has succeeded, so after the
// edge has switched to the new ones.
//
// A workload with host ports can not: they have one owner; nor can one that owns
// its data. Its container is stopped before the next one starts.
type containerService struct {
	containers
	workload workload.Workload
	rollout  Rollout
	files    mountedFiles
	parent   pulumi.Resource
}

func (c containers) Service(ctx *pulumi.Context, w workload.Workload, rollout Rollout, parent pulumi.Resource) (Service, error) {
	if err := errors.Join(w.Validate(), requireHealth(ctx, w)); err != nil {
		return nil, err
	}
	if w.Exports() {
		w = withEnvironmentFile(w)
	}
	files, err := c.files(ctx, w, parent)
	return containerService{c, w, rollout, files, parent}, err
}

// Verify implements Service: the new containers are beside those that run.
func (c containerService) Verify(*pulumi.Context) (bool, error) { return false, nil }

func (c containerService) Start(ctx *pulumi.Context, after []pulumi.Resource) (*Running, error) {
	w := c.workload
	dependsOn := slices.Concat(after, c.files.resources)
	if w.Image.Resource != nil {
		dependsOn = append(dependsOn, w.Image.Resource)
	}
	atOnce, err := c.rollout.atOnce(ctx, c.Stack, w.Name)
	if err != nil {
		return nil, err
	}
	running := &Running{}
	planned := c.plan.workload(w.Name, w.Replicas, !w.StopFirst())
	var replicas []*docker.Container
	for i := range w.Replicas {
		name := fmt.Sprintf("%s-%s-%d", c.Prefix, w.Name, i+1)
		replica, err := c.replica(ctx, name, dependsOn, planned)
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", name, err)
		}
		replicas = append(replicas, replica)
		running.Names, running.IDs = append(running.Names, replica.Name), append(running.IDs, replica.ID().ToStringOutput())
		if !w.Isolated {
			running.Addresses = append(running.Addresses, address(replica, w.Networks[0].Name))
		}
		if !atOnce {
			if err := c.await(ctx, w, c.rollout, replicas[i:], i == 0); err != nil {
				return nil, err
			}
		}
	}
	running.Hosts = running.Names
	running.Reached = func(within context.Context) ([]string, error) { return c.reached(ctx, within, replicas) }
	if atOnce {
		return running, c.await(ctx, w, c.rollout, replicas, true)
	}
	return running, nil
}

// replica declares one container.
func (c containerService) replica(ctx *pulumi.Context, name string, dependsOn []pulumi.Resource, planned *planned) (*docker.Container, error) {
	if err := fitsDNS(name); err != nil {
		return nil, err
	}
	args := c.args(c.workload, c.files.mounts)
	stopFirst := c.workload.StopFirst()
	opts := []pulumi.ResourceOption{pulumi.Parent(c.parent), pulumi.DependsOn(dependsOn), pulumi.DeleteBeforeReplace(stopFirst),
		pulumi.ReplaceOnChanges(notApplied), c.plan.container(ctx, name, planned)}
	if stopFirst {
		args.Name = pulumi.String(name)
		opts = append(opts, c.retryWithoutLeftover(ctx, "container", name, func(name string) (bool, error) { return c.Engine.RemoveContainer(ctx.Context(), c.Prefix, name) }))
	}
	replica, err := docker.NewContainer(ctx, name, args, opts...)
	if err == nil {
		c.plan.declared(replica)
		c.declared.container(replica)
	}
	return replica, err
}

// reached are the addresses of containers that were declared.
func (c containers) reached(ctx *pulumi.Context, within context.Context, replicas []*docker.Container) ([]string, error) {
	ids := make([]string, len(replicas))
	for i, replica := range replicas {
		var err error
		if ids[i], err = idOf(ctx, replica); err != nil {
			return nil, err
		}
	}
	return c.Engine.ContainerAddresses(within, ids)
}

// address is the container's in a network.
func address(c *docker.Container, network string) pulumi.StringOutput {
	return c.NetworkDatas.ApplyT(func(all []docker.ContainerNetworkData) string {
		for _, data := range all {
			if data.NetworkName != nil && *data.NetworkName == network && data.IpAddress != nil {
				return *data.IpAddress
			}
		}
		return ""
	}).(pulumi.StringOutput)
}

// notApplied are the fields that the provider does not apply: it writes a change of them
// to the state, and leaves the container as it is. Of mounts it does so where only a source differs:
// a container would go on with a secret that was rotated.
var notApplied = []string{"healthcheck", "tmpfs", "init", "cpus", "mounts", "networksAdvanced", "ports", "labels"}

// await returns when the containers are healthy and those that are no upstreams are
// verified. One that isn't is stopped: it would only cost memory. first: the
// workload's first one is among them, and does what one does for all.
func (c containers) await(ctx *pulumi.Context, w workload.Workload, rollout Rollout, replicas []*docker.Container, first bool) error {
	if ctx.DryRun() {
		return nil
	}
	names, ids := make([]string, len(replicas)), make([]string, len(replicas))
	for i, replica := range replicas {
		var err error
		if ids[i], err = idOf(ctx, replica); err != nil {
			return err
		}
		if names[i], err = Text(ctx, replica.Name); err != nil {
			return err
		}
	}
	unverified, err := rollout.unverified(ctx.Context(), names)
	if err != nil {
		return err
	}
	for i, name := range names {
		err := c.Engine.AwaitContainer(ctx.Context(), ids[i], wanted(w), w.Health.Deadline())
		if err == nil && first && i == 0 {
			err = c.checkWrites(ctx.Context(), w, w.Name)
		}
		if slices.Contains(unverified, name) {
			if err == nil {
				if err = rollout.Edge.Verify(ctx.Context(), name); err != nil {
					err = fmt.Errorf("%w%s", err, c.Engine.Logs(ctx.Context(), ids[i]))
				}
			}
			if err != nil {
				return errors.Join(err, c.Engine.StopContainer(ctx.Context(), ids[i], w.StopGrace))
			}
		}
		if err != nil {
			return errors.Join(err, c.giveUp(ctx, w, rollout, ids))
		}
	}
	return nil
}

// giveUp stops the replicas of a first deploy that has failed: nobody is served by them,
// and they would go on beside those of the next. Where there is no edge they are what
// people see, and a change of mounted code may yet mend them.
func (c containers) giveUp(ctx *pulumi.Context, w workload.Workload, rollout Rollout, ids []string) error {
	if serves, err := rollout.serves(ctx.Context()); err != nil || serves {
		return err
	}
	failures := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { failures[i] = c.Engine.StopContainer(ctx.Context(), id, w.StopGrace) })
	}
	all.Wait()
	return errors.Join(failures...)
}

func wanted(w workload.Workload) engine.Wanted {
	want := engine.Wanted{Image: w.Image.Reference, CPUs: w.Limits.CPUs, Memory: w.Limits.Memory, Steady: w.Health.Steady}
	for _, n := range w.Networks {
		want.Networks = append(want.Networks, n.Name)
	}
	return want
}

// fitsDNS leaves room for the eight characters that Pulumi adds.
func fitsDNS(name string) error {
	const most = 63 - 8
	if len(name) > most {
		return fmt.Errorf("%q is %d characters long, and a DNS name here takes %d: choose a shorter name for the stack", name, len(name), most)
	}
	return nil
}

// container is what every container of a workload is, whether it keeps running or ends:
// what it holds, what it may, and how it is found.
func (s Stack) container(w workload.Workload) *docker.ContainerArgs {
	args := &docker.ContainerArgs{
		Image:        pulumi.String(w.Image.Reference),
		Envs:         pulumi.ToStringArray(w.FullEnvironment()),
		User:         pulumi.String(w.User),
		Mounts:       mounts(w),
		Tmpfs:        tmpfs(w),
		SecurityOpts: pulumi.StringArray{pulumi.String("no-new-privileges")},
		Capabilities: capabilities(w),
		Memory:       pulumi.Int(int(w.Limits.Memory >> 20)),
		// As much as memory: no swap. Left out, it differs at every second `up`.
		MemorySwap: pulumi.Int(int(w.Limits.Memory >> 20)),
		LogDriver:  pulumi.String(w.Logging.Driver),
		LogOpts:    pulumi.ToStringMap(w.Logging.Options),
		// What the provider makes of a container that has ended is to forget it.
		MustRun: pulumi.Bool(false),
		Labels: docker.ContainerLabelArray{
			docker.ContainerLabelArgs{Label: pulumi.String(s.Label), Value: pulumi.String(s.Prefix)},
			docker.ContainerLabelArgs{Label: pulumi.String("tarot.workload"), Value: pulumi.String(w.Name)},
		},
	}
	hosts := docker.ContainerHostArray{}
	for _, name := range slices.Sorted(maps.Keys(w.Hosts)) {
		hosts = append(hosts, docker.ContainerHostArgs{Host: pulumi.String(name), Ip: pulumi.String(w.Hosts[name])})
	}
	if len(hosts) > 0 {
		args.Hosts = hosts
	}
	return args
}

// capabilities are none, but for those that are named. Without the prefix, a refresh would find a
// difference.
func capabilities(w workload.Workload) docker.ContainerCapabilitiesArgs {
	args := docker.ContainerCapabilitiesArgs{Drops: pulumi.StringArray{pulumi.String("ALL")}}
	if adds := addedCapabilities(w); len(adds) > 0 {
		args.Adds = adds
	}
	return args
}

func addedCapabilities(w workload.Workload) (adds pulumi.StringArray) {
	for _, name := range w.Capabilities {
		adds = append(adds, pulumi.String("CAP_"+name))
	}
	return adds
}

func (c containers) args(w workload.Workload, files docker.ContainerMountArray) *docker.ContainerArgs {
	args := c.container(w)
	args.Mounts = append(mounts(w), files...)
	args.Init, args.Restart = pulumi.Bool(true), pulumi.String(engine.Restart)
	// Without it, deletion is SIGTERM and SIGKILL at once; stopTimeout does
	// not count there.
	args.DestroyGraceSeconds = pulumi.Int(int(w.StopGrace / time.Second))
	args.StopTimeout = pulumi.Int(int(w.StopGrace / time.Second))
	args.ReadOnly = pulumi.Bool(!w.Writable)
	args.Healthcheck = containerHealth(w)
	switch {
	case w.Exports():
		args.Entrypoints, args.Command = pulumi.ToStringArray(workload.Loaded(w.Name)), start(w)
		args.Envs = pulumi.All(args.Envs, shellStartup(w)).ApplyT(func(v []any) []string {
			return slices.DeleteFunc(append(v[0].([]string), v[1].(string)), func(pair string) bool { return pair == "" })
		}).(pulumi.StringArrayOutput)
	case w.Home:
		args.Entrypoints, args.Command = pulumi.ToStringArray(workload.Homed(w.Name)), start(w)
	case len(w.Command)+len(w.Before) > 0:
		args.Entrypoints = start(w)
	}
	if w.StopSignal != "" {
		args.StopSignal = pulumi.String(w.StopSignal)
	}
	if w.Limits.CPUs > 0 {
		args.Cpus = pulumi.String(decimal(w.Limits.CPUs))
	}
	if len(w.Groups) > 0 {
		args.GroupAdds = groups(w)
	}
	if w.Isolated {
		args.NetworkMode = pulumi.String("none")
	} else {
		args.NetworksAdvanced = containerNetworks(w.Networks, w.Name)
	}
	ports := docker.ContainerPortArray{}
	for _, p := range w.Ports {
		address := p.Address
		if address == "" {
			address = "0.0.0.0" // what the engine reports for all of them
		}
		ports = append(ports, docker.ContainerPortArgs{Internal: pulumi.Int(p.Container), External: pulumi.Int(p.Host), Ip: pulumi.String(address)})
		if p.IPv6 && p.Address == "" { // after it, as the engine reports them
			ports = append(ports, docker.ContainerPortArgs{Internal: pulumi.Int(p.Container), External: pulumi.Int(p.Host), Ip: pulumi.String("::")})
		}
	}
	if len(ports) > 0 {
		args.Ports = ports
	}
	return args
}

// groups are by number, as the image may have no names for those of the host.
func groups(w workload.Workload) pulumi.StringArray {
	all := pulumi.StringArray{}
	for _, group := range w.Groups {
		all = append(all, pulumi.String(strconv.Itoa(group)))
	}
	return all
}

// containerNetworks attaches a container, to be found as the workload; empty: by no name.
func containerNetworks(networks []*workload.Network, workload string) docker.ContainerNetworksAdvancedArray {
	all := docker.ContainerNetworksAdvancedArray{}
	for _, n := range networks {
		// By id, so that a network that is replaced takes its containers along.
		attached := docker.ContainerNetworksAdvancedArgs{Name: n.ID}
		if workload != "" {
			attached.Aliases = pulumi.StringArray{pulumi.String(n.Called(workload))}
		}
		all = append(all, attached)
	}
	return all
}

// decimal writes cores as the provider reads them back, with one decimal place
// at least; any other form would be a difference, and so a replacement, at every
// `up`.
func decimal(cores float64) string {
	text := strconv.FormatFloat(cores, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func containerHealth(w workload.Workload) docker.ContainerHealthcheckArgs {
	check := healthCheck(w, w.Exports())
	return docker.ContainerHealthcheckArgs{
		Interval:    containerTime(w.Health.Interval),
		Timeout:     containerTime(check.Timeout),
		StartPeriod: containerTime(w.Health.StartPeriod),
		Retries:     pulumi.Int(w.Health.Retries),
		Tests:       check.Test,
	}
}

func mounts(w workload.Workload) docker.ContainerMountArray {
	all := docker.ContainerMountArray{}
	for _, m := range w.Mounts {
		if m.Kind == workload.Tmpfs {
			continue
		}
		all = append(all, docker.ContainerMountArgs{
			Type: pulumi.String(string(m.Kind)), Source: m.Source.ToStringOutput().ToStringPtrOutput(),
			Target: pulumi.String(m.Target), ReadOnly: pulumi.Bool(m.ReadOnly)})
	}
	return all
}

// tmpfs bounds what a process can write to memory: half of its limit.
func tmpfs(w workload.Workload) pulumi.StringMap {
	all := map[string]string{}
	for _, m := range w.Mounts {
		if m.Kind == workload.Tmpfs {
			all[m.Target] = fmt.Sprintf("mode=1777,nodev,noexec,nosuid,size=%d", w.Limits.Memory/2)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return pulumi.ToStringMap(maps.Clone(all))
}

// containerTime writes a duration as the provider reads a container's back, so
// that a refresh finds no difference: Go's own form.
func containerTime(d time.Duration) pulumi.StringPtrInput { return pulumi.String(d.String()) }
