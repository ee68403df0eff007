package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"tarot-platform/internal/config"
)

// SitesNetwork is what an edge's network is called, after its prefix, where its nginx meets
// those of other stacks.
const SitesNetwork = "sites"

// Network is a network of a stack.
type Network struct {
	// Name and ID are the engine's, and Driver is bridge or overlay.
	Name, ID, Driver string
	// Subnet is its addresses, in CIDR form.
	Subnet string
	// Internal networks have no way out.
	Internal bool
	// Encrypted is true where what goes between nodes is.
	Encrypted bool
}

// Network is the stack's network of that name, after its prefix; there is false where it has
// none.
func (e *Engine) Network(ctx context.Context, prefix, name string) (found Network, there bool, err error) {
	n, err := e.api.NetworkInspect(ctx, prefix+"-"+name, network.InspectOptions{})
	if errdefs.IsNotFound(err) || err == nil && n.Labels[StackLabel] != prefix {
		return Network{}, false, nil
	}
	if err != nil {
		return Network{}, false, fmt.Errorf("network %s-%s: %w", prefix, name, err)
	}
	_, encrypted := n.Options[EncryptedOption]
	found = Network{Name: n.Name, ID: n.ID, Driver: n.Driver, Internal: n.Internal, Encrypted: encrypted}
	for _, pool := range n.IPAM.Config {
		found.Subnet = cmp.Or(found.Subnet, pool.Subnet)
	}
	return found, true, nil
}

// EncryptedOption is the overlay driver's, by which what goes between nodes is encrypted.
const EncryptedOption = "encrypted"

// Guest is a container, or a service, on a stack's network that is not of the stack: another
// stack's, or one that somebody has attached by hand.
type Guest struct {
	Network, Container string
	// Stack begins the names of the other stack that it is of; empty: it is nobody's.
	Stack string
	// Service is true for a service.
	Service bool
}

// Mend is what lets the network be removed or made anew.
func (g Guest) Mend() string {
	switch {
	case g.Stack != "":
		return fmt.Sprintf("take the stack %s away, or empty its %s:nginx.edge and run `pulumi up` there", g.Stack, config.Namespace)
	case g.Service:
		return "docker service rm " + g.Container
	}
	return "docker network disconnect --force " + g.Network + " " + g.Container
}

// String says what it is.
func (g Guest) String() string {
	kind, of := "container", ""
	if g.Service {
		kind = "service"
	}
	if g.Stack != "" {
		of = " of the stack " + g.Stack
	}
	return "the " + kind + " " + g.Container + of
}

// Expected is true for what meets the stack on the network that it has for that.
func (g Guest) Expected(prefix string) bool {
	return g.Stack != "" && g.Network == prefix+"-"+SitesNetwork
}

// Guests are what is on the stack's networks and not the stack's. While one is there, a
// network can neither be removed nor made anew.
func (e *Engine) Guests(ctx context.Context, prefix string) ([]Guest, error) {
	containers, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	networks, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list networks: %w", e.Address, err)
	}
	services, err := e.services(ctx)
	if err != nil {
		return nil, err
	}
	var guests []Guest
	for _, n := range networks {
		if n.Labels[StackLabel] != prefix {
			continue
		}
		for _, s := range services { // whether or not a task of it runs, and here
			if s.Spec.Labels[StackLabel] != prefix && uses(s, n) {
				guests = append(guests, Guest{n.Name, s.Spec.Name, s.Spec.Labels[StackLabel], true})
			}
		}
		for _, c := range containers {
			if c.Labels[StackLabel] == prefix || c.Labels[taskLabel] != "" || c.NetworkSettings == nil {
				continue
			}
			if _, on := c.NetworkSettings.Networks[n.Name]; on {
				guests = append(guests, Guest{n.Name, name(c), c.Labels[StackLabel], false})
			}
		}
	}
	return guests, nil
}

// uses is true where the service's tasks are on the network.
func uses(s swarm.Service, n network.Summary) bool {
	return slices.ContainsFunc(s.Spec.TaskTemplate.Networks, func(to swarm.NetworkAttachmentConfig) bool { return to.Target == n.ID || to.Target == n.Name })
}
