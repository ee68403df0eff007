package restore

import (
	"database/sql"
	"testing"

	_ "modernc.org/sqlite"
)

// execute runs statements on a database, and returns what the last one says.
func execute(t *testing.T, file string, statements ...string) (said string) {
	t.Helper()
	db := open(t, file)
	for _, s := range statements {
		said = ""
		if err := db.QueryRow(s).Scan(&said); err != nil && err != sql.ErrNoRows {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return said
}

// leave runs a statement of which all is in the log, while something is done.
func leave(t *testing.T, file, statement string, while func()) {
	t.Helper()
	db := open(t, file)
	for _, s := range []string{"PRAGMA wal_autocheckpoint=0", statement} {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	while()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}
