package components

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/alertmanager"
	"tarot-platform/internal/config"
)

// watchers are the workloads of the monitoring, and the networks of each.
var watchers = map[string][]string{
	"prometheus": {"backend", "monitoring"}, "alertmanager": {"edge", "monitoring"}, "node-exporter": {"monitoring"},
	"cadvisor": {"monitoring"}, "blackbox": {"backend", "monitoring"}, "grafana": {"edge", "monitoring"},
}

// containersOf are a run's containers by their workload.
func containersOf(r *run) map[string]registration {
	all := map[string]registration{}
	for _, c := range r.find("Container") {
		found := labels(c.list("labels"))
		if name, ok := found["tarot.workload"].(string); ok && found["tarot.attempt"] == nil {
			all[name] = c
		}
	}
	return all
}

func TestWhatWatchesIsReachedByNobodyElse(t *testing.T) {
	inProject(t)
	all := containersOf(succeed(t, stack(t, "prod as containers", watched), up))
	for name, want := range watchers {
		c, there := all[name]
		if !there {
			t.Errorf("there is no %s", name)
			continue
		}
		var networks []string
		for _, n := range c.list("networksAdvanced") {
			networks = append(networks, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(at(n, "name")), "tarot-test-"), "-id"))
		}
		slices.Sort(networks)
		if !slices.Equal(networks, want) {
			t.Errorf("%s is on %v, want %v", name, networks, want)
		}
		if ports := c.list("ports"); len(ports) > 0 {
			t.Errorf("%s publishes %v", name, ports)
		}
	}
	// What would otherwise be reached by all of a host's addresses.
	r := succeed(t, stack(t, "dev", watched), up)
	for name, want := range map[string]string{"prometheus": "127.0.0.1", "grafana": "127.0.0.1"} {
		if got := containersOf(r)[name].at("ports", 0, "ip"); got != want {
			t.Errorf("%s is published on %v, want %s", name, got, want)
		}
	}
	if _, there := containersOf(r)["blackbox"]; there {
		t.Error("there is no nginx, and something asks through it")
	}
}

func TestOnlyOneHasTheEnginesSocketAndIsRootWhereItHasTo(t *testing.T) {
	inProject(t)
	known := deploy(stack(t, "prod as containers", watched), &recorder{}, &fakeEngine{group: 999})
	if got := containersOf(known)["cadvisor"].at("user"); known.err != nil || got != "65534:999" {
		t.Errorf("%v: it runs as %v", known.err, got)
	}
	for name, c := range containersOf(succeed(t, stack(t, "prod as containers", watched), up)) {
		data, err := json.Marshal(c.In["mounts"])
		if err != nil {
			t.Fatal(err)
		}
		if socket := strings.Contains(string(data), "docker.sock"); socket != (name == "cadvisor") {
			t.Errorf("%s has the socket: %v", name, socket)
		}
		if root := strings.HasPrefix(fmt.Sprint(c.at("user")), "0:"); root != (name == "cadvisor") {
			t.Errorf("%s is root: %v", name, root)
		}
		if strings.Contains(string(data), `"readOnly":false,"source":"/`) {
			t.Errorf("%s may write to the host: %s", name, data)
		}
	}
}

