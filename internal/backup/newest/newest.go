// Package newest is a folder with the one newest copy of something that a server has: made by one
// program, and read by another, which backs it up. A manifest beside the copy names it, so that
// there is the one copy or the next, and never half of one.
package newest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/durable"
)

const (
	// ManifestFile is what says which file is the copy, and Unwhole ends the name of one that is
	// not.
	ManifestFile = "manifest.json"
	Unwhole      = ".new"

	lockFile = "lock"
	// spare is what has to stay free beside a copy: the site may write on the same disk.
	spare = 64 << 20
)

// Replace has a file take the place of the last copy, when nobody reads that. The file's name ends
// in Unwhole, before which all copies of its kind have the same ending. Others of that ending go:
// the last one, and those of runs that were killed.
func Replace(ctx context.Context, folder, file, ending string, manifest any) error {
	release, err := lock(ctx, folder, os.O_RDWR|os.O_CREATE, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer release()
	if err := durable.Sync(file); err != nil {
		return err
	}
	whole := strings.TrimSuffix(file, Unwhole)
	if err := os.Rename(file, whole); err != nil {
		return err
	}
	text, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Sync(folder); err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(folder, ManifestFile), append(text, '\n'), 0o600); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if name != filepath.Base(whole) && (strings.HasSuffix(name, ending) || strings.HasSuffix(name, ending+Unwhole)) {
			err = errors.Join(err, os.Remove(filepath.Join(folder, name)))
		}
	}
	return err
}

// Keep has the copy that is in a folder stay while it is read.
func Keep(ctx context.Context, folder string) (release func(), err error) {
	return lock(ctx, folder, os.O_RDONLY, syscall.LOCK_SH)
}

func lock(ctx context.Context, folder string, mode, how int) (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(folder, lockFile), mode, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Room is an error where a copy of so many bytes would fill the disk.
func Room(folder string, need int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return err
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < need+spare {
		return fmt.Errorf("the disk has %d MB free, and a copy needs %d MB, with %d MB to spare: make room first", free>>20, need>>20, spare>>20)
	}
	return nil
}

// Sum is a file's size and hash.
func Sum(path string) (int64, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	hash := sha256.New()
	bytes, err := io.Copy(hash, file)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", path, err)
	}
	return bytes, hex.EncodeToString(hash.Sum(nil)), nil
}
