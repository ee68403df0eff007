package inside

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/sqlite"
	"tarot-platform/internal/restore/task"
)

// Fetch brings what is wanted beside what is there, checks it, and tells what it would replace.
// Users are served meanwhile. Where it is called again it begins anew.
func (r *Room) Fetch(ctx context.Context) (task.Answer, error) {
	unlock, err := lock(r.state(lockName))
	if err != nil {
		return task.Answer{}, err
	}
	defer unlock()
	j, there, err := journal.Load(r.state(current))
	switch {
	case err != nil:
		return task.Answer{}, err
	case there && j.Run != r.Run:
		return task.Answer{}, &ErrOpen{j}
	case there && j.Driver != r.Driver:
		return task.Answer{}, errors.New("another command is at this restore since: it was continued or taken back elsewhere, and this one ends")
	case there && j.Stage != journal.Fetching:
		return task.Answer{Journal: j}, nil
	case !there:
		j = journal.Journal{Run: r.Run, Stage: journal.Fetching, Who: r.Who, Driver: r.Driver, Began: r.Now().UTC(), Want: r.Want}
		if err := r.save(&j); err != nil {
			return task.Answer{}, err
		}
	}
	found, ready, err := r.fetch(ctx)
	if err != nil {
		return task.Answer{Journal: j}, errors.Join(err, r.empty())
	}
	if j.Found, err = json.Marshal(found); err != nil {
		return task.Answer{}, err
	}
	if ready {
		j.Stage = journal.Asked
	}
	return task.Answer{Journal: j}, r.save(&j)
}

// Load has the database's server take what was fetched, and tells what it would replace.
func (r *Room) Load(ctx context.Context) (task.Answer, error) {
	return r.step([]journal.Stage{journal.Fetching, journal.Asked}, func(j *journal.Journal) error {
		if j.Stage == journal.Asked {
			return nil
		}
		var found task.Found
		err := json.Unmarshal(j.Found, &found)
		if err == nil && found.Database != nil {
			err = r.store().load(ctx, found.Database)
		}
		if err != nil {
			return fmt.Errorf("what was fetched: %w", err)
		}
		if j.Found, err = json.Marshal(found); err != nil {
			return err
		}
		j.Stage = journal.Asked
		return r.save(j)
	})
}

var errNoDatabase = errors.New("this stack's database is in no file of a volume that is backed up: there is none to restore here")

// possible refuses what this stack has not.
func (r *Room) possible() error {
	switch {
	case r.Want.Only == journal.Database && r.kind() == (nowhere{}):
		return errNoDatabase
	case r.Want.Only == journal.Queue && len(r.Wanted(r.Want)) == 0:
		return errNoQueue
	}
	return nil
}

func (r *Room) fetch(ctx context.Context) (found task.Found, ready bool, err error) {
	if err := r.empty(); err != nil {
		return found, true, err
	}
	if err := r.possible(); err != nil {
		return found, true, err
	}
	var database *task.Database
	if r.database() {
		database = r.Request.Database
	}
	o, err := r.From.Find(ctx, r.Want, database)
	if err != nil {
		return found, true, err
	}
	if err := r.room(o); err != nil {
		return found, true, err
	}
	if found.Database, ready, err = r.store().fetch(ctx, o); err != nil {
		return found, ready, fmt.Errorf("the database: %w", err)
	}
	wanted := r.Wanted(r.Want)
	if len(wanted) == 0 || o.Snapshot == "" {
		return found, ready, nil
	}
	found.Snapshot, found.Taken, found.Exclude = o.Snapshot, o.Taken, o.Exclude
	r.Exclude = append(r.Exclude[:len(r.Exclude):len(r.Exclude)], o.Exclude...)
	for _, v := range wanted {
		folder := r.beside(v.Name, incoming, r.Run, "files")
		if err := durable.MkdirAll(folder); err != nil {
			return found, ready, err
		}
		has, err := r.From.Files(ctx, o, v.Name, folder)
		if err == nil && has && v.Queue != "" {
			found.Queue, err = r.queue(v, folder)
			has = found.Queue != nil
		}
		if err == nil && !has { // nothing is known of it, so nothing of it is replaced
			err = durable.RemoveAll(folder)
		}
		if err == nil && has && v.Queue == "" {
			var told task.FoundVolume
			told, err = r.compare(v)
			found.Volumes = append(found.Volumes, told)
		}
		if err != nil {
			return found, ready, fmt.Errorf("the files of the volume %s: %w", v.Name, err)
		}
	}
	return found, ready, nil
}

