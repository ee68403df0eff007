package engine

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

// node is a manager that is ready and active.
func node(id, hostname string, changes ...func(*swarm.Node)) swarm.Node {
	n := swarm.Node{ID: id}
	n.Description.Hostname = hostname
	n.Description.Platform = swarm.Platform{OS: "linux", Architecture: "x86_64"}
	n.Status.State = swarm.NodeStateReady
	n.Spec.Availability, n.Spec.Role = swarm.NodeAvailabilityActive, swarm.NodeRoleManager
	for _, change := range changes {
		change(&n)
	}
	return n
}

func TestOneNodeAloneMayRunTasks(t *testing.T) {
	worker := func(n *swarm.Node) { n.Spec.Role = swarm.NodeRoleWorker }
	down := func(n *swarm.Node) { n.Status.State = swarm.NodeStateDown }
	drained := func(n *swarm.Node) { n.Spec.Availability = swarm.NodeAvailabilityDrain }
	labelled := func(n *swarm.Node) { n.Spec.Labels = map[string]string{"data": "yes"} }
	for _, test := range []struct {
		name        string
		nodes       []swarm.Node
		constraints []string
		want        string // part of the fault
	}{
		{"the only one", []swarm.Node{node("a", "one")}, nil, ""},
		{"the only manager", []swarm.Node{node("a", "one"), node("b", "two", worker)}, []string{"node.role==manager"}, ""},
		{"what can't run any", []swarm.Node{node("a", "one"), node("b", "two", down), node("c", "three", drained)}, nil, ""},
		{"named", []swarm.Node{node("a", "one"), node("b", "two")}, []string{"node.role == manager", "node.hostname==ONE"}, ""},
		{"by a label", []swarm.Node{node("a", "one", labelled), node("b", "two")}, []string{"node.labels.data==yes"}, ""},
		{"not the other", []swarm.Node{node("a", "one"), node("b", "two")}, []string{"node.id!=b", "node.platform.os==linux"}, ""},
		{"any", []swarm.Node{node("a", "one"), node("b", "two", worker)}, nil, "lets tasks run on one and two"},
		{"the reason", []swarm.Node{node("a", "one"), node("b", "two")}, nil, "SQLite's /app/data/prod.db is one file, which the tasks of several machines can not share"},
		{"two managers", []swarm.Node{node("a", "one"), node("b", "two")}, []string{"node.role==manager"}, "such as node.hostname==one"},
		{"two of one name", []swarm.Node{node("a", "one"), node("b", "one")}, nil, "such as node.id==a"},
		{"the other one", []swarm.Node{node("a", "one"), node("b", "two")}, []string{"node.hostname==two"}, "lets tasks run on two, and the volumes"},
		{"none", []swarm.Node{node("a", "one")}, []string{"node.labels.data==yes"}, "lets no node that is ready and active run tasks"},
		{"no constraint", []swarm.Node{node("a", "one")}, []string{"node.role=manager"}, `"node.role=manager" has neither == nor !=`},
		{"of an unknown kind", []swarm.Node{node("a", "one")}, []string{"node.name==one"}, `is about "node.name", which Swarm doesn't know`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &Engine{api: &fakeAPI{nodes: test.nodes}, Info: system.Info{Swarm: swarm.Info{NodeID: "a"}}}
			faults, err := e.checkNodes(t.Context(), test.constraints, "/app/data/prod.db")
			switch {
			case err != nil || test.want == "" && len(faults) > 0:
				t.Errorf("%v, %v", faults, err)
			case test.want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Error(), test.want)):
				t.Errorf("%v, want %s", faults, test.want)
			}
		})
	}
}
