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
}

// databaseQuery is answered by one row, of the names that Database has.
const databaseQuery = `SELECT json_build_object('version', split_part(current_setting('server_version'), ' ', 1), 'bytes', pg_database_size(current_database()),
'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), 'most', current_setting('max_connections')::int)`

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
	s.Database = &found
}

func (d Database) String() string {
	return fmt.Sprintf("PostgreSQL %s, %s, %d of %d connections", d.Version, size(d.Bytes), d.Connections, d.Most)
}
