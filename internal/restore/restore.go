// Package restore brings a stack's database and files back: the latest that is backed up, those
// of a moment, or of a snapshot. It is the order of `stack restore`, in plain Go: the engine is
// asked by an interface, and what touches files runs in one-off containers (inside).
//
// The order is such that nothing that a user has stored is lost, at whatever moment the command,
// the engine or the machine ends: what was there is moved aside and kept, all that is done is
// written down before it is done (journal), and a second call finishes it or takes it back.
package restore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore/task"
)

// Kind is that of the lock that keeps an `up` and a second restore away.
const Kind = engine.OperationLock

// Engine is what is asked of the Docker engine.
type Engine interface {
	// RunOnce runs a container to its end, and passes on what it prints.
	RunOnce(ctx context.Context, prefix string, o engine.Once, out io.Writer) error
	// Writers are the stack's programs that have one of the volumes, or are among the workloads,
	// StopWriters returns when none of them runs, and StartWriters when all do, and well.
	WritersOf(ctx context.Context, prefix string, volumes, workloads []string) ([]journal.Stopped, error)
	StopWriters(ctx context.Context, all []journal.Stopped, tell func(string)) error
	StartWriters(ctx context.Context, all []journal.Stopped, tell func(string)) error
	// Mounting are the running containers, of whatever stack but one, that have one of the
	// volumes; without its name they are all.
	Mounting(ctx context.Context, volumes []string, but string) ([]string, error)
	// JobEnded is true where there is a container of the job that has ended, and RunAgain runs
	// it once more.
	JobEnded(ctx context.Context, prefix, job string) (bool, error)
	RunAgain(ctx context.Context, prefix, job string, within time.Duration) error
	// Runs is how many containers of a workload run, and Exec runs a command in one of them.
	Runs(ctx context.Context, prefix, workload string) (int, error)
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	// Claimed is true where an `up` is at work, or was killed.
	Claimed(ctx context.Context, prefix string) (bool, error)
	// Lock takes a lock of the stack, or says who has it.
	Lock(ctx context.Context, prefix, kind string, mine engine.Held) (engine.Held, error)
	Held(ctx context.Context, prefix, kind string) (engine.Held, bool, error)
	Unlock(ctx context.Context, prefix, kind, run string) error
}

// Stack is what is restored.
type Stack struct {
	// Name is what Pulumi calls it, and Prefix begins its names in the engine.
	Name, Prefix string
	// Request is what is the same in all steps.
	Request task.Request
	// Recover is the one-off that has the server's data, and the archive of it.
	Recover engine.Once
	// Fetch, Work and Ask are the one-offs that fetch, that have the volumes alone, and that ask
	// the application by its network; their commands get the step's name.
	Fetch, Work, Ask engine.Once
	// Order sorts what has the volumes: what comes first is stopped first. Serves is true for
	// what has to be there before users are asked back.
	Order  func(workload string) int
	Serves func(workload string) bool
	// Clients are the workloads that have the database by its server.
	Clients []string
	// QueueClients are those that have the queue by its server.
	QueueClients []string
	// Nginx is the workload with the maintenance page, and Close and Open are the commands that
	// show it and take it away; Nginx is empty where there is none, and Open where it is to stay.
	Nginx       string
	Close, Open []string
	// Migrate is the job that migrates; empty: there is none. It has MigrateTime.
	Migrate     string
	MigrateTime time.Duration
}

// People is whoever restores.
type People struct {
	// Ask shows what would be replaced, and is true where that is wanted.
	Ask func(Shown) (bool, error)
	// GoBack is asked when what was restored does not run.
	GoBack func(why error) (bool, error)
	// Tell says what is done.
	Tell func(string)
}

// Shown is what is shown before anything is changed.
type Shown struct {
	Want  journal.Want
	Found task.Found
}

// Restore is one command at a restore.
type Restore struct {
	Engine Engine
	Stack  Stack
	People People
	// Who runs it, and Now is the time.
	Who string
	Now func() time.Time

	driver string
	// late is what does not run at the end, and is no reason to take the restore back.
	late error
}

