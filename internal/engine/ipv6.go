package engine

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
)

// gatewayBridge is the network by which what Swarm publishes on a node itself is reached.
const gatewayBridge = "docker_gwbridge"

// checkIPv6 refuses Swarm's services where nobody reaches them by IPv6.
func (e *Engine) checkIPv6(ctx context.Context, needs Needs) ([]error, error) {
	if !needs.IPv6 || !needs.Swarm {
		return nil, nil
	}
	bridge, err := e.api.NetworkInspect(ctx, gatewayBridge, network.InspectOptions{})
	switch {
	case errdefs.IsNotFound(err):
		return nil, nil // Swarm makes it with its first task, without IPv6: the next `up` tells
	case err != nil:
		return nil, fmt.Errorf("docker engine at %s: network %s: %w", e.Address, gatewayBridge, err)
	case bridge.EnableIPv6:
		return nil, nil
	}
	return []error{fault("nginx.ipv6", "true", "can not be: the engine's network "+gatewayBridge+" has no IPv6",
		"true where that network is made with it before the node is in a swarm (docs/security.md#ipv6), or false")}, nil
}
