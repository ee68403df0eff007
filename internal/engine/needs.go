package engine

import (
	"fmt"

	units "github.com/docker/go-units"
)

// Needs are what a stack asks of the engine and its machine.
type Needs struct {
	// Stack is the stack's prefix: what belongs to it is no obstacle.
	Stack string
	// Swarm is true for services, whose Constraints say where they run.
	Swarm       bool
	Constraints []string
	// Database is the file that SQLite has it in; empty: it is in none.
	Database string
	// IPv6 is true where users come by it.
	IPv6    bool
	Ports   []Port
	Subnets []Subnet
	Limits  []Limits
	Names   Names
}

// Names are fixed, after the stack's prefix: what else has one of them is in the way.
type Names struct{ Networks, Services, Containers []string }

// Port is a host port that the stack publishes.
type Port struct {
	// Key is the configuration's key of the number, and AddressKey that of the address.
	Key, AddressKey string
	// Address is the host's; empty is all of them.
	Address string
	Number  int
}

// Subnet is a network's addresses, in CIDR form, and the configuration's key of them.
type Subnet struct{ Key, Addresses string }

// Limits are those of a workload.
type Limits struct {
	Workload string
	Replicas int
	// CPUs are the cores of one replica, and CPUsKey the configuration's key of them; empty:
	// they are not the user's choice.
	CPUs    float64
	CPUsKey string
	// Memory is that of one replica, in bytes.
	Memory int64
}

// CheckMemory warns where all that runs may take more memory than the machine has; empty: it
// doesn't, or a Swarm's other machines are not known. Limits are seldom reached together, so
// that this refuses nothing.
func (e *Engine) CheckMemory(needs Needs) string {
	var sum int64
	for _, l := range needs.Limits {
		sum += int64(l.Replicas) * l.Memory
	}
	if e.Info.MemTotal <= 0 || sum <= e.Info.MemTotal {
		return ""
	}
	return fmt.Sprintf("the memory limits of all that runs come to %s, and the engine's machine has %s: under load, something may be killed for want of memory",
		units.BytesSize(float64(sum)), units.BytesSize(float64(e.Info.MemTotal)))
}
