package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
)

// plan is what a preview tells of the workloads: which ones an update would
// restart. It is made of the steps that Pulumi itself plans, as they come: a
// second opinion would be another one some day.
type plan struct {
	mu        sync.Mutex
	workloads []*planned
	jobs      []string
	resources []pulumi.Resource
	// moved is true where a network is made anew: Pulumi then takes what is on it away
	// first, whatever that would do by itself.
	moved bool
	// blind is why the steps are not seen.
	blind error
}

// planned is what Pulumi is about to do to a workload.
type planned struct {
	name     string
	wanted   int
	service  bool
	rolling  bool // new ones start before the old ones stop
	made     int  // containers, or the service
	replaced bool // the service's tasks
	before   int  // the service's replicas; -1: as wanted
}

// workload is told of a workload before its resources are declared.
func (p *plan) workload(name string, replicas int, rolling bool) *planned {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &planned{name: name, wanted: replicas, rolling: rolling, before: -1}
	p.workloads = append(p.workloads, w)
	return w
}

// watch makes the option that has the steps of a resource of a kind noted. Nothing is
// noted in an update, and by a CLI that knows no hooks.
func (p *plan) watch(ctx *pulumi.Context, kind, name string, create, update func(*pulumi.ResourceHookArgs)) pulumi.ResourceOption {
	if !ctx.DryRun() {
		return pulumi.ResourceHooks(nil)
	}
	hook := func(step string, note func(*pulumi.ResourceHookArgs)) []*pulumi.ResourceHook {
		h, err := ctx.RegisterResourceHook(kind+"-"+name+"-"+step, func(args *pulumi.ResourceHookArgs) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			note(args)
			return nil
		}, &pulumi.ResourceHookOptions{OnDryRun: true})
		if err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.blind = err
			return nil
		}
		return []*pulumi.ResourceHook{h}
	}
	binding := &pulumi.ResourceHookBinding{BeforeCreate: hook("create", create)}
	if update != nil {
		binding.BeforeUpdate = hook("update", update)
	}
	return pulumi.ResourceHooks(binding)
}

func (p *plan) container(ctx *pulumi.Context, name string, w *planned) pulumi.ResourceOption {
	return p.watch(ctx, "container", name, func(*pulumi.ResourceHookArgs) { w.made++ }, nil)
}

func (p *plan) service(ctx *pulumi.Context, name string, w *planned) pulumi.ResourceOption {
	w.service = true
	return p.watch(ctx, "service", name, func(*pulumi.ResourceHookArgs) { w.made++ }, func(args *pulumi.ResourceHookArgs) {
		w.replaced = !args.NewInputs["taskSpec"].DeepEquals(args.OldInputs["taskSpec"])
		if before, ok := replicasOf(args.OldInputs); ok {
			w.before = before
		}
	})
}

// network is told whether there is one already.
func (p *plan) network(ctx *pulumi.Context, name string, there bool) pulumi.ResourceOption {
	return p.watch(ctx, "network", name, func(*pulumi.ResourceHookArgs) { p.moved = p.moved || there }, nil)
}

func (p *plan) job(ctx *pulumi.Context, name, shown string) pulumi.ResourceOption {
	return p.watch(ctx, "job", name, func(*pulumi.ResourceHookArgs) { p.jobs = append(p.jobs, shown) }, nil)
}

// declared has the plan wait for a resource before it tells.
func (p *plan) declared(r pulumi.Resource) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resources = append(p.resources, r)
}

func replicasOf(service resource.PropertyMap) (int, bool) {
	value := resource.NewProperty(service)
	for _, key := range []resource.PropertyKey{"mode", "replicated", "replicas"} {
		if !value.IsObject() {
			return 0, false
		}
		value = value.ObjectValue()[key]
	}
	if !value.IsNumber() {
		return 0, false
	}
	return int(value.NumberValue()), true
}

// Summary implements Runtime.
func (s Stack) Summary(ctx *pulumi.Context) (string, error) {
	return s.plan.summary(ctx.Context(), func(workload string) (int, error) { return s.Engine.Runs(ctx.Context(), s.Prefix, workload) })
}

// summary returns a sentence for each workload, once all that has been declared is
// planned. Runs is how many containers of a workload run.
func (p *plan) summary(ctx context.Context, runs func(workload string) (int, error)) (string, error) {
	for _, r := range p.resources {
		if _, err := internals.UnsafeAwaitOutput(ctx, r.URN()); err != nil {
			return "", err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blind != nil {
		return fmt.Sprintf("what this update restarts can not be told: %v", p.blind), nil
	}
	var lines []string
	for _, w := range p.workloads {
		running, err := runs(w.name)
		if err != nil {
			return "", err
		}
		lines = append(lines, w.name+": "+w.fate(running, p.moved))
	}
	if len(p.jobs) > 0 {
		slices.Sort(p.jobs)
		lines = append(lines, "runs once: "+strings.Join(p.jobs, ", "))
	}
	return "what this update restarts:\n" + strings.Join(lines, "\n"), nil
}

// fate is what becomes of a workload of which so many containers run, and whose
// network may have been moved.
func (w *planned) fate(running int, moved bool) string {
	before := running
	if w.before >= 0 {
		before = w.before
	}
	switch {
	// One that is there already is what an `up` that failed has made.
	case w.replaced || w.made > 0 && running > 0 && (w.made == w.wanted || running >= w.wanted):
		// A service that is made while it runs is replaced, and its name has one owner.
		if !w.rolling || w.made > 0 && (moved || w.service) {
			return "restarts, stopped first"
		}
		return "restarts, new ones first" + scaled(before, w.wanted)
	case running == 0 && w.made > 0:
		return "starts"
	}
	return "is not restarted" + scaled(before, w.wanted)
}

func scaled(before, now int) string {
	if before == now || before == 0 {
		return ""
	}
	return fmt.Sprintf("; %d replicas become %d", before, now)
}
