package inside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/sqlite"
	"tarot-platform/internal/restore/task"
)

// Switch puts what was fetched in the place of what is there, which is moved aside. The moves
// are written down as a whole before the first of them, so that one that was ended in between
// is finished by calling it again, or undone by Undo.
func (r *Room) Switch(ctx context.Context) (task.Answer, error) {
	return r.step([]journal.Stage{journal.Stopping, journal.Switching, journal.Checking}, func(j *journal.Journal) error {
		if j.Back {
			return errors.New("this restore is being taken back: finish that (--back)")
		}
		if j.Stage == journal.Checking {
			return nil
		}
		release, err := r.store().alone()
		if err != nil {
			return err
		}
		defer release()
		if !j.Planned {
			var found task.Found
			if err := json.Unmarshal(j.Found, &found); err != nil {
				return fmt.Errorf("what was fetched: %w", err)
			}
			r.Exclude = append(r.Exclude[:len(r.Exclude):len(r.Exclude)], found.Exclude...)
			if j.Moves, err = r.plan(); err != nil {
				return err
			}
			j.Stage, j.Planned = journal.Switching, true
			if err := r.save(j); err != nil {
				return err
			}
		}
		if err := r.store().replace(ctx); err != nil {
			return err
		}
		if err := do(j.Moves); err != nil {
			return err
		}
		j.Stage = journal.Checking
		return r.save(j)
	})
}

func do(moves []journal.Move) error {
	if err := prepare(moves); err != nil {
		return err
	}
	for _, m := range moves {
		if err := m.Do(); err != nil {
			return err
		}
	}
	return nil
}

// Undo brings back what was there before, at whatever move the restore was. What had been
// restored, with all that was written to it since, is moved aside and kept as well.
func (r *Room) Undo(ctx context.Context) (task.Answer, error) {
	stages := []journal.Stage{journal.Stopping, journal.Switching, journal.Checking, journal.Starting, journal.Opening}
	return r.step(stages, func(j *journal.Journal) error {
		if j.Back && j.Stage == journal.Starting || j.Back && j.Stage == journal.Opening {
			return nil // it has been
		}
		if j.Planned { // before that, nothing was moved
			release, err := r.store().alone()
			if err != nil {
				return err
			}
			defer release()
		}
		if !j.UndoPlanned {
			var err error
			if j.Undo, err = r.planUndo(j.Moves); err != nil {
				return err
			}
			j.Stage, j.Back, j.UndoPlanned = journal.Switching, true, true
			if err := r.save(j); err != nil {
				return err
			}
		}
		if j.Planned {
			if err := r.store().undo(ctx); err != nil {
				return err
			}
		}
		if err := do(j.Undo); err != nil {
			return err
		}
		j.Stage = journal.Starting
		return r.save(j)
	})
}

