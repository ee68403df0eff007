package engine

import (
	"slices"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

func TestAddresses(t *testing.T) {
	c := inspected(wanted, "running", container.Healthy)
	c.NetworkSettings.Networks = map[string]*network.EndpointSettings{"tarot-edge": {IPAddress: "10.0.0.3", GlobalIPv6Address: "2001:db8::3"}, "off": {}}
	e := &Engine{api: &fakeAPI{container: []container.InspectResponse{c}}}
	if got, err := e.ContainerAddresses(t.Context(), []string{"id"}); err != nil || !slices.Equal(got, []string{"10.0.0.3", "2001:db8::3"}) {
		t.Errorf("%v, %v", got, err)
	}
	e = &Engine{api: &fakeAPI{failure: errdefs.ErrUnavailable}}
	if got, err := e.ContainerAddresses(t.Context(), []string{"id"}); err == nil {
		t.Errorf("%v", got)
	}
	stays, goes := task(wanted, swarm.TaskStateRunning, swarm.TaskStateRunning), task("app:1", swarm.TaskStateShutdown, swarm.TaskStateRunning)
	stays.NetworksAttachments = []swarm.NetworkAttachment{{Addresses: []string{"10.0.0.4/24"}}}
	goes.NetworksAttachments = []swarm.NetworkAttachment{{Addresses: []string{"10.0.0.5/24"}}}
	e = &Engine{api: &fakeAPI{tasks: []swarm.Task{goes, stays}}}
	if got, err := e.ServiceAddresses(t.Context(), "backend"); err != nil || !slices.Equal(got, []string{"10.0.0.4"}) {
		t.Errorf("%v, %v", got, err)
	}
}
