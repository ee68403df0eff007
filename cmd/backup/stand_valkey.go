package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/valkey"
)

// queueRoom is the room without a network in which a Valkey stands on a queue that was restored.
type queueRoom struct {
	// Scratch is the folder with what was restored, and At its own one.
	Scratch, At string
	// Program is the server's.
	Program string
	log     *slog.Logger

	answered, last string
}

// loadLimit is how long a server may read what it finds.
const loadLimit = 5 * time.Minute

// standValkey waits for the room that fetches.
func standValkey(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("stand-valkey", flag.ContinueOnError)
	r := &queueRoom{log: logger("rehearsal")}
	set.StringVar(&r.Scratch, "scratch", "/scratch", "the folder with what was restored")
	set.StringVar(&r.At, "at", "/rehearsal", "the folder for the server, and for answers")
	set.StringVar(&r.Program, "program", "valkey-server", "the server's program")
	socket := set.String("socket", "/tmp/backup.sock", "where `health` asks")
	if err := set.Parse(args); err != nil {
		return err
	}
	end, err := beAsked(*socket)
	if err != nil {
		return err
	}
	defer end()
	r.clear() // of one that was killed
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil && err.Error() != r.last {
			r.last = err.Error()
			r.log.Warn(r.last)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(asking):
		}
	}
}

// look answers a question that has no answer yet.
func (r *queueRoom) look(ctx context.Context) error {
	var q queueQuestion
	var a answer
	if err := readJSON(below(r.Scratch, roomFolder, queueFolder, questionFile), &q); err != nil {
		return err
	}
	if q.ID == "" || q.ID == r.answered {
		return nil
	}
	if err := readJSON(below(r.At, answerFile), &a); err != nil || a.ID == q.ID {
		return err
	}
	began := time.Now()
	err := r.answer(ctx, q.Copy)
	if ctx.Err() != nil {
		return nil // whoever comes after this one answers
	}
	if err != nil && full(r.At) {
		err = fmt.Errorf("the disk of the volume rehearsal-valkey is full: %s", err.Error())
	}
	a = answer{ID: q.ID, Took: time.Since(began), Found: map[string]finding{partQueue: findingOf(err)}}
	r.log.Info("looked at", "part", partQueue, "outcome", a.Found[partQueue].Outcome, "why", a.Found[partQueue].Why, "took", a.Took.Round(time.Millisecond).String())
	if err := writeJSON(below(r.At, answerFile), a); err != nil {
		return err
	}
	r.answered = q.ID
	return nil
}

// answer has a server read the copy as it would read its own files, and asks it what it holds.
func (r *queueRoom) answer(ctx context.Context, m valkey.Manifest) error {
	r.clear()
	defer r.clear()
	data := below(r.At, "data", valkey.Log)
	if err := durable.MkdirAll(data); err != nil {
		return err
	}
	copied := below(r.At, "data", m.File)
	if err := copyFile(below(r.Scratch, roomFolder, queueFolder, m.File), copied); err != nil {
		return err
	}
	if err := valkey.Put(copied, data); err != nil {
		return err
	}
	socket := below(r.At, "valkey.sock")
	running, err := startProgram([]string{r.Program, "--port", "0", "--unixsocket", socket, "--dir", below(r.At, "data"), "--appendonly", "yes", "--appendfsync", "no", "--save", ""})
	if err != nil {
		return err
	}
	defer running.stop(syscall.SIGKILL, 0) // what it has goes away
	held, err := r.holds(ctx, running, valkey.Server{Network: "unix", Address: socket})
	if err != nil {
		return err
	}
	if err := m.Compare(held); err != nil {
		return wrong{err}
	}
	return nil
}

// holds are the keys of the server, when it has read its files.
func (r *queueRoom) holds(ctx context.Context, running *program, server valkey.Server) (valkey.Keys, error) {
	for end := time.Now().Add(loadLimit); ; {
		held, err := server.Holds(ctx)
		switch {
		case err == nil, ctx.Err() != nil:
			return held, errors.Join(err, ctx.Err())
		case running.over():
			return held, wrongf("a server does not start on the copy: %s; its log has more", running.state())
		case !errors.As(err, new(valkey.Unanswered)):
			return held, err
		case time.Now().After(end):
			return held, fmt.Errorf("the server does not answer within %s: %w", loadLimit, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// clear removes all that a server has had.
func (r *queueRoom) clear() {
	for _, name := range []string{"data", "valkey.sock"} {
		if err := os.RemoveAll(below(r.At, name)); err != nil {
			r.log.Warn("what the server had can not be removed: " + err.Error())
		}
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
