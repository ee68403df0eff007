package nginx

import "strings"

// Site is another stack, whose own nginx answers for some names.
type Site struct {
	// Name is its own, a DNS label.
	Name string
	// Hosts are the names that users ask for.
	Hosts []string
	// Stack is the DNS name of that stack's nginx, and Port where it listens.
	Stack string
	Port  int
}

// Zone is for the template: the name of the upstream, and of its memory. No service's has a _.
func (s Site) Zone() string { return "site_" + s.Name }

// SiteServer is for the template: what is answered for a site.
type SiteServer struct {
	Config
	Site
	// Host is all of its names.
	Host string
}

// SiteServers are for the template.
func (c Config) SiteServers() []SiteServer {
	var all []SiteServer
	for _, s := range c.Sites {
		all = append(all, SiteServer{c, s, strings.ToLower(strings.Join(s.Hosts, " "))})
	}
	return all
}
