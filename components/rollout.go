package components

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"

	"tarot-platform/components/nginx"
	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/runtime"
	"tarot-platform/components/site"
	"tarot-platform/components/static"
	"tarot-platform/internal/engine"
)

var _ runtime.Edge = (*nginx.Edge)(nil)

// rollout is one deploy on its way. Its steps are called by deploy alone, in that order.
type rollout struct {
	ctx       *pulumi.Context
	args      *PlatformArgs
	runtime   runtime.Runtime
	made      *realised
	site      site.Site
	deploying // the release
	// parts are what is to be there, in order: those that users wait for (serving), and those
	// that follow the release.
	context                   part.Context
	parts, serving, following []part.Described
	// edge is nginx as a deploy sees the one that runs.
	edge *nginx.Edge
	// recorded is the name of the release, once that is recorded.
	recorded string
}

// newRollout finds out which release is to be deployed, has the parts describe themselves,
// and looks whether the engine can take what they describe. Nothing is declared.
func newRollout(ctx *pulumi.Context, args *PlatformArgs) (*rollout, error) {
	r := &rollout{ctx: ctx, args: args, site: site.Site{Config: args.Config, Host: args.Engine.Host(), Local: args.Engine.Local()}}
	newRuntime := args.Runtime
	if newRuntime == nil {
		newRuntime = runtime.New
	}
	var err error
	r.runtime, err = newRuntime(args.Config.Runtime, runtime.Stack{Prefix: args.Prefix, Label: engine.StackLabel, Engine: args.Engine, Jobs: args.Jobs, Origin: args.Origin}, args.Config.Swarm.Constraints)
	if err != nil {
		return nil, err
	}
	if err := r.lockBases(); err != nil {
		return nil, err
	}
	if r.deploying, err = r.identify(); err != nil {
		return nil, err
	}
	scheduler, err := r.scheduler()
	if err != nil {
		return nil, err
	}
	helper, err := r.helper()
	if err != nil {
		return nil, err
	}
	archiving, err := r.archiving()
	if err != nil {
		return nil, err
	}
	acme, err := r.acme()
	if err != nil {
		return nil, err
	}
	archivingNext, err := r.archivingNext()
	if err != nil {
		return nil, err
	}
	pooling, err := r.pooling()
	if err != nil {
		return nil, err
	}
	peer, err := r.findEdge()
	if err != nil {
		return nil, err
	}
	r.context = part.Context{
		Project: args.Project, Peer: peer,
		Scheduler: scheduler, Helper: helper, Archiving: archiving, ArchivingNext: archivingNext, Pooling: pooling, ACMEImage: acme,
		Config: args.Config, Stack: args.Prefix, Release: r.deploying.Release, Known: slices.Sorted(maps.Keys(args.Volumes)),
		Host: part.Host{Paths: args.Engine.HostPaths(), Name: args.Engine.Host(), Local: args.Engine.Local(), Platform: args.Engine.Platform()},
		Site: part.Site{URL: r.site.URL(ctx.Context()), Name: r.site.Given(), Hosts: r.site.Names()},
	}
	if r.parts, err = part.Collect(parts.All, r.context); err != nil {
		return nil, err
	}
	if err := r.lockImages(); err != nil {
		return nil, err
	}
	for _, d := range r.parts {
		if d.Follows {
			r.following = append(r.following, d)
		} else {
			r.serving = append(r.serving, d)
		}
	}
	return r, r.preflight()
}

