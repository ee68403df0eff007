package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// role has the test's program be another one: a litestream that does as files below its folder
// say, or the backup itself.
const (
	role   = "TEST_ROLE"
	folder = "TEST_FOLDER"
)

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "litestream":
		if err := fakeLitestream(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	case "backup":
		if os.Args[1] == "emptied" { // of a file that is no database
			os.Exit(0)
		}
		main()
		os.Exit(0)
	}
	// Thousands of files are written and synced here, which takes a busy disk minutes.
	// In memory that does not, unless no program may be run from there (as in containers).
	var memory syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &memory) == nil && memory.Flags&unix.MS_NOEXEC == 0 && os.Getenv("TMPDIR") == "" {
		_ = os.Setenv("TMPDIR", "/dev/shm")
	}
	os.Exit(m.Run())
}

func fakeFile(name string) string { return filepath.Join(os.Getenv(folder), name) }

func fakeSays(name string) string {
	text, _ := os.ReadFile(fakeFile(name))
	return strings.TrimSpace(string(text))
}

// fakeScript answers at once what needs no program: as the files version, plan and ltx (with the
// path of a replica) say.
const fakeScript = `#!/bin/sh
after() { while [ "$1" != -config ]; do shift; done; echo "$2"; }
fail() { if [ -s "$TEST_FOLDER/$1" ]; then echo "Error: $(cat "$TEST_FOLDER/$1")" >&2; exit 1; fi; }
case $1 in
  version) exec cat "$TEST_FOLDER/version" ;;
  restore) fail plan-error; echo "{\"max_txid\":\"$(cat "$TEST_FOLDER/plan")\"}" ;;
  ltx)
    fail ltx-error
    cat "$TEST_FOLDER/ltx$(sed -n 's/^ *path: //p' "$(after "$@")" | tr / _)" 2>/dev/null || echo '[]'
    ;;
  *) TEST_ROLE=litestream exec "$TEST_SELF" "$@" ;;
esac
`

// fakeLitestream answers as the file sync says, after the time of the file slow, and tells by the files pid, running and ended
// what became of it.
func fakeLitestream(args []string) error {
	c, err := readFakeConfig(args)
	if err != nil {
		return err
	}
	if why := fakeSays("replicate-error"); why != "" {
		return fmt.Errorf("%s", why)
	}
	// The lock came with it.
	var three syscall.Stat_t
	if err := syscall.Fstat(3, &three); err != nil {
		return fmt.Errorf("nothing is open as 3: %w", err)
	}
	// Two at once would show.
	running, err := os.OpenFile(fakeFile("running"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		previous, _ := strconv.Atoi(fakeSays("pid"))
		if !gone(previous) {
			_ = os.WriteFile(fakeFile("two-at-once"), nil, 0o600)
		}
	} else {
		running.Close()
	}
	if err := os.WriteFile(fakeFile("pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.DBs[0].MetaPath, "ltx", "0"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.DBs[0].MetaPath, "ltx", "0", "0001.ltx"), nil, 0o600); err != nil {
		return err
	}
	_ = os.Remove(c.Socket.Path)
	l, err := net.Listen("unix", c.Socket.Path)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sync", func(w http.ResponseWriter, q *http.Request) {
		var asked struct {
			Path    string
			Wait    bool
			Timeout int
		}
		_ = json.NewDecoder(q.Body).Decode(&asked)
		if asked.Path != c.DBs[0].Path || !asked.Wait {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if slow, err := time.ParseDuration(fakeSays("slow")); err == nil {
			ctx, cancel := context.WithTimeout(q.Context(), time.Duration(asked.Timeout)*time.Second)
			defer cancel()
			select {
			case <-time.After(slow):
			case <-ctx.Done(): // as litestream does
				_ = os.WriteFile(fakeFile("given-up"), nil, 0o600)
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		}
		switch text := fakeSays("sync"); {
		case strings.HasPrefix(text, "{"):
			fmt.Fprintln(w, text)
		default:
			w.WriteHeader(http.StatusInternalServerError)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
		}
	})
	go func() { _ = http.Serve(l, mux) }()
	if c.Addr != "" {
		go func() {
			_ = http.ListenAndServe(c.Addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "# HELP go_goroutines x\ngo_goroutines 7\n", fakeSays("metrics"), "\n")
			}))
		}()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	if err := os.Remove(fakeFile("running")); err != nil {
		return err
	}
	return os.WriteFile(fakeFile("ended"), nil, 0o600)
}

func readFakeConfig(args []string) (litestreamConfig, error) {
	var c litestreamConfig
	for i, word := range args {
		if word == "-config" {
			text, err := os.ReadFile(args[i+1])
			if err != nil {
				return c, err
			}
			return c, yaml.Unmarshal(text, &c)
		}
	}
	return c, fmt.Errorf("no -config in %q", args)
}

// world is a database's folder, with all that a guard needs.
type world struct {
	t      *testing.T
	folder string
}

func newWorld(t *testing.T) world {
	t.Helper()
	// Sockets want short paths.
	f, err := os.MkdirTemp("", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(f) })
	w := world{t, f}
	for _, name := range []string{"data", "state", "work", "secrets", "target"} {
		if err := os.Mkdir(w.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.says("version", "0.5.18")
	w.says("plan", "000000000000ffff")
	w.says("sync", `{"status":"synced","txid":18,"replicated_txid":18}`)
	w.says("data/app.db", "SQLite format 3")
	t.Setenv(folder, f)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_SELF", self)
	if err := os.WriteFile(w.path("litestream"), []byte(fakeScript), 0o700); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w world) path(name string) string { return filepath.Join(w.folder, name) }

func (w world) says(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) options() guardOptions {
	return guardOptions{
		Database: w.path("data/app.db"), State: w.path("state"), Litestream: w.path("litestream"), Work: w.path("work"),
		Target:    target.Target{Kind: target.S3, Bucket: "bucket", Path: "p", Stack: "tarot-test"},
		Retention: 720 * time.Hour, L0: time.Hour, Listen: "127.0.0.1:0", Metrics: freeAddress(w.t),
		Patience: time.Second, Every: 100 * time.Millisecond, Gap: 3,
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts a guard in this process, and returns it with what becomes of it.
func (w world) start(change ...func(*guardOptions)) (*replicator, func(), chan error) {
	o := w.options()
	for _, c := range change {
		c(&o)
	}
	r := newReplicator(o, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	r.content = func(context.Context) (results.Content, error) {
		return results.Content{Schema: "s", Rows: map[string]int64{"t": 3}}, nil
	}
	r.empty = func(context.Context) error { return nil }
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx) }()
	return r, stop, done
}

// process starts a guard that is a process of its own.
func (w world) process(extra ...string) *exec.Cmd {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	words := append([]string{"guard", "--database=" + w.path("data/app.db"), "--state=" + w.path("state"), "--litestream=" + w.path("litestream"), "--work=" + w.path("work"), "--secrets=" + w.path("secrets"),
		"--target=s3://bucket/p", "--stack=tarot-test", "--listen=127.0.0.1:0", "--litestream-metrics=" + freeAddress(w.t), "--patience=1s", "--every=1s"}, extra...)
	cmd := exec.Command(self, words...)
	cmd.Env = append(os.Environ(), role+"=backup", folder+"="+w.folder)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func (w world) there(name string) func() bool {
	return func() bool { _, err := os.Stat(w.path(name)); return err == nil }
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in 2 min: " + what)
		}
	}
}

func isIn(r *replicator, state string) func() bool {
	return func() bool { return r.status().State == state }
}
