package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore/task"
)

func (r *Restore) fetch(ctx context.Context, j journal.Journal) (journal.Journal, error) {
	answer, err := r.step(ctx, r.Stack.Fetch, j, "fetch", nil)
	if err == nil && answer.Journal.Stage == journal.Fetching { // a server takes it
		once := r.Stack.Work
		if r.archived(j.Want) {
			once = r.Stack.Recover
		}
		answer, err = r.step(ctx, once, answer.Journal, "load", nil)
	}
	return answer.Journal, err
}

// ask shows what was found. Until then nothing is changed.
func (r *Restore) ask(ctx context.Context, j journal.Journal) (journal.Journal, error) {
	shown := Shown{Want: j.Want}
	if err := json.Unmarshal(j.Found, &shown.Found); err != nil {
		return j, fmt.Errorf("what was fetched: %w", err)
	}
	// Before users see the maintenance page for nothing.
	if err := r.unused(ctx, j.Want, r.Stack.Prefix); err != nil {
		return j, err
	}
	if d := shown.Found.Database; d != nil && d.Migrate && r.Stack.Migrate != "" {
		there, err := r.Engine.JobEnded(ctx, r.Stack.Prefix, r.Stack.Migrate)
		if err == nil && !there {
			err = fmt.Errorf("its tables are of another release, and the job %s of this one, which would migrate them, is not on this engine: `pulumi up` brings it back", r.Stack.Migrate)
		}
		if err != nil {
			return j, err
		}
	}
	if r.archived(j.Want) {
		there, err := r.Engine.JobEnded(ctx, r.Stack.Prefix, r.Stack.Request.Server.Accounts)
		if err == nil && !there {
			err = fmt.Errorf("its accounts are of another time, and the job %s, which sets today's, is not on this engine: `pulumi up` brings it back", r.Stack.Request.Server.Accounts)
		}
		if err != nil {
			return j, err
		}
	}
	wanted, err := r.People.Ask(shown)
	if err != nil {
		return j, err
	}
	if !wanted {
		return j, errNo
	}
	if err := r.free(ctx); err != nil {
		return j, err
	}
	// It may have been removed meanwhile, as nothing was open yet.
	held, err := r.Engine.Lock(ctx, r.Stack.Prefix, Kind, engine.Held{Run: j.Run, Who: j.Who, Since: j.Began, Operation: engine.Restore})
	if err != nil {
		return j, err
	}
	if held.Run != j.Run {
		return j, held.Unfinished(r.Stack.Name)
	}
	writers, err := r.Engine.WritersOf(ctx, r.Stack.Prefix, r.exclusive(j.Want), r.clients(j.Want))
	if err != nil {
		return j, err
	}
	slices.SortStableFunc(writers, func(a, b journal.Stopped) int { return r.Stack.Order(a.Workload) - r.Stack.Order(b.Workload) })
	for i := range writers {
		writers[i].Serves = r.Stack.Serves(writers[i].Workload)
	}
	answer, err := r.step(ctx, r.Stack.Work, j, "note", func(t *task.Request) { t.Stopped = writers })
	return answer.Journal, err
}

// archived is true where the server itself gets other data, and so has to be stopped.
func (r *Restore) archived(want journal.Want) bool { return r.Stack.Request.Server.Archived(want) }

// exclusive are the volumes that nobody may have while they are changed.
func (r *Restore) exclusive(want journal.Want) []string {
	var all []string
	for _, v := range r.Stack.Request.Volumes {
		database := r.Stack.Request.Database != nil && r.Stack.Request.Database.Volume == v.Name
		if database && want.Has(journal.Database) || v.Wanted(want) && !v.Gains {
			all = append(all, v.Engine)
		}
	}
	if r.archived(want) {
		all = append(all, r.Stack.Prefix+"-"+r.Stack.Request.Server.Data)
	}
	return all
}

