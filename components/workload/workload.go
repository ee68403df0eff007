// Package workload holds the one description of something that runs. It is
// plain data: what shapes the resource graph (replicas, ports, mounts) is plain
// Go, and only what flows through the graph (an image's own start command, a
// secret's value, a network's id) is a Pulumi input.
//
// A runtime (components/runtime) turns a description into resources. Nothing
// here knows Docker containers from Swarm services.
package workload

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Program is what runs in a container, as far as it is known before anything exists.
type Program struct {
	// Name is the workload's name and its DNS name on its networks.
	Name string
	// Command replaces the image's ENTRYPOINT and CMD where it is not empty.
	Command []string
	// Before are words that come before the command, or before the image's own start: of a
	// program that becomes, or watches, what follows it.
	Before []string
	// Environment is readable by whoever may inspect the container.
	Environment map[string]string
	// Writes are folders, and files where they exist, that the process has to be able
	// to write: it is tried in a container that is healthy, before users see it.
	Writes []string
	// Ports are published on the host. Nothing else is reachable from outside.
	Ports []Port
	// Health is the health check that gates every start.
	Health Health
	// Limits are the most that one container gets.
	Limits Limits
	// Replicas is how many containers run, at least 1.
	Replicas int
	// Logging says where standard output goes.
	Logging Logging
	// User is "uid:gid"; never root, but for what Root says.
	User string
	// Groups are those that the user is in besides, by number: whose files of the
	// host it may use.
	Groups []int
	// Root is why the workload has to be root or in root's group, without
	// capabilities; empty: it hasn't. Each one is named in docs/architecture.md.
	Root string
	// Capabilities are those that root keeps, without their CAP_; for jobs, and of services for
	// one that reads what is others'. Each one is named in docs/architecture.md.
	Capabilities []string
	// Home gives the program a HOME that it may write and a USER, where neither the image nor
	// its /etc/passwd has one for the user: libraries ask for both.
	Home bool
	// Hosts are further names that the program finds, with their addresses.
	Hosts map[string]string
	// Isolated is true for what has no network at all: it reaches nobody, and nobody reaches it.
	Isolated bool
	// Exclusive is true for what can run only once at a time, as it owns the data
	// of its volume: the next one starts when the last one has stopped. What has
	// host ports is so in any case.
	Exclusive bool
	// Recreate has the earlier containers stop before the next ones start, though there
	// may be several.
	Recreate bool
	// Writable leaves the root file system writable. Only for code that is
	// mounted for development.
	Writable bool
	// StopSignal asks the process to finish. Empty: the image's own.
	StopSignal string
	// StopGrace is the time from the stop signal to SIGKILL.
	StopGrace time.Duration
}

// Canary is what a workload's canary is called, after its name. It is part of what running
// stacks have, in Pulumi's state and in nginx's configuration.
const Canary = "candidate"

// StopFirst is true where two generations of a replica can not run side by side.
func (p Program) StopFirst() bool { return p.Exclusive || p.Recreate || len(p.Ports) > 0 }

// Workload is a program with all that it uses.
type Workload struct {
	Program
	// Image is what runs.
	Image Image
	// Files are mounted read-only, each at its path, below ConfigDir.
	Files []File
	// Secrets are mounted read-only below SecretDir, and are found by the
	// variable NAME_FILE. One that is exported is in a variable, too.
	Secrets []Secret
	// Mounts are the volumes, host folders and memory file systems.
	Mounts []Mount
	// Networks are the ones that the workload is on.
	Networks []*Network
}

// Image is an image that the engine has, or will have once Resource is there.
type Image struct {
	// Reference names the exact image; it is known in a preview.
	Reference string
	// Start is the image's ENTRYPOINT and CMD. Unknown until the image exists.
	Start pulumi.StringArrayOutput
	// Health is the command of the image's HEALTHCHECK. Unknown until the image
	// exists.
	Health pulumi.StringArrayOutput
	// Environment are the variables that the image itself sets, as NAME=value.
	// Unknown until the image exists.
	Environment pulumi.StringArrayOutput
	// Resource is what brings the image to the engine.
	Resource pulumi.Resource
}

