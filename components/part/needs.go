package part

import (
	"tarot-platform/components/workload"
	"tarot-platform/internal/engine"
)

// Needs are what the engine has to have for the parts.
func Needs(c Context, parts []Described) engine.Needs {
	needs := engine.Needs{Stack: c.Stack, Swarm: c.Runtime == "swarm", Constraints: c.Swarm.Constraints, Database: c.DatabaseFile(), IPv6: c.Nginx.IPv6}
	for _, n := range Networks(c.Config) {
		needs.Names.Networks = append(needs.Names.Networks, n.Name)
		needs.Subnets = append(needs.Subnets, engine.Subnet{Key: n.Key, Addresses: n.Subnet})
		if n.Subnet6 != "" {
			needs.Subnets = append(needs.Subnets, engine.Subnet{Key: n.Key6, Addresses: n.Subnet6})
		}
	}
	for _, d := range parts {
		for _, s := range d.Services {
			needs.Names.Services = append(needs.Names.Services, s.Name)
			needs.Names.Containers = append(needs.Names.Containers, s.Name+"-1")
			if s.Upstream {
				needs.Names.Services = append(needs.Names.Services, s.Name+"-"+workload.Canary)
			}
			for _, p := range s.Ports {
				needs.Ports = append(needs.Ports, engine.Port{Key: p.Key, AddressKey: p.AddressKey, Address: p.Address, Number: p.Host})
			}
			limits := engine.Limits{Workload: s.Name, Replicas: s.Replicas, CPUs: s.Limits.CPUs, Memory: s.Limits.Memory}
			switch {
			case s.StopFirst():
			case needs.Swarm: // one after the other
				limits.Beside = 1
			default: // the old ones go when all new ones serve
				limits.Beside = s.Replicas
			}
			if s.Limits.Key != "" {
				limits.CPUsKey = s.Limits.Key + ".cpus"
			}
			needs.Limits = append(needs.Limits, limits)
		}
	}
	return needs
}
