package components

import (
	"errors"
	"fmt"

	"tarot-platform/components/part"
	"tarot-platform/internal/state"
)

// checkState refuses to be a second generation of a stack that runs: one whose state is another
// one, somewhere else or lost. Each would migrate and write the same database unaware of the
// other, and take the other's replicas for what an interrupted update has left.
//
// Only a state without any volume is asked for more: one that has brought the stack up has them,
// unless the application has none. An update that was killed leaves a network that the state does
// not know, too, but nothing that runs on it: what does is declared after it.
func (r *rollout) checkState() error {
	if len(r.args.Volumes) > 0 || r.args.Known == nil {
		return nil
	}
	ctx := r.ctx.Context()
	for _, n := range part.Networks(r.args.Config) {
		network, there, err := r.args.Engine.Network(ctx, r.args.Prefix, n.Name)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		running, err := r.args.Engine.Runs(ctx, r.args.Prefix, "backend")
		if err != nil {
			return err
		}
		if running == 0 {
			return nil
		}
		known, err := r.args.Known(ctx)
		if err != nil && !errors.Is(err, state.ErrEmpty) {
			return err
		}
		if known[network.ID] {
			return nil
		}
		things := "docker rm --force $(docker ps --all --quiet --filter label=tarot.stack=" + r.args.Prefix + ")"
		if r.args.Config.Runtime == "swarm" {
			things = "docker service rm $(docker service ls --quiet --filter label=tarot.stack=" + r.args.Prefix + ")"
		}
		return fmt.Errorf("%s runs on this engine, and Pulumi's state does not know it: it was brought up with another state, and both would migrate and write one database; "+
			"allowed: that state (`pulumi login` says where), another name for this stack, or, where that state is lost, first `%s`, which stops what runs and leaves the volumes", r.args.Prefix, things)
	}
	return nil
}
