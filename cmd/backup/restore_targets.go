package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
	restores "tarot-platform/internal/restore/inside"
	"tarot-platform/internal/restore/task"
)

// Where the nightly backup has the volumes and the copy of the database.
const (
	snapshotVolumes = "/source"
	snapshotDump    = "/state/dump"
	dumpVolume      = "postgres-dump" // below the volumes
)

// targets are what is restored from: litestream's histories, and restic's snapshots.
type targets struct {
	request  task.Request
	database target.Target
	restic   restic
	work     string
	now      func() time.Time
}

// Find implements restores.Source.
func (t *targets) Find(ctx context.Context, want journal.Want, database *task.Database) (restores.Origin, error) {
	var o restores.Origin
	var held manifest
	at, err := time.Parse(time.RFC3339, want.At)
	moment := err == nil
	snapshot := !moment && want.At != "latest"
	server := t.request.Server != nil && want.Has(journal.Database) && !t.request.Server.Archived(want)
	if server && moment {
		return o, fmt.Errorf("AT is %q, and a PostgreSQL is copied once a night: it can not be brought to a moment in between; allowed: latest, or the id of a snapshot (its time is shown). --only files takes a moment", want.At)
	}
	queue := want.Has(journal.Queue) && slices.ContainsFunc(t.request.Volumes, func(v task.Volume) bool { return v.Queue != "" })
	if snapshot || server || queue || want.Has(journal.Files) {
		s, err := t.snapshot(ctx, want.At, at, moment)
		if err != nil {
			return o, err
		}
		if want.Has(journal.Files) {
			if o.Bytes, err = t.bytes(ctx, s.ID); err != nil {
				return o, err
			}
		}
		if held, err = t.manifest(ctx, s.ID); err != nil {
			return o, err
		}
		if want.Only == journal.Queue {
			if held.Queue == nil {
				return o, fmt.Errorf("the snapshot %.8s holds no copy of a queue", s.ID)
			}
			o.Bytes = held.Queue.Bytes
		}
		o.Snapshot, o.Taken, o.Exclude = s.ID, s.Time, held.Exclude
	}
	if server {
		if held.Postgres == nil {
			return o, fmt.Errorf("the snapshot %.8s holds no copy of a PostgreSQL's database: --only files restores the others", o.Snapshot)
		}
		o.Moment, o.DatabaseBytes = held.Postgres.At, held.Postgres.Size+held.Postgres.Bytes
		return o, nil
	}
	if database == nil {
		return o, nil
	}
	histories, err := t.prober(*database).histories(ctx, 1)
	if err != nil {
		return o, fmt.Errorf("which histories of the database are on the target could not be found out: %w", err)
	}
	for n := range histories {
		o.Used = max(o.Used, n)
	}
	o.TargetID = t.database.ID()
	if snapshot {
		if o.Moment = o.Taken; held.Database == nil {
			return o, fmt.Errorf("the snapshot %.8s holds no copy of a database: --only files restores the others", o.Snapshot)
		}
		o.DatabaseBytes = held.Database.Bytes
		return o, nil
	}
	if o.History, err = t.choose(histories, *database, at, moment); err != nil {
		return o, err
	}
	o.Moment, o.Exact = histories[o.History].Last, time.Second
	if moment && at.Before(o.Moment) {
		o.At, o.Moment = at, at
		o.Exact, err = t.exact(ctx, *database, o.History, at)
	}
	return o, err
}

// choose is the history that has the moment. Of the latest, it is the one that the database
// here writes, if that is on the target: another one may be written by a machine that was
// left behind.
func (t *targets) choose(histories map[int]results.History, database task.Database, at time.Time, moment bool) (int, error) {
	if len(histories) == 0 {
		return 0, errors.New("nothing of the database is on the target")
	}
	if !moment {
		p, has, err := place.Read(filepath.Join(task.Volumes, database.Volume, place.Folder))
		if err != nil {
			return 0, err
		}
		if n := place.Number(p.Path); has && p.Target == t.database.ID() && p.Stack == t.request.Stack && !histories[n].Last.IsZero() {
			return n, nil
		}
	}
	return chosen(histories, at, moment)
}

