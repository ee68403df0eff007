package config

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Site is another stack on the same engine, to which nginx sends what is asked of its names:
// docs/several-stacks.md.
type Site struct {
	// The stack that answers, by its name, or as PROJECT/STACK where it is another project's.
	// Empty: the one that the site is called after.
	Stack string `key:"stack" allowed:"empty, STACK or PROJECT/STACK: letters, digits, - and _; not this stack itself"`
	// The names that users ask for.
	Hosts []string `key:"hosts" allowed:"a list of at least one host name, none of nginx.serverNames, of a route's or of another site's, nor localhost"`
}

// Default implements Entry.
func (Site) Default() any { return Site{} }

// peer is a stack by its name, or by its project's and its own.
var peer = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9_-]*$`)

// Peer is what begins the names of another stack in the engine. It is called so by a stack of
// the project.
func Peer(project, named string) string {
	if of, stack, another := strings.Cut(named, "/"); another {
		return of + "-" + stack
	}
	return project + "-" + named
}

// Answers is the name of the stack that a site is.
func (s Site) Answers(name string) string {
	if s.Stack != "" {
		return s.Stack
	}
	return name
}

// SitesInOrder are the sites' keys.
func (cfg Config) SitesInOrder() []string { return slices.Sorted(maps.Keys(cfg.Sites)) }

// SiteNames are the host names of all sites, in order.
func (cfg Config) SiteNames() []string {
	var all []string
	for _, name := range cfg.SitesInOrder() {
		all = append(all, cfg.Sites[name].Hosts...)
	}
	return all
}

// IsEdge is true where nginx may send users to other stacks.
func (cfg Config) IsEdge() bool { return cfg.Nginx.Enabled && cfg.Networks.SitesSubnet != "" }

// BehindEdge is true where another stack's nginx sends users here.
func (cfg Config) BehindEdge() bool { return cfg.Nginx.Enabled && cfg.Nginx.Edge != "" }

func (cfg Config) checkSites(c *checker) {
	taken := map[string]bool{"localhost": true}
	for _, host := range slices.Concat(cfg.Nginx.ServerNames, cfg.Hosts()) {
		taken[strings.ToLower(host)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sites)) {
		s, key := cfg.Sites[name], "sites."+name+"."
		c.want(s.Stack == "" || peer.MatchString(s.Stack), key+"stack", s.Stack)
		c.want(len(s.Hosts) > 0, key+"hosts", "")
		for _, host := range s.Hosts {
			c.want(hostName.MatchString(host) && !taken[strings.ToLower(host)], key+"hosts", host)
			taken[strings.ToLower(host)] = true
		}
	}
}

// checkSitesSubnet checks it beside those of the other networks that there are.
func (n Networks) checkSitesSubnet(c *checker, others ...netip.Prefix) {
	if n.SitesSubnet == "" {
		return
	}
	sites, err := netip.ParsePrefix(n.SitesSubnet)
	overlaps := slices.ContainsFunc(others, func(other netip.Prefix) bool { return other.IsValid() && sites.IsValid() && other.Overlaps(sites) })
	c.want(err == nil && usable(sites) && !overlaps, "networks.sitesSubnet", n.SitesSubnet)
}

// edgeTogether finds what is wrong about an edge, or about a stack behind one.
func (cfg Config) edgeTogether(conflict func(key, value, rule string)) {
	if subnet := cfg.Networks.SitesSubnet; subnet != "" && !cfg.Nginx.Enabled {
		conflict("networks.sitesSubnet", subnet, "empty where nginx.enabled is false: it is nginx that sends users to other stacks")
	}
	if len(cfg.Sites) > 0 && cfg.Networks.SitesSubnet == "" {
		conflict("networks.sitesSubnet", "", "an IPv4 network in CIDR form that nothing else uses, such as 10.213.9.0/24, where sites has any: nginx meets the other stacks' there")
	}
	edge := cfg.Nginx.Edge
	if edge == "" {
		return
	}
	if !cfg.Nginx.Enabled {
		conflict("nginx.edge", edge, "empty where nginx.enabled is false: it is nginx that the edge sends users to")
	}
	if cfg.Networks.SitesSubnet != "" {
		conflict("networks.sitesSubnet", cfg.Networks.SitesSubnet, "empty where nginx.edge is set: an edge is behind none")
	}
	if len(cfg.Nginx.ServerNames) == 0 {
		conflict("nginx.serverNames", "", "the names that the edge has for this stack in its sites, where nginx.edge is set")
	}
	if cfg.Nginx.TLS.Mode != "off" {
		conflict("nginx.tls.mode", cfg.Nginx.TLS.Mode, "off where nginx.edge is set: TLS ends at the edge")
	}
}
