package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"tarot-platform/internal/backup/archive"
	"tarot-platform/internal/backup/results"
)

// archiveOptions are what the flags of `archive` say.
type archiveOptions struct {
	archive.Archive
	// Database is the application's, and Root the folder of the server's volume.
	Database, Root string
	// Room is a folder to restore into, and for results.
	Room string
}

func archiveFlags(args []string) (o archiveOptions, err error) {
	set := flag.NewFlagSet("archive", flag.ContinueOnError)
	set.StringVar(&o.Config, "config", "/run/config/"+archive.SettingsFile, "the file with pgBackRest's settings")
	set.StringVar(&o.Include, "include", "/run/secrets", "the folder with those that open the repository")
	set.StringVar(&o.Server.Programs, "programs", "", "the folder with the server's programs; empty: as PATH says")
	set.StringVar(&o.Server.Socket, "socket", "/var/run/postgresql", "the folder with the server's socket")
	version, _ := strconv.Atoi(os.Getenv("PG_MAJOR"))
	set.IntVar(&o.Version, "version", version, "the server's version")
	set.StringVar(&o.Database, "database", "app", "the application's database")
	set.StringVar(&o.Root, "root", "/var/lib/postgresql", "the folder of the server's volume")
	set.StringVar(&o.Room, "room", "/rehearsal", "the folder for what is restored, and for results")
	return o, set.Parse(args)
}

// The names in the room.
const (
	archiveFolder = "archive"
	archiveLock   = "archive.lock"
)

// droppedFile says in the server's volume that a piece of the log was given up: see archive.sh.
const droppedFile = "archive-dropped"

// archiver is one run.
type archiver struct {
	archiveOptions
	log     *slog.Logger
	figures map[string]float64
}

// archiving is what is done regularly for a PostgreSQL's archive, beside what its server sends there itself.
func archiving(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("archive wants stanza, night, rehearse or adopt")
	}
	o, err := archiveFlags(args[1:])
	if err != nil {
		return err
	}
	a := &archiver{o, logger("postgres-archive"), map[string]float64{}}
	switch args[0] {
	case "stanza":
		// What is wrong with a target holds no deploy up: there are alerts.
		if err := errors.Join(a.begin(ctx), ctx.Err()); err != nil {
			fmt.Println("WARNING: nothing of the database is archived yet: " + err.Error())
		}
		return nil
	case "adopt":
		if _, err := a.Do(ctx, "stanza-upgrade"); err != nil {
			return err
		}
		fmt.Println("the archive goes on with the database that is here; what it has of the one before stays as long as backups are kept")
		return nil
	case "night", "rehearse":
		return a.run(ctx, args[0] == "night")
	}
	return fmt.Errorf("archive %q: there is no such thing", args[0])
}

func (a *archiver) run(ctx context.Context, night bool) error {
	release, err := alone(ctx, below(a.Room, archiveLock), 0)
	if errors.Is(err, errTaken) {
		a.log.Error("it runs already")
		return busy
	}
	if err != nil {
		return err
	}
	defer release()
	began := time.Now()
	if night {
		err = a.backUp(ctx)
	}
	if err == nil {
		err = a.rehearse(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return conclude(below(a.Room, resultsFolder), results.Result{Of: results.Archive, Figures: a.figures}, began, err, a.log)
}

// begin sees to it that the archive on the target is this database's. A new version of the server goes on in it; another
// database of the same version does so when somebody says so.
func (a *archiver) begin(ctx context.Context) error {
	_, err := a.Do(ctx, "stanza-create")
	if err == nil {
		_, err = a.Do(ctx, "check")
		return err
	}
	_, newest, asked := a.Backups(ctx)
	switch {
	case asked != nil || newest == 0:
		return err
	case newest < a.Version:
		_, err = a.Do(ctx, "stanza-upgrade")
		return err
	}
	return wrongf("%w. Where it is of another database, as this one was made anew: `stack restore` brings that one back, and `stack backup adopt` goes on with this one", err)
}

// fullEvery is how far apart copies of the whole are: the ones between have what has changed. A run is not always
// as late in the night as the one before.
const fullEvery = 7*24*time.Hour - 12*time.Hour

// backUp copies the database into the archive, and removes what is kept no longer.
func (a *archiver) backUp(ctx context.Context) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	why, err := a.whole(ctx)
	if err != nil {
		return err
	}
	kind := "diff"
	if why != "" {
		kind = "full"
		a.log.Info("a copy of the whole is made: " + why)
	}
	if _, err := a.Do(ctx, "--type="+kind, "backup"); err != nil {
		return a.judged(ctx, err)
	}
	all, _, err := a.Backups(ctx)
	if err != nil || len(all) == 0 {
		return errors.Join(err, errors.New("the backup that was just made is not there"))
	}
	a.figures["archive_added_bytes"] = float64(all[len(all)-1].Added)
	a.figures["archive_first_timestamp_seconds"] = results.Unix(all[0].To)
	return nil
}

// whole is why a copy of the whole is needed; empty: what has changed is enough.
func (a *archiver) whole(ctx context.Context) (string, error) {
	all, _, err := a.Backups(ctx)
	if err != nil {
		return "", err
	}
	segments, err := a.Segments(ctx)
	if err != nil {
		return "", err
	}
	dropped, err := os.Stat(below(a.Root, droppedFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var at time.Time
	if err == nil {
		at = dropped.ModTime()
	}
	if last, err := results.One(below(a.Room, resultsFolder), results.Archive); err == nil && last.Outcome == results.Failed {
		return "the last rehearsal of the archive has failed", nil
	}
	return needed(all, segments, at, time.Now()), nil
}

// needed is the same of what is known.
func needed(all []archive.Backup, segments []archive.Segment, dropped, now time.Time) string {
	if len(all) == 0 || len(segments) == 0 {
		return "there is none yet"
	}
	last := all[len(all)-1]
	full := slices.IndexFunc(all, func(b archive.Backup) bool { return b.Full && now.Sub(b.From) < fullEvery })
	newest := segments[len(segments)-1]
	switch {
	case full < 0:
		return "the last one is a week old"
	case last.Cluster != newest.Cluster:
		return "the database is another one"
	case fmt.Sprintf("%08X", last.Timeline) != newest.Name[:8]:
		return "the database was restored since the last one"
	case dropped.After(last.From):
		return "pieces of the log were given up, as the target was away for too long: what was stored between " + last.To.Format(time.RFC3339) + " and now can't be had moment by moment"
	}
	if gap := archive.Gap(last, segments); gap != "" {
		return "the piece " + gap + " of the log is missing in the archive"
	}
	return ""
}

// judged is wrong where the target answers: then it is what is there, or the database, that is not as it has to be.
func (a *archiver) judged(ctx context.Context, err error) error {
	if ctx.Err() != nil || !errors.As(err, new(archive.Failed)) || full(a.Room) {
		return err
	}
	if _, _, asked := a.Backups(ctx); asked != nil {
		return errors.Join(err, asked)
	}
	return wrong{err}
}
