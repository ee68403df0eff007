package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	program "tarot-platform/internal/install"
)

// State is what is remembered beyond a container's life, so that what is due while one release
// takes the place of another is neither left out nor run twice.
type State struct {
	// Due is the last time that it was due, and that was dealt with.
	Due time.Time
	// Began, Took, Code and Outcome are the last run's.
	Began   time.Time
	Took    time.Duration
	Code    int
	Outcome outcome
	// Succeeded is when the last run that did has ended, and Since how often it was due since
	// then.
	Succeeded time.Time
	Since     int
}

func (o Options) file(ending string) string { return filepath.Join(o.State, o.Name+ending) }

// remember writes the state in one step: it is whole, or as it was.
func (o Options) remember(s State) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	file := o.file(".json")
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// recall reads the state; none is one of a schedule that is new.
func (o Options) recall() (State, error) {
	var s State
	text, err := os.ReadFile(o.file(".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// lock returns when no other container of this engine serves the schedule any more.
func lock(ctx context.Context, o Options, log *slog.Logger) (unlock func(), err error) {
	file, err := os.OpenFile(o.file(".lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	_ = file.Chmod(0o666) // of another user's next time
	for told := false; ; told = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		if !told {
			log.Info("waiting: another container still serves this schedule")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// install puts a copy of this program into a folder, by the name and as the current one, and
// beside it the folder for states.
func install(folder, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := program.Program(self, folder, name); err != nil {
		return err
	}
	return errors.Join(program.Link(folder, "current", name), program.States(folder))
}
