package nginx

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// backend is the name of the backend's upstream.
const backend = "backend"

// Service is one that answers by routes.
type Service struct {
	// Name is its own, a DNS label, and Port where it listens.
	Name string
	Port int
	Replicas
}

// Zone is for the template: the name of the upstream's memory. Other memory has names, too.
func (s Service) Zone() string {
	if s.Name == backend {
		return backend
	}
	return "service_" + s.Name
}

// Target is for the template: the variable that holds whom a request goes to.
func (s Service) Target() string { return target(s.Name) }

func target(service string) string {
	if service == backend {
		return "target"
	}
	return "to_" + variable(service)
}

// variable is a DNS label as a part of a variable's name.
func variable(label string) string { return strings.ReplaceAll(label, "-", "_") }

// Route is a way to a service.
type Route struct {
	// Name is its own, a DNS label.
	Name string
	// Host is what is asked for; empty: any. Path is / or begins with it and does not end in
	// one.
	Host, Path string
	// Service is the name of one of Services, or the backend.
	Service string
	// Strip leaves the path out of what the service is asked for.
	Strip bool
	// Timeout is in nginx's form, and MaxBody in bytes.
	Timeout string
	MaxBody int64
	// Rate is in requests a second and client; 0: they count with all others. Burst is how
	// many requests above it are let through at once.
	Rate, Burst int
	// Allow are the networks, in CIDR form, that may ask; empty: all.
	Allow []string
}

// Way is for the template: how the route is called in names of nginx's.
func (r Route) Way() string { return "_" + variable(r.Name) }

// Target is for the template: the variable that holds whom a request goes to.
func (r Route) Target() string { return target(r.Service) }

// Match is for the template: what the route takes.
func (r Route) Match() string {
	if r.Path == "/" {
		return "/"
	}
	return "~ ^" + r.Pattern() + "(/|$)"
}

// Pattern is for the template: the path as a regular expression.
func (r Route) Pattern() string { return regexp.QuoteMeta(r.Path) }

// Strips is for the template: a path is left out.
func (r Route) Strips() bool { return r.Strip && r.Path != "/" }

// Upstreams are for the template: who answers, the backend first.
func (c Config) Upstreams() []Service {
	return append([]Service{{Name: backend, Port: c.BackendPort, Replicas: c.Replicas}}, c.Services...)
}

// With is the configuration with who answers. replicas are the hosts and the addresses of a
// service's; an address that is not known is empty.
func (c Config) With(replicas func(service string) (hosts, addresses []string)) Config {
	fill := func(r *Replicas, service string) {
		hosts, addresses := replicas(service)
		r.Hosts, r.Addresses = hosts, slices.DeleteFunc(slices.Clone(addresses), func(address string) bool { return address == "" })
	}
	fill(&c.Replicas, backend)
	c.Services = slices.Clone(c.Services)
	for i := range c.Services {
		fill(&c.Services[i].Replicas, c.Services[i].Name)
	}
	return c
}

// Limited is for the template: anything is.
func (c Config) Limited() bool {
	return c.RequestRate > 0 || c.LoginRate > 0 || slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Rate > 0 })
}

// Server is for the template: what is answered for a host.
type Server struct {
	Config
	// Host is empty for all that no other one is for.
	Host string
	// Ways are its routes, the longest path first, and Whole is true where one of them takes
	// all that is asked.
	Ways  []Way
	Whole bool
}

// Way is a route with what is the same for all.
type Way struct {
	Config
	Route
}

// Servers are for the template: the first one is for every host that has no routes of its own.
func (c Config) Servers() []Server {
	hosts := []string{""}
	for _, r := range c.Routes {
		if !slices.Contains(hosts, r.Host) {
			hosts = append(hosts, r.Host)
		}
	}
	slices.Sort(hosts)
	var all []Server
	for _, host := range hosts {
		s := Server{Config: c, Host: host}
		s.Whole = slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Host == host && r.Path == "/" })
		for _, r := range c.Routes {
			// What is for every host is for this one, too, unless its own say otherwise.
			taken := s.Whole || slices.ContainsFunc(c.Routes, func(own Route) bool { return own.Host == host && own.Path == r.Path })
			if r.Host == host || r.Host == "" && !taken {
				s.Ways = append(s.Ways, Way{c, r})
			}
		}
		slices.SortStableFunc(s.Ways, func(a, b Way) int {
			return cmp.Or(cmp.Compare(len(b.Path), len(a.Path)), cmp.Compare(a.Route.Name, b.Route.Name))
		})
		all = append(all, s)
	}
	return all
}
