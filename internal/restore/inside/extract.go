package inside

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/restore/task"
)

// Extract brings what is wanted into a folder of the container, for whoever wants to look at it:
// the database below database/, and each volume's files below its name. Nothing of the stack is
// touched, and nothing is written down.
func (r *Room) Extract(ctx context.Context, folder string) (task.Found, error) {
	var found task.Found
	var database *task.Database
	if r.database() {
		database = r.Request.Database
	}
	if r.Want.Only == journal.Database && database == nil {
		return found, errNoDatabase
	}
	o, err := r.From.Find(ctx, r.Want, database)
	if err != nil {
		return found, err
	}
	if err := durable.MkdirAll(folder); err != nil {
		return found, err
	}
	has, err := free(folder)
	if err != nil {
		return found, err
	}
	if need := o.Bytes + o.DatabaseBytes; has < need+reserve {
		return found, fmt.Errorf("the engine's disk has %d MB free, and what is restored takes %d MB: make room first", has>>20, need>>20)
	}
	if database != nil {
		file := filepath.Join(folder, "database", filepath.Base(database.File))
		if err := durable.MkdirAll(filepath.Dir(file)); err != nil {
			return found, err
		}
		if err := r.From.Database(ctx, o, *database, file); err != nil {
			return found, fmt.Errorf("the database: %w", err)
		}
		told := &task.FoundDatabase{From: o.From(), Moment: o.Moment, Exact: o.Exact}
		if _, err := r.look(ctx, file, func(rows map[string]int64, broken int) { told.Rows, told.Broken = rows, broken }); err != nil {
			return found, fmt.Errorf("what was fetched from %s is not whole: %w", told.From, err)
		}
		told.Bytes, err = size(file)
		found.Database = told
		if err := errors.Join(err, settle(file)); err != nil {
			return found, err
		}
	}
	if !r.Want.Has(journal.Files) || o.Snapshot == "" {
		return found, nil
	}
	found.Snapshot, found.Taken = o.Snapshot, o.Taken
	for _, v := range r.Volumes {
		if _, err := r.From.Files(ctx, o, v.Name, filepath.Join(folder, v.Name)); err != nil {
			return found, fmt.Errorf("the files of the volume %s: %w", v.Name, err)
		}
		found.Volumes = append(found.Volumes, task.FoundVolume{Name: v.Name})
	}
	return found, nil
}
