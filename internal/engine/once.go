package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"
)

// OnceLabel has the name of a container that a command of ours runs and removes.
const OnceLabel = "tarot.once"

// Once is a container that runs to its end, for a command of ours: no resource of Pulumi's.
type Once struct {
	// Name is its own; one of a name runs at a time, whoever asks.
	Name string
	// Image is what runs, as User; Command is its start, and the image's own is not used.
	Image, User string
	Command     []string
	// Network is the engine's name of the one that it is on; empty: none.
	Network string
	// Capabilities are what it may beside a user without any.
	Capabilities []string
	Mounts       []OnceMount
	// Environment are variables, as NAME=value. They can be read by whoever may inspect it.
	Environment []string
	// Files are put into it before it starts, by their paths: root's, and readable by root.
	Files map[string][]byte
	// HostProcesses is true where it sees all processes of the engine's machine.
	HostProcesses bool
	// Shared is true where whoever it runs as may read them.
	Shared bool
	// Memory is in bytes.
	Memory int64
	// Take is a folder of the container's, and Taken gets its content as an archive (tar) when it
	// has ended well; empty: nothing is taken.
	Take  string
	Taken func(io.Reader) error
	// Again is true where an earlier run that is still at work is stopped; otherwise its end is
	// awaited.
	Again bool
}

// OnceMount is a volume of the engine, or a folder of its host, in a Once.
type OnceMount struct {
	Source, Target string
	Host           bool
	ReadOnly       bool
	// Shallow is true for a folder of the host without what is mounted below it.
	Shallow bool
}

// earlierRun is how long an earlier run of a Once may take to its end.
const earlierRun = 10 * time.Minute

// RunOnce runs a container to its end, passes on what it has printed to its standard output,
// and removes it. It is an ExitError where it has failed, with what it printed otherwise. One
// that is at work when the command is killed goes on, and the next run awaits its end.
func (e *Engine) RunOnce(ctx context.Context, prefix string, o Once, out io.Writer) error {
	full := prefix + "-" + o.Name
	failed := func(err error) error { return fmt.Errorf("container %s: %w", full, err) }
	if err := e.clearOnce(ctx, prefix, full, o.Again); err != nil {
		return failed(err)
	}
	id, err := e.createOnce(ctx, prefix, full, o)
	if err != nil {
		return failed(err)
	}
	if len(o.Files) > 0 {
		packed, err := pack(o.Files, o.Shared)
		if err == nil {
			err = e.api.CopyToContainer(ctx, id, "/", packed, container.CopyToContainerOptions{})
		}
		if err != nil {
			return failed(errors.Join(err, e.removeOnce(ctx, id)))
		}
	}
	if err := e.api.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return failed(errors.Join(err, e.removeOnce(ctx, id)))
	}
	ended, err := e.awaitOnce(ctx, id)
	if err != nil { // it goes on, or nobody knows
		if o.Again && ctx.Err() != nil {
			err = errors.Join(err, e.removeOnce(ctx, id))
		}
		return failed(err)
	}
	said, err := e.read(ctx, id, out)
	if err == nil {
		err = failure(ended)
	}
	if err != nil && ended.ExitCode != 0 && !ended.OOMKilled {
		err = &ExitError{ended.ExitCode, said}
	}
	if err == nil && o.Take != "" {
		err = e.take(ctx, id, o)
	}
	if err := errors.Join(err, e.removeOnce(ctx, id)); err != nil {
		return failed(err)
	}
	return nil
}

func (e *Engine) take(ctx context.Context, id string, o Once) error {
	from, _, err := e.api.CopyFromContainer(ctx, id, o.Take)
	if err != nil {
		return err
	}
	return errors.Join(o.Taken(from), from.Close())
}

