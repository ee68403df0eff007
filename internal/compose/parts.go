package compose

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"tarot-platform/internal/config"
)

// fillParts switches on those parts of the platform that stand in for services, and the ways
// through nginx.
func (im *importer) fillParts() {
	var edges []string
	for _, name := range im.project.ServiceNames() {
		switch im.roles[name] {
		case cache:
			im.fillCache(name)
		case edge:
			edges = append(edges, name)
			im.tellEdge(name)
		case monitoring:
			im.fillMonitoring(name)
		}
	}
	im.ports(edges)
	im.routes()
	im.encrypted()
}

var tlsLabel = regexp.MustCompile(`^traefik\.http\.routers\.[^.]+\.tls(\.|$)`)

// encrypted has nginx serve HTTPS where a traefik that is not in the project did.
func (im *importer) encrypted() {
	for _, label := range slices.Sorted(maps.Keys(labels(im.project.Services[im.backend]))) {
		if im.Config.Nginx.TLS.Mode != "off" || !tlsLabel.MatchString(label) {
			continue
		}
		key := "services." + im.backend + ".labels." + label
		im.try(key, "", func(c *config.Config) { c.Nginx.TLS.Mode = "selfSigned" })
		im.miss(key, "nginx is in traefik's place, and makes a certificate of its own", "give it yours: "+im.certificate()+
			". Or leave traefik in front: other ports (tarot:nginx.httpPort), tarot:nginx.tls.mode off, and its network in tarot:nginx.trustedProxies")
	}
}

// certificate are the commands that set one.
func (im *importer) certificate() string {
	return fmt.Sprintf("pulumi config set -s %[1]s --secret tarot:tlsCertificate <FILE, the same for tarot:tlsKey, and pulumi config set -s %[1]s --path tarot:nginx.tls.mode given", im.options.Stack)
}

var jobs = regexp.MustCompile(`(?i)\b(celery\w*|rq|rqworker|arq|dramatiq|huey\w*)\b`)

func (im *importer) fillCache(name string) {
	s, key := im.project.Services[name], "services."+name+"."
	im.became(name, "tarot:cache, the platform's Valkey")
	profile := "cache"
	for _, other := range im.project.ServiceNames() {
		o := im.project.Services[other]
		if im.roles[other] == program && jobs.MatchString(strings.Join(append(slices.Clone(o.Entrypoint), o.Command...), " ")) {
			profile = "queue" // jobs are not to be lost when it restarts
		}
	}
	im.try("services."+name, "", func(c *config.Config) { c.Cache.Enabled, c.Cache.Profile = true, profile })
	im.limits(name, func(cpus float64, memory config.Bytes) {
		if cpus > 0 {
			im.try(key+"deploy.resources.limits.cpus", "", func(c *config.Config) { c.Cache.CPUs = cpus })
		}
		if memory > 0 {
			im.try(key+"deploy.resources.limits.memory", "", func(c *config.Config) { c.Cache.Memory = memory })
		}
	})
	if len(s.Command) > 0 {
		im.miss(key+"command", "Valkey is set up by tarot:cache, with a password of its own", "tarot:cache.profile and tarot:cache.memory: docs/cache.md")
	}
	if len(s.Volumes) > 0 {
		im.miss(key+"volumes", "what is in it does not come along", "have the workers finish what is queued before the switch; a cache fills again by itself")
	}
	im.tellPorts(name, "docs/cache.md says how to look inside")
}

func (im *importer) tellEdge(name string) {
	s := im.project.Services[name]
	im.became(name, "the platform's nginx, tarot:nginx")
	why := "its configuration was not read"
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind && !strings.HasSuffix(v.Source, "docker.sock") {
			why += ", such as " + im.folder(v.Source)
			break
		}
	}
	im.miss("services."+name, why, "look at its locations: what is not the backend's is a route (tarot:routes, docs/services.md), static files are served by themselves, "+
		"client_max_body_size is tarot:nginx.maxBody, proxy_read_timeout is tarot:nginx.proxyTimeout, server_name is tarot:nginx.serverNames")
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeVolume && v.Source != "" && im.ofBackend(v.Source) {
			im.miss("services."+name+".volumes."+v.Target, "nginx has no volume of the application's but the one for static files", "have the backend serve what users upload; static files of the image at static in its working folder are served by nginx")
		}
	}
}

// ofBackend is true for a volume that the backend mounts, too.
func (im *importer) ofBackend(volume string) bool {
	return slices.ContainsFunc(im.project.Services[im.backend].Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == volume })
}

func (im *importer) fillMonitoring(name string) {
	im.became(name, "the platform's monitoring, tarot:monitoring")
	im.try("services."+name, "", func(c *config.Config) { c.Monitoring.Enabled = true })
	im.miss("services."+name, "the platform's own monitoring takes its place, with its own rules and dashboards", "services' metrics are the key scrape; import dashboards by Grafana's pages at tarot:monitoring.grafana.path; what was measured stays in the old volume")
}

