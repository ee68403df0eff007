package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/engine"
)

// errKilled is the end of a command that was killed.
var errKilled = errors.New("killed")

// fake is an engine, in which a command ends at the call that is set, before or after it was done.
type fake struct {
	lock    *engine.Held
	notes   map[string]map[string]string
	claimed bool
	// calls are those that change something, and end is the one at which the command ends; 0:
	// none. done is true where that one was done.
	calls, end int
	done       bool
	// did is what steps have done and undone.
	state []string
}

// change does something, unless the command is dead.
func (f *fake) change(do func()) error {
	f.calls++
	switch {
	case f.end == 0 || f.calls < f.end:
		do()
		return nil
	case f.calls == f.end && f.done:
		do()
	}
	return errKilled
}

func (f *fake) Lock(_ context.Context, _, _ string, mine engine.Held) (engine.Held, error) {
	err := f.change(func() {
		if f.lock == nil {
			f.lock = &mine
		}
	})
	if err != nil {
		return engine.Held{}, err
	}
	return *f.lock, nil
}

func (f *fake) Held(context.Context, string, string) (engine.Held, bool, error) {
	if f.lock == nil {
		return engine.Held{}, false, nil
	}
	return *f.lock, true, nil
}

func (f *fake) Unlock(_ context.Context, _, _, run string) error {
	return f.change(func() {
		if f.lock != nil && f.lock.Run == run {
			f.lock = nil
		}
	})
}

func (f *fake) Note(_ context.Context, _, run, name string, data map[string]string) error {
	if f.notes[run+" "+name] != nil {
		return fmt.Errorf("there is a note %s", name)
	}
	return f.change(func() {
		if data = maps.Clone(data); data == nil {
			data = map[string]string{}
		}
		f.notes[run+" "+name] = data
	})
}

func (f *fake) Notes(_ context.Context, _, run string) (map[string]map[string]string, error) {
	if run == "" {
		return maps.Clone(f.notes), nil
	}
	all := map[string]map[string]string{}
	for key, data := range f.notes {
		if name, is := strings.CutPrefix(key, run+" "); is {
			all[name] = data
		}
	}
	return all, nil
}

func (f *fake) RemoveNote(_ context.Context, _, run, name string) error {
	return f.change(func() { delete(f.notes, run+" "+name) })
}

func (f *fake) Claimed(context.Context, string) (bool, error) { return f.claimed, nil }

// plan is one of three steps, which are set or not, and may be done and undone again.
func (f *fake) plan() []Step {
	step := func(name string) Step {
		return Step{Name: name,
			Do: func(_ context.Context, data map[string]string) (map[string]string, error) {
				if name != "one" && data["one"] != "1" {
					return nil, fmt.Errorf("%s got %v", name, data)
				}
				err := f.change(func() {
					if !slices.Contains(f.state, name) {
						f.state = append(f.state, name)
					}
				})
				return map[string]string{name: "1"}, err
			},
			Undo: func(context.Context, map[string]string) error {
				return f.change(func() { f.state = slices.DeleteFunc(f.state, func(s string) bool { return s == name }) })
			},
		}
	}
	return []Step{step("one"), step("two"), step("three")}
}

func silent(string) {}

// command is a call of somebody, who goes on where there is something to go on with.
func (f *fake) command(ctx context.Context, goesBack bool) error {
	j, err := Open(ctx, f, "s", "p-s", engine.MoveToPostgres)
	if err == nil && j == nil {
		if goesBack {
			return nil
		}
		j, err = Begin(ctx, f, "s", "p-s", engine.MoveToPostgres)
	}
	if err != nil {
		return err
	}
	if goesBack || j.GoingBack() {
		return j.Back(ctx, f.plan(), silent)
	}
	return j.Go(ctx, f.plan(), silent)
}

func world() *fake { return &fake{notes: map[string]map[string]string{}} }

// At whatever call it is killed, before or after that was done, the next one finishes it or takes
// it back; and nothing is left.
func TestAnOperationThatIsKilledAnywhere(t *testing.T) {
	whole := world()
	if err := whole.command(t.Context(), false); err != nil || !reflect.DeepEqual(whole.state, []string{"one", "two", "three"}) {
		t.Fatalf("%v, %v", whole.state, err)
	}
	if whole.lock != nil || len(whole.notes) > 0 {
		t.Fatalf("left: %v, %v", whole.lock, whole.notes)
	}
	for end := 1; end <= whole.calls; end++ {
		for _, done := range []bool{false, true} {
			for _, back := range []bool{false, true} {
				f := world()
				f.end, f.done = end, done
				if err := f.command(t.Context(), false); err == nil {
					t.Fatalf("at %d: it was not killed", end)
				}
				ended := f.lock == nil && slices.Contains(f.state, "three")
				// The next one is killed, too, after a while.
				f.end, f.calls = 3, 0
				_ = f.command(t.Context(), back)
				f.end = 0
				if f.lock == nil && ended == slices.Contains(f.state, "three") && (back || ended) {
					continue // there was nothing to go on with
				}
				err := f.command(t.Context(), back)
				want := []string{"one", "two", "three"}
				if back {
					want = nil
				}
				if err != nil || len(f.state) != len(want) || f.lock != nil {
					t.Errorf("at %d (done: %v), back %v: %v, %v, lock %v", end, done, back, err, f.state, f.lock)
				}
			}
		}
	}
}

