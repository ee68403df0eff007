package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Route is a way through nginx to a service: docs/services.md. What no route takes is the
// backend's.
type Route struct {
	// Who answers.
	Service string `key:"service" allowed:"backend, or the name of a service that has a port"`
	// The host that is asked for. Empty: every host, but for those that a route with the
	// path / has whole.
	Host string `key:"host" allowed:"empty, or a host name; with the path / none of nginx.serverNames, nor localhost, whose default is the backend"`
	// What is below it goes to the service. Of several routes the longest path counts.
	Path string `key:"path" allowed:"a path that begins with / and does not end in one, other than those that the platform answers itself, and once for a host; / only with a host"`
	// Leave the path out of what the service is asked for: /shop/x becomes /x.
	StripPath bool `key:"stripPath" allowed:"true or false"`
	// How long nginx waits for the service between two reads or writes. 0s:
	// `nginx.proxyTimeout`.
	Timeout time.Duration `key:"timeout" allowed:"0s, or a duration of whole seconds, at least 1s"`
	// The largest request body. 0m: `nginx.maxBody`.
	MaxBody Bytes `key:"maxBody" allowed:"0m, or a size with a unit, such as 10m"`
	// Requests a second that one client address may make by this route on average. 0: they
	// count with all others, `nginx.requestRate`.
	RequestRate int `key:"requestRate" allowed:"a whole number from 0 to 100000"`
	// How many requests above that rate one client address may make at once.
	Burst int `key:"burst" allowed:"a whole number from 0 to 100000"`
	// Who may ask; all others get 403. Empty: everybody.
	Allow []string `key:"allow" allowed:"a list of networks in CIDR form, such as 10.20.0.0/16, each with its first address"`
}

// Default implements Entry.
func (Route) Default() any { return Route{Service: BackendName, Path: "/"} }

// Hosts are the names that routes are for, each once.
func (cfg Config) Hosts() []string {
	var all []string
	for _, r := range cfg.Routes {
		if r.Host != "" {
			all = append(all, r.Host)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (cfg Config) checkRoutes(c *checker) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Routes)) {
		r, key := cfg.Routes[name], "routes."+name+"."
		if !entryName.MatchString(name) {
			continue // the decoder has said so
		}
		s, there := cfg.Services[r.Service]
		c.want(r.Service == BackendName || there && s.Port != 0, key+"service", r.Service)
		c.want(r.Host == "" || hostName.MatchString(r.Host), key+"host", r.Host)
		c.want(r.Path != "/" || r.Host != "localhost" && !slices.Contains(cfg.Nginx.ServerNames, r.Host), key+"host", r.Host)
		where := fmt.Sprintf("%s %s", r.Host, r.Path)
		c.want(urlPath.MatchString(r.Path) && (r.Path != "/" || r.Host != "") && !seen[where] && !cfg.AnsweredByNginx(r.Path), key+"path", r.Path)
		seen[where] = true
		c.want(r.Timeout == 0 || r.Timeout >= time.Second && r.Timeout%time.Second == 0, key+"timeout", r.Timeout)
		c.want(r.MaxBody >= 0, key+"maxBody", r.MaxBody)
		c.between(key+"requestRate", r.RequestRate, 0, 100000)
		c.between(key+"burst", r.Burst, 0, 100000)
		for _, network := range r.Allow {
			prefix, err := netip.ParsePrefix(network)
			c.want(err == nil && prefix == prefix.Masked(), key+"allow", network)
		}
	}
}

// AnsweredByNginx is true for a path that nginx answers for the platform, or sends where no
// route does.
func (cfg Config) AnsweredByNginx(path string) bool {
	if path == "/" {
		return false
	}
	p := cfg.Backend.Paths
	if path == cfg.Backend.HealthPath() || path == p.Metrics || path == "/-/rotation" || underneath(path, p.Static) {
		return true
	}
	grafana := cfg.Monitoring.Grafana.Path
	return cfg.Monitoring.Enabled && cfg.Monitoring.Grafana.Enabled && grafana != "" && underneath(path, grafana)
}
