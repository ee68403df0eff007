package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"tarot-platform/internal/backup/postgres"
)

// serverRoom is the room without a network in which a server stands on what was restored.
type serverRoom struct {
	// Scratch is the folder with what was restored, and At its own one.
	Scratch, At string
	// Programs is the folder with the server's, and Config the file with its settings.
	Programs, Config string
	// Owner is the role, and its database, that the stack has.
	Owner string
	log   *slog.Logger

	running *program
	since   time.Time
	// loaded is the question that has brought the copy in that it stands on, and answered the last.
	loaded, answered string
	last             string
}

const (
	// startLimit is how long a new server may take until it answers.
	startLimit = time.Minute
	// longestStand is how long one stands for a question that nobody goes on with.
	longestStand = 2 * time.Hour
)

// standPostgres waits for the room that fetches.
func standPostgres(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("stand-postgres", flag.ContinueOnError)
	r := &serverRoom{log: logger("rehearsal")}
	set.StringVar(&r.Scratch, "scratch", "/scratch", "the folder with what was restored")
	set.StringVar(&r.At, "at", "/rehearsal", "the folder for the server, and for answers")
	set.StringVar(&r.Programs, "programs", "", "the folder with the server's programs; empty: as PATH says")
	set.StringVar(&r.Config, "config", "/run/config/postgresql.conf", "the server's settings")
	set.StringVar(&r.Owner, "owner", "app", "the role that all belongs to, and its database")
	socket := set.String("socket", "/tmp/backup.sock", "where `health` asks")
	if err := set.Parse(args); err != nil {
		return err
	}
	end, err := beAsked(*socket)
	if err != nil {
		return err
	}
	defer end()
	defer r.clear()
	r.clear() // of one that was killed
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil && err.Error() != r.last {
			r.last = err.Error()
			r.log.Warn(r.last)
		}
		if r.running != nil && time.Since(r.since) > longestStand {
			r.clear()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(asking):
		}
	}
}

// look answers a question that has no answer yet.
func (r *serverRoom) look(ctx context.Context) error {
	var q serverQuestion
	var a answer
	if err := readJSON(below(r.Scratch, roomFolder, serverFolder, questionFile), &q); err != nil {
		return err
	}
	if q.ID == "" || q.ID == r.answered {
		return nil
	}
	if err := readJSON(below(r.At, answerFile), &a); err != nil || a.ID == q.ID {
		return err
	}
	began := time.Now()
	err := r.answer(ctx, q)
	if ctx.Err() != nil {
		return nil // whoever comes after this one answers
	}
	if err != nil && full(r.At) {
		err = fmt.Errorf("the disk of the volume rehearsal-postgres is full: %s", err.Error())
	}
	if err != nil || q.Loaded != "" {
		r.clear()
	}
	a = answer{ID: q.ID, Took: time.Since(began), Found: map[string]finding{partDatabase: findingOf(err)}}
	r.log.Info("looked at", "part", partDatabase, "outcome", a.Found[partDatabase].Outcome, "why", a.Found[partDatabase].Why, "took", a.Took.Round(time.Millisecond).String())
	if err := writeJSON(below(r.At, answerFile), a); err != nil {
		return err
	}
	r.answered = q.ID
	return nil
}

func (r *serverRoom) answer(ctx context.Context, q serverQuestion) error {
	if q.Loaded != "" {
		return r.after(ctx, q)
	}
	r.clear()
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.load(ctx, q.Copy); err != nil {
		return err
	}
	r.loaded = q.ID
	return nil
}

// load brings the copy in, and compares what is there then with what was written down.
func (r *serverRoom) load(ctx context.Context, m postgres.Manifest) error {
	told, err := r.server().Load(ctx, below(r.Scratch, roomFolder, serverFolder, m.File), r.Owner, r.Owner, "")
	if err != nil {
		return r.judged(fmt.Errorf("the copy can not be brought into a server: %w", err))
	}
	if told != "" { // roles are no copy's
		r.log.Info("grants to roles that are not here are left out", "said", told)
	}
	got, err := r.server().Content(ctx, r.Owner)
	if err != nil {
		return r.judged(err)
	}
	return exactly(m.Content, got)
}

// after looks whether the release has left the schema as it is.
func (r *serverRoom) after(ctx context.Context, q serverQuestion) error {
	if r.running == nil || r.running.over() || r.loaded != q.Loaded {
		return errors.New("the server that the release stood on is not there any more")
	}
	got, err := r.server().Content(ctx, r.Owner)
	switch {
	case err != nil:
		return r.judged(err)
	case got.Schema != q.Copy.Schema:
		return wrongf("the schema of the database is another one after the release's migration: the live one's is not the release's")
	}
	return nil
}

// judged is wrong where the server was there to say so.
func (r *serverRoom) judged(err error) error {
	if errors.As(err, new(postgres.Unanswered)) || r.running == nil || r.running.over() || full(r.At) {
		return err
	}
	return wrong{err}
}

func (r *serverRoom) server() postgres.Server {
	return postgres.Server{Programs: r.Programs, Socket: below(r.At, serverSocket)}
}

// start makes a server that has nothing yet. What it writes need not survive anything.
func (r *serverRoom) start(ctx context.Context) error {
	data, socket := below(r.At, "data"), below(r.At, serverSocket)
	made := exec.CommandContext(ctx, below(r.Programs, "initdb"), "--pgdata", data, "--username", "postgres", "--encoding", "UTF8",
		"--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C", "--auth-local", "trust", "--auth-host", "reject", "--no-sync", "--no-instructions")
	if said, err := made.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(string(said)))
	}
	if err := os.Mkdir(socket, 0o755); err != nil { //nolint:gosec // the release is another user
		return err
	}
	words := []string{below(r.Programs, "postgres"), "-D", data, "-c", "config_file=" + r.Config, "-c", "hba_file=" + below(data, "pg_hba.conf"), "-c", "ident_file=" + below(data, "pg_ident.conf"),
		"-c", "listen_addresses=", "-c", "unix_socket_directories=" + socket, "-c", "unix_socket_permissions=0777", "-c", "fsync=off", "-c", "full_page_writes=off"}
	running, err := startProgram(words)
	if err != nil {
		return err
	}
	r.running, r.since = running, time.Now()
	for end := time.Now().Add(startLimit); ; {
		err := r.server().Roles(ctx, r.Owner)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case running.over():
			return fmt.Errorf("the server does not start: %s; its log has more", running.state())
		case time.Now().After(end):
			return fmt.Errorf("the server does not answer within %s: %w", startLimit, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// clear ends the server, and removes all of it.
func (r *serverRoom) clear() {
	if r.running != nil {
		r.running.stop(syscall.SIGQUIT, 10*time.Second) // what it has goes away
		r.running, r.loaded = nil, ""
	}
	for _, name := range []string{"data", serverSocket} {
		if err := os.RemoveAll(below(r.At, name)); err != nil {
			r.log.Warn("what the server had can not be removed: " + err.Error())
		}
	}
}
