package engine

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
)

// Taken is what an engine has for somebody.
type Taken struct {
	Ports   []int
	Subnets []netip.Prefix
	Volumes []string
	// Busy is true where another process has a port of this machine; nil: the engine is on
	// another one.
	Busy func(port int) bool
}

// Taken says what a new stack can't have.
func (e *Engine) Taken(ctx context.Context) (Taken, error) {
	var t Taken
	owners, err := e.publishers(ctx, "")
	if err != nil {
		return t, err
	}
	for port := range owners {
		t.Ports = append(t.Ports, port)
	}
	networks, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return t, fmt.Errorf("docker engine at %s: list networks: %w", e.Address, err)
	}
	for _, n := range networks {
		for _, pool := range n.IPAM.Config {
			if p, err := netip.ParsePrefix(pool.Subnet); err == nil {
				t.Subnets = append(t.Subnets, p)
			}
		}
	}
	volumes, err := e.api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return t, fmt.Errorf("docker engine at %s: list volumes: %w", e.Address, err)
	}
	for _, v := range volumes.Volumes {
		t.Volumes = append(t.Volumes, v.Name)
	}
	if !e.Local() {
		return t, nil
	}
	t.Busy = func(port int) bool { return takenBy("", port) != "" }
	addresses, err := net.InterfaceAddrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			t.Subnets = append(t.Subnets, p)
		}
	}
	return t, err
}
