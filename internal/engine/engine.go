// Package engine asks a Docker engine directly: is it there, what can it do,
// what does an image say of itself, and is what runs what was wanted.
//
// Everything that lasts is created through Pulumi. What is done here is what a
// declaration has no words for: to start and stop for a moment (the canary of
// a release, a container that has failed), to have nginx reload, and to remove
// what no release can be returned to needs.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/flags"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
)

// defaultSocket is where the provider looks when nothing else is said.
const defaultSocket = "unix:///var/run/docker.sock"

// timeout is how long a reachable engine may take for its first answer.
const timeout = 10 * time.Second

// Engine is a Docker engine that has answered.
type Engine struct {
	// Address is where it was reached.
	Address string
	// Info is what it said of itself.
	Info system.Info

	api              client.APIClient
	opened, answered time.Time // when it was asked, and said what Info has
	// auth is what the client knows for an image's registry, encoded.
	auth func(image string) (string, error)
}

// Open connects to the engine that the Docker provider will use: the one that
// DOCKER_CONTEXT or DOCKER_HOST names, or the default socket. The error says
// which address was tried.
func Open(ctx context.Context) (*Engine, error) {
	cli, err := command.NewDockerCli(command.WithCombinedStreams(io.Discard))
	if err == nil {
		err = cli.Initialize(flags.NewClientOptions())
	}
	if err != nil {
		return nil, fmt.Errorf("docker engine: read the client's configuration: %w", err)
	}
	address := cli.DockerEndpoint().Host
	if address != defaultSocket && os.Getenv("DOCKER_HOST") == "" && os.Getenv("DOCKER_CONTEXT") == "" {
		// The provider does not read the selected context from the client's
		// configuration file, and would go to the default socket.
		return nil, fmt.Errorf("docker engine: the Docker context %q is selected (%s), but Pulumi's provider reads DOCKER_CONTEXT only: "+
			"export DOCKER_CONTEXT=%s, or docker context use default", cli.CurrentContext(), address, cli.CurrentContext())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	opened := time.Now()
	info, err := cli.Client().Info(ctx)
	answered := time.Now()
	if err != nil {
		return nil, fmt.Errorf("docker engine: no answer at %s: %w\n"+
			"Start the engine there, or name another one by DOCKER_HOST; `make engine` installs and starts one on Debian and Ubuntu", address, reason(err))
	}
	return &Engine{Address: address, Info: info, api: cli.Client(), opened: opened, answered: answered,
		auth: func(image string) (string, error) { return command.RetrieveAuthTokenFromImage(cli.ConfigFile(), image) }}, nil
}

// reason leaves out what the client says around the cause, which names the
// address once more and guesses.
func reason(err error) error {
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Err
	}
	return err
}

// Local is true where the engine shares this machine's file system.
func (e *Engine) Local() bool {
	return strings.HasPrefix(e.Address, "unix://") || strings.HasPrefix(e.Address, "npipe://") || loopback(e.Host())
}

// Host is the name or address by which published ports are reached from here.
func (e *Engine) Host() string {
	address, err := url.Parse(e.Address)
	if err != nil || address.Hostname() == "" || address.Scheme == "unix" || address.Scheme == "npipe" {
		return "localhost"
	}
	return address.Hostname()
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// HostPaths are where an engine keeps what cAdvisor has to see, on its host.
type HostPaths struct {
	// Socket is the engine's own.
	Socket string
	// Group may use the socket; 0: only root may, or it is not known, as with an
	// engine on another machine.
	Group int
	// Layers tell which files are a container's; with containerd's image store it is
	// empty, and Containerd is the socket that tells.
	Layers, Containerd string
	// ContainerdGroup may use containerd's socket; 0, root's, is what it is made with.
	ContainerdGroup int
}

// HostPaths are the engine's.
func (e *Engine) HostPaths() HostPaths {
	p := HostPaths{Socket: strings.TrimPrefix(defaultSocket, "unix://")}
	if path, local := strings.CutPrefix(e.Address, "unix://"); local {
		p.Socket = path
		p.Group = groupOf(path)
	}
	if e.containerdStore() {
		p.Containerd = e.containerdSocket()
		if e.Local() {
			p.ContainerdGroup = groupOf(p.Containerd)
		}
	} else {
		p.Layers = e.Info.DockerRootDir + "/image/" + e.Info.Driver + "/layerdb/mounts"
	}
	return p
}

// containerdStore is true where containerd keeps the images. The driver's name is a
// snapshotter's then, and some have the name of a driver of the engine's own.
func (e *Engine) containerdStore() bool {
	return slices.ContainsFunc(e.Info.DriverStatus, func(status [2]string) bool {
		return status[0] == "driver-type" && strings.HasPrefix(status[1], "io.containerd.snapshotter.")
	})
}

// containerdSockets are where containerd listens: one that was started before the
// engine, as the packages of Docker and Debian do, and one that dockerd has started
// as there was none.
var containerdSockets = []string{"/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"}

// containerdSocket is the engine's containerd's, on the engine's host. Engines before
// 27 do not tell; of those it is the first that is there, where that can be seen.
func (e *Engine) containerdSocket() string {
	if c := e.Info.Containerd; c != nil && c.Address != "" {
		return strings.TrimPrefix(c.Address, "unix://")
	}
	if e.Local() {
		for _, path := range containerdSockets {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	return containerdSockets[0]
}

// Platform is the engine's own platform, as os/architecture.
func (e *Engine) Platform() string {
	architecture := e.Info.Architecture
	switch architecture { // the engine says what uname says; images use Go's names
	case "x86_64":
		architecture = "amd64"
	case "aarch64":
		architecture = "arm64"
	}
	return e.Info.OSType + "/" + architecture
}

// CheckSwarm says why the engine can not take Swarm services, if so.
func (e *Engine) CheckSwarm() error {
	switch {
	case e.Info.Swarm.LocalNodeState == swarm.LocalNodeStateActive && e.Info.Swarm.ControlAvailable:
		return nil
	case e.Info.Swarm.LocalNodeState == swarm.LocalNodeStateActive:
		return fmt.Errorf("tarot:runtime: \"swarm\" needs a Swarm manager, and the engine at %s is a worker; "+
			"allowed: containers, or DOCKER_HOST naming a manager", e.Address)
	default:
		return fmt.Errorf("tarot:runtime: \"swarm\" needs a Swarm manager, and the engine at %s is in no swarm (%s); "+
			"allowed: containers, or `docker swarm init` first (`make prod` offers it)", e.Address, e.Info.Swarm.LocalNodeState)
	}
}
