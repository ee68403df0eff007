package valkey

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"tarot-platform/internal/backup/durable"
)

// Log is the folder with what a server writes down, in that with all of its data. It reads what is
// in there at its start, and nothing else.
const Log = "appendonlydir"

// What is in it, where a copy is all that there is. The server may begin with a copy: it writes one
// itself when it writes the log anew.
const (
	logBase = "appendonly.aof.1.base.rdb"
	logList = "appendonly.aof.manifest"
)

// Put moves a copy to where a server finds it that has the folder as Log. What is moved, and what is
// new, belongs to whom the folder belongs to.
func Put(copied, folder string) error {
	base := filepath.Join(folder, logBase)
	if err := durable.Rename(copied, base); err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(folder, logList), []byte("file "+logBase+" seq 1 type b\n"), 0o644); err != nil {
		return err
	}
	return os.Chmod(base, 0o644) //nolint:gosec // as the server's own
}

// keyspace is a line of the server's figures: those of one of its databases.
var keyspace = regexp.MustCompile(`(?m)^db\d+:keys=(\d+),expires=(\d+)`)

// Holds are the keys that a server holds. One that reads its files still is Unanswered.
func (s Server) Holds(ctx context.Context) (k Keys, err error) {
	c, end, err := s.dial(ctx)
	if err != nil {
		return k, err
	}
	defer end()
	if _, err := c.ask("PING"); err != nil {
		return k, err
	}
	text, err := c.ask("INFO", "keyspace")
	if err != nil {
		return k, err
	}
	for _, found := range keyspace.FindAllStringSubmatch(text, -1) {
		all, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			return k, err
		}
		passing, err := strconv.ParseInt(found[2], 10, 64)
		if err != nil {
			return k, err
		}
		k.Lasting += all - passing
		k.Passing += passing
	}
	return k, nil
}

// Compare is an error where a server does not hold what a copy does. Keys that go by themselves may
// have gone.
func (k Keys) Compare(held Keys) error {
	if held.Lasting != k.Lasting || held.Passing > k.Passing {
		return fmt.Errorf("it holds %d keys that stay and %d that go by themselves, and the copy has %d and %d", held.Lasting, held.Passing, k.Lasting, k.Passing)
	}
	return nil
}
