package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// filesOptions are what the flags of `files` say.
type filesOptions struct {
	// State is the folder for what is remembered, and Source that with a folder for each volume.
	State, Source string
	// Database is the file below Source that is copied consistently; empty: there is none.
	Database string
	// Dump is the folder below Source with the copy of a database of PostgreSQL, which may be as old
	// as DumpAge; empty: there is no such database.
	Dump    string
	DumpAge time.Duration
	// Queue is the folder below Source with the copy of a queue, which may be as old as QueueAge; empty:
	// there is none.
	Queue    string
	QueueAge time.Duration
	// Exclude are restic's patterns. One that begins with a slash begins at the volumes.
	Exclude []string
	Keep    policy
	// AppendOnly is true where the target forgets by itself, and takes nothing away for us.
	AppendOnly bool
	Target     target.Target
	// Program is restic, and Key the file with the repository's key.
	Program, Key string
}

// policy is how many snapshots stay: the last one of each day, week and month.
type policy struct{ Daily, Weekly, Monthly int }

func filesFlags(args []string) (o filesOptions, err error) {
	set := flag.NewFlagSet("files", flag.ContinueOnError)
	where := target.Flags(set)
	set.StringVar(&o.State, "state", "/state", "the folder for what is remembered")
	set.StringVar(&o.Source, "source", "/source", "the folder with a folder for each volume")
	set.StringVar(&o.Database, "database", "", "the database's file below the source; empty: there is none in a file")
	set.StringVar(&o.Dump, "dump", "", "the folder below the source with the copy of a database of PostgreSQL; empty: there is none")
	set.DurationVar(&o.DumpAge, "dump-age", 26*time.Hour, "how old that copy may be")
	set.StringVar(&o.Queue, "queue", "", "the folder below the source with the copy of a queue; empty: there is none")
	set.DurationVar(&o.QueueAge, "queue-age", 3*time.Hour, "how old that copy may be")
	set.String("replicator", "", "where the replicator answers; what it knows is in the state, too")
	set.Func("exclude", "a pattern of restic's; it can be given again", func(text string) error {
		o.Exclude = append(o.Exclude, text)
		return nil
	})
	set.IntVar(&o.Keep.Daily, "keep-daily", 7, "for how many days a snapshot stays")
	set.IntVar(&o.Keep.Weekly, "keep-weekly", 5, "for how many weeks")
	set.IntVar(&o.Keep.Monthly, "keep-monthly", 12, "for how many months")
	set.BoolVar(&o.AppendOnly, "append-only", false, "the target forgets, and takes nothing away for us")
	set.StringVar(&o.Program, "restic", "restic", "restic's program")
	set.StringVar(&o.Key, "key", "/run/secrets/backup_key", "the file with the repository's key")
	if err = set.Parse(args); err != nil {
		return o, err
	}
	for name, path := range map[string]string{"database": o.Database, "dump": o.Dump, "queue": o.Queue} {
		if path != "" && !strings.HasPrefix(path, strings.TrimSuffix(o.Source, "/")+"/") {
			return o, fmt.Errorf("--%s: %s is not below %s", name, path, o.Source)
		}
	}
	o.Target, err = where()
	return o, err
}

// files backs up all volumes that are mounted below the source, encrypted.
func files(ctx context.Context, args []string) error {
	o, err := filesFlags(args)
	if err != nil {
		return err
	}
	log := logger("files")
	release, err := alone(ctx, below(o.State, filesLock), 0)
	if errors.Is(err, errTaken) {
		log.Error("it runs already, or a rehearsal reads what it has written")
		return busy
	}
	if err != nil {
		return err
	}
	defer release()
	r, err := newRestic(o.Program, o.Key, os.TempDir(), o.Target, log)
	if err != nil {
		return err
	}
	n := &nightly{filesOptions: o, restic: r, log: log, now: time.Now}
	began := time.Now()
	err = n.run(ctx)
	return conclude(below(o.State, resultsFolder), results.Result{Of: results.Files, Why: strings.Join(n.told, "; "), Figures: n.figures}, began, err, log)
}

// What is in the folder of the state.
const (
	filesLock     = "files.lock"
	resultsFolder = "results"
	dumpFolder    = "dump"
	manifestFile  = "manifest.json" // of the last snapshot that was good; also within the dump
	sealedFile    = "state.sealed"
	releaseFile   = "release"
)

// nightly is one run.
type nightly struct {
	filesOptions
	restic restic
	log    *slog.Logger
	now    func() time.Time
	// told is what a person should know of a run that was good.
	told    []string
	figures map[string]float64
}

func (n *nightly) tell(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	n.log.Warn(text)
	n.told = append(n.told, text)
}

func (n *nightly) figure(name string, value float64) {
	if n.figures == nil {
		n.figures = map[string]float64{}
	}
	n.figures[name] = value
}

// run makes a snapshot, and then looks after those that there are. A snapshot that was made is
// not a failure because others could not be looked after: that has figures, and alerts, of its own.
// What is found to be damaged is.
func (n *nightly) run(ctx context.Context) error {
	if err := n.repository(ctx); err != nil {
		return err
	}
	if err := n.locks(ctx); err != nil {
		return err
	}
	release, err := n.keepDump(ctx)
	if err != nil {
		return err
	}
	defer release()
	releaseQueue, err := n.keepQueue(ctx)
	if err != nil {
		return err
	}
	defer releaseQueue()
	found, err := n.survey()
	if err != nil {
		return err
	}
	if err := n.copied(&found); err != nil {
		return err
	}
	if err := n.queued(&found); err != nil {
		return err
	}
	if err := n.dump(ctx, &found); err != nil {
		return err
	}
	made, err := n.back(ctx)
	if err != nil {
		return err
	}
	if err := n.spot(ctx, made, found.sample); err != nil {
		return err
	}
	release()
	releaseQueue()
	if err := errors.Join(n.fresh(found.manifest), n.freshQueue(found.manifest)); err != nil {
		return err
	}
	if err := n.emptied(found.manifest); err != nil {
		return err
	}
	if err := n.remember(found.manifest); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{n.forget, n.prune, n.check, n.count} {
		err := n.restic.patient(ctx, func() error { return step(ctx) })
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case outcomeOf(err) == results.Failed:
			return err
		case err != nil:
			n.tell("%s", err)
		}
	}
	return nil
}
