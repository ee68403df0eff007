package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Database is one of a server's.
type Database struct {
	Bytes int64 `json:"bytes"`
	// Said is what was said of it (COMMENT ON DATABASE).
	Said string `json:"said"`
}

// Databases are those of the server, by their names.
func (s Server) Databases(ctx context.Context) (map[string]Database, error) {
	text, err := s.Ask(ctx, "postgres", `SELECT coalesce(json_object_agg(datname, json_build_object('bytes', pg_database_size(oid), 'said', coalesce(shobj_description(oid, 'pg_database'), ''))), '{}')
  FROM pg_database WHERE datallowconn AND NOT datistemplate;`+"\n")
	if err != nil {
		return nil, err
	}
	all := map[string]Database{}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("the server's databases: %w: %s", err, text)
	}
	return all, nil
}

// Say has a text be said of a database, which it keeps under another name.
func (s Server) Say(ctx context.Context, database, text string) error {
	_, err := s.Ask(ctx, "postgres", "COMMENT ON DATABASE "+quoted(database)+" IS "+literal(text)+";\n")
	return err
}

// Renaming is another name for a database.
type Renaming struct{ From, To string }

// renameTries is how often whoever comes back meanwhile is sent away.
const renameTries = 50

// Rename gives databases other names: all, or none. Whoever is in one of them is sent away.
func (s Server) Rename(ctx context.Context, all ...Renaming) error {
	var names, renames []string
	for _, one := range all {
		names = append(names, literal(one.From))
		renames = append(renames, "ALTER DATABASE "+quoted(one.From)+" RENAME TO "+quoted(one.To)+";\n")
	}
	script := "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname IN (" + strings.Join(names, ", ") + ") AND pid <> pg_backend_pid();\nBEGIN;\n" + strings.Join(renames, "") + "COMMIT;\n"
	for try := 1; ; try++ {
		_, err := s.Ask(ctx, "postgres", script)
		if err == nil || try == renameTries || ctx.Err() != nil || !strings.Contains(err.Error(), "is being accessed by other users") {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
