package part

import (
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// Network is a network that workloads meet on.
type Network struct {
	// Name is what follows the stack's prefix.
	Name string
	// StandsFor are the networks that services name and that it is.
	StandsFor []string
	// Subnet is its addresses, in CIDR form, and Key the configuration's key of them.
	Subnet, Key string
	// Subnet6 and Key6 are the same of IPv6; empty: it has none.
	Subnet6, Key6 string
	// Encrypted is true where what goes between nodes is.
	Encrypted bool
	// Internal networks have no way out and publish nothing.
	Internal bool
	// Shared networks are those that stacks meet on: a stack's one workload there is found by
	// the stack's own name.
	Shared bool
}

// Networks are those that a configuration asks for: one, or one for the edge, and without a
// way out one for the backend and one for what watches it.
func Networks(cfg config.Config) []Network {
	all := networks(cfg)
	for i := range all {
		all[i].Encrypted = cfg.Networks.Encrypted
	}
	return all
}

func networks(cfg config.Config) []Network {
	n := cfg.Networks
	inner := Network{Name: Inner, StandsFor: []string{Inner}, Subnet: n.BackendSubnet, Key: "networks.backendSubnet", Internal: n.Isolated}
	var shared []Network
	if n.SitesSubnet != "" {
		shared = append(shared, Network{Name: engine.SitesNetwork, StandsFor: []string{Sites}, Subnet: n.SitesSubnet, Key: "networks.sitesSubnet", Internal: true, Shared: true})
	}
	if !n.Isolated {
		inner.StandsFor = []string{Inner, Edge, Watch}
		return append([]Network{inner.published(cfg)}, shared...)
	}
	all := []Network{inner, Network{Name: Edge, StandsFor: []string{Edge}, Subnet: n.EdgeSubnet, Key: "networks.edgeSubnet"}.published(cfg)}
	if cfg.Monitoring.Enabled {
		all = append(all, Network{Name: Watch, StandsFor: []string{Watch}, Subnet: n.MonitoringSubnet, Key: "networks.monitoringSubnet", Internal: true})
	}
	return append(all, shared...)
}

// published is the network by which users come. Swarm has another one for that (docker_gwbridge).
func (n Network) published(cfg config.Config) Network {
	if cfg.Nginx.IPv6 && cfg.Runtime == "containers" {
		n.Subnet6, n.Key6 = cfg.Networks.IPv6Subnet, "networks.ipv6Subnet"
	}
	return n
}
