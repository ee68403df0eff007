package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
)

const (
	// gatewayBridge is the network by which what Swarm publishes on a node itself is reached.
	gatewayBridge = "docker_gwbridge"
	// keeping is the first version of Docker that leads IPv6 to containers by the kernel, and so with its
	// address, unless it is told otherwise (release notes of 27.0: ip6tables).
	keeping = 27
)

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

// WarnIPv6 says where users who come by IPv6 have no address of their own; empty: they do, or none come so.
func (e *Engine) WarnIPv6(needs Needs) string {
	major, err := strconv.Atoi(strings.SplitN(e.Info.ServerVersion, ".", 2)[0])
	if !needs.IPv6 || err != nil || major >= keeping {
		return ""
	}
	return fmt.Sprintf("Docker %s hides the addresses of users who come by IPv6, all of whom are one client then, unless its ip6tables is on (docs/security.md#ipv6); Docker %d has it on by itself", e.Info.ServerVersion, keeping)
}
