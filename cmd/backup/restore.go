package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"tarot-platform/internal/backup/target"
	restores "tarot-platform/internal/restore/inside"
	"tarot-platform/internal/restore/task"
	"tarot-platform/internal/smoke"
)

// restoring is one step of `stack restore`, in a container of its own that ends with it. What it
// is asked is in a file, and what it answers on its standard output; everything else that it
// says is an error.
func restoring(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("restore wants one step, such as fetch, switch, undo, smoke")
	}
	var request task.Request
	text, err := os.ReadFile(task.File)
	if err == nil {
		err = json.Unmarshal(text, &request)
	}
	if err != nil {
		return fmt.Errorf("what is asked for: %w", err)
	}
	if args[0] == "smoke" {
		return askApplication(ctx, request.Smoke)
	}
	room := restores.Room{Request: request, Now: time.Now}
	var from *targets
	if request.Server.Archived(request.Want) && (args[0] == "load" || args[0] == "extract") {
		if room.Archive, err = openArchive(request); err != nil {
			return err
		}
	}
	if args[0] == "fetch" || args[0] == "extract" || args[0] == "recall" {
		work, err := os.MkdirTemp("", "restore")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		if from, err = openTargets(request, work); err != nil {
			return err
		}
		room.From = from
	}
	if args[0] == "recall" {
		return from.sealed(ctx, os.Stdout)
	}
	var answer any
	if args[0] == "extract" {
		answer, err = room.Extract(ctx, task.Out)
	} else {
		answer, err = room.Do(ctx, args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// askApplication asks what a release has to answer, of a replica and past nginx.
func askApplication(ctx context.Context, s task.Smoke) error {
	header := http.Header{}
	for name, value := range s.Header {
		header.Set(name, value)
	}
	return smoke.Test{Base: s.Base, Connect: s.Connect, Header: header, Health: s.Health, Read: s.Read, Write: s.Write, Body: s.Body, Admin: s.Admin}.Run(ctx, s.Within)
}

// openTargets is what is restored from: the target of the database and that of the files.
func openTargets(request task.Request, work string) (*targets, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	database, err := parsedTarget(request.Target)
	if err != nil {
		return nil, err
	}
	files, err := parsedTarget(request.Files)
	if err != nil {
		return nil, err
	}
	// The cache is the nightly backup's, of another user.
	r, err := newRestic("restic", filepath.Join(task.Secrets, "backup_key"), work, files, log)
	r.words = append(r.words, "--no-cache")
	return &targets{request: request, database: database, restic: r, work: work, now: time.Now}, err
}

func parsedTarget(words []string) (target.Target, error) {
	set := flag.NewFlagSet("restore", flag.ContinueOnError)
	parsed := target.Flags(set)
	if err := set.Parse(words); err != nil {
		return target.Target{}, err
	}
	return parsed()
}
