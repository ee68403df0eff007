package inside

import (
	"context"
	"fmt"
	"path/filepath"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/restore/task"
)

// store is what differs between kinds of databases. What it changes can be asked for again, where
// it was ended in between.
type store interface {
	// need is how much room what is fetched takes, and in which volume.
	need(o Origin) (volume string, bytes int64, err error)
	// fetch brings what is wanted beside what is there. What else has to be done before anybody
	// is asked is load's; ready: nothing has.
	fetch(ctx context.Context, o Origin) (found *task.FoundDatabase, ready bool, err error)
	load(ctx context.Context, found *task.FoundDatabase) error
	// extract brings it into a folder, for whoever wants to look at it.
	extract(ctx context.Context, o Origin, folder string) (*task.FoundDatabase, error)
	// alone proves that nobody has what is there, and keeps it so until it is released.
	alone() (release func(), err error)
	// plan are files to move; what else has to be done to replace what is there is replace's, and
	// undo brings that back.
	plan() ([]journal.Move, error)
	replace(ctx context.Context) error
	undo(ctx context.Context) error
	// check looks at what is in the place now.
	check(ctx context.Context, found *task.FoundDatabase) error
	// sweep removes what was fetched and is at no other place, and drop what was loaded.
	sweep() error
	drop(ctx context.Context) error
	// kept is how large what restores have replaced is, by their names, beside files in volumes that
	// are backed up; forget removes one of these, where there is one.
	kept(ctx context.Context) (map[string]int64, error)
	forget(ctx context.Context, run string) (bool, error)
}

// kind is the stack's store, and store the same where the database is restored.
func (r *Room) kind() store {
	switch {
	case r.Request.Server.Archived(r.Want):
		return inArchive{inServer{r}}
	case r.Request.Server != nil:
		return inServer{r}
	case r.Request.Database != nil:
		return inFile{r}
	}
	return nowhere{}
}

func (r *Room) store() store {
	if r.Want.Has(journal.Database) {
		return r.kind()
	}
	return nowhere{}
}

// nowhere is where there is no database, or none is restored.
type nowhere struct{}

func (nowhere) need(Origin) (string, int64, error) { return "", 0, nil }
func (nowhere) fetch(context.Context, Origin) (*task.FoundDatabase, bool, error) {
	return nil, true, nil
}
func (nowhere) load(context.Context, *task.FoundDatabase) error { return nil }
func (nowhere) extract(context.Context, Origin, string) (*task.FoundDatabase, error) {
	return nil, nil
}
func (nowhere) alone() (func(), error)                           { return func() {}, nil }
func (nowhere) plan() ([]journal.Move, error)                    { return nil, nil }
func (nowhere) replace(context.Context) error                    { return nil }
func (nowhere) undo(context.Context) error                       { return nil }
func (nowhere) check(context.Context, *task.FoundDatabase) error { return nil }
func (nowhere) sweep() error                                     { return nil }
func (nowhere) drop(context.Context) error                       { return nil }
func (nowhere) kept(context.Context) (map[string]int64, error)   { return nil, nil }
func (nowhere) forget(context.Context, string) (bool, error)     { return false, nil }

// inFile is a SQLite database in one of the volumes: all of it are files.
type inFile struct{ *Room }

func (r inFile) need(o Origin) (string, int64, error) {
	has, err := size(r.live())
	return r.Request.Database.Volume, max(has, o.DatabaseBytes) * 11 / 10, err
}

func (r inFile) fetch(ctx context.Context, o Origin) (*task.FoundDatabase, bool, error) {
	if err := r.plain(); err != nil {
		return nil, true, err
	}
	found, err := r.fetchDatabase(ctx, o)
	return found, true, err
}

func (r inFile) extract(ctx context.Context, o Origin, folder string) (*task.FoundDatabase, error) {
	database := *r.Request.Database
	file := filepath.Join(folder, filepath.Base(database.File))
	if err := r.From.Database(ctx, o, database, file); err != nil {
		return nil, err
	}
	told := &task.FoundDatabase{From: o.From(), Moment: o.Moment, Exact: o.Exact}
	if _, err := r.look(ctx, file, func(rows map[string]int64, broken int) { told.Rows, told.Broken = rows, broken }); err != nil {
		return nil, fmt.Errorf("what was fetched from %s is not whole: %w", told.From, err)
	}
	var err error
	if told.Bytes, err = size(file); err != nil {
		return nil, err
	}
	return told, settle(file)
}

func (inFile) load(context.Context, *task.FoundDatabase) error { return nil }
func (r inFile) alone() (func(), error)                        { return r.Room.alone() }
func (r inFile) plan() ([]journal.Move, error)                 { return r.planDatabase() }
func (inFile) replace(context.Context) error                   { return nil }
func (inFile) undo(context.Context) error                      { return nil }
func (r inFile) check(ctx context.Context, _ *task.FoundDatabase) error {
	return r.checkDatabase(ctx)
}
func (inFile) sweep() error                                   { return nil } // with its volume's
func (inFile) drop(context.Context) error                     { return nil }
func (inFile) kept(context.Context) (map[string]int64, error) { return nil, nil }
func (inFile) forget(context.Context, string) (bool, error)   { return false, nil }
