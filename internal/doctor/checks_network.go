package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/network"

	"tarot-platform/internal/checks"
)

// networkChecks are of the ways between containers, and out.
var networkChecks = []check{
	{id: "networks", checked: "each container is on its networks", after: []string{"state"}, do: attached},
	{id: "names", checked: "services find each other by name", after: []string{"networks", "containers", "restarts", "out-of-memory", "tasks"}, do: names},
	{id: "connection", checked: "what the application's variables name answers", after: []string{"networks", "names", "containers", "restarts", "out-of-memory"}, do: connection},
	{id: "way-out", checked: "what is to get out does", after: []string{"networks"}, do: getsOut},
	{id: "mtu", checked: "packets fit the way out", do: mtu},
}

// addressOf is one of a variable, and whose that is.
type addressOf struct {
	address
	of string
}

// addresses are those of all programs of the application. Nothing is known of what does not run; of plain
// containers, the variables that the engine knows have to do.
func (p *patient) addresses(ctx context.Context) (all []addressOf, err error) {
	bodies, err := p.living(ctx)
	insides, err2 := p.insides.get(ctx)
	if err := together(err, err2); err != nil {
		return nil, err
	}
	unasked := error(nil)
	looked := false
	for _, b := range bodies {
		if !p.ofApplication(b.Of) {
			continue
		}
		in, ran := insides[b.ID]
		switch {
		case ran && in.untold != nil:
			unasked = in.untold
		case ran && in.err == nil:
			looked = true
			for _, a := range in.addresses {
				all = append(all, addressOf{a, b.Workload.Name})
			}
		case ran:
			unasked = in.err
		default:
			all = append(all, p.unasked(b, bodies)...)
		}
	}
	if broken := slices.ContainsFunc(all, func(a addressOf) bool { return a.Error != "" }); !broken && unasked != nil && !errors.Is(unasked, errBare) {
		return nil, unasked
	}
	if len(all) == 0 && !looked {
		return nil, together(unasked, errors.New("no replica of the application runs that could be asked"))
	}
	return all, nil
}

// unasked is what a container's variables tell without it: that an address is none, or that nobody in the stack
// has the name.
func (p *patient) unasked(b body, bodies []body) (all []addressOf) {
	for _, pair := range b.Config.Env {
		name, value, _ := strings.Cut(pair, "=")
		if name != "DATABASE_URL" && name != "CACHE_URL" {
			continue
		}
		a := address{Name: name}
		parsed, err := url.Parse(value)
		switch {
		case !strings.Contains(value, "://"):
			a.Error = "it is no address: there is no :// in it"
		case err != nil:
			a.Error = "it is no address" // what is wrong with it may have a password in it
		case parsed.Host == "" || strings.HasPrefix(value, "sqlite"):
			continue
		default:
			a.Scheme, a.To = parsed.Scheme, parsed.Host
			host := parsed.Hostname()
			known := slices.ContainsFunc(bodies, func(other body) bool { return other.Of == host || other.Workload.Name == host })
			if strings.Contains(host, ".") || net.ParseIP(host) != nil || known {
				continue
			}
			a.Error = "nothing in the stack is called " + host
		}
		all = append(all, addressOf{a, b.Workload.Name})
	}
	return all
}

func connection(ctx context.Context, p *patient) finding {
	found, err := p.addresses(ctx)
	if err != nil {
		return unknown(err)
	}
	var broken, well []string
	for _, a := range found {
		switch {
		case a.Scheme == "out" || a.Scheme == "sqlite":
		case a.Error != "":
			broken = append(broken, a.Name+" in "+a.of+": "+a.Error)
		default:
			well = append(well, a.Name+" at "+a.To)
		}
	}
	slices.Sort(well)
	switch {
	case len(broken) > 0:
		return finding{result: checks.Fail, found: strings.Join(broken, "\n"), cause: "the address is wrong, who is there does not run, or nothing leads there: docs/database.md", mend: "make logs STACK=" + p.Name + " SERVICE=backend LEVEL=error FOLLOW=no"}
	case len(well) == 0:
		return skip("no variable names a server")
	}
	return pass("%s", strings.Join(slices.Compact(well), ", "))
}

