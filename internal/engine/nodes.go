package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// checkNodes refuses constraints by which a Swarm's tasks may run on another node than
// this engine. The volumes are local to a node, what runs once runs here, and an image
// that was built is here: on two nodes the data would be split, and nothing would say so.
//
// database is the file that SQLite has it in; empty: none.
func (e *Engine) checkNodes(ctx context.Context, constraints []string, database string) ([]error, error) {
	nodes, err := e.api.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list nodes: %w", e.Address, err)
	}
	var eligible, names []string
	here := ""
	for _, n := range nodes {
		if n.ID == e.Info.Swarm.NodeID {
			here = n.Description.Hostname
		}
		if n.Status.State != swarm.NodeStateReady || n.Spec.Availability != swarm.NodeAvailabilityActive {
			continue
		}
		matches := true
		for _, text := range constraints {
			ok, err := satisfies(n, text)
			if err != nil {
				return []error{fault("swarm.constraints", text, err.Error(), "placement constraints such as node.role==manager")}, nil
			}
			matches = matches && ok
		}
		if matches {
			eligible = append(eligible, n.ID)
			names = append(names, n.Description.Hostname)
		}
	}
	if slices.Equal(eligible, []string{e.Info.Swarm.NodeID}) {
		return nil, nil
	}
	slices.Sort(names)
	why := "lets tasks run on " + strings.Join(names, " and ") + ", and the volumes, what runs once and images that are built are on one node: " + here
	if database != "" {
		why += " (SQLite's " + database + " is one file, which the tasks of several machines can not share: each would have a database of its own)"
	}
	if len(eligible) == 0 {
		why = "lets no node that is ready and active run tasks"
	}
	constraint := "node.hostname==" + here
	if count(nodes, here) > 1 {
		constraint = "node.id==" + e.Info.Swarm.NodeID
	}
	return []error{fault("swarm.constraints", strings.Join(constraints, ", "), why, "those of this engine alone, such as "+constraint)}, nil
}

func count(nodes []swarm.Node, hostname string) (n int) {
	for _, node := range nodes {
		if node.Description.Hostname == hostname {
			n++
		}
	}
	return n
}

// satisfies tells whether a node is one of a constraint, as Swarm would (swarmkit's
// manager/constraint): keys and values without regard to case.
func satisfies(n swarm.Node, constraint string) (bool, error) {
	key, value, equal := strings.Cut(constraint, "==")
	if !equal {
		var different bool
		if key, value, different = strings.Cut(constraint, "!="); !different {
			return false, fmt.Errorf("has neither == nor !=")
		}
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	var has string
	switch lower := strings.ToLower(key); {
	case lower == "node.id":
		has = n.ID
	case lower == "node.hostname":
		has = n.Description.Hostname
	case lower == "node.role":
		has = string(n.Spec.Role)
	case lower == "node.platform.os":
		has = n.Description.Platform.OS
	case lower == "node.platform.arch":
		has = n.Description.Platform.Architecture
	case lower == "node.ip":
		has = n.Status.Addr
	case strings.HasPrefix(lower, "node.labels."):
		has = n.Spec.Labels[key[len("node.labels."):]]
	case strings.HasPrefix(lower, "engine.labels."):
		has = n.Description.Engine.Labels[key[len("engine.labels."):]]
	default:
		return false, fmt.Errorf("is about %q, which Swarm doesn't know", key)
	}
	return strings.EqualFold(has, value) == equal, nil
}
