package components

import (
	"context"
	"fmt"
	"slices"

	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
)

// removeStrays takes away replicas that an `up` that was killed has left, whether this one
// succeeds or not: those that neither Pulumi's state knows nor nginx sends requests to, as
// it says itself. Where it says nothing, all stay. It goes on beside the deploy, until wait
// returns. (What else was left is removed when an `up` has succeeded: tidy.go.)
func (p *platform) removeStrays(front *proxy) (wait func()) {
	// Swarm's nginx knows replicas by one name for all, and Swarm itself what is left.
	if p.ctx.DryRun() || p.Known == nil || !p.Config.Nginx.Enabled || p.Config.Runtime != "containers" {
		return func() {}
	}
	warn := func(err error) { // they are in nobody's way: no failed deploy
		if err != nil {
			_ = p.ctx.Log.Warn(fmt.Sprintf("replicas that an interrupted `up` may have left are not removed: %v", err), nil)
		}
	}
	// Found before this `up` makes replicas of its own.
	found, err := p.strays(p.ctx.Context(), front)
	if err != nil || len(found) == 0 {
		warn(err)
		return func() {}
	}
	done := make(chan error, 1)
	go func() { done <- p.Engine.Remove(p.ctx.Context(), found) }()
	return func() { warn(<-done) }
}

func (p *platform) strays(ctx context.Context, front *proxy) ([]engine.Stray, error) {
	state, err := front.ask(ctx)
	if err != nil || len(state.Rotation) == 0 || slices.Contains(state.Rotation, edge.Rotated) {
		return nil, nil // who serves users is not known: the deploy itself will tell why
	}
	found, err := p.Engine.Strays(ctx, p.Prefix, nil)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s engine.Stray) bool {
		return s.Workload != "backend" || slices.Contains(state.Rotation, s.Name)
	})
	if len(found) == 0 {
		return nil, nil
	}
	known, err := p.Known(ctx)
	return slices.DeleteFunc(found, func(s engine.Stray) bool { return err != nil || known[s.ID] }), err
}