// errNo is the answer of whoever was asked.
var errNo = errors.New("nothing was changed")

// Begin begins one.
func (r *Restore) Begin(ctx context.Context, want journal.Want) error {
	r.driver = rand.Text()
	run := r.Now().UTC().Format("20060102-150405") + "-" + strings.ToLower(r.driver[:4])
	mine := engine.Held{Run: run, Who: r.Who, Since: r.Now().UTC(), Operation: engine.Restore}
	held, err := r.Engine.Lock(ctx, r.Stack.Prefix, Kind, mine)
	if err != nil {
		return err
	}
	if held.Run != run {
		return held.Unfinished(r.Stack.Name)
	}
	if err := r.free(ctx); err != nil {
		return errors.Join(err, r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, run))
	}
	j := journal.Journal{Run: run, Stage: journal.Fetching, Want: want}
	answer, err := r.step(ctx, r.Stack.Work, j, "list", nil)
	if other := answer.Journal; err == nil && other.Open() { // whose lock somebody has removed
		err = engine.Held{Who: other.Who, Since: other.Began, Operation: engine.Restore}.Unfinished(r.Stack.Name)
	}
	if err != nil {
		return errors.Join(err, r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, run))
	}
	return r.forward(ctx, j)
}

// free refuses while an `up` is at work: it would start what a restore stops. Whoever comes
// second sees the first, as an `up` looks for this lock when it has its claim.
func (r *Restore) free(ctx context.Context) error {
	claimed, err := r.Engine.Claimed(ctx, r.Stack.Prefix)
	if err == nil && claimed {
		err = fmt.Errorf("an `up` of %s is at work, or was killed: wait for its end. Where it is dead, `docker volume rm %s-claim` says so", r.Stack.Name, r.Stack.Prefix)
	}
	return err
}

// abandon ends a restore that has changed nothing: by itself, where it can.
func (r *Restore) abandon(ctx context.Context, j journal.Journal, why error) error {
	ctx = context.WithoutCancel(ctx)
	var text *engine.ExitError
	if !errors.As(why, &text) { // it could not be asked, or may still run: nothing is known of it
		return fmt.Errorf("%w\nNothing was changed. stack restore %s --continue tries again, --back ends it", why, r.Stack.Name)
	}
	if _, err := r.step(ctx, r.Stack.Work, j, "finish", nil); err != nil {
		return fmt.Errorf("%w\nNothing was changed, but it could not be ended: %w\nstack restore %s --back does that", why, err, r.Stack.Name)
	}
	return errors.Join(why, r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, j.Run))
}

// Continue finishes the restore that is open.
func (r *Restore) Continue(ctx context.Context) error {
	j, err := r.take(ctx)
	if err != nil || !j.Open() {
		return err
	}
	if j.Back {
		r.tell("it is being taken back already: that goes on")
		return r.back(ctx, j)
	}
	return r.forward(ctx, j)
}

// Back takes the restore back that is open.
func (r *Restore) Back(ctx context.Context) error {
	j, err := r.take(ctx)
	if err != nil || !j.Open() {
		return err
	}
	return r.back(ctx, j)
}

// take has this command drive the restore that is open; none where that had nothing left to do.
func (r *Restore) take(ctx context.Context) (journal.Journal, error) {
	r.driver = rand.Text()
	held, open, err := r.Engine.Held(ctx, r.Stack.Prefix, Kind)
	if err == nil && open && held.Operation != engine.Restore {
		err = held.Unfinished(r.Stack.Name)
	}
	if err != nil {
		return journal.Journal{}, err
	}
	answer, err := r.step(ctx, r.Stack.Work, journal.Journal{Run: held.Run}, "take", nil)
	j := answer.Journal
	switch {
	case err != nil:
		return j, err
	case !open && !j.Open():
		return j, fmt.Errorf("no restore of %s is open", r.Stack.Name)
	case open && !j.Open(): // it was ended before it did anything, or after all was done
		r.tell("the restore by " + held.Who + " had changed nothing yet, or all was done: there is nothing left to do")
		return j, r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, held.Run)
	}
	mine := engine.Held{Run: j.Run, Who: j.Who, Since: j.Began, Operation: engine.Restore}
	if open && held.Run == j.Run {
		return j, nil
	}
	if open { // somebody has removed this one's lock, and begun another
		if err := r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, held.Run); err != nil {
			return j, err
		}
	}
	if held, err = r.Engine.Lock(ctx, r.Stack.Prefix, Kind, mine); err == nil && held.Run != j.Run {
		err = held.Unfinished(r.Stack.Name)
	}
	return j, err
}

