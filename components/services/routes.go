package services

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// routes are the ways of users' requests to services, and to the backend with other limits
// than its own. What is wrong without a reverse proxy is none, and is told.
func routes(c part.Context) ([]part.Route, []string) {
	names := slices.Sorted(maps.Keys(c.Routes))
	if !c.Nginx.Enabled {
		if len(names) == 0 {
			return nil, nil
		}
		return nil, []string{fmt.Sprintf("%s:routes (%s) have no effect: nginx.enabled is false, and nothing else sends users' requests on", config.Namespace, strings.Join(names, ", "))}
	}
	var all []part.Route
	for _, name := range names {
		cfg := c.Routes[name]
		r := part.Route{Name: name, Host: cfg.Host, Path: cfg.Path, Service: cfg.Service, Port: c.Services[cfg.Service].Port, Strip: cfg.StripPath,
			Timeout: cmp.Or(cfg.Timeout, c.Nginx.ProxyTimeout), MaxBody: int64(cmp.Or(cfg.MaxBody, c.Nginx.MaxBody)),
			Rate: cfg.RequestRate, Burst: cfg.Burst, Allow: cfg.Allow}
		if cfg.Service == config.BackendName {
			r.Port = c.Backend.Port
		} else {
			r.Probe = probe(cfg, c.Services[cfg.Service])
		}
		all = append(all, r)
	}
	return all, nil
}

// probe is what is known to answer by a route: the path of the service's health check, where
// the route leads to it. Whoever is not let in is not asked.
func probe(r config.Route, s config.Service) string {
	path := answers(s)
	switch {
	case path == "" || len(r.Allow) > 0:
		return ""
	case r.Path == "/":
		return path
	case r.StripPath:
		return r.Path + path
	case strings.HasPrefix(path, r.Path+"/"):
		return path
	}
	return ""
}

// answers is the path that a service answers with 200 at its port; empty: none is known.
func answers(s config.Service) string {
	if s.Health.Port != 0 && s.Health.Port != s.Port {
		return ""
	}
	return s.Health.Path
}

// verified is true for a service that users' requests come to, and of which something is
// known that it answers: a changed one is asked for that before they do. One that owns data
// is not: it would run twice.
func verified(c part.Context, name string) (bool, *part.Answer) {
	s := c.Services[name]
	path := answers(s)
	if path == "" || !c.Nginx.Enabled || s.StopsFirst() {
		return false, nil
	}
	for _, route := range slices.Sorted(maps.Keys(c.Routes)) {
		if r := c.Routes[route]; r.Service == name && passed(c, r.Host, path) {
			return true, &part.Answer{Port: s.Port, Path: path, Host: r.Host}
		}
	}
	return false, nil
}

// passed is true for a path that nginx asks of whom the deploy names: it is none that nginx
// answers itself, and none of a route of the host's that makes another path of it, or that
// not everybody may take.
func passed(c part.Context, host, path string) bool {
	if path != c.Backend.HealthPath() && c.AnsweredByNginx(path) {
		return false
	}
	host = cmp.Or(host, c.Site.Name)
	for _, r := range c.Routes {
		here := r.Host == "" || r.Host == host
		below := r.Path == "/" || path == r.Path || strings.HasPrefix(path, r.Path+"/")
		if here && below && (len(r.Allow) > 0 || r.StripPath && r.Path != "/") {
			return false
		}
	}
	return true
}
