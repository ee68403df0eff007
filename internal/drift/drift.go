// Package drift finds what somebody has changed by hand: it holds what the engine has against what the
// stack's state says that the last `up` made. Both are read only (docs/adr/0041).
package drift

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/state"
)

// Stack is what is looked at.
type Stack struct {
	Name, Prefix string
	// State reads the stack's state.
	State func(ctx context.Context) ([]state.Resource, error)
	// Installed is what a job puts into a volume, and changes there alone.
	Installed Installed
	// Again is how long a difference has to be there; a second look tells.
	Again time.Duration
}

// Installed is a job's folder in a volume, where `current` leads to what it has put there last.
type Installed struct {
	Job, Folder string
	// Own are files that the job makes itself.
	Own []string
	// Opened is a file without what the maintenance page changes in it.
	Opened func(content []byte) []byte
}

// Engine is what is asked of the Docker engine.
type Engine interface {
	Operating(ctx context.Context, prefix string) (engine.Held, bool, error)
	Maintained(ctx context.Context, prefix string) (engine.Held, bool, error)
	Actual(ctx context.Context, prefix string, asked engine.Asked) (engine.Actual, error)
	Sums(ctx context.Context, container, folder string, normal func(string, []byte) []byte) (map[string]engine.File, error)
	history.Engine
}

// finding is one difference.
type finding struct {
	// kind is what differs, and subject of what.
	kind, subject string
	wanted, found string
	// since is when it came to be, if the engine says.
	since time.Time
	mend  string
	// own is true for what an `up` that has failed leaves, too.
	own bool
}

// Areas of the list, in its order. What is not found wrong in one is a line of it.
var areas = []struct{ name, checked string }{
	{"container", "containers run as the last `up` made them"},
	{"service", "services are as the last `up` made them"},
	{"network", "networks are there"},
	{"volume", "volumes are there"},
	{"image", "images are there, and their names mean what they meant"},
	{"config", "Swarm's configs are there, and say what they said"},
	{"secret", "Swarm's secrets are there"},
	{"files", "the files that containers are given hold what they held"},
	{"nginx", "nginx's configuration in its volume is the one that was put there"},
	{"stranger", "nothing else is on the stack's networks, or takes itself for a part of it"},
}

// comparison is one look.
type comparison struct {
	Stack
	ctx    context.Context
	docker Engine
	wanted wanted
	actual engine.Actual
	counts map[string]int
	found  []finding
}

func (c *comparison) add(f finding) {
	if f.mend == "" {
		f.mend = "pulumi up --refresh -s " + c.Name
	}
	c.found = append(c.found, f)
}

// Of goes through the list.
func Of(ctx context.Context, s Stack, docker Engine) (checks.Report, error) {
	r := checks.Report{Stack: s.Name}
	before, busy, err := s.turn(ctx, docker)
	if err != nil {
		return r, err
	}
	if busy.Result == checks.Unknown {
		r.Checks = append(r.Checks, busy)
		return r, nil
	}
	c, err := s.look(ctx, docker)
	if err != nil {
		return r, err
	}
	if len(c.found) > 0 { // what is on its way is none: a task that is replaced, a run that ends
		if err := pause(ctx, s.Again); err != nil {
			return r, err
		}
		again, err := s.look(ctx, docker)
		if err != nil {
			return r, err
		}
		again.found = slices.DeleteFunc(again.found, func(f finding) bool {
			return !slices.ContainsFunc(c.found, func(o finding) bool { return o.kind == f.kind && o.subject == f.subject })
		})
		c = again
	}
	after, busy, err := s.turn(ctx, docker)
	if err != nil {
		return r, err
	}
	if busy.Result != checks.Unknown && after != before {
		busy = checks.Check{ID: "turn", Checked: "nobody changes the stack meanwhile", Result: checks.Unknown, Found: "an operation ended while this was looked at", Mend: "once more: make drift STACK=" + s.Name}
	}
	r.Checks = append(r.Checks, busy)
	if busy.Result == checks.Unknown {
		return r, nil
	}
	r.Release = c.wanted.release
	failed, told, err := s.last(ctx, docker)
	if err != nil {
		return r, err
	}
	r.Checks = append(r.Checks, told...)
	r.Checks = append(r.Checks, c.list(failed)...)
	return r, nil
}

