package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
)

func template(changes ...func(*swarm.TaskSpec)) swarm.TaskSpec {
	spec := swarm.TaskSpec{
		ContainerSpec: &swarm.ContainerSpec{
			Image: wanted, Labels: map[string]string{"tarot.workload": "backend"}, Command: []string{"/bin/sh"},
			Configs: []*swarm.ConfigReference{{ConfigID: "c1"}, {ConfigID: "c2"}},
			Secrets: []*swarm.SecretReference{{SecretID: "s1"}, {SecretID: "s2"}},
		},
		Networks: []swarm.NetworkAttachmentConfig{{Target: "n1", Aliases: []string{"backend"}}, {Target: "n2"}},
	}
	for _, change := range changes {
		change(&spec)
	}
	return spec
}

func TestDifference(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*swarm.TaskSpec)
		want   string
	}{
		{"none", func(*swarm.TaskSpec) {}, ""},
		{"the number of forced updates", func(s *swarm.TaskSpec) { s.ForceUpdate = 9 }, ""},
		{"the kind of task", func(s *swarm.TaskSpec) { s.Runtime = swarm.RuntimeContainer }, ""},
		{"labels", func(s *swarm.TaskSpec) { s.ContainerSpec.Labels = nil }, ""},
		{"aliases", func(s *swarm.TaskSpec) { s.Networks[0].Aliases = []string{"candidate"} }, ""},
		{"order of networks", func(s *swarm.TaskSpec) { s.Networks[0], s.Networks[1] = s.Networks[1], s.Networks[0] }, ""},
		{"order of configs and secrets", func(s *swarm.TaskSpec) {
			c := s.ContainerSpec
			c.Configs[0], c.Configs[1], c.Secrets[0], c.Secrets[1] = c.Configs[1], c.Configs[0], c.Secrets[1], c.Secrets[0]
		}, ""},
		{"image", func(s *swarm.TaskSpec) { s.ContainerSpec.Image = "app:3" }, "ContainerSpec.Image"},
		{"config", func(s *swarm.TaskSpec) { s.ContainerSpec.Configs[1].ConfigID = "c3" }, "ContainerSpec.Configs"},
		{"secret", func(s *swarm.TaskSpec) { s.ContainerSpec.Secrets[1].SecretID = "s3" }, "ContainerSpec.Secrets"},
		{"command", func(s *swarm.TaskSpec) { s.ContainerSpec.Command = nil }, "ContainerSpec.Command"},
		{"network", func(s *swarm.TaskSpec) { s.Networks[1].Target = "n3" }, "Networks"},
		{"limits", func(s *swarm.TaskSpec) { s.Resources = &swarm.ResourceRequirements{} }, "Resources"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := difference(template(), template(test.change)); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestCompareServices(t *testing.T) {
	of := func(image string) moment { return moment{service: service(image, "")} }
	for _, test := range []struct {
		name string
		api  *fakeAPI
		want Comparison
	}{
		{"the first deploy", &fakeAPI{failure: errdefs.ErrNotFound}, Comparison{Missing: true}},
		{"the same", &fakeAPI{service: []moment{of(wanted)}}, Comparison{}},
		{"another image", &fakeAPI{service: []moment{of("app:1"), of(wanted)}}, Comparison{Difference: "ContainerSpec.Image"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := (&Engine{api: test.api}).CompareServices(t.Context(), "a", "b"); err != nil || got != test.want {
				t.Errorf("%+v, %v, want %+v", got, err, test.want)
			}
		})
	}
	if _, err := (&Engine{api: &fakeAPI{failure: errors.New("it is gone")}}).CompareServices(t.Context(), "a", "b"); err == nil {
		t.Error("an engine that does not answer has no services")
	}
}

// A failed update has to be declared as another one each time, and a good one
// as the same.
func TestServiceForce(t *testing.T) {
	at := func(state swarm.UpdateState, when int64) int {
		t.Helper()
		s := service(wanted, state)
		s.Spec.TaskTemplate.ForceUpdate = 5
		if s.UpdateStatus != nil {
			started := time.Unix(when, 0)
			s.UpdateStatus.StartedAt = &started
		}
		got, err := (&Engine{api: &fakeAPI{service: []moment{{s, nil}}}}).ServiceForce(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, state := range []swarm.UpdateState{"", swarm.UpdateStateCompleted, swarm.UpdateStateUpdating} {
		if got := at(state, 1); got != 5 {
			t.Errorf("%q: %d", state, got)
		}
	}
	gone := scaledTo(0)
	gone.Spec.TaskTemplate.ForceUpdate = 5
	if got, err := (&Engine{api: &fakeAPI{service: []moment{{gone, nil}}}}).ServiceForce(t.Context(), "x"); got != 6 || err != nil {
		t.Errorf("given up: %d, %v", got, err)
	}
	seen := map[int]swarm.UpdateState{5: "no failure"}
	for _, state := range []swarm.UpdateState{swarm.UpdateStatePaused, swarm.UpdateStateRollbackStarted, swarm.UpdateStateRollbackPaused, swarm.UpdateStateRollbackCompleted} {
		got := at(state, 1)
		if other, ok := seen[got]; ok || got < 0 {
			t.Errorf("%s: %d, as %s", state, got, other)
		}
		seen[got] = state
	}
	if at(swarm.UpdateStateRollbackCompleted, 1) == at(swarm.UpdateStateRollbackCompleted, 2) {
		t.Error("the second failure is declared as the first")
	}
}

func TestScaleService(t *testing.T) {
	scaled := func(replicas, version uint64) moment {
		s := swarm.Service{ID: "id", Spec: swarm.ServiceSpec{Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}}}}
		s.Version.Index = version
		return moment{service: s}
	}
	for _, test := range []struct {
		name    string
		moments []moment
		want    string
	}{
		{"there already", []moment{scaled(1, 1)}, ""},
		{"another number", []moment{scaled(0, 1), scaled(1, 2)}, "scale id to 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{service: test.moments}
			if err := (&Engine{api: api}).ScaleService(t.Context(), "x", 1); err != nil || strings.Join(api.done, ",") != test.want {
				t.Errorf("%v, %v", api.done, err)
			}
		})
	}
}

// What has been there before an update goes on, whatever becomes of it.
func TestOnlyAFirstDeployIsGivenUp(t *testing.T) {
	before := func(replicas *uint64) *swarm.ServiceSpec {
		return &swarm.ServiceSpec{Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: replicas}}}
	}
	none, some := uint64(0), uint64(2)
	for name, test := range map[string]struct {
		before *swarm.ServiceSpec
		want   string
	}{
		"the first":                      {nil, "scale id to 0"},
		"after one that was given up":    {before(&none), "scale id to 0"},
		"after one that ran":             {before(&some), ""},
		"after one that runs everywhere": {&swarm.ServiceSpec{}, ""},
	} {
		now, later := scaledTo(2), scaledTo(0)
		now.ID, now.PreviousSpec, later.Version.Index = "id", test.before, 2
		// Asked for what was before, for how many there are, and for the change.
		api := &fakeAPI{service: []moment{{now, nil}, {now, nil}, {later, nil}}}
		if err := (&Engine{api: api}).GiveUpService(t.Context(), "x"); err != nil || strings.Join(api.done, ",") != test.want {
			t.Errorf("%s: %v, %v", name, api.done, err)
		}
	}
}
