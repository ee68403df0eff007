package components

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// elsewhere is a third runtime, of something that is no Docker: it declares nothing, and
// writes down what it is given. That it compiles, and that all stacks are deployed by it, is
// what keeps a real one possible.
type elsewhere struct {
	mu       sync.Mutex
	declared []string
	services map[string]workload.Workload
}

var _ runtime.Runtime = (*elsewhere)(nil)

func (e *elsewhere) note(kind, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.declared = append(e.declared, kind+" "+name)
}

func (e *elsewhere) Network(_ *pulumi.Context, n runtime.Network, _ pulumi.Resource) (*workload.Network, error) {
	e.note("network", n.Name)
	return &workload.Network{Name: n.Name, ID: pulumi.String(n.Name).ToStringOutput(), Internal: n.Internal}, nil
}

func (e *elsewhere) Volume(_ *pulumi.Context, v runtime.Volume, _ pulumi.Resource) (pulumi.StringInput, error) {
	e.note("volume", v.Resource)
	return pulumi.String(v.Name), nil
}

func (e *elsewhere) Image(_ *pulumi.Context, i runtime.ImageArgs, _ pulumi.Resource) (*runtime.Image, error) {
	e.note("image", i.Reference)
	words := pulumi.ToStringArray([]string{"/start"}).ToStringArrayOutput()
	return &runtime.Image{Image: workload.Image{Reference: i.Reference, Start: words, Health: words, Environment: words},
		StandIn: pulumi.String("").ToStringOutput(), ID: pulumi.String("id").ToStringOutput()}, nil
}

func (e *elsewhere) WriteBuildSecrets(map[string]string) (func() error, error) {
	return func() error { return nil }, nil
}

func (e *elsewhere) Job(_ *pulumi.Context, j runtime.Job, _ pulumi.Resource) (*runtime.JobRun, error) {
	return &runtime.JobRun{Await: func() error { e.note("job", j.Name); return nil }}, nil
}

func (e *elsewhere) Record(_ *pulumi.Context, r runtime.Record, _ pulumi.Resource) error {
	e.note("record", r.Name)
	return nil
}

func (e *elsewhere) Service(_ *pulumi.Context, w workload.Workload, _ runtime.Rollout, _ pulumi.Resource) (runtime.Service, error) {
	return started{e, w}, w.Validate()
}

func (e *elsewhere) Summary(*pulumi.Context) (string, error)    { return "nothing restarts", nil }
func (e *elsewhere) Declared(*pulumi.Context) ([]string, error) { return nil, nil }
func (e *elsewhere) JobRuns() pulumi.StringMap                  { return nil }

type started struct {
	*elsewhere
	workload workload.Workload
}

func (s started) Verify(*pulumi.Context) (bool, error) { return false, nil }

func (s started) Start(*pulumi.Context, []pulumi.Resource) (*runtime.Running, error) {
	s.note("service", s.workload.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services[s.workload.Name] = s.workload
	here := pulumi.ToStringArray([]string{s.workload.Name})
	return &runtime.Running{Names: here, Hosts: here, Reached: func(context.Context) ([]string, error) { return []string{s.workload.Name}, nil }}, nil
}

func TestAnotherRuntimeDeploysEveryStack(t *testing.T) {
	for name := range stacks {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			cfg := stack(t, name)
			there := &elsewhere{services: map[string]workload.Workload{}}
			r := deploy(cfg, &recorder{runtime: there}, &fakeEngine{})
			if r.err != nil {
				t.Fatal(r.err)
			}
			for _, x := range r.all {
				if strings.HasPrefix(x.Type, "docker:") {
					t.Errorf("%s %s is Docker's", x.Type, x.Name)
				}
			}
			all, err := part.Collect(parts.All, contextOf(t, cfg))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range all {
				for _, s := range d.Services {
					w, runs := there.services[s.Name]
					if !runs || w.Replicas != s.Replicas || len(w.Mounts) != len(s.Mounts) || len(w.Secrets) != len(s.Secrets) || len(w.Files) != len(s.Files) {
						t.Errorf("%s runs: %v, as %+v", s.Name, runs, w)
					}
				}
				for _, j := range d.Jobs {
					if !slices.Contains(there.declared, "job "+j.Name) {
						t.Errorf("the job %s has not run", j.Name)
					}
				}
			}
		})
	}
}

// cache is a part that nobody but this test knows.
type cache struct{}

func (cache) Name() string { return "cache" }

