// Package inside is the part of a restore that has the volumes before it: it runs in one-off
// containers of the helper (cmd/backup). Each step writes down what it is about to do, in the
// journal in the volume of the backup's state, before it does it, and each can be done again.
package inside

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/restore/task"
)

// The names in a volume's place.Folder, and in the state's.
const (
	incoming = "incoming" // what was fetched, by the run
	replaced = "replaced" // what was there before
	undone   = "undone"   // what a restore had brought that was undone, with what was written since
	current  = "restore.json"
	earlier  = "restores" // journals of those that have ended
	lockName = "restore.lock"
)

// Room is where a step works.
type Room struct {
	task.Request
	// State and Volumes are the folders; empty: those of a one-off container.
	State   string
	Folders string
	// From fetches; nil: this step doesn't.
	From Source
	// Postgres is the server of a stack that has one; nil: as Request says.
	Postgres databases
	// Archive is that of such a server; nil: this step needs none.
	Archive archives
	// Now is the time.
	Now func() time.Time
}

// places are the volumes in which something may be put aside: those that are backed up, and a server's
// own.
func (r *Room) places() []task.Volume {
	all := r.Volumes
	if s := r.Request.Server; s != nil && s.Archive != "" {
		all = append(all[:len(all):len(all)], task.Volume{Name: s.Data, Engine: s.Data})
	}
	return all
}

// Source is what is restored from.
type Source interface {
	// Find says what there is of the wanted moment, without fetching it.
	Find(ctx context.Context, want journal.Want, database *task.Database) (Origin, error)
	// Database brings the database to a new file, checked as a whole.
	Database(ctx context.Context, o Origin, database task.Database, file string) error
	// Copy brings the copy of a PostgreSQL's database into a folder, and says what it holds.
	Copy(ctx context.Context, o Origin, folder string) (postgres.Manifest, error)
	// Files brings a volume's files to a new folder, with owners and modes; false where the
	// snapshot has no such volume.
	Files(ctx context.Context, o Origin, volume, folder string) (bool, error)
}

// Origin is what of a target is restored.
type Origin struct {
	// History is the number of the database's; 0: it is that of the snapshot. At is up to when;
	// zero: to its end.
	History int
	At      time.Time
	// Moment and Exact are as in task.FoundDatabase.
	Moment time.Time
	Exact  time.Duration
	// Used is the highest number of a history on the target.
	Used int
	// TargetID is the target's own.
	TargetID string
	// Snapshot has the files, and Taken is its time; empty: none is needed.
	Snapshot string
	Taken    time.Time
	// Exclude are the patterns of what the snapshot was made without.
	Exclude []string
	// Bytes are how much room the files take. The database takes what the one that is there
	// takes, or DatabaseBytes where that is more.
	Bytes, DatabaseBytes int64
}

// From is what the database is of.
func (o Origin) From() string {
	if o.History > 0 {
		return place.Path(o.History)
	}
	return o.Snapshot
}

func (r *Room) state(name string) string {
	folder := r.State
	if folder == "" {
		folder = task.State
	}
	return filepath.Join(folder, name)
}

func (r *Room) folder(volume string) string {
	folder := r.Folders
	if folder == "" {
		folder = task.Volumes
	}
	return filepath.Join(folder, volume)
}

// beside is a place in a volume's folder for the backup's own.
func (r *Room) beside(volume string, names ...string) string {
	return filepath.Join(append([]string{r.folder(volume), place.Folder}, names...)...)
}

// live is the database as the application has it, and fetched where it comes to at first.
func (r *Room) live() string {
	return filepath.Join(r.folder(r.Request.Database.Volume), r.Request.Database.File)
}
func (r *Room) fetched() string {
	return r.beside(r.Request.Database.Volume, incoming, r.Run, "database", filepath.Base(r.Request.Database.File))
}

// database is true where it is restored.
func (r *Room) database() bool { return r.Request.Database != nil && r.Want.Has(journal.Database) }

// ErrOpen is what a restore finds while another one is not finished.
type ErrOpen struct{ Journal journal.Journal }

func (e *ErrOpen) Error() string {
	return fmt.Sprintf("the restore %s of %s by %s is not finished (it is at %q): finish it (--continue) or take it back (--back)",
		e.Journal.Run, e.Journal.Began.UTC().Format(time.RFC3339), e.Journal.Who, e.Journal.Stage)
}

