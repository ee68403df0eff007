package components

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"

	"tarot-platform/components/part"
	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/state"
)

// realised is what the parts' names have become: it declares what they describe, by the
// runtime, and looks up what has been declared.
type realised struct {
	ctx      *pulumi.Context
	runtime  runtime.Runtime
	platform pulumi.Resource
	// before are the volumes in the stack's state, and driver and retain what the
	// configuration says of all that hold data.
	before  map[string]state.Volume
	driver  string
	retain  bool
	options func(volume string) map[string]string
	// stack begins the names of everything in the engine.
	stack string

	networks table[*workload.Network]
	volumes  table[pulumi.StringInput]
	secrets  table[pulumi.StringOutput]
	images   table[*runtime.Image]
	jobs     table[*runtime.JobRun]
	running  table[service]

	registering sync.Mutex
	components  map[string]*component
}

// component is a component resource that parts are children of.
type component struct{ pulumi.ResourceState }

// service is one that runs.
type service struct {
	*runtime.Running
	part.Service
	image string
}

func newRealised(ctx *pulumi.Context, r runtime.Runtime, platform pulumi.Resource, args *PlatformArgs) *realised {
	return &realised{ctx: ctx, runtime: r, platform: platform, before: args.Volumes, driver: args.Config.Volumes.Driver, retain: args.Config.Volumes.Retain,
		options: args.Config.Volumes.OptionsOf, stack: args.Prefix, components: map[string]*component{}}
}

// component is the one of the name, registered when it is first asked for; empty is the
// platform.
func (r *realised) component(name string) (pulumi.Resource, error) {
	if name == "" || name == "platform" {
		return r.platform, nil
	}
	r.registering.Lock()
	defer r.registering.Unlock()
	if c := r.components[name]; c != nil {
		return c, nil
	}
	c := &component{}
	r.components[name] = c
	return c, r.ctx.RegisterComponentResource("tarot:index:"+strings.ToUpper(name[:1])+name[1:], name, c, pulumi.Parent(r.platform))
}

// registerOutputs ends the components. Each tells what its services are called.
func (r *realised) registerOutputs(parts []part.Described) error {
	for _, name := range slices.Sorted(maps.Keys(r.components)) {
		outputs := pulumi.Map{}
		for _, d := range parts {
			if d.Component != name {
				continue
			}
			for _, s := range d.Services {
				outputs[s.Name] = r.running.get(s.Name).Names
			}
		}
		if err := r.ctx.RegisterResourceOutputs(r.components[name], outputs); err != nil {
			return err
		}
	}
	return nil
}

// declareNetworks declares them one after the other.
func (r *realised) declareNetworks(all []part.Network) error {
	var last *workload.Network
	for _, n := range all {
		network, err := r.runtime.Network(r.ctx, runtime.Network{Name: n.Name, Subnet: n.Subnet, Subnet6: n.Subnet6, Encrypted: n.Encrypted, Internal: n.Internal, Alias: alias(n, r.stack), After: last}, r.platform)
		if err != nil {
			return err
		}
		last = network
		for _, name := range n.StandsFor {
			r.networks.set(name, network)
		}
	}
	return nil
}

// alias is what this stack is called on a network that it shares.
func alias(n part.Network, stack string) string {
	if n.Shared {
		return stack
	}
	return ""
}

// meet has services find the network of the stack's edge, which that has declared.
func (r *realised) meet(peer part.Peer) {
	if peer.Stack != "" {
		r.networks.set(part.Sites, &workload.Network{Name: peer.Network.Name, ID: pulumi.String(peer.Network.ID).ToStringOutput(), Alias: r.stack, Internal: true})
	}
}

// declareVolumes declares a part's volumes, and of those that it does not use the ones that
// Pulumi would remove.
func (r *realised) declareVolumes(d part.Described) error {
	for _, v := range d.Volumes {
		declared := runtime.Volume{Resource: v.Resource, Name: v.Engine, Data: v.Data, Driver: r.driver, Retain: r.retain, Unused: v.Unused}
		if before, known := r.before[v.Resource]; known {
			declared.Before = &before
		}
		if v.Unused != "" && (declared.Before == nil || declared.Before.Retained) {
			continue
		}
		if v.Private() && v.Unused == "" {
			declared.Options = r.options(v.Engine)
		}
		parent, err := r.component(d.Component)
		if err != nil {
			return err
		}
		name, err := r.runtime.Volume(r.ctx, declared, parent)
		if err != nil {
			return err
		}
		r.volumes.set(v.Name, name)
	}
	return nil
}

