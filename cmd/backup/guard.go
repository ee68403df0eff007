package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/sqlite"
	"tarot-platform/internal/backup/target"
)

// guardOptions are what a guard is told.
type guardOptions struct {
	// Database is the file, and State the folder that others read from.
	Database, State string
	// Archive is the folder with the results of a PostgreSQL's archive; empty: there is none.
	Archive string
	// Litestream is the program.
	Litestream string
	Target     target.Target
	// Retention is how long a point in time can be returned to, and L0 how long to the second.
	Retention, L0 time.Duration
	KeyKept       bool
	// Work is a folder for sockets and configuration, in memory.
	Work string
	// Listen is where others ask, and Metrics where litestream is asked for its own.
	Listen, Metrics string
	// Patience is how long the lock is waited for: longer than the one before takes to end.
	Patience time.Duration
	// Every is the time between two marks.
	Every time.Duration
	// Gap is how many numbers in a row have to be empty before it is believed that no history
	// follows; 0: the usual number.
	Gap int
}

func (o guardOptions) folder() string      { return filepath.Dir(o.Database) }
func (o guardOptions) placeFolder() string { return filepath.Join(o.folder(), place.Folder) }
func (o guardOptions) socket() string      { return filepath.Join(o.Work, "backup.sock") }
func (o guardOptions) control() string     { return filepath.Join(o.Work, "litestream.sock") }
func (o guardOptions) results() string     { return filepath.Join(o.State, "results") }

