package engine

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

// operated is an engine with what an operator asks for.
type operated struct {
	*fakeAPI
	byID     map[string]container.InspectResponse
	services []swarm.Service
	all      []swarm.Task
}

func (o operated) ContainerInspect(_ context.Context, id string) (container.InspectResponse, error) {
	return o.byID[id], nil
}

func (o operated) ServiceList(context.Context, swarm.ServiceListOptions) ([]swarm.Service, error) {
	return o.services, nil
}

func (o operated) TaskList(context.Context, swarm.TaskListOptions) ([]swarm.Task, error) {
	return o.all, nil
}

func (o operated) ContainerStats(context.Context, string, bool) (container.StatsResponseReader, error) {
	const stats = `{"read": "2026-11-24T12:00:01Z", "preread": "2026-11-24T12:00:00Z",
		"cpu_stats": {"cpu_usage": {"total_usage": 1500000000}}, "precpu_stats": {"cpu_usage": {"total_usage": 1000000000}},
		"memory_stats": {"usage": 104857600, "stats": {"total_inactive_file": 4857600}}}`
	return container.StatsResponseReader{Body: io.NopCloser(strings.NewReader(stats))}, nil
}

func inspectedAs(name string, state *container.State) container.InspectResponse {
	state.StartedAt = "2026-11-24T11:00:00.5Z"
	return container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{ID: name, Name: "/" + name, State: state, HostConfig: &container.HostConfig{Resources: container.Resources{Memory: 512 << 20}}},
		Config:            &container.Config{Image: "app:2"},
	}
}

func TestReplicas(t *testing.T) {
	healthy := func() *container.State {
		return &container.State{Status: "running", Running: true, Health: &container.Health{Status: "healthy"}}
	}
	labels := func(more ...string) map[string]string {
		all := map[string]string{WorkloadLabel: "backend"}
		for _, name := range more {
			all[name] = "x"
		}
		return all
	}
	slot := func(slot int, node, id string, desired, is swarm.TaskState) swarm.Task {
		return swarm.Task{Slot: slot, NodeID: node, DesiredState: desired, Spec: spec("app:2@sha256:00"), Status: swarm.TaskStatus{State: is, ContainerStatus: &swarm.ContainerStatus{ContainerID: id}}}
	}
	paused := healthy()
	paused.Paused, paused.Status = true, "paused"
	two := uint64(2)
	api := operated{
		fakeAPI: &fakeAPI{containers: []container.Summary{
			{ID: "tarot-prod-backend.1.abc", State: "running", Labels: labels(taskLabel)},
			{ID: "tarot-prod-backend.1.old", State: "exited", Labels: labels(taskLabel)},
			{ID: "tarot-prod-nginx-1", State: "running", Labels: labels()},
			{ID: "tarot-prod-gone-1-1a2b3c4", State: "exited", Labels: labels()},
			{ID: "tarot-prod-migrate-1a2b3c4", State: "exited", Labels: labels(AttemptLabel)},
		}},
		byID: map[string]container.InspectResponse{
			"tarot-prod-backend.1.abc":  inspectedAs("tarot-prod-backend.1.abc", healthy()),
			"tarot-prod-nginx-1":        inspectedAs("tarot-prod-nginx-1", paused),
			"tarot-prod-gone-1-1a2b3c4": inspectedAs("tarot-prod-gone-1-1a2b3c4", &container.State{Status: "exited", OOMKilled: true}),
		},
		services: []swarm.Service{{Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "tarot-prod-backend"}, Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &two}}}}},
		all: []swarm.Task{
			slot(1, "here", "tarot-prod-backend.1.abc", "running", "running"), slot(1, "here", "tarot-prod-backend.1.old", "shutdown", "failed"),
			slot(2, "there", "elsewhere", "running", "running"), slot(3, "there", "", "running", "pending"), slot(4, "there", "", "shutdown", "shutdown"),
		},
	}
	e := &Engine{api: api, Info: system.Info{Name: "here", Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}}}
	found, err := e.Replicas(t.Context(), "tarot-prod")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Replica{}
	for _, r := range found {
		got[r.Name] = r
	}
	for name, state := range map[string]string{"backend.1": "healthy", "backend.2": "healthy", "backend.3": "pending", "nginx-1": "paused", "gone-1": "exited"} {
		if got[name].State != state {
			t.Errorf("%s: %q, want %q", name, got[name].State, state)
		}
	}
	if len(found) != 5 {
		t.Errorf("%d replicas: %+v", len(found), found)
	}
	one := got["backend.1"]
	if one.CPU != 0.5 || one.Memory != 100000000 || one.Limit != 512<<20 || one.Restarts != 1 || !one.Since.Equal(time.Date(2026, 11, 24, 11, 0, 0, 500000000, time.UTC)) {
		t.Errorf("%+v", one)
	}
	if two := got["backend.2"]; two.Node != "there" || two.Image != "app:2" || two.Limit != 0 || two.Workload != "backend" {
		t.Errorf("%+v", two)
	}
	if !got["gone-1"].OutOfMemory {
		t.Error("nothing tells that it was killed for want of memory")
	}
	wanted, err := e.Wanted(t.Context(), "tarot-prod")
	if err != nil || wanted["backend"] != 2 {
		t.Errorf("%v, %v", wanted, err)
	}
	alone := &Engine{api: api, Info: system.Info{}}
	if wanted, err := alone.Wanted(t.Context(), "tarot-prod"); wanted != nil || err != nil {
		t.Errorf("%v, %v", wanted, err)
	}
}

func TestShort(t *testing.T) {
	for name, want := range map[string]string{
		"tarot-prod-backend-1-1a2b3c4": "backend-1", "tarot-prod-nginx-1": "nginx-1", "tarot-prod-backend.2.xyz0": "backend.2", "tarot-prod-backend": "backend",
		"other": "other",
	} {
		if got := short(name, "tarot-prod"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestFollowCutsLines(t *testing.T) {
	e := &Engine{api: &fakeAPI{logs: map[string]string{"id": "2026-11-24T12:00:00.5Z one\n2026-11-24T12:00:01Z {\"a\": 1}\nno time\n\n2026-11-24T12:00:02Z the last"}}}
	var got bytes.Buffer
	if err := e.Follow(t.Context(), LogSource{ID: "id", Name: "backend-1"}, "", false, func(l Line) {
		got.WriteString(l.Container + "|" + l.Time.Format("05.0") + "|" + l.Text + "\n")
	}); err != nil {
		t.Fatal(err)
	}
	const want = "backend-1|00.5|one\nbackend-1|01.0|{\"a\": 1}\nbackend-1|00.0|no time\nbackend-1|02.0|the last\n"
	if got.String() != want {
		t.Errorf("%q", got.String())
	}
	if err := (&Engine{api: &fakeAPI{}}).Follow(t.Context(), LogSource{ID: "id", Name: "backend-1"}, "", false, func(Line) {}); err == nil || !strings.Contains(err.Error(), "the log of backend-1") {
		t.Errorf("%v", err)
	}
}
