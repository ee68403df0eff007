package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// on is a container on a network.
func on(network_, called string, labels map[string]string) container.Summary {
	return container.Summary{ID: called + "0123456789", Names: []string{"/" + called}, Labels: labels,
		NetworkSettings: &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{network_: {}}}}
}

func TestGuests(t *testing.T) {
	own, shop := map[string]string{StackLabel: "tarot-dev"}, map[string]string{StackLabel: "tarot-shop"}
	task := map[string]string{StackLabel: "tarot-shop", taskLabel: "x", swarmService: "tarot-shop-nginx"}
	service := func(name, stack, network string) swarm.Service {
		var s swarm.Service
		s.Spec.Name, s.Spec.Labels = name, map[string]string{StackLabel: stack}
		s.Spec.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: network}}
		return s
	}
	api := &fakeAPI{
		containers: []container.Summary{on("tarot-dev-backend", "tarot-dev-backend-1", own), on("tarot-dev-backend", "psql", nil), {ID: "c", Names: []string{"/far"}},
			on("tarot-dev-sites", "tarot-shop-nginx-1", shop), on("tarot-dev-sites", "tarot-shop-nginx.1.x", task), on("bridge", "other", nil)},
		networks: []network.Summary{{Name: "tarot-dev-backend", ID: "1", Labels: own}, {Name: "tarot-dev-sites", ID: "2", Labels: own}, {Name: "bridge", ID: "3"}},
		services: []swarm.Service{service("tarot-store-nginx", "tarot-store", "2"), service("tarot-dev-nginx", "tarot-dev", "2"), service("elsewhere", "", "3"), service("by-hand", "", "1")},
	}
	e := &Engine{api: api}
	e.Info.Swarm.ControlAvailable = true
	guests, err := e.Guests(t.Context(), "tarot-dev")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, g := range guests {
		expected := ""
		if g.Expected("tarot-dev") {
			expected = "expected: "
		}
		told = append(told, expected+g.String()+": "+g.Mend())
	}
	want := []string{
		"the service by-hand: docker service rm by-hand",
		"the container psql: docker network disconnect --force tarot-dev-backend psql",
		"expected: the service tarot-store-nginx of the stack tarot-store: take the stack tarot-store away, or empty its tarot:nginx.edge and run `pulumi up` there",
		"expected: the container tarot-shop-nginx-1 of the stack tarot-shop: take the stack tarot-shop away, or empty its tarot:nginx.edge and run `pulumi up` there",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	api.failure = errors.New("no answer")
	if _, err := e.Guests(t.Context(), "tarot-dev"); err == nil {
		t.Error("without an answer there are none")
	}
}

func TestANetworkOfAStack(t *testing.T) {
	e := &Engine{api: &fakeAPI{}}
	if _, there, err := e.Network(t.Context(), "tarot-prod", SitesNetwork); there || err != nil {
		t.Errorf("where there is none: %v, %v", there, err)
	}
	theirs := network.Inspect{Name: "tarot-prod-sites", ID: "1", Driver: "bridge", IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.213.9.0/24"}}}}
	api := &fakeAPI{networks: []network.Summary{theirs}}
	e.api = api
	if _, there, err := e.Network(t.Context(), "tarot-prod", SitesNetwork); there || err != nil {
		t.Errorf("somebody else's: %v, %v", there, err)
	}
	api.networks[0].Labels = map[string]string{StackLabel: "tarot-prod"}
	found, there, err := e.Network(t.Context(), "tarot-prod", SitesNetwork)
	if want := (Network{"tarot-prod-sites", "1", "bridge", "10.213.9.0/24", false, false}); err != nil || !there || found != want {
		t.Errorf("%+v, %v, %v", found, there, err)
	}
	api.failure = errors.New("no answer")
	if _, _, err := e.Network(t.Context(), "tarot-prod", SitesNetwork); err == nil {
		t.Error("without an answer there is none")
	}
}
