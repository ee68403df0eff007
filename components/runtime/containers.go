package runtime

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// containers realises workloads as plain containers on one engine.
type containers struct{ Stack }

func (c containers) Network(ctx *pulumi.Context, name string, args NetworkArgs, parent pulumi.Resource) (*workload.Network, error) {
	return network(ctx, c.Stack, "bridge", name, args, parent)
}

// Run declares one container for each replica, one after the other: where they
// have to be replaced, the others keep serving.
func (c containers) Run(ctx *pulumi.Context, w workload.Workload, parent pulumi.Resource) (*Running, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	files, err := c.files(ctx, w, parent)
	if err != nil {
		return nil, err
	}
	running := &Running{}
	dependsOn := append(slices.Clone(w.DependsOn), files.resources...)
	if w.Image.Resource != nil {
		dependsOn = append(dependsOn, w.Image.Resource)
	}
	for i := range w.Replicas {
		name := fmt.Sprintf("%s-%s-%d", c.Prefix, w.Name, i+1)
		container, err := docker.NewContainer(ctx, name, c.args(name, w, files.mounts),
			pulumi.Parent(parent), pulumi.DependsOn(dependsOn),
			// The name is taken until the old container is gone.
			pulumi.DeleteBeforeReplace(true),
			// Of a change in these, the provider writes the state and leaves the
			// container as it is.
			pulumi.ReplaceOnChanges([]string{"healthcheck", "tmpfs", "init", "cpus"}))
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", name, err)
		}
		running.Names = append(running.Names, name)
		running.Resources = append(running.Resources, container)
		dependsOn = []pulumi.Resource{container}
	}
	running.Ready = ready(ctx, running.Resources, func(ctx context.Context) error {
		for _, name := range running.Names {
			if err := c.Engine.AwaitContainer(ctx, name, w.Image.Reference, w.Health.Deadline()); err != nil {
				return err
			}
		}
		return nil
	})
	return running, nil
}

func (c containers) args(name string, w workload.Workload, files docker.ContainerMountArray) *docker.ContainerArgs {
	args := &docker.ContainerArgs{
		Name:    pulumi.String(name),
		Image:   pulumi.String(w.Image.Reference),
		Envs:    pulumi.ToStringArray(w.FullEnvironment()),
		User:    pulumi.String(w.User),
		Mounts:  append(mounts(w), files...),
		Tmpfs:   tmpfs(w),
		Init:    pulumi.Bool(true),
		Restart: pulumi.String("unless-stopped"),
		// Without it, deletion is SIGTERM and SIGKILL at once; stopTimeout does
		// not count there.
		DestroyGraceSeconds: pulumi.Int(int(w.StopGrace / time.Second)),
		StopTimeout:         pulumi.Int(int(w.StopGrace / time.Second)),
		ReadOnly:            pulumi.Bool(!w.Writable),
		SecurityOpts:        pulumi.StringArray{pulumi.String("no-new-privileges")},
		Capabilities:        docker.ContainerCapabilitiesArgs{Drops: pulumi.StringArray{pulumi.String("ALL")}},
		Memory:              pulumi.Int(int(w.Limits.Memory >> 20)),
		// As much as memory: no swap. Left out, it differs at every second `up`.
		MemorySwap:  pulumi.Int(int(w.Limits.Memory >> 20)),
		LogDriver:   pulumi.String(w.Logging.Driver),
		LogOpts:     pulumi.ToStringMap(w.Logging.Options),
		Healthcheck: containerHealth(w),
		Wait:        pulumi.Bool(true),
		WaitTimeout: pulumi.Int(int(w.Health.Deadline() / time.Second)),
		Labels: docker.ContainerLabelArray{
			docker.ContainerLabelArgs{Label: pulumi.String(c.Label), Value: pulumi.String(c.Prefix)},
			docker.ContainerLabelArgs{Label: pulumi.String("tarot.workload"), Value: pulumi.String(w.Name)},
		},
	}
	if len(w.Command) > 0 {
		args.Entrypoints = pulumi.ToStringArray(w.Command)
	}
	if w.StopSignal != "" {
		args.StopSignal = pulumi.String(w.StopSignal)
	}
	if w.Limits.CPUs > 0 {
		args.Cpus = pulumi.String(decimal(w.Limits.CPUs))
	}
	networks := docker.ContainerNetworksAdvancedArray{}
	for _, n := range w.Networks {
		// By id, so that a network that is replaced takes its containers along.
		networks = append(networks, docker.ContainerNetworksAdvancedArgs{Name: n.ID, Aliases: pulumi.StringArray{pulumi.String(w.Name)}})
	}
	args.NetworksAdvanced = networks
	ports := docker.ContainerPortArray{}
	for _, p := range w.Ports {
		address := p.Address
		if address == "" {
			address = "0.0.0.0" // what the engine reports for all of them
		}
		ports = append(ports, docker.ContainerPortArgs{Internal: pulumi.Int(p.Container), External: pulumi.Int(p.Host), Ip: pulumi.String(address)})
	}
	if len(ports) > 0 {
		args.Ports = ports
	}
	return args
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
	health := docker.ContainerHealthcheckArgs{
		Interval:    containerTime(w.Health.Interval),
		Timeout:     containerTime(w.Health.Timeout),
		StartPeriod: containerTime(w.Health.StartPeriod),
		Retries:     pulumi.Int(w.Health.Retries),
		Tests:       w.Image.Health,
	}
	if len(w.Health.Test) > 0 {
		health.Tests = pulumi.ToStringArray(w.Health.Test)
	}
	return health
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
