package components

import (
	"net/netip"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// endMoving ends the Swarm services that Pulumi is about to take away, and to make anew or as
// containers: where the runtime is another one, or a network. They stop in any case; here each
// has the time that it takes (engine.EndServices).
func (r *rollout) endMoving() error {
	if r.ctx.DryRun() {
		return nil
	}
	moves := r.args.Config.Runtime != "swarm"
	for _, n := range part.Networks(r.args.Config) {
		there, is, err := r.args.Engine.Network(r.ctx.Context(), r.args.Prefix, n.Name)
		if err != nil {
			return err
		}
		moves = moves || is && (!sameSubnet(there.Subnet, n.Subnet) || there.Internal != n.Internal || there.Encrypted != n.Encrypted)
	}
	if !moves {
		return nil
	}
	return r.args.Engine.EndServices(r.ctx.Context(), r.args.Prefix, func(string) bool { return true })
}

// sameSubnet is true for two ways to write one network.
func sameSubnet(a, b string) bool {
	first, err := netip.ParsePrefix(a)
	if err != nil {
		return a == b
	}
	second, err := netip.ParsePrefix(b)
	return err == nil && first.Masked() == second.Masked()
}

// endRemoved ends the Swarm services that are no longer declared: when this program has ended,
// Pulumi takes them away.
func (r *rollout) endRemoved() error {
	if r.ctx.DryRun() || r.args.Config.Runtime != "swarm" {
		return nil
	}
	declared := map[string]bool{}
	for _, d := range r.parts {
		for _, s := range d.Services {
			declared[s.Name] = true
		}
	}
	return r.args.Engine.EndServices(r.ctx.Context(), r.args.Prefix, func(name string) bool {
		return !declared[name] && !declared[strings.TrimSuffix(name, "-"+workload.Canary)]
	})
}
