package main

import (
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
)

// serverWorld is a room with a server that is none, and the copy that it is asked of.
type serverWorld struct {
	*testing.T
	room *serverRoom
	at   string
	copy postgres.Manifest
}

func newServerWorld(t *testing.T) *serverWorld {
	programs, at := fakePostgres(t)
	w := &serverWorld{T: t, at: at, room: &serverRoom{Scratch: t.TempDir(), At: t.TempDir(), Programs: programs, Owner: "app", log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	t.Cleanup(w.room.clear)
	w.set("rows", `["orders", 3]`+"\n")
	w.set("schema", "CREATE TABLE orders ();\n")
	content, err := w.room.server().Content(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	w.copy = postgres.Manifest{At: time.Now(), File: "app-1.dump", Content: content}
	return w
}

func (w *serverWorld) set(name, text string) {
	w.Helper()
	if err := put(below(w.at, name), []byte(text)); err != nil {
		w.Fatal(err)
	}
}

// ask asks one question, and is what was found.
func (w *serverWorld) ask(q serverQuestion) finding {
	w.Helper()
	q.Copy = w.copy
	if err := os.MkdirAll(below(w.room.Scratch, roomFolder, serverFolder), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := writeJSON(below(w.room.Scratch, roomFolder, serverFolder, questionFile), q); err != nil {
		w.Fatal(err)
	}
	if err := w.room.look(w.Context()); err != nil {
		w.Fatal(err)
	}
	var a answer
	if err := readJSON(below(w.room.At, answerFile), &a); err != nil || a.ID != q.ID {
		w.Fatalf("%+v, %v", a, err)
	}
	return a.Found[partDatabase]
}

func (w *serverWorld) nothingIsLeft() {
	w.Helper()
	for _, name := range []string{"data", serverSocket} {
		if _, err := os.Stat(below(w.room.At, name)); err == nil {
			w.Errorf("%s of the server is still there", name)
		}
	}
	if w.room.running != nil {
		w.Error("the server goes on")
	}
}

func TestACopyIsBroughtIntoAServer(t *testing.T) {
	w := newServerWorld(t)
	if found := w.ask(serverQuestion{ID: "1"}); found.Outcome != results.OK {
		t.Fatalf("%+v", found)
	}
	if w.room.running == nil || w.room.running.over() {
		t.Error("there is no server for the release")
	}
	w.set("rows", `["orders", 4]`+"\n") // the release's own test has written
	if found := w.ask(serverQuestion{ID: "1-after", Loaded: "1"}); found.Outcome != results.OK {
		t.Errorf("%+v", found)
	}
	w.nothingIsLeft()
}

func TestWhatIsWrongWithACopy(t *testing.T) {
	for name, test := range map[string]struct {
		change        func(*serverWorld)
		outcome, says string
	}{
		"rows are missing":         {func(w *serverWorld) { w.set("rows", `["orders", 2]`+"\n") }, results.Failed, "orders"},
		"a table is missing":       {func(w *serverWorld) { w.set("rows", "") }, results.Failed, "orders"},
		"another schema":           {func(w *serverWorld) { w.set("schema", "CREATE TABLE others ();\n") }, results.Failed, "schema"},
		"it can't be restored":     {func(w *serverWorld) { w.set("fails", "pg_restore") }, results.Failed, "told to"},
		"there is no server":       {func(w *serverWorld) { w.set("fails", "initdb") }, results.Inconclusive, "told to"},
		"the server does not stay": {func(w *serverWorld) { w.set("fails", "postgres psql away") }, results.Inconclusive, "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServerWorld(t)
			test.change(w)
			if found := w.ask(serverQuestion{ID: "1"}); found.Outcome != test.outcome || !strings.Contains(found.Why, test.says) {
				t.Errorf("%+v", found)
			}
			w.nothingIsLeft()
		})
	}
}

func TestWhatTheReleaseMayNotDoToACopy(t *testing.T) {
	for name, test := range map[string]struct {
		change        func(*serverWorld)
		outcome, says string
	}{
		"it migrates it":           {func(w *serverWorld) { w.set("schema", "CREATE TABLE others ();\n") }, results.Failed, "migration"},
		"the server has ended":     {func(w *serverWorld) { w.room.running.stop(9, 0) }, results.Inconclusive, "not there any more"},
		"it does not answer":       {func(w *serverWorld) { w.set("fails", "psql away") }, results.Inconclusive, "connection"},
		"it stands on another one": {func(w *serverWorld) { w.room.loaded = "0" }, results.Inconclusive, "not there any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServerWorld(t)
			if found := w.ask(serverQuestion{ID: "1"}); found.Outcome != results.OK {
				t.Fatalf("%+v", found)
			}
			test.change(w)
			if found := w.ask(serverQuestion{ID: "1-after", Loaded: "1"}); found.Outcome != test.outcome || !strings.Contains(found.Why, test.says) {
				t.Errorf("%+v", found)
			}
			w.nothingIsLeft()
		})
	}
}

// Libraries know a server by an address, and the rooms have no network.
func TestTheReleaseFindsTheServerByAnAddress(t *testing.T) {
	socket := below(t.TempDir(), "s")
	server, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				text, _ := io.ReadAll(c)
				_, _ = c.Write([]byte("heard " + string(text)))
				_ = c.Close()
			}()
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go relay(listener, socket)
	for range 2 {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("this"))
		_ = c.(*net.TCPConn).CloseWrite()
		if text, err := io.ReadAll(c); err != nil || string(text) != "heard this" {
			t.Errorf("%q, %v", text, err)
		}
		_ = c.Close()
	}
}
