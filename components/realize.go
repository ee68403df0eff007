package components

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/part"
	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/state"
)

// realized is what the parts' names have become: it declares what they describe, by the
// runtime, and looks up what has been declared.
type realized struct {
	ctx      *pulumi.Context
	runtime  runtime.Runtime
	platform pulumi.Resource
	// before are the volumes in the stack's state.
	before     map[string]state.Volume
	driver     string
	retain     bool
	networks   map[string]*workload.Network
	volumes    map[string]pulumi.StringInput
	secrets    map[string]pulumi.StringOutput
	images     map[string]*runtime.Image
	mu         sync.Mutex // of all below: parts that follow run at once
	components map[string]*component
	jobs       map[string]*runtime.JobRun
	running    map[string]service
}

// component is a component resource that parts are children of.
type component struct {
	pulumi.ResourceState
	outputs pulumi.Map
}

// service is one that runs.
type service struct {
	*runtime.Running
	part.Service
	image string
}

func newRealized(ctx *pulumi.Context, r runtime.Runtime, platform pulumi.Resource, args *PlatformArgs) *realized {
	return &realized{ctx: ctx, runtime: r, platform: platform, before: args.Volumes, driver: args.Config.Volumes.Driver, retain: args.Config.Volumes.Retain,
		networks: map[string]*workload.Network{}, volumes: map[string]pulumi.StringInput{}, secrets: map[string]pulumi.StringOutput{},
		images: map[string]*runtime.Image{}, components: map[string]*component{}, jobs: map[string]*runtime.JobRun{}, running: map[string]service{}}
}

