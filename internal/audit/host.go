package audit

import (
	"maps"
	"slices"
	"strconv"
)

// hostRule is about the machine, and not the benchmark's: its section 5 looks at containers alone.
var hostRule = rule{number: "host", title: "who comes to the edge's ports"}

// OfHost is what is said of the machine that the engine runs on.
func OfHost(result Result, found, why string) Finding {
	return Finding{Number: hostRule.number, Rule: hostRule.title, Container: "this machine", Result: result, Found: found, Why: why}
}

// EdgePorts are the ports of the host that nginx publishes for others than the host itself.
func EdgePorts(subjects []Subject) []int {
	ports := map[int]bool{}
	for _, s := range subjects {
		if s.Workload != "nginx" || s.NetworkSettings == nil {
			continue
		}
		for _, bindings := range s.NetworkSettings.Ports {
			for _, b := range bindings {
				if port, err := strconv.Atoi(b.HostPort); err == nil && b.HostIP != "127.0.0.1" && b.HostIP != "::1" {
					ports[port] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(ports))
}
