// Package picture draws a stack, as its parts describe it, in Mermaid, which GitHub, GitLab and Gitea
// show in a document.
package picture

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// The kinds of pictures.
const (
	Requests = "requests" // who asks whom, and on which networks
	Volumes  = "volumes"  // who has which volume
)

// Kinds are all of them.
var Kinds = []string{Requests, Volumes}

// Stack is what is drawn.
type Stack struct {
	Parts    []part.Described
	Networks []part.Network
	// Copied is true where there are backups.
	Copied bool
}

// Draw draws one kind of picture.
func Draw(s Stack, kind string) (string, error) {
	d := &drawing{}
	switch kind {
	case Requests:
		d.requests(s)
	case Volumes:
		d.volumes(s)
	default:
		return "", fmt.Errorf("there is no picture %q; there are %q", kind, Kinds)
	}
	return "flowchart LR\n" + d.text.String(), nil
}

// drawing is a picture that is being drawn.
type drawing struct{ text strings.Builder }

func (d *drawing) line(format string, args ...any) { fmt.Fprintf(&d.text, "  "+format+"\n", args...) }

// id is how a picture calls something: no word of Mermaid's, and none of its signs.
func id(kind, name string) string { return kind + "_" + strings.ReplaceAll(name, "-", "_") }

// services are those of all parts.
func (s Stack) services() []part.Service {
	var all []part.Service
	for _, p := range s.Parts {
		all = append(all, p.Services...)
	}
	return all
}

// service is a box, with how often it runs and what it may have.
func (d *drawing) service(indent string, s part.Service) {
	replicas := ""
	if s.Replicas > 1 {
		replicas = fmt.Sprintf("%d × ", s.Replicas)
	}
	d.line(`%s%s["%s<br/>%s%d MB"]`, indent, id("s", s.Name), s.Name, replicas, config.Bytes(s.Limits.Memory).MiB())
}

// requests draws each service in a frame of the networks that it is on, and arrows from who asks.
func (d *drawing) requests(s Stack) {
	services := s.services()
	var frames []string
	for _, one := range services {
		if frame := s.frame(one); !slices.Contains(frames, frame) {
			frames = append(frames, frame)
		}
	}
	d.published(services)
	for i, frame := range frames {
		d.line(`subgraph n%d ["%s"]`, i, frame)
		for _, one := range services {
			if s.frame(one) == frame {
				d.service("  ", one)
			}
		}
		d.line("end")
	}
	d.asked(s, services)
	d.scraped(s, services)
}

// frame is what networks a service is on, in the words of a reader.
func (s Stack) frame(of part.Service) string {
	var names []string
	out := false
	for _, n := range s.Networks {
		if slices.ContainsFunc(of.Networks, func(name string) bool { return slices.Contains(n.StandsFor, name) }) {
			names = append(names, n.Name)
			out = out || !n.Internal
		}
	}
	switch {
	case len(names) == 0:
		return "no network"
	case out:
		return "network " + strings.Join(names, " and ") + ": has a way out"
	}
	return "network " + strings.Join(names, " and ") + ": no way out"
}

// published draws who comes by a port of the machine's.
func (d *drawing) published(services []part.Service) {
	type arrow struct{ from, to, ports string }
	var users, machine []arrow
	for _, s := range services {
		var open, local []string
		for _, p := range s.Ports {
			switch address, err := netip.ParseAddr(p.Address); {
			case p.Host == 0:
			case err == nil && address.IsLoopback():
				local = append(local, fmt.Sprintf("%s:%d", p.Address, p.Host))
			case p.Address != "":
				open = append(open, fmt.Sprintf("%s:%d", p.Address, p.Host))
			default:
				open = append(open, fmt.Sprint(p.Host))
			}
		}
		if len(open) > 0 {
			users = append(users, arrow{"users", id("s", s.Name), strings.Join(open, ", ")})
		}
		if len(local) > 0 {
			machine = append(machine, arrow{"machine", id("s", s.Name), strings.Join(local, ", ")})
		}
	}
	if len(users) > 0 {
		d.line(`users(["users"])`)
	}
	if len(machine) > 0 {
		d.line(`machine(["this machine"])`)
	}
	for _, a := range append(users, machine...) {
		d.line(`%s ==>|"%s"| %s`, a.from, a.ports, a.to)
	}
}

// asked draws whom the edge sends requests to: its upstreams, the operator's pages, routes.
func (d *drawing) asked(s Stack, services []part.Service) {
	edge := slices.IndexFunc(services, func(one part.Service) bool { return one.Name == edgeName })
	if edge < 0 {
		return
	}
	var drawn []string
	to := func(name, why string) {
		if why != "" {
			why = `|"` + why + `"|`
		}
		if line := fmt.Sprintf("%s -->%s %s", id("s", edgeName), why, id("s", name)); !slices.Contains(drawn, line) {
			drawn = append(drawn, line)
			d.line("%s", line)
		}
	}
	for _, one := range services {
		if one.Upstream && one.Name != edgeName {
			to(one.Name, "")
		}
	}
	for _, p := range s.Parts {
		for _, page := range p.Pages {
			to(page.Host, page.Path)
		}
		for _, r := range p.Routes {
			to(r.Service, r.Host+r.Path)
		}
	}
}

// edgeName is the service that users' requests come by.
const edgeName = "nginx"

// scraped draws whom Prometheus asks for metrics.
func (d *drawing) scraped(s Stack, services []part.Service) {
	if !slices.ContainsFunc(services, func(one part.Service) bool { return one.Name == "prometheus" }) {
		return
	}
	for _, p := range s.Parts {
		for _, job := range p.Scrapes {
			for _, one := range services {
				if one.Job == job.Name {
					d.line("%s -.->|metrics| %s", id("s", "prometheus"), id("s", one.Name))
				}
			}
		}
	}
}

// volumes draws each volume that something mounts: what is read alone by a dotted line.
func (d *drawing) volumes(s Stack) {
	var mounted []string
	var lines []string
	for _, one := range s.services() {
		has := false
		for _, m := range one.Mounts {
			if m.Kind != workload.Volume {
				continue
			}
			has = true
			mounted = append(mounted, m.Source)
			arrow := "-->"
			if m.ReadOnly {
				arrow = "-.->|reads|"
			}
			lines = append(lines, fmt.Sprintf("%s %s %s", id("s", one.Name), arrow, id("v", m.Source)))
		}
		if has {
			d.service("", one)
		}
	}
	for _, p := range s.Parts {
		for _, v := range p.Volumes {
			if !slices.Contains(mounted, v.Name) {
				continue
			}
			keeps := "made again"
			switch {
			case v.Backup && s.Copied:
				keeps = "kept, backed up"
			case v.Data:
				keeps = "kept"
			}
			d.line(`%s[("%s<br/>%s")]`, id("v", v.Name), v.Engine, keeps)
		}
	}
	for _, line := range lines {
		d.line("%s", line)
	}
}
