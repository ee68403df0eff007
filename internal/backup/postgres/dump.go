package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/results"
)

// ManifestFile is what the newest copy's is called, in the folder with it.
const ManifestFile = "manifest.json"

const (
	lockFile = "lock"
	ending   = ".dump"
	unwhole  = ".new"
)

// Manifest says what a copy holds.
type Manifest struct {
	// At is the moment of the copy, and Took how long it was made.
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took"`
	// Database is its name, Size its size in the server, and Version that of the server.
	Database string `json:"database"`
	Size     int64  `json:"size"`
	Version  string `json:"version"`
	// File is the copy, beside the manifest.
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	results.Content
}

// spare is what has to stay free beside a copy: the site may write on the same disk.
const spare = 64 << 20

// Dump copies a database into a folder, which holds the one newest copy after it. One that is
// ended at any moment, or fails, leaves what was there.
func (s Server) Dump(ctx context.Context, database, folder string) (m Manifest, err error) {
	last, err := Read(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	m = Manifest{At: time.Now().UTC(), Database: database}
	if err := s.measured(ctx, &m); err != nil {
		return m, err
	}
	if err := roomFor(folder, last.Bytes, m.Size); err != nil {
		return m, err
	}
	held, err := s.hold(ctx, database)
	if err != nil {
		return m, err
	}
	m.File = database + "-" + m.At.Format("20060102T150405Z") + ending
	file := filepath.Join(folder, m.File+unwhole)
	defer func() { err = errors.Join(err, durable.RemoveAll(file)) }()
	_, err = s.Run(ctx, "pg_dump", "--format=custom", "--compress=zstd:3", "--lock-wait-timeout=10min", "--snapshot="+held.snapshot, "--file="+file, database)
	if err == nil {
		m.Content, err = held.content(ctx)
	}
	if err := errors.Join(err, held.release()); err != nil {
		return m, err
	}
	if _, err := s.Run(ctx, "pg_restore", "--list", file); err != nil {
		return m, fmt.Errorf("the copy that was just made can not be read: %w", err)
	}
	if m.Bytes, m.SHA256, err = Sum(file); err != nil {
		return m, err
	}
	m.Took = time.Since(m.At).Round(time.Millisecond)
	return m, replace(ctx, folder, file, m)
}

// measured asks for the database's size, and the server's version.
func (s Server) measured(ctx context.Context, m *Manifest) error {
	text, err := s.Ask(ctx, "postgres", "SELECT json_build_object('size', pg_database_size("+literal(m.Database)+"), 'version', split_part(current_setting('server_version'), ' ', 1));")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), m)
}

// roomFor is an error where a copy would fill the disk. The next one is about as large as the
// last one; of the first one it is known that it is compressed.
func roomFor(folder string, last, size int64) error {
	need := last * 12 / 10
	if last == 0 {
		need = size / 2
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return err
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < need+spare {
		return fmt.Errorf("the disk has %d MB free, and a copy of the database needs %d MB, with %d MB to spare: make room first", free>>20, need>>20, spare>>20)
	}
	return nil
}

// replace has a copy take the place of the last one, when nobody reads that. The manifest names
// the copy, so that it is either one or the other.
func replace(ctx context.Context, folder, file string, m Manifest) error {
	release, err := lock(ctx, folder, os.O_RDWR|os.O_CREATE, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer release()
	if err := durable.Sync(file); err != nil {
		return err
	}
	if err := os.Rename(file, strings.TrimSuffix(file, unwhole)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
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
	for _, entry := range entries { // the last one, and those of runs that were killed
		name := entry.Name()
		if name != m.File && (strings.HasSuffix(name, ending) || strings.HasSuffix(name, ending+unwhole)) {
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

// Read is the manifest of the copy in a folder; fs.ErrNotExist: there is none.
func Read(folder string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(folder, ManifestFile))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(folder, ManifestFile), err)
	}
	if m.At.IsZero() || m.File == "" || filepath.Base(m.File) != m.File {
		return m, fmt.Errorf("%s says no moment and no file", filepath.Join(folder, ManifestFile))
	}
	return m, nil
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