// containerd's socket belongs to a group of its own, or to root's.
func TestCadvisorMaySeeContainerdsStore(t *testing.T) {
	inProject(t)
	for _, test := range []struct {
		engine          int // the group of its socket
		containerd      string
		containerdGroup int
		user            string
		group           any
	}{
		{999, "/run/c.sock", 998, "65534:999", "998"},
		{999, "/run/c.sock", 0, "65534:999", "0"},
		{0, "/run/c.sock", 0, "0:0", "0"},
		{999, "", 0, "65534:999", nil},
	} {
		for name, of := range map[string]func(*run) (user, group any, mounts any){
			"prod": func(r *run) (any, any, any) {
				spec := func(path ...any) any {
					return at(r.get(t, "Service", "tarot-test-cadvisor").at("taskSpec", "containerSpec"), path...)
				}
				return spec("user"), spec("groups", 0), spec("mounts")
			},
			"prod as containers": func(r *run) (any, any, any) {
				c := containersOf(r)["cadvisor"]
				return c.at("user"), c.at("groupAdds", 0), c.at("mounts")
			},
		} {
			r := deploy(stack(t, name, watched), &recorder{}, &fakeEngine{group: test.engine, containerd: test.containerd, containerdGroup: test.containerdGroup})
			if r.err != nil {
				t.Fatal(r.err)
			}
			user, group, mounts := of(r)
			if user != test.user || group != test.group {
				t.Errorf("%s: it runs as %v, and in the group %v; want %v and %v", name, user, group, test.user, test.group)
			}
			if said := fmt.Sprint(mounts); strings.Contains(said, "source:/run/c.sock target:/run/containerd/containerd.sock") != (test.containerd != "") {
				t.Errorf("%s: it mounts %v", name, said)
			}
		}
	}
}

// A lock, or a file that only one process may have.
func TestWhatOwnsItsDataNeverRunsTwice(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", watched), up)
	for _, name := range []string{"prometheus", "alertmanager", "grafana"} {
		if got := r.get(t, "Service", "tarot-test-"+name).at("updateConfig", "order"); got != "stop-first" {
			t.Errorf("%s: %v", name, got)
		}
		if volume := r.get(t, "Volume", "monitoring-"+name); !volume.RPC.GetRetainOnDelete() || volume.at("name") != "tarot-test-"+name {
			t.Errorf("%s: its volume is %v, and kept: %v", name, volume.at("name"), volume.RPC.GetRetainOnDelete())
		}
	}
	all := containersOf(succeed(t, stack(t, "prod as containers", watched), up))
	for name, c := range all {
		alone := slices.Contains([]string{"prometheus", "alertmanager", "grafana", "nginx"}, name)
		if c.RPC.GetDeleteBeforeReplace() != alone {
			t.Errorf("%s is stopped before the next one starts: %v", name, !alone)
		}
	}
}

// A release, or another number of replicas, is told by a file: nothing that
// watches restarts for it.
func TestAReleaseRestartsNothingThatWatches(t *testing.T) {
	inProject(t)
	before := succeed(t, stack(t, "prod", watched), up)
	after := succeed(t, stack(t, "prod", watched, func(c *config.Config) { c.Backend.Replicas, c.Backend.LogLevel = 7, "debug" }), up)
	for name := range watchers {
		one, other := before.get(t, "Service", "tarot-test-"+name), after.get(t, "Service", "tarot-test-"+name)
		if !maps.EqualFunc(one.In, other.In, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%s differs", name)
		}
	}
	facts := fmt.Sprint(after.get(t, "Container", "tarot-test-monitoring-facts").list("entrypoints"))
	for _, want := range []string{`platform_replicas_wanted{workload="backend"} 7`, `platform_release_info{release="r`, "platform_maintenance 0"} {
		if !strings.Contains(facts, want) {
			t.Errorf("%s is not told: %s", want, facts)
		}
	}
}

// Whatever replaces containers is told, or an alert would take it for a crash; and no secret is told.
func TestAnUpdateThatChangesSomethingIsTold(t *testing.T) {
	inProject(t)
	facts := func(change func(*config.Config)) (release, made any) {
		t.Helper()
		words := succeed(t, stack(t, "prod", watched, change), up).get(t, "Container", "tarot-test-monitoring-facts").list("entrypoints")
		return words[len(words)-2], words[len(words)-1]
	}
	release, before := facts(func(*config.Config) {})
	for name, change := range map[string]func(*config.Config){
		"an image":    func(c *config.Config) { c.Monitoring.Images.Grafana = "grafana/grafana:0" },
		"memory":      func(c *config.Config) { c.Monitoring.Prometheus.Memory += 1 << 20 },
		"a dashboard": func(c *config.Config) { c.Cache.Enabled = true },
		"a rotation":  func(c *config.Config) { c.SecretVersions.GrafanaPassword++ },
	} {
		if told, made := facts(change); made == before || told != release {
			t.Errorf("%s: %v, %v", name, made, told == release)
		}
	}
	if _, made := facts(func(c *config.Config) { c.Secrets = map[string]string{"grafanaPassword": "a password of mine"} }); made != before {
		t.Error("a secret is in it")
	}
	if _, made := facts(func(*config.Config) {}); made != before {
		t.Error("it is another one though nothing has changed")
	}
}

