package part

import "tarot-platform/internal/config"

// Network is a network that workloads meet on.
type Network struct {
	// Name is what follows the stack's prefix.
	Name string
	// StandsFor are the networks that services name and that it is.
	StandsFor []string
	// Subnet is its addresses, in CIDR form, and Key the configuration's key of them.
	Subnet, Key string
	// Internal networks have no way out and publish nothing.
	Internal bool
}

// Networks are those that a configuration asks for: one, or one for the edge, and without a
// way out one for the backend and one for what watches it.
func Networks(cfg config.Config) []Network {
	n := cfg.Networks
	inner := Network{Name: Inner, StandsFor: []string{Inner}, Subnet: n.BackendSubnet, Key: "networks.backendSubnet", Internal: n.Isolated}
	if !n.Isolated {
		inner.StandsFor = []string{Inner, Edge, Watch}
		return []Network{inner}
	}
	all := []Network{inner, {Name: Edge, StandsFor: []string{Edge}, Subnet: n.EdgeSubnet, Key: "networks.edgeSubnet"}}
	if cfg.Monitoring.Enabled {
		all = append(all, Network{Name: Watch, StandsFor: []string{Watch}, Subnet: n.MonitoringSubnet, Key: "networks.monitoringSubnet", Internal: true})
	}
	return all
}
