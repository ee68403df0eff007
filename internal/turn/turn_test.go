package turn

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/process"
	"tarot-platform/internal/release"
)

// fake is an engine.
type fake struct {
	mu      sync.Mutex
	lock    *engine.Held
	signs   int
	entries map[string]json.RawMessage
	failure error
	at      int
}

func (f *fake) WriteHistory(_ context.Context, _, id string, entry json.RawMessage) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries[id] = entry
	return nil
}

func (f *fake) History(context.Context, string) (map[string]json.RawMessage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.entries, f.failure
}

func (f *fake) Lock(_ context.Context, _, _ string, mine engine.Held) (engine.Held, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		f.lock = &mine
	}
	return *f.lock, f.failure
}

func (f *fake) Operating(context.Context, string) (engine.Held, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		return engine.Held{}, false, f.failure
	}
	return *f.lock, true, f.failure
}

func (f *fake) Unlock(_ context.Context, _, _, run string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock != nil && f.lock.Run == run {
		f.lock = nil
		return nil
	}
	return errors.New("somebody else has it")
}

func (f *fake) Free(ctx context.Context, prefix, kind, run string) error {
	return f.Unlock(ctx, prefix, kind, run)
}

func (f *fake) Sign(context.Context, string, string, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signs++
	return nil
}

func (f *fake) Unsign(context.Context, string, string, string) error { return nil }

func (f *fake) Releases(context.Context, string) ([]release.Release, error) {
	f.at++
	return []release.Release{{Name: "r" + strings.Repeat("1", f.at)}}, nil
}

func stack(t *testing.T) (Stack, *fake, *[]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	f := &fake{entries: map[string]json.RawMessage{}}
	var told []string
	return Stack{Name: "prod", Prefix: "p-prod", Engine: f, Tell: func(text string) { told = append(told, text) }}, f, &told
}

// gone is a process of this machine that has ended.
func gone(t *testing.T) string {
	t.Helper()
	words := strings.Split(process.Self(), " ")
	if len(words) < 4 {
		t.Skip("nothing is known of processes here")
	}
	words[1] = "1"
	return strings.Join(words, " ")
}