func (cache) Spec(c part.Context) (part.Spec, error) {
	return part.Spec{
		Component: "cache",
		Services: []part.Service{{
			Program: workload.Program{Name: "cache", Replicas: 1, User: "999:999", StopGrace: 5e9, Exclusive: true, Logging: c.Log("cache"),
				Limits: workload.Limits{CPUs: 0.5, Memory: 64 << 20, Key: "cache"}, Health: workload.Health{Test: []string{"CMD", "ping"}, Interval: 1e9, Timeout: 1e9, Retries: 1}},
			Image: "cache", Networks: []string{part.Inner}, Job: "cache",
			Mounts: []part.Mount{{Kind: workload.Tmpfs, Target: "/tmp"}, {Kind: workload.Volume, Source: "cache", Target: "/data"}},
		}},
		Volumes:     []part.Volume{{Name: "cache", Resource: "cache-data", Engine: c.Stack + "-cache", Data: true}},
		Secrets:     []part.Secret{{Name: "cachePassword", Length: 24, Rotates: "cachePassword"}},
		Scrapes:     []prometheus.Job{prometheus.Static("cache", "cache:9121", "")},
		Alerts:      []prometheus.Group{{Name: "cache", YAML: "  - name: cache\n    rules: []\n"}},
		Dashboards:  map[string]string{"cache.json": "{}"},
		Images:      []part.Image{{Name: "cache", Reference: "cache:1", SetUp: "cache:1"}},
		Application: []part.Variable{{Name: "CACHE_URL", Secret: "cachePassword", Make: func(password string) (string, error) { return "redis://:" + password + "@cache", nil }}},
	}, nil
}

// All that has to know a part follows from its description.
func TestAPartMoreIsALineInTheList(t *testing.T) {
	before := parts.All
	t.Cleanup(func() { parts.All = before })
	parts.All = append(slices.Clone(before), cache{})
	inProject(t)
	r := succeed(t, stack(t, "prod as containers", watched, func(c *config.Config) { c.Backend.Replicas = 1 }), up)
	cached := r.get(t, "Container", "tarot-test-cache-1")
	if !strings.HasSuffix(cached.RPC.GetParent(), "tarot:index:Cache::cache") || !cached.RPC.GetDeleteBeforeReplace() {
		t.Errorf("%v", cached.RPC)
	}
	if v := r.get(t, "Volume", "cache-data"); v.at("name") != "tarot-test-cache" || !v.RPC.GetRetainOnDelete() {
		t.Errorf("%v", v.RPC)
	}
	if got := r.get(t, "RandomPassword", "credentials-cache-password").at("length"); got != 24.0 {
		t.Errorf("its password has %v letters", got)
	}
	if envs := r.get(t, "Container", "tarot-test-backend-1").list("envs"); !slices.Contains(envs, any("CACHE_URL_FILE=/run/secrets/cache_url")) {
		t.Errorf("the application does not get it: %v", envs)
	}
	found := false
	for _, upload := range r.get(t, "Container", "tarot-test-backend-files").list("uploads") {
		content, isSealed := at(upload, "content").(sealed)
		found = found || isSealed && content.value == "redis://:"+generated("credentials-cache-password")+"@cache"
	}
	if !found {
		t.Error("its address is no secret file")
	}
	var rules, asked string
	for _, upload := range r.get(t, "Container", "tarot-test-prometheus-files").list("uploads") {
		switch content, _ := at(upload, "content").(string); at(upload, "file") {
		case "/run/config/rules.yml":
			rules = content
		case "/run/config/prometheus.yml":
			asked = content
		}
	}
	if !strings.HasSuffix(rules, "\n\n  - name: cache\n    rules: []\n") || !strings.Contains(asked, `targets: ["cache:9121"]`) {
		t.Errorf("Prometheus does not know it: %.200s", rules)
	}
	if shown := r.get(t, "Container", "tarot-test-grafana-files").list("uploads"); !slices.ContainsFunc(shown, func(u any) bool { return at(u, "file") == "/run/config/cache.json" }) {
		t.Error("Grafana does not show it")
	}
	if said := r.engine.asked; slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "container tarot-test-cache-1") }) >
		slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "container tarot-test-backend-1") }) {
		t.Errorf("the application starts before it: %v", said)
	}
	if needs := fmt.Sprint(r.engine.needs.Limits); !strings.Contains(needs, "cache 1 0.5 cache.cpus 67108864") {
		t.Errorf("before the deploy, nobody looks whether there is room for it: %s", needs)
	}
	if services, _ := r.outputs["services"].Value.(map[string]any); services["cache"] == nil {
		t.Errorf("status does not know it: %v", services)
	}
}
