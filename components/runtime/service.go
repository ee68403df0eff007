package runtime

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// taskSpec is what a service's tasks are made of, but for their alias.
type taskSpec struct {
	docker.ServiceTaskSpecArgs
	networks []*workload.Network
	stack    docker.ServiceTaskSpecContainerSpecLabelArray
}

// of is the specification for tasks that are found by the alias.
func (t taskSpec) of(alias string, force int) docker.ServiceTaskSpecArgs {
	spec := t.ServiceTaskSpecArgs
	container := *spec.ContainerSpec.(*docker.ServiceTaskSpecContainerSpecArgs)
	container.Labels = append(slices.Clone(t.stack),
		docker.ServiceTaskSpecContainerSpecLabelArgs{Label: pulumi.String("tarot.workload"), Value: pulumi.String(alias)})
	spec.ContainerSpec = &container
	networks := docker.ServiceTaskSpecNetworksAdvancedArray{}
	for _, n := range t.networks {
		networks = append(networks, docker.ServiceTaskSpecNetworksAdvancedArgs{Name: n.ID, Aliases: pulumi.StringArray{pulumi.String(n.Called(alias))}})
	}
	spec.NetworksAdvanceds = networks
	spec.ForceUpdate = pulumi.Int(force)
	return spec
}

// tasks declares what the tasks need, and returns what they are.
func (s swarm) tasks(ctx *pulumi.Context, name string, w workload.Workload, parent pulumi.Resource) (taskSpec, error) {
	loads := len(w.FullEnvironment()) > 0 || w.Exports() || w.Home
	if loads {
		w = withEnvironmentFile(w)
	}
	configs, err := s.configs(ctx, name, w, parent)
	if err != nil {
		return taskSpec{}, err
	}
	secrets, err := s.secrets(ctx, name, w, parent)
	if err != nil {
		return taskSpec{}, err
	}
	spec := &docker.ServiceTaskSpecContainerSpecArgs{
		Image:           pulumi.String(w.Image.Reference),
		User:            pulumi.String(w.User),
		ReadOnly:        pulumi.Bool(!w.Writable),
		CapDrops:        pulumi.StringArray{pulumi.String("ALL")},
		Healthcheck:     serviceHealth(w, loads),
		Mounts:          serviceMounts(w),
		Configs:         configs,
		Secrets:         secrets,
		StopGracePeriod: serviceTime(w.StopGrace),
	}
	if adds := addedCapabilities(w); len(adds) > 0 {
		spec.CapAdds = adds
	}
	if len(w.Groups) > 0 {
		spec.Groups = groups(w)
	}
	hosts := docker.ServiceTaskSpecContainerSpecHostArray{}
	for _, name := range slices.Sorted(maps.Keys(w.Hosts)) {
		hosts = append(hosts, docker.ServiceTaskSpecContainerSpecHostArgs{Host: pulumi.String(name), Ip: pulumi.String(w.Hosts[name])})
	}
	if len(hosts) > 0 {
		spec.Hosts = hosts
	}
	if w.StopSignal != "" {
		spec.StopSignal = pulumi.String(w.StopSignal)
	}
	if loads {
		spec.Commands = pulumi.ToStringArray(workload.Loaded(w.Name))
		spec.Args = start(w)
		spec.Env = shellStartup(w).ApplyT(func(v any) map[string]string {
			if name, value, ok := strings.Cut(v.(string), "="); ok {
				return map[string]string{name: value} // one: of several, the order is random
			}
			return nil
		}).(pulumi.StringMapOutput)
	} else if len(w.Command)+len(w.Before) > 0 {
		spec.Commands = start(w)
	}
	return taskSpec{
		docker.ServiceTaskSpecArgs{
			ContainerSpec: spec,
			Resources: docker.ServiceTaskSpecResourcesArgs{Limits: docker.ServiceTaskSpecResourcesLimitsArgs{
				MemoryBytes: pulumi.Int(int(w.Limits.Memory)), NanoCpus: pulumi.Int(int(w.Limits.CPUs * 1e9))}},
			RestartPolicy: docker.ServiceTaskSpecRestartPolicyArgs{Condition: pulumi.String("any"), Delay: serviceTime(2 * time.Second), Window: serviceTime(0)},
			LogDriver:     docker.ServiceTaskSpecLogDriverArgs{Name: pulumi.String(w.Logging.Driver), Options: pulumi.ToStringMap(w.Logging.Options)},
			Placement:     docker.ServiceTaskSpecPlacementArgs{Constraints: pulumi.ToStringArray(s.Constraints)},
		},
		w.Networks,
		docker.ServiceTaskSpecContainerSpecLabelArray{
			docker.ServiceTaskSpecContainerSpecLabelArgs{Label: pulumi.String(s.Label), Value: pulumi.String(s.Prefix)}},
	}, nil
}

