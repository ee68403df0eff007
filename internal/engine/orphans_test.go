package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

func TestOrphansAreNeitherDeclaredNorTasks(t *testing.T) {
	api := &fakeAPI{containers: []container.Summary{
		{ID: "kept", Names: []string{"/kept"}}, {ID: "left", Names: []string{"/left"}, Labels: map[string]string{WorkloadLabel: "backend"}}, {ID: "earlier", Names: []string{"/earlier"}},
		{ID: "task", Names: []string{"/task"}, Labels: map[string]string{taskLabel: "x"}},
	}}
	e := &Engine{api: api}
	orphans, err := e.Orphans(t.Context(), "tarot-prod", []string{"kept"})
	if want := []Orphan{{"left", "left", "backend"}, {"earlier", "earlier", ""}}; err != nil || !slices.Equal(orphans, want) {
		t.Errorf("%v, %v, want %v", orphans, err, want)
	}
	if err := e.Remove(t.Context(), orphans); err != nil {
		t.Fatal(err)
	}
	slices.Sort(api.done)
	if got := strings.Join(api.done, ", "); got != "remove earlier, remove left, stop earlier, stop left" {
		t.Errorf("did %s", got)
	}
}

func TestWhatIsLeftIsRemovedOnlyIfItIsTheStacks(t *testing.T) {
	labels := func(stack string) map[string]string { return map[string]string{StackLabel: stack} }
	for owner, want := range map[string]bool{"tarot-prod": true, "tarot-dev": false, "": false} {
		c := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: "id"}, Config: &container.Config{Labels: labels(owner)}}
		s := swarm.Service{ID: "id", Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Labels: labels(owner)}}}
		n := network.Inspect{ID: "id", Labels: labels(owner)}
		api := &fakeAPI{container: []container.InspectResponse{c}, service: []moment{{service: s}}, networks: []network.Inspect{n}}
		e := &Engine{api: api}
		for kind, remove := range map[string]func() (bool, error){
			"container": func() (bool, error) { return e.RemoveContainer(t.Context(), "tarot-prod", "name") },
			"service":   func() (bool, error) { return e.RemoveService(t.Context(), "tarot-prod", "name") },
			"network":   func() (bool, error) { return e.RemoveNetwork(t.Context(), "tarot-prod", "name") },
		} {
			api.done = nil
			removed, err := remove()
			if removed != want || err != nil || want != slices.Equal(api.done, []string{"remove id"}) {
				t.Errorf("%s of %q: %v, %v, did %v", kind, owner, removed, err, api.done)
			}
		}
	}
	gone := &Engine{api: &fakeAPI{failure: errdefs.ErrNotFound}}
	if removed, err := gone.RemoveContainer(t.Context(), "tarot-prod", "name"); removed || err != nil {
		t.Errorf("%v, %v", removed, err)
	}
}
