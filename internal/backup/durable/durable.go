// Package durable changes files so that a crash, of the process or of the machine, leaves
// them as they were or as they were to become: what is written is on the disk before it has
// its name, and a name is on the disk before the next step.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Step is called after each change, by what was done. It is for tests, which end the process
// there; nothing else sets it.
var Step = func(call string) {}

// Write puts the text into the file, whole or not at all. A new file belongs to whom its
// folder belongs to.
func Write(file string, text []byte, mode fs.FileMode) error {
	next := file + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	Step("create " + next)
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", next, err)
	}
	if err := own(next, filepath.Dir(file)); err != nil {
		return err
	}
	Step("write " + next)
	if err := os.Rename(next, file); err != nil {
		return err
	}
	Step("rename " + next)
	return Sync(filepath.Dir(file))
}

// Rename gives a file or a folder another name on the same file system. It is an error where
// that name is taken.
func Rename(from, to string) error {
	if err := renameNew(from, to); err != nil {
		return err
	}
	Step("rename " + from)
	if err := Sync(filepath.Dir(to)); err != nil {
		return err
	}
	return Sync(filepath.Dir(from))
}

// MkdirAll makes a folder and those above it. A new one belongs to whom the one above it
// belongs to: what root makes in a volume is its user's.
func MkdirAll(folder string) error {
	switch info, err := os.Lstat(folder); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is there, and is no folder", folder)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	above := filepath.Dir(folder)
	if err := MkdirAll(above); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	Step("mkdir " + folder)
	if err := own(folder, above); err != nil {
		return err
	}
	return Sync(above)
}

// RemoveAll removes a file or a folder with all that is in it; nothing there is no error.
func RemoveAll(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	Step("remove " + path)
	err := Sync(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Sync brings a file, or the names in a folder, to the disk.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("fsync %s: %w", path, err)
	}
	Step("fsync " + path)
	return nil
}

// There is true where the name is taken, if only by a link that leads nowhere.
func There(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// renameNotAtomic looks and renames, for file systems and systems that do not do both at once.
func renameNotAtomic(from, to string) error {
	switch taken, err := There(to); {
	case err != nil:
		return err
	case taken:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}