func attached(ctx context.Context, p *patient) finding {
	bodies, err := p.living(ctx)
	networks, err2 := p.networks.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	s, unread := p.state.get(ctx)
	called := map[string]string{}
	for _, n := range networks {
		called[n.ID] = n.Name
	}
	wanted := map[string]map[string][]string{}
	for _, r := range s.Resources {
		if r.Kind == "container" {
			wanted[r.ID] = r.Networks
		}
	}
	var off []string
	var mend string
	n := 0
	for _, b := range bodies {
		if !b.running() || b.HostConfig != nil && b.HostConfig.NetworkMode == "none" || b.HostConfig != nil && b.HostConfig.NetworkMode == "host" {
			continue
		}
		n++
		on := map[string][]string{}
		for _, n := range b.NetworkSettings.Networks {
			on[n.NetworkID] = append(slices.Clone(n.Aliases), b.Workload.Name)
		}
		for id, aliases := range p.meant(b, bodies, wanted[b.ID]) {
			missing := slices.DeleteFunc(slices.Clone(aliases), func(a string) bool { return slices.Contains(on[id], a) })
			if on[id] != nil && len(missing) == 0 {
				continue
			}
			name := called[id]
			if name == "" {
				name = id[:min(len(id), 12)]
			}
			mend = "docker network connect"
			if on[id] == nil {
				off = append(off, b.Workload.Name+" is not on "+name)
			} else {
				off = append(off, b.Workload.Name+" is on "+name+" without its name "+strings.Join(missing, ", "))
				mend = "docker network disconnect " + name + " " + b.Workload.Name + " && " + mend
			}
			for _, alias := range aliases {
				mend += " --alias " + alias
			}
			mend += " " + name + " " + b.Workload.Name
		}
	}
	switch {
	case len(off) > 0:
		slices.Sort(off)
		if len(off) > 1 {
			mend = "pulumi up --refresh --yes -s {stack}"
		}
		return finding{result: checks.Fail, found: strings.Join(off, ", "), cause: "somebody has disconnected it", mend: mend}
	case n == 0:
		return skip("nothing runs that is on one")
	case unread != nil:
		return pass("%d containers are on those of the others of their kind", n)
	}
	return pass("%d containers", n)
}

// meant are the networks that a container is to be on: by the state, and else as the others of its workload.
func (p *patient) meant(b body, bodies []body, declared map[string][]string) map[string][]string {
	if declared != nil || b.Task {
		return declared
	}
	all := map[string][]string{}
	for _, other := range bodies {
		if other.Of != b.Of || !other.running() {
			continue
		}
		for _, n := range other.NetworkSettings.Networks {
			all[n.NetworkID] = nil
		}
	}
	return all
}

func names(ctx context.Context, p *patient) finding {
	bodies, err := p.living(ctx)
	insides, err2 := p.insides.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	upstreams := map[string]bool{} // which are told by nginx-upstreams
	for _, b := range bodies {
		for _, line := range insides[b.ID].of("upstream") {
			upstreams[line[0]] = true
		}
	}
	var lost []string
	n := 0
	for _, b := range bodies {
		for _, line := range insides[b.ID].of("name") {
			if len(line) > 2 || upstreams[line[0]] && line[0] != "backend" {
				continue
			}
			if n++; len(line) < 2 || line[1] == "" {
				lost = append(lost, fmt.Sprintf("%s does not know the name %s", b.Workload.Name, line[0]))
			}
		}
	}
	switch {
	case len(lost) > 0:
		mend := "docker restart " + strings.Fields(lost[0])[0]
		if strings.Contains(strings.Fields(lost[0])[0], ".") {
			mend = "docker service update --force " + strings.SplitN(strings.Fields(lost[0])[0], ".", 2)[0]
		}
		return finding{result: checks.Fail, found: strings.Join(lost, "; "), cause: "the engine's name server does not answer in it, or its /etc/resolv.conf was changed", mend: mend}
	case unheard(insides) != nil:
		return unknown(unheard(insides))
	case n == 0:
		return skip("there are no two that look for each other")
	}
	return pass("%d names are known", n)
}