// Once it goes back it does not go on, whoever calls.
func TestATakingBackThatIsKilledAnywhere(t *testing.T) {
	half := func() *fake {
		f := world()
		f.end = 6 // in the second step
		if err := f.command(t.Context(), false); err == nil || !slices.Equal(f.state, []string{"one"}) {
			t.Fatalf("%v, %v", err, f.state)
		}
		f.end, f.calls = 0, 0
		return f
	}
	whole := half()
	if err := whole.command(t.Context(), true); err != nil || len(whole.state) > 0 || whole.lock != nil || len(whole.notes) > 0 {
		t.Fatalf("%v, %v, %v, %v", err, whole.state, whole.lock, whole.notes)
	}
	for end := 4; end <= whole.calls; end++ { // from when it is noted
		f := half()
		f.end = end
		_ = f.command(t.Context(), true)
		f.end = 0
		if f.lock == nil {
			continue
		}
		if err := f.command(t.Context(), false); err != nil || len(f.state) > 0 || f.lock != nil {
			t.Errorf("at %d: %v, %v, %v", end, err, f.state, f.lock)
		}
	}
}

func TestWhoComesSecond(t *testing.T) {
	f := world()
	ctx := t.Context()
	first, err := Begin(ctx, f, "s", "p-s", engine.MoveToPostgres)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(ctx, f, "s", "p-s", engine.MoveToSQLite); err == nil || !strings.Contains(err.Error(), "make database-move STACK=s BACK=yes") {
		t.Errorf("a second one: %v", err)
	}
	if _, err := Open(ctx, f, "s", "p-s", engine.Restore); err == nil || !strings.Contains(err.Error(), "is not finished") {
		t.Errorf("one of another kind: %v", err)
	}
	second, err := Open(ctx, f, "s", "p-s", engine.MoveToPostgres, engine.MoveToSQLite)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Go(ctx, f.plan(), silent); err == nil || !strings.Contains(err.Error(), "taken over") || len(f.state) > 0 {
		t.Errorf("the first one goes on: %v, %v", err, f.state)
	}
	if err := second.Go(ctx, f.plan(), silent); err != nil {
		t.Error(err)
	}
}

func TestNotWhileAnUpIsAtWork(t *testing.T) {
	f := world()
	f.claimed = true
	if _, err := Begin(t.Context(), f, "s", "p-s", engine.MoveToPostgres); err == nil || !strings.Contains(err.Error(), "p-s-claim") || f.lock != nil {
		t.Errorf("%v, %v", err, f.lock)
	}
}

func TestFromSomewhereOnThereIsNoWayBack(t *testing.T) {
	f := world()
	j, err := Begin(t.Context(), f, "s", "p-s", engine.MoveToPostgres)
	if err != nil {
		t.Fatal(err)
	}
	plan := f.plan()
	plan[0].Last = true
	plan[1].Do = func(context.Context, map[string]string) (map[string]string, error) { return nil, errors.New("no") }
	var failed *StepError
	if err := j.Go(t.Context(), plan, silent); !errors.As(err, &failed) || failed.Step != "two" {
		t.Errorf("%v", err)
	}
	if err := j.Back(t.Context(), plan, silent); err == nil || j.GoingBack() || f.lock == nil {
		t.Errorf("%v", err)
	}
}

// A step that nobody may undo any more leaves the way on open; one that could not be undone yet does not.
func TestAWayBackThatIsRefused(t *testing.T) {
	for _, refused := range []bool{true, false} {
		f := world()
		j, err := Begin(t.Context(), f, "s", "p-s", engine.MoveToPostgres)
		if err != nil {
			t.Fatal(err)
		}
		plan := f.plan()
		plan[2].Do = func(context.Context, map[string]string) (map[string]string, error) { return nil, errors.New("not yet") }
		plan[2].Undo = func(context.Context, map[string]string) error {
			if refused {
				return fmt.Errorf("somebody has written: %w", ErrOnly)
			}
			return errors.New("not yet")
		}
		if err := j.Go(t.Context(), plan, silent); err == nil {
			t.Fatal("it is not finished")
		}
		if err := j.Back(t.Context(), plan, silent); err == nil {
			t.Fatal("it is taken back")
		}
		err = f.command(t.Context(), false)
		if want := []string{"one", "two", "three"}; err != nil || refused && !slices.Equal(f.state, want) || !refused && len(f.state) > 0 {
			t.Errorf("refused %v: %v, %v", refused, err, f.state)
		}
	}
}
