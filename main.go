// A Pulumi program that deploys a Python web backend on Docker.
package main

import (
	"context"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components"
	"tarot-platform/components/nginx"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/state"
)

func main() {
	var after func()
	// Pulumi's engine has the program wait until all is done, so also what was
	// replaced is gone; and it waits for the program. One that fails ends here.
	pulumi.Run(func(ctx *pulumi.Context) (err error) {
		after, err = deploy(ctx)
		return err
	})
	after()
}

// deploy declares the stack, and returns what is left to do after the update.
func deploy(ctx *pulumi.Context) (after func(), err error) {
	source, err := readConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(source.all)
	if err != nil {
		return nil, err
	}
	docker, err := engine.Open(ctx.Context())
	if err != nil {
		return nil, err
	}
	args, err := chooseRelease(ctx, docker, cfg, source)
	if err != nil {
		return nil, err
	}
	stack := stackName(ctx)
	args.Engine, args.Check, args.Dial, args.Sleep = docker, check, dial, time.Sleep
	args.Known = func(c context.Context) (map[string]bool, error) { return state.IDs(c, stack) }
	jobs := sync.OnceValues(func() (map[string]state.Job, error) { return state.Jobs(ctx.Context(), stack) })
	args.Jobs = func(context.Context) (map[string]state.Job, error) { return jobs() }
	platform, err := components.NewPlatform(ctx, "platform", args)
	if err != nil {
		return nil, err
	}
	for name, value := range platform.Outputs {
		ctx.Export(name, value)
	}
	return prune(ctx, docker, args.Prefix, platform.Declared), nil
}

// stackName is what the CLI finds this stack by.
func stackName(ctx *pulumi.Context) string {
	return state.Name(ctx.Organization(), ctx.Project(), ctx.Stack())
}

func check(ctx context.Context, test smoke.Test, within time.Duration) error {
	return test.Run(ctx, within)
}

func dial(c edge.Client) nginx.Client { return c }
