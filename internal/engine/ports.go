package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

// checkPorts finds host ports that something other than the stack has, and those that the engine's user may not
// have. Containers and services are seen through the engine, other processes on its own machine alone.
func (e *Engine) checkPorts(ctx context.Context, wanted []Port, prefix string) (taken, forbidden []error, err error) {
	owners, err := e.publishers(ctx, prefix)
	if err != nil {
		return nil, nil, err
	}
	addresses := map[string]string{}
	for _, port := range wanted {
		refuse := func(why string) {
			taken = append(taken, fault(port.Key, strconv.Itoa(port.Number), why, "a free port"))
		}
		owner, published := owners[port.Number]
		switch {
		case e.Local() && !ofThisMachine(port.Address): // seen before nginx is taken away to get it
			addresses[port.AddressKey] = port.Address
		case published && owner.stack == prefix:
		case published:
			refuse("is published by " + owner.what)
		case e.Local():
			if by := takenBy(port.Address, port.Number); by != "" {
				refuse("is taken by another process on this machine" + by)
			} else if from := e.privileged("/proc"); port.Number < from {
				forbidden = append(forbidden, fault(port.Key, strconv.Itoa(port.Number),
					fmt.Sprintf("is free, and the user of this engine, which is rootless, is not allowed to have a port below %d", from),
					fmt.Sprintf("a higher port; or, as root on this machine, `sysctl net.ipv4.ip_unprivileged_port_start=%d`, or `setcap cap_net_bind_service=ep $(which rootlesskit)`", port.Number)))
			}
		}
	}
	for key, address := range addresses {
		taken = append(taken, fault(key, address, "is no address of this machine", "one that it has"))
	}
	return taken, forbidden, nil
}

// privileged is the first port that everybody may have, for an engine that is somebody's own program; 0: the
// engine is root's, and may have them all.
func (e *Engine) privileged(proc string) int {
	if !slices.ContainsFunc(e.Info.SecurityOptions, func(o string) bool { return strings.HasPrefix(o, "name=rootless") }) {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(proc, "sys/net/ipv4/ip_unprivileged_port_start"))
	from, wrong := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || wrong != nil {
		return 1024
	}
	return from
}

// publisher is what has a host port through the engine.
type publisher struct {
	what  string
	stack string // its prefix; empty: it is no stack's
}

// publishers are what has host ports, or is about to have them again: a container
// that crashes and restarts has its port now and then only, and a stopped one of
// another stack wants it back. What has it now goes before what wants it.
func (e *Engine) publishers(ctx context.Context, prefix string) (map[int]publisher, error) {
	containers, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	now, wanted := map[int]publisher{}, map[int]publisher{}
	for _, c := range containers {
		owner := publisher{"the container " + name(c) + ofStack(c.Labels), c.Labels[StackLabel]}
		has := false
		for _, p := range c.Ports {
			if p.PublicPort != 0 {
				now[int(p.PublicPort)], has = owner, true
			}
		}
		if has || !wants(c, prefix) {
			continue
		}
		ports, err := e.bindings(ctx, c.ID)
		if err != nil {
			return nil, fmt.Errorf("docker engine at %s: container %s: %w", e.Address, name(c), err)
		}
		if c.State != container.StateRunning {
			owner.what += " (" + string(c.State) + ")"
		}
		for _, port := range ports {
			wanted[port] = owner
		}
	}
	if err := e.servicePorts(ctx, wanted); err != nil {
		return nil, err
	}
	maps.Copy(wanted, now)
	return wanted, nil
}

// wants is true for a container that publishes ports when it runs, and has none at the
// moment: one that restarts, one of this stack that is about to run, and one of another
// stack in any state. A stopped one of this stack has no claim against another process.
func wants(c container.Summary, prefix string) bool {
	stack := c.Labels[StackLabel]
	if c.State == container.StateRestarting {
		return true
	}
	return stack != "" && (stack != prefix && c.State != "" || c.State == container.StateRunning)
}

// bindings are the host ports that a container was made with.
func (e *Engine) bindings(ctx context.Context, id string) ([]int, error) {
	c, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return nil, ignoreGone(err)
	}
	var ports []int
	for _, all := range c.HostConfig.PortBindings {
		for _, b := range all {
			if port, err := strconv.Atoi(b.HostPort); err == nil {
				ports = append(ports, port)
			}
		}
	}
	return ports, nil
}

// servicePorts adds those of Swarm's services, which have them whether or not a task
// runs.
func (e *Engine) servicePorts(ctx context.Context, all map[int]publisher) error {
	services, err := e.services(ctx)
	for _, s := range services {
		for _, p := range s.Endpoint.Spec.Ports {
			if p.PublishedPort != 0 {
				all[int(p.PublishedPort)] = publisher{"the service " + s.Spec.Name + ofStack(s.Spec.Labels), s.Spec.Labels[StackLabel]}
			}
		}
	}
	return err
}

// services are the Swarm's; none where the engine is no manager.
func (e *Engine) services(ctx context.Context) ([]swarm.Service, error) {
	if !e.Info.Swarm.ControlAvailable {
		return nil, nil
	}
	all, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list services: %w", e.Address, err)
	}
	return all, nil
}

// ofThisMachine is true for an address that a socket here can have.
func ofThisMachine(address string) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// takenBy says who has the port; empty: it is free. That this user may not have it, as
// with one below 1024, says nothing of it: the engine may.
func takenBy(address string, port int) string {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err == nil {
		_ = listener.Close()
		return ""
	}
	found, readable := listeners("/proc", port)
	if !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EPERM) {
		return by(address, found)
	}
	if readable {
		if slices.ContainsFunc(found, func(l socket) bool { return l.meets(address) }) {
			return by(address, found)
		}
		return ""
	}
	if address == "" || net.ParseIP(address).IsUnspecified() {
		address = "127.0.0.1"
	}
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(address, strconv.Itoa(port)), time.Second)
	if err != nil {
		return ""
	}
	_ = connection.Close()
	return by(address, nil)
}

// by names the process that has one of the sockets.
func by(address string, found []socket) string {
	for _, l := range found {
		if l.meets(address) {
			if process := processOf("/proc", l.inode); process != "" {
				return ", " + process
			}
		}
	}
	return ", which only root can name (`ss -ltnp`)"
}