// planUndo is what brings back what the moves that were done have moved. Users may have had
// what was restored since: what they have removed is not there, and what they have made in the
// place of what comes back goes aside as well.
func (r *Room) planUndo(moves []journal.Move) ([]journal.Move, error) {
	var all []journal.Move
	left := map[string]bool{} // the names that the undoing has moved away by then
	aside := func(path string) error {
		volume, name, err := r.inVolume(path)
		if err == nil {
			left[path] = true
			all = append(all, journal.Move{From: path, To: filepath.Join(r.beside(volume, undone, r.Run), name), Aside: true})
		}
		return err
	}
	for _, m := range slices.Backward(moves) {
		from, err := exists(m.From)
		if err != nil {
			return nil, err
		}
		to, err := exists(m.To)
		if err != nil {
			return nil, err
		}
		switch {
		case m.Aside && !to && !from:
			return nil, fmt.Errorf("neither is there: %s, nor %s, where it was put: something has removed it", m.From, m.To)
		case m.Aside && to: // it was moved
			if from && !left[m.From] {
				if err := aside(m.From); err != nil {
					return nil, err
				}
			}
			all = append(all, journal.Move{From: m.To, To: m.From})
		case !m.Aside && to && !from: // it was brought
			err = aside(m.To)
			for _, side := range sides {
				if r.Request.Database == nil || m.To != r.live() || err != nil {
					break
				}
				var there bool // it has run
				if there, err = exists(m.To + side); err == nil && there {
					err = aside(m.To + side)
				}
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// inVolume tells which volume a path is in, and its name there.
func (r *Room) inVolume(path string) (volume, name string, err error) {
	for _, v := range r.places() {
		if within(r.folder(v.Name), path) {
			name, err := filepath.Rel(r.folder(v.Name), path)
			return v.Name, name, err
		}
	}
	return "", "", fmt.Errorf("%s is in no volume of this stack", path)
}

// within is true for a path below a folder.
func within(folder, path string) bool {
	below, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(below) && below != "."
}

// Check looks at what is in the place now: the database is whole, nothing of another one is
// beside it, and it belongs to whom its folder belongs to.
func (r *Room) Check(ctx context.Context) (task.Answer, error) {
	return r.step([]journal.Stage{journal.Checking, journal.Starting}, func(j *journal.Journal) error {
		if j.Stage == journal.Starting {
			return nil
		}
		var found task.Found
		if err := json.Unmarshal(j.Found, &found); err != nil {
			return fmt.Errorf("what was fetched: %w", err)
		}
		if err := r.store().check(ctx, found.Database); err != nil {
			return fmt.Errorf("the restored database: %w", err)
		}
		j.Stage = journal.Starting
		return r.save(j)
	})
}

func (r *Room) checkDatabase(ctx context.Context) error {
	release, err := r.alone()
	if err != nil {
		return err
	}
	release()
	// A look that was ended leaves an index and an empty log, which are nothing of a database.
	if err := settle(r.live()); err != nil {
		return err
	}
	if there, err := exists(r.live() + "-journal"); err != nil || there {
		return errors.Join(err, fmt.Errorf("%s-journal is beside it, of another database", r.Request.Database.Live))
	}
	db, err := sqlite.Open(r.live(), sqlite.ReadOnly)
	if err != nil {
		return err
	}
	// It was checked as a whole when it was fetched: this finds a disk that has lost it.
	_, err = db.Rows(ctx)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := settle(r.live()); err != nil {
		return err
	}
	_, has, err := place.Read(r.beside(r.Request.Database.Volume))
	if err == nil && !has {
		err = errors.New("it has no history of its own")
	}
	return err
}

// Forget removes what a restore has put aside, for good.
func (r *Room) Forget(ctx context.Context) (task.Answer, error) {
	unlock, err := lock(r.state(lockName))
	if err != nil {
		return task.Answer{}, err
	}
	defer unlock()
	if r.Kept == "" || filepath.Base(r.Kept) != r.Kept || r.Kept == ".." || r.Kept == "." {
		return task.Answer{}, fmt.Errorf("RUN is %q; allowed: the name of a restore", r.Kept)
	}
	j, there, err := journal.Load(r.state(current))
	if err != nil {
		return task.Answer{}, err
	}
	if there && j.Run == r.Kept {
		return task.Answer{}, &ErrOpen{j}
	}
	found, err := r.kind().forget(ctx, r.Kept)
	if err != nil {
		return task.Answer{}, err
	}
	for _, v := range r.places() {
		for _, aside := range []string{replaced, undone} {
			folder := r.beside(v.Name, aside, r.Kept)
			there, err := exists(folder)
			if err == nil && there {
				found = true
				err = durable.RemoveAll(folder)
			}
			if err != nil {
				return task.Answer{}, err
			}
		}
	}
	if !found {
		return task.Answer{}, fmt.Errorf("RUN is %q, and nothing of it is kept here; `stack restore STACK --list` shows what is", r.Kept)
	}
	return r.List(ctx)
}

// List tells of the restore that is open, and of what earlier ones have put aside.
func (r *Room) List(ctx context.Context) (task.Answer, error) {
	j, _, err := journal.Load(r.state(current))
	if err != nil {
		return task.Answer{}, err
	}
	bytes, err := r.kind().kept(ctx)
	if err != nil {
		return task.Answer{}, err
	}
	if bytes == nil {
		bytes = map[string]int64{}
	}
	for _, v := range r.places() {
		for _, aside := range []string{replaced, undone} {
			runs, err := os.ReadDir(r.beside(v.Name, aside))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return task.Answer{}, err
			}
			for _, run := range runs {
				has, err := sum(r.beside(v.Name, aside, run.Name()))
				if err != nil {
					return task.Answer{}, err
				}
				bytes[run.Name()] += has
			}
		}
	}
	answer := task.Answer{Journal: j}
	for run, has := range bytes {
		answer.Kept = append(answer.Kept, task.Kept{Run: run, Bytes: has})
	}
	slices.SortFunc(answer.Kept, func(a, b task.Kept) int {
		if a.Run < b.Run {
			return -1
		}
		return 1
	})
	return answer, nil
}

func sum(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