// declareGround declares what services stand on: networks, volumes and secrets.
func (r *rollout) declareGround() error {
	if err := r.made.declareNetworks(part.Networks(r.context.Config)); err != nil {
		return err
	}
	r.made.meet(r.context.Peer)
	if err := r.makePlaces(); err != nil {
		return err
	}
	for _, d := range r.serving {
		if err := r.made.declareVolumes(d); err != nil {
			return err
		}
	}
	for _, d := range r.parts {
		for _, s := range d.Secrets {
			if err := r.made.declareSecret(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// declareImages declares the images of what users wait for.
func (r *rollout) declareImages() error {
	for _, d := range r.serving {
		if err := r.made.declareImages(d); err != nil {
			return err
		}
	}
	return nil
}

// openEdge is the beginning of what is asked and told of the nginx that runs. Where
// maintenance is wanted, it comes before anything is changed.
func (r *rollout) openEdge() error {
	_, path := static.Published(r.context)
	r.edge = &nginx.Edge{Site: r.site, Stack: r.args.Prefix, Engine: r.args.Engine, Static: path,
		Dial: r.args.Dial, Check: r.args.Check, Sleep: r.args.Sleep, Log: r.ctx.Log}
	if !r.args.Config.Nginx.Enabled || r.ctx.DryRun() {
		return nil
	}
	var err error
	if r.edge.Token, err = runtime.Text(r.ctx, r.made.secrets.get(nginx.TokenSecret)); err != nil {
		return err
	}
	r.edge.FindEarlier(r.ctx.Context())
	if !r.args.Config.Maintenance {
		return nil
	}
	return r.edge.EnableMaintenance(r.ctx.Context())
}

// serve runs the parts that users wait for, each after those that it needs.
func (r *rollout) serve() error {
	for _, d := range r.serving {
		if d.With != "" {
			continue // runPart of that one
		}
		if err := r.runPart(d); err != nil {
			return inComponent(d.Component, err)
		}
	}
	return r.made.awaitJobs()
}

// runWith runs the parts that go out with one.
func (r *rollout) runWith(name string) error {
	for _, d := range r.serving {
		if d.With == name {
			if err := r.runPart(d); err != nil {
				return inComponent(d.Component, err)
			}
		}
	}
	return nil
}

// runPart runs a part: what its services need is declared, its jobs end well, and the
// services start, of which a changed one is verified before users see it; and with them the
// parts that go out with this one. Without services, whoever comes after the jobs waits for
// them.
func (r *rollout) runPart(d part.Described) error {
	var staged []runtime.Service
	var after []string
	for _, s := range d.Services {
		service, err := r.stage(d.Component, s)
		if err != nil {
			return s.Explained(err)
		}
		staged, after = append(staged, service), append(after, s.After...)
	}
	jobs, err := r.made.declareJobs(d)
	if err != nil || len(staged) == 0 {
		return err
	}
	ended, err := r.made.await(append(after, jobs...))
	if err != nil {
		return err
	}
	good, err := verify(r.ctx, d, staged)
	if err == nil && good {
		err = r.runWith(d.Name)
	}
	if err != nil {
		return err
	}
	for i, s := range d.Services {
		running, err := staged[i].Start(r.ctx, ended)
		if err != nil {
			return s.Explained(err)
		}
		r.made.ran(s, running)
	}
	if good {
		return nil
	}
	return r.runWith(d.Name)
}

// verify is true where all services of a part are found good before any of them starts.
func verify(ctx *pulumi.Context, d part.Described, staged []runtime.Service) (bool, error) {
	all := true
	for i, s := range d.Services {
		good, err := staged[i].Verify(ctx)
		if err != nil {
			return false, s.Explained(err)
		}
		all = all && good
	}
	return all, nil
}

// stage declares what a service needs, and what has no effect before it starts.
func (r *rollout) stage(component string, s part.Service) (runtime.Service, error) {
	parent, err := r.made.component(component)
	if err != nil {
		return nil, err
	}
	w, err := r.made.workload(s)
	if err != nil {
		return nil, err
	}
	return r.runtime.Service(r.ctx, w, r.rolloutOf(s), parent)
}

func (r *rollout) rolloutOf(s part.Service) runtime.Rollout {
	if !s.Upstream {
		return runtime.Rollout{}
	}
	edge := runtime.Edge(r.edge)
	if s.Answers != nil {
		edge = nginx.Behind{Edge: r.edge, Answer: *s.Answers}
	}
	return runtime.Rollout{Edge: edge, SkipCanary: r.args.Pinned}
}

// inComponent says in which component something has failed.
func inComponent(component string, err error) error {
	if err == nil || component == "" {
		return err
	}
	return fmt.Errorf("%s %q: %w", component, component, err)
}

// switchUsers has the edge send users to the release.
func (r *rollout) switchUsers() error {
	if !r.args.Config.Nginx.Enabled || r.ctx.DryRun() {
		return nil
	}
	name, err := r.made.text(nginx.Configuration(r.parts))
	if err != nil {
		return err
	}
	configuration, err := runtime.Text(r.ctx, name.ToStringOutput())
	if err != nil {
		return err
	}
	return r.edge.Apply(r.ctx.Context(), configuration)
}

// checkSite asks what users ask, the way that they do.
func (r *rollout) checkSite() error {
	if r.ctx.DryRun() {
		return nil
	}
	err := r.edge.CheckSite(r.ctx.Context(), r.made.reached("backend"))
	if err == nil && r.args.Config.Nginx.Enabled {
		for _, d := range r.parts {
			err = errors.Join(err, r.edge.CheckRoutes(r.ctx.Context(), d.Routes))
		}
	}
	if err != nil {
		for _, d := range r.serving {
			for _, s := range d.Services {
				err = fmt.Errorf("%w%s", err, r.args.Engine.Tail(r.ctx.Context(), r.args.Prefix, s.Name))
			}
		}
	}
	return err
}

// finalize is what comes when users have the release: its static files become the
// current ones, it is watched, and then it is recorded as one that ran as wanted. Where
// something of this fails it is recorded as what users have.
func (r *rollout) finalize() error {
	var jobs errgroup.Group
	for _, d := range r.serving {
		for _, j := range d.Jobs {
			if j.When == part.Follows {
				jobs.Go(func() error { return r.made.runJob(d.Component, j) })
			}
		}
	}
	err := r.markUses(false)
	if err == nil {
		err = r.follow()
	}
	err = errors.Join(err, r.endRemoved(), jobs.Wait())
	unrecorded := r.record(err != nil)
	if err = errors.Join(err, unrecorded); err == nil && !r.ctx.DryRun() {
		r.pruneReleases()
	}
	return err
}

// retire takes away what only the earlier replicas had a use for.
func (r *rollout) retire() error {
	for _, d := range r.parts {
		for _, j := range d.Jobs {
			if j.When != part.Drained {
				continue
			}
			if err := r.made.runJob(d.Component, j); err != nil {
				return inComponent(d.Component, err)
			}
		}
	}
	return nil
}

// markUses writes down what the stack has its volumes for: a claim before the application
// gets them, and the whole truth when it runs. What a pinned release says of itself is
// not today's.
func (r *rollout) markUses(claim bool) error {
	if r.ctx.DryRun() || r.args.Pinned && !claim || len(r.args.Uses) == 0 {
		return nil
	}
	return r.args.Engine.MarkUses(r.ctx.Context(), r.args.Uses, claim)
}
