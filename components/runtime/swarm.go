package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// swarm realises workloads as Swarm services.
type swarm struct {
	Stack
	Constraints []string
}

func (s swarm) Network(ctx *pulumi.Context, n Network, parent pulumi.Resource) (*workload.Network, error) {
	return network(ctx, s.Stack, "overlay", n, parent)
}

// swarmService is one service, that Swarm updates one task after the other, new
// ones first, and rolls back by itself where a task fails.
//
// Swarm looks at health only. So behind an edge there is a second service, the
// canary: the same but for its name, and without tasks but for the moment in
// which a changed release is verified, before the service itself is touched. It is
// also what the service is compared with: the provider wrote both.
type swarmService struct {
	swarm
	name     string
	workload workload.Workload
	rollout  Rollout
	tasks    taskSpec
	canary   *docker.Service // nil: there is no edge
	parent   pulumi.Resource
}

// Service implements Runtime. A task is always on a network, so that what is on none is a
// container, as jobs are.
func (s swarm) Service(ctx *pulumi.Context, w workload.Workload, rollout Rollout, parent pulumi.Resource) (Service, error) {
	if w.Isolated {
		return containers{s.Stack}.Service(ctx, w, rollout, parent)
	}
	if err := errors.Join(w.Validate(), requireHealth(ctx, w)); err != nil {
		return nil, err
	}
	name := s.Prefix + "-" + w.Name
	tasks, err := s.tasks(ctx, name, w, parent)
	if err != nil {
		return nil, err
	}
	service := swarmService{swarm: s, name: name, workload: w, rollout: rollout, tasks: tasks, parent: parent}
	if rollout.Edge != nil {
		update := updateConfig(w)
		update.FailureAction = pulumi.String("pause") // there is nothing to go back to
		service.canary, err = s.service(ctx, canaryOf(name), w, tasks.of(canaryAlias(w.Name), 0), 0, update, parent, nil)
	}
	return service, err
}

// canaryAlias is the DNS name of a canary's task: one of its own, as the last one may not
// have ended yet. The backend's is what running stacks have.
func canaryAlias(of string) string {
	if of == config.BackendName {
		return workload.Canary
	}
	return of + "-" + workload.Canary
}

func canaryOf(service string) string { return service + "-" + workload.Canary }

// Verify implements Service: by the canary. What has run before needs none, and is in a hurry.
func (s swarmService) Verify(ctx *pulumi.Context) (bool, error) {
	if s.canary == nil || s.rollout.SkipCanary || ctx.DryRun() {
		return s.rollout.SkipCanary, nil
	}
	return s.verify(ctx)
}

func (s swarmService) Start(ctx *pulumi.Context, after []pulumi.Resource) (*Running, error) {
	w := s.workload
	force, err := s.Engine.ServiceForce(ctx.Context(), s.name)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", s.name, err)
	}
	update := updateConfig(w)
	if s.rollout.SkipCanary {
		update.Parallelism = pulumi.Int(0)
	}
	planned := s.plan.workload(w.Name, w.Replicas, order(w) == "start-first")
	service, err := s.service(ctx, s.name, w, s.tasks.of(w.Name, force), w.Replicas, update, s.parent, after, s.plan.service(ctx, s.name, planned))
	if err != nil {
		return nil, err
	}
	s.plan.declared(service)
	running := &Running{
		Names: pulumi.StringArray{pulumi.String(s.name)}, IDs: pulumi.StringArray{service.ID().ToStringOutput()}, Hosts: pulumi.StringArray{pulumi.String(w.Name)},
		Reached: func(ctx context.Context) ([]string, error) { return s.Engine.ServiceAddresses(ctx, s.name) },
	}
	if ctx.DryRun() {
		return running, nil
	}
	return running, s.await(ctx, service)
}

// runs returns when a service's tasks, that are called so, run and can write what they have to.
func (s swarmService) runs(ctx context.Context, service, called string, replicas int, within time.Duration) error {
	await := func() error {
		return s.Engine.AwaitService(ctx, service, tasksOf(s.workload, replicas), within)
	}
	if err := await(); err != nil {
		return err
	}
	err := s.checkWrites(ctx, s.workload, called)
	if err != nil && !errors.Is(err, engine.ErrNotWritable) {
		// A task that has died since could not be asked: why it died says more.
		return cmp.Or(await(), err)
	}
	return err
}

// await returns when the service runs what was asked for.
func (s swarmService) await(ctx *pulumi.Context, service *docker.Service) error {
	w := s.workload
	if _, err := idOf(ctx, service); err != nil {
		return err
	}
	// One after the other. What fails is told long before.
	within := time.Duration(w.Replicas) * (w.Health.Deadline() + w.StopGrace + 10*time.Second)
	if err := s.runs(ctx.Context(), s.name, w.Name, w.Replicas, within); err != nil {
		return errors.Join(err, s.giveUp(ctx.Context()))
	}
	if s.canary == nil {
		return nil
	}
	if _, err := idOf(ctx, s.canary); err != nil {
		return err
	}
	now, err := s.Engine.CompareServices(ctx.Context(), s.name, canaryOf(s.name))
	if err == nil && now.Difference != "" {
		err = fmt.Errorf("service %s does not run what was asked for: %s; `pulumi up --refresh` mends it", s.name, now.Difference)
	}
	return err
}

// giveUp is as that of plain containers: of a first deploy that has failed, nothing runs on.
func (s swarmService) giveUp(ctx context.Context) error {
	if serves, err := s.rollout.serves(ctx); err != nil || serves {
		return err
	}
	return s.Engine.GiveUpService(ctx, s.name)
}

func tasksOf(w workload.Workload, replicas int) engine.Tasks {
	return engine.Tasks{Image: w.Image.Reference, Replicas: replicas, Steady: w.Health.Steady}
}

// verify starts the canary where it differs from what runs, and has the edge
// ask it. Where the engine says that no edge runs, its health has to do. It is false where
// nothing runs yet.
func (s swarmService) verify(ctx *pulumi.Context) (bool, error) {
	w, canary := s.workload, canaryOf(s.name)
	if _, err := idOf(ctx, s.canary); err != nil {
		return false, err
	}
	upstreams, err := s.rollout.Edge.Upstreams(ctx.Context())
	if err != nil {
		return false, err
	}
	now, err := s.Engine.CompareServices(ctx.Context(), s.name, canary)
	if err != nil {
		return false, err
	}
	if now.Missing || now.Difference == "" {
		return !now.Missing, s.Engine.ScaleService(ctx.Context(), canary, 0) // an `up` that was killed may have left one
	}
	if err = s.Engine.ScaleService(ctx.Context(), canary, 1); err == nil {
		err = s.runs(ctx.Context(), canary, canaryAlias(w.Name), 1, w.Health.Deadline()+5*time.Second)
	}
	if err == nil && len(upstreams) > 0 {
		if err = s.rollout.Edge.Verify(ctx.Context(), canaryAlias(w.Name)); err != nil {
			err = fmt.Errorf("%w%s", err, s.Engine.Tail(ctx.Context(), s.Prefix, canaryAlias(w.Name)))
		}
	}
	err = errors.Join(err, s.Engine.ScaleService(ctx.Context(), canary, 0))
	return err == nil, err
}
