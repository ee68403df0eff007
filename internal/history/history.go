// Package history is what was done with a stack: by whom, when, of which commit, and what became of
// it. It is in the engine (engine.WriteHistory), so it is everybody's who has that, whatever their
// checkouts and their states are.
package history

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Engine is where it is written down.
type Engine interface {
	WriteHistory(ctx context.Context, prefix, id string, entry json.RawMessage) error
	History(ctx context.Context, prefix string) (map[string]json.RawMessage, error)
}

// What became of something.
const (
	Succeeded   = "succeeded"
	Failed      = "failed"
	Interrupted = "interrupted"
	// Killed is what nobody has told the end of.
	Killed = "killed"
)

// Entry is one thing that was done.
type Entry struct {
	// At is when it began, and Seconds how long it took; 0: that is not known.
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds,omitempty"`
	// Operation is what it was, in one word: up, rollback, exec. Detail is more of it: which secret
	// was rotated, which command ran. No secret is in there.
	Operation string `json:"operation"`
	Detail    string `json:"detail,omitempty"`
	Author
	Result string `json:"result"`
	// Why is the first line of why it has failed.
	Why string `json:"why,omitempty"`
	// From and To are the releases that ran before and after it.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// longestWhy is how much of an error is kept: the whole of it was shown to whoever was there.
const longestWhy = 200

// Ended is the entry with what became of it.
func (e Entry) Ended(err error) Entry {
	e.Seconds = math.Round(time.Since(e.At).Seconds()*10) / 10
	switch {
	case err == nil:
		e.Result = Succeeded
		return e
	case errors.Is(err, context.Canceled):
		e.Result = Interrupted
		return e
	}
	e.Result = Failed
	why, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if runes := []rune(why); len(runes) > longestWhy {
		why = string(runes[:longestWhy]) + "…"
	}
	e.Why = why
	return e
}

// Append writes an entry down. Who, from where and of which commit is found out where it is not said.
func Append(ctx context.Context, e Engine, prefix string, entry Entry) error {
	if entry.At.IsZero() {
		entry.At = time.Now()
	}
	entry.At = entry.At.UTC().Truncate(time.Millisecond)
	if entry.Author == (Author{}) {
		entry.Author = Me(ctx)
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	id := entry.At.Format("20060102-150405.000") + "-" + strings.ToLower(rand.Text()[:4])
	return e.WriteHistory(ctx, prefix, id, text)
}

// unwrittenTime is how long the engine has to write an entry down: nobody waits longer for that.
const unwrittenTime = 10 * time.Second

// Note writes an entry down when its command ends, for whatever reason. Where it can't be, that is
// told, and nothing has failed for it.
func Note(ctx context.Context, e Engine, prefix string, entry Entry, tell func(string)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unwrittenTime)
	defer cancel()
	if err := Append(ctx, e, prefix, entry); err != nil {
		tell(fmt.Sprintf("the history of the stack has no line of this: %v", err))
	}
}

// Do does something, and has it in the history, whatever becomes of it.
func Do(ctx context.Context, e Engine, prefix string, entry Entry, tell func(string), do func() error) error {
	entry.At = time.Now()
	entry.Author = Me(ctx)
	err := do()
	Note(ctx, e, prefix, entry.Ended(cmp.Or(ctx.Err(), err)), tell)
	return err
}

// Read returns the entries, the latest first.
func Read(ctx context.Context, e Engine, prefix string) ([]Entry, error) {
	found, err := e.History(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return parse(found)
}
