package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tarot-platform/internal/backup/sqlite"
	"tarot-platform/internal/smoke"
)

// application is what the standing room does with the release, and asks it: as
// components/backup.Application writes it.
type application struct {
	// Migrate brings the schema up to date; empty: nothing does.
	Migrate []string `json:"migrate"`
	// Port is where it listens, Host what it is asked by.
	Port int    `json:"port"`
	Host string `json:"host"`
	// Health, Read, Write, Body and Admin are as in smoke.Test. Static files are nginx's.
	Health string `json:"health"`
	Read   string `json:"read"`
	Write  string `json:"write"`
	Body   string `json:"body"`
	Admin  string `json:"admin"`
	// Start is how long it may take until it answers, and Grace until it has ended, in seconds.
	Start int `json:"start"`
	Grace int `json:"grace"`
	// StopSignal is what asks it to end; empty: SIGTERM.
	StopSignal string `json:"stopSignal"`
}

// migrationLimit is how long a migration that has nothing to do may take.
const migrationLimit = 15 * time.Minute

// smoke are the questions, asked as nginx asks them.
func (a application) smoke() smoke.Test {
	return smoke.Test{
		Base: "http://" + net.JoinHostPort(a.Host, strconv.Itoa(a.Port)), Connect: "127.0.0.1",
		Header: http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Real-Ip": {"127.0.0.1"}},
		Health: a.Health, Read: a.Read, Write: a.Write, Body: a.Body, Admin: a.Admin,
	}
}

// stage is what the release stands on.
type stage interface {
	// open has the release find it, until it is closed.
	open() (closing func(), err error)
	// migrated looks whether the release's migration has left it as it is, and whole whether it is
	// whole after the release.
	migrated(ctx context.Context) error
	whole(ctx context.Context) error
}

// inFile is a database in a file.
type inFile struct {
	room *standing
	one  database
}

func (inFile) open() (func(), error) { return func() {}, nil }

func (f inFile) migrated(ctx context.Context) error {
	db, err := sqlite.Open(below(f.room.Scratch, f.one.File), sqlite.Own)
	if err != nil {
		return judged(err)
	}
	defer db.Close()
	return f.room.schema(ctx, db, f.one, " after the release's migration: the live one's is not the release's")
}

func (f inFile) whole(ctx context.Context) error {
	db, err := sqlite.Open(below(f.room.Scratch, f.one.File), sqlite.Own)
	if err != nil {
		return judged(fmt.Errorf("after the release: %w", err))
	}
	return judged(errors.Join(db.Check(ctx), db.Close()))
}

// perform has the release run on a database that was restored: it migrates it, which has to leave it
// as it is, and starts and answers as it has to for users. took is how long it took until it did.
func (s *standing) perform(ctx context.Context, on stage) (took time.Duration, err error) {
	closing, err := on.open()
	if err != nil {
		return 0, err
	}
	defer closing()
	if err := s.migrate(ctx, on); err != nil {
		return 0, err
	}
	began := time.Now()
	released, err := startProgram(s.Start)
	if err != nil {
		return 0, wrongf("the release can not be started: %w", err)
	}
	limit := time.Duration(s.Application.Start) * time.Second
	answered, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-released.done:
			cancel(fmt.Errorf("it has ended: %s", released.state()))
		case <-answered.Done():
		}
	}()
	err = s.Application.smoke().Run(answered, limit)
	took = time.Since(began)
	if cause := context.Cause(answered); err != nil && cause != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	cancel(nil)
	released.stop(s.Application.signal(), time.Duration(s.Application.Grace)*time.Second)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return took, wrongf("the release does not work on what was restored: %w", err)
	}
	return took, on.whole(ctx)
}

// migrate runs the release's migration. Of what was restored nothing is to be migrated: the live
// database has the same schema.
func (s *standing) migrate(ctx context.Context, on stage) error {
	if len(s.Application.Migrate) == 0 {
		return nil
	}
	migration, err := startProgram(s.Application.Migrate)
	if err != nil {
		return wrongf("the migration can not be started: %w", err)
	}
	select {
	case <-migration.done:
	case <-ctx.Done():
	case <-time.After(migrationLimit):
	}
	ended := migration.over()
	migration.stop(syscall.SIGTERM, 10*time.Second)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ended:
		return wrongf("the release's migration does not end within %s on what was restored", migrationLimit)
	case migration.err != nil:
		return wrongf("the release's migration fails on what was restored: %w", migration.err)
	}
	return on.migrated(ctx)
}

func (a application) signal() syscall.Signal {
	if named := unix.SignalNum(a.StopSignal); named != 0 {
		return named
	}
	if number, err := strconv.Atoi(a.StopSignal); err == nil && number > 0 {
		return syscall.Signal(number)
	}
	return syscall.SIGTERM
}

// program is one that runs in a group of its own.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

func startProgram(words []string) (*program, error) {
	p := &program{cmd: exec.Command(words[0], words[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = os.Stdout, os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *program) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// state is how it has ended.
func (p *program) state() string { return p.cmd.ProcessState.String() }

// stop asks it to end, and ends what is left of it after some time.
func (p *program) stop(signal syscall.Signal, patience time.Duration) {
	group := -p.cmd.Process.Pid
	if !p.over() {
		_ = p.cmd.Process.Signal(signal)
		select {
		case <-p.done:
		case <-time.After(patience):
		}
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // what it has left
	<-p.done
}
