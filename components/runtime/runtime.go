// Package runtime turns the description of a workload, and of what it needs, into
// resources: networks, volumes, images, services, jobs and records. Nothing outside of it
// names a resource of the Docker provider.
//
// There is one file a runtime (containers.go, swarm.go with service.go); what both share
// is in the others. Another runtime is another implementation of Runtime, and nothing else
// changes.
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

// Runtime declares resources. Every resource that it makes is a child of the component
// that is given as parent.
type Runtime interface {
	// Network declares a network.
	Network(ctx *pulumi.Context, n Network, parent pulumi.Resource) (*workload.Network, error)
	// Volume declares a volume, and returns what it is called.
	Volume(ctx *pulumi.Context, v Volume, parent pulumi.Resource) (pulumi.StringInput, error)
	// Image declares an image: one that is built, or a ready one.
	Image(ctx *pulumi.Context, i ImageArgs, parent pulumi.Resource) (*Image, error)
	// WriteBuildSecrets has builds find the values of their secrets, by their names, until
	// remove is called. None is left of before.
	WriteBuildSecrets(values map[string]string) (remove func() error, err error)
	// Job declares a program that runs to its end.
	Job(ctx *pulumi.Context, j Job, parent pulumi.Resource) (*JobRun, error)
	// Service declares what a service needs, and what has no effect before it is started.
	Service(ctx *pulumi.Context, w workload.Workload, rollout Rollout, parent pulumi.Resource) (Service, error)
	// Record declares labels that outlive the stack. In an update it returns when they are
	// there.
	Record(ctx *pulumi.Context, r Record, parent pulumi.Resource) error

	// Summary tells what an update would restart. For previews.
	Summary(ctx *pulumi.Context) (string, error)
	// Declared are the ids of the containers that were declared. Not for previews.
	Declared(ctx *pulumi.Context) ([]string, error)
	// JobRuns are the ids of the jobs' containers that were declared, by the jobs' names:
	// to be registered under state.JobRunsOutput when all of them have ended well.
	JobRuns() pulumi.StringMap
}

// Service is one that can be started.
type Service interface {
	// Verify finds out whether the service will be good, before anything of it takes the
	// place of what runs. good is false where only Start can tell, and nobody's requests come
	// to what that has started; in an error it says why it won't be.
	Verify(ctx *pulumi.Context) (good bool, err error)
	// Start declares what keeps the workload running, once the resources are there that it
	// comes after. In an update it returns when the service runs as wanted, and an error
	// with the reason and the last log lines when it doesn't; what ran before still does
	// then, among the edge's upstreams.
	Start(ctx *pulumi.Context, after []pulumi.Resource) (*Running, error)
}

// Rollout is how a changed workload takes the place of the one that runs.
type Rollout struct {
	// Edge is what sends the users' requests to it; nil where they come to its
	// own ports.
	Edge Edge
	// SkipCanary is true for a release that has run before, and is wanted back soon:
	// it is not verified again, and all replicas are replaced together.
	SkipCanary bool
}

// Edge is the reverse proxy, as a rollout sees it.
type Edge interface {
	// Upstreams lists the hosts that users' requests go to. Empty: the engine says that
	// the proxy does not run, so there is nobody to ask. One that runs and does not
	// answer is an error.
	Upstreams(ctx context.Context) ([]string, error)
	// Verify asks the host, through the edge and past the upstreams, what a release has
	// to answer.
	Verify(ctx context.Context, host string) error
}

// Network describes a network.
type Network struct {
	// Name is what follows the stack's prefix.
	Name string
	// Subnet is its addresses, in CIDR form.
	Subnet string
	// Subnet6 is the same of IPv6; empty: it has none.
	Subnet6 string
	// Encrypted is true where what goes between nodes is.
	Encrypted bool
	// Internal networks have no way out.
	Internal bool
	// Alias is what this stack's workload is found by on it; empty: its own name.
	Alias string
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
	// IDs are the engine's own: others where it was made anew.
	IDs pulumi.StringArray
	// Hosts are the DNS names that reach its replicas.
	Hosts pulumi.StringArray
	// Addresses are where the hosts were found when they were made, for the moment
	// in which a name is not looked up yet. Empty where a name stands for all.
	Addresses pulumi.StringArray
	// Reached are the addresses of the replicas that run now. Not for previews.
	Reached func(ctx context.Context) ([]string, error)
}

