package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"tarot-platform/internal/config"
)

// StackLabel is on every container and network of a stack, with the stack's
// prefix (project-stack) as its value.
const StackLabel = "tarot.stack"

// swarmService is the label that Swarm puts on a service's containers.
const swarmService = "com.docker.swarm.service.name"

// Obstacles are what would make a deployment fail half-way, by what was looked at.
type Obstacles struct {
	// Nodes are a node that is no manager, or one of several; CPUs are more than there are.
	Nodes, CPUs []error
	// Ports are taken by something else, Rights are of ports that the engine's user may not have, Subnets
	// overlap with others, Names are something else's, and by IPv6 nobody comes.
	Ports, Rights, Subnets, Names, IPv6 []error
}

// All are all of them.
func (o Obstacles) All() []error {
	return slices.Concat(o.Nodes, o.CPUs, o.Ports, o.Rights, o.Subnets, o.Names, o.IPv6)
}

// Obstacles finds them.
func (e *Engine) Obstacles(ctx context.Context, needs Needs) (found Obstacles, err error) {
	ctx = context.WithoutCancel(ctx)
	if needs.Swarm {
		if err := e.CheckSwarm(); err != nil {
			return Obstacles{Nodes: []error{err}}, nil // the rest is asked of a manager
		}
		if found.Nodes, err = e.checkNodes(ctx, needs.Constraints, needs.Database); err != nil {
			return found, err
		}
	} else {
		found.CPUs = e.checkCPUs(needs.Limits)
	}
	if found.Ports, found.Rights, err = e.checkPorts(ctx, needs.Ports, needs.Stack); err != nil {
		return found, err
	}
	if found.Subnets, err = e.checkSubnets(ctx, needs.Subnets, needs.Stack); err != nil {
		return found, err
	}
	if found.Names, err = e.checkNames(ctx, needs.Names, needs.Stack); err != nil {
		return found, err
	}
	found.IPv6, err = e.checkIPv6(ctx, needs)
	return found, err
}

func fault(key, value, why, allowed string) error {
	return fmt.Errorf("%s:%s: %q %s; allowed: %s", config.Namespace, key, value, why, allowed)
}

// checkCPUs refuses what the engine refuses: a container with more cores than
// there are. (A Swarm task with such a limit starts.)
func (e *Engine) checkCPUs(all []Limits) []error {
	var faults []error
	for _, l := range all {
		if l.CPUsKey != "" && l.CPUs > float64(e.Info.NCPU) {
			faults = append(faults, fault(l.CPUsKey, strconv.FormatFloat(l.CPUs, 'g', -1, 64), "is more than the engine has",
				fmt.Sprintf("0.01 to %d", e.Info.NCPU)))
		}
	}
	return faults
}

// ofStack names the stack that something belongs to, if it does.
func ofStack(labels map[string]string) string {
	if stack := labels[StackLabel]; stack != "" {
		return " of the stack " + stack
	}
	return ""
}

func name(c container.Summary) string {
	if service := c.Labels[swarmService]; service != "" {
		return service
	}
	if len(c.Names) > 0 {
		return c.Names[0][1:]
	}
	return c.ID[:12]
}

// checkSubnets finds networks of others that overlap with the stack's. The
// engine refuses them too, but only when the network is made.
func (e *Engine) checkSubnets(ctx context.Context, wanted []Subnet, prefix string) ([]error, error) {
	networks, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list networks: %w", e.Address, err)
	}
	var faults []error
	for _, w := range wanted {
		mine, err := netip.ParsePrefix(w.Addresses)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", w.Key, w.Addresses, err) // config.Validate lets none through
		}
		for _, n := range networks {
			if n.Labels[StackLabel] == prefix {
				continue
			}
			for _, pool := range n.IPAM.Config {
				theirs, err := netip.ParsePrefix(pool.Subnet)
				if err == nil && theirs.Overlaps(mine) {
					faults = append(faults, fault(w.Key, w.Addresses, fmt.Sprintf("overlaps with %s of the network %s%s", pool.Subnet, n.Name, ofStack(n.Labels)), "a network that nothing else uses"))
				}
			}
		}
	}
	return faults, nil
}
