package postgres

import (
	"fmt"
	"time"

	"tarot-platform/internal/config"
)

// Prompt is a prompt for SQL in the server's container, as whoever it runs as: its command, and
// variables that it wants. Its statements are the application's, which owns what there is, and each
// has a time. Where it is not to write, transactions are begun to read only.
func Prompt(d config.Database, write bool, within time.Duration) (command, environment []string) {
	options := fmt.Sprintf("-c role=%s -c statement_timeout=%d", owner, within.Milliseconds())
	if !write {
		options += " -c default_transaction_read_only=on"
	}
	return []string{fmt.Sprintf("/usr/lib/postgresql/%d/bin/psql", d.Version), "--no-psqlrc", "--set=ON_ERROR_STOP=1"},
		[]string{"PGHOST=" + SocketFolder, "PGUSER=postgres", "PGDATABASE=" + database, "PGOPTIONS=" + options, "PAGER=cat"}
}