func (im *importer) tellPorts(name, mend string) {
	if len(im.project.Services[name].Ports) > 0 {
		im.miss("services."+name+".ports", "nothing but nginx publishes a port", mend)
	}
}

const (
	http, https       = 80, 443
	httpAlt, httpsAlt = 8080, 8443
)

// ports has nginx listen where users have come in until now: at the ports of what was in front,
// or at the backend's own.
func (im *importer) ports(edges []string) {
	found := false
	for _, name := range edges {
		for _, p := range im.project.Services[name].Ports {
			key := "services." + name + ".ports." + p.Published
			if p.Protocol == "udp" {
				key += "/udp"
			}
			port, err := strconv.Atoi(p.Published)
			switch {
			case err != nil || p.Protocol == "udp":
				im.miss(key, "nginx listens on one port for HTTP and one for HTTPS", "leave it out")
			case p.Target == https || p.Target == httpsAlt || port == https:
				im.listen(key, p, func(c *config.Config) { c.Nginx.HTTPSPort, c.Nginx.TLS.Mode = port, "selfSigned" })
				im.miss(key, "the certificate was not taken over, and nginx makes one of its own", im.certificate())
			case (p.Target == http || p.Target == httpAlt || port == http) && !found:
				im.listen(key, p, func(c *config.Config) { c.Nginx.HTTPPort = port })
				found = true
			default:
				im.miss(key, "nginx listens on one port for HTTP and one for HTTPS", "leave it out")
			}
		}
	}
	for _, p := range im.project.Services[im.backend].Ports {
		key := "services." + im.backend + ".ports." + p.Published
		port, err := strconv.Atoi(p.Published)
		switch {
		case p.Target == debugger:
			im.miss(key, "a debugger is for a stack to work on", "tarot:backend.debuggerPort there")
		case err != nil || int(p.Target) != im.listensAt(im.backend):
			im.miss(key, "nginx sends to one port of the backend", "leave it out")
		case len(edges) > 0:
			im.miss(key, "users come in by nginx, and nothing else publishes a port", "leave it out")
		default:
			im.listen(key, p, func(c *config.Config) { c.Nginx.HTTPPort = port })
		}
	}
}

// listen publishes one of nginx's ports.
func (im *importer) listen(key string, p types.ServicePortConfig, change func(*config.Config)) {
	im.try(key, "another port", func(c *config.Config) {
		if change(c); p.HostIP != "" && p.HostIP != "0.0.0.0" && p.HostIP != "::" {
			c.Nginx.Address = p.HostIP
		}
	})
	if p.HostIP == "127.0.0.1" {
		im.miss(key, "somebody on the host seems to be in front, and nginx believes nobody's X-Forwarded-For and X-Forwarded-Proto",
			"pulumi config set -s "+im.options.Stack+" --path 'tarot:nginx.trustedProxies[0]' "+im.Config.Networks.EdgeSubnet[:strings.LastIndex(im.Config.Networks.EdgeSubnet, ".")]+".1/32")
	}
}

// routes takes over what traefik's labels say.
func (im *importer) routes() {
	for _, name := range im.project.ServiceNames() {
		b := balanced(labels(im.project.Services[name]))
		for _, label := range b.odd {
			im.miss("services."+name+".labels."+label, "rules of one host, one path prefix or both are taken over, and this is another one", "a route by hand: docs/services.md, Routes")
		}
		if im.roles[name] != program || im.names[name] == "" {
			continue
		}
		key := "services." + name + ".labels"
		if name == im.backend {
			for _, host := range b.hosts {
				im.try(key, "leave it out", func(c *config.Config) { c.Nginx.ServerNames = append(slices.Clip(c.Nginx.ServerNames), host) })
			}
			continue // it has all that no route takes
		}
		if _, there := im.Config.Services[im.names[name]]; !there {
			continue
		}
		hosts, prefixes := b.hosts, b.prefixes
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		if len(prefixes) == 0 && len(b.hosts) > 0 {
			prefixes = []string{"/"}
		}
		for h, host := range hosts {
			for p, prefix := range prefixes {
				route := im.names[name]
				if h+p > 0 {
					route = entry(fmt.Sprintf("%s-%d-%d", route, h, p))
				}
				im.try(key, "another path or host", func(c *config.Config) {
					r := config.Route{}.Default().(config.Route) //nolint:errcheck // it is one
					r.Service, r.Host, r.Path = im.names[name], host, prefix
					c.Routes = with(c.Routes, route, r)
				})
			}
		}
	}
}

// contents is what one of Compose's secrets is.
func contents(s types.FileObjectConfig, environment types.Mapping) (string, error) {
	switch {
	case bool(s.External):
		return "", fmt.Errorf("it is the engine's own (%s), which tells nobody what it is", s.Name)
	case s.Environment != "":
		return environment[s.Environment], nil
	case s.Content != "":
		return s.Content, nil
	}
	text, err := os.ReadFile(s.File)
	return strings.TrimRight(string(text), "\r\n"), err
}
