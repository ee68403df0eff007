package components

import (
	"context"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/runtime"
)

// describe is what `services` tells of a workload.
func describe(r *runtime.Running, image string, replicas int) pulumi.Map {
	return pulumi.Map{"image": pulumi.String(image), "replicas": pulumi.Int(replicas), "names": r.Names}
}

// present leaves the images out that are no stand-ins.
func present(standIns map[string]pulumi.StringOutput) pulumi.StringMapOutput {
	all := pulumi.StringMap{}
	for name, text := range standIns {
		all[name] = text
	}
	return all.ToStringMapOutput().ApplyT(func(found map[string]string) map[string]string {
		maps.DeleteFunc(found, func(_, text string) bool { return text == "" })
		return found
	}).(pulumi.StringMapOutput)
}

func volumes(s *Storage) pulumi.Map {
	all := pulumi.Map{}
	for kind, name := range map[string]pulumi.StringInput{"data": s.Data, "static": s.Static, "logs": s.Logs} {
		if name != nil {
			all[kind] = name
		}
	}
	return all
}

// outputs sets the stack's outputs.
func (p *platform) outputs(more pulumi.Map) {
	base, paths := p.baseURL(), p.Config.Backend.Paths
	p.Outputs = pulumi.Map{
		"runtime":  pulumi.String(p.Config.Runtime),
		"replicas": pulumi.Int(p.Config.Backend.Replicas),
		// Whether users get something else than what the stack file says.
		"maintenance": pulumi.Bool(p.Config.Maintenance),
		"pinned":      pulumi.Bool(p.Pinned),
	}
	for name, path := range map[string]string{
		"url": "", "apiUrl": paths.API, "docsUrl": paths.Docs, "adminUrl": paths.Admin, "healthUrl": paths.Health, "staticUrl": paths.Static,
	} {
		p.Outputs[name] = pulumi.String(base + path)
	}
	maps.Copy(p.Outputs, more)
}

// baseURL is where the stack answers, as users ask for it.
func (p *platform) baseURL() string {
	host := p.host()
	if names := p.Config.Nginx.ServerNames; p.Config.Nginx.Enabled && len(names) > 0 && resolves(p.ctx.Context(), names[0]) {
		host = names[0]
	}
	return p.urlOf(host)
}

// siteName is what the site is called by who asks for it, whether or not that name
// leads here yet: the first of its names, and where there is none its host.
func (p *platform) siteName() string {
	if names := p.Config.Nginx.ServerNames; p.Config.Nginx.Enabled && len(names) > 0 {
		return firstName(names)
	}
	return p.host()
}

// firstName is a name that is asked for: of a pattern, one that matches it.
func firstName(names []string) string { return strings.Replace(names[0], "*.", "www.", 1) }

// host is where published ports are reached from the machine that Pulumi runs on.
func (p *platform) host() string {
	if p.Config.Nginx.Enabled {
		return p.reached(p.Config.Nginx.Address)
	}
	return p.reached(p.Config.Backend.PublishAddress)
}

// reached is where a port is reached that is published on an address: there alone,
// where that is one of the machine's own.
func (p *platform) reached(published string) string {
	if ip := net.ParseIP(published); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		return published
	}
	return p.Engine.Host()
}

func (p *platform) urlOf(host string) string {
	cfg := p.Config
	switch {
	case !cfg.Nginx.Enabled:
		return address("http", host, cfg.Backend.PublishPort)
	case cfg.Nginx.TLS.Mode == "off":
		return address("http", host, cfg.Nginx.HTTPPort)
	}
	return address("https", host, cfg.Nginx.HTTPSPort)
}

// address leaves out the port that is the scheme's own.
func address(scheme, host string, port int) string {
	if strings.Contains(host, ":") { // an IPv6 address
		host = "[" + host + "]"
	}
	return scheme + "://" + host + portSuffix(port, map[string]int{"http": 80, "https": 443}[scheme])
}

// resolves is false for a name that no DNS here knows (yet): an address with it
// would not answer.
func resolves(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	return err == nil && len(found) > 0
}
