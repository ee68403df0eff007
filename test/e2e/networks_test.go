//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"golang.org/x/sync/errgroup"
)

// onNetworks is what the parts declare (components/*/, docs/security.md), with all of them and nothing
// that goes out but the edge. Only the edge has a way out.
var onNetworks = map[string]string{
	"nginx":                    "edge backend",
	"backend":                  "backend",
	"postgres":                 "backend",
	"postgres-pooler":          "backend",
	"postgres-exporter":        "monitoring", // it asks by a socket
	"postgres-pooler-exporter": "backend monitoring",
	"valkey":                   "backend",
	"valkey-exporter":          "backend monitoring",
	"backup-replicator":        "backend",
	"cron-backup-files":        "backend",
	"cron-backup-rehearsal":    "backend",
	"cron-postgres-archive":    "backend",
	"cron-postgres-dump":       "backend",
	"cron-valkey-copy":         "backend",
	"backup-rehearsal":         "", // restored data of a release run here
	"rehearsal-postgres":       "",
	"rehearsal-valkey":         "",
	"prometheus":               "backend monitoring",
	"blackbox":                 "backend monitoring",
	"alertmanager":             "edge monitoring",
	"grafana":                  "edge monitoring",
	"cadvisor":                 "monitoring",
	"node-exporter":            "monitoring",
}

// asks are the pairs that the stack lives by: a check that finds nobody reached finds no leak either.
var asks = map[string]string{
	"nginx":                    "backend:8000 grafana:3000",
	"backend":                  "postgres-pooler:6432 valkey:6379",
	"postgres-pooler":          "postgres:5432",
	"postgres-pooler-exporter": "postgres-pooler:6432",
	"valkey-exporter":          "valkey:6379",
	"prometheus":               "backend:8000 alertmanager:9093 cadvisor:8080 node-exporter:9100 postgres-exporter:9187",
	"grafana":                  "prometheus:9090",
}

// Each container of all parts tries each other one, the internet, the host, and where clouds keep
// credentials.
//
//suite:thorough
func TestWhoReachesWhomOnContainers(t *testing.T) { whoReachesWhom(t, "containers") }

//suite:thorough
func TestWhoReachesWhomOnSwarm(t *testing.T) { whoReachesWhom(t, "swarm") }

// One after the other: there is one 169.254.169.254.
func whoReachesWhom(t *testing.T, runtime string) {
	s := fullStack(t, runtime)
	s.up()
	outside(t)
	hosts, err := net.Listen("tcp4", ":0") // as sshd does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hosts.Close() }()
	n := s.neighbourhood(uint16(hosts.Addr().(*net.TCPAddr).Port))
	n.open = runtime == "containers"
	if wrong := n.wrong(t, onNetworks); len(wrong) > 0 {
		t.Errorf("%d of %d:\n%s", len(wrong), n.tried, strings.Join(wrong, "\n"))
	}
	t.Logf("%d containers, %d connections tried, %d reached as they should be; the host from networks without a way out: %v",
		len(n.containers), n.tried, n.reached, n.toHost)

	// Somebody who watches, and who was attached to the backend's network as well.
	weak := dockerLine(t, "run", "--detach", "--label", "tarot.stack="+s.prefix(), "--label", "tarot.workload=weak", "--network", s.prefix()+"-monitoring",
		"--entrypoint", "sleep", s.containers("backend")[s.one("backend")].Config.Image, "600")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", weak).Run() })
	said := map[string]string{"weak": "monitoring"}
	for workload, networks := range onNetworks {
		said[workload] = networks
	}
	n = n.again(s)
	if wrong := n.wrong(t, said); len(wrong) > 0 {
		t.Errorf("who is on one network:\n%s", strings.Join(wrong, "\n"))
	}
	s.docker("network", "connect", s.prefix()+"-backend", weak)
	s.docker("network", "connect", s.prefix()+"-edge", weak)
	n = n.again(s)
	wrong := strings.Join(n.wrong(t, said), "\n")
	for _, leak := range []string{"weak reaches postgres:5432", "weak reaches valkey:6379", "weak reaches the internet", "weak reaches " + metadata.String()} {
		if !strings.Contains(wrong, leak) {
			t.Errorf("attached by hand to the backend's network, and to one with a way out, and nothing says %q:\n%s", leak, wrong)
		}
	}

	s.docker("rm", "--force", weak)
	n = n.again(s)
	n.close(t)
	if wrong := n.wrong(t, onNetworks); len(wrong) > 0 {
		t.Errorf("with the rules of docs/security.md:\n%s", strings.Join(wrong, "\n"))
	}
}

