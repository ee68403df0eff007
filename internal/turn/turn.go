// Package turn has one change of a stack at a time, whoever makes it, from whatever checkout and
// with whatever state: the engine knows who has the turn. It is the lock of package journal's, too;
// but what has it here is over when its process is, and the next command heals what it has left.
package turn

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/process"
	"tarot-platform/internal/release"
)

// Engine is where the lock and the history are.
type Engine interface {
	history.Engine
	Lock(ctx context.Context, prefix, kind string, mine engine.Held) (engine.Held, error)
	Operating(ctx context.Context, prefix string) (engine.Held, bool, error)
	Unlock(ctx context.Context, prefix, kind, run string) error
	Free(ctx context.Context, prefix, kind, run string) error
	Sign(ctx context.Context, prefix, run, by string) error
	Unsign(ctx context.Context, prefix, run, by string) error
	Releases(ctx context.Context, prefix string) ([]release.Release, error)
}

// Stack is whose turn it is about.
type Stack struct {
	// Name is what people call it, and Prefix begins its names in the engine.
	Name, Prefix string
	Engine       Engine
	// Tell says what nobody has asked for.
	Tell func(string)
	// Told is called with what was done, when it is over and the stack is free; nil: nobody is told.
	Told func(context.Context, history.Entry)
	// Freed is called when the stack was freed of somebody; nil: there is nothing more to do then.
	Freed func(context.Context, engine.Held) error
}

// Turn is one that is taken.
type Turn struct {
	stack Stack
	held  engine.Held
	entry history.Entry
	// within is true for a step of an operation that has the turn already.
	within bool
	stop   context.CancelFunc
	ended  sync.Once
	beats  sync.WaitGroup
}

// Look says who has the turn; false: nobody. One whose process has ended, for sure, is nobody's: the
// stack is freed, and that is told.
func (s Stack) Look(ctx context.Context) (engine.Held, bool, error) {
	held, open, err := s.Engine.Operating(ctx, s.Prefix)
	if err != nil || !open || !held.Gone() {
		return held, open, err
	}
	if err := s.free(ctx, held); err != nil {
		return held, open, err
	}
	s.Tell(fmt.Sprintf("%s of %s, %s, was killed: that process has ended on this machine, and the stack is free again", held.Operation.Title(), s.Name, held.Whose()))
	return s.Engine.Operating(ctx, s.Prefix)
}

// Release frees the stack of whoever has it, and has that in the history.
func (s Stack) Release(ctx context.Context, held engine.Held) error {
	if !held.Passing() {
		return held.Unfinished(s.Name)
	}
	return s.free(ctx, held)
}

func (s Stack) free(ctx context.Context, held engine.Held) error {
	if err := s.Engine.Free(ctx, s.Prefix, engine.OperationLock, held.Run); err != nil {
		return err
	}
	entry := history.Entry{At: held.Since, Operation: string(held.Operation), Result: history.Killed,
		Author: history.Author{Who: held.Who, Commit: held.Commit, Dirty: held.Dirty}}
	history.Note(ctx, s.Engine, s.Prefix, entry, s.Tell)
	s.told(ctx, entry)
	if s.Freed == nil {
		return nil
	}
	return s.Freed(ctx, held)
}

// Take takes the turn for an operation, or says who has it. within is the run that it may be a step
// of: that has the turn already.
func (s Stack) Take(ctx context.Context, operation engine.Operation, detail, within string) (*Turn, error) {
	held, open, err := s.Look(ctx)
	if err != nil {
		return nil, fmt.Errorf("whether anybody is at work on %s: %w", s.Name, err)
	}
	if open && within != "" && held.Run == within {
		return s.join(ctx, held)
	}
	if open {
		return nil, held.Unfinished(s.Name)
	}
	me := history.Me(ctx)
	now := time.Now().UTC().Truncate(time.Second)
	mine := engine.Held{Run: now.Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:4]), Who: me.Name(), Since: now, Operation: operation,
		Process: process.Self(), Commit: me.Commit, Dirty: me.Dirty}
	held, err = s.Engine.Lock(ctx, s.Prefix, engine.OperationLock, mine)
	if err != nil {
		return nil, err
	}
	if held.Run != mine.Run {
		return nil, held.Unfinished(s.Name)
	}
	t := &Turn{stack: s, held: mine, entry: history.Entry{At: time.Now(), Operation: string(operation), Detail: detail, Author: me}}
	t.entry.From = t.release(ctx)
	return t, nil
}

// join is a step of an operation that has the turn. It is alive as long as one of both is: the operation's
// command may be killed, and its `up` go on.
func (s Stack) join(ctx context.Context, held engine.Held) (*Turn, error) {
	t := &Turn{stack: s, held: held, within: true}
	if !held.Passing() {
		return t, nil
	}
	return t, s.Engine.Sign(ctx, s.Prefix, held.Run, process.Self())
}

// Run is the operation's name, by which its steps are told from others'.
func (t *Turn) Run() string { return t.held.Run }

// Beat says every now and then that it is alive, until the turn has ended. lost is called where
// somebody has taken it over.
func (t *Turn) Beat(ctx context.Context, every time.Duration, lost func(error)) {
	if !t.held.Passing() {
		return
	}
	ctx, t.stop = context.WithCancel(ctx)
	t.beats.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			// An engine without an answer is asked again the next time.
			held, open, err := t.stack.Engine.Operating(ctx, t.stack.Prefix)
			if err == nil && (!open || held.Run != t.held.Run) {
				go lost(fmt.Errorf("somebody has taken %s over, as %s was taken for dead", t.stack.Name, t.held.Operation.Title()))
				return
			}
			if err == nil {
				_ = t.stack.Engine.Sign(ctx, t.stack.Prefix, t.held.Run, process.Self())
			}
		}
	})
}

// freeTime is how long the engine has to free the stack: where it doesn't answer, the next command
// finds out that this process has ended.
const freeTime = 10 * time.Second

// End ends the turn with what became of it. What can't be done of that is told.
func (t *Turn) End(ctx context.Context, result error) {
	t.ended.Do(func() {
		if t.stop != nil {
			t.stop()
			t.beats.Wait()
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freeTime)
		defer cancel()
		s := t.stack
		if t.held.Passing() {
			if err := s.Engine.Unsign(ctx, s.Prefix, t.held.Run, process.Self()); err != nil {
				s.Tell(err.Error())
			}
		}
		if t.within {
			return
		}
		t.entry.To = t.release(ctx)
		ended := t.entry.Ended(result)
		history.Note(ctx, s.Engine, s.Prefix, ended, s.Tell)
		if err := s.Engine.Unlock(ctx, s.Prefix, engine.OperationLock, t.held.Run); err != nil {
			s.Tell(fmt.Sprintf("%s is not freed: %v", s.Name, err))
		}
		s.told(ctx, ended)
	})
}

// told comes last, so that nobody waits for a stack until people have been told of it.
func (s Stack) told(ctx context.Context, entry history.Entry) {
	if s.Told != nil {
		s.Told(context.WithoutCancel(ctx), entry)
	}
}

// release is the one that ran last; empty where that can't be told, which is the history's loss alone.
func (t *Turn) release(ctx context.Context) string {
	all, err := t.stack.Engine.Releases(ctx, t.stack.Prefix)
	if err != nil || len(all) == 0 {
		return ""
	}
	return all[0].Name
}