// chosen is the newest of those that had begun by the moment; without one, the one that was
// written last.
func chosen(histories map[int]results.History, at time.Time, moment bool) (int, error) {
	best := 0
	var first time.Time
	for n, h := range histories {
		if first.IsZero() || h.First.Before(first) {
			first = h.First
		}
		switch {
		case moment && h.First.After(at):
		case moment && n > best, !moment && (best == 0 || h.Last.After(histories[best].Last)):
			best = n
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("the target reaches back to %s, and not to %s", first.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return best, nil
}

// exact is how far apart the moments are that can be restored around one.
func (t *targets) exact(ctx context.Context, database task.Database, history int, at time.Time) (time.Duration, error) {
	p := t.prober(database)
	p.settings.Replica = t.database.Litestream(history)
	files, err := listFiles(ctx, p.litestream, p.work, p.settings)
	if err != nil {
		return 0, err
	}
	var before, after time.Time
	for _, f := range files {
		if !f.Timestamp.After(at) && f.Timestamp.After(before) {
			before = f.Timestamp
		}
		if f.Timestamp.After(at) && (after.IsZero() || f.Timestamp.Before(after)) {
			after = f.Timestamp
		}
	}
	if before.IsZero() || after.IsZero() {
		return time.Second, nil
	}
	return max(time.Second, after.Sub(before).Round(time.Second)), nil
}

func (t *targets) prober(database task.Database) prober {
	return prober{litestream: t.request.Litestream, work: t.work, target: t.database, settings: litestreamSettings{Database: database.Live, Retention: 720 * time.Hour, L0: time.Hour}}
}

// Database implements restores.Source.
func (t *targets) Database(ctx context.Context, o restores.Origin, database task.Database, file string) error {
	if o.History == 0 {
		return t.copied(ctx, o.Snapshot, file)
	}
	if _, err := litestreamVersion(ctx, t.request.Litestream); err != nil {
		return err
	}
	p := t.prober(database)
	p.settings.Replica = t.database.Litestream(o.History)
	config := filepath.Join(t.work, "litestream.yml")
	if err := p.settings.write(config); err != nil {
		return err
	}
	words := []string{"restore", "-config", config, "-no-expand-env", "-o", file}
	if !o.At.IsZero() {
		words = append(words, "-timestamp", o.At.UTC().Format(time.RFC3339Nano))
	}
	cmd := exec.CommandContext(ctx, t.request.Litestream, append(words, database.Live)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("litestream restore: %w: %s", err, lastLine(said.String()))
	}
	return nil
}

// copied brings the copy of the database that is in a snapshot.
func (t *targets) copied(ctx context.Context, snapshot, file string) error {
	held, err := t.manifest(ctx, snapshot)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = t.restic.run(ctx, out, "dump", "--no-lock", snapshot, path.Join(snapshotDump, held.Database.File))
	return errors.Join(err, out.Sync(), out.Close())
}

// Copy implements restores.Source.
func (t *targets) Copy(ctx context.Context, o restores.Origin, folder string) (m postgres.Manifest, err error) {
	held, err := t.manifest(ctx, o.Snapshot)
	if err != nil {
		return m, err
	}
	if held.Postgres == nil {
		return m, fmt.Errorf("the snapshot %.8s holds no copy of a PostgreSQL's database", o.Snapshot)
	}
	out, err := os.OpenFile(filepath.Join(folder, held.Postgres.File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, err
	}
	err = t.restic.run(ctx, out, "dump", "--no-lock", o.Snapshot, path.Join(snapshotVolumes, dumpVolume, held.Postgres.File))
	return *held.Postgres, errors.Join(err, out.Sync(), out.Close())
}

// manifest is what a snapshot says of itself.
func (t *targets) manifest(ctx context.Context, snapshot string) (m manifest, err error) {
	err = t.restic.read(ctx, &m, "dump", "--no-lock", snapshot, path.Join(snapshotDump, manifestFile))
	return m, err
}

// sealed writes the sealed state of the newest nightly backup.
func (t *targets) sealed(ctx context.Context, to io.Writer) error {
	s, err := t.snapshot(ctx, "latest", time.Time{}, false)
	if err != nil {
		return err
	}
	return t.restic.run(ctx, to, "dump", "--no-lock", s.ID, path.Join(task.State, sealedFile))
}

// Files implements restores.Source.
func (t *targets) Files(ctx context.Context, o restores.Origin, volume, folder string) (bool, error) {
	from := path.Join(snapshotVolumes, volume)
	there := false
	err := eachLine(func(out io.Writer) error {
		return t.restic.run(ctx, out, "ls", "--json", "--no-lock", o.Snapshot, snapshotVolumes)
	}, func(line []byte) error {
		var entry struct{ Path, Type string }
		if err := json.Unmarshal(line, &entry); err != nil {
			return err
		}
		there = there || entry.Path == from && entry.Type == "dir"
		return nil
	})
	if err != nil || !there {
		return false, err
	}
	return true, t.restic.run(ctx, io.Discard, "restore", "--no-lock", "--target", folder, o.Snapshot+":"+from)
}

// snapshot is the one that is wanted: by its id, or the newest that there was at a moment.
func (t *targets) snapshot(ctx context.Context, wanted string, at time.Time, moment bool) (snapshot, error) {
	all, err := t.restic.snapshots(ctx, t.request.Stack, nightlyTag)
	switch resticCode(err) {
	case resticNone:
		err = errNoSnapshot
	case resticWrongKey:
		err = fmt.Errorf("wrong key: the repository was made with another tarot:backupKey: %w", err)
	}
	if err != nil {
		return snapshot{}, err
	}
	// What is not whole is not restored unasked, also where its tag could not be changed.
	var u upkeep
	if err := readJSON(filepath.Join(task.State, upkeepFile), &u); err != nil {
		return snapshot{}, err
	}
	all = slices.DeleteFunc(all, func(s snapshot) bool {
		return slices.Contains(u.Incomplete, s.ID) && (len(wanted) < 8 || !strings.HasPrefix(s.ID, wanted))
	})
	return picked(all, wanted, at, moment)
}

var errNoSnapshot = errors.New("there is no nightly backup of the files that is whole: --only database restores without one")

// picked is the newest of those that are wanted.
func picked(all []snapshot, wanted string, at time.Time, moment bool) (snapshot, error) {
	var best snapshot
	for _, s := range all {
		switch {
		case !moment && wanted != "latest" && !strings.HasPrefix(s.ID, wanted), moment && s.Time.After(at), s.Time.Before(best.Time):
		default:
			best = s
		}
	}
	if best.ID != "" {
		return best, nil
	}
	if len(all) == 0 {
		return best, errNoSnapshot
	}
	last := all[len(all)-1]
	return best, fmt.Errorf("no nightly backup is %s; the oldest is %.8s of %s, and the newest %.8s of %s", wanted,
		all[0].ID, all[0].Time.UTC().Format(time.RFC3339), last.ID, last.Time.UTC().Format(time.RFC3339))
}

// bytes is how large a snapshot's files are.
func (t *targets) bytes(ctx context.Context, id string) (int64, error) {
	var stats struct {
		Size int64 `json:"total_size"`
	}
	err := t.restic.read(ctx, &stats, "stats", "--json", "--no-lock", "--mode", "restore-size", id)
	return stats.Size, err
}
