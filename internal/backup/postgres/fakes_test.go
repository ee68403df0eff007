package postgres

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakesIn has the test's program be one of the server's, by the name that it was called by, and do as
// the files in that folder say:
//
//	rows       what psql says of the tables, before the snapshot; ends: it ends before that
//	answer     what it answers otherwise
//	schema     what pg_dump says of the schema, and copy what it writes
//	list       what pg_restore says is in a copy
//	fails      the programs that fail, with their words; away: the server does not answer
//	calls      what they were asked
const fakesIn = "TEST_POSTGRES_FOLDER"

func init() {
	at := os.Getenv(fakesIn)
	if at == "" || strings.HasSuffix(os.Args[0], ".test") {
		return
	}
	if err := fake(at, filepath.Base(os.Args[0]), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if strings.HasPrefix(err.Error(), "psql: error: connection") {
			os.Exit(2)
		}
		os.Exit(1)
	}
	os.Exit(0)
}

func fake(at, name string, words []string) error {
	says := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(at, name))
		return string(text)
	}
	call := name + " " + strings.Join(words, " ") + "\n"
	for _, word := range words {
		if list, is := strings.CutPrefix(word, "--use-list="); is {
			text, err := os.ReadFile(list)
			if err != nil {
				return err
			}
			call += string(text)
		}
	}
	script := ""
	if name == "psql" {
		buffer := make([]byte, 1<<16)
		n, _ := os.Stdin.Read(buffer) // its end comes later, where a moment is held
		script = string(buffer[:n])
	}
	calls, _ := os.OpenFile(filepath.Join(at, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fmt.Fprint(calls, call+script)
	if says("away") != "" {
		return fmt.Errorf(`psql: error: connection to server on socket "/x" failed: No such file or directory`)
	}
	for line := range strings.Lines(says("fails")) {
		if line = strings.TrimSpace(line); strings.HasPrefix(call, line) || line == "grants" && strings.Contains(call, "ACL") {
			return fmt.Errorf("%s: told to", line)
		}
	}
	switch {
	case name == "psql" && strings.Contains(script, "pg_export_snapshot"):
		fmt.Print(strings.TrimPrefix(says("rows"), "ends"))
		if strings.HasPrefix(says("rows"), "ends") {
			return nil
		}
		fmt.Println("snapshot 00000003-0000001B-1")
		_, _ = io.ReadAll(os.Stdin)
		return os.WriteFile(filepath.Join(at, "released"), nil, 0o600)
	case name == "psql" && strings.Contains(script, "pg_database_size"):
		fmt.Println(`{"size" : 1000, "version" : "18.6"}`)
	case name == "pg_dump" && words[0] == "--schema-only":
		fmt.Print(says("schema"))
	case name == "pg_dump":
		for _, word := range words {
			if file, is := strings.CutPrefix(word, "--file="); is {
				return os.WriteFile(file, []byte(says("copy")), 0o600)
			}
		}
	case name == "pg_restore" && words[0] == "--list":
		fmt.Print(says("list"))
	}
	return nil
}

// world is a server that is none.
type world struct {
	*testing.T
	server Server
	at     string
	folder string // for copies
}

func newWorld(t *testing.T) world {
	w := world{t, Server{Programs: t.TempDir(), Socket: "/run/postgresql"}, t.TempDir(), t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"psql", "pg_dump", "pg_restore"} {
		if err := os.Symlink(self, filepath.Join(w.server.Programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(fakesIn, w.at)
	w.set("rows", `["orders", 3]`+"\n"+`["head public.alembic_version", 0, "(abc)"]`+"\n")
	w.set("schema", "-- Dumped from database version 18.6\n\\restrict abc\nSET x = 1;\nCREATE TABLE orders ();\n\\unrestrict abc\n")
	w.set("copy", "all of it")
	return w
}

func (w world) set(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.at, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w world) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(w.at, name))
	return string(text)
}

// there are the names in the folder with copies.
func (w world) there() (all []string) {
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		w.Fatal(err)
	}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
