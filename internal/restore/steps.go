package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore/task"
)

// step runs a one-off that answers.
func (r *Restore) step(ctx context.Context, once engine.Once, j journal.Journal, name string, more func(*task.Request)) (task.Answer, error) {
	var out bytes.Buffer
	var answer task.Answer
	if err := r.run(ctx, once, j, name, more, &out); err != nil {
		return answer, err
	}
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return answer, fmt.Errorf("restore %s: its answer is none: %w", name, err)
	}
	return answer, nil
}

func (r *Restore) run(ctx context.Context, once engine.Once, j journal.Journal, name string, more func(*task.Request), out io.Writer) error {
	t := r.Stack.Request
	t.Run, t.Driver, t.Who, t.Want = j.Run, r.driver, r.Who, j.Want
	if more != nil {
		more(&t)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	files := map[string][]byte{task.File: text}
	for path, content := range once.Files {
		files[path] = content
	}
	once.Files, once.Command = files, append(slices.Clone(once.Command), name)
	return r.Engine.RunOnce(ctx, r.Stack.Prefix, once, out)
}

func (r *Restore) tell(text string) {
	if r.People.Tell != nil {
		r.People.Tell(text)
	}
}

// List tells of the restore that is open, and of what earlier ones have replaced and is kept.
func (r *Restore) List(ctx context.Context) (task.Answer, error) {
	return r.step(ctx, r.Stack.Work, journal.Journal{}, "list", nil)
}

// Forget removes for good what a restore has replaced.
func (r *Restore) Forget(ctx context.Context, run string) error {
	_, err := r.step(ctx, r.Stack.Work, journal.Journal{}, "forget", func(t *task.Request) { t.Kept = run })
	return err
}

// Recall is the sealed state of the stack in the newest nightly backup. Nothing is touched.
func (r *Restore) Recall(ctx context.Context) ([]byte, error) {
	once := r.Stack.Fetch
	once.Name, once.Again = "restore-recall", true
	var out bytes.Buffer
	err := r.run(ctx, once, journal.Journal{}, "recall", nil, &out)
	return out.Bytes(), err
}

// Into fetches what is wanted, and passes it on as an archive (tar) of the folder task.Out. The
// stack is left alone.
func (r *Restore) Into(ctx context.Context, want journal.Want, taken func(io.Reader) error) (task.Found, error) {
	if !r.archived(want) {
		return r.into(ctx, r.Stack.Fetch, want, taken)
	}
	// Two images have what the two need.
	database := want
	database.Only = journal.Database
	found, err := r.into(ctx, r.Stack.Recover, database, taken)
	if err != nil || !want.Has(journal.Files) {
		return found, err
	}
	want.Only = journal.Files
	files, err := r.into(ctx, r.Stack.Fetch, want, taken)
	files.Database = found.Database
	return files, err
}

func (r *Restore) into(ctx context.Context, once engine.Once, want journal.Want, taken func(io.Reader) error) (task.Found, error) {
	once.Name, once.Again = "restore-into", true
	once.Take, once.Taken = task.Out, taken
	var out bytes.Buffer
	var found task.Found
	if err := r.run(ctx, once, journal.Journal{Want: want}, "extract", nil, &out); err != nil {
		return found, err
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return found, fmt.Errorf("restore extract: its answer is none: %w", err)
	}
	return found, nil
}
