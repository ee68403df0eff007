package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
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

// kept are the copies that stay beside a new one: containers may have been started with them.
const kept = 2

// install puts a copy of this program into a folder, by the name and as the current one, and
// beside it the folder for states: each schedule may be another user's.
func install(folder, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	to := filepath.Join(folder, name)
	file, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	if err := errors.Join(err, file.Chmod(0o755), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(to+".new", to); err != nil { // whoever runs the earlier one keeps it
		return err
	}
	if err := link(folder, name); err != nil {
		return err
	}
	state := filepath.Join(folder, "state")
	if err := os.MkdirAll(state, 0o777); err != nil {
		return err
	}
	return errors.Join(os.Chmod(state, 0o777), prune(folder, name))
}

// link has the name current stand for a copy, in one step.
func link(folder, name string) error {
	current := filepath.Join(folder, "current")
	if err := os.Remove(current + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(name, current+".new"); err != nil {
		return err
	}
	return os.Rename(current+".new", current)
}

// prune removes the oldest copies.
func prune(folder, name string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var others []fs.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && info.Name() != name {
			others = append(others, info)
		}
	}
	slices.SortFunc(others, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, other := range others {
		if i >= kept {
			err = errors.Join(err, os.Remove(filepath.Join(folder, other.Name())))
		}
	}
	return err
}
