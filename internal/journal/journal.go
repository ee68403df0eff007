// Package journal is how a command that works for minutes at a stack can be killed at any moment,
// and be finished or undone by the next call, from whatever machine. What it does is a plan of
// steps, of which each can be done again. That one is done is noted in the engine, by a volume of
// its own (engine.Note); and from the first to the last step it has the stack's one lock, so that
// no `up`, no restore and no other operation is at the stack meanwhile.
package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/engine"
)

// Engine is where the lock and the notes are.
type Engine interface {
	Lock(ctx context.Context, prefix, kind string, mine engine.Held) (engine.Held, error)
	Held(ctx context.Context, prefix, kind string) (engine.Held, bool, error)
	Unlock(ctx context.Context, prefix, kind, run string) error
	Note(ctx context.Context, prefix, run, name string, data map[string]string) error
	Notes(ctx context.Context, prefix, run string) (map[string]map[string]string, error)
	RemoveNote(ctx context.Context, prefix, run, name string) error
	// Claimed is true where an `up` is at work, or was killed.
	Claimed(ctx context.Context, prefix string) (bool, error)
}

// Names of notes that are none of steps.
const (
	// driver says which command is at the operation now: an earlier one does nothing more.
	driver = "driver"
	// back is there once it is undone, which nothing turns round.
	back = "back"
)

// Step is one of a plan.
type Step struct {
	// Name is the step's own, of small letters and -.
	Name string
	// Do does it, again where a call before has done a part of it. It gets what the steps before
	// have returned, and what it returns is kept.
	Do func(ctx context.Context, data map[string]string) (map[string]string, error)
	// Undo takes it back, whether it was done, done in part or not at all; nil: there is nothing
	// to be taken back.
	Undo func(ctx context.Context, data map[string]string) error
	// Last is true for a step behind which there is no way back.
	Last bool
}

// Journal is an operation that is going on.
type Journal struct {
	engine Engine
	prefix string
	held   engine.Held
	token  string
	notes  map[string]map[string]string
}

// Begin begins an operation on a stack; name is what people call the stack. It is an error where
// another one is not finished, or an `up` is at work.
func Begin(ctx context.Context, e Engine, name, prefix string, operation engine.Operation) (*Journal, error) {
	token := rand.Text()
	now := time.Now().UTC().Truncate(time.Second)
	mine := engine.Held{Run: now.Format("20060102-150405") + "-" + strings.ToLower(token[:4]), Who: engine.Who(), Since: now, Operation: operation}
	held, err := e.Lock(ctx, prefix, engine.OperationLock, mine)
	if err != nil {
		return nil, err
	}
	if held.Run != mine.Run {
		return nil, held.Unfinished(name)
	}
	err = tidy(ctx, e, prefix, held.Run)
	if err == nil {
		var claimed bool
		if claimed, err = e.Claimed(ctx, prefix); err == nil && claimed {
			err = fmt.Errorf("an `up` of %s is at work, or was killed: wait for its end. Where it is dead, `docker volume rm %s-claim` says so", name, prefix)
		}
	}
	if err != nil {
		return nil, errors.Join(err, e.Unlock(ctx, prefix, engine.OperationLock, held.Run))
	}
	j := &Journal{engine: e, prefix: prefix, held: held, token: token}
	return j, j.take(ctx)
}

// tidy removes what earlier operations have noted: none of them has the lock.
func tidy(ctx context.Context, e Engine, prefix, run string) error {
	all, err := e.Notes(ctx, prefix, "")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if of, note, _ := strings.Cut(name, " "); of != run {
			if err := e.RemoveNote(ctx, prefix, of, note); err != nil {
				return err
			}
		}
	}
	return nil
}

// Open is the operation that is not finished, which this command is at from now on; nil where there
// is none. That of another kind is an error.
func Open(ctx context.Context, e Engine, name, prefix string, operations ...engine.Operation) (*Journal, error) {
	held, open, err := e.Held(ctx, prefix, engine.OperationLock)
	if err != nil || !open {
		return nil, err
	}
	if !slices.Contains(operations, held.Operation) {
		return nil, held.Unfinished(name)
	}
	j := &Journal{engine: e, prefix: prefix, held: held, token: rand.Text()}
	return j, j.take(ctx)
}

// take has this command be at it, and none that was before.
func (j *Journal) take(ctx context.Context) error {
	if err := j.engine.RemoveNote(ctx, j.prefix, j.held.Run, driver); err != nil {
		return err
	}
	if err := j.engine.Note(ctx, j.prefix, j.held.Run, driver, map[string]string{"token": j.token}); err != nil {
		return err
	}
	var err error
	j.notes, err = j.engine.Notes(ctx, j.prefix, j.held.Run)
	return err
}

