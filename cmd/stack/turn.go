package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"tarot-platform/components"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/notice"
	"tarot-platform/internal/turn"
)

func warn(text string) { console.Stderr().Warn("%s", text) }

// turns is who changes the stack now.
func (d deployed) turns() turn.Stack {
	return turn.Stack{Name: d.name, Prefix: d.prefix, Engine: d.docker, Tell: warn}
}

// free refuses while somebody changes the stack. It is asked before this command touches anything; the
// `up` that it leads to takes the turn by itself.
func (d deployed) free(ctx context.Context) error {
	held, open, err := d.turns().Look(ctx)
	if err == nil && open {
		err = held.Unfinished(d.name)
	}
	return err
}

// operating is what is not finished of what works for minutes. An `up` that was killed is none: it is
// over, and has no claim on images any more.
func (d deployed) operating(ctx context.Context) (engine.Held, bool, error) {
	s := d.turns()
	s.Freed = func(ctx context.Context, _ engine.Held) error { return d.docker.Unclaim(ctx, d.prefix) }
	return s.Look(ctx)
}

// operate does something for which the stack has to be left alone by others, with a name by which its own
// `up` is let through.
func (d deployed) operate(ctx context.Context, operation engine.Operation, detail string, do func(ctx context.Context, run string) error) error {
	t, err := d.turns().Take(ctx, operation, detail, "")
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	t.Beat(ctx, engine.SignEvery, func(why error) { end(why) })
	err = do(ctx, t.Run())
	if why := context.Cause(ctx); why != nil {
		err = cmp.Or(err, why)
	}
	t.End(ctx, cmp.Or(ctx.Err(), err))
	return err
}

// recorded does something that has its own lock, or needs none, and has it in the stack's history.
func (d deployed) recorded(ctx context.Context, operation, detail string, do func() error) error {
	entry := history.Entry{At: time.Now(), Operation: operation, Detail: detail, Author: history.Me(ctx)}
	err := history.Do(ctx, d.docker, d.prefix, entry, warn, do)
	d.tell(context.WithoutCancel(ctx), entry.Ended(cmp.Or(ctx.Err(), err)))
	return err
}

// tell has the receivers of alerts know what was done, where the stack's file wants it.
func (d deployed) tell(ctx context.Context, entry history.Entry) {
	cfg, err := d.configuration(ctx)
	switch {
	case err != nil && entry.Result == history.Succeeded:
		warn(fmt.Sprintf("whether anybody is to be told of this %s can't be found out: %v", entry.Operation, err))
	case err == nil && cfg.Monitoring.Alerts.DeployNotices:
		notice.Teller(d.docker, d.prefix, warn)(ctx, entry)
	}
}

// as has an `up` be in the history, and before others, as what it is for.
func as(operation engine.Operation, detail string) string {
	text := components.OperationVariable + "=" + string(operation)
	if detail != "" {
		text += " " + detail
	}
	return text
}
