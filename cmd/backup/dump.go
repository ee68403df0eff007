package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/sqlite"
	"tarot-platform/internal/backup/valkey"
)

// manifest says what a snapshot holds. It lies in it, beside the copies of the databases.
type manifest struct {
	At      time.Time `json:"at"`
	Stack   string    `json:"stack"`
	Release string    `json:"release,omitempty"`
	// Database is the application's, and Others are further files of SQLite's in the volumes,
	// which are in the snapshot as they were found, too.
	Database *dumped  `json:"database,omitempty"`
	Others   []dumped `json:"others,omitempty"`
	// Postgres is the copy that a PostgreSQL's own job has made, in one of the volumes.
	Postgres *postgres.Manifest `json:"postgres,omitempty"`
	// Queue is the copy of a queue that is in one of the volumes; nil: there is none.
	Queue *valkey.Manifest `json:"queue,omitempty"`
	// Volumes are counts by the volume's name: of the folders below Source. Exclude are the
	// patterns of what was left out of them.
	Volumes map[string]counted `json:"volumes"`
	Source  string             `json:"source"`
	Exclude []string           `json:"exclude,omitempty"`
	// Mark is by when the continuous copy was on its target, just before.
	Mark *results.Mark `json:"mark,omitempty"`
}

// dumped is the copy of a database.
type dumped struct {
	// Source is the database's file below the source: VOLUME/PATH. File is its copy's below the
	// dump.
	Source string `json:"source"`
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	Pages  int64  `json:"pages"`
	SHA256 string `json:"sha256"`
	results.Content
}

// room is how much has to be free, in sizes of what is copied.
const room = 1.2

// dump copies the databases consistently, while they are written, into the folder of the state.
func (n *nightly) dump(ctx context.Context, found *surveyed) error {
	marks, err := results.Marks(n.State)
	if err != nil {
		return err
	}
	if len(marks) > 0 {
		found.manifest.Mark = &marks[len(marks)-1]
	}
	database, err := n.databaseThere()
	if err != nil {
		return err
	}
	next := below(n.State, dumpFolder+".new")
	if err := os.RemoveAll(next); err != nil { // of one that was killed
		return err
	}
	sources := found.databases
	if database {
		sources = append([]string{n.Database}, sources...)
	}
	if err := n.roomFor(sources); err != nil {
		return err
	}
	for i, source := range sources {
		mine := database && i == 0
		to := below("others", n.relative(source))
		if mine {
			to = filepath.Base(source)
		}
		one, err := dumpOne(ctx, source, next, to)
		switch {
		case mine && err != nil:
			var damaged *sqlite.Damaged
			if errors.As(err, &damaged) {
				return wrong{err}
			}
			return err
		case err != nil:
			n.tell("%s is copied as it is, and not consistently: %s", n.relative(source), err)
			continue
		}
		one.Source = n.relative(source)
		if mine {
			found.manifest.Database = &one
			continue
		}
		n.log.Info("a further database of the application: it is copied every night, and not continuously", "file", one.Source)
		found.manifest.Others = append(found.manifest.Others, one)
	}
	if err := os.MkdirAll(next, 0o700); err != nil {
		return err
	}
	if err := writeJSON(below(next, manifestFile), found.manifest); err != nil {
		return err
	}
	if err := os.RemoveAll(below(n.State, dumpFolder)); err != nil {
		return err
	}
	return os.Rename(next, below(n.State, dumpFolder))
}

func (n *nightly) relative(path string) string {
	name, err := filepath.Rel(n.Source, path)
	if err != nil {
		return path
	}
	return name
}

// databaseThere is false where there is none yet. One that has been there and is gone is wrong.
func (n *nightly) databaseThere() (bool, error) {
	if n.Database == "" {
		return false, nil
	}
	_, err := os.Stat(n.Database)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	var last manifest
	if err := readJSON(below(n.State, manifestFile), &last); err != nil {
		return false, err
	}
	if last.Database != nil {
		return false, wrongf("the database %s is gone: there is no new snapshot, and those that there are have it", n.relative(n.Database))
	}
	n.tell("there is no database yet: %s", n.relative(n.Database))
	return false, nil
}

// roomFor is an error where copies would fill the disk, on which the site may write.
func (n *nightly) roomFor(sources []string) error {
	var need int64
	for _, source := range sources {
		for _, file := range databaseFiles(source) {
			if info, err := os.Stat(file); err == nil {
				need += info.Size()
			}
		}
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(n.State, &disk); err != nil {
		return err
	}
	if free := int64(disk.Bavail) * disk.Bsize; float64(free) < room*float64(need) {
		return wrongf("the disk of the volume backup-state has %d MB free, and a copy of the database needs %d MB", free>>20, int64(room*float64(need))>>20)
	}
	return nil
}

// dumpOne copies one into a folder, and looks whether the copy is whole.
func dumpOne(ctx context.Context, source, folder, name string) (one dumped, err error) {
	to := below(folder, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return one, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(to)
		}
	}()
	db, err := sqlite.Open(source, sqlite.Dump)
	if err != nil {
		return one, err
	}
	if err := errors.Join(db.VacuumInto(ctx, to), db.Close()); err != nil {
		return one, err
	}
	one.File = name
	db, err = sqlite.Open(to, sqlite.ReadOnly)
	if err != nil {
		return one, err
	}
	defer db.Close()
	if err := db.Check(ctx); err != nil {
		return one, err
	}
	if one.Pages, err = db.Pages(ctx); err != nil {
		return one, err
	}
	if one.Content, err = contentOf(ctx, db); err != nil {
		return one, err
	}
	one.Bytes, one.SHA256, err = newest.Sum(to)
	return one, err
}

// contentOf is what a database holds, in the words of the guard's answers.
func contentOf(ctx context.Context, db *sqlite.DB) (c results.Content, err error) {
	if c.Schema, err = db.Schema(ctx); err != nil {
		return c, err
	}
	if c.Rows, err = db.Rows(ctx); err != nil {
		return c, err
	}
	c.ForeignKeys, err = db.ForeignKeys(ctx)
	return c, err
}
