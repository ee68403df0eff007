package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/firewall"
	"tarot-platform/internal/preflight"
)

// errChecked ends a preview that was wanted for the checklist alone.
var errChecked = errors.New("the checklist is written")

// noEngine is an engine that does not answer.
type noEngine struct{ error }

func (e noEngine) Unwrap() error { return e.error }

// wanted is the file that `stack preflight` wants the checklist in; empty: it is not asked for. An update
// does not end at it.
func wanted(ctx *pulumi.Context) string {
	if !ctx.DryRun() {
		return ""
	}
	return os.Getenv(preflight.Variable)
}

// checked gets the checklist.
func checked(ctx *pulumi.Context) func(checks.Report) error {
	file := wanted(ctx)
	if file == "" {
		return nil
	}
	return func(r checks.Report) error {
		text, err := json.Marshal(r)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		return errors.Join(err, errChecked)
	}
}

// untold writes the checklist where it was not come to: what stopped the program before is its one line.
func untold(ctx *pulumi.Context, err error) error {
	if err == nil || errors.Is(err, errChecked) || wanted(ctx) == "" {
		return err
	}
	var engineAway noEngine
	r := checks.Report{Stack: ctx.Stack(), Checks: []checks.Check{preflight.Stopped(err, errors.As(err, &engineAway))}}
	return errors.Join(err, checked(ctx)(r))
}

// guarded asks this machine for its firewall, where that is the engine's.
func guarded(docker *engine.Engine) func(context.Context, string, config.Config) preflight.Guarded {
	return func(ctx context.Context, prefix string, cfg config.Config) preflight.Guarded {
		if len(cfg.Nginx.AllowFrom) == 0 {
			return preflight.Guarded{}
		}
		w, err := firewall.Of(prefix, cfg)
		if why := firewall.Refusal(docker.Local(), docker.Address, docker.Info); err == nil && why != "" {
			err = errors.New(why)
		}
		g := preflight.Guarded{Wanted: true, Err: err}
		if err == nil {
			g.Faults, g.Err = firewall.Here(false).Faults(ctx, w)
		}
		return g
	}
}