// Do runs a step by its name.
func (r *Room) Do(ctx context.Context, step string) (task.Answer, error) {
	switch step {
	case "fetch":
		return r.Fetch(ctx)
	case "load":
		return r.Load(ctx)
	case "take":
		return r.Take()
	case "list":
		return r.List(ctx)
	case "note":
		return r.Note()
	case "switch":
		return r.Switch(ctx)
	case "undo":
		return r.Undo(ctx)
	case "check":
		return r.Check(ctx)
	case "started":
		return r.Started()
	case "finish":
		return r.Finish(ctx)
	case "forget":
		return r.Forget(ctx)
	}
	return task.Answer{}, fmt.Errorf("restore %q: there is no such step", step)
}

// step runs what a one-off is to do with the journal, alone, and where the restore is at one of
// the stages and this command is the one that drives it.
func (r *Room) step(stages []journal.Stage, do func(*journal.Journal) error) (task.Answer, error) {
	unlock, err := lock(r.state(lockName))
	if err != nil {
		return task.Answer{}, err
	}
	defer unlock()
	j, there, err := journal.Load(r.state(current))
	switch {
	case err != nil:
		return task.Answer{}, err
	case !there:
		return task.Answer{}, fmt.Errorf("no restore is open here")
	case j.Run != r.Run:
		return task.Answer{}, &ErrOpen{j}
	case j.Driver != r.Driver:
		return task.Answer{}, fmt.Errorf("another command is at this restore since: it was continued or taken back elsewhere, and this one ends")
	}
	allowed := false
	for _, s := range stages {
		allowed = allowed || s == j.Stage
	}
	if !allowed {
		return task.Answer{}, fmt.Errorf("the restore %s is at %q, and this step is of another stage", j.Run, j.Stage)
	}
	err = do(&j)
	return task.Answer{Journal: j}, err
}

func (r *Room) save(j *journal.Journal) error { return j.Save(r.state(current)) }

// Take has this command drive the restore that is open; an empty answer where none is.
func (r *Room) Take() (task.Answer, error) {
	unlock, err := lock(r.state(lockName))
	if err != nil {
		return task.Answer{}, err
	}
	defer unlock()
	j, there, err := journal.Load(r.state(current))
	if err != nil || !there {
		return task.Answer{}, err
	}
	j.Driver = r.Driver
	return task.Answer{Journal: j}, r.save(&j)
}

// Note writes down that the programs are about to be stopped, and how they run.
func (r *Room) Note() (task.Answer, error) {
	return r.step([]journal.Stage{journal.Asked}, func(j *journal.Journal) error {
		j.Stage, j.Stopped = journal.Stopping, r.Stopped
		return r.save(j)
	})
}

// Started writes down that what users ask runs, and answers.
func (r *Room) Started() (task.Answer, error) {
	return r.step([]journal.Stage{journal.Starting, journal.Opening}, func(j *journal.Journal) error {
		j.Stage = journal.Opening
		return r.save(j)
	})
}

// Finish ends a restore: what was fetched and is not used goes, what was replaced stays.
func (r *Room) Finish(ctx context.Context) (task.Answer, error) {
	if there, err := exists(r.state(current)); err != nil || !there {
		return task.Answer{}, err // it never began
	}
	return r.step([]journal.Stage{journal.Fetching, journal.Asked, journal.Opening}, func(j *journal.Journal) error {
		if j.Stage != journal.Opening {
			j.Back = true // nothing was changed
		}
		if err := errors.Join(r.empty(), r.store().drop(ctx)); err != nil {
			return err
		}
		j.Ended = r.Now().UTC()
		done := *j
		done.Stage, done.Found = journal.Done, nil
		if err := done.Save(r.state(filepath.Join(earlier, j.Run+".json"))); err != nil {
			return err
		}
		*j = done
		return durable.RemoveAll(r.state(current))
	})
}

// empty removes what was fetched and is at no other place by now.
func (r *Room) empty() error {
	all := []error{r.kind().sweep()}
	for _, v := range r.Volumes {
		if there, err := durable.There(r.beside(v.Name, incoming)); err != nil || there {
			all = append(all, err, durable.RemoveAll(r.beside(v.Name, incoming)))
		}
	}
	return errors.Join(all...)
}

// lock keeps two steps apart; the kernel frees it when the process ends, however it does.
func lock(file string) (func(), error) {
	if err := durable.MkdirAll(filepath.Dir(file)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o660)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("another step of a restore is at work on this stack: wait for its end")
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return func() { _ = f.Close() }, nil
}

// exists is true for what is there; what can't be asked is an error.
func exists(path string) (bool, error) { return durable.There(path) }

// size is a file's; 0 where there is none.
func size(path string) (int64, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