// forward goes through the stages from where the restore is.
func (r *Restore) forward(ctx context.Context, j journal.Journal) error {
	stages := map[journal.Stage]func(context.Context, journal.Journal) (journal.Journal, error){
		journal.Fetching:  r.fetch,
		journal.Asked:     r.ask,
		journal.Stopping:  r.replace,
		journal.Switching: r.replace,
		journal.Checking:  r.check,
		journal.Starting:  r.start,
		journal.Opening:   r.reopen,
	}
	for j.Stage != journal.Done {
		stage, known := stages[j.Stage]
		if !known {
			return fmt.Errorf("the restore %s is at %q, of which this program knows nothing", j.Run, j.Stage)
		}
		next, err := stage(ctx, j)
		switch {
		case j.Stage == journal.Fetching && err != nil:
			return r.abandon(ctx, j, err)
		case j.Stage == journal.Asked && err != nil:
			return r.leave(ctx, j, err)
		case err != nil:
			return r.failed(ctx, j, err)
		}
		j = next
	}
	return r.late
}

// leave ends a restore that was not wanted after all, or could not be begun.
func (r *Restore) leave(ctx context.Context, j journal.Journal, why error) error {
	ctx = context.WithoutCancel(ctx)
	if _, err := r.step(ctx, r.Stack.Work, j, "finish", nil); err != nil {
		return errors.Join(why, err)
	}
	return errors.Join(why, r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, j.Run))
}

// failed tells what has failed, and goes back where whoever restores wants that.
func (r *Restore) failed(ctx context.Context, j journal.Journal, why error) error {
	open := fmt.Errorf("%w\nThe restore is not finished (it is at %q). stack restore %s --continue tries again, --back takes it back: what was there before is kept", why, j.Stage, r.Stack.Name)
	if ctx.Err() != nil || j.Stage == journal.Opening { // it runs on what was restored
		return open
	}
	back, err := r.People.GoBack(why)
	if err != nil || !back {
		return errors.Join(open, err)
	}
	// What has failed may have got further than it could say.
	answer, err := r.step(ctx, r.Stack.Work, j, "take", nil)
	if err != nil {
		return errors.Join(open, err)
	}
	if err := r.back(ctx, answer.Journal); err != nil {
		return errors.Join(why, err)
	}
	return fmt.Errorf("%w\nThe restore was taken back: all is as it was before", why)
}

// back takes the restore back, from wherever it is.
func (r *Restore) back(ctx context.Context, j journal.Journal) error {
	if j.Stage == journal.Fetching || j.Stage == journal.Asked {
		if _, err := r.step(ctx, r.Stack.Work, j, "finish", nil); err != nil {
			return err
		}
		return r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, j.Run)
	}
	if !j.Back || j.Stage == journal.Switching {
		if j.Planned { // before that, nothing was moved
			if err := r.stop(ctx, j); err != nil {
				return err
			}
		}
		answer, err := r.step(ctx, r.Stack.Work, j, "undo", nil)
		if err != nil {
			return err
		}
		j = answer.Journal
	}
	for _, stage := range []struct {
		at journal.Stage
		do func(context.Context, journal.Journal) (journal.Journal, error)
	}{{journal.Starting, r.start}, {journal.Opening, r.reopen}} {
		if j.Stage != stage.at {
			continue
		}
		next, err := stage.do(ctx, j)
		if err != nil {
			return fmt.Errorf("%w\nWhat was there before is in its place again, but the stack does not run yet: stack restore %s --back goes on", err, r.Stack.Name)
		}
		j = next
	}
	return r.late
}
