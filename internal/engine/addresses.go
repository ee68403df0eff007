package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// ContainerAddresses are those that containers have, on all of their networks.
func (e *Engine) ContainerAddresses(ctx context.Context, ids []string) ([]string, error) {
	var all []string
	for _, id := range ids {
		c, err := e.api.ContainerInspect(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("addresses: %w", err)
		}
		if c.NetworkSettings == nil {
			continue
		}
		for _, n := range c.NetworkSettings.Networks {
			for _, address := range []string{n.IPAddress, n.GlobalIPv6Address} {
				if address != "" {
					all = append(all, address)
				}
			}
		}
	}
	return all, nil
}

// ServiceAddresses are those of the tasks that a service is to have: not of those that are
// about to stop.
func (e *Engine) ServiceAddresses(ctx context.Context, service string) ([]string, error) {
	tasks, err := e.tasks(ctx, service)
	if err != nil {
		return nil, fmt.Errorf("addresses: %w", err)
	}
	var all []string
	for _, t := range tasks {
		if t.DesiredState != swarm.TaskStateRunning {
			continue
		}
		for _, n := range t.NetworksAttachments {
			for _, address := range n.Addresses { // with the length of its network's prefix
				host, _, _ := strings.Cut(address, "/")
				all = append(all, host)
			}
		}
	}
	return all, nil
}