// clients are the programs that have the database, or the queue, by a server.
func (r *Restore) clients(want journal.Want) (all []string) {
	if r.Stack.Request.Server != nil && want.Has(journal.Database) {
		all = append(all, r.Stack.Clients...)
	}
	for _, name := range r.Stack.QueueClients {
		if want.Has(journal.Queue) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// replace stops what has the volumes, and has what was fetched in place of what is there.
func (r *Restore) replace(ctx context.Context, j journal.Journal) (journal.Journal, error) {
	if err := r.stop(ctx, j); err != nil {
		return j, err
	}
	answer, err := r.step(ctx, r.Stack.Work, j, "switch", nil)
	return answer.Journal, err
}

// stop returns when the page is on, and nobody has the volumes.
func (r *Restore) stop(ctx context.Context, j journal.Journal) error {
	r.page(ctx)
	if err := r.Engine.StopWriters(ctx, j.Stopped, r.tell); err != nil {
		return err
	}
	return r.unused(ctx, j.Want, "")
}

// unused refuses while somebody has the volumes whom a restore does not stop, but one stack.
func (r *Restore) unused(ctx context.Context, want journal.Want, but string) error {
	found, err := r.Engine.Mounting(ctx, r.exclusive(want), but)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%s: what is restored is in a volume that these have, too, and they are not of this stack. Stop them meanwhile: docker stop %[1]s", strings.Join(found, " "))
	}
	return err
}

// page shows the maintenance page. Where that can't be, users see errors instead: no reason to
// leave them without what is to be restored.
func (r *Restore) page(ctx context.Context) {
	if r.Stack.Nginx == "" {
		return
	}
	runs, err := r.Engine.Runs(ctx, r.Stack.Prefix, r.Stack.Nginx)
	if err == nil && runs == 0 {
		err = errors.New("nginx does not run")
	}
	if err == nil {
		_, err = r.Engine.Exec(ctx, r.Stack.Prefix, r.Stack.Nginx, r.Stack.Close...)
	}
	if err != nil {
		r.tell("users see no maintenance page: " + err.Error())
	}
}

// unpage takes it away.
func (r *Restore) unpage(ctx context.Context) error {
	if r.Stack.Nginx == "" || len(r.Stack.Open) == 0 {
		return nil
	}
	runs, err := r.Engine.Runs(ctx, r.Stack.Prefix, r.Stack.Nginx)
	if err == nil && runs > 0 { // one that starts has none
		_, err = r.Engine.Exec(ctx, r.Stack.Prefix, r.Stack.Nginx, r.Stack.Open...)
	}
	if err != nil {
		return fmt.Errorf("users still see the maintenance page: %w", err)
	}
	return nil
}

func (r *Restore) check(ctx context.Context, j journal.Journal) (journal.Journal, error) {
	answer, err := r.step(ctx, r.Stack.Work, j, "check", nil)
	return answer.Journal, err
}

// start has users' programs run on what was restored, and asks them before users do.
func (r *Restore) start(ctx context.Context, j journal.Journal) (journal.Journal, error) {
	var found task.Found
	if err := json.Unmarshal(j.Found, &found); err != nil {
		return j, fmt.Errorf("what was fetched: %w", err)
	}
	if r.archived(j.Want) {
		if err := r.serverFirst(ctx, j); err != nil {
			return j, err
		}
	}
	if d := found.Database; d != nil && d.Migrate && r.Stack.Migrate != "" && !j.Back {
		r.tell("the tables are of another release: " + r.Stack.Migrate)
		if err := r.Engine.RunAgain(ctx, r.Stack.Prefix, r.Stack.Migrate, r.Stack.MigrateTime); err != nil {
			return j, fmt.Errorf("migration of what was restored: %w", err)
		}
	}
	if err := r.Engine.StartWriters(ctx, serving(j.Stopped, true), r.tell); err != nil {
		return j, err
	}
	if r.Stack.Request.Smoke.Health != "" {
		r.tell("asking the application")
		if err := r.run(ctx, r.Stack.Ask, j, "smoke", nil, io.Discard); err != nil {
			return j, fmt.Errorf("the application on what was restored: %w", err)
		}
	}
	answer, err := r.step(ctx, r.Stack.Work, j, "started", nil)
	return answer.Journal, err
}

// accountsTime is how long the job for the accounts may take.
const accountsTime = 2 * time.Minute

// serverFirst starts the server on the data that it has now, and tells it of the accounts of today, which those
// that were restored may not know.
func (r *Restore) serverFirst(ctx context.Context, j journal.Journal) error {
	server := r.Stack.Request.Server
	var first []journal.Stopped
	for _, s := range j.Stopped {
		if s.Workload == server.Name {
			first = append(first, s)
		}
	}
	if err := r.Engine.StartWriters(ctx, first, r.tell); err != nil {
		return err
	}
	if j.Back {
		return nil
	}
	r.tell("the accounts of today: " + server.Accounts)
	if err := r.Engine.RunAgain(ctx, r.Stack.Prefix, server.Accounts, accountsTime); err != nil {
		return fmt.Errorf("the accounts in what was restored: %w", err)
	}
	return nil
}

// reopen starts all else, and lets users in.
func (r *Restore) reopen(ctx context.Context, j journal.Journal) (journal.Journal, error) {
	if err := r.Engine.StartWriters(ctx, serving(j.Stopped, false), r.tell); err != nil {
		if ctx.Err() != nil {
			return j, err
		}
		r.late = fmt.Errorf("users are served, but not all of the stack runs: %w", err)
	}
	if err := r.unpage(ctx); err != nil {
		return j, err
	}
	answer, err := r.step(ctx, r.Stack.Work, j, "finish", nil)
	if err != nil {
		return j, err
	}
	return answer.Journal, r.Engine.Unlock(ctx, r.Stack.Prefix, Kind, j.Run)
}

// serving are those that serve users, or the others; the last one stopped starts last.
func serving(all []journal.Stopped, serves bool) []journal.Stopped {
	var some []journal.Stopped
	for _, s := range all {
		if s.Serves == serves {
			some = append(some, s)
		}
	}
	return some
}
