// A Pulumi program that deploys a Python web backend on Docker.
package main

import (
	"cmp"
	"context"
	"os"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components"
	"tarot-platform/components/nginx"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/images"
	"tarot-platform/internal/origin"
	"tarot-platform/internal/scan"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/state"
)

func main() {
	var u update
	// Pulumi's engine has the program wait until all is done, so also what was
	// replaced is gone; and it waits for the program. So the stack is this update's until here.
	err := pulumi.RunErr(u.run)
	if err == nil {
		u.after()
	}
	u.end(cmp.Or(u.why, err))
	if err != nil {
		os.Exit(report(err))
	}
}

// update is one run of the program.
type update struct {
	turn
	// why is what has failed, without what Pulumi says around it.
	why error
	// after is what is left to do when Pulumi has done its part.
	after func()
}

// run declares the stack, when it is this update's turn.
func (u *update) run(ctx *pulumi.Context) (err error) {
	defer func() { u.why = err }()
	defer func() { err = untold(ctx, err) }()
	source, err := readConfiguration(ctx)
	if err != nil {
		return err
	}
	cfg, err := config.Load(source.all)
	if err != nil {
		return err
	}
	docker, err := engine.Open(ctx.Context())
	if err != nil {
		return noEngine{err}
	}
	if err := u.take(ctx, docker, cfg); err != nil {
		return err
	}
	u.after, err = deploy(ctx, docker, cfg, source, u.operation)
	return err
}

// deploy declares the stack as a step of an operation, and returns what is left to do after the update.
func deploy(ctx *pulumi.Context, docker *engine.Engine, cfg config.Config, source values, operation string) (after func(), err error) {
	args, err := chooseRelease(ctx, docker, cfg, source)
	if err != nil {
		return nil, err
	}
	if args.Exact, err = lockedImages(ctx, docker); err != nil {
		return nil, err
	}
	if err := keepMaintenance(ctx.Context(), docker, &args.Config, ctx.Stack(), args.Prefix, func(text string) { _ = ctx.Log.Warn(text, nil) }); err != nil {
		return nil, err
	}
	stack := stackName(ctx)
	args.Engine, args.Check, args.Dial, args.Sleep, args.Operation = docker, check, dial, time.Sleep, operation
	args.Known = func(c context.Context) (map[string]bool, error) { return state.IDs(c, stack) }
	jobs := sync.OnceValues(func() (map[string]state.Job, error) { return state.Jobs(ctx.Context(), stack) })
	args.Jobs = func(context.Context) (map[string]state.Job, error) { return jobs() }
	args.Origin, args.Scan = origin.Labels, look
	args.Checked, args.Guarded = checked(ctx), guarded(docker)
	platform, err := components.NewPlatform(ctx, "platform", args)
	if err != nil {
		return nil, err
	}
	for name, value := range platform.Outputs {
		ctx.Export(name, value)
	}
	return prune(ctx, docker, args.Prefix, platform.Declared), nil
}

// lockedImages says what images are locked to, if anything is.
func lockedImages(ctx *pulumi.Context, docker *engine.Engine) (components.Exact, error) {
	lock, err := images.ReadLock(images.LockFile)
	if err != nil || lock.Empty() {
		return nil, err
	}
	return lock.Exact(docker.Locate, images.MirrorsOf(os.Getenv), func(text string) { _ = ctx.Log.Warn(text, nil) }), nil
}

// stackName is what the CLI finds this stack by.
func stackName(ctx *pulumi.Context) string {
	return state.Name(ctx.Organization(), ctx.Project(), ctx.Stack())
}

func check(ctx context.Context, test smoke.Test, within time.Duration) error {
	return test.Run(ctx, within)
}

func dial(c edge.Client) nginx.Client { return c }

func look(ctx context.Context, image string, document []byte, settings config.Scan) scan.Result {
	return scan.Of(ctx, image, document, settings, time.Now())
}