// plain refuses a database that is a link: what it leads to may be on another file system, and
// is somebody else's.
func (r *Room) plain() error {
	info, err := os.Lstat(r.live())
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is no plain file: restore into a folder (--into), and put it there by hand", r.Request.Database.Live)
}

// room refuses what would not fit, before anything is fetched: half a restore and a full disk
// would be worse than what is there. What is replaced stays, so all of it comes on top.
func (r *Room) room(o Origin) error {
	need := map[uint64]int64{} // by the file system
	on := map[uint64]string{}
	add := func(volume string, bytes int64) error {
		var s syscall.Stat_t
		if err := syscall.Stat(r.folder(volume), &s); err != nil {
			return err
		}
		need[uint64(s.Dev)] += bytes
		on[uint64(s.Dev)] = volume
		return nil
	}
	volume, bytes, err := r.store().need(o)
	if err == nil && volume != "" {
		err = add(volume, bytes)
	}
	if err != nil {
		return err
	}
	if wanted := r.Wanted(r.Want); o.Snapshot != "" {
		// They share one disk nearly always; where not, each has to have room for all.
		seen := map[uint64]bool{}
		for _, v := range wanted {
			var s syscall.Stat_t
			if err := syscall.Stat(r.folder(v.Name), &s); err != nil {
				return err
			}
			if seen[uint64(s.Dev)] {
				continue
			}
			seen[uint64(s.Dev)] = true
			if err := add(v.Name, o.Bytes*11/10); err != nil {
				return err
			}
		}
	}
	for dev, bytes := range need {
		free, err := free(r.folder(on[dev]))
		if err != nil {
			return err
		}
		if free < bytes+reserve {
			return fmt.Errorf("the disk of the volume %s has %d MB free, and what is restored takes %d MB beside what is there, and %d MB are to stay free: make room first. Nothing was changed",
				on[dev], free>>20, bytes>>20, int64(reserve)>>20)
		}
	}
	return nil
}

// reserve stays free for those who are served meanwhile.
const reserve = 16 << 20

