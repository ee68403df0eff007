package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-connections/nat"

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

// needs are those of the application and of nginx.
func needs(cfg config.Config) Needs {
	n := Needs{Stack: mine, Swarm: cfg.Runtime == "swarm", Constraints: cfg.Swarm.Constraints,
		Subnets: []Subnet{{"networks.backendSubnet", cfg.Networks.BackendSubnet}}, Limits: []Limits{{CPUs: cfg.Backend.CPUs, CPUsKey: "backend.cpus"}},
		Names: Names{[]string{"backend", "edge"}, []string{"backend", "nginx"}, []string{"backend-1", "nginx-1"}}}
	for _, p := range cfg.Ports() {
		n.Ports = append(n.Ports, Port(p))
	}
	if cfg.Networks.Isolated {
		n.Subnets = append(n.Subnets, Subnet{"networks.edgeSubnet", cfg.Networks.EdgeSubnet})
	}
	n.IPv6 = cfg.Nginx.IPv6
	if cfg.Nginx.Enabled {
		n.Limits = append(n.Limits, Limits{CPUs: cfg.Nginx.CPUs, CPUsKey: "nginx.cpus"})
	}
	return n
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
		}, []string{`tarot:nginx.httpPort: "80" is published by the container tarot-prod-nginx of the stack tarot-prod; allowed: a free port`}},
		{"a port of another stack's container that is stopped", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.containers, f.container = bound(80, "tarot-prod-nginx-1", container.StateExited, map[string]string{StackLabel: "tarot-prod"})
		}, []string{`tarot:nginx.httpPort: "80" is published by the container tarot-prod-nginx-1 of the stack tarot-prod (exited); allowed: a free port`}},
		{"a port of somebody's container that restarts", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.containers, f.container = bound(80, "other", container.StateRestarting, nil)
		}, []string{`tarot:nginx.httpPort: "80" is published by the container other (restarting); allowed: a free port`}},
		{"a port of somebody's container that is stopped", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			f.containers, f.container = bound(80, "other", container.StateExited, nil)
		}, nil},
		{"a port of the stack's own container that restarts, at the moment it has it", func(e *Engine, f *fakeAPI, c *config.Config) {
			e.Address, c.Nginx.HTTPPort, c.Nginx.HTTPSPort, c.Nginx.Address = "unix:///x", port, freePort(t), "127.0.0.1"
			f.containers, f.container = bound(port, "tarot-dev-nginx-1", container.StateRestarting, own)
		}, nil},
		{"the same, of one that has just started", func(e *Engine, f *fakeAPI, c *config.Config) {
			e.Address, c.Nginx.HTTPPort, c.Nginx.HTTPSPort, c.Nginx.Address = "unix:///x", port, freePort(t), "127.0.0.1"
			f.containers, f.container = bound(port, "tarot-dev-nginx-1", container.StateRunning, own)
		}, nil},
		{"a port of the stack's own service, between two tasks", func(e *Engine, f *fakeAPI, c *config.Config) {
			e.Address, c.Nginx.HTTPPort, c.Nginx.HTTPSPort, c.Runtime, e.Info.Swarm = "unix:///x", port, freePort(t), "swarm", manager
			f.services = []swarm.Service{publishing("tarot-dev-nginx", uint32(port), mine)}
		}, nil},
		{"a port of another stack's service without a task", func(e *Engine, f *fakeAPI, c *config.Config) {
			c.Runtime, e.Info.Swarm = "swarm", manager
			f.services = []swarm.Service{publishing("tarot-prod-nginx", 443, "tarot-prod")}
		}, []string{`tarot:nginx.httpsPort: "443" is published by the service tarot-prod-nginx of the stack tarot-prod; allowed: a free port`}},
		{"a port of a container without a name", func(_ *Engine, f *fakeAPI, _ *config.Config) {
			c := publishes(80, "", nil)
			c.Names = nil
			f.containers = []container.Summary{c}
		}, []string{`tarot:nginx.httpPort: "80" is published by the container 0123456789ab; allowed: a free port`}},
		{"a port of another process", func(e *Engine, _ *fakeAPI, c *config.Config) {
			e.Address, c.Nginx.HTTPPort, c.Nginx.HTTPSPort, c.Nginx.Address = "unix:///x", port, freePort(t), "127.0.0.1"
		}, []string{fmt.Sprintf(`tarot:nginx.httpPort: "%d" is taken by another process on this machine, %s (process %d); allowed: a free port`, port, comm(t), os.Getpid())}},
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
		}, []string{`tarot:networks.backendSubnet: "10.213.1.0/24" overlaps with 10.213.1.128/25 of the network other of the stack tarot-prod; allowed: a network that nothing else uses`}},
		{"an edge network that is not made", func(_ *Engine, f *fakeAPI, c *config.Config) {
			f.networks, c.Networks.Isolated = []network.Summary{pool("other", "10.213.0.0/24", nil)}, false
		}, nil},

		{"names that something else has", func(e *Engine, f *fakeAPI, c *config.Config) {
			c.Runtime, e.Info.Swarm = "swarm", manager
			f.networks = []network.Summary{pool("tarot-dev-edge", "10.9.0.0/24", map[string]string{StackLabel: "tarot"}), pool("tarot-dev-2-edge", "10.8.0.0/24", map[string]string{StackLabel: "tarot-dev-2"})}
			f.containers = []container.Summary{{ID: "a", Names: []string{"/tarot-dev-nginx-1"}}, {ID: "b", Names: []string{"/tarot-dev-edge"}}}
			f.services = []swarm.Service{publishing("tarot-dev-backend", 1, "tarot")}
		}, []string{
			"the container tarot-dev-nginx-1 is not of this stack, and has the name that this one needs: remove it, or give this stack another name",
			"the network tarot-dev-edge of the stack tarot is not of this stack, and has the name that this one needs: remove it, or give this stack another name",
			"the service tarot-dev-backend of the stack tarot is not of this stack, and has the name that this one needs: remove it, or give this stack another name"}},

		{"a swarm of several nodes", func(e *Engine, f *fakeAPI, c *config.Config) {
			c.Runtime, e.Info.Swarm, f.nodes = "swarm", manager, []swarm.Node{node("", "one"), node("b", "two")}
		}, []string{`tarot:swarm.constraints: "node.role==manager" lets tasks run on one and two, and the volumes, what runs once and images that are built are on one node: one; allowed: those of this engine alone, such as node.hostname==one`}},

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
		{"IPv6 in a swarm whose way in has none", func(e *Engine, f *fakeAPI, c *config.Config) {
			e.Info.Swarm, c.Runtime, c.Nginx.IPv6 = manager, "swarm", true
			f.networks = []network.Summary{{Name: "docker_gwbridge"}}
		}, []string{"tarot:nginx.ipv6: \"true\" can not be: the engine's network docker_gwbridge has no IPv6; allowed: true where that network is made with it before the node is in a swarm (docs/security.md#ipv6), or false"}},
		{"IPv6 in a swarm", func(e *Engine, f *fakeAPI, c *config.Config) {
			e.Info.Swarm, c.Runtime, c.Nginx.IPv6 = manager, "swarm", true
			f.networks = []network.Summary{{Name: "docker_gwbridge", EnableIPv6: true}}
		}, nil},
		{"no answer", func(_ *Engine, f *fakeAPI, _ *config.Config) { f.failure = errors.New("gone") }, []string{
			"docker engine at tcp://10.0.0.5:2376: list containers: gone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{}
			e := &Engine{Address: "tcp://10.0.0.5:2376", Info: system.Info{NCPU: 2}, api: api}
			cfg := config.Defaults()
			test.change(e, api, &cfg)
			var got []string
			found, err := e.Obstacles(t.Context(), needs(cfg))
			if err := errors.Join(append(found.All(), err)...); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

// bound is a container that has no port at the moment, and was made with one.
func bound(port int, name string, state container.ContainerState, labels map[string]string) ([]container.Summary, []container.InspectResponse) {
	made := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{HostConfig: &container.HostConfig{
		PortBindings: nat.PortMap{"8080/tcp": {{HostIP: "0.0.0.0", HostPort: strconv.Itoa(port)}}}}}}
	return []container.Summary{{ID: "0123456789abcdef", Names: []string{"/" + name}, State: state, Labels: labels}}, []container.InspectResponse{made}
}

func publishing(name string, port uint32, stack string) swarm.Service {
	s := swarm.Service{Endpoint: swarm.Endpoint{Spec: swarm.EndpointSpec{Ports: []swarm.PortConfig{{PublishedPort: port}}}}}
	s.Spec.Name, s.Spec.Labels = name, map[string]string{StackLabel: stack}
	return s
}

// comm is this process as others see it.
func comm(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
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