func TestWhatIsWantedOfServicesIsTold(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", watched, func(c *config.Config) {
		s := config.Service{}.Default().(config.Service)
		s.Command, s.Replicas, s.Health.None = []string{"work"}, 3, true
		c.Services = map[string]config.Service{"worker": s}
	}), up)
	if facts := fmt.Sprint(r.get(t, "Container", "tarot-test-monitoring-facts").list("entrypoints")); !strings.Contains(facts, "platform_replicas_wanted{workload=\"worker\"} 3\n") {
		t.Error(facts)
	}
}

func TestReceiversAreSecretsAndTurnOnByThem(t *testing.T) {
	inProject(t)
	const url = "https://robot.example/send?key=0123456789"
	keys := slices.Sorted(maps.Keys(alertmanager.Receivers))
	for _, name := range []string{"prod", "prod as containers"} {
		silent := succeed(t, stack(t, name, watched), up)
		told := succeed(t, stack(t, name, watched, func(c *config.Config) {
			c.Secrets = map[string]string{}
			for _, key := range keys {
				c.Secrets[key] = url
			}
			c.Monitoring.Alerts.Email = config.Email{To: []string{"ops@example.com"}, From: "stack@example.com", Smarthost: "mail.example.com:587", Username: "stack"}
		}), up)
		for _, x := range told.all {
			for key, value := range x.In {
				if _, hidden := value.(sealed); !hidden && key != "uploads" && strings.Contains(fmt.Sprint(value), url) {
					t.Errorf("%s: %s %s has an address in the clear: %s", name, x.Type, x.Name, key)
				}
			}
		}
		if got, want := len(told.find("Secret"))-len(silent.find("Secret")), len(keys); name == "prod" && got != want {
			t.Errorf("%d receivers have a secret, want %d", got, want)
		}
	}
	all := containersOf(succeed(t, stack(t, "prod as containers", watched, func(c *config.Config) { c.Secrets = map[string]string{"alertFeishuUrl": url} }), up))
	mounted, err := json.Marshal(all["alertmanager"].In["mounts"])
	if err != nil || !strings.Contains(string(mounted), "/run/secrets") {
		t.Errorf("the receiver's address is not mounted: %s", mounted)
	}
}

func TestGrafanaIsFoundWhereTheOutputSays(t *testing.T) {
	inProject(t)
	for name, test := range map[string]struct {
		stack   string
		changes []func(*config.Config)
		url     string
	}{
		"behind nginx":     {"prod", nil, "https://localhost/grafana"},
		"on its port":      {"dev", nil, "http://127.0.0.1:3000"},
		"on another path":  {"prod", []func(*config.Config){func(c *config.Config) { c.Monitoring.Grafana.Path = "/ops/charts" }}, "https://localhost/ops/charts"},
		"without Grafana":  {"prod", []func(*config.Config){func(c *config.Config) { c.Monitoring.Grafana.Enabled = false }}, ""},
		"without anything": {"prod", []func(*config.Config){func(c *config.Config) { c.Monitoring.Enabled = false }}, ""},
	} {
		r := succeed(t, stack(t, test.stack, append([]func(*config.Config){watched}, test.changes...)...), up)
		got := ""
		if out, there := r.outputs["grafanaUrl"]; there {
			got, _ = out.Value.(string)
		}
		if got != test.url {
			t.Errorf("%s: %q, want %q", name, got, test.url)
		}
		if password, there := r.outputs["grafanaPassword"]; there != (test.url != "") || there && !password.Secret {
			t.Errorf("%s: a password: %v, secret: %v", name, there, password.Secret)
		}
	}
}
