// Package sqlite looks at an SQLite database as a backup has to: whether it is whole, what it
// is made of, how much is in it, and a consistent copy of it while others write.
//
// It is the pure Go SQLite that litestream is built with (a test compares the versions), which
// does not have the WAL-reset bug: https://sqlite.org/wal.html#the_wal_reset_bug.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// Mode is what may be done to a database.
type Mode int

const (
	// ReadOnly is of a database that others write: nothing of it is changed, and nothing moved
	// out of its write-ahead log. Of a database that nobody has open and that has no log it
	// needs no more than the right to read its folder.
	ReadOnly Mode = iota
	// Dump is ReadOnly, for VacuumInto: it waits longer for whoever writes.
	Dump
	// Own is of a copy that nobody else has: what is in its log becomes part of it.
	Own
)

// busy is how long a mode waits for others' locks.
var busy = map[Mode]time.Duration{ReadOnly: 5 * time.Second, Dump: 30 * time.Second, Own: 5 * time.Second}

// magic is how a database's file begins.
const magic = "SQLite format 3\x00"

// DB is one connection to a database.
type DB struct {
	pool *sql.DB
	path string
	// quiet is how the file was when it was opened without locks, as nobody had it open.
	quiet os.FileInfo
}

// Open opens the database of a file. That there is none is an error that is fs.ErrNotExist; a
// file that is no database is Damaged.
func Open(path string, mode Mode) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := looksRight(path); err != nil {
		return nil, err
	}
	d := &DB{path: path}
	if err = d.open(mode, ""); mode != Own && (is(err, codes.SQLITE_CANTOPEN) || is(err, codes.SQLITE_READONLY)) {
		err = d.alone(mode, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, told(err))
	}
	return d, nil
}

// looksRight tells a missing file from one that is none of SQLite's. An empty file is an empty
// database.
func looksRight(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, len(magic))
	if n, _ := file.Read(head); n > 0 && string(head[:n]) != magic {
		return &Damaged{Says: path + " does not begin as a database of SQLite does"}
	}
	return nil
}

// Is reports whether a file begins as a database of SQLite does.
func Is(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, len(magic))
	n, err := file.Read(head)
	if n == 0 { // an empty file, or an error
		return false, nil //nolint:nilerr // what can not be read is told by who reads all of it
	}
	return string(head[:n]) == magic, err
}

func (d *DB) open(mode Mode, more string) error {
	query := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busy[mode].Milliseconds())}}
	if mode == Own {
		query.Set("mode", "rw")
	} else {
		// A connection that can't write leaves the log to who writes, when it is closed.
		query.Set("mode", "ro")
		query.Add("_pragma", "wal_autocheckpoint(0)")
	}
	// Backups hold what an application has made: nothing of it is run.
	query.Add("_pragma", "trusted_schema(0)")
	at := url.URL{Scheme: "file", OmitHost: true, Path: d.path, RawQuery: query.Encode() + more}
	pool, err := sql.Open("sqlite", at.String())
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	d.pool = pool
	// The first read is what opens the file and its log.
	if _, err := pool.Exec("SELECT count(*) FROM sqlite_schema"); err != nil {
		return errors.Join(err, pool.Close())
	}
	return nil
}

// alone opens a database that nobody has open from a folder that can't be written: SQLite finds
// no index of its log, and can't make one. As there is no log, the file is all of it.
func (d *DB) alone(mode Mode, why error) error {
	for _, ending := range []string{"-wal", "-journal"} {
		switch info, err := os.Stat(d.path + ending); {
		case err == nil && info.Size() > 0:
			return why
		case err != nil && !os.IsNotExist(err):
			return err
		}
	}
	before, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	d.quiet = before
	return d.open(mode, "&immutable=1")
}

// still fails where somebody has begun to write what was opened as nobody's.
func (d *DB) still() error {
	if d.quiet == nil {
		return nil
	}
	now, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if log, err := os.Stat(d.path + "-wal"); err == nil && log.Size() > 0 || !os.SameFile(d.quiet, now) ||
		d.quiet.Size() != now.Size() || !d.quiet.ModTime().Equal(now.ModTime()) {
		return fmt.Errorf("%s: somebody began to write it while it was read: ask again", d.path)
	}
	return nil
}

// Close closes the connection.
func (d *DB) Close() error { return d.pool.Close() }

// Damaged is a database that is not whole: the answer of a check, not a check that could not be
// made.
type Damaged struct {
	// Says is what SQLite finds wrong, the first few lines of it.
	Says string
}

func (d *Damaged) Error() string { return "the database is damaged: " + d.Says }

// told makes a Damaged of SQLite's own words for it.
func told(err error) error {
	if is(err, codes.SQLITE_CORRUPT) || is(err, codes.SQLITE_NOTADB) {
		return &Damaged{Says: err.Error()}
	}
	return err
}

// is reports whether an error is SQLite's with this code, or an extended form of it.
func is(err error, code int) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// shown is how many of the faults that SQLite finds are told.
const shown = 5

// Check reads all of the database (PRAGMA integrity_check). What is wrong with it is Damaged.
func (d *DB) Check(ctx context.Context) error {
	lines, err := d.column(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", shown))
	if err != nil {
		return d.failed("check", err)
	}
	if err := d.still(); err != nil {
		return err
	}
	if len(lines) == 1 && lines[0] == "ok" {
		return nil
	}
	return &Damaged{Says: strings.Join(lines, "; ")}
}

// ForeignKeys counts the rows whose foreign key leads to no row. A key that SQLite can not check,
// as what it refers to is no key, counts as one.
func (d *DB) ForeignKeys(ctx context.Context) (int, error) {
	tables, err := d.tables(ctx)
	if err != nil {
		return 0, d.failed("foreign keys", err)
	}
	all := 0
	for _, table := range tables {
		var count int
		err := d.pool.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check(?)", table).Scan(&count)
		if is(err, codes.SQLITE_ERROR) && strings.Contains(err.Error(), "foreign key mismatch") {
			count, err = 1, nil
		}
		if err != nil {
			return 0, d.failed("foreign keys of "+table, err)
		}
		all += count
	}
	return all, d.still()
}

// VacuumInto writes a consistent copy of the database into a file that is not there yet, and
// returns when it is on the disk.
func (d *DB) VacuumInto(ctx context.Context, to string) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("copy %s: %s is there already", d.path, to)
	}
	if _, err := d.pool.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return d.failed("copy", err)
	}
	if err := d.still(); err != nil {
		return err
	}
	file, err := os.Open(to)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// Pages is how many pages the database has, free ones too.
func (d *DB) Pages(ctx context.Context) (count int64, err error) {
	if err := d.pool.QueryRowContext(ctx, "PRAGMA page_count").Scan(&count); err != nil {
		return 0, d.failed("pages", err)
	}
	return count, d.still()
}

func (d *DB) failed(what string, err error) error {
	return fmt.Errorf("%s: %s: %w", d.path, what, told(err))
}

// column is the only column of a query's rows.
func (d *DB) column(ctx context.Context, query string, args ...any) ([]string, error) {
	return column(ctx, d.pool, query, args...)
}

// asker is a pool or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func column(ctx context.Context, q asker, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
