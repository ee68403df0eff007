package components

import (
	"fmt"
	"slices"
	"strings"

	"tarot-platform/components/nginx"
	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// findEdge is the stack that is this one's edge, which has to be there: its network is where
// users come from.
func (r *rollout) findEdge() (part.Peer, error) {
	cfg := r.args.Config
	if !cfg.BehindEdge() {
		return part.Peer{}, nil
	}
	refuse := func(why, allowed string) (part.Peer, error) {
		return part.Peer{}, fmt.Errorf("%s:nginx.edge: %q %s; allowed: %s", config.Namespace, cfg.Nginx.Edge, why, allowed)
	}
	peer := part.Peer{Stack: config.Peer(r.args.Project, cfg.Nginx.Edge)}
	if peer.Stack == r.args.Prefix {
		return refuse("is this stack itself", "another stack on this engine")
	}
	var there bool
	var err error
	if peer.Network, there, err = r.args.Engine.Network(r.ctx.Context(), peer.Stack, engine.SitesNetwork); err != nil {
		return part.Peer{}, err
	}
	if !there {
		return refuse(fmt.Sprintf("has no network %s-%s on this engine", peer.Stack, engine.SitesNetwork),
			"a stack that is up with "+config.Namespace+":networks.sitesSubnet set: first the edge, then who is behind it")
	}
	if cfg.Runtime == "swarm" && peer.Network.Driver != "overlay" {
		return refuse("is a stack of plain containers, whose network Swarm's tasks can't be on",
			"a stack with "+config.Namespace+":runtime swarm, or containers for this one, too")
	}
	ports, err := r.args.Engine.Published(r.ctx.Context(), peer.Stack, "nginx")
	r.site.Front = nginx.Front(ports)
	return peer, err
}

// missing is what a stack behind an edge lacks there; empty: nothing. It may come later.
func (r *rollout) missing() string {
	peer := r.context.Peer
	if peer.Stack == "" {
		return ""
	}
	sends, err := nginx.Sends(r.ctx.Context(), r.args.Engine, peer.Stack, r.args.Prefix)
	switch {
	case err != nil:
		return fmt.Sprintf("the edge %s does not say what it sends here, and users may get no answer: %v", peer.Stack, err)
	case !sends:
		return fmt.Sprintf("the edge %s sends nobody here yet: its %s:sites has to have this stack (%s), with %s",
			peer.Stack, config.Namespace, r.args.Prefix, strings.Join(r.args.Config.Nginx.ServerNames, ", "))
	}
	return ""
}

// checkSites refuses a site that is this stack itself, and to take the network away, or make
// it anew, on which stacks are that users come to by this one.
func (r *rollout) checkSites() (faults []error, err error) {
	cfg := r.args.Config
	for _, name := range cfg.SitesInOrder() {
		if config.Peer(r.args.Project, cfg.Sites[name].Answers(name)) == r.args.Prefix {
			faults = append(faults, fmt.Errorf("%s:sites.%s: it is this stack itself; allowed: another stack, by its name or by `stack`", config.Namespace, name))
		}
	}
	before, there, err := r.args.Engine.Network(r.ctx.Context(), r.args.Prefix, engine.SitesNetwork)
	if err != nil || !there {
		return faults, err
	}
	driver := map[string]string{"containers": "bridge", "swarm": "overlay"}[cfg.Runtime]
	wanted := cfg.Networks.SitesSubnet
	if !cfg.Nginx.Enabled {
		wanted = ""
	}
	if before.Subnet == wanted && before.Driver == driver {
		return faults, nil
	}
	guests, err := r.args.Engine.Guests(r.ctx.Context(), r.args.Prefix)
	if err != nil {
		return faults, err
	}
	guests = slices.DeleteFunc(guests, func(g engine.Guest) bool { return !g.Expected(r.args.Prefix) })
	if len(guests) == 0 {
		return faults, nil
	}
	key, value, allowed := "networks.sitesSubnet", cfg.Networks.SitesSubnet, before.Subnet
	if before.Subnet == wanted {
		key, value, allowed = "runtime", cfg.Runtime, map[string]string{"bridge": "containers", "overlay": "swarm"}[before.Driver]
	}
	var on, mends []string
	for _, g := range guests {
		on, mends = append(on, g.String()), append(mends, g.Mend())
	}
	return append(faults, fmt.Errorf("%s:%s: %q would take the network %s away, and users come by it to %s; allowed: %s, or first: %s",
		config.Namespace, key, value, before.Name, strings.Join(on, ", "), allowed, strings.Join(slices.Compact(mends), "; "))), nil
}