// guard runs litestream for one database, and never beside another one:
//
//	backup guard --database=/app/data/app.db --stack=tarot-prod --target=s3://bucket/path
func guard(ctx context.Context, args []string) error {
	o := guardOptions{}
	set := flag.NewFlagSet("guard", flag.ContinueOnError)
	set.StringVar(&o.Database, "database", "", "the database's file")
	set.StringVar(&o.State, "state", "/state", "the folder for marks and results")
	set.StringVar(&o.Archive, "archive", "", "the folder with the results of a PostgreSQL's archive; empty: there is none")
	set.StringVar(&o.Litestream, "litestream", "/usr/local/bin/litestream", "the program")
	set.DurationVar(&o.Retention, "retention", 720*time.Hour, "how long a point in time can be returned to")
	set.DurationVar(&o.L0, "l0-retention", time.Hour, "how long that is exact to the second")
	set.BoolVar(&o.KeyKept, "key-kept", false, "the repository's key is in the stack's file")
	set.StringVar(&o.Work, "work", "/tmp", "a folder in memory")
	set.StringVar(&o.Listen, "listen", ":9747", "where others ask")
	set.StringVar(&o.Metrics, "litestream-metrics", "127.0.0.1:9090", "where litestream serves its own metrics")
	set.DurationVar(&o.Patience, "patience", time.Minute, "how long the lock is waited for")
	set.DurationVar(&o.Every, "every", 5*time.Second, "the time between two looks at what is on the target")
	parsed := target.Flags(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	var err error
	if o.Target, err = parsed(); err != nil {
		return err
	}
	if o.Database != "" && !filepath.IsAbs(o.Database) || set.NArg() > 0 {
		return fmt.Errorf("guard wants --database as a path from the root on, or none, and no further words")
	}
	return newReplicator(o, slog.New(slog.NewJSONHandler(os.Stdout, nil))).serve(ctx)
}

// serve returns when the context ends, or when it can't be the one that replicates. Where no
// database is in a file, it only tells what is known of the other backups.
func (r *replicator) serve(ctx context.Context) error {
	if r.Database == "" {
		r.be(results.NoDatabase, "no database is in a file")
		close, err := r.listen()
		if err != nil {
			return err
		}
		defer close()
		<-ctx.Done()
		return nil
	}
	if kind, is, err := sqlite.OnNetwork(r.folder()); err != nil {
		return err
	} else if is {
		return fmt.Errorf("%s is on a network file system (%s), where SQLite's locks keep nobody out: the database has to be on a disk of this machine", r.folder(), kind)
	}
	close, err := r.listen()
	if err != nil {
		return err
	}
	defer close()
	lock, err := takeLock(ctx, r.folder(), r.Target.Stack, r.Patience, func(by string) {
		r.log.Warn("waiting: another one replicates this database", "who", by)
		r.be(results.Locked, by)
	})
	var other held
	if errors.As(err, &other) {
		addRefusal(r.folder(), other.by)
		r.log.Error("refused: another one replicates this database, and two would make its backups useless; litestream was not started", "who", other.by)
		return busy
	}
	if err != nil {
		return ended(ctx, err)
	}
	defer lock.Close()
	r.lock.Store(lock)
	r.be(results.Waiting, "")
	version, err := litestreamVersion(ctx, r.Litestream)
	if err != nil {
		return ended(ctx, err)
	}
	r.mu.Lock()
	r.version = version
	r.mu.Unlock()
	for {
		if err := r.awaitDatabase(ctx); err != nil {
			return ended(ctx, err)
		}
		p, err := r.settle(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		if err := r.replicate(ctx, lock, p); !errors.Is(err, errAbandoned) {
			return ended(ctx, err)
		}
	}
}

// errAbandoned is the error of a history that can't be gone on with: another one has to begin.
var errAbandoned = errors.New("the history is abandoned")

// ended is no error where it was to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}

// awaitDatabase returns when the file is there: the application makes it, and a litestream
// without one would not say what is missing.
func (r *replicator) awaitDatabase(ctx context.Context) error {
	for told := false; ; told = true {
		info, err := os.Stat(r.Database)
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return nil
		}
		why := "there is no database yet: the application makes it"
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			why = err.Error()
		}
		r.be(results.NoDatabase, why)
		if !told {
			r.log.Info("waiting for the database", "file", r.Database, "why", why)
		}
		if err := r.pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// settle finds out which history the database writes, and writes it down before anything is
// written there. What can't be asked is asked again.
func (r *replicator) settle(ctx context.Context) (place.Place, error) {
	for {
		p, err := r.decide(ctx)
		wait := 6 * r.Every
		switch {
		case err == nil:
			return p, nil
		case ctx.Err() != nil:
			return p, ctx.Err()
		case errors.Is(err, errForeign):
			r.be(results.Foreign, err.Error())
			wait = examineEach // somebody has to decide, and the listing costs something
		default:
			r.be(results.Failing, err.Error())
		}
		r.log.Error("not replicating", "why", err.Error())
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-r.adopted:
		case <-time.After(wait):
		}
	}
}

// errForeign is the error of a target with backups of another database.
var errForeign = errors.New("foreign")

func (r *replicator) decide(ctx context.Context) (place.Place, error) {
	p, has, err := place.Read(r.placeFolder())
	if err != nil {
		return p, err
	}
	found := place.Found{Place: p, Has: has, Stack: r.Target.Stack, Target: r.Target.ID()}
	from := 1
	if found.Mine() { // what was before it is nobody's now
		from = place.Number(p.Path)
		if found.Local, err = hasState(metaPath(r.folder(), from)); err != nil {
			return p, err
		}
	}
	if err := r.writable(); err != nil {
		return p, err
	}
	histories, err := r.prober().histories(ctx, from)
	if err != nil {
		return p, err
	}
	for n := range histories {
		found.Used = append(found.Used, n)
	}
	d := place.Decide(found)
	if d.What == place.Foreign {
		if !r.mayAdopt() {
			newest := histories[d.Number-1]
			return p, fmt.Errorf("%w: %s, last written %s. `make restore` brings them back; `make backup-adopt` begins %s beside them", errForeign, d.Why, newest.Last.UTC().Format(time.RFC3339), place.Path(d.Number))
		}
		d.What = place.Begin
	}
	if d.What == place.Continue {
		return p, nil
	}
	r.log.Warn("a new history begins", "path", place.Path(d.Number), "why", d.Why)
	p = place.Place{Path: place.Path(d.Number), Stack: r.Target.Stack, Target: r.Target.ID(), ID: identity(), Began: r.now()}
	// What another database of this number has left would be taken for its own.
	if err := os.RemoveAll(metaPath(r.folder(), d.Number)); err != nil {
		return p, err
	}
	r.mu.Lock()
	r.wish = false
	r.mu.Unlock()
	return p, place.Write(r.placeFolder(), p)
}

// writable says what mends a folder that is somebody else's, before litestream only fails.
func (r *replicator) writable() error {
	if r.Target.Remote() {
		return nil
	}
	err := os.MkdirAll(r.Target.Folder(), 0o700)
	if err == nil {
		err = syscall.Access(r.Target.Folder(), 2|1) // W_OK, X_OK
	}
	if err != nil {
		return fmt.Errorf("the target can't be written to: %w. Where it is a folder of the host: chown -R %d:%d %s", err, os.Getuid(), os.Getgid(), r.Target.Path)
	}
	return nil
}

// replicate runs litestream, again and again, until the context ends, the lock is lost, or the
// history can't be gone on with.
func (r *replicator) replicate(ctx context.Context, lock *os.File, p place.Place) error {
	n := place.Number(p.Path)
	r.begin(p)
	settings := r.settings(n)
	settings.Address, settings.Socket = r.Metrics, r.control()
	config := filepath.Join(r.Work, "litestream.yml")
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		if err := settings.write(config); err != nil {
			return err
		}
		if err := r.empty(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// A new history begins with a full copy in any case.
			r.log.Warn("the log of the database is not empty", "error", err.Error())
			if written, err := hasState(settings.Meta); err != nil || written {
				return errors.Join(err, r.abandon("what was written while litestream was away may be missing in it"), os.RemoveAll(settings.Meta))
			}
		}
		file, err := os.Stat(r.Database)
		if err != nil {
			return errors.Join(r.abandon("the database was removed"), os.RemoveAll(settings.Meta))
		}
		out := &listening{to: os.Stderr}
		began := r.now()
		c, err := startChild([]string{r.Litestream, "replicate", "-config", config, "-no-expand-env"}, lock, out)
		if err == nil {
			err = r.watch(ctx, c, file, lock, out)
		}
		if errors.Is(err, errAbandoned) {
			// Without its own state litestream could not go on, which is how the next look sees it.
			if err := os.RemoveAll(settings.Meta); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if r.now().Sub(began) > 5*time.Minute {
			wait = time.Second
		}
		why := out.lastError()
		if why == "" && c.err != nil {
			why = c.err.Error()
		}
		r.be(results.Failing, "litestream has ended: "+why)
		r.log.Error("litestream has ended, and is started again", "why", why, "pause", wait.String())
		if err := r.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// watch returns nil when litestream has ended by itself, and an error where it had to end.
func (r *replicator) watch(ctx context.Context, c *child, file os.FileInfo, lock *os.File, out *listening) error {
	r.started(out)
	tick := time.NewTicker(r.Every)
	defer tick.Stop()
	for first := time.After(min(r.Every, time.Second)); ; {
		select {
		case <-c.done:
			return nil
		case <-ctx.Done():
			r.log.Info("ending: litestream writes what is left")
			c.stop(40 * time.Second)
			return ctx.Err()
		case why := <-r.lost:
			c.kill()
			return r.abandon(why)
		case <-first:
		case <-tick.C:
		}
		// litestream has the old file open, and mixes both: what it would still write is worth nothing.
		if now, err := os.Stat(r.Database); err != nil || !os.SameFile(file, now) {
			c.kill()
			return r.abandon("the database was removed or replaced while it was replicated")
		}
		if !stillThere(lock) {
			c.stop(40 * time.Second)
			return fmt.Errorf("%s was removed or replaced: it keeps nobody out any more", lock.Name())
		}
		r.look(ctx)
		if r.silent() {
			r.log.Error("litestream has said nothing for some minutes, and is started again")
			c.kill()
			return nil
		}
	}
}

// abandon says why another history has to begin.
func (r *replicator) abandon(why string) error {
	r.log.Error("the history is not gone on with", "path", r.placed().Path, "why", why)
	r.be(results.Waiting, why)
	return errAbandoned
}

// pause waits, unless the context ends.
func (r *replicator) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