// fullStack is one with all parts.
func fullStack(t *testing.T, runtime string) *stack {
	return prodStack(t, map[string]any{
		"runtime": runtime, "backend.replicas": 1, "backend.workers": 1, "monitoring.enabled": true, "backup.enabled": true,
		"database.kind": "postgres", "database.memory": "512m", "database.pooler.enabled": true, "cache.enabled": true, "cache.profile": "queue",
	})
}

// resident is a container that runs.
type resident struct {
	workload string
	inside   string // its network namespace
	listens  []netip.AddrPort
}

// neighbourhood is who runs, and where the stack's networks and the machine are.
type neighbourhood struct {
	containers []resident
	networks   map[string]netip.Prefix // by what follows the prefix
	host       []netip.Addr
	port       uint16 // that the host listens at, on all its addresses

	// open is true where networks without a way out have the host on them: bridges do, as docs/security.md says.
	open bool
	// closed is true where nobody is to reach the address where clouds keep credentials.
	closed bool

	tried, reached int
	toHost         []string // who reaches the host so
}

// close is the rules of docs/security.md, for the time of the test.
func (n *neighbourhood) close(t *testing.T) {
	t.Helper()
	add := func(rule ...string) {
		t.Helper()
		run := func(do string) {
			if said, err := exec.Command("iptables", append([]string{do}, rule...)...).CombinedOutput(); err != nil {
				t.Errorf("iptables %s %s: %v\n%s", do, strings.Join(rule, " "), err, said)
			}
		}
		run("-I")
		t.Cleanup(func() { run("-D") })
	}
	add("DOCKER-USER", "-d", metadata.Addr().String(), "-j", "DROP")
	if n.open {
		add("INPUT", "-s", n.networks["backend"].String()+","+n.networks["monitoring"].String(), "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")
	}
	n.open, n.closed = false, true
}

// again is who runs now.
func (n *neighbourhood) again(s *stack) *neighbourhood {
	s.t.Helper()
	now := s.neighbourhood(n.port)
	now.open = n.open
	return now
}

func (s *stack) neighbourhood(port uint16) *neighbourhood {
	t := s.t
	t.Helper()
	docker, ctx := api(t), context.Background()
	n := &neighbourhood{networks: map[string]netip.Prefix{}, port: port}
	for _, name := range []string{"edge", "backend", "monitoring"} {
		found, err := docker.NetworkInspect(ctx, s.prefix()+"-"+name, network.InspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n.networks[name] = netip.MustParsePrefix(found.IPAM.Config[0].Subnet)
	}
	rulers := map[string]bool{} // whoever asks the engine can do anything
	var err error
	if n.host, err = addresses(); err != nil {
		t.Fatal(err)
	}
	list, err := docker.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "tarot.stack="+s.prefix()))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		inspected, err := docker.ContainerInspect(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		r := resident{workload: c.Labels["tarot.workload"], inside: namespaceOf(inspected.State.Pid)}
		var own []netip.Addr
		if err := inNamespace(r.inside, func() (err error) { own, err = addresses(); return err }); err != nil {
			t.Fatalf("%s: %v", r.workload, err)
		}
		if r.listens, err = listens(r.inside, own); err != nil {
			t.Fatalf("%s: %v", r.workload, err)
		}
		n.containers = append(n.containers, r)
		for _, m := range inspected.Mounts {
			if engineSocket(m.Source) {
				rulers[r.workload] = true
			}
		}
	}
	if len(rulers) != 1 || !rulers["cadvisor"] {
		t.Errorf("the engine's socket: %v have it, and cadvisor alone should", slices.Sorted(maps.Keys(rulers)))
	}
	return n
}

