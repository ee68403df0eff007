package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// ours leaves out of sqlite_schema what the application has not made: litestream's tables, and
// SQLite's own (sqlite_sequence, statistics, indexes of constraints).
const ours = `substr(tbl_name, 1, 12) <> '_litestream_' AND substr(name, 1, 12) <> '_litestream_'
	AND substr(tbl_name, 1, 7) <> 'sqlite_' AND substr(name, 1, 7) <> 'sqlite_'`

// heads are the tables in which migration programs write down how far a schema is: Alembic's and
// Django's. There are migrations that change rows alone.
var heads = []string{"alembic_version", "django_migrations"}

// Schema is a hash of what the database is made of: tables, indexes, views and triggers as they
// were written, and how far it is migrated. Copies of one database have the same, however they
// were made.
func (d *DB) Schema(ctx context.Context) (string, error) {
	sum := sha256.New()
	err := d.read(ctx, func(tx *sql.Tx) error {
		parts, err := column(ctx, tx, `SELECT json_array(type, name, tbl_name, sql) FROM sqlite_schema
			WHERE `+ours+` ORDER BY type, name, tbl_name, sql`)
		if err != nil {
			return err
		}
		for _, part := range parts {
			_, _ = io.WriteString(sum, part+"\n")
		}
		for _, head := range heads {
			if err := table(ctx, tx, head, sum); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", d.failed("schema", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// table writes a table's rows; where there is no such table, nothing.
func table(ctx context.Context, tx *sql.Tx, name string, to io.Writer) error {
	fields, err := column(ctx, tx, `SELECT c.name FROM sqlite_schema s, pragma_table_info(s.name) c
		WHERE s.type = 'table' AND s.name = ? ORDER BY c.cid`, name)
	if err != nil || len(fields) == 0 {
		return err
	}
	for i, field := range fields {
		fields[i] = "quote(" + quoted(field) + ")"
	}
	rows, err := column(ctx, tx, fmt.Sprintf("SELECT %s AS one FROM %s ORDER BY one", strings.Join(fields, " || ',' || "), quoted(name)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "%s %q\n", name, rows)
	return err
}

// Rows is how many rows each of the application's tables has, all at one moment. Virtual tables
// are left out: what they hold is in tables of their own, and their module may not be here.
func (d *DB) Rows(ctx context.Context) (map[string]int64, error) {
	all := map[string]int64{}
	err := d.read(ctx, func(tx *sql.Tx) error {
		names, err := column(ctx, tx, tables)
		if err != nil {
			return err
		}
		for _, name := range names {
			var count int64
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+quoted(name)).Scan(&count); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			all[name] = count
		}
		return nil
	})
	if err != nil {
		return nil, d.failed("rows", err)
	}
	return all, nil
}

const tables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND ` + ours + `
	AND upper(substr(sql, 1, 21)) <> 'CREATE VIRTUAL TABLE ' ORDER BY name`

func (d *DB) tables(ctx context.Context) ([]string, error) { return d.column(ctx, tables) }

// read has all that is read be of one moment.
func (d *DB) read(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if err := f(tx); err != nil {
		return err
	}
	return d.still()
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
