package part

import (
	"reflect"
	"testing"

	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func TestWhatTheEngineHasToHaveFollowsFromTheParts(t *testing.T) {
	web := service("web")
	web.Upstream = true
	web.Replicas, web.Limits = 2, workload.Limits{CPUs: 0.5, Memory: 64 << 20, Key: "nginx"}
	web.Ports = []workload.Port{{Address: "127.0.0.1", Host: 80, Container: 8080, Key: "nginx.httpPort", AddressKey: "nginx.address"}}
	cfg := config.Defaults()
	cfg.Runtime, cfg.Networks.Isolated = "swarm", false
	got := Needs(Context{Config: cfg, Stack: "tarot-test"}, []Described{{"web", Spec{Services: []Service{web}}}, {"idle", Spec{}}})
	want := engine.Needs{
		Stack: "tarot-test", Swarm: true, Constraints: []string{"node.role==manager"}, Database: "/app/data/prod.db",
		Ports:   []engine.Port{{Key: "nginx.httpPort", AddressKey: "nginx.address", Address: "127.0.0.1", Number: 80}},
		Subnets: []engine.Subnet{{Key: "networks.backendSubnet", Addresses: cfg.Networks.BackendSubnet}},
		Limits:  []engine.Limits{{Workload: "web", Replicas: 2, CPUs: 0.5, CPUsKey: "nginx.cpus", Memory: 64 << 20}},
		Names:   engine.Names{Networks: []string{"backend"}, Services: []string{"web", "web-candidate"}, Containers: []string{"web-1"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	cfg.Networks.Isolated, cfg.Monitoring.Enabled = true, true
	for i, want := range []string{Inner, Edge, Watch} {
		if n := Networks(cfg)[i]; n.Name != want || n.Internal != (want != Edge) {
			t.Errorf("%+v, want %s", n, want)
		}
	}
}

// In Swarm a replica is exchanged after the other; of plain containers all new ones serve before an old one goes. What
// can't run twice is never there twice.
func TestHowManyRunBesideTheOldOnesWhileAReleaseGoesOut(t *testing.T) {
	for _, test := range []struct {
		runtime string
		change  func(*Service)
		want    int
	}{
		{"containers", func(*Service) {}, 3},
		{"swarm", func(*Service) {}, 1},
		{"containers", func(s *Service) { s.Exclusive = true }, 0},
		{"swarm", func(s *Service) { s.Ports = []workload.Port{{Host: 80}} }, 0},
	} {
		web := service("web")
		web.Replicas = 3
		test.change(&web)
		cfg := config.Defaults()
		cfg.Runtime = test.runtime
		if got := Needs(Context{Config: cfg}, []Described{{"web", Spec{Services: []Service{web}}}}).Limits[0].Beside; got != test.want {
			t.Errorf("%s, %+v: %d, want %d", test.runtime, web.Ports, got, test.want)
		}
	}
}
