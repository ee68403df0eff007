package engine

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
)

// Actual is what an engine has: all that a stack's state could differ from. Nothing is changed by
// asking for it.
type Actual struct {
	// Can is what the engine can limit: what its kernel has no means for, it leaves out.
	Can system.Info
	// Containers are all of the engine's, and Inspected those that were asked for by id or name, or are
	// the stack's, by their ids.
	Containers []container.Summary
	Inspected  map[string]container.InspectResponse
	Services   []swarm.Service
	Networks   []network.Summary
	Volumes    map[string]*volume.Volume
	Configs    map[string]swarm.Config
	Secrets    map[string]swarm.Secret
	// Images are what the names that were asked for mean; one that is not there is left out.
	Images map[string]Image
}

// Labels that tell of what a command of ours runs and removes.
var passing = []string{OnceLabel, oneOffLabel, AttemptLabel}

// Passing is true for what comes and goes with a command or a job of the platform's.
func Passing(labels map[string]string) bool {
	return slices.ContainsFunc(passing, func(label string) bool { _, has := labels[label]; return has })
}

// Task is true for a container that is a task of a Swarm service's, and service is that one's id.
func Task(labels map[string]string) (service string, is bool) {
	_, is = labels[taskLabel]
	return labels[serviceLabel], is
}

// Asked is what of an engine is to be looked at closely: containers by their ids and names, and images.
type Asked struct{ Containers, Images []string }

// Actual asks for all of it.
func (e *Engine) Actual(ctx context.Context, prefix string, asked Asked) (Actual, error) {
	a := Actual{Can: e.Info, Inspected: map[string]container.InspectResponse{}, Volumes: map[string]*volume.Volume{}, Configs: map[string]swarm.Config{},
		Secrets: map[string]swarm.Secret{}, Images: map[string]Image{}}
	var err error
	failed := func(what string, err error) (Actual, error) {
		return Actual{}, fmt.Errorf("docker engine at %s: %s: %w", e.Address, what, err)
	}
	if a.Containers, err = e.api.ContainerList(ctx, container.ListOptions{All: true}); err != nil {
		return failed("list containers", err)
	}
	for _, c := range a.Containers {
		if c.Labels[StackLabel] != prefix && !slices.Contains(asked.Containers, c.ID) && (len(c.Names) == 0 || !slices.Contains(asked.Containers, c.Names[0][1:])) {
			continue
		}
		found, err := e.api.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) { // since then
			continue
		}
		if err != nil {
			return failed("container "+c.ID, err)
		}
		a.Inspected[c.ID] = found
	}
	if a.Networks, err = e.api.NetworkList(ctx, network.ListOptions{}); err != nil {
		return failed("list networks", err)
	}
	volumes, err := e.api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return failed("list volumes", err)
	}
	for _, v := range volumes.Volumes {
		a.Volumes[v.Name] = v
	}
	for _, name := range asked.Images {
		there, err := e.HasImage(ctx, name)
		if err != nil {
			return failed("image "+name, err)
		}
		if !there {
			continue
		}
		if a.Images[name], err = e.Image(ctx, name); err != nil {
			return failed("image "+name, err)
		}
	}
	return a, e.actualSwarm(ctx, &a)
}

func (e *Engine) actualSwarm(ctx context.Context, a *Actual) error {
	if !e.Info.Swarm.ControlAvailable {
		return nil
	}
	var err error
	if a.Services, err = e.services(ctx); err != nil {
		return err
	}
	configs, err := e.api.ConfigList(ctx, swarm.ConfigListOptions{})
	if err != nil {
		return fmt.Errorf("docker engine at %s: list configs: %w", e.Address, err)
	}
	for _, c := range configs {
		a.Configs[c.ID] = c
	}
	secrets, err := e.api.SecretList(ctx, swarm.SecretListOptions{})
	if err != nil {
		return fmt.Errorf("docker engine at %s: list secrets: %w", e.Address, err)
	}
	for _, s := range secrets {
		a.Secrets[s.ID] = s
	}
	return nil
}

// Mounting are the containers that have a volume, those that do not run first: they are copied from
// without a thought for what runs. Folder is where they have it.
func (a Actual) Mounting(volume string) (id, folder string, there bool) {
	for _, c := range slices.SortedFunc(slices.Values(a.Containers), func(x, y container.Summary) int {
		return cmp.Compare(rank(x), rank(y))
	}) {
		for _, m := range c.Mounts {
			if m.Name == volume {
				return c.ID, m.Destination, true
			}
		}
	}
	return "", "", false
}

func rank(c container.Summary) int {
	if c.State == container.StateRunning {
		return 1
	}
	return 0
}

// File is one in a container: what it holds by a hash, or where it leads to.
type File struct {
	Sum, Link string
	Changed   time.Time
}

// Sums reads the files of a container's folder by their paths in that, and keeps their hashes alone.
// normal is what counts of a file; nil: all of it. Nothing is started for it, and nothing is changed.
func (e *Engine) Sums(ctx context.Context, container, folder string, normal func(name string, content []byte) []byte) (map[string]File, error) {
	archive, _, err := e.api.CopyFromContainer(ctx, container, folder)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of the container %.12s: %w", folder, container, err)
	}
	all, err := sums(archive, path.Base(folder), normal)
	return all, errors.Join(err, archive.Close())
}

// Sum is the hash of a content.
func Sum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func sums(archive io.Reader, top string, normal func(string, []byte) []byte) (map[string]File, error) {
	all, from := map[string]File{}, tar.NewReader(archive)
	for {
		header, err := from.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(path.Clean(header.Name), top+"/")
		switch header.Typeflag {
		case tar.TypeSymlink:
			all[name] = File{Link: header.Linkname, Changed: header.ModTime}
		case tar.TypeReg:
			content, err := io.ReadAll(from)
			if err != nil {
				return nil, err
			}
			if normal != nil {
				content = normal(name, content)
			}
			all[name] = File{Sum: Sum(content), Changed: header.ModTime}
		}
	}
}
