package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"tarot-platform/internal/backup/archive"
	"tarot-platform/internal/backup/results"
)

// rehearse restores what the archive has newest, into the room, and compares it with what the live database holds.
func (a *archiver) rehearse(ctx context.Context) error {
	folder := below(a.Room, archiveFolder)
	empties := func() {
		_ = os.MkdirAll(folder, 0o700)
		if err := empty(folder); err != nil {
			a.log.Warn("what was restored can not be removed: " + err.Error())
		}
	}
	defer empties()
	for try := 1; ; try++ {
		empties() // also of one that was killed
		err := a.restored(ctx, folder)
		if errors.As(err, new(unsure)) && try < tries && ctx.Err() == nil {
			a.log.Info("restored once more: "+err.Error(), "try", try)
			continue
		}
		return err
	}
}

func (a *archiver) restored(ctx context.Context, folder string) error {
	before, err := a.held(ctx)
	if err != nil {
		return err
	}
	mark, err := a.Flush(ctx)
	if err != nil {
		return err
	}
	c, err := a.Choose(ctx, time.Time{})
	if err != nil {
		return a.judged(ctx, err)
	}
	if err := roomForCluster(folder, c.Bytes); err != nil {
		return err
	}
	var found results.Mark
	err = a.Restore(ctx, c, below(folder, "data"), below(folder, "work"), func(r archive.Recovered) error {
		if r.LSN < mark.LSN {
			return wrongf("what is in the archive ends before what the server has sent there: at %X, and that was %X", r.LSN, mark.LSN)
		}
		content, err := r.Server.Content(ctx, a.Database)
		if err != nil {
			return err
		}
		found.Content = &content
		return a.checked(ctx, r)
	})
	if err != nil {
		if errors.As(err, new(wrong)) {
			return err
		}
		return a.lookedAt(ctx, err)
	}
	after, err := a.held(ctx)
	if err != nil {
		return err
	}
	a.figures["archive_age_seconds"] = max(0, time.Since(mark.At).Seconds())
	a.figures["archive_restored_bytes"], a.figures["archive_restored_rows"] = float64(c.Bytes), 0
	for _, rows := range found.Content.Rows {
		a.figures["archive_restored_rows"] += float64(rows)
	}
	// It is of a moment between the two: nobody counts transactions here.
	return compare(before, after, 0, *found.Content)
}

// held is what the live database holds.
func (a *archiver) held(ctx context.Context) (results.Mark, error) {
	content, err := a.Server.Content(ctx, a.Database)
	return results.Mark{Content: &content, TXID: 1}, err
}

// checkLimit is how long the pages and indexes of a restored database are looked at.
const checkLimit = 30 * time.Minute

// checked looks at all tables and indexes of a restored database.
func (a *archiver) checked(ctx context.Context, r archive.Recovered) error {
	within, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	said, err := r.Server.Run(within, "pg_amcheck", "--install-missing", "--heapallindexed", "--no-dependent-toast", a.Database)
	var found *exec.ExitError
	switch {
	case err == nil:
		return nil
	case within.Err() != nil && ctx.Err() == nil:
		a.log.Info("not all of its tables were looked at", "within", checkLimit.String())
		return nil
	case errors.As(err, &found) && found.ExitCode() == 2:
		return wrongf("the restored database is damaged: %s", lastLine(said))
	}
	return err
}

// lookedAt is what it means that something could not be restored.
func (a *archiver) lookedAt(ctx context.Context, err error) error {
	if ctx.Err() != nil || full(a.Room) {
		return err
	}
	if _, _, asked := a.Backups(ctx); asked != nil {
		return errors.Join(err, asked)
	}
	return wrong{fmt.Errorf("what is in the archive can not be restored: %w", err)}
}

// roomForCluster is an error where a cluster would fill the disk, on which the site may write.
func roomForCluster(folder string, bytes int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return err
	}
	if free, need := int64(disk.Bavail)*disk.Bsize, bytes*11/10+(256<<20); free < need {
		return wrongf("the disk of the volume rehearsal-postgres has %d MB free, and what is restored needs %d MB", free>>20, need>>20)
	}
	return nil
}
