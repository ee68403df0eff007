package engine

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"tarot-platform/internal/backup/journal"
)

func has(workload, id, volume string, labels ...string) container.Summary {
	c := container.Summary{ID: id, Names: []string{"/" + id}, Labels: map[string]string{WorkloadLabel: workload},
		Mounts: []container.MountPoint{{Type: mount.TypeVolume, Name: volume}}}
	for _, l := range labels {
		c.Labels[l] = "x"
	}
	return c
}

func runningAs(s container.ContainerState, policy container.RestartPolicyMode, health container.HealthStatus) container.InspectResponse {
	c := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{
		State:      &container.State{Status: s, Running: s == container.StateRunning, StartedAt: time.Now().Add(-time.Hour).Format(time.RFC3339Nano)},
		HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: policy}}}, Config: &container.Config{}}
	if health != "" {
		c.State.Health = &container.Health{Status: health}
	}
	return c
}

func TestWritersAreWhatHasAVolume(t *testing.T) {
	replicas := uint64(3)
	s := swarm.Service{Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "p-s-worker"}, Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Labels: map[string]string{WorkloadLabel: "worker"}, Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "data"}}}}}}
	none := s
	none.Spec.Name, none.Spec.Mode = "p-s-none", swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: new(uint64)}}
	api := &fakeAPI{containers: []container.Summary{has("backend", "b", "data"), has("cache", "c", "cache"), has("worker", "t", "data", taskLabel), has("migrate", "m", "data", AttemptLabel)},
		container: []container.InspectResponse{runningAs(container.StateRunning, "always", "")}, services: []swarm.Service{s, none}}
	e := &Engine{api: api, Info: system.Info{Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}}}
	got, err := e.WritersOf(t.Context(), "p-s", []string{"data", "uploads"}, nil)
	want := []journal.Stopped{{Workload: "backend", Name: "b", ID: "b", Policy: "always"}, {Workload: "worker", Name: "p-s-worker", Replicas: 3}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	// What has a database by a server is found by its name, whatever it mounts.
	got, err = e.WritersOf(t.Context(), "p-s", nil, []string{"cache", "worker", "migrate"})
	want = []journal.Stopped{{Workload: "cache", Name: "c", ID: "c", Policy: "always"}, {Workload: "worker", Name: "p-s-worker", Replicas: 3}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	// A job that is at work, or somebody else's container, is found by this one.
	if all, err := e.Mounting(t.Context(), []string{"data"}, ""); err != nil || strings.Join(all, " ") != "b m t" {
		t.Errorf("mounting: %v, %v", all, err)
	}
	api.containers[3].Labels[StackLabel] = "another"
	for i := range 3 {
		api.containers[i].Labels[StackLabel] = "p-s"
	}
	if all, err := e.Mounting(t.Context(), []string{"data"}, "p-s"); err != nil || strings.Join(all, " ") != "m" {
		t.Errorf("mounting, of others: %v, %v", all, err)
	}
}

// An engine that ends in between must not start it again: the policy comes before the stop.
func TestWritersAreStoppedForGood(t *testing.T) {
	api := &fakeAPI{container: []container.InspectResponse{runningAs(container.StateRunning, "always", ""), runningAs(container.StateExited, "no", "")}}
	e := &Engine{api: api}
	if err := e.StopWriters(t.Context(), []journal.Stopped{{Workload: "backend", Name: "b", ID: "b", Policy: "always"}}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"restart policy of b: no", "stop b in 10 s"}; !reflect.DeepEqual(api.done, want) {
		t.Errorf("%q", api.done)
	}
}

func TestWriterThatDoesNotStop(t *testing.T) {
	api := &fakeAPI{container: []container.InspectResponse{runningAs(container.StateRunning, "always", "")}}
	e := &Engine{api: api}
	err := e.StopWriters(t.Context(), []journal.Stopped{{Workload: "backend", Name: "b", ID: "b"}}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "still runs") {
		t.Errorf("%v", err)
	}
}

func TestWritersAreStartedAsTheyWere(t *testing.T) {
	api := &fakeAPI{container: []container.InspectResponse{runningAs(container.StateRunning, "no", container.Starting), runningAs(container.StateRunning, "no", container.Healthy)}}
	e := &Engine{api: api}
	if err := e.StartWriters(t.Context(), []journal.Stopped{{Workload: "backend", Name: "b", ID: "b", Policy: "always"}}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"restart policy of b: always", "start b"}; !reflect.DeepEqual(api.done, want) {
		t.Errorf("%q", api.done)
	}
}

func TestBegunWritersAreNotAwaited(t *testing.T) {
	api := &fakeAPI{container: []container.InspectResponse{runningAs(container.StateRunning, "no", container.Unhealthy)}}
	e := &Engine{api: api}
	if err := e.BeginWriters(t.Context(), []journal.Stopped{{Workload: "backend", Name: "b", ID: "b", Policy: "always"}}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"restart policy of b: always", "start b"}; !reflect.DeepEqual(api.done, want) {
		t.Errorf("%q", api.done)
	}
}

func TestWriterThatIsNotWell(t *testing.T) {
	api := &fakeAPI{container: []container.InspectResponse{runningAs(container.StateRunning, "no", container.Unhealthy)}, logs: map[string]string{"b": "no such column\n"}}
	e := &Engine{api: api}
	err := e.StartWriters(t.Context(), []journal.Stopped{{Workload: "backend", Name: "b", ID: "b", Policy: "always"}}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "unhealthy") || !strings.Contains(err.Error(), "no such column") {
		t.Errorf("%v", err)
	}
}