func (f *fake) results(t *testing.T) []history.Entry {
	t.Helper()
	all, err := history.Read(t.Context(), f, "p-prod")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOneAtATime(t *testing.T) {
	s, f, told := stack(t)
	var people []string
	s.Told = func(ctx context.Context, e history.Entry) {
		if f.lock != nil || ctx.Err() != nil {
			t.Errorf("people are told of %s while the stack is held, or when it is too late: %v", e.Operation, ctx.Err())
		}
		people = append(people, e.Operation+" "+e.Result+" "+e.To)
	}
	first, err := s.Take(t.Context(), engine.Up, "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Take(t.Context(), engine.Rollback, "", "")
	if err == nil || !strings.Contains(err.Error(), "an `up` of prod is going on") || !strings.Contains(err.Error(), f.lock.Who) {
		t.Errorf("%v", err)
	}
	if len(f.entries) > 0 {
		t.Errorf("who was refused is in the history: %v", f.results(t))
	}
	for range 2 { // the second time it has ended already
		first.End(t.Context(), errors.New("the migration has failed"))
	}
	second, err := s.Take(t.Context(), engine.Rollback, "to r1", "")
	if err != nil {
		t.Fatal(err)
	}
	second.End(t.Context(), nil)
	all := f.results(t)
	if len(all) != 2 || f.lock != nil || len(*told) > 0 {
		t.Fatalf("%+v, %v, %v", all, f.lock, *told)
	}
	if want := []string{"up failed r11", "rollback succeeded r1111"}; !slices.Equal(people, want) {
		t.Errorf("people were told %q, want %q", people, want)
	}
	for _, e := range all {
		want := history.Entry{Operation: "up", Result: history.Failed, Why: "the migration has failed", From: "r1", To: "r11"}
		if e.Operation == "rollback" {
			want = history.Entry{Operation: "rollback", Detail: "to r1", Result: history.Succeeded, From: "r111", To: "r1111"}
		}
		if e.Operation != want.Operation || e.Detail != want.Detail || e.Result != want.Result || e.Why != want.Why || e.From != want.From || e.To != want.To {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
}

// Only of a process that has ended for sure is a stack freed; that is told, and is in the history.
func TestWhoIsDeadIsTakenOver(t *testing.T) {
	s, f, told := stack(t)
	f.lock = &engine.Held{Run: "r1", Who: "ann@host", Since: time.Now().Add(-time.Hour), Operation: engine.Up, Process: "1 1 elsewhere pid:[1]", Silent: 24 * time.Hour}
	if _, err := s.Take(t.Context(), engine.Up, "", ""); err == nil || !strings.Contains(err.Error(), "make lock-release STACK=prod") {
		t.Errorf("one elsewhere: %v", err)
	}
	f.lock.Process = gone(t)
	var freed []string
	s.Freed = func(_ context.Context, held engine.Held) error { freed = append(freed, held.Run); return nil }
	var people []string
	s.Told = func(_ context.Context, e history.Entry) { people = append(people, e.Result+" of "+e.Who) }
	mine, err := s.Take(t.Context(), engine.Up, "", "")
	if err != nil || mine.Run() == "r1" || len(*told) != 1 || !strings.Contains((*told)[0], "ann@host") || !strings.Contains((*told)[0], "was killed") || len(freed) != 1 {
		t.Fatalf("%v, %v, %v", err, *told, freed)
	}
	if want := []string{"killed of ann@host"}; !slices.Equal(people, want) {
		t.Errorf("people were told %q, want %q", people, want)
	}
	if all := f.results(t); len(all) != 1 || all[0].Result != history.Killed || all[0].Who != "ann@host" {
		t.Errorf("%+v", all)
	}
}

// What others finish is nobody's to take over.
func TestAnOperationThatIsFinishedByOthersIsNotReleased(t *testing.T) {
	s, f, _ := stack(t)
	f.lock = &engine.Held{Run: "r1", Who: "ann@host", Operation: engine.Restore}
	if _, err := s.Take(t.Context(), engine.Up, "", ""); err == nil || !strings.Contains(err.Error(), "CONTINUE=yes") {
		t.Errorf("%v", err)
	}
	if err := s.Release(t.Context(), *f.lock); err == nil || f.lock == nil {
		t.Errorf("%v, %v", err, f.lock)
	}
	step, err := s.Take(t.Context(), engine.Up, "", "r1")
	if err != nil || step.Run() != "r1" {
		t.Fatalf("its own step: %v", err)
	}
	step.End(t.Context(), nil)
	if f.lock == nil || len(f.entries) > 0 {
		t.Errorf("a step has ended its operation: %v, %v", f.lock, f.entries)
	}
}

func TestWhetherSomebodyIsAtWorkCouldNotBeAsked(t *testing.T) {
	s, f, _ := stack(t)
	f.failure = errors.New("no route")
	if _, err := s.Take(t.Context(), engine.Up, "", ""); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("%v", err)
	}
}

// It says that it is alive until it ends, and hears of it where it was taken for dead.
func TestSignsOfLife(t *testing.T) {
	s, f, _ := stack(t)
	mine, err := s.Take(t.Context(), engine.Up, "", "")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error, 1)
		mine.Beat(t.Context(), engine.SignEvery, func(why error) { lost <- why })
		time.Sleep(5*engine.SignEvery + time.Second)
		f.mu.Lock()
		if f.signs != 5 || len(lost) > 0 {
			t.Errorf("%d signs, lost %d", f.signs, len(lost))
		}
		f.lock = &engine.Held{Run: "another", Who: "ben@host", Operation: engine.Up, Process: process.Self()}
		f.mu.Unlock()
		time.Sleep(engine.SignEvery)
		synctest.Wait()
		if len(lost) != 1 {
			t.Error("nothing is heard of who has taken it over")
		}
		mine.End(t.Context(), nil)
		if f.lock == nil {
			t.Error("somebody else's turn has ended")
		}
	})
}
