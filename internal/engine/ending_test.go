package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

// Only those that go end, and it waits until their programs have.
func TestServicesThatGoAreEndedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		grace := 90 * time.Second
		at := func(replicas uint64, version uint64, state swarm.TaskState) moment {
			s := scaledTo(replicas)
			s.ID, s.Version.Index = "id", version
			return moment{s, []swarm.Task{{Status: swarm.TaskStatus{State: swarm.TaskStateShutdown}}, {Status: swarm.TaskStatus{State: state}}}}
		}
		listed := func(name string) swarm.Service {
			s := scaledTo(1)
			s.Spec.Name, s.Spec.TaskTemplate.ContainerSpec = name, &swarm.ContainerSpec{StopGracePeriod: &grace}
			return s
		}
		moments := []moment{at(1, 1, swarm.TaskStateRunning), at(0, 2, swarm.TaskStateRunning)}
		for range 30 {
			moments = append(moments, at(0, 2, swarm.TaskStateRunning))
		}
		api := &fakeAPI{services: []swarm.Service{listed("shop-prod-ticker"), listed("shop-prod-backend")}, service: append(moments, at(0, 2, swarm.TaskStateShutdown))}
		e := &Engine{api: api, Info: system.Info{Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}}}
		if err := e.EndServices(t.Context(), "shop-prod", func(name string) bool { return name == "ticker" }); err != nil || strings.Join(api.done, ",") != "scale id to 0" {
			t.Errorf("%v, %v", api.done, err)
		}
		if len(api.service) != 1 {
			t.Error("it did not wait for the last task")
		}
	})
}

func TestWhereThereIsNoSwarmNothingEnds(t *testing.T) {
	if err := (&Engine{api: &fakeAPI{}}).EndServices(t.Context(), "x", func(string) bool { return true }); err != nil {
		t.Error(err)
	}
}
