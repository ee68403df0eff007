package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// rehearseOptions are what the flags of `rehearse` say.
type rehearseOptions struct {
	// State is the folder for what is remembered, and Scratch the one to restore into.
	State, Scratch string
	// MaxFiles is how much of the files is restored at most, in bytes: of more, a part by chance.
	MaxFiles int64
	// Database is the database's file as the application knows it; empty: there is none in a
	// file. Source is where it is when files are backed up: Sources/VOLUME/PATH.
	Database, Source, Sources string
	// Dump is the folder below Sources with the copy of a PostgreSQL's database, and Room the one with
	// what the room with a server says; empty: there is no such database.
	Dump, Room string
	// Queue is the folder below Sources with the copy of a queue, and QueueRoom the one with what the room
	// with a Valkey says; empty: there is none.
	Queue, QueueRoom string
	// Replicator is where the guard answers, and Litestream its program.
	Replicator, Litestream string
	// Target is the database's, and Files the files'.
	Target, Files target.Target
	// Program is restic, and Key the file with the repository's key.
	Program, Key string
	// Patience is how long the standing room may take, and Busy how long a nightly backup that
	// still runs is waited for.
	Patience, Busy time.Duration
}

func rehearseFlags(args []string) (o rehearseOptions, err error) {
	set := flag.NewFlagSet("rehearse", flag.ContinueOnError)
	where := target.Flags(set)
	set.StringVar(&o.State, "state", "/state", "the folder for what is remembered")
	set.StringVar(&o.Scratch, "scratch", "/scratch", "the folder to restore into: all in it is removed")
	set.Int64Var(&o.MaxFiles, "max-files", 10<<30, "how many bytes of the files are restored at most")
	set.StringVar(&o.Database, "database", "", "the database's file, as the application knows it")
	set.StringVar(&o.Source, "source", "", "the same, where files are backed up")
	set.StringVar(&o.Sources, "sources", "/source", "the folder with a folder for each volume, there")
	set.StringVar(&o.Dump, "dump", "", "the folder below the sources with the copy of a database of PostgreSQL; empty: there is none")
	set.StringVar(&o.Room, "room", "/run/rehearsal", "the folder with what the room with a server answers")
	set.StringVar(&o.Queue, "queue", "", "the folder below the sources with the copy of a queue; empty: there is none")
	set.StringVar(&o.QueueRoom, "queue-room", "/run/rehearsal-valkey", "the folder with what the room with a Valkey answers")
	set.StringVar(&o.Replicator, "replicator", "", "where the replicator answers")
	set.StringVar(&o.Litestream, "litestream", "litestream", "Litestream's program")
	set.StringVar(&o.Program, "restic", "restic", "restic's program")
	set.StringVar(&o.Key, "key", "/run/secrets/backup_key", "the file with the repository's key")
	set.DurationVar(&o.Patience, "patience", 40*time.Minute, "how long the standing room may take")
	set.DurationVar(&o.Busy, "busy", 30*time.Minute, "how long a nightly backup that still runs is waited for")
	text := set.String("files-target", "", "where the files go, as the stack's file says it")
	if err = set.Parse(args); err != nil {
		return o, err
	}
	if o.Target, err = where(); err != nil {
		return o, err
	}
	if o.Files, err = target.Parse(*text); err != nil {
		return o, fmt.Errorf("--files-target: %w", err)
	}
	o.Files.Stack, o.Files.Credentials = o.Target.Stack, o.Target.Credentials
	if _, file := o.volume(); o.Database != "" && file == "" {
		return o, fmt.Errorf("--source: %q is not %s/VOLUME/PATH", o.Source, o.Sources)
	}
	return o, nil
}

// volume is the folder of the database's volume where files are backed up, and file the database's
// path in it; empty: it is in none.
func (o rehearseOptions) volume() (folder, file string) {
	path, is := strings.CutPrefix(o.Source, o.Sources+"/")
	if !is {
		return "", ""
	}
	name, file, _ := strings.Cut(path, "/")
	return below(o.Sources, name), file
}

// The parts of a rehearsal, as its results have them.
const (
	partDatabase    = "database"
	partFiles       = "files"
	partApplication = "application"
)

// rehearsalLock is in the state: all that is in the scratch is removed.
const rehearsalLock = "rehearsal.lock"

