package engine

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
	// Beside is how many more there are while a release goes out: the new beside the old.
	Beside int
}
