package postgres

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"tarot-platform/internal/backup/results"
)

// counts has the server count the rows of each table that a copy has, a line of JSON each, and
// tell how far migration programs say that the schema is: Alembic's and Django's, as there are
// migrations that change rows alone. What an extension brings along is its own.
const counts = `SELECT format('SELECT json_build_array(%L, count(*)) FROM %I.%I', CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END, n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname \gexec
SELECT format('SELECT json_build_array(%L, 0, coalesce(string_agg(t::text, E''\n'' ORDER BY t::text), '''')) FROM %I.%I t', 'head ' || n.nspname || '.' || c.relname, n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relname IN ('alembic_version', 'django_migrations') ORDER BY n.nspname, c.relname \gexec
`

// snapshotWord begins the line with the name of the snapshot.
const snapshotWord = "snapshot "

// moment is a database at a moment, for as long as it is held.
type moment struct {
	server   Server
	database string
	// snapshot is what the server calls it.
	snapshot string
	rows     map[string]int64
	heads    []string

	cmd  *exec.Cmd
	in   io.Closer
	said *bytes.Buffer
}

// hold counts what a database has, and keeps the moment for others that are to see the same.
func (s Server) hold(ctx context.Context, database string) (*moment, error) {
	m := &moment{server: s, database: database, rows: map[string]int64{}, said: &bytes.Buffer{}}
	m.cmd = s.program(ctx, "psql", asking(database)...)
	m.cmd.Stderr = m.said
	in, err := m.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	m.in = in
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	_, err = io.WriteString(in, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;\n"+counts+"SELECT '"+snapshotWord+"' || pg_export_snapshot();\n")
	lines := bufio.NewReader(out)
	for err == nil && m.snapshot == "" {
		var line string
		if line, err = lines.ReadString('\n'); err == nil {
			err = m.heard(strings.TrimSuffix(line, "\n"))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the rows of %s: %w", database, m.release()), ctx.Err())
	}
	return m, nil
}

func (m *moment) heard(line string) error {
	if name, is := strings.CutPrefix(line, snapshotWord); is {
		m.snapshot = name
		return nil
	}
	var parts []json.RawMessage
	var name, head string
	var rows int64
	err := json.Unmarshal([]byte(line), &parts)
	if err == nil && len(parts) < 2 {
		err = errors.New("no name and number")
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(parts[0], &name), json.Unmarshal(parts[1], &rows))
	}
	switch {
	case err != nil:
		return fmt.Errorf("psql says %q: %w", line, err)
	case len(parts) > 2:
		err = json.Unmarshal(parts[2], &head)
		m.heads = append(m.heads, name+"\n"+head)
	default:
		m.rows[name] = rows
	}
	return err
}

// release ends the moment. It is what was wrong with it; of one that was wrong, never nil.
func (m *moment) release() error {
	_ = m.in.Close()
	err := explained(m.cmd, m.cmd.Wait(), m.said.String())
	if err == nil && m.snapshot == "" {
		err = errors.New("psql has ended, and has not said all")
	}
	return err
}

// content is what the database holds.
func (m *moment) content(ctx context.Context) (results.Content, error) {
	text, err := m.server.Run(ctx, "pg_dump", "--schema-only", "--no-owner", "--no-privileges", "--snapshot="+m.snapshot, m.database)
	if err != nil {
		return results.Content{}, err
	}
	return results.Content{Schema: schema(text, m.heads), Rows: m.rows}, nil
}

// schema is a hash of what makes all that there is, without what each run of pg_dump says of
// itself, and of how far it is migrated.
func schema(text string, heads []string) string {
	sum := sha256.New()
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); line != "" && !slices.ContainsFunc(ofTheRun, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			_, _ = io.WriteString(sum, line+"\n")
		}
	}
	_, _ = io.WriteString(sum, strings.Join(heads, "\n"))
	return hex.EncodeToString(sum.Sum(nil))
}

// ofTheRun begins the lines with versions, a word by chance, and how the session is set.
var ofTheRun = []string{"--", `\restrict `, `\unrestrict `, "SET ", "SELECT pg_catalog.set_config("}

// Content is what a database holds now.
func (s Server) Content(ctx context.Context, database string) (results.Content, error) {
	m, err := s.hold(ctx, database)
	if err != nil {
		return results.Content{}, err
	}
	c, err := m.content(ctx)
	return c, errors.Join(err, m.release())
}
