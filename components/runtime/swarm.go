package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// swarm realises workloads as Swarm services.
type swarm struct {
	Stack
	Constraints []string
}

func (s swarm) Network(ctx *pulumi.Context, name string, args NetworkArgs, parent pulumi.Resource) (*workload.Network, error) {
	return network(ctx, s.Stack, "overlay", name, args, parent)
}

// Run declares one service, that Swarm updates one task after the other, new
// ones first, and rolls back by itself where a task fails.
//
// Swarm looks at health only. So behind an edge there is a second service, the
// candidate: the same but for its name, and without tasks but for the moment in
// which a changed release is proven, before the service itself is touched. It is
// also what the service is compared with: the provider wrote both.
func (s swarm) Run(ctx *pulumi.Context, w workload.Workload, rollout Rollout, parent pulumi.Resource) (*Running, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	name := s.Prefix + "-" + w.Name
	tasks, err := s.tasks(ctx, name, w, parent)
	if err != nil {
		return nil, err
	}
	var trial *docker.Service
	if rollout.Edge != nil {
		if trial, err = s.candidate(ctx, name, w, tasks, parent); err != nil {
			return nil, err
		}
	}
	if w, err = rollout.prepare(w); err != nil {
		return nil, err
	}
	// What has run before needs no trial, and is in a hurry.
	if trial != nil && !rollout.Proven && !ctx.DryRun() {
		if err := s.prove(ctx, name, trial, w, rollout); err != nil {
			return nil, err
		}
	}
	force, err := s.Engine.ServiceForce(ctx.Context(), name)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}
	update := updateConfig(w)
	if rollout.Proven {
		update.Parallelism = pulumi.Int(0)
	}
	planned := s.Plan.workload(w.Name, w.Replicas, order(w) == "start-first")
	service, err := s.service(ctx, name, w, tasks.of(w.Name, force), w.Replicas, update, parent, s.Plan.service(ctx, name, planned))
	if err != nil {
		return nil, err
	}
	s.Plan.declared(service)
	running := &Running{
		Names: pulumi.StringArray{pulumi.String(name)}, Hosts: pulumi.StringArray{pulumi.String(w.Name)},
		Resources: []pulumi.Resource{service},
		Reached:   func(ctx context.Context) ([]string, error) { return s.Engine.ServiceAddresses(ctx, name) },
	}
	if ctx.DryRun() {
		return running, nil
	}
	if _, err := idOf(ctx, service); err != nil {
		return nil, err
	}
	// One after the other. What fails is told long before.
	within := time.Duration(w.Replicas) * (w.Health.Deadline() + w.StopGrace + 10*time.Second)
	if err := s.Engine.AwaitService(ctx.Context(), name, w.Image.Reference, w.Replicas, within); err != nil {
		return nil, err
	}
	if err := s.checkWrites(ctx.Context(), w, w.Name); err != nil {
		return nil, err
	}
	if trial == nil {
		return running, nil
	}
	if _, err := idOf(ctx, trial); err != nil {
		return nil, err
	}
	now, err := s.Engine.CompareServices(ctx.Context(), name, candidateOf(name))
	if err == nil && now.Difference != "" {
		err = fmt.Errorf("service %s does not run what was asked for: %s; `pulumi up --refresh` mends it", name, now.Difference)
	}
	return running, err
}

// candidateAlias is the DNS name of a candidate's task.
const candidateAlias = "candidate"

func candidateOf(service string) string { return service + "-" + candidateAlias }

// candidate declares the candidate, without tasks.
func (s swarm) candidate(ctx *pulumi.Context, name string, w workload.Workload, tasks taskSpec, parent pulumi.Resource) (*docker.Service, error) {
	update := updateConfig(w)
	update.FailureAction = pulumi.String("pause") // there is nothing to go back to
	return s.service(ctx, candidateOf(name), w, tasks.of(candidateAlias, 0), 0, update, parent)
}

// prove starts the candidate where it differs from what runs, and has the edge
// ask it. Where the engine says that no edge runs, its health has to do.
func (s swarm) prove(ctx *pulumi.Context, name string, service *docker.Service, w workload.Workload, rollout Rollout) error {
	trial := candidateOf(name)
	if _, err := idOf(ctx, service); err != nil {
		return err
	}
	rotation, err := rollout.Edge.Rotation(ctx.Context())
	if err != nil {
		return err
	}
	now, err := s.Engine.CompareServices(ctx.Context(), name, trial)
	if err != nil {
		return err
	}
	if now.Missing || now.Difference == "" {
		return s.Engine.ScaleService(ctx.Context(), trial, 0) // an `up` that was killed may have left one
	}
	err = s.Engine.ScaleService(ctx.Context(), trial, 1)
	if err == nil {
		err = s.Engine.AwaitService(ctx.Context(), trial, w.Image.Reference, 1, w.Health.Deadline()+5*time.Second)
	}
	if err == nil {
		err = s.checkWrites(ctx.Context(), w, candidateAlias)
	}
	if err == nil && len(rotation) > 0 {
		if err = rollout.Edge.Prove(ctx.Context(), candidateAlias); err != nil {
			err = fmt.Errorf("%w%s", err, s.Engine.Tail(ctx.Context(), s.Prefix, candidateAlias))
		}
	}
	return errors.Join(err, s.Engine.ScaleService(ctx.Context(), trial, 0))
}