// service declares a service. It does not wait for it to converge, as the
// provider's waiting ends too early; the engine is asked afterwards.
func (s swarm) service(ctx *pulumi.Context, name string, w workload.Workload, tasks docker.ServiceTaskSpecArgs, replicas int,
	update docker.ServiceUpdateConfigArgs, parent pulumi.Resource, after []pulumi.Resource, opts ...pulumi.ResourceOption) (*docker.Service, error) {
	dependsOn := slices.Clone(after)
	if w.Image.Resource != nil {
		dependsOn = append(dependsOn, w.Image.Resource)
	}
	service, err := docker.NewService(ctx, name, &docker.ServiceArgs{
		Name:           on(w.Networks, name),
		TaskSpec:       tasks,
		Mode:           docker.ServiceModeArgs{Replicated: docker.ServiceModeReplicatedArgs{Replicas: pulumi.Int(replicas)}},
		UpdateConfig:   update,
		RollbackConfig: rollbackConfig(w),
		EndpointSpec:   endpoint(w),
		Labels: docker.ServiceLabelArray{
			docker.ServiceLabelArgs{Label: pulumi.String(s.Label), Value: pulumi.String(s.Prefix)},
		},
	}, append(opts, pulumi.Parent(parent), pulumi.DependsOn(dependsOn), pulumi.DeleteBeforeReplace(true),
		s.retryWithoutLeftover(ctx, "service", name, func(name string) (bool, error) { return s.Engine.RemoveService(ctx.Context(), s.Prefix, name) }))...)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}
	return service, nil
}

// on is a service's name once its networks are there. A network that is made anew has
// to be left first; Pulumi takes those services away before it, of which a property
// then changes that the provider replaces a service for. Their networks, deep in the
// task's specification, don't count as one.
func on(networks []*workload.Network, name string) pulumi.StringOutput {
	ids := make([]any, len(networks))
	for i, n := range networks {
		ids[i] = n.ID
	}
	return pulumi.All(ids...).ApplyT(func([]any) string { return name }).(pulumi.StringOutput)
}

// configs declares the files as Swarm configs, and the environment with them:
// the provider sends environment variables in random order, so that any change,
// were it only the number of replicas, would restart every task.
//
// A config can not be changed, only replaced. Its name is Pulumi's own, with a
// random suffix: one that is made of the content would be taken when a failed
// `up` is followed by one that goes back.
func (s swarm) configs(ctx *pulumi.Context, service string, w workload.Workload, parent pulumi.Resource) (docker.ServiceTaskSpecContainerSpecConfigArray, error) {
	mounted := docker.ServiceTaskSpecContainerSpecConfigArray{}
	for _, f := range w.Files {
		logical := objectName(service, f.Name)
		config, err := docker.NewServiceConfig(ctx, logical, &docker.ServiceConfigArgs{
			Data: encoded(f.Content),
		}, pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false))
		if err != nil {
			return nil, fmt.Errorf("config %s: %w", logical, err)
		}
		mounted = append(mounted, docker.ServiceTaskSpecContainerSpecConfigArgs{
			ConfigId: config.ID(), ConfigName: config.Name, FileName: pulumi.String(workload.ConfigDir + "/" + f.Name),
			FileUid: pulumi.String("0"), FileGid: pulumi.String("0"), FileMode: pulumi.Int(0o444)})
	}
	return mounted, nil
}

// secrets declares Swarm secrets. Their names are Pulumi's own, too, and so tell
// nothing of the value.
func (s swarm) secrets(ctx *pulumi.Context, service string, w workload.Workload, parent pulumi.Resource) (docker.ServiceTaskSpecContainerSpecSecretArray, error) {
	mounted := docker.ServiceTaskSpecContainerSpecSecretArray{}
	uid, gid, _ := strings.Cut(w.User, ":")
	for _, secret := range w.Secrets {
		logical := objectName(service, secret.Name)
		resource, err := docker.NewSecret(ctx, logical, &docker.SecretArgs{
			Data: secret.Value.ApplyT(func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }).(pulumi.StringOutput),
		}, pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false))
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", logical, err)
		}
		mounted = append(mounted, docker.ServiceTaskSpecContainerSpecSecretArgs{
			SecretId: resource.ID(), SecretName: resource.Name, FileName: pulumi.String(secret.Path()),
			FileUid: pulumi.String(uid), FileGid: pulumi.String(gid), FileMode: pulumi.Int(0o400)})
	}
	return mounted, nil
}