// turn says who changes the stack, and what changed it last.
func (s Stack) turn(ctx context.Context, docker Engine) (latest history.Entry, c checks.Check, err error) {
	c = checks.Check{ID: "turn", Checked: "nobody changes the stack meanwhile", Result: checks.Pass, Found: "nobody does"}
	held, open, err := docker.Operating(ctx, s.Prefix)
	if err != nil {
		return latest, c, fmt.Errorf("whether anybody is at work on %s: %w", s.Name, err)
	}
	if open {
		c.Result, c.Found = checks.Unknown, fmt.Sprintf("%s is going on, %s: until its end, the stack is not as its state says", held.Operation.Title(), held.Whose())
		c.Mend = "make drift STACK=" + s.Name + " after it: " + held.Advice(s.Name)
		if !held.Passing() {
			c.Mend = held.Unfinished(s.Name).Error()
		}
		return latest, c, nil
	}
	all, err := s.changes(ctx, docker)
	if len(all) > 0 {
		latest = all[0]
	}
	return latest, c, err
}

// changes are the entries of the stack's history that have changed it, the latest first.
func (s Stack) changes(ctx context.Context, docker Engine) ([]history.Entry, error) {
	all, err := history.Read(ctx, docker, s.Prefix)
	if err != nil {
		return nil, fmt.Errorf("the history of %s: %w", s.Name, err)
	}
	ups := []engine.Operation{engine.Up, engine.Rollback, engine.Forward, engine.Rotate}
	return slices.DeleteFunc(all, func(e history.Entry) bool { return !slices.Contains(ups, engine.Operation(e.Operation)) }), nil
}

// last is what is known of the stack without a difference: that its last `up` has failed, and that its
// maintenance page is shown.
func (s Stack) last(ctx context.Context, docker Engine) (failed string, told []checks.Check, err error) {
	all, err := s.changes(ctx, docker)
	if err != nil {
		return "", nil, err
	}
	if len(all) > 0 && all[0].Result != history.Succeeded {
		failed = fmt.Sprintf("the last `%s`, of %s, was %s", all[0].Operation, at(all[0].At), all[0].Result)
		told = append(told, checks.Check{ID: "last-up", Checked: "the last `up` has succeeded", Result: checks.Warn, Found: failed, Cause: all[0].Why, Mend: "pulumi up -s " + s.Name})
	}
	held, shown, err := docker.Maintained(ctx, s.Prefix)
	if err != nil {
		return "", nil, err
	}
	if shown {
		told = append(told, checks.Check{ID: "maintenance", Checked: "users get the site", Result: checks.Warn,
			Found: fmt.Sprintf("the maintenance page is shown since %s by %s: that is kept on the engine, and no drift", at(held.Since), held.Who), Mend: "stack maintenance off -s " + s.Name})
	}
	return failed, told, nil
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// look compares once.
func (s Stack) look(ctx context.Context, docker Engine) (*comparison, error) {
	resources, err := s.State(ctx)
	if err != nil {
		return nil, err
	}
	c := &comparison{Stack: s, ctx: ctx, docker: docker, counts: map[string]int{}}
	if c.wanted, err = wantedOf(resources); err != nil {
		return nil, err
	}
	if c.actual, err = docker.Actual(ctx, s.Prefix, c.wanted.asked()); err != nil {
		return nil, err
	}
	c.containers()
	c.services()
	c.tasks()
	c.networks()
	c.volumes()
	c.images()
	c.objects()
	c.strangers()
	if err := c.files(); err != nil {
		return nil, err
	}
	return c, nil
}

// ordered are the differences as they are told: maps are in no order.
func ordered(all []finding) []finding {
	slices.SortStableFunc(all, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.kind, b.kind), cmp.Compare(a.found, b.found))
	})
	return all
}

// list is a line for each difference, and one for each area that has none. What an `up` that has failed
// leaves by itself can't be told from what somebody has done.
func (c *comparison) list(failed string) (all []checks.Check) {
	for _, a := range areas {
		none := true
		for _, f := range ordered(c.found) {
			if area, _, _ := strings.Cut(f.kind, "-"); area != a.name {
				continue
			}
			none = false
			one := checks.Check{ID: f.kind, Checked: f.subject + ": " + f.wanted, Result: checks.Fail, Found: f.found, Mend: f.mend}
			if !f.since.IsZero() {
				one.Found += ", since " + at(f.since)
			}
			if failed != "" && f.own {
				one.Result, one.Cause, one.Mend = checks.Unknown, failed+", and leaves that, too", "pulumi up -s "+c.Name
			}
			all = append(all, one)
		}
		if n := c.counts[a.name]; none && (n > 0 || a.name == "stranger") {
			found := fmt.Sprintf("%d of %d", n, n)
			if a.name == "stranger" {
				found = "none"
			}
			all = append(all, checks.Check{ID: a.name, Checked: a.checked, Result: checks.Pass, Found: found})
		}
	}
	return all
}
