package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tarot-platform/internal/backup/valkey"
)

// partQueue is the part of a rehearsal with the tasks that wait.
const partQueue = "queue"

// queueFolder is below roomFolder: the question for the room with a Valkey, and the copy.
const queueFolder = "valkey"

// queueQuestion is what that room is asked.
type queueQuestion struct {
	ID   string          `json:"id"`
	Copy valkey.Manifest `json:"copy"`
}

// restoredQueue looks whether a queue's copy is the one that was made, and puts it to where the room
// with a Valkey finds it.
func (h *rehearsal) restoredQueue(to string, m manifest) error {
	if h.Queue == "" {
		return nil
	}
	if m.Queue == nil {
		if _, known := m.Volumes[filepath.Base(h.Queue)]; !known {
			return errors.New("the newest snapshot is of before there was a queue")
		}
		return wrongf("the snapshot has no copy of the queue")
	}
	if err := valkey.Whole(below(to, h.Queue), *m.Queue); err != nil {
		return wrong{err}
	}
	return h.hand(below(to, h.Queue, m.Queue.File), queueFolder)
}

// queue looks whether a Valkey stands on the copy, with every key.
func (h *rehearsal) queue(ctx context.Context, id string, m valkey.Manifest) error {
	a, answered, err := h.answered(ctx, below(h.Scratch, roomFolder, queueFolder, questionFile), below(h.QueueRoom, answerFile), id, queueQuestion{ID: id, Copy: m})
	if err != nil {
		return err
	}
	if !answered {
		h.found(partQueue, fmt.Errorf("the room with a Valkey has not answered within %s: does rehearsal-valkey run?", h.Patience))
		return nil
	}
	for part, found := range a.Found {
		h.found(part, found.err())
	}
	return nil
}