// rehearse restores what is newest, and has the release stand on it.
func rehearse(ctx context.Context, args []string) error {
	o, err := rehearseFlags(args)
	if err != nil {
		return err
	}
	log := logger("rehearsal")
	release, err := alone(ctx, below(o.State, rehearsalLock), 0)
	if errors.Is(err, errTaken) {
		log.Error("it runs already")
		return busy
	}
	if err != nil {
		return err
	}
	defer release()
	r, err := newRestic(o.Program, o.Key, os.TempDir(), o.Files, log)
	if err != nil {
		return err
	}
	h := &rehearsal{rehearseOptions: o, restic: r, log: log, now: time.Now, parts: map[string]error{}, figures: map[string]float64{}}
	began := time.Now()
	err = h.run(ctx)
	parts := map[string]string{}
	for name, err := range h.parts {
		parts[name] = outcomeOf(err)
	}
	return conclude(below(o.State, resultsFolder), results.Result{Of: results.Rehearsal, Parts: parts, Why: strings.Join(h.told, "; "), Figures: h.figures}, began, err, log)
}

// rehearsal is one run.
type rehearsal struct {
	rehearseOptions
	restic restic
	log    *slog.Logger
	now    func() time.Time
	// parts are what was found of each part that came to an end, and told what a person should
	// know of a run that was good.
	parts   map[string]error
	told    []string
	figures map[string]float64
}

func (h *rehearsal) tell(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	h.log.Warn(text)
	h.told = append(h.told, text)
}

// run looks at every part, whatever it finds of another.
func (h *rehearsal) run(ctx context.Context) error {
	if err := empty(h.Scratch); err != nil {
		return err
	}
	defer func() {
		if err := empty(h.Scratch); err != nil {
			h.log.Warn("what was restored can not be removed: " + err.Error())
		}
	}()
	q := question{ID: h.now().UTC().Format("20060102T150405.000000000")}
	if h.Database != "" {
		one, err := h.continuous(ctx)
		h.found(partDatabase, err)
		if err == nil {
			q.Databases = append(q.Databases, one)
		}
	}
	id, dump, m, err := h.nightly(ctx)
	h.found(partFiles, err)
	if err == nil && dump != nil {
		q.Databases = append(q.Databases, *dump)
	}
	if m.Postgres != nil && h.Dump != "" && err == nil {
		if q.Server, err = h.serve(ctx, q.ID, *m.Postgres); err != nil {
			return err
		}
	}
	if m.Queue != nil && h.Queue != "" && h.parts[partFiles] == nil && h.parts[partQueue] == nil && ctx.Err() == nil {
		if err := h.queue(ctx, q.ID, *m.Queue); err != nil {
			return err
		}
	}
	if (len(q.Databases) > 0 || q.Server) && ctx.Err() == nil {
		if err := h.ask(ctx, q); err != nil {
			return err
		}
	}
	if q.Server && ctx.Err() == nil {
		if err := h.served(ctx, q.ID, *m.Postgres); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	if h.parts[partFiles] == nil && h.parts[partQueue] == nil && (h.Dump == "" || h.parts[partDatabase] == nil) {
		if err := h.verified(ctx, id); err != nil {
			return err
		}
	}
	return together(h.parts)
}

// found notes what was found of a part; what is wrong weighs more than what could not be asked.
func (h *rehearsal) found(part string, err error) {
	if err != nil {
		h.log.Warn(err.Error(), "part", part, "outcome", outcomeOf(err))
	}
	if last, there := h.parts[part]; !there || last == nil || outcomeOf(err) == results.Failed {
		h.parts[part] = errors.Join(last, err)
	}
}

// together is the result of all parts: wrong where one is.
func together(parts map[string]error) error {
	var failed, unknown []error
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		switch outcomeOf(parts[name]) {
		case results.Failed:
			failed = append(failed, fmt.Errorf("%s: %w", name, parts[name]))
		case results.Inconclusive:
			unknown = append(unknown, fmt.Errorf("%s: %w", name, parts[name]))
		}
	}
	return errors.Join(append(failed, unknown...)...)
}

// verified writes down that a snapshot was restored. Only such ones let older ones go.
func (h *rehearsal) verified(ctx context.Context, id string) error {
	all, err := verified(h.State)
	if err != nil {
		return err
	}
	there, err := h.restic.snapshots(ctx, h.Files.Stack, nightlyTag)
	if err != nil {
		return err
	}
	maps.DeleteFunc(all, func(known string, _ time.Time) bool {
		return !slices.ContainsFunc(there, func(s snapshot) bool { return s.ID == known })
	})
	all[id] = h.now().UTC()
	if err := writeJSON(below(h.State, verifiedFile), all); err != nil {
		return err
	}
	return results.Know(below(h.State, resultsFolder), results.Files, "files_verified_snapshots", float64(len(all)))
}

// empty removes what is in a folder. What was restored may be folders that nobody may write.
func empty(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if os.RemoveAll(path) == nil {
			continue
		}
		_ = filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				_ = os.Chmod(at, 0o700)
			}
			return nil //nolint:nilerr // what is left is told below
		})
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}
