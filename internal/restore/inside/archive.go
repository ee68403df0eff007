package inside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/archive"
	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/restore/task"
)

// inArchive is a PostgreSQL that is brought to a moment: the server gets other data as a whole. They come beside those
// that are there, on the same file system, and are looked at by a server of their own. Then the server is stopped, and the
// two folders are moved.
type inArchive struct{ inServer }

// archives are what is asked of an archive.
type archives interface {
	Flush(ctx context.Context) (archive.Mark, error)
	Choose(ctx context.Context, at time.Time) (archive.Choice, error)
	Restore(ctx context.Context, c archive.Choice, folder, work string, look func(archive.Recovered) error) error
}

// serverLock is what a server has for as long as it lives, in its volume.
const serverLock = "lock"

// cluster is the folder with the server's data, below its volume, and coming where what is restored comes to at first.
func (r inArchive) cluster() string { return filepath.Join(strconv.Itoa(r.Server.Version), "docker") }
func (r inArchive) there() string   { return filepath.Join(r.folderOf(), r.cluster()) }
func (r inArchive) coming() string {
	return r.beside(r.Server.Data, incoming, r.Run, "cluster")
}
func (r inArchive) folderOf() string { return r.Room.folder(r.Server.Data) }

func (r inArchive) need(Origin) (string, int64, error) {
	has, err := sum(r.there())
	if errors.Is(err, os.ErrNotExist) {
		has, err = 0, nil
	}
	return r.Server.Data, has * 11 / 10, err
}

func (r inArchive) fetch(context.Context, Origin) (*task.FoundDatabase, bool, error) {
	return &task.FoundDatabase{From: "the archive"}, false, nil
}

// at is the wanted moment; the zero one: to the end.
func (r inArchive) at() time.Time {
	at, err := time.Parse(time.RFC3339, r.Want.At)
	if err != nil {
		return time.Time{}
	}
	return at
}

// recover brings the data to the moment into a folder, and has somebody look at them.
func (r inArchive) recover(ctx context.Context, found *task.FoundDatabase, folder, work string, look func(archive.Recovered, results.Content) error) error {
	// What is committed by now is to be had, too. Where the target does not take it, the archive may have
	// what is wanted all the same.
	_, err := r.Archive.Flush(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, new(postgres.Unanswered)):
		found.Unarchived = "the server does not run"
	case err != nil:
		found.Unarchived = err.Error()
	}
	c, err := r.Archive.Choose(ctx, r.at())
	if err != nil {
		return fmt.Errorf("%w. A nightly copy is restored by the id of its snapshot (--at)", err)
	}
	has, err := free(filepath.Dir(folder))
	if err == nil && has < c.Bytes*11/10+reserve {
		err = fmt.Errorf("there are %d MB free, and the database takes %d MB: make room first", has>>20, c.Bytes*11/10>>20)
	}
	if err != nil {
		return err
	}
	found.From, found.Bytes, found.Moment = c.From(), c.Bytes, c.To
	return r.Archive.Restore(ctx, c, folder, work, func(got archive.Recovered) error {
		switch {
		case got.Reached:
			found.Moment = c.At
		case !got.Last.IsZero():
			found.Moment = got.Last
		}
		content, err := looked(ctx, got, r.Server.Database)
		if err != nil {
			return fmt.Errorf("what was restored from %s: %w", c.From(), err)
		}
		found.Rows = content.Rows
		return look(got, content)
	})
}

// looked is what a restored database holds. A test says something else.
var looked = func(ctx context.Context, got archive.Recovered, database string) (results.Content, error) {
	return got.Server.Content(ctx, database)
}

func (r inArchive) load(ctx context.Context, found *task.FoundDatabase) error {
	if err := r.sweep(); err != nil { // of one that was killed
		return err
	}
	parent := filepath.Dir(r.coming())
	if err := durable.MkdirAll(parent); err != nil {
		return err
	}
	// The server's user goes through them, and the backup's own folder is nobody else's.
	for _, folder := range []string{r.beside(r.Server.Data), r.beside(r.Server.Data, incoming), parent} {
		if err := r.give(folder); err != nil {
			return err
		}
	}
	return r.recover(ctx, found, r.coming(), filepath.Join(os.TempDir(), "recovering"), func(_ archive.Recovered, got results.Content) error {
		now, err := r.server().Content(ctx, r.Server.Database)
		switch {
		case err == nil:
			found.Live, found.Migrate = now.Rows, now.Schema != got.Schema
		case ctx.Err() != nil:
			return err
		default: // it may be what is wrong
			found.Unreadable = err.Error()
		}
		return nil
	})
}

// give has a folder be the server's user's.
func (r inArchive) give(folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(folder, int(r.Server.UID), int(r.Server.GID))
}

// extract brings a copy of the database into the folder, which any server reads (pg_restore).
func (r inArchive) extract(ctx context.Context, _ Origin, folder string) (*task.FoundDatabase, error) {
	found := &task.FoundDatabase{}
	if err := errors.Join(r.give(filepath.Dir(folder)), r.give(folder)); err != nil { // it goes through both
		return nil, err
	}
	cluster := filepath.Join(filepath.Dir(folder), ".cluster")
	err := r.recover(ctx, found, cluster, filepath.Join(os.TempDir(), "recovering"), func(got archive.Recovered, _ results.Content) error {
		_, err := got.Server.Dump(ctx, r.Server.Database, folder)
		return err
	})
	return found, errors.Join(err, os.RemoveAll(cluster), os.RemoveAll(filepath.Join(folder, "lock")))
}

// alone takes the lock of the server: the kernel keeps it for as long as any process of one lives.
func (r inArchive) alone() (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(r.folderOf(), serverLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = r.give(file.Name()) // of a server that there never was
	if err == nil {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a server still has the data (%s): %w", file.Name(), err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

func (r inArchive) plan() ([]journal.Move, error) {
	var all []journal.Move
	there, err := exists(r.there())
	if err == nil && there {
		all = append(all, journal.Move{From: r.there(), To: filepath.Join(r.beside(r.Server.Data, replaced, r.Run), r.cluster()), Aside: true})
	}
	return append(all, journal.Move{From: r.coming(), To: r.there()}), err
}

func (inArchive) replace(context.Context) error { return nil }
func (inArchive) undo(context.Context) error    { return nil }

// check: what is there was looked at as a whole when it was restored. This finds a disk that has lost it.
func (r inArchive) check(context.Context, *task.FoundDatabase) error {
	text, err := os.ReadFile(filepath.Join(r.there(), "PG_VERSION"))
	if err == nil && strings.TrimSpace(string(text)) != strconv.Itoa(r.Server.Version) {
		err = fmt.Errorf("what was restored is of PostgreSQL %s", strings.TrimSpace(string(text)))
	}
	return err
}

func (r inArchive) sweep() error             { return durable.RemoveAll(r.beside(r.Server.Data, incoming)) }
func (inArchive) drop(context.Context) error { return nil }

var _ archives = archive.Archive{}