// declareImages declares a part's images.
func (r *realised) declareImages(d part.Described) error {
	for _, i := range d.Images {
		parent, err := r.component(i.Component)
		if err != nil {
			return err
		}
		image, err := r.runtime.Image(r.ctx, runtime.ImageArgs{Resource: i.Name + "-image", Reference: i.Reference, Build: i.Build}, parent)
		if err != nil {
			return err
		}
		r.images.set(i.Name, image)
		if i.Inspect == nil {
			continue
		}
		pulumi.All(image.Start, image.Health, image.Environment).ApplyT(func(all []any) int {
			var words []string
			for _, said := range all {
				words = append(words, said.([]string)...)
			}
			if warning := i.Inspect(words); warning != "" {
				_ = r.ctx.Log.Warn(warning, nil)
			}
			return 0
		})
	}
	return nil
}

// declareJobs declares a part's jobs that come before something, and returns their names.
func (r *realised) declareJobs(d part.Described) (names []string, err error) {
	for _, j := range d.Jobs {
		if j.When != part.Before {
			continue
		}
		if _, err := r.job(d.Component, j); err != nil {
			return nil, err
		}
		names = append(names, j.Name)
	}
	return names, nil
}

func (r *realised) job(component string, j part.Job) (*runtime.JobRun, error) {
	parent, err := r.component(component)
	if err != nil {
		return nil, err
	}
	w, err := r.workload(j.Service)
	if err != nil {
		return nil, err
	}
	// What a container mounts may be changed when it is made, so the earlier ones are waited for.
	if _, err := r.await(j.After); err != nil {
		return nil, err
	}
	again, err := r.identities(j.Again)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", j.Name, err)
	}
	run, err := r.runtime.Job(r.ctx, runtime.Job{Workload: w, Within: j.Within, Warns: j.Warns, Again: again}, parent)
	if err != nil {
		return nil, err
	}
	run.Await = sync.OnceValue(run.Await) // several may come after it
	r.jobs.set(j.Name, run)
	return run, nil
}

// identities are what the engine knows jobs and services by: others where they were made anew.
func (r *realised) identities(names []string) (pulumi.StringArray, error) {
	var all pulumi.StringArray
	for _, name := range names {
		job, running := r.jobs.get(name), r.running.get(name).Running
		switch {
		case job != nil:
			all = append(all, job.ID)
		case running != nil:
			all = append(all, running.IDs...)
		default:
			return nil, fmt.Errorf("it runs again with %s, which is not there yet", name)
		}
	}
	return all, nil
}

// runJob declares a job and waits for its end.
func (r *realised) runJob(component string, j part.Job) error {
	run, err := r.job(component, j)
	if err != nil {
		return err
	}
	return run.Await()
}

// await starts the jobs, and returns when all have ended well, with the resources to depend on.
func (r *realised) await(jobs []string) ([]pulumi.Resource, error) {
	var resources []pulumi.Resource
	var all errgroup.Group
	for _, name := range jobs {
		run := r.jobs.get(name)
		if run == nil {
			return nil, fmt.Errorf("the job %s, which has to end before, is not there yet", name)
		}
		all.Go(run.Await)
		resources = append(resources, run.Resource)
	}
	return resources, all.Wait()
}

// awaitJobs returns when all that were declared have ended well, also those that nothing
// comes after.
func (r *realised) awaitJobs() error {
	_, err := r.await(slices.Sorted(maps.Keys(r.jobs.all())))
	return err
}

// ran is told of a service that runs.
func (r *realised) ran(s part.Service, running *runtime.Running) {
	r.running.set(s.Name, service{running, s, r.images.get(s.Image).Reference})
}

// reached returns what tells the addresses of a service's replicas.
func (r *realised) reached(name string) func(context.Context) ([]string, error) {
	return r.running.get(name).Reached
}

// services are what the output of that name tells of the workloads. watched: with what
// Prometheus calls them.
func (r *realised) services(watched bool) pulumi.Map {
	all := pulumi.Map{}
	for name, s := range r.running.all() {
		told := pulumi.Map{"image": pulumi.String(s.image), "replicas": pulumi.Int(s.Replicas), "names": s.Names}
		if s.Writes != nil {
			told["writes"] = pulumi.ToStringArray(s.Writes)
		}
		if watched && s.Job != "" {
			told["job"] = pulumi.String(s.Job)
		}
		all[name] = told
	}
	return all
}

// standIns are the images that are none of the real ones.
func (r *realised) standIns() pulumi.StringMapOutput {
	all := pulumi.StringMap{}
	for name, image := range r.images.all() {
		all[name] = image.StandIn
	}
	return all.ToStringMapOutput().ApplyT(func(found map[string]string) map[string]string {
		maps.DeleteFunc(found, func(_, text string) bool { return text == "" })
		return found
	}).(pulumi.StringMapOutput)
}

// shownVolumes are those that the output `volumes` tells of.
func (r *realised) shownVolumes(parts []part.Described) pulumi.Map {
	all := pulumi.Map{}
	for _, d := range parts {
		for _, v := range d.Volumes {
			if v.Output != "" {
				all[v.Output] = r.volumes.get(v.Name)
			}
		}
	}
	return all
}