// engineSocket is true for a folder or file of the host that is, or holds, a socket that rules the machine.
func engineSocket(source string) bool {
	if source == "" { // a secret of Swarm's
		return false
	}
	for _, socket := range []string{"/run/docker.sock", "/run/containerd/containerd.sock"} {
		for _, path := range []string{socket, "/var" + socket} {
			if source == "/" || source == path || strings.HasPrefix(path, source+"/") {
				return true
			}
		}
	}
	return false
}

// wrong is who reaches whom without sharing a network that both have declared, and who does not
// although they do.
func (n *neighbourhood) wrong(t *testing.T, declared map[string]string) (wrong []string) {
	t.Helper()
	on := func(workload, name string) bool { return slices.Contains(strings.Fields(declared[workload]), name) }
	type way struct {
		from, to string // workloads, and with the port
		inside   string // the namespace of to
		expected bool
		host     bool
	}
	reaching := map[string]bool{}
	var all errgroup.Group
	results := make([]map[netip.AddrPort]bool, len(n.containers))
	ways := make([]map[netip.AddrPort]way, len(n.containers))
	for i, from := range n.containers {
		if _, known := declared[from.workload]; !known {
			wrong = append(wrong, from.workload+" runs, and is in no table: which networks does it declare?")
			continue
		}
		ways[i] = map[netip.AddrPort]way{
			internet: {from: from.workload, to: "the internet", inside: beyond, expected: on(from.workload, "edge")},
			metadata: {from: from.workload, to: metadata.String(), inside: beyond, expected: on(from.workload, "edge") && !n.closed},
		}
		for j, to := range n.containers {
			for _, at := range to.listens {
				if i == j {
					continue
				}
				shared := false
				for name, subnet := range n.networks {
					shared = shared || subnet.Contains(at.Addr()) && on(from.workload, name) && on(to.workload, name)
				}
				ways[i][at] = way{from: from.workload, to: fmt.Sprintf("%s:%d", to.workload, at.Port()), inside: to.inside, expected: shared}
			}
		}
		for _, a := range n.host {
			ways[i][netip.AddrPortFrom(a, n.port)] = way{from: from.workload, to: "the host at " + a.String(), inside: here, expected: on(from.workload, "edge"), host: true}
		}
		all.Go(func() error {
			targets := map[netip.AddrPort]string{}
			for at, w := range ways[i] {
				targets[at] = w.inside
			}
			results[i] = map[netip.AddrPort]bool{}
			for range 3 { // what should be reached may be slow to answer
				if err := inNamespace(from.inside, func() error {
					found, err := connects(targets, 2*time.Second)
					for at, is := range found {
						results[i][at] = results[i][at] || is
					}
					return err
				}); err != nil {
					return fmt.Errorf("%s: %w", from.workload, err)
				}
				maps.DeleteFunc(targets, func(at netip.AddrPort, _ string) bool { return results[i][at] || !ways[i][at].expected })
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	n.tried, n.reached, n.toHost = 0, 0, nil
	for i := range ways {
		for at, w := range ways[i] {
			n.tried++
			is := results[i][at]
			if is {
				reaching[w.from+" "+w.to] = true
			}
			switch {
			case is && w.expected:
				n.reached++
			case is && w.host && n.open:
				n.toHost = append(n.toHost, w.from)
			case is:
				wrong = append(wrong, fmt.Sprintf("%s reaches %s (%s), and shares no network with it that both declare", w.from, w.to, at))
			case w.host && at.Addr() != near: // another stack's gateway, which may have gone
			case w.expected:
				wrong = append(wrong, fmt.Sprintf("%s does not reach %s (%s), and should", w.from, w.to, at))
			}
		}
	}
	for from, whom := range asks {
		for _, to := range strings.Fields(whom) {
			if !reaching[from+" "+to] {
				wrong = append(wrong, from+" has to ask "+to+", and does not reach it")
			}
		}
	}
	slices.Sort(wrong)
	n.toHost = slices.Compact(slices.Sorted(slices.Values(n.toHost)))
	return wrong
}
