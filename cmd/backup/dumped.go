package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"tarot-platform/internal/backup/postgres"
)

// keepDump has the copy that the server's own job makes stay until it is backed up.
func (n *nightly) keepDump(ctx context.Context) (release func(), err error) {
	if n.Dump == "" {
		return func() {}, nil
	}
	release, err = postgres.Keep(ctx, n.Dump)
	if errors.Is(err, fs.ErrNotExist) { // it has made none yet
		return func() {}, nil
	}
	return release, err
}

// copied notes which copy of a PostgreSQL's database the snapshot gets.
func (n *nightly) copied(found *surveyed) error {
	if n.Dump == "" {
		return nil
	}
	m, err := postgres.Read(n.Dump)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		found.manifest.Postgres = &m
	}
	return err
}

// fresh is wrong where the database is in no copy, or in one that is too old: what else there is
// has been backed up then, too.
func (n *nightly) fresh(now manifest) error {
	if n.Dump == "" {
		return nil
	}
	m := now.Postgres
	if m == nil {
		return wrongf("the database is in no backup: there is no copy of it yet. `make run STACK=... SCHEDULE=postgres-dump` makes one")
	}
	info, err := os.Stat(below(n.Dump, m.File))
	if err != nil || info.Size() != m.Bytes {
		return wrongf("the copy of the database is not the one that was made: %w", errors.Join(err, errors.New("it should have another size")))
	}
	if age := n.now().Sub(m.At); age > n.DumpAge {
		return wrongf("the newest copy of the database is of %s, and so %s old: what the schedule postgres-dump says tells why", m.At.UTC().Format(time.RFC3339), age.Round(time.Minute))
	}
	return nil
}
