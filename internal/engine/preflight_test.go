package engine

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"tarot-platform/internal/config"
)

const (
	mine    = "tarot-dev"
	ofOther = " of the network other; allowed: a network that nothing else uses"
)

func publishes(port uint16, name string, labels map[string]string) container.Summary {
	return container.Summary{ID: "0123456789abcdef", Names: []string{"/" + name}, Labels: labels,
		Ports: []container.Port{{PrivatePort: 1}, {PublicPort: port}}}
}

func pool(name, subnet string, labels map[string]string) network.Summary {
	return network.Summary{Name: name, Labels: labels, IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet}}}}
}

func TestPreflight(t *testing.T) {
	own := map[string]string{StackLabel: mine}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	manager := swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}
	for _, test := range []struct {
		name   string
		change func(*Engine, *fakeAPI, *config.Config)
		want   []string
	}{
		{"nothing in the way", func(*Engine, *fakeAPI, *config.Config) {}, nil},
		{"ports of the stack itself", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.containers = []container.Summary{publishes(80, "tarot-dev-nginx-1", own), publishes(443, "tarot-dev-nginx-1", own)}
		}, nil},
		{"other ports", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.containers = []container.Summary{publishes(8080, "other", nil)}
		}, nil},
		{"a port of another container", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.containers = []container.Summary{publishes(443, "other", nil)}
		}, []string{`tarot:nginx.httpsPort: "443" is published by the container other; allowed: a free port`}},
		{"a port of another stack's service", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			labels := map[string]string{StackLabel: "tarot-prod", swarmService: "tarot-prod-nginx"}
			f.containers = []container.Summary{publishes(80, "nginx.1.abc", labels)}
		}, []string{`tarot:nginx.httpPort: "80" is published by the container tarot-prod-nginx; allowed: a free port`}},
		{"a port of a container without a name", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			c := publishes(80, "", nil)
			c.Names = nil
			f.containers = []container.Summary{c}
		}, []string{`tarot:nginx.httpPort: "80" is published by the container 0123456789ab; allowed: a free port`}},
		{"a port of another process", func(e *Engine, _ *fakeAPI, c *config.Config) {
			e.Address, c.Nginx.HTTPPort, c.Nginx.HTTPSPort, c.Nginx.Address = "unix:///x", port, freePort(t), "127.0.0.1"
		}, []string{fmt.Sprintf(`tarot:nginx.httpPort: "%d" is taken by another process on this machine; allowed: a free port`, port)}},
		{"a port of a process here, for an engine elsewhere", func(_ *Engine, _ *fakeAPI, c *config.Config) {
			c.Nginx.HTTPPort, c.Nginx.Address = port, "127.0.0.1"
		}, nil},

		{"an address of another machine, for a port that the stack has", func(e *Engine, f *fakeAPI, c *config.Config) {
			e.Address, c.Nginx.HTTPPort, c.Nginx.HTTPSPort, c.Nginx.Address = "unix:///x", 80, 443, "192.0.2.1" // RFC 5737
			f.containers = []container.Summary{publishes(80, "tarot-dev-nginx-1", own), publishes(443, "tarot-dev-nginx-1", own)}
		}, []string{`tarot:nginx.address: "192.0.2.1" is no address of this machine; allowed: one that it has`}},
		{"an address of another machine, for an engine there", func(_ *Engine, _ *fakeAPI, c *config.Config) { c.Nginx.Address = "192.0.2.1" }, nil},

		{"networks of the stack itself", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.networks = []network.Summary{pool("tarot-dev-edge", "10.213.0.0/24", own), pool("tarot-dev-backend", "10.213.1.0/24", own)}
		}, nil},
		{"other networks", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.networks = []network.Summary{pool("bridge", "172.17.0.0/16", nil), pool("host", "", nil), pool("six", "fd00::/64", nil)}
		}, nil},
		{"a network around", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.networks = []network.Summary{pool("other", "10.213.1.0/20", nil)}
		}, []string{
			`tarot:networks.backendSubnet: "10.213.1.0/24" overlaps with 10.213.1.0/20` + ofOther,
			`tarot:networks.edgeSubnet: "10.213.0.0/24" overlaps with 10.213.1.0/20` + ofOther}},
		{"a network inside", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.networks = []network.Summary{pool("other", "10.213.1.128/25", map[string]string{StackLabel: "tarot-prod"})}
		}, []string{`tarot:networks.backendSubnet: "10.213.1.0/24" overlaps with 10.213.1.128/25` + ofOther}},
		{"an edge network that is not made", func(_ *Engine, f *fakeAPI, c *config.Config) {
			f.networks, c.Networks.Isolated = []network.Summary{pool("other", "10.213.0.0/24", nil)}, false
		}, nil},

		{"more cores than there are", func(_ *Engine, _ *fakeAPI, c *config.Config) { c.Backend.CPUs, c.Nginx.CPUs = 2.5, 8 }, []string{
			`tarot:backend.cpus: "2.5" is more than the engine has; allowed: 0.01 to 2`,
			`tarot:nginx.cpus: "8" is more than the engine has; allowed: 0.01 to 2`}},
		{"all cores", func(_ *Engine, _ *fakeAPI, c *config.Config) { c.Backend.CPUs = 2 }, nil},
		{"cores of a workload that is off", func(_ *Engine, _ *fakeAPI, c *config.Config) { c.Nginx.CPUs, c.Nginx.Enabled = 8, false }, nil},
		{"more cores than there are, with swarm", func(e *Engine, _ *fakeAPI, c *config.Config) {
			e.Info.Swarm, c.Runtime, c.Backend.CPUs = manager, "swarm", 8
		}, nil},
		{"swarm without a swarm", func(_ *Engine, _ *fakeAPI, c *config.Config) { c.Runtime = "swarm" }, []string{
			`tarot:runtime: "swarm" needs a Swarm manager, and the engine at tcp://10.0.0.5:2376 is in no swarm (); ` +
				"allowed: containers, or `docker swarm init` first (`make prod` offers it)"}},
		{"no answer", func(_ *Engine, f *fakeAPI, _ *config.Config) { f.failure = errors.New("gone") }, []string{
			"docker engine at tcp://10.0.0.5:2376: list containers: gone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{}
			e := &Engine{Address: "tcp://10.0.0.5:2376", Info: system.Info{NCPU: 2}, api: api}
			cfg := config.Defaults()
			test.change(e, api, &cfg)
			var got []string
			if err := e.Preflight(t.Context(), cfg, mine); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
