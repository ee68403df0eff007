package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"tarot-platform/internal/backup/results"
)

func TestALogIsEmptied(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	if err := emptied(t.Context(), []string{file}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a database that is not there: %v", err)
	}
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"pragma journal_mode = wal", "create table t (x)", "insert into t values (1)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	log := func() int64 {
		info, err := os.Stat(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if log() == 0 {
		t.Fatal("there is nothing to be emptied")
	}
	if err := emptied(t.Context(), []string{file}); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := db.QueryRow("select count(*) from t").Scan(&rows); err != nil || rows != 1 || log() != 0 {
		t.Errorf("%v: %d rows, and %d bytes in the log", err, rows, log())
	}
}

// Also when it is started again: the application has written meanwhile.
func TestTheLogIsEmptiedBeforeEachStart(t *testing.T) {
	w := newWorld(t)
	var count atomic.Int32
	done := make(chan error, 1)
	r := newReplicator(w.options(), slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	r.empty = func(context.Context) error {
		if first := w.pid(); first != 0 && !gone(first) {
			t.Error("litestream runs already")
		}
		count.Add(1)
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { done <- r.serve(ctx) }()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if n := count.Load(); n != 1 {
		t.Errorf("emptied %d times before the first start", n)
	}
	first := w.pid()
	_ = syscall.Kill(first, syscall.SIGKILL)
	eventually(t, "another one runs", func() bool { return w.pid() != first && isIn(r, results.Replicating)() })
	if n := count.Load(); n != 2 {
		t.Errorf("emptied %d times before the second start", n)
	}
	stop()
	<-done
}

// What can't be emptied is no reason for a backup with a hole: another history begins.
func TestALogThatCanNotBeEmptied(t *testing.T) {
	w := newWorld(t)
	r, stop, done := w.start()
	eventually(t, "it replicates", isIn(r, results.Replicating))
	eventually(t, "that is known", func() bool { return r.placed().Written })
	w.says("ltxp_tarot-test_db-1", `[{"level":0,"max_txid":"0000000000000012","size":5,"timestamp":"2026-11-26T10:00:00Z"}]`)
	stop()
	<-done
	r = newReplicator(w.options(), r.log)
	r.empty = func(context.Context) error { return errors.New("somebody reads from it all the time") }
	ctx, stop := context.WithCancel(t.Context())
	go func() { done <- r.serve(ctx) }()
	eventually(t, "another one begins", func() bool { return r.placed().Path == "db-2" && isIn(r, results.Replicating)() })
	stop()
	<-done
}
