package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
)

// serverFolder is below roomFolder: the question for the room with a server, and the copy.
const serverFolder = "postgres"

// serverSocket is what the folder with its socket is called in that room's volume.
const serverSocket = "socket"

// serverQuestion is what the room with a server is asked.
type serverQuestion struct {
	ID string `json:"id"`
	// Loaded is the question that has brought the copy in, of which the server is looked at again,
	// and goes; empty: this one is to bring it in.
	Loaded string            `json:"loaded,omitempty"`
	Copy   postgres.Manifest `json:"copy"`
}

// restoredCopy looks whether a PostgreSQL's copy is the one that was made, and puts it to where
// the room with a server finds it.
func (h *rehearsal) restoredCopy(to string, m manifest) error {
	if h.Dump == "" {
		return nil
	}
	if m.Postgres == nil {
		return wrongf("the snapshot has no copy of the database")
	}
	file := below(to, h.Dump, m.Postgres.File)
	if _, hash, err := newest.Sum(file); err != nil || hash != m.Postgres.SHA256 {
		return wrongf("the copy of the database is not the one that was made: %w", errors.Join(err, errors.New("its hash differs")))
	}
	h.figures["rehearsal_age_seconds"] = max(0, h.now().Sub(m.Postgres.At).Seconds())
	h.add(m.Postgres.Content, m.Postgres.Bytes)
	return h.hand(file, serverFolder)
}

// hand puts a file to where another room finds it, which is another user's.
func (h *rehearsal) hand(file, room string) error {
	folder := below(h.Scratch, roomFolder, room)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, open := range []string{h.Scratch, below(h.Scratch, roomFolder), folder} {
		info, err := os.Stat(open)
		if err == nil && info.Mode().Perm()&0o055 != 0o055 {
			err = os.Chmod(open, info.Mode().Perm()|0o055)
		}
		if err != nil {
			return err
		}
	}
	goal := below(folder, filepath.Base(file))
	if err := os.Rename(file, goal); err != nil {
		return err
	}
	return os.Chmod(goal, 0o644) //nolint:gosec // as above
}

// serve has the room with a server bring a copy in; true: the release can stand on it.
func (h *rehearsal) serve(ctx context.Context, id string, m postgres.Manifest) (bool, error) {
	return h.askServer(ctx, serverQuestion{ID: id, Copy: m})
}

// served has that room look at what the release has left, and clear it away.
func (h *rehearsal) served(ctx context.Context, id string, m postgres.Manifest) error {
	_, err := h.askServer(ctx, serverQuestion{ID: id + "-after", Loaded: id, Copy: m})
	return err
}

func (h *rehearsal) askServer(ctx context.Context, q serverQuestion) (bool, error) {
	a, answered, err := h.answered(ctx, below(h.Scratch, roomFolder, serverFolder, questionFile), below(h.Room, answerFile), q.ID, q)
	if err != nil {
		return false, err
	}
	if !answered {
		h.found(partDatabase, fmt.Errorf("the room with a server has not answered within %s: does rehearsal-postgres run?", h.Patience))
		return false, nil
	}
	for part, found := range a.Found {
		h.found(part, found.err())
	}
	return a.Found[partDatabase].Outcome == results.OK, nil
}