// Engine is what a runtime asks of the engine itself.
type Engine interface {
	AwaitContainer(ctx context.Context, id string, want engine.Wanted, within time.Duration) error
	AwaitJob(ctx context.Context, id string, within time.Duration) error
	// AwaitEarlier returns when no earlier run of the job is at work.
	AwaitEarlier(ctx context.Context, prefix, job string, within time.Duration, tell func(string)) error
	AwaitService(ctx context.Context, name string, want engine.Tasks, within time.Duration) error
	// Attempt is how often the job has failed; there is false where no container of it is
	// left that would say.
	Attempt(ctx context.Context, prefix, job string) (attempt int, there bool, err error)
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
	// GiveUpService ends the tasks of a service that had none before its last update.
	GiveUpService(ctx context.Context, name string) error
	// CompareServices tells whether both run the same.
	CompareServices(ctx context.Context, a, b string) (engine.Comparison, error)
	ScaleService(ctx context.Context, name string, replicas int) error
	// These remove what has the name, if it is the stack's, and tell whether it was.
	RemoveContainer(ctx context.Context, prefix, name string) (bool, error)
	RemoveService(ctx context.Context, prefix, name string) (bool, error)
	RemoveNetwork(ctx context.Context, prefix, name string) (bool, error)
	// HasNetwork is true where the stack has a network of the name.
	HasNetwork(ctx context.Context, prefix, name string) (bool, error)
	// Network is the stack's network of that name, after its prefix.
	Network(ctx context.Context, prefix, name string) (found engine.Network, there bool, err error)
	// Image says what is in an image that the engine has, and HasImage whether it has it.
	Image(ctx context.Context, reference string) (engine.Image, error)
	HasImage(ctx context.Context, reference string) (bool, error)
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
	// Jobs are those that Pulumi's state knows, by their names; nil: none. It is asked
	// only for what the engine can not tell.
	Jobs func(ctx context.Context) (map[string]state.Job, error)
	// Origin are the labels that say of which commit a folder's sources are; nil: none.
	Origin func(ctx context.Context, folder string) map[string]string

	plan     *plan
	declared *declared
}

// New returns the runtime of the name. Constraints are the swarm runtime's.
func New(name string, stack Stack, constraints []string) (Runtime, error) {
	stack.plan, stack.declared = &plan{}, &declared{}
	switch name {
	case "containers":
		return containers{stack}, nil
	case "swarm":
		return swarm{stack, constraints}, nil
	}
	return nil, fmt.Errorf("runtime %q: want containers or swarm", name)
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
	if r.SkipCanary || r.Edge == nil || ctx.DryRun() {
		return r.SkipCanary, nil
	}
	runs, err := stack.Engine.Runs(ctx.Context(), stack.Prefix, workload)
	return runs == 0, err
}

// serves is true where people may be served by what is there: the edge has upstreams, or there is
// no edge, and they see the replicas themselves.
func (r Rollout) serves(ctx context.Context) (bool, error) {
	if r.Edge == nil {
		return true, nil
	}
	upstreams, err := r.Edge.Upstreams(ctx)
	return len(upstreams) > 0, err
}

// unverified are the hosts that no user's request goes to yet, and none where
// there is no edge that could send one.
func (r Rollout) unverified(ctx context.Context, hosts []string) ([]string, error) {
	if r.Edge == nil {
		return nil, nil
	}
	upstreams, err := r.Edge.Upstreams(ctx)
	if err != nil || len(upstreams) == 0 {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return slices.Contains(upstreams, host) }), nil
}
