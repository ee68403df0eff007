package inside

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/restore/task"
)

// sides are the files that belong to a database: what is left of another one's beside a file
// would be taken for its own.
var sides = []string{"-wal", "-shm", "-journal"}

// plan is what has to be moved. What is there goes to a place beside it, and nothing is
// removed. It changes nothing.
func (r *Room) plan() ([]journal.Move, error) {
	all, err := r.store().plan()
	if err != nil {
		return nil, err
	}
	for _, v := range r.Wanted(r.Want) {
		there, err := exists(r.beside(v.Name, incoming, r.Run, "files"))
		if err != nil {
			return nil, err
		}
		if !there {
			continue // the snapshot knows nothing of it
		}
		p, err := r.planner(v)
		if err == nil {
			err = p.folder("")
		}
		if err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.Name, err)
		}
		all = append(all, p.moves...)
	}
	return all, nil
}

func (r *Room) planDatabase() ([]journal.Move, error) {
	d, live := r.Request.Database, r.live()
	if there, err := exists(r.fetched()); err != nil || !there {
		return nil, errors.Join(err, fmt.Errorf("what was fetched is not there any more: %s. Take this restore back (--back), and begin again", r.fetched()))
	}
	aside := r.beside(d.Volume, replaced, r.Run)
	var all []journal.Move
	for _, name := range append([]string{""}, sides...) {
		there, err := exists(live + name)
		if err != nil {
			return nil, err
		}
		if there {
			all = append(all, journal.Move{From: live + name, To: filepath.Join(aside, d.File+name), Aside: true})
		}
	}
	where := r.beside(d.Volume, "place.json")
	there, err := exists(where)
	if err != nil {
		return nil, err
	}
	if there {
		all = append(all, journal.Move{From: where, To: filepath.Join(aside, place.Folder, "place.json"), Aside: true})
	}
	return append(all,
		journal.Move{From: filepath.Join(filepath.Dir(r.fetched()), "place.json"), To: where},
		journal.Move{From: r.fetched(), To: live}), nil
}

// planner finds the moves of a volume's files.
type planner struct {
	volume               string
	live, fetched, aside string
	gains                bool
	only                 string   // the one name in there that is restored; empty: all
	stays                []string // paths that are not the files'
	excluded             *patternmatcher.PatternMatcher
	moves                []journal.Move
}

func (r *Room) planner(v task.Volume) (*planner, error) {
	p := &planner{volume: v.Name, live: r.folder(v.Name), fetched: r.beside(v.Name, incoming, r.Run, "files"), aside: r.beside(v.Name, replaced, r.Run), gains: v.Gains, only: v.Queue}
	p.stays = []string{place.Folder, "lost+found"}
	if d := r.Request.Database; d != nil && d.Volume == v.Name {
		for _, name := range append([]string{""}, sides...) {
			p.stays = append(p.stays, path.Clean(d.File)+name)
		}
	}
	// As restic has them: from whatever folder on, that with the volumes among them.
	var patterns []string
	for _, e := range r.Exclude {
		e = strings.TrimPrefix(e, "/")
		patterns = append(patterns, e, "**/"+e)
	}
	var err error
	if p.excluded, err = patternmatcher.New(patterns); err != nil {
		return nil, fmt.Errorf("tarot:backup.files.exclude: %w", err)
	}
	return p, nil
}

// names are those in a folder, without what stays; none where it is no folder or not there.
func (p *planner) names(root, name string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, e := range entries {
		below := path.Join(name, e.Name())
		if !slices.Contains(p.stays, below) && (p.only == "" || name != "" || below == p.only) {
			all = append(all, below)
		}
	}
	return all, err
}

