package engine

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// Where containers that are never started have the volumes. The engine reads and writes them as
// archives, so that no image needs a program for it, and nothing runs as root.
const (
	copiedFrom = "from"
	copiedTo   = "to"
)

// backupFolder is at the top of a volume, and the backup's: what it says is of that volume alone.
const backupFolder = ".backup"

// Copied is how much was copied.
type Copied struct {
	Files int
	Bytes int64
}

// CreateVolume makes an empty one, or, with options that lead to a folder, one of what is in there.
func (e *Engine) CreateVolume(ctx context.Context, name, driver string, options map[string]string) error {
	if _, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Driver: driver, DriverOpts: options}); err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	return nil
}

// RemoveVolume removes one that nothing uses.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	if err := ignoreGone(e.api.VolumeRemove(ctx, name, false)); err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	return nil
}

// CopyVolume copies what is in one volume into another one, which has to be empty, and compares
// both by content, owner and mode. The image is any that the engine has. Nothing may write to
// either of them meanwhile.
func (e *Engine) CopyVolume(ctx context.Context, prefix, image, from, to string) (done Copied, err error) {
	var ids [2]string
	defer func() {
		for _, id := range ids {
			if id != "" {
				err = errors.Join(err, ignoreGone(e.api.ContainerRemove(context.WithoutCancel(ctx), id, container.RemoveOptions{Force: true})))
			}
		}
	}()
	// One each: the engine writes into none that it reads from, and both would wait for each other as soon as
	// there is more in a volume than a socket holds.
	for i, m := range []mount.Mount{{Type: mount.TypeVolume, Source: from, Target: "/" + copiedFrom, ReadOnly: true}, {Type: mount.TypeVolume, Source: to, Target: "/" + copiedTo}} {
		made, err := e.api.ContainerCreate(ctx,
			&container.Config{Image: image, Cmd: []string{"never started"}, NetworkDisabled: true, Labels: map[string]string{StackLabel: prefix, WorkloadLabel: "volume-copy"}},
			&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{m}}, nil, nil, "")
		if err != nil {
			return done, fmt.Errorf("a container with the volume %s: %w", m.Source, err)
		}
		ids[i] = made.ID
	}
	if before, err := e.contents(ctx, ids[1], copiedTo, nil); err != nil {
		return done, err
	} else if len(before) > 1 {
		return done, fmt.Errorf("the volume %s has something in it: %s", to, strings.Join(some(slices.Sorted(maps.Keys(before))[1:]), ", "))
	}
	source, err := e.pour(ctx, ids[0], ids[1])
	if err != nil {
		return done, err
	}
	copied, err := e.contents(ctx, ids[1], copiedTo, nil)
	if err != nil {
		return done, err
	}
	for _, f := range source {
		done.Bytes += f.size
	}
	done.Files = len(source) - 1 // but for the folder itself
	return done, differ(source, copied)
}

// file is what is compared of one: all but its times.
type file struct {
	what string
	size int64
	sum  string
}

// contents are the files below one of the two folders, by their paths in it; the folder itself is
// ".". An archive of it is written to the other folder's name, where to is not nil.
func (e *Engine) contents(ctx context.Context, id, folder string, to *tar.Writer) (map[string]file, error) {
	archive, _, err := e.api.CopyFromContainer(ctx, id, "/"+folder)
	if err != nil {
		return nil, fmt.Errorf("read the volume: %w", err)
	}
	defer archive.Close()
	all := map[string]file{}
	for files := tar.NewReader(archive); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the volume: %w", err)
		}
		inside := func(name string) string { return path.Clean("./" + strings.TrimPrefix(path.Clean(name), folder)) }
		name := inside(h.Name)
		if name == backupFolder || strings.HasPrefix(name, backupFolder+"/") {
			continue
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join(copiedTo, inside(h.Linkname))
		}
		sum := sha256.New()
		content := io.Writer(sum)
		if to != nil {
			h.Name, h.Format = path.Join(copiedTo, name), tar.FormatPAX
			if err := to.WriteHeader(h); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			content = io.MultiWriter(sum, to)
		}
		if _, err := io.Copy(content, files); err != nil { //nolint:gosec // as large as the volume is
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = file{fmt.Sprintf("type %c, mode %o, owner %d:%d, link %q", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Linkname), h.Size, hex.EncodeToString(sum.Sum(nil))}
	}
}

// pour writes the one volume into the other, and returns what was in it.
func (e *Engine) pour(ctx context.Context, from, to string) (map[string]file, error) {
	read, write := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := e.api.CopyToContainer(ctx, to, "/", read, container.CopyToContainerOptions{})
		_ = read.CloseWithError(errors.Join(errors.New("the engine reads no more"), err))
		written <- err
	}()
	archive := tar.NewWriter(write)
	source, err := e.contents(ctx, from, copiedFrom, archive)
	if err == nil {
		err = archive.Close()
	}
	_ = write.CloseWithError(err)
	if failed := <-written; failed != nil {
		return nil, fmt.Errorf("write the volume: %w", failed)
	}
	return source, err
}

// differ says what is not the same; nothing where all is.
func differ(source, copied map[string]file) error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(source)) {
		if is, there := copied[name]; !there {
			wrong = append(wrong, name+" is missing")
		} else if is != source[name] {
			wrong = append(wrong, fmt.Sprintf("%s is another one (%s; %s)", name, source[name].what, is.what))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(copied)) {
		if _, there := source[name]; !there {
			wrong = append(wrong, name+" was not there")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("the copy is not what it was made of: %s", strings.Join(some(wrong), ", "))
}

// some are the first of many.
func some(all []string) []string {
	const most = 3
	if len(all) > most {
		return append(slices.Clone(all[:most]), fmt.Sprintf("and %d more", len(all)-most))
	}
	return all
}
