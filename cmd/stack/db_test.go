package main

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"tarot-platform/internal/config"
)

// asks runs what the prompt is in a container here, on a file of SQLite.
func asks(t *testing.T, file string, o dbOptions, in string) (said, errs string, code int) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("there is no python3 here, which the prompt is tried with")
	}
	if o.timeout == 0 {
		o.timeout = 5 * time.Second
	}
	command := pythonPrompt(config.Defaults(), file, o)
	var out, err bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(in), &out, &err, os.Environ()
	if run := cmd.Run(); run != nil {
		code = cmd.ProcessState.ExitCode()
	}
	return out.String(), err.String(), code
}

func aDatabase(t *testing.T) (file string, db *sql.DB) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "prod.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{"PRAGMA journal_mode = WAL", "CREATE TABLE cards (id INTEGER, name TEXT)", "INSERT INTO cards VALUES (1, 'the fool'), (2, NULL)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return file, db
}

func TestThePromptReads(t *testing.T) {
	file, _ := aDatabase(t)
	for _, test := range []struct {
		o        dbOptions
		in, want string
	}{
		{dbOptions{sql: "SELECT * FROM cards ORDER BY id"}, "", "1\tthe fool\n2\t\n"},
		{dbOptions{sql: "SELECT * FROM cards ORDER BY id", csv: true}, "", "id,name\n1,the fool\n2,\n"},
		{dbOptions{}, "SELECT count(*)\nFROM cards;\nSELECT name FROM cards WHERE id = 1;\n.tables\n", "2\nthe fool\ncards\n"},
		{dbOptions{}, ".schema cards\n", "CREATE TABLE cards (id INTEGER, name TEXT)\n"},
	} {
		if said, errs, code := asks(t, file, test.o, test.in); said != test.want || code != 0 {
			t.Errorf("%+v, %q: %d, %q, %s", test.o, test.in, code, said, errs)
		}
	}
}

func TestThePromptWritesOnlyWhereItIsTold(t *testing.T) {
	file, db := aDatabase(t)
	count := func() (n int) {
		if err := db.QueryRow("SELECT count(*) FROM cards").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, statement := range []string{"DELETE FROM cards", "PRAGMA query_only = 0; DELETE FROM cards", "CREATE TABLE more (id)"} {
		_, errs, code := asks(t, file, dbOptions{sql: statement}, "")
		if code != 1 || !strings.Contains(errs, "readonly") || count() != 2 {
			t.Errorf("%s: %d, %q, %d rows", statement, code, errs, count())
		}
	}
	if _, errs, code := asks(t, file, dbOptions{sql: "DELETE FROM cards WHERE id = 2", write: true}, ""); code != 0 || count() != 1 {
		t.Errorf("%d, %q, %d rows", code, errs, count())
	}
}

// A reader goes on beside a writer that is half way. And it leaves the log as it is: here, that of a
// program that was killed, which whoever may write puts back into the file as the last one that closes it.
func TestThePromptDoesNotDisturbAWriter(t *testing.T) {
	file, db := aDatabase(t)
	tx, err := db.Begin()
	if err == nil {
		_, err = tx.Exec("INSERT INTO cards VALUES (3, 'half way')")
	}
	if err != nil {
		t.Fatal(err)
	}
	if said, errs, code := asks(t, file, dbOptions{sql: "SELECT count(*) FROM cards"}, ""); said != "2\n" || code != 0 {
		t.Errorf("%d, %q, %s", code, said, errs)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	killed := filepath.Join(t.TempDir(), "prod.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		text, err := os.ReadFile(file + end)
		if err == nil {
			err = os.WriteFile(killed+end, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(killed + "-wal")
	if err != nil || len(before) == 0 {
		t.Fatalf("%d bytes, %v", len(before), err)
	}
	if said, errs, code := asks(t, killed, dbOptions{sql: "SELECT count(*) FROM cards"}, ""); said != "3\n" || code != 0 {
		t.Errorf("%d, %q, %s", code, said, errs)
	}
	if after, err := os.ReadFile(killed + "-wal"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the log was written back: %v", err)
	}
}

func TestAStatementHasItsTime(t *testing.T) {
	file, _ := aDatabase(t)
	endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
	if _, errs, code := asks(t, file, dbOptions{sql: endless, timeout: time.Second}, ""); code != 1 || !strings.Contains(errs, "it took longer than 1 s") {
		t.Errorf("%d, %q", code, errs)
	}
	if _, errs, code := asks(t, filepath.Join(t.TempDir(), "none.db"), dbOptions{sql: "SELECT 1"}, ""); code != 125 || !strings.Contains(errs, "there is no file") {
		t.Errorf("%d, %q", code, errs)
	}
	if _, errs, code := asks(t, "", dbOptions{sql: "SELECT 1"}, ""); code != 125 || !strings.Contains(errs, "none of DATABASE_URL is set") {
		t.Errorf("%d, %q", code, errs)
	}
}