func getsOut(ctx context.Context, p *patient) finding {
	bodies, err := p.living(ctx)
	networks, err2 := p.networks.get(ctx)
	insides, err3 := p.insides.get(ctx)
	if err := together(err, err2, err3); err != nil {
		return unknown(err)
	}
	open := map[string]bool{}
	for _, n := range networks {
		open[n.Name] = !n.Internal
	}
	var shut []string
	n := 0
	for _, b := range bodies {
		outward := false
		for name := range b.NetworkSettings.Networks {
			outward = outward || open[name]
		}
		in := insides[b.ID]
		route := in.of("route")
		if !outward || len(route) == 0 {
			continue
		}
		n++
		if route[0][0] == "no" {
			shut = append(shut, b.Workload.Name+" has no route out")
		}
		for _, a := range in.addresses {
			if a.Scheme == "out" && a.Error != "" && p.reaches(ctx, a.To) {
				shut = append(shut, fmt.Sprintf("%s does not get to %s, and this machine does: %s", b.Workload.Name, a.To, a.Error))
			}
		}
	}
	switch {
	case n > 0 && !p.About.Forwards:
		return finding{result: checks.Fail, found: "the engine says that the kernel forwards nothing", cause: "net.ipv4.ip_forward is 0, which something has set after the engine's start", mend: "sysctl -w net.ipv4.ip_forward=1"}
	case len(shut) > 0:
		return finding{result: checks.Fail, found: strings.Join(shut, "; "), cause: "a firewall, or rules of iptables that were flushed under the engine", mend: "systemctl restart docker"}
	case unheard(insides) != nil:
		return unknown(unheard(insides))
	case n == 0:
		return skip("nothing runs that is to get out")
	}
	return pass("%d containers have a route", n)
}

// reaches is true where this machine gets to a name server.
func (p *patient) reaches(ctx context.Context, host string) bool {
	connection, err := p.dial(ctx, "tcp", net.JoinHostPort(host, "53"))
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

func (p *patient) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.Dial != nil {
		return p.Dial(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func mtu(ctx context.Context, p *patient) finding {
	insides, err := p.insides.get(ctx)
	if err != nil {
		return unknown(err)
	}
	if !p.About.Local || p.Uplink == 0 {
		return skip("the engine's way out is not seen from this machine")
	}
	bodies, err := p.living(ctx)
	networks, err2 := p.networks.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	var large []string
	n := 0
	for _, b := range bodies {
		// What stays on the machine may be as large as it likes.
		if !slices.ContainsFunc(networks, func(n network.Summary) bool { return !n.Internal && b.NetworkSettings.Networks[n.Name] != nil }) {
			continue
		}
		for _, line := range insides[b.ID].of("mtu") {
			if len(line) < 2 {
				continue
			}
			size, err := strconv.Atoi(line[1])
			if err != nil {
				continue
			}
			if n++; size > p.Uplink {
				large = append(large, fmt.Sprintf("%s in %s: %d", line[0], b.Workload.Name, size))
			}
		}
	}
	switch {
	case len(large) > 0:
		return finding{result: checks.Warn, found: fmt.Sprintf("%s, and the machine's way out takes %d", strings.Join(large, ", "), p.Uplink), cause: "large requests, and answers from outside, may hang: somebody on the way drops what is too large without a word (a VPN, a cloud's network)",
			mend: fmt.Sprintf("\"mtu\": %d in /etc/docker/daemon.json, then systemctl restart docker, and pulumi up --refresh -s {stack}", p.Uplink)}
	case unheard(insides) != nil:
		return unknown(unheard(insides))
	case n == 0:
		return skip("nothing runs that could be asked")
	}
	return pass("%d devices, none above %d", n, p.Uplink)
}
