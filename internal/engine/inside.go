package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"
)

// Place is where a replica of a workload runs.
type Place struct {
	// ID is the container's; empty where another node has it.
	ID string
	// Name is short, and Number is the replica's.
	Name   string
	Number int
	// Node is the machine's name.
	Node string
	// Well is true unless its health check says otherwise.
	Well bool
}

// Places are where a stack's workload runs, by the number of the replica. Of those on other nodes,
// only the node is known.
func (e *Engine) Places(ctx context.Context, prefix, workload string) ([]Place, error) {
	found, err := e.workload(ctx, prefix, workload, false)
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	var all []Place
	for _, c := range found {
		if _, job := c.Labels[AttemptLabel]; job || c.State != container.StateRunning {
			continue
		}
		short := short(containerName(c), prefix)
		// The API's lists tell the health in no field of its own before version 1.52.
		all = append(all, Place{c.ID, short, number(short), e.Info.Name, !strings.Contains(c.Status, "(unhealthy)") && !strings.Contains(c.Status, "(health: starting)")})
	}
	others, err := e.elsewhere(ctx, prefix, workload)
	if err != nil {
		return nil, err
	}
	all = append(all, others...)
	slices.SortFunc(all, func(a, b Place) int {
		if a.Number != b.Number {
			return a.Number - b.Number
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// containerName is the container's own; name is a task's service's.
func containerName(c container.Summary) string {
	if len(c.Names) > 0 {
		return strings.TrimPrefix(c.Names[0], "/")
	}
	return c.ID
}

var numbered = regexp.MustCompile(`[-.]([0-9]+)$`)

func number(name string) int {
	if found := numbered.FindStringSubmatch(name); found != nil {
		n, _ := strconv.Atoi(found[1])
		return n
	}
	return 0
}

// elsewhere are the running tasks of a workload on other nodes.
func (e *Engine) elsewhere(ctx context.Context, prefix, workload string) ([]Place, error) {
	services, err := e.stackServices(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list services: %w", e.Address, err)
	}
	var all []Place
	for _, s := range services {
		if short(s.Spec.Name, prefix) != workload {
			continue
		}
		tasks, err := e.tasks(ctx, s.Spec.Name)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Spec.Name, err)
		}
		for _, t := range tasks {
			if t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning && t.NodeID != e.Info.Swarm.NodeID {
				all = append(all, Place{Name: fmt.Sprintf("%s.%d", workload, t.Slot), Number: t.Slot, Node: e.nodeName(ctx, t.NodeID), Well: true})
			}
		}
	}
	return all, nil
}

// nodeName is what people call a node; its id where nobody knows.
func (e *Engine) nodeName(ctx context.Context, id string) string {
	nodes, err := e.api.NodeList(ctx, swarm.NodeListOptions{Filters: filters.NewArgs(filters.Arg("id", id))})
	if err == nil {
		for _, n := range nodes {
			if n.ID == id && n.Description.Hostname != "" {
				return n.Description.Hostname
			}
		}
	}
	return id
}

// ErrNoReplica is of a workload that has no container.
var ErrNoReplica = errors.New("no replica of it runs: `stack status` says why")

// Pick is the replica of the number, or one that is well where that is 0. It is an error where there
// is none that this engine can enter.
func (e *Engine) Pick(ctx context.Context, prefix, workload string, replica int) (Place, error) {
	all, err := e.Places(ctx, prefix, workload)
	if err != nil {
		return Place{}, err
	}
	if len(all) == 0 {
		return Place{}, fmt.Errorf("%s: %w", workload, ErrNoReplica)
	}
	var here []Place
	var names []string
	for _, p := range all {
		if replica != 0 && p.Number != replica {
			names = append(names, strconv.Itoa(p.Number))
			continue
		}
		if p.ID != "" {
			here = append(here, p)
		}
		if replica != 0 && p.ID == "" {
			return Place{}, onNode(p, e.Info.Name)
		}
	}
	switch {
	case replica != 0 && len(here) == 0:
		return Place{}, fmt.Errorf("replica is %d; of %s there are here: %s", replica, workload, strings.Join(names, ", "))
	case len(here) == 0:
		return Place{}, onNode(all[0], e.Info.Name)
	}
	for _, p := range here {
		if p.Well {
			return p, nil
		}
	}
	return here[0], nil
}

// onNode says where a task is that can not be entered from here.
func onNode(p Place, here string) error {
	return fmt.Errorf("%s runs on the node %s, and a container is entered on its own node only; this one is %s. There: docker exec, or from here with DOCKER_HOST=ssh://%[2]s and the same command", p.Name, p.Node, here)
}

// Entry is a command that runs in a container that is there, as the container's own user.
type Entry struct {
	Command []string
	// Environment is added to the container's, as NAME=value.
	Environment []string
	// In is read by it; nil: it has no input.
	In io.Reader
	// Out and Errs get what it prints; of a terminal, all is in Out.
	Out, Errs io.Writer
	// Terminal is true where it has one, of the size: rows and columns. Resized tells of others.
	Terminal bool
	Size     [2]uint
	Resized  <-chan [2]uint
}

// ErrRoot refuses a shell as root.
var ErrRoot = errors.New("it runs as root, and nobody enters a container as root by this command (CIS 5.24); `docker exec` on the engine's machine does")

// Enter runs a command in a container, and returns when it has ended: an ExitError where its exit
// code is not 0. When ctx ends it returns at once, and the command goes on: an engine has no word
// for its end.
func (e *Engine) Enter(ctx context.Context, id string, entry Entry) error {
	c, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	if isRoot(c.Config.User) {
		return ErrRoot
	}
	o := container.ExecOptions{User: c.Config.User, Cmd: entry.Command, Env: entry.Environment, Tty: entry.Terminal,
		AttachStdin: entry.In != nil, AttachStdout: true, AttachStderr: true}
	if entry.Terminal && entry.Size != [2]uint{} {
		o.ConsoleSize = &entry.Size
	}
	created, err := e.api.ContainerExecCreate(ctx, id, o)
	if err != nil {
		return err
	}
	stream, err := e.api.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{Tty: o.Tty, ConsoleSize: o.ConsoleSize})
	if err != nil {
		return err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Close)() // nothing else ends a read of it
	if entry.In != nil {
		go func() { // it ends with the process: nothing ends a read from a terminal
			_, _ = io.Copy(stream.Conn, entry.In)
			_ = stream.CloseWrite()
		}()
	}
	over := make(chan struct{})
	defer close(over)
	if entry.Terminal {
		go e.resizes(ctx, created.ID, entry, over)
		_, err = io.Copy(entry.Out, stream.Reader)
	} else {
		_, err = stdcopy.StdCopy(entry.Out, entry.Errs, stream.Reader)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	ended, err := e.api.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return err
	}
	if ended.ExitCode != 0 {
		return &ExitError{Code: ended.ExitCode}
	}
	return nil
}

// resizes passes the size of the terminal on, the first one too: engines before API 1.42 take none
// at the start.
func (e *Engine) resizes(ctx context.Context, exec string, entry Entry, over <-chan struct{}) {
	set := func(size [2]uint) {
		if size != [2]uint{} {
			_ = e.api.ContainerExecResize(ctx, exec, container.ResizeOptions{Height: size[0], Width: size[1]})
		}
	}
	set(entry.Size)
	for {
		select {
		case size, more := <-entry.Resized:
			if !more {
				return
			}
			set(size)
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

// isRoot is true for the user of an image that says none, too.
func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	if id, err := strconv.Atoi(name); err == nil {
		return id == 0
	}
	return name == "" || name == "root"
}
