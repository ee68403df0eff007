package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/mount"

	"tarot-platform/internal/backup/journal"
)

// uploaded are the folders in which a job has its files and secrets.
var uploaded = []string{"/run/config", "/run/secrets"}

// Like is a container that has what a stack's job had in its last run: image, user, memory,
// network, variables, volumes and files. Its command is the job's.
func (e *Engine) Like(ctx context.Context, prefix, job string) (Once, error) {
	failed := func(err error) (Once, error) { return Once{}, fmt.Errorf("job %s: %w", job, err) }
	last, there, err := e.lastJob(ctx, prefix, job)
	if err == nil && !there {
		err = errors.New("no container of it that has ended is on this engine: `pulumi up` brings it back")
	}
	if err != nil {
		return failed(err)
	}
	c, err := e.api.ContainerInspect(ctx, last.ID)
	if err != nil {
		return failed(err)
	}
	o := Once{Image: c.Config.Image, User: c.Config.User, Environment: c.Config.Env, Memory: c.HostConfig.Memory,
		Command: slices.Concat(c.Config.Entrypoint, c.Config.Cmd), Files: map[string][]byte{}, Shared: true}
	if c.NetworkSettings != nil {
		for _, name := range slices.Sorted(maps.Keys(c.NetworkSettings.Networks)) {
			if name != "none" {
				o.Network = name
				break
			}
		}
	}
	for _, m := range c.Mounts {
		if m.Type == mount.TypeVolume {
			o.Mounts = append(o.Mounts, OnceMount{Source: m.Name, Target: m.Destination, ReadOnly: !m.RW})
		}
	}
	for _, folder := range uploaded {
		from, _, err := e.api.CopyFromContainer(ctx, last.ID, folder)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return failed(err)
		}
		err = errors.Join(readFiles(from, path.Dir(folder), o.Files), from.Close())
		if err != nil {
			return failed(fmt.Errorf("%s: %w", folder, err))
		}
	}
	return o, nil
}

// readFiles reads the plain files of an archive.
func readFiles(archive io.Reader, below string, into map[string][]byte) error {
	from := tar.NewReader(archive)
	for {
		header, err := from.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if into[path.Join(below, header.Name)], err = io.ReadAll(from); err != nil {
			return err
		}
	}
}

// Remaining are those that are there still: an `up` may have made some anew.
func (e *Engine) Remaining(ctx context.Context, prefix string, all []journal.Stopped) (left []journal.Stopped, err error) {
	services, err := e.stackServices(ctx, prefix)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.ID == "" {
			for _, there := range services {
				if there.Spec.Name == s.Name {
					left = append(left, s)
				}
			}
			continue
		}
		_, err := e.api.ContainerInspect(ctx, s.ID)
		switch {
		case err == nil:
			left = append(left, s)
		case !errdefs.IsNotFound(err):
			return nil, fmt.Errorf("container %s: %w", s.Name, err)
		}
	}
	return left, nil
}
