package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/valkey"
)

// keepQueue has the copy that the schedule valkey-copy makes stay until it is backed up.
func (n *nightly) keepQueue(ctx context.Context) (release func(), err error) {
	if n.Queue == "" {
		return func() {}, nil
	}
	release, err = newest.Keep(ctx, n.Queue)
	if errors.Is(err, fs.ErrNotExist) { // it has made none yet
		return func() {}, nil
	}
	return release, err
}

// queued notes which copy of a queue the snapshot gets.
func (n *nightly) queued(found *surveyed) error {
	if n.Queue == "" {
		return nil
	}
	m, err := valkey.Read(n.Queue)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		found.manifest.Queue = &m
	}
	return err
}

// freshQueue is wrong where the queue is in no copy, or in one that is too old: what else there is
// has been backed up then, too.
func (n *nightly) freshQueue(now manifest) error {
	if n.Queue == "" {
		return nil
	}
	m := now.Queue
	if m == nil {
		return wrongf("the queue is in no backup: there is no copy of it yet. `make run STACK=... SCHEDULE=valkey-copy` makes one")
	}
	info, err := os.Stat(below(n.Queue, m.File))
	if err != nil || info.Size() != m.Bytes {
		return wrongf("the copy of the queue is not the one that was made: %w", errors.Join(err, errors.New("it should have another size")))
	}
	if age := n.now().Sub(m.At); age > n.QueueAge {
		return wrongf("the newest copy of the queue is of %s, and so %s old: what the schedule valkey-copy says tells why", m.At.UTC().Format(time.RFC3339), age.Round(time.Minute))
	}
	return nil
}