// folder plans what is in one. A folder goes as a whole where it can.
func (p *planner) folder(name string) error {
	there, err := p.names(p.live, name)
	if err != nil {
		return err
	}
	comes, err := p.names(p.fetched, name)
	if err != nil {
		return err
	}
	for _, below := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(there, comes)))) {
		if err := p.entry(below, slices.Contains(there, below), slices.Contains(comes, below)); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) entry(name string, there, comes bool) error {
	if p.gains && !there {
		p.comes(name)
		return nil
	}
	if !comes {
		switch kept, err := p.leftOut(name); {
		case err != nil:
			return err
		case p.gains || kept:
			return nil
		}
	}
	if there {
		whole, err := p.whole(name)
		if err != nil {
			return err
		}
		if !whole || p.gains {
			return p.into(name, comes)
		}
		p.moves = append(p.moves, journal.Move{From: filepath.Join(p.live, name), To: filepath.Join(p.aside, name), Aside: true})
	}
	if comes {
		p.comes(name)
	}
	return nil
}

// leftOut is true for what backups do not have.
func (p *planner) leftOut(name string) (bool, error) {
	return p.excluded.MatchesOrParentMatches(p.volume + "/" + name)
}

func (p *planner) comes(name string) {
	p.moves = append(p.moves, journal.Move{From: filepath.Join(p.fetched, name), To: filepath.Join(p.live, name)})
}

// into plans below a folder that has something that stays.
func (p *planner) into(name string, comes bool) error {
	if comes {
		live, err := os.Lstat(filepath.Join(p.live, name))
		if err != nil {
			return err
		}
		fetched, err := os.Lstat(filepath.Join(p.fetched, name))
		switch {
		case err != nil:
			return err
		case p.gains && (!live.IsDir() || !fetched.IsDir()):
			return nil // it is there, and stays as it is
		case !fetched.IsDir():
			return fmt.Errorf("%s is a folder in which something stays, and a file in the backup: move it away, or restore into a folder (--into)", name)
		}
	}
	return p.folder(name)
}

// whole is true where nothing in a folder, or the file, has to stay.
func (p *planner) whole(name string) (bool, error) {
	for _, s := range p.stays {
		if strings.HasPrefix(s, name+"/") {
			return false, nil
		}
	}
	if len(p.excluded.Patterns()) == 0 {
		return true, nil
	}
	whole := true
	root := filepath.Join(p.live, name)
	err := filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(p.live, file)
		if err != nil || file == root {
			return err
		}
		match, err := p.leftOut(filepath.ToSlash(below))
		if match {
			whole = false
			return fs.SkipAll
		}
		return err
	})
	return whole, err
}

// few is how many names are told.
const few = 5

// compare tells what becomes of a volume's files, one by one.
func (r *Room) compare(v task.Volume) (task.FoundVolume, error) {
	told := task.FoundVolume{Name: v.Name}
	p, err := r.planner(v)
	if err != nil {
		return told, err
	}
	comes := map[string]fs.FileInfo{}
	if err := p.walk(p.fetched, func(name string, info fs.FileInfo) error { comes[name] = info; return nil }); err != nil {
		return told, err
	}
	err = p.walk(p.live, func(name string, is fs.FileInfo) error {
		other, both := comes[name]
		delete(comes, name)
		switch {
		case v.Gains:
		case !both:
			if kept, err := p.leftOut(name); err != nil || kept {
				return err
			}
			if told.Gone++; len(told.Names) < few {
				told.Names = append(told.Names, name)
			}
		case other.Size() != is.Size() || !other.ModTime().Equal(is.ModTime()) || other.Mode() != is.Mode():
			told.Replaced++
		}
		return nil
	})
	told.Added = len(comes)
	return told, err
}

// walk visits all files that are not folders. What a user removes meanwhile is not there.
func (p *planner) walk(root string, visit func(string, fs.FileInfo) error) error {
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		below = filepath.ToSlash(below)
		if slices.Contains(p.stays, below) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(below, info)
	})
}

// prepare makes the folders that moves go to, so that they are nothing but renames.
func prepare(moves []journal.Move) error {
	for _, m := range moves {
		if err := durable.MkdirAll(filepath.Dir(m.To)); err != nil {
			return err
		}
	}
	return nil
}
