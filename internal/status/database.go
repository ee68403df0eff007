package status

import (
	"context"
	"encoding/json"
	"fmt"
)

// database is the workload of a stack's own PostgreSQL.
const database = "postgres"

// Database is what a stack's own PostgreSQL says of itself.
type Database struct {
	Version string `json:"version"`
	Bytes   uint64 `json:"bytes"`
	// Connections are those in use, of as many as there may be (Most).
	Connections int `json:"connections"`
	Most        int `json:"most"`
	// Archives is true where what is written is archived, Archived how many seconds ago something came there
	// last, nil: nothing yet, and Fails what did not come since, empty: nothing.
	Archives bool   `json:"archives,omitempty"`
	Archived *int64 `json:"archived,omitempty"`
	Fails    string `json:"fails,omitempty"`
}

// databaseQuery is answered by one row, of the names that Database has.
const databaseQuery = `SELECT json_build_object('version', split_part(current_setting('server_version'), ' ', 1), 'bytes', pg_database_size(current_database()),
'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), 'most', current_setting('max_connections')::int,
'archives', current_setting('archive_mode') = 'on', 'archived', (SELECT greatest(0, extract(epoch FROM now() - last_archived_time))::bigint FROM pg_stat_archiver),
'fails', (SELECT CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN last_failed_wal ELSE '' END FROM pg_stat_archiver))`

// asksDatabase asks the server, where there is one, by its socket in its own container.
func (s *Status) asksDatabase(ctx context.Context, prefix string, out Outputs, docker Engine) {
	if _, there := out.Services[database]; !there {
		return
	}
	text, err := docker.Exec(ctx, prefix, database, "psql", "-X", "-A", "-t", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "app", "-c", databaseQuery)
	var found Database
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	if err != nil {
		s.problem("the database can't be seen: %v", err)
		return
	}
	if found.Archives && found.Fails != "" {
		s.problem("what is written to the database does not come to the archive (%s): make logs SERVICE=%s says why", found.Fails, database)
	}
	s.Database = &found
}

func (d Database) String() string {
	text := fmt.Sprintf("PostgreSQL %s, %s, %d of %d connections", d.Version, size(d.Bytes), d.Connections, d.Most)
	switch {
	case d.Archives && d.Archived == nil:
		text += ", nothing archived yet"
	case d.Archives:
		text += ", archived " + age(*d.Archived) + " ago"
	}
	return text
}
