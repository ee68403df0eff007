// Package install puts programs into a volume that containers of other images mount: by a name
// for each version, so that a container that the engine starts again finds the one that it was
// made with.
package install

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kept are the copies that stay beside a new one: containers may have been started with them.
const kept = 2

// Copy puts a copy of a file into a folder, by the name and with the file's permissions, in one
// step: whoever has the earlier one open keeps that.
func Copy(file, folder, name string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to := filepath.Join(folder, name)
	// One that was left half written may be read-only.
	if err := os.Remove(to + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err := errors.Join(err, out.Chmod(info.Mode().Perm()), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// Program puts a copy of a program there, that everybody may run, and removes the oldest ones of
// it: those whose names begin as this one does, up to the first hyphen.
func Program(file, folder, name string) error {
	if err := Copy(file, folder, name); err != nil {
		return err
	}
	return errors.Join(os.Chmod(filepath.Join(folder, name), 0o755), prune(folder, name))
}

// Link has a name stand for a copy, in one step.
func Link(folder, name, copied string) error {
	link := filepath.Join(folder, name)
	if err := os.Remove(link + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(copied, link+".new"); err != nil {
		return err
	}
	return os.Rename(link+".new", link)
}

// States makes the folder for what programs remember: each may be another user's.
func States(folder string) error {
	state := filepath.Join(folder, "state")
	if err := os.MkdirAll(state, 0o777); err != nil {
		return err
	}
	return os.Chmod(state, 0o777)
}

// prune removes the oldest copies of what has the name.
func prune(folder, name string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	kind, _, _ := strings.Cut(name, "-")
	var others []fs.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && info.Name() != name && strings.HasPrefix(info.Name(), kind+"-") {
			others = append(others, info)
		}
	}
	slices.SortFunc(others, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, other := range others {
		if i >= kept {
			err = errors.Join(err, os.Remove(filepath.Join(folder, other.Name())))
		}
	}
	return err
}
