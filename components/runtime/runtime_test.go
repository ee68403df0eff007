package runtime

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

func TestNewRefusesAnUnknownRuntime(t *testing.T) {
	for name, want := range map[string]bool{"containers": true, "swarm": true, "": false, "Swarm": false, "kubernetes": false} {
		if _, err := New(name, Stack{}, nil); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A form other than the one that the provider reads back is a change at every
// `up`.
func TestTimesAreWrittenAsTheProviderReadsThemBack(t *testing.T) {
	for duration, want := range map[time.Duration]struct{ service, container string }{
		0:                               {"0s", "0s"},
		2 * time.Second:                 {"2s", "2s"},
		60 * time.Second:                {"1m", "1m0s"},
		90 * time.Second:                {"1m30s", "1m30s"},
		600 * time.Second:               {"10m", "10m0s"},
		3600 * time.Second:              {"1h", "1h0m0s"},
		3660 * time.Second:              {"1h1m", "1h1m0s"},
		3601 * time.Second:              {"1h0m1s", "1h0m1s"},
		20 * time.Hour:                  {"20h", "20h0m0s"},
		1500 * time.Millisecond:         {"1.5s", "1.5s"},
		10*time.Minute + 10*time.Second: {"10m10s", "10m10s"},
		100 * time.Minute:               {"1h40m", "1h40m0s"},
	} {
		if got := serviceTime(duration); got != pulumi.String(want.service) {
			t.Errorf("%s of a service is %v, want %s", duration, got, want.service)
		}
		if got := containerTime(duration); got != pulumi.String(want.container) {
			t.Errorf("%s of a container is %v, want %s", duration, got, want.container)
		}
	}
}

func TestCoresHaveADecimalPlace(t *testing.T) {
	for cores, want := range map[float64]string{1: "1.0", 0.5: "0.5", 2: "2.0", 1.25: "1.25", 0.01: "0.01", 100: "100.0"} {
		if got := decimal(cores); got != want {
			t.Errorf("%v is %s, want %s", cores, got, want)
		}
	}
}

func TestNamesFitTheEngine(t *testing.T) {
	if got := objectName("tarot-prod-backend", "environment"); got != "tarot-prod-backend-environment" {
		t.Error(got)
	}
	service := "tarot-" + strings.Repeat("a", 42)
	if got := objectName(service, "1234567"); got != service+"-1234567" || len(got) != 56 {
		t.Errorf("the longest name: %s", got)
	}
	one, other := objectName(service, "12345678"), objectName(service, "12345679")
	if len(one) > 56 || one == other || one != objectName(service, "12345678") || !strings.HasPrefix(one, "tarot-aaa") {
		t.Errorf("a name that is too long: %s, %s", one, other)
	}
}

func TestTmpfsIsHalfOfTheMemory(t *testing.T) {
	w := workload.Workload{Program: workload.Program{Limits: workload.Limits{Memory: 64 << 20}}, Mounts: []workload.Mount{
		{Kind: workload.Tmpfs, Target: "/tmp"}, {Kind: workload.Volume, Source: pulumi.String("data"), Target: "/data"}}}
	got := tmpfs(w)
	if len(got) != 1 || got["/tmp"] != pulumi.String("mode=1777,nodev,noexec,nosuid,size=33554432") {
		t.Errorf("%v", got)
	}
	if got := tmpfs(workload.Workload{}); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	if got := mounts(w); len(got) != 1 {
		t.Errorf("%d other mounts", len(got))
	}
}

func TestMonitorSeesAHealthCheck(t *testing.T) {
	w := workload.Workload{Program: workload.Program{Health: workload.Health{Interval: 30 * time.Second}}}
	if got := monitor(w); got < w.Health.Interval {
		t.Errorf("%s", got)
	}
}

func TestContainersHaveNamesThatDNSKnows(t *testing.T) {
	if err := fitsDNS(strings.Repeat("a", 55)); err != nil {
		t.Error(err)
	}
	if err := fitsDNS(strings.Repeat("a", 56)); err == nil || !strings.Contains(err.Error(), "56 characters long") {
		t.Errorf("%v", err)
	}
}

// edge is a reverse proxy with these upstreams.
type edge []string

func (e edge) Upstreams(context.Context) ([]string, error) { return e, nil }
func (e edge) Verify(context.Context, string) error        { return nil }

func TestWhoIsNoUpstreamIsUnverified(t *testing.T) {
	for _, test := range []struct {
		name    string
		rollout Rollout
		want    []string
	}{
		{"no edge", Rollout{}, nil},
		{"an edge that does not run yet", Rollout{Edge: edge(nil)}, nil},
		{"all in it", Rollout{Edge: edge{"a", "b", "c"}}, nil},
		{"one not in it", Rollout{Edge: edge{"b"}}, []string{"a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.rollout.unverified(t.Context(), []string{"a", "b"})
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