// mine is an error where another command is at it by now, or has ended it.
func (j *Journal) mine(ctx context.Context) error {
	notes, err := j.engine.Notes(ctx, j.prefix, j.held.Run)
	if err != nil {
		return err
	}
	if notes[driver]["token"] != j.token {
		return fmt.Errorf("another command has taken over %s, which goes on there", j.held.Operation.Title())
	}
	j.notes = notes
	return nil
}

// Run is the operation's name, which lets its own `up` through (TAROT_RUN).
func (j *Journal) Run() string { return j.held.Run }

// Held is who has begun it, and what it is.
func (j *Journal) Held() engine.Held { return j.held }

// Done is true for a step that is done.
func (j *Journal) Done(step string) bool { return j.notes[step] != nil }

// GoingBack is true once it is undone.
func (j *Journal) GoingBack() bool { return j.notes[back] != nil }

// data is what the steps of a plan have returned, up to one; a later one's goes before.
func (j *Journal) data(plan []Step) map[string]string {
	all := map[string]string{}
	for _, s := range plan {
		maps.Copy(all, j.notes[s.Name])
	}
	return all
}

// Go does the steps of a plan that are not done yet, in order, and ends the operation. Where one
// fails, the operation stays open.
func (j *Journal) Go(ctx context.Context, plan []Step, tell func(step string)) error {
	if j.GoingBack() {
		return errors.New("it is being taken back, and that has to end first")
	}
	for i, s := range plan {
		if j.Done(s.Name) {
			continue
		}
		tell(s.Name)
		if err := j.mine(ctx); err != nil {
			return err
		}
		data, err := s.Do(ctx, j.data(plan[:i]))
		if err != nil {
			return &StepError{s.Name, err}
		}
		if err := j.note(ctx, s.Name, data); err != nil {
			return err
		}
	}
	return j.end(ctx)
}

// note says that a step is done, also where the command is to end: it is.
func (j *Journal) note(ctx context.Context, name string, data map[string]string) error {
	ctx = context.WithoutCancel(ctx)
	if err := j.mine(ctx); err != nil {
		return err
	}
	if err := j.engine.Note(ctx, j.prefix, j.held.Run, name, data); err != nil {
		return err
	}
	if data == nil {
		data = map[string]string{}
	}
	j.notes[name] = data
	return nil
}

// CanGoBack is false once a step is done behind which there is no way back.
func (j *Journal) CanGoBack(plan []Step) bool {
	return !slices.ContainsFunc(plan, func(s Step) bool { return s.Last && j.Done(s.Name) })
}

// ErrOnly is why a step can not be undone, ever: the way is on.
var ErrOnly = errors.New("the way is on (CONTINUE=yes)")

// Back undoes the steps of a plan, the last one first, and ends the operation. Where one can't be
// undone, the operation stays open, and a second call goes on.
func (j *Journal) Back(ctx context.Context, plan []Step, tell func(step string)) error {
	if !j.CanGoBack(plan) {
		return errors.New("it has got behind the point from which there is a way back")
	}
	if !j.GoingBack() {
		if err := j.note(ctx, back, nil); err != nil {
			return err
		}
	}
	// The first that is not done may be done in part.
	from := slices.IndexFunc(plan, func(s Step) bool { return !j.Done(s.Name) })
	if from < 0 {
		from = len(plan) - 1
	}
	for i := from; i >= 0; i-- {
		s := plan[i]
		if err := j.mine(ctx); err != nil {
			return err
		}
		if s.Undo != nil {
			tell(s.Name)
			err := s.Undo(ctx, j.data(plan[:i+1]))
			if errors.Is(err, ErrOnly) && i == from { // nothing is undone: it goes on where it was
				if err := j.engine.RemoveNote(context.WithoutCancel(ctx), j.prefix, j.held.Run, back); err != nil {
					return err
				}
				delete(j.notes, back)
			}
			if err != nil {
				return &StepError{s.Name, err}
			}
		}
		if err := j.engine.RemoveNote(context.WithoutCancel(ctx), j.prefix, j.held.Run, s.Name); err != nil {
			return err
		}
		delete(j.notes, s.Name)
	}
	return j.end(ctx)
}

// end frees the stack. What is noted is nobody's from then on: it is removed after that, or by the
// next operation where this one is killed in between.
func (j *Journal) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := j.mine(ctx); err != nil {
		return err
	}
	if err := j.engine.Unlock(ctx, j.prefix, engine.OperationLock, j.held.Run); err != nil {
		return err
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(j.notes)) {
		all = append(all, j.engine.RemoveNote(ctx, j.prefix, j.held.Run, name))
	}
	return errors.Join(all...)
}

// StepError is of a step that has failed.
type StepError struct {
	Step string
	Err  error
}

func (e *StepError) Error() string { return e.Err.Error() }

// Unwrap is what was wrong.
func (e *StepError) Unwrap() error { return e.Err }
