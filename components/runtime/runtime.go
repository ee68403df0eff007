// Package runtime turns the description of a workload into resources. There is
// one file a runtime; what they share is here. Another runtime is another
// implementation of Runtime, and nothing else changes.
package runtime

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// Runtime declares resources. Every resource that it makes is a child of the
// component that is given as parent.
type Runtime interface {
	// Network declares a network.
	Network(ctx *pulumi.Context, name string, args NetworkArgs, parent pulumi.Resource) (*workload.Network, error)
	// Run declares what keeps the workload running.
	Run(ctx *pulumi.Context, w workload.Workload, parent pulumi.Resource) (*Running, error)
}

// NetworkArgs describes a network.
type NetworkArgs struct {
	// Subnet is its addresses, in CIDR form.
	Subnet string
	// Internal networks have no way out.
	Internal bool
}

// Running is what a workload has become.
type Running struct {
	// Names are what it is called in the engine: container names, or the
	// service's name.
	Names []string
	// Ready is an output that fails where what runs is not what was wanted. It
	// has to reach an exported output: an error that nobody consumes is lost.
	Ready pulumi.BoolOutput
	// Resources are what others may depend on.
	Resources []pulumi.Resource
}

// Engine is what a runtime asks of the engine itself.
type Engine interface {
	AwaitContainer(ctx context.Context, name, image string, within time.Duration) error
	AwaitService(ctx context.Context, name, image string, replicas int, within time.Duration) error
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

// ready runs the gate once everything that it looks at exists, and not in a
// preview.
func ready(ctx *pulumi.Context, resources []pulumi.Resource, gate func(context.Context) error) pulumi.BoolOutput {
	ids := make([]any, 0, len(resources))
	for _, r := range resources {
		if custom, ok := r.(pulumi.CustomResource); ok {
			ids = append(ids, custom.ID())
		}
	}
	return pulumi.All(ids...).ApplyT(func([]any) (bool, error) {
		if ctx.DryRun() {
			return true, nil
		}
		return true, gate(ctx.Context())
	}).(pulumi.BoolOutput)
}
