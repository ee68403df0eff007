package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
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

// Preflight finds what would make a deployment fail half-way: a node that is no
// manager, more CPU than there is, ports and networks that something else has.
// prefix is the stack's; what belongs to it is no obstacle.
func (e *Engine) Preflight(ctx context.Context, cfg config.Config, prefix string) error {
	var faults []error
	if cfg.Runtime == "swarm" {
		if err := e.CheckSwarm(); err != nil {
			return err // the rest is asked of a manager
		}
	} else {
		faults = append(faults, e.checkCPUs(cfg)...)
	}
	ports, err := e.checkPorts(ctx, cfg, prefix)
	if err != nil {
		return err
	}
	subnets, err := e.checkSubnets(ctx, cfg, prefix)
	if err != nil {
		return err
	}
	return errors.Join(append(append(faults, ports...), subnets...)...)
}

func fault(key, value, why, allowed string) error {
	return fmt.Errorf("%s:%s: %q %s; allowed: %s", config.Namespace, key, value, why, allowed)
}

// checkCPUs refuses what the engine refuses: a container with more cores than
// there are. (A Swarm task with such a limit starts.)
func (e *Engine) checkCPUs(cfg config.Config) []error {
	var faults []error
	check := func(key string, cores float64) {
		if cores > float64(e.Info.NCPU) {
			faults = append(faults, fault(key, strconv.FormatFloat(cores, 'g', -1, 64), "is more than the engine has",
				fmt.Sprintf("0.01 to %d", e.Info.NCPU)))
		}
	}
	check("backend.cpus", cfg.Backend.CPUs)
	if cfg.Nginx.Enabled {
		check("nginx.cpus", cfg.Nginx.CPUs)
	}
	if m := cfg.Monitoring; m.Enabled {
		check("monitoring.prometheus.cpus", m.Prometheus.CPUs)
		if m.Grafana.Enabled {
			check("monitoring.grafana.cpus", m.Grafana.CPUs)
		}
	}
	return faults
}

// checkPorts finds host ports that are taken by something other than the stack.
// Containers are seen through the engine, other processes by binding the port,
// which only tells something on the engine's own machine.
func (e *Engine) checkPorts(ctx context.Context, cfg config.Config, prefix string) ([]error, error) {
	containers, err := e.api.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	owners := map[int]container.Summary{}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.PublicPort != 0 {
				owners[int(p.PublicPort)] = c
			}
		}
	}
	var faults []error
	addresses := map[string]string{}
	for _, port := range cfg.Ports() {
		owner, published := owners[port.Number]
		switch {
		case e.Local() && !bindable(port.Address, 0): // seen before nginx is taken away to get it
			addresses[port.AddressKey] = port.Address
		case published && owner.Labels[StackLabel] == prefix:
		case published:
			faults = append(faults, fault(port.Key, strconv.Itoa(port.Number), "is published by the container "+name(owner), "a free port"))
		case e.Local() && !bindable(port.Address, port.Number):
			faults = append(faults, fault(port.Key, strconv.Itoa(port.Number), "is taken by another process on this machine", "a free port"))
		}
	}
	for key, address := range addresses {
		faults = append(faults, fault(key, address, "is no address of this machine", "one that it has"))
	}
	return faults, nil
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

// bindable is true for an address of this machine on which the port is free; 0 is any
// port.
func bindable(address string, port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// checkSubnets finds networks of others that overlap with the stack's. The
// engine refuses them too, but only when the network is made.
func (e *Engine) checkSubnets(ctx context.Context, cfg config.Config, prefix string) ([]error, error) {
	networks, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list networks: %w", e.Address, err)
	}
	wanted := map[string]string{"networks.backendSubnet": cfg.Networks.BackendSubnet}
	if cfg.Networks.Isolated {
		wanted["networks.edgeSubnet"] = cfg.Networks.EdgeSubnet
		if cfg.Monitoring.Enabled {
			wanted["networks.monitoringSubnet"] = cfg.Networks.MonitoringSubnet
		}
	}
	var faults []error
	for key, subnet := range wanted {
		mine, err := netip.ParsePrefix(subnet)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", key, subnet, err) // config.Validate lets none through
		}
		for _, n := range networks {
			if n.Labels[StackLabel] == prefix {
				continue
			}
			for _, pool := range n.IPAM.Config {
				theirs, err := netip.ParsePrefix(pool.Subnet)
				if err == nil && theirs.Overlaps(mine) {
					faults = append(faults, fault(key, subnet, fmt.Sprintf("overlaps with %s of the network %s", pool.Subnet, n.Name), "a network that nothing else uses"))
				}
			}
		}
	}
	return faults, nil
}
