package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"tarot-platform/internal/backup/sqlite"
)

// standOptions are what the flags of `stand` say.
type standOptions struct {
	// Scratch is the folder with what was restored.
	Scratch string
	// Socket is where it answers that it lives.
	Socket string
	// Server is the socket of a server, which the release finds at its usual port; empty: it stands on a
	// file.
	Server string
	// Application is what is done with the release; nil: nothing is.
	Application *application
	// Start are the words that start the release.
	Start []string
}

func standFlags(args []string) (o standOptions, err error) {
	set := flag.NewFlagSet("stand", flag.ContinueOnError)
	set.StringVar(&o.Scratch, "scratch", "/scratch", "the folder with what was restored")
	set.StringVar(&o.Socket, "socket", "/tmp/backup.sock", "where `health` asks")
	set.StringVar(&o.Server, "server", "", "the socket of the server that the release stands on; empty: on a file")
	set.String("database", "", "the database's file; a question names it, too")
	text := set.String("application", "", "what is done with the release, as JSON; empty: it is not started")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.Start = set.Args()
	if *text == "" {
		return o, nil
	}
	if err := json.Unmarshal([]byte(*text), &o.Application); err != nil {
		return o, fmt.Errorf("--application: %w", err)
	}
	if len(o.Start) == 0 {
		return o, fmt.Errorf("stand wants the words that start the release after --")
	}
	return o, nil
}

// stand waits for the room that fetches, in a room without a network, and has the release stand
// on what was restored.
func stand(ctx context.Context, args []string) error {
	o, err := standFlags(args)
	if err != nil {
		return err
	}
	end, err := beAsked(o.Socket)
	if err != nil {
		return err
	}
	defer end()
	s := &standing{standOptions: o, log: logger("rehearsal")}
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn(err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(asking):
		}
	}
}

type standing struct {
	standOptions
	log *slog.Logger
	// answered is the last question that was: its answer is removed before it, or after.
	answered string
	// last is what was wrong, told once.
	last string
}

// look answers a question that has none yet.
func (s *standing) look(ctx context.Context) error {
	folder := below(s.Scratch, roomFolder)
	var q question
	var a answer
	if err := readJSON(below(folder, questionFile), &q); err != nil {
		return s.once(err)
	}
	if q.ID == "" || q.ID == s.answered {
		return nil
	}
	if err := readJSON(below(folder, answerFile), &a); err != nil {
		return s.once(err)
	}
	if a.ID == q.ID {
		return nil
	}
	a = s.answer(ctx, q)
	if ctx.Err() != nil {
		return nil // whoever comes after this one answers
	}
	s.answered = q.ID
	return s.once(writeJSON(below(folder, answerFile), a))
}

// once keeps what is wrong from being told twice a second.
func (s *standing) once(err error) error {
	if err == nil || err.Error() == s.last {
		return nil
	}
	s.last = err.Error()
	return err
}

// answer looks at every database, and then has the release stand on the first.
func (s *standing) answer(ctx context.Context, q question) answer {
	a := answer{ID: q.ID, Found: map[string]finding{}}
	found := func(part string, err error) {
		if err != nil && ctx.Err() == nil && full(s.Scratch) {
			err = fmt.Errorf("the disk of the scratch volume is full: %s", err.Error())
		}
		a.Found[part] = findingOf(err)
		s.log.Info("looked at", "part", part, "outcome", a.Found[part].Outcome, "why", a.Found[part].Why)
	}
	for _, one := range q.Databases {
		found(one.Name, s.whole(ctx, one))
	}
	var on stage
	switch {
	case s.Application == nil:
		return a
	case q.Server:
		on = server{s.Server}
	case len(q.Databases) > 0:
		on = inFile{s, q.Databases[0]}
	default:
		return a
	}
	took, err := s.perform(ctx, on)
	a.Took = took
	found(partApplication, err)
	return a
}

// whole looks at a database that was restored.
func (s *standing) whole(ctx context.Context, one database) error {
	db, err := sqlite.Open(below(s.Scratch, one.File), sqlite.Own)
	if err != nil {
		return judged(fmt.Errorf("%s: %w", one.File, err))
	}
	defer db.Close()
	if err := db.Check(ctx); err != nil {
		return judged(err)
	}
	leading, err := db.ForeignKeys(ctx)
	if err != nil {
		return judged(err)
	}
	if leading > lost(one.ForeignKeys) {
		return wrongf("%d rows refer to none that is there, and %d of the live one", leading, one.ForeignKeys)
	}
	return s.schema(ctx, db, one, "")
}

func (s *standing) schema(ctx context.Context, db *sqlite.DB, one database, after string) error {
	got, err := db.Schema(ctx)
	if err != nil {
		return judged(err)
	}
	if got != one.Schema {
		return wrongf("the schema of %s is another one%s", one.File, after)
	}
	return nil
}

// beAsked answers `health` at a socket, for as long as the process is there, or until the
// end that it returns.
func beAsked(socket string) (end func(), err error) {
	_ = os.Remove(socket) // of a container that was killed
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	alive := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = alive.Serve(listener) }()
	return func() { _ = alive.Close() }, nil
}
