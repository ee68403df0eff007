package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// emptied empties the write-ahead log of a database that is to be replicated, and is to come
// before each start of litestream. While litestream is away, the application moves what is in
// the log into the database, and begins the log anew. Where the new log is still shorter than
// the old one was, litestream 0.5.18 finds the old frames behind it, takes the log for what it
// knows, and goes on: what was written while it was away is in no backup, and nothing says so
// (measured: docs/adr/0021). Of a log that was emptied it knows nothing, and begins with a
// full copy.
//
//	backup emptied DATABASE
func emptied(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("emptied wants the path of a database")
	}
	if _, err := os.Stat(args[0]); err != nil { // or there would be one
		return err
	}
	address := url.URL{Scheme: "file", Path: args[0], RawQuery: "mode=rw&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	// It waits for whoever writes, but not for ever for whoever reads.
	for end := time.Now().Add(time.Minute); ; {
		var busy, frames, moved int
		if err := db.QueryRowContext(ctx, "pragma wal_checkpoint(truncate)").Scan(&busy, &frames, &moved); err != nil {
			return fmt.Errorf("empty the log of %s: %w", args[0], err)
		}
		if busy == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the log of %s can't be emptied: somebody reads from it all the time", args[0])
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// emptyInChild has a program of its own do it: what that needs of memory goes with it.
func (r *replicator) emptyInChild(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := exec.CommandContext(ctx, self, "emptied", r.Database).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(text)))
	}
	return nil
}
