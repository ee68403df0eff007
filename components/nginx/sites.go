package nginx

import (
	"fmt"
	"slices"
	"strings"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// sites are the other stacks that answer by this one's nginx.
func sites(c part.Context) []assets.Site {
	var all []assets.Site
	for _, name := range c.SitesInOrder() {
		s := c.Sites[name]
		all = append(all, assets.Site{Name: name, Hosts: s.Hosts, Stack: config.Peer(c.Project, s.Answers(name)), Port: httpPort})
	}
	return all
}

// uncovered warns of sites' names that a given certificate is not for.
func uncovered(c part.Context) ([]string, error) {
	if len(c.Sites) == 0 || c.Nginx.TLS.Mode != "given" {
		return nil, nil
	}
	pair, err := c.GivenCertificate()
	if err != nil {
		return nil, err
	}
	names, err := pair.Uncovered(c.SiteNames())
	if err != nil || len(names) == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%s:nginx.tls.certificate is not for %s, which %[1]s:sites has: browsers refuse it there", config.Namespace, strings.Join(names, ", "))}, nil
}

// known are the names that are answered for; empty: all, where nobody has said which they are.
// What an application makes of a name that is not its own, such as a link in a mail, is trusted.
func known(c part.Context) []string {
	var all []string
	switch {
	case c.BehindEdge():
		all = slices.Concat(c.Nginx.ServerNames, c.Config.Hosts())
	case len(c.Nginx.ServerNames) > 0:
		all = slices.Clone(c.Site.Hosts)
		if c.Nginx.Address != "" { // by which this machine asks, while no name leads there
			all = append(all, c.Nginx.Address)
		}
	}
	for i, name := range all {
		all[i] = strings.ToLower(name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// believed are those whose word on clients counts: whoever stands in front, and behind an edge
// its network, on which no one is but stacks' nginxes; and what asks inside the container.
func believed(c part.Context) []string {
	if !c.BehindEdge() {
		return c.Nginx.TrustedProxies
	}
	all := append(slices.Clone(c.Nginx.TrustedProxies), inside+"/32")
	if subnet := c.Peer.Network.Subnet; subnet != "" {
		all = append(all, subnet)
	}
	return all
}
