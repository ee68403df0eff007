// Package runtime turns the description of a workload into resources. There is
// one file a runtime; what they share is here. Another runtime is another
// implementation of Runtime, and nothing else changes.
package runtime

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// Runtime declares resources. Every resource that it makes is a child of the
// component that is given as parent.
type Runtime interface {
	// Network declares a network.
	Network(ctx *pulumi.Context, name string, args NetworkArgs, parent pulumi.Resource) (*workload.Network, error)
	// Run declares what keeps the workload running. In an update it returns when
	// that runs as wanted, and an error with the reason and the last log lines
	// when it doesn't; what ran before still does then, in its place in the
	// rotation.
	Run(ctx *pulumi.Context, w workload.Workload, rollout Rollout, parent pulumi.Resource) (*Running, error)
}

// Rollout is how a changed workload takes the place of the one that runs.
type Rollout struct {
	// Edge is what sends the users' requests to it; nil where they come to its
	// own ports.
	Edge Edge
	// Prepare is called when all is declared that has no effect yet, and returns
	// what must exist before the first replica starts. nil: nothing.
	Prepare func() ([]pulumi.Resource, error)
	// Proven is true for a release that has run before, and is wanted back soon:
	// all replicas are replaced together.
	Proven bool
}

// Edge is the reverse proxy, as a rollout sees it.
type Edge interface {
	// Rotation lists the hosts that users' requests go to. Empty: the engine says that
	// the proxy does not run, so there is nobody to ask. One that runs and does not
	// answer is an error.
	Rotation(ctx context.Context) ([]string, error)
	// Prove asks the host, through the edge and past the rotation, what a
	// release has to answer.
	Prove(ctx context.Context, host string) error
}

// NetworkArgs describes a network.
type NetworkArgs struct {
	// Subnet is its addresses, in CIDR form.
	Subnet string
	// Internal networks have no way out.
	Internal bool
	// After is another network, or nil. Where both are made anew this one waits: Pulumi
	// takes away what is on both together with the first one, and would not wait for
	// that before it takes the second one away.
	After *workload.Network
}

// Running is what a workload has become.
type Running struct {
	// Names are what it is called in the engine: container names, or the
	// service's name.
	Names pulumi.StringArray
	// Hosts are the DNS names that reach its replicas.
	Hosts pulumi.StringArray
	// Addresses are where the hosts were found when they were made, for the moment
	// in which a name is not looked up yet. Empty where a name stands for all.
	Addresses pulumi.StringArray
	// Resources are what others may depend on.
	Resources []pulumi.Resource
	// Reached are the addresses of the replicas that run now. Not for previews.
	Reached func(ctx context.Context) ([]string, error)
}

// Engine is what a runtime asks of the engine itself.
type Engine interface {
	AwaitContainer(ctx context.Context, id string, want engine.Wanted, within time.Duration) error
	AwaitTask(ctx context.Context, id string, within time.Duration) error
	// AwaitEarlier returns when no earlier run of the one-shot task is at work.
	AwaitEarlier(ctx context.Context, prefix, task string, within time.Duration, tell func(string)) error
	AwaitService(ctx context.Context, name, image string, replicas int, within time.Duration) error
	// Attempt is how often the one-shot task has failed; there is false where no
	// container of it is left that would say.
	Attempt(ctx context.Context, prefix, task string) (attempt int, there bool, err error)
	// Logs are the last log lines of a container, and Tail those of a workload's
	// containers, for an error.
	Logs(ctx context.Context, id string) string
	Tail(ctx context.Context, prefix, workload string) string
	// CheckWritable has a workload's container try to write; it returns
	// engine.ErrNotWritable where it can't.
	CheckWritable(ctx context.Context, prefix, workload string, places ...string) error
	// These are the addresses of containers, and of a service's tasks.
	ContainerAddresses(ctx context.Context, ids []string) ([]string, error)
	ServiceAddresses(ctx context.Context, name string) ([]string, error)
	// Runs is how many containers of a workload run.
	Runs(ctx context.Context, prefix, workload string) (int, error)
	// StopContainer keeps it, and its log.
	StopContainer(ctx context.Context, id string, grace time.Duration) error
	// ServiceForce is the ForceUpdate that the service must get.
	ServiceForce(ctx context.Context, name string) (int, error)
	// CompareServices tells whether both run the same.
	CompareServices(ctx context.Context, a, b string) (engine.Comparison, error)
	ScaleService(ctx context.Context, name string, replicas int) error
	// These remove what has the name, if it is the stack's, and tell whether it was.
	RemoveContainer(ctx context.Context, prefix, name string) (bool, error)
	RemoveService(ctx context.Context, prefix, name string) (bool, error)
	RemoveNetwork(ctx context.Context, prefix, name string) (bool, error)
	// HasNetwork is true where the stack has a network of the name.
	HasNetwork(ctx context.Context, prefix, name string) (bool, error)
}

