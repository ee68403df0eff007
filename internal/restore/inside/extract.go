package inside

import (
	"context"
	"fmt"
	"path/filepath"

	"tarot-platform/internal/backup/durable"
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
	if err := r.possible(); err != nil {
		return found, err
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
	into := filepath.Join(folder, "database")
	if r.store() != (nowhere{}) {
		if err := durable.MkdirAll(into); err != nil {
			return found, err
		}
	}
	if found.Database, err = r.store().extract(ctx, o, into); err != nil {
		return found, fmt.Errorf("the database: %w", err)
	}
	wanted := r.Wanted(r.Want)
	if len(wanted) == 0 || o.Snapshot == "" {
		return found, nil
	}
	found.Snapshot, found.Taken = o.Snapshot, o.Taken
	for _, v := range wanted {
		if _, err := r.From.Files(ctx, o, v.Name, filepath.Join(folder, v.Name)); err != nil {
			return found, fmt.Errorf("the files of the volume %s: %w", v.Name, err)
		}
		found.Volumes = append(found.Volumes, task.FoundVolume{Name: v.Name})
	}
	return found, nil
}
