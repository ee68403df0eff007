package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/results"
)

// ManifestFile is what the newest copy's is called, in the folder with it.
const ManifestFile = newest.ManifestFile

const (
	ending  = ".dump"
	unwhole = newest.Unwhole
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
	if err := newest.Room(folder, expected(last.Bytes, m.Size)); err != nil {
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
	if m.Bytes, m.SHA256, err = newest.Sum(file); err != nil {
		return m, err
	}
	m.Took = time.Since(m.At).Round(time.Millisecond)
	return m, newest.Replace(ctx, folder, file, ending, m)
}

// measured asks for the database's size, and the server's version.
func (s Server) measured(ctx context.Context, m *Manifest) error {
	text, err := s.Ask(ctx, "postgres", "SELECT json_build_object('size', pg_database_size("+literal(m.Database)+"), 'version', split_part(current_setting('server_version'), ' ', 1));")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), m)
}

// expected is how large the next copy may get: about as the last one; of the first one it is known
// that it is compressed.
func expected(last, size int64) int64 {
	if last == 0 {
		return size / 2
	}
	return last * 12 / 10
}

// Keep has the copy that is in a folder stay while it is read.
func Keep(ctx context.Context, folder string) (release func(), err error) {
	return newest.Keep(ctx, folder)
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