// Stack is what the runtimes know of the stack.
type Stack struct {
	// Prefix begins the name of everything that the stack has in the engine:
	// project-stack.
	Prefix string
	// Label is put on containers and networks, with the prefix as its value.
	Label string
	// Engine answers after the resources are there.
	Engine Engine
	// Plan is what a preview tells; the runtimes fill it.
	Plan *Plan
	// Before are the one-shot tasks that Pulumi's state knows, by their names; nil: none.
	// It is asked only for what the engine can not tell.
	Before func(ctx context.Context) (map[string]state.Task, error)
	kept   *kept
	tasks  *tasks
}

// NewStack returns a stack that nothing is declared in yet.
func NewStack(prefix, label string, engine Engine) Stack {
	return Stack{Prefix: prefix, Label: label, Engine: engine, Plan: &Plan{}, kept: &kept{}, tasks: &tasks{}}
}

// New returns the runtime of the name. Constraints are the swarm runtime's.
func New(name string, stack Stack, constraints []string) (Runtime, error) {
	switch name {
	case "containers":
		return containers{stack}, nil
	case "swarm":
		return swarm{stack, constraints}, nil
	}
	return nil, fmt.Errorf("runtime %q: want containers or swarm", name)
}

// prepare returns the workload with what it depends on.
func (r Rollout) prepare(w workload.Workload) (workload.Workload, error) {
	if r.Prepare == nil {
		return w, nil
	}
	prepared, err := r.Prepare()
	w.DependsOn = append(slices.Clone(w.DependsOn), prepared...)
	return w, err
}

// checkWrites has one container of the workload, that is called so, try what it has to
// be able to write. All of them have the same volumes and the same user.
func (s Stack) checkWrites(ctx context.Context, w workload.Workload, called string) error {
	if len(w.Writes) == 0 {
		return nil
	}
	if err := s.Engine.CheckWritable(ctx, s.Prefix, called, w.Writes...); err != nil {
		return fmt.Errorf("%s-%s, as user %s: %w", s.Prefix, called, w.User, err)
	}
	return nil
}

// atOnce is true where all replicas may start together: the release has run
// before, or none runs that could be disturbed.
func (r Rollout) atOnce(ctx *pulumi.Context, stack Stack, workload string) (bool, error) {
	if r.Proven || r.Edge == nil || ctx.DryRun() {
		return r.Proven, nil
	}
	runs, err := stack.Engine.Runs(ctx.Context(), stack.Prefix, workload)
	return runs == 0, err
}

// unproven are the hosts that no user's request goes to yet, and none where
// there is no edge that could send one.
func (r Rollout) unproven(ctx context.Context, hosts []string) ([]string, error) {
	if r.Edge == nil {
		return nil, nil
	}
	rotation, err := r.Edge.Rotation(ctx)
	if err != nil || len(rotation) == 0 {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return slices.Contains(rotation, host) }), nil
}