// free is how many bytes a folder's file system has for anybody. A test says another number.
var free = func(folder string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

func (r *Room) fetchDatabase(ctx context.Context, o Origin) (*task.FoundDatabase, error) {
	d := *r.Request.Database
	file := r.fetched()
	if err := durable.MkdirAll(filepath.Dir(file)); err != nil {
		return nil, err
	}
	if err := r.From.Database(ctx, o, d, file); err != nil {
		return nil, err
	}
	found := &task.FoundDatabase{From: o.From(), Moment: o.Moment, Exact: o.Exact}
	schema, err := r.look(ctx, file, func(rows map[string]int64, broken int) { found.Rows, found.Broken = rows, broken })
	if err != nil {
		return nil, fmt.Errorf("what was fetched from %s is not whole: %w", found.From, err)
	}
	if err := settle(file); err != nil {
		return nil, err
	}
	if found.Bytes, err = size(file); err != nil {
		return nil, err
	}
	if err := r.tellLive(ctx, found, schema); err != nil {
		return nil, err
	}
	next, err := r.next(o)
	if err != nil {
		return nil, err
	}
	found.Next = next.Path
	text, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := durable.Write(filepath.Join(filepath.Dir(file), "place.json"), append(text, '\n'), 0o600); err != nil {
		return nil, err
	}
	return found, r.adopt(file)
}

// tellLive looks at the database that is there. One that can't be read is no reason not to
// restore, but it is told.
func (r *Room) tellLive(ctx context.Context, found *task.FoundDatabase, schema string) error {
	for _, name := range []string{r.live(), r.live() + "-wal"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.ModTime().After(found.Written) {
			found.Written = info.ModTime().UTC()
		}
	}
	if found.Written.IsZero() {
		return nil
	}
	// Not checked as a whole: that takes long, and it goes away.
	live, err := r.count(ctx, r.live(), func(rows map[string]int64, broken int) { found.Live, found.LiveBroken = rows, broken })
	if err != nil {
		found.Unreadable = err.Error()
	}
	found.Migrate = err == nil && live != schema
	return ctx.Err()
}

// look checks a database as a whole, and counts; the answer is its schema.
func (r *Room) look(ctx context.Context, file string, tell func(map[string]int64, int)) (schema string, err error) {
	db, err := sqlite.Open(file, sqlite.ReadOnly)
	if err != nil {
		return "", err
	}
	err = db.Check(ctx)
	if err := errors.Join(err, db.Close()); err != nil {
		return "", err
	}
	return r.count(ctx, file, tell)
}

func (r *Room) count(ctx context.Context, file string, tell func(map[string]int64, int)) (schema string, err error) {
	db, err := sqlite.Open(file, sqlite.ReadOnly)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.Rows(ctx)
	if err != nil {
		return "", err
	}
	broken, err := db.ForeignKeys(ctx)
	if err != nil {
		return "", err
	}
	tell(rows, broken)
	return db.Schema(ctx)
}

// settle removes what looking at a database has left beside it. A log with anything in it would
// be a part of the database.
func settle(file string) error {
	bytes, err := size(file + "-wal")
	if err != nil {
		return err
	}
	if bytes > 0 {
		return fmt.Errorf("%s-wal has %d bytes that are not in the database", file, bytes)
	}
	for _, end := range []string{"-wal", "-shm"} {
		if there, err := exists(file + end); err != nil || there {
			if err := errors.Join(err, durable.RemoveAll(file+end)); err != nil {
				return err
			}
		}
	}
	return durable.Sync(file)
}

// next is the history that the restored database begins: one that nobody has ever written.
func (r *Room) next(o Origin) (place.Place, error) {
	newest := o.Used
	folder := r.beside(r.Request.Database.Volume)
	was, has, err := place.Read(folder)
	if err != nil {
		return place.Place{}, err
	}
	if has && was.Target == o.TargetID && was.Stack == r.Stack {
		newest = max(newest, place.Number(was.Path))
	}
	// A history that was begun and taken back may have reached the target only in part.
	for _, aside := range []string{replaced, undone} {
		runs, err := os.ReadDir(filepath.Join(folder, aside))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return place.Place{}, err
		}
		for _, run := range runs {
			p, has, err := place.Read(filepath.Join(folder, aside, run.Name(), place.Folder))
			if err != nil {
				return place.Place{}, err
			}
			if has && p.Target == o.TargetID && p.Stack == r.Stack {
				newest = max(newest, place.Number(p.Path))
			}
		}
	}
	return place.Place{Path: place.Path(newest + 1), Stack: r.Stack, Target: o.TargetID, ID: rand.Text(), Began: r.Now().UTC()}, nil
}

// adopt gives the database that was fetched the owner of its folder, and the mode of the one
// that is there.
func (r *Room) adopt(file string) error {
	mode := fs.FileMode(0o660)
	if info, err := os.Stat(r.live()); err == nil {
		mode = info.Mode().Perm()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder := filepath.Dir(r.live())
	if there, err := exists(folder); err != nil {
		return err
	} else if !there {
		folder = r.folder(r.Request.Database.Volume)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	of := info.Sys().(*syscall.Stat_t)
	if err := os.Chmod(file, mode); err != nil {
		return err
	}
	if os.Geteuid() == 0 || int(of.Uid) != os.Geteuid() {
		if err := os.Lchown(file, int(of.Uid), int(of.Gid)); err != nil {
			return fmt.Errorf("%s has to belong to %d:%d, as its folder does: %w", file, of.Uid, of.Gid, err)
		}
	}
	return durable.Sync(file)
}
