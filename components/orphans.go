package components

import (
	"context"
	"fmt"
	"slices"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// removeOrphans takes away replicas that an `up` that was killed has left, whether this one
// succeeds or not: those of the release's programs, a worker's as well as the backend's, that
// neither Pulumi's state knows nor nginx sends requests to, as it says itself. Where it says
// nothing, all stay. It goes on beside the deploy, until wait
// returns. (What else was left is removed when an `up` has succeeded: prune.go of the
// program.)
func (r *rollout) removeOrphans() (wait func()) {
	// Swarm's nginx knows replicas by one name for all, and Swarm itself what is left.
	if r.ctx.DryRun() || r.args.Known == nil || !r.args.Config.Nginx.Enabled || r.args.Config.Runtime != "containers" {
		return func() {}
	}
	warn := func(err error) { // they are in nobody's way: no failed deploy
		if err != nil {
			_ = r.ctx.Log.Warn(fmt.Sprintf("replicas that an interrupted `up` may have left are not removed: %v", err), nil)
		}
	}
	// Found before this `up` makes replicas of its own.
	found, err := r.orphans(r.ctx.Context())
	if err != nil || len(found) == 0 {
		warn(err)
		return func() {}
	}
	done := make(chan error, 1)
	go func() { done <- r.args.Engine.Remove(r.ctx.Context(), found) }()
	return func() { warn(<-done) }
}

func (r *rollout) orphans(ctx context.Context) ([]engine.Orphan, error) {
	serving, err := r.edge.Replicas(ctx)
	if err != nil || len(serving) == 0 {
		return nil, nil // who serves users is not known: the deploy itself will tell why
	}
	found, err := r.args.Engine.Orphans(ctx, r.args.Prefix, nil)
	if err != nil {
		return nil, err
	}
	ours := r.rolling()
	found = slices.DeleteFunc(found, func(o engine.Orphan) bool {
		return !ours[o.Workload] || slices.Contains(serving, o.Name)
	})
	if len(found) == 0 {
		return nil, nil
	}
	known, err := r.args.Known(ctx)
	return slices.DeleteFunc(found, func(o engine.Orphan) bool { return err != nil || known[o.ID] }), err
}

// rolling are the release's programs of which a new replica starts beside the old one. Of
// others, what was left is the only one that there is, and makes room when its turn comes
// (runtime's retryWithoutLeftover).
func (r *rollout) rolling() map[string]bool {
	all := map[string]bool{}
	for _, d := range r.parts {
		for _, s := range d.Services {
			_, own := r.Images[s.Image]
			all[s.Name] = (s.Image == config.BackendName || own) && !s.StopFirst()
		}
	}
	return all
}
