package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tarot-platform/internal/backup/results"
)

// The rooms of a rehearsal talk by files in the scratch volume, below roomFolder; what the one with the
// server answers is in its own volume.
const (
	questionFile = "request.json"
	answerFile   = "answer.json"
)

// question is what the room that fetches asks the one in which the release stands.
type question struct {
	ID string `json:"id"`
	// Databases are what was restored. The release stands on the first one.
	Databases []database `json:"databases"`
	// Server is true where it stands on a server instead, which was looked at.
	Server bool `json:"server,omitempty"`
}

// database is one that was restored.
type database struct {
	// Name is the part of the rehearsal that it belongs to.
	Name string `json:"name"`
	// File is below the scratch.
	File string `json:"file"`
	// Schema is the hash that it has to have, and ForeignKeys how many rows may refer to none
	// that is there.
	Schema      string `json:"schema"`
	ForeignKeys int    `json:"foreign_keys"`
}

// answer is what was found, by the parts of the rehearsal.
type answer struct {
	ID    string             `json:"id"`
	Found map[string]finding `json:"found"`
	// Took is how long the release took until it answered.
	Took time.Duration `json:"took"`
}

type finding struct {
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
}

func findingOf(err error) finding {
	f := finding{Outcome: outcomeOf(err)}
	if err != nil {
		f.Why = err.Error()
	}
	return f
}

func (f finding) err() error {
	switch f.Outcome {
	case results.OK:
		return nil
	case results.Failed:
		return wrong{errors.New(f.Why)}
	}
	return errors.New(f.Why)
}

// asking is the time between two looks for a file of the other room.
const asking = 500 * time.Millisecond

// ask has the room in which the release stands look at what was restored, and waits for what it
// finds.
func (h *rehearsal) ask(ctx context.Context, q question) error {
	folder := below(h.Scratch, roomFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	a, answered, err := h.answered(ctx, below(folder, questionFile), below(folder, answerFile), q.ID, q)
	if err != nil {
		return err
	}
	if !answered {
		err := fmt.Errorf("the standing room has not answered within %s: does backup-rehearsal run?", h.Patience)
		for _, one := range q.Databases {
			h.found(one.Name, err)
		}
		h.found(partApplication, err)
		return nil
	}
	for part, found := range a.Found {
		h.found(part, found.err())
	}
	if a.Took > 0 {
		h.figures["rehearsal_application_duration_seconds"] = a.Took.Seconds()
	}
	return nil
}

// answered puts a question into a file, and waits for the answer in another one; false: there was
// none within the patience.
func (h *rehearsal) answered(ctx context.Context, to, from, id string, q any) (a answer, is bool, err error) {
	if err := writeJSON(to, q); err != nil {
		return a, false, err
	}
	for end := h.now().Add(h.Patience); ; {
		if err := readJSON(from, &a); err != nil || a.ID == id {
			return a, err == nil, err
		}
		if h.now().After(end) {
			return a, false, nil
		}
		select {
		case <-ctx.Done():
			return a, false, ctx.Err()
		case <-time.After(asking):
		}
	}
}
