package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const shop = `PRAGMA journal_mode = WAL;
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL REFERENCES customers(id), what TEXT);
CREATE INDEX by_customer ON orders(customer);
CREATE VIEW sums AS SELECT customer, count(*) AS n FROM orders GROUP BY customer;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('ab12');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO customers SELECT i, 'customer ' || i FROM n;
INSERT INTO orders (customer, what) SELECT id, hex(randomblob(100)) FROM customers;`

// made is a database in a file, and the connection that has made it: closed at the end, so that
// what is in the log stays there.
func made(t *testing.T, statements ...string) (string, *sql.DB) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a database?.db") // a name that means something in an address
	live, err := sql.Open("sqlite", strings.ReplaceAll("file:"+file, "?", "%3f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = live.Close() })
	live.SetMaxOpenConns(1)
	do(t, live, statements...)
	return file, live
}

func do(t *testing.T, live *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := live.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func opened(t *testing.T, file string, mode Mode) *DB {
	t.Helper()
	d, err := Open(file, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestNoDatabaseIsToldFromOneThatIsNone(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none.db"), ReadOnly); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	file := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is a text\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged *Damaged
	if _, err := Open(file, ReadOnly); !errors.As(err, &damaged) {
		t.Errorf("a text: %v", err)
	}
	if is, err := Is(file); is || err != nil {
		t.Errorf("a text is a database: %v, %v", is, err)
	}
	file, _ = made(t, shop)
	if is, err := Is(file); !is || err != nil {
		t.Errorf("a database is one: %v, %v", is, err)
	}
}

// Every page that has something in it is spoiled, one at a time.
func TestAFlippedByteIsFound(t *testing.T) {
	file, live := made(t, "PRAGMA page_size = 512", shop, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened(t, file, ReadOnly).Check(t.Context()); err != nil {
		t.Fatalf("whole: %v", err)
	}
	spoiled := filepath.Join(t.TempDir(), "spoiled.db")
	for page := 1; page < len(whole)/512; page += 7 {
		bytes := bytes.Clone(whole)
		bytes[page*512] ^= 0x40 // what kind of page it is
		if err := os.WriteFile(spoiled, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(spoiled, ReadOnly)
		if err == nil {
			err = errors.Join(d.Check(t.Context()), d.Close())
		}
		var damaged *Damaged
		if !errors.As(err, &damaged) {
			t.Errorf("page %d: %v", page+1, err)
		}
	}
}

func TestRowsThatLeadNowhereAreCounted(t *testing.T) {
	file, live := made(t, shop)
	d := opened(t, file, ReadOnly)
	count := func() int {
		t.Helper()
		n, err := d.ForeignKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 0 {
		t.Errorf("whole: %d", n)
	}
	do(t, live, "PRAGMA foreign_keys = OFF", "DELETE FROM customers WHERE id <= 3")
	if n := count(); n != 3 {
		t.Errorf("3 customers are gone: %d", n)
	}
	do(t, live, "CREATE TABLE notes (customer TEXT REFERENCES customers(name))", "INSERT INTO notes VALUES ('nobody')")
	if n := count(); n != 4 {
		t.Errorf("and a key that can't be checked: %d", n)
	}
}

func TestTheSchemaIsWhatTheApplicationHasMade(t *testing.T) {
	file, live := made(t, shop)
	schema := func(file string) string {
		t.Helper()
		s, err := opened(t, file, ReadOnly).Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := schema(file)
	do(t, live, "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)", "CREATE TABLE _litestream_lock (id INTEGER)",
		"ANALYZE", "INSERT INTO customers (name) VALUES ('another')", "VACUUM")
	if s := schema(file); s != first {
		t.Error("another one with litestream's tables, statistics and a row more")
	}
	for _, change := range []string{
		"ALTER TABLE customers ADD COLUMN age INTEGER", "DROP INDEX by_customer", "DROP VIEW sums",
		"CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END", "UPDATE alembic_version SET version_num = 'cd34'",
		"CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, name TEXT, applied datetime)",
		"INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')",
	} {
		before := schema(file)
		do(t, live, change)
		if schema(file) == before {
			t.Errorf("the same after %s", change)
		}
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := opened(t, file, Dump).VacuumInto(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if schema(copied) != schema(file) {
		t.Error("another one of a copy")
	}
}

func TestRowsAreTheApplications(t *testing.T) {
	file, live := made(t, shop)
	do(t, live, "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)", "ANALYZE",
		`CREATE TABLE "a ""name"" of its own" (x)`, "CREATE VIRTUAL TABLE words USING fts5(text)", "INSERT INTO words VALUES ('one')")
	got, err := opened(t, file, ReadOnly).Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"customers": 500, "orders": 500, "alembic_version": 1, `a "name" of its own`: 0}
	maps.DeleteFunc(got, func(name string, _ int64) bool { return strings.HasPrefix(name, "words_") })
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// While somebody writes two tables in each transaction, a copy has as many rows in both.
func TestACopyIsOfOneMoment(t *testing.T) {
	file, live := made(t, "PRAGMA journal_mode = WAL", "CREATE TABLE a (x)", "CREATE TABLE b (x)", "INSERT INTO a VALUES (0)", "INSERT INTO b VALUES (0)")
	over, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	written := make(chan struct{}, 1)
	go func() {
		for i := 0; over.Err() == nil; i++ {
			tx, err := live.Begin()
			if err == nil {
				_, one := tx.Exec("INSERT INTO a VALUES (randomblob(1000))")
				_, two := tx.Exec("INSERT INTO b VALUES (randomblob(1000))")
				err = errors.Join(one, two, tx.Commit())
			}
			if err != nil {
				done <- err
				return
			}
			select {
			case written <- struct{}{}:
			default:
			}
		}
		done <- nil
	}()
	folder := t.TempDir()
	for i := range 10 {
		<-written
		d := opened(t, file, Dump)
		to := filepath.Join(folder, fmt.Sprintf("copy-%d.db", i))
		if err := d.VacuumInto(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if err := d.VacuumInto(t.Context(), to); err == nil {
			t.Fatal("a file that is there was written")
		}
		copied := opened(t, to, Own)
		rows, err := copied.Rows(t.Context())
		if err := errors.Join(err, copied.Check(t.Context())); err != nil {
			t.Fatal(err)
		}
		if rows["a"] != rows["b"] || rows["a"] < 2 {
			t.Errorf("copy %d: %v", i, rows)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// spent is a copy of a database as a killed application leaves it: with its log.
func spent(t *testing.T) string {
	t.Helper()
	file, _ := made(t, shop)
	to := filepath.Join(t.TempDir(), "shop.db")
	for _, ending := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(file + ending)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+ending, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestReadingChangesNothing(t *testing.T) {
	file := spent(t)
	before := contents(t, file)
	for _, mode := range []Mode{ReadOnly, Dump} {
		d := opened(t, file, mode)
		rows, err := d.Rows(t.Context())
		if err := errors.Join(err, d.Check(t.Context()), d.VacuumInto(t.Context(), filepath.Join(t.TempDir(), "copy.db")), d.Close()); err != nil {
			t.Fatal(err)
		}
		if rows["orders"] != 500 { // which are in the log alone
			t.Errorf("rows: %v", rows)
		}
		if contents(t, file) != before {
			t.Fatal("the file or its log is another one")
		}
	}
	d := opened(t, file, Own)
	if err := errors.Join(d.Check(t.Context()), d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy of one's own still has a log: %v", err)
	}
}

func contents(t *testing.T, file string) string {
	t.Helper()
	var all string
	for _, ending := range []string{"", "-wal"} {
		content, err := os.ReadFile(file + ending)
		if err != nil {
			t.Fatal(err)
		}
		all += string(content)
	}
	return all
}

// The volume is mounted to be read alone where files are backed up.
func TestAFolderThatCanOnlyBeReadIsEnough(t *testing.T) {
	left := spent(t) // by a killed application
	closed := spent(t)
	if err := opened(t, closed, Own).Close(); err != nil {
		t.Fatal(err)
	}
	written, live := made(t, shop)
	for name, file := range map[string]string{"killed": left, "closed": closed, "written": written} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "copy.db")
			onlyRead(t, filepath.Dir(file), filepath.Dir(to))
			err := func() error { // whatever fails: the test's own user ends it
				d, err := Open(file, Dump)
				if err != nil {
					return err
				}
				rows, err := d.Rows(t.Context())
				if err == nil && rows["orders"] != 500 {
					err = fmt.Errorf("rows: %v", rows)
				}
				return errors.Join(err, d.Check(t.Context()), d.VacuumInto(t.Context(), to), d.Close())
			}()
			if err != nil {
				t.Fatal(err)
			}
			if entries, err := os.ReadDir(filepath.Dir(file)); name == "closed" && (err != nil || len(entries) != 1) {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
	}
	_ = live
}

// What nobody had open is not read without a lock, unseen, while somebody begins to write it.
func TestWhoBeginsToWriteIsSeen(t *testing.T) {
	file := spent(t)
	if err := opened(t, file, Own).Close(); err != nil {
		t.Fatal(err)
	}
	mend := onlyRead(t, filepath.Dir(file))
	d, err := Open(file, Dump)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	mend()
	live, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	do(t, live, "DELETE FROM orders")
	if _, err := d.Rows(t.Context()); err == nil {
		t.Error("rows were counted")
	}
	if err := d.VacuumInto(t.Context(), filepath.Join(t.TempDir(), "copy.db")); err == nil {
		t.Error("a copy was made")
	}
}

// onlyRead has this test be somebody who can read a folder and what is in it, and write others.
func onlyRead(t *testing.T, folder string, writable ...string) (mend func()) {
	t.Helper()
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	mend = func() { _ = os.Chmod(folder, 0o755) }
	if os.Geteuid() == 0 { // whom modes don't bind
		for at := folder; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
			if err := os.Chmod(at, 0o555); err != nil {
				t.Fatal(err)
			}
		}
		for _, at := range writable {
			if err := errors.Join(os.Chmod(filepath.Dir(at), 0o755), os.Chmod(at, 0o777)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.LockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		mend = func() {
			_ = unix.Setfsuid(0)
			runtime.UnlockOSThread()
			_ = os.Chmod(folder, 0o755)
		}
	}
	t.Cleanup(mend)
	return mend
}

// 3.51.3 is the first without the WAL-reset bug.
func TestSQLiteIsOneWithoutTheBug(t *testing.T) {
	_, live := made(t)
	var version string
	if err := live.QueryRow("SELECT sqlite_version()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(err)
	}
	if major*1_000_000+minor*1000+patch < 3_051_003 {
		t.Errorf("SQLite is %s, want 3.51.3 or later", version)
	}
}

func TestAFolderHereIsNotOnANetwork(t *testing.T) {
	if kind, is, err := OnNetwork(t.TempDir()); is || err != nil {
		t.Errorf("%s: %v, %v", kind, is, err)
	}
	if _, _, err := OnNetwork(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if networks[0x6969] != "nfs" || networks[0x01021997] != "9p" {
		t.Errorf("kinds: %v", networks)
	}
}