func encoded(content pulumi.StringInput) pulumi.StringOutput {
	return content.ToStringOutput().ApplyT(func(text string) string {
		return base64.StdEncoding.EncodeToString([]byte(text))
	}).(pulumi.StringOutput)
}

// objectName is the name of a config or a secret before Pulumi adds its suffix
// of eight characters. The engine takes 64 in all: of a longer one the end is a hash.
func objectName(service, name string) string {
	const most = 64 - 8
	full := service + "-" + name
	if len(full) > most {
		sum := sha256.Sum256([]byte(full))
		full = strings.TrimRight(full[:most-9], "-.") + "-" + hex.EncodeToString(sum[:4])
	}
	return full
}

func serviceHealth(w workload.Workload, loads bool) docker.ServiceTaskSpecContainerSpecHealthcheckArgs {
	check := healthCheck(w, loads)
	return docker.ServiceTaskSpecContainerSpecHealthcheckArgs{
		Interval:    serviceTime(w.Health.Interval),
		Timeout:     serviceTime(check.Timeout),
		StartPeriod: serviceTime(w.Health.StartPeriod),
		Retries:     pulumi.Int(w.Health.Retries),
		Tests:       check.Test,
	}
}

func serviceMounts(w workload.Workload) docker.ServiceTaskSpecContainerSpecMountArray {
	all := docker.ServiceTaskSpecContainerSpecMountArray{}
	for _, m := range w.Mounts {
		// tmpfs options panic the provider (kreuzwerker#563): a bare one has the
		// memory limit as its bound.
		mount := docker.ServiceTaskSpecContainerSpecMountArgs{Type: pulumi.String(string(m.Kind)), Target: pulumi.String(m.Target), ReadOnly: pulumi.Bool(m.ReadOnly)}
		if m.Source != nil {
			mount.Source = m.Source.ToStringOutput().ToStringPtrOutput()
		}
		all = append(all, mount)
	}
	return all
}

// order is start-first, so that there is no moment with fewer tasks than
// wanted, but where there may be only one: the new task would wait for the port, or
// the lock on its data, that the old one holds.
func order(w workload.Workload) string {
	if w.StopFirst() {
		return "stop-first"
	}
	return "start-first"
}

// monitor is how long a task's failure counts against the update after it has
// become healthy, and what every update waits for at its end.
// Without a check, that is the time in which it has to run without ending.
func monitor(w workload.Workload) time.Duration { return max(w.Health.Interval, w.Health.Steady) }

func updateConfig(w workload.Workload) docker.ServiceUpdateConfigArgs {
	return docker.ServiceUpdateConfigArgs{
		Parallelism: pulumi.Int(1), Order: pulumi.String(order(w)), FailureAction: pulumi.String("rollback"),
		Monitor: serviceTime(monitor(w)), Delay: serviceTime(0), MaxFailureRatio: pulumi.String("0.0"),
	}
}

func rollbackConfig(w workload.Workload) docker.ServiceRollbackConfigArgs {
	return docker.ServiceRollbackConfigArgs{
		Parallelism: pulumi.Int(0), Order: pulumi.String(order(w)), FailureAction: pulumi.String("pause"),
		Monitor: serviceTime(monitor(w)), Delay: serviceTime(0), MaxFailureRatio: pulumi.String("0.0"),
	}
}

// endpoint uses DNS with all tasks' addresses, and ports of the node itself:
// nginx balances, sees clients' addresses, and neither needs IPVS.
func endpoint(w workload.Workload) docker.ServiceEndpointSpecArgs {
	ports := docker.ServiceEndpointSpecPortArray{}
	for _, p := range w.Ports {
		ports = append(ports, docker.ServiceEndpointSpecPortArgs{
			TargetPort: pulumi.Int(p.Container), PublishedPort: pulumi.Int(p.Host),
			PublishMode: pulumi.String("host"), Protocol: pulumi.String("tcp")})
	}
	spec := docker.ServiceEndpointSpecArgs{Mode: pulumi.String("dnsrr")}
	if len(ports) > 0 {
		spec.Ports = ports
	}
	return spec
}

// serviceTime writes a duration as the provider reads a service's back: "1m",
// not "1m0s". Any other form would be a difference at every `up`.
func serviceTime(d time.Duration) pulumi.StringPtrInput {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return pulumi.String(text)
}
