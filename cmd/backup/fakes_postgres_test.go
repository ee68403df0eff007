package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fakePostgresIn has the test's program be one of PostgreSQL's, by the name that it was called by, and
// do as the files in that folder say: rows and schema are what it holds, fails the programs that
// fail, and calls what they were asked.
const fakePostgresIn = "TEST_POSTGRES_FOLDER"

func init() {
	at, name := os.Getenv(fakePostgresIn), filepath.Base(os.Args[0])
	if at == "" || strings.HasSuffix(name, ".test") {
		return
	}
	says := func(name string) string {
		text, _ := os.ReadFile(below(at, name))
		return string(text)
	}
	calls, _ := os.OpenFile(below(at, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fmt.Fprintln(calls, name, strings.Join(os.Args[1:], " "))
	switch {
	case strings.Contains(says("fails"), name+" away"):
		fmt.Fprintln(os.Stderr, `psql: error: connection to server on socket "/x" failed`)
		os.Exit(2)
	case strings.Contains(says("fails"), name):
		fmt.Fprintln(os.Stderr, "told to")
		os.Exit(1)
	case name == "initdb":
		_ = os.MkdirAll(os.Args[2], 0o700)
	case name == "postgres":
		over := make(chan os.Signal, 1)
		signal.Notify(over, syscall.SIGQUIT)
		<-over
	case name == "pg_dump":
		fmt.Print(says("schema"))
	case name == "psql":
		buffer := make([]byte, 1<<16)
		n, _ := os.Stdin.Read(buffer)
		if strings.Contains(string(buffer[:n]), "pg_export_snapshot") {
			fmt.Print(says("rows"), "snapshot 1\n")
			_, _ = os.Stdin.Read(buffer)
		}
	}
	os.Exit(0)
}

// fakePostgres are its programs, and the folder by which they go.
func fakePostgres(t *testing.T) (programs, at string) {
	t.Helper()
	programs, at = t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres", "psql", "pg_dump", "pg_restore"} {
		if err := os.Symlink(self, below(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(fakePostgresIn, at)
	return programs, at
}