// clearOnce sees to it that no earlier run is there.
func (e *Engine) clearOnce(ctx context.Context, prefix, full string, stop bool) error {
	c, err := e.api.ContainerInspect(ctx, full)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.Config == nil || c.Config.Labels[StackLabel] != prefix || c.Config.Labels[OnceLabel] == "" {
		return errors.New("something else has this name: remove it")
	}
	if atWork(c) && !stop {
		within, cancel := context.WithTimeout(ctx, earlierRun)
		defer cancel()
		if _, err := e.awaitOnce(within, c.ID); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("an earlier run of it is still at work: %w", err)
		}
	}
	return e.removeOnce(ctx, c.ID)
}

func (e *Engine) createOnce(ctx context.Context, prefix, full string, o Once) (id string, err error) {
	config := &container.Config{Image: o.Image, User: o.User, Entrypoint: o.Command, Cmd: []string{}, Env: o.Environment,
		Labels: map[string]string{StackLabel: prefix, OnceLabel: o.Name}, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}}
	host := &container.HostConfig{CapDrop: []string{"ALL"}, CapAdd: o.Capabilities, SecurityOpt: []string{"no-new-privileges"},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig:     container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m"}}, // it is read here
		Resources:     container.Resources{Memory: o.Memory, MemorySwap: o.Memory}, NetworkMode: "none",
		Tmpfs: map[string]string{"/tmp": "mode=1777,nodev,nosuid"}}
	if o.HostProcesses {
		host.PidMode = "host"
	}
	var networks *network.NetworkingConfig
	if o.Network != "" {
		host.NetworkMode = container.NetworkMode(o.Network)
		networks = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{o.Network: {}}}
	}
	for _, m := range o.Mounts {
		kind := mount.TypeVolume
		if m.Host {
			kind = mount.TypeBind
		}
		mounted := mount.Mount{Type: kind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
		if m.Shallow {
			mounted.BindOptions = &mount.BindOptions{NonRecursive: true}
		}
		host.Mounts = append(host.Mounts, mounted)
	}
	made, err := e.api.ContainerCreate(ctx, config, host, networks, nil, full)
	switch {
	case errdefs.IsConflict(err):
		return "", errors.New("another command has just started it: wait for its end")
	case errdefs.IsNotFound(err):
		return "", fmt.Errorf("the image %s, the network or a volume is not on this engine: %w", o.Image, err)
	}
	return made.ID, err
}

// awaitOnce returns when the container has ended.
func (e *Engine) awaitOnce(ctx context.Context, id string) (ended *container.State, err error) {
	for {
		err := poll(ctx, time.Minute, func(ctx context.Context) (bool, error) {
			c, err := e.api.ContainerInspect(ctx, id)
			if err != nil || c.State.Status != container.StateExited && c.State.Status != container.StateDead {
				return false, err
			}
			ended = c.State
			return true, nil
		})
		if err == nil || ctx.Err() != nil || !errors.Is(err, errTime) {
			return ended, err
		}
	}
}

// read passes a container's output on, and returns what it has said otherwise.
func (e *Engine) read(ctx context.Context, id string, out io.Writer) (said string, err error) {
	stream, err := e.api.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var errs bytes.Buffer
	_, err = stdcopy.StdCopy(out, &errs, stream)
	return strings.TrimSpace(errs.String()), err
}

func (e *Engine) removeOnce(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return ignoreGone(e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true}))
}

// pack is an archive of files that are root's, with the folders that they are in.
func pack(files map[string][]byte, shared bool) (io.Reader, error) {
	mode := int64(0o400)
	if shared {
		mode = 0o444
	}
	var packed bytes.Buffer
	to := tar.NewWriter(&packed)
	made := map[string]bool{".": true, "/": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var above []string
		for folder := path.Dir(strings.TrimPrefix(name, "/")); !made[folder]; folder = path.Dir(folder) {
			made[folder] = true
			above = append(above, folder)
		}
		for _, folder := range slices.Backward(above) {
			if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755}); err != nil {
				return nil, err
			}
		}
		if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := to.Write(files[name]); err != nil {
			return nil, err
		}
	}
	return &packed, to.Close()
}