// component is the one of the name, registered when it is first asked for; empty is the
// platform.
func (r *realized) component(name string) (pulumi.Resource, error) {
	if name == "" || name == "platform" {
		return r.platform, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.components[name]; c != nil {
		return c, nil
	}
	c := &component{outputs: pulumi.Map{}}
	r.components[name] = c
	return c, r.ctx.RegisterComponentResource("tarot:index:"+strings.ToUpper(name[:1])+name[1:], name, c, pulumi.Parent(r.platform))
}

// registerOutputs ends the components.
func (r *realized) registerOutputs() error {
	for _, name := range slices.Sorted(maps.Keys(r.components)) {
		if err := r.ctx.RegisterResourceOutputs(r.components[name], r.components[name].outputs); err != nil {
			return err
		}
	}
	return nil
}

// declareNetworks declares them one after the other.
func (r *realized) declareNetworks(all []part.Network) error {
	var last *workload.Network
	for _, n := range all {
		network, err := r.runtime.Network(r.ctx, runtime.Network{Name: n.Name, Subnet: n.Subnet, Internal: n.Internal, After: last}, r.platform)
		if err != nil {
			return err
		}
		last = network
		for _, name := range n.StandsFor {
			r.networks[name] = network
		}
	}
	return nil
}

// declareVolumes declares a part's volumes, and of those that it does not use the ones that
// Pulumi would remove.
func (r *realized) declareVolumes(d part.Described) error {
	for _, v := range d.Volumes {
		declared := runtime.Volume{Resource: v.Resource, Name: v.Engine, Data: v.Data, Driver: r.driver, Retain: r.retain, Unused: v.Unused}
		if before, known := r.before[v.Resource]; known {
			declared.Before = &before
		}
		if v.Unused != "" && (declared.Before == nil || declared.Before.Retained) {
			continue
		}
		parent, err := r.component(d.Component)
		if err != nil {
			return err
		}
		if r.volumes[v.Name], err = r.runtime.Volume(r.ctx, declared, parent); err != nil {
			return err
		}
	}
	return nil
}

// declareImages declares a part's images.
func (r *realized) declareImages(d part.Described) error {
	for _, i := range d.Images {
		parent, err := r.component(i.Component)
		if err != nil {
			return err
		}
		image, err := r.runtime.Image(r.ctx, runtime.ImageArgs{Resource: i.Name + "-image", Reference: i.Reference, Build: i.Build}, parent)
		if err != nil {
			return err
		}
		r.images[i.Name] = image
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

// workload is a service with what its names stand for.
func (r *realized) workload(s part.Service) (workload.Workload, error) {
	w := workload.Workload{Program: s.Program, Image: r.images[s.Image].Image}
	for _, f := range s.Files {
		content, err := r.text(f.Text)
		if err != nil {
			return w, fmt.Errorf("%s: %w", f.Name, err)
		}
		w.Files = append(w.Files, workload.File{Name: f.Name, Content: content})
	}
	for _, f := range s.Secrets {
		w.Secrets = append(w.Secrets, workload.Secret{Name: f.Name, Variable: f.Variable, Export: f.Export, Value: r.secret(f)})
	}
	for _, m := range s.Mounts {
		mount := workload.Mount{Kind: m.Kind, Target: m.Target, ReadOnly: m.ReadOnly}
		switch m.Kind {
		case workload.Volume:
			mount.Source = r.volumes[m.Source]
		case workload.Bind:
			mount.Source = pulumi.String(m.Source)
		}
		w.Mounts = append(w.Mounts, mount)
	}
	for _, name := range s.Networks { // without isolation, several are one
		if n := r.networks[name]; !slices.Contains(w.Networks, n) {
			w.Networks = append(w.Networks, n)
		}
	}
	return w, nil
}

func (r *realized) secret(f part.SecretFile) pulumi.StringOutput {
	value := r.secrets[f.Secret]
	if f.Make == nil {
		return value
	}
	return pulumi.ToSecret(value.ApplyT(f.Make)).(pulumi.StringOutput)
}

// text is a text that is known, or will be.
func (r *realized) text(t part.Text) (pulumi.StringInput, error) {
	if text, known := t.Known(); known {
		return pulumi.String(text), nil
	}
	hosts, addresses := pulumi.StringArray{}, pulumi.StringArray{}
	if name := t.Service(); name != "" {
		running, there := r.running[name]
		if !there {
			return nil, fmt.Errorf("it is made of where the service %s is, which does not run", name)
		}
		hosts, addresses = running.Hosts, running.Addresses
	}
	of := []any{hosts.ToStringArrayOutput(), addresses.ToStringArrayOutput()}
	for _, name := range t.Secrets() {
		of = append(of, r.secrets[name])
	}
	return pulumi.Unsecret(pulumi.All(of...).ApplyT(func(values []any) (string, error) {
		later := part.Later{Secrets: map[string]string{}, Hosts: values[0].([]string), Addresses: values[1].([]string)}
		for i, name := range t.Secrets() {
			later.Secrets[name] = values[2+i].(string)
		}
		return t.Make(later)
	})).(pulumi.StringOutput), nil
}

// declareJobs declares a part's jobs that come before something, and returns their names.
func (r *realized) declareJobs(d part.Described) (names []string, err error) {
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

func (r *realized) job(component string, j part.Job) (*runtime.JobRun, error) {
	parent, err := r.component(component)
	if err != nil {
		return nil, err
	}
	w, err := r.workload(j.Service)
	if err != nil {
		return nil, err
	}
	run, err := r.runtime.Job(r.ctx, runtime.Job{Workload: w, Within: j.Within, Warns: j.Warns}, parent)
	if err != nil {
		return nil, err
	}
	run.Await = sync.OnceValue(run.Await) // several may come after it
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs[j.Name] = run
	return run, nil
}

// runJob declares a job and waits for its end.
func (r *realized) runJob(component string, j part.Job) error {
	run, err := r.job(component, j)
	if err != nil {
		return err
	}
	return run.Await()
}

// await returns when the jobs have ended well, with the resources to depend on.
func (r *realized) await(jobs []string) ([]pulumi.Resource, error) {
	var resources []pulumi.Resource
	for _, name := range jobs {
		r.mu.Lock()
		run := r.jobs[name]
		r.mu.Unlock()
		if err := run.Await(); err != nil {
			return nil, err
		}
		resources = append(resources, run.Resource)
	}
	return resources, nil
}

// awaitJobs returns when all that were declared have ended well, also those that nothing
// comes after.
func (r *realized) awaitJobs() error {
	_, err := r.await(slices.Sorted(maps.Keys(r.jobs)))
	return err
}

// ran is told of a service that runs.
func (r *realized) ran(s part.Service, running *runtime.Running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[s.Name] = service{running, s, r.images[s.Image].Reference}
}

// reached returns what tells the addresses of a service's replicas.
func (r *realized) reached(name string) func(context.Context) ([]string, error) {
	return r.running[name].Reached
}

// services are what the output of that name tells of the workloads. watched: with what
// Prometheus calls them.
func (r *realized) services(watched bool) pulumi.Map {
	all := pulumi.Map{}
	for name, s := range r.running {
		told := pulumi.Map{"image": pulumi.String(s.image), "replicas": pulumi.Int(s.Replicas), "names": s.Names}
		if watched && s.Job != "" {
			told["job"] = pulumi.String(s.Job)
		}
		all[name] = told
	}
	return all
}

// standIns are the images that are none of the real ones.
func (r *realized) standIns() pulumi.StringMapOutput {
	all := pulumi.StringMap{}
	for name, image := range r.images {
		all[name] = image.StandIn
	}
	return all.ToStringMapOutput().ApplyT(func(found map[string]string) map[string]string {
		maps.DeleteFunc(found, func(_, text string) bool { return text == "" })
		return found
	}).(pulumi.StringMapOutput)
}

// shownVolumes are those that the output `volumes` tells of.
func (r *realized) shownVolumes(parts []part.Described) pulumi.Map {
	all := pulumi.Map{}
	for _, d := range parts {
		for _, v := range d.Volumes {
			if v.Output != "" {
				all[v.Output] = r.volumes[v.Name]
			}
		}
	}
	return all
}
