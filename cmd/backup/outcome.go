package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tarot-platform/internal/backup/results"
)

// wrong is an error that was found, by somebody who could ask. Every other error says that it
// could not be asked.
type wrong struct{ error }

func (w wrong) Unwrap() error { return w.error }

func wrongf(format string, args ...any) error { return wrong{fmt.Errorf(format, args...)} }

// outcomeOf is what an error means for a result.
func outcomeOf(err error) string {
	switch {
	case err == nil:
		return results.OK
	case errors.As(err, new(wrong)):
		return results.Failed
	}
	return results.Inconclusive
}

// conclude writes a result down, tells it, and is the exit code.
func conclude(folder string, r results.Result, began time.Time, err error, log *slog.Logger) error {
	r.Began, r.Took, r.Outcome = began, time.Since(began), outcomeOf(err)
	if err != nil {
		r.Why = err.Error()
	}
	if err := results.Write(folder, r); err != nil {
		log.Error("the result can not be written down: "+err.Error(), "outcome", r.Outcome, "why", r.Why)
		return inconclusive
	}
	level := map[string]slog.Level{results.OK: slog.LevelInfo, results.Failed: slog.LevelError, results.Inconclusive: slog.LevelWarn}[r.Outcome]
	log.Log(context.Background(), level, r.Outcome, "why", r.Why, "took", r.Took.Round(time.Second).String(), "parts", r.Parts, "figures", r.Figures)
	switch r.Outcome {
	case results.Failed:
		return exit(1)
	case results.Inconclusive:
		return inconclusive
	}
	return nil
}

// alone has a lock on a file until the process ends: the kernel keeps it. Where another one has
// it, patience is how long it is waited for.
func alone(ctx context.Context, path string, patience time.Duration) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
		}
		if !time.Now().Before(end) {
			_ = file.Close()
			return nil, errTaken
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(min(patience, 200*time.Millisecond)):
		}
	}
}

var errTaken = errors.New("another one runs")

// logger is for what a cron job tells.
func logger(name string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("job", name)
}

func below(folder string, names ...string) string {
	return filepath.Join(append([]string{folder}, names...)...)
}