// The folders that a runtime mounts files and secrets in.
const (
	ConfigDir = "/run/config"
	SecretDir = "/run/secrets"
)

// File is a configuration file with content that may be read by anybody.
type File struct {
	// Name is the file's name below ConfigDir.
	Name string
	// Content is its text.
	Content pulumi.StringInput
}

// Path is where the file is in the container.
func (f File) Path() string { return ConfigDir + "/" + f.Name }

// Secret is a value that is given as a file.
type Secret struct {
	// Name is the secret's name, and the file's below SecretDir.
	Name string
	// Variable is the environment variable that holds the file's path. Empty:
	// none.
	Variable string
	// Export is the environment variable that holds the value itself, for programs
	// that read no file; whatever starts the process puts it there, so that it is in
	// no `docker inspect`. Empty: none.
	Export string
	// Value is the content.
	Value pulumi.StringOutput
}

// Path is where the secret's file is in the container.
func (s Secret) Path() string { return SecretDir + "/" + s.Name }

// MountKind is what is mounted.
type MountKind string

// The kinds of mounts.
const (
	Volume MountKind = "volume" // a named volume; Source is its name
	Bind   MountKind = "bind"   // a folder of the engine's host; Source is its absolute path
	Tmpfs  MountKind = "tmpfs"  // a memory file system; no Source
)

// Mount is one mounted folder.
type Mount struct {
	Kind     MountKind
	Source   pulumi.StringInput
	Target   string
	ReadOnly bool
}

// Network is a network that workloads meet on.
type Network struct {
	// Name is the network's name in the engine.
	Name string
	// ID is the engine's id of it.
	ID pulumi.StringOutput
	// Alias is what this stack's one workload on it is found by; several stacks meet there.
	// Empty: each is found by its own name.
	Alias string
	// Internal networks have no way out and publish nothing.
	Internal bool
	// Resource is the network itself; nil: another stack has declared it.
	Resource pulumi.Resource
}

// Called is what a workload is found by on the network.
func (n Network) Called(workload string) string {
	if n.Alias != "" {
		return n.Alias
	}
	return workload
}

// Port is a container port that the host publishes.
type Port struct {
	// Address is the host address; empty is all of them.
	Address string
	// Host is the port on the host.
	Host int
	// Container is the port in the container.
	Container int
	// IPv6 binds it there, too, where no Address is named. Swarm does so by itself.
	IPv6 bool
	// Key and AddressKey are the configuration's keys of Host and Address, for errors.
	Key, AddressKey string
}

// Health is a health check.
type Health struct {
	// Test is "CMD" and the words of the command. Empty: the image's.
	Test []string
	// Direct has the engine itself start each check, as of an image that has no shell which
	// could make several of one start.
	Direct bool
	// Interval is the time between two checks, until one has passed and after one that
	// has failed; while they pass, a runtime may take longer.
	Interval time.Duration
	// Passing is the time between two checks while they pass, for what may be found later
	// than others. 0: the runtime's own.
	Passing time.Duration
	// Held is for how long the engine's start of a check goes on with the next ones. 0: the
	// runtime's own.
	Held time.Duration
	// Timeout is when a check counts as failed.
	Timeout time.Duration
	// StartPeriod is the time from the start in which a failure does not count.
	StartPeriod time.Duration
	// Retries is how many failures in a row make the container unhealthy.
	Retries int
	// Steady is in place of a check: a container counts as started when it has run for this
	// long without ending. 0: there is a check.
	Steady time.Duration
}

// restarts are what the engine takes to start what ends at once often enough to be told.
const restarts = 30 * time.Second

// Deadline is the time in which a container that can become healthy has done so.
func (h Health) Deadline() time.Duration {
	if h.Steady > 0 {
		return 2*h.Steady + restarts
	}
	return h.StartPeriod + time.Duration(h.Retries+1)*(h.Interval+h.Timeout)
}

// Limits are upper bounds for one container.
type Limits struct {
	// CPUs is in cores; 0 is no limit.
	CPUs float64
	// Memory is in bytes.
	Memory int64
	// Key is the configuration's object that sets them, for errors. Empty: they are the
	// platform's own.
	Key string
}

// Logging is the engine's logging driver and its options.
type Logging struct {
	Driver  string
	Options map[string]string
}
