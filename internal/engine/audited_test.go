package engine

import (
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
)

func TestWhatRunsGetsALimitOfProcesses(t *testing.T) {
	limited := func(limit *int64) container.InspectResponse {
		c := inspected(wanted, "running", container.Healthy)
		c.HostConfig.PidsLimit = limit
		return c
	}
	own, none := int64(50), int64(0)
	for _, test := range []struct {
		name   string
		of     container.InspectResponse
		engine bool
		want   []string
	}{
		{"none", limited(nil), true, []string{"processes of a: 4096"}},
		{"none, as a number", limited(&none), true, []string{"processes of a: 4096"}},
		{"its own", limited(&own), true, nil},
		{"an engine without such limits", limited(nil), false, nil},
		{"what does not run yet", inspected(wanted, "running", container.Starting), true, nil},
	} {
		test.of.ID = "a"
		f := &fakeAPI{container: []container.InspectResponse{test.of}}
		e := &Engine{api: f, Info: system.Info{PidsLimit: test.engine, MemoryLimit: true, CPUCfsQuota: true}}
		_ = e.AwaitContainer(t.Context(), "a", asked, pollInterval)
		if !slices.Equal(f.done, test.want) {
			t.Errorf("%s: %v", test.name, f.done)
		}
	}
}

func TestAuditedAreThoseThatRunHereAndNamesOfOthers(t *testing.T) {
	c := inspected(wanted, "running", container.Healthy)
	c.ID, c.Name = "a", "/tarot-prod-backend-1"
	c.State.StartedAt = "2026-11-27T10:00:00Z"
	list := []container.Summary{
		{ID: "a", State: "running", Labels: map[string]string{WorkloadLabel: "backend"}},
		{ID: "a", State: "exited", Labels: map[string]string{WorkloadLabel: "migrate", AttemptLabel: "1"}},
		{ID: "a", State: "exited", Labels: map[string]string{OnceLabel: "restore"}},
		{ID: "a", State: "created", Labels: map[string]string{}},
		{ID: "a", State: "exited", Labels: map[string]string{WorkloadLabel: "backend", taskLabel: "t"}},
		{ID: "a", State: "running", Labels: map[string]string{WorkloadLabel: "nginx", taskLabel: "t"}},
	}
	f := &fakeAPI{containers: list, container: []container.InspectResponse{c}}
	subjects, elsewhere, err := (&Engine{api: f}).Audited(t.Context(), "tarot-prod")
	if err != nil || len(elsewhere) > 0 {
		t.Fatal(elsewhere, err)
	}
	var got []string
	for _, s := range subjects {
		kind := ""
		if s.Job {
			kind += " job"
		}
		if s.Task {
			kind += " task"
		}
		got = append(got, s.Workload+kind)
	}
	slices.Sort(got)
	if want := []string{" job", "backend", "migrate job", "nginx task"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	f.failure = errNoAnswer
	if _, _, err := (&Engine{api: f}).Audited(t.Context(), "tarot-prod"); err == nil {
		t.Error("an engine that does not answer has nothing to audit")
	}
}
