package database

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	backup "tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/journal"
)

var (
	//go:embed upgrade.sh
	upgradeScript string
	//go:embed digest.sql
	digestSQL string
)

// Upgrade is one command at the upgrade of a stack's PostgreSQL to another version. Who is stopped, the page and the
// way through a plan are as in a move; the database is copied by PostgreSQL's own programs, and the platform compares.
type Upgrade struct {
	Move
	// To is the version that users get, and Image has its server; Before is the image of the server that runs.
	To            int
	Image, Before string
	// Own is what tarot:database.image is to say for that, and Was what it says; empty: nothing.
	Own, Was string
	// Settings are the new server's, and Memory is for the copy.
	Settings string
	Memory   int64
	// Server is the workload, whose data are in Stack.Volume and whose socket is in Socket.
	Server, Socket string
	// Configure writes the version and the image into the stack's file, and has the application get another
	// account: all that was stopped is made anew by an `up` then.
	Configure func(ctx context.Context, version int, image string) error
	// Prepare and Unprepare have an image built that the new server needs, or not; nil: it is there.
	Prepare, Unprepare func(ctx context.Context, run string) error
	// Save makes a copy for the nightly backup; nil: there is none.
	Save func(ctx context.Context) error
	// Ask is told how long the copy took while users were served, and is an error where that is too long.
	Ask func(took time.Duration) error
	// On are what the stack has its volumes for with a version.
	On func(version int) []engine.Use
}

// Where an upgrade has what it needs.
const (
	serverFolder = "/srv/database" // where no image has a volume of its own
	socketFolder = "/var/run/postgresql"
	serverUser   = "999:999"
)

// Present is what is there before an upgrade.
type Present struct {
	Version     int
	Bytes, Free int64
	// Missing are extensions that the new image has not; There are folders that are in the way.
	Missing, Tablespaces, There []string
	// Slots and System stay behind: slots of replication, and what ALTER SYSTEM has set.
	Slots, System []string
}

// script has the new version's programs do something in the server's volume.
func (u *Upgrade) script(ctx context.Context, from int, image string, out io.Writer, what string) error {
	return u.Engine.RunOnce(ctx, u.Stack.Prefix, engine.Once{
		Name: "operation-step", Again: true, Shared: true, Image: image, User: serverUser, Memory: u.Memory,
		Command: []string{"/bin/sh", stepFolder + "/upgrade.sh", strconv.Itoa(from), strconv.Itoa(u.To), "run-" + u.run, what},
		Files: map[string][]byte{stepFolder + "/upgrade.sh": []byte(upgradeScript), stepFolder + "/digest.sql": []byte(digestSQL),
			stepFolder + "/postgresql.conf": []byte(u.Settings)},
		Mounts: []engine.OnceMount{{Source: u.Stack.Volume, Target: serverFolder}, {Source: u.Socket, Target: socketFolder, ReadOnly: true}},
	}, out)
}

// step is the same for a step of a plan, which knows what the first has noted.
func (u *Upgrade) step(ctx context.Context, data map[string]string, out io.Writer, what string) error {
	from, err := strconv.Atoi(data["from"])
	if err != nil { // what is taken back has not begun
		from = 0
	}
	image := cmp.Or(data["image"], u.Image)
	if what == "dump" {
		image = data["before"]
	}
	return u.script(ctx, from, image, out, what)
}

// Look tells what is there. Nothing is touched.
func (u *Upgrade) Look(ctx context.Context) (p Present, err error) {
	var out bytes.Buffer
	if err := u.script(ctx, 0, u.Image, &out, "look"); err != nil {
		return p, err
	}
	lists := map[string]*[]string{"missing": &p.Missing, "tablespace": &p.Tablespaces, "there": &p.There, "slot": &p.Slots, "system": &p.System}
	for line := range strings.Lines(out.String()) {
		key, value, is := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		switch {
		case !is:
			err = errors.New("no such line")
		case key == "version":
			p.Version, err = strconv.Atoi(value)
		case key == "free":
			p.Free, err = strconv.ParseInt(value, 10, 64)
		case key == "bytes":
			p.Bytes, err = strconv.ParseInt(value, 10, 64)
		case lists[key] != nil:
			if list := lists[key]; !slices.Contains(*list, value) {
				*list = append(*list, value)
			}
		default:
			err = errors.New("no such line")
		}
		if err != nil {
			return p, fmt.Errorf("what there is of the database: %q: %w", line, err)
		}
	}
	return p, nil
}

// Check refuses what can not end well, all at once.
func (p Present) Check(stack string, to int, image, volume string) error {
	var all []error
	fault := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if p.Version >= to {
		return fmt.Errorf("the database is in PostgreSQL %d; allowed, for an upgrade to %d: an earlier one", p.Version, to)
	}
	for _, name := range p.Missing {
		fault("the database has the extension %s, and the image %s has none of that name: IMAGE=… names one of PostgreSQL %d that has it", name, image, to)
	}
	for _, name := range p.Tablespaces {
		fault("the tablespace %s is in a place of its own, which is not copied: ALTER TABLE … SET TABLESPACE pg_default, and DROP TABLESPACE %[1]s", name)
	}
	for _, place := range p.There {
		fault("%s is in the volume %s already, of an earlier upgrade: make database-upgrade STACK=%s FORGET=yes removes what was replaced; what else it is, somebody has to look at", place, volume, stack)
	}
	if need := 2*p.Bytes + 1<<30; p.Free < need {
		fault("the disk of the database has %d MB free, and an upgrade of %d MB may need %d", p.Free>>20, p.Bytes>>20, need>>20)
	}
	return errors.Join(all...)
}

// content is what is counted of a table: its rows, and a number that follows from all of them.
type content struct {
	rows int64
	hash string
}

// contents reads what the script has counted before and after.
func contents(text string) (before, after map[string]content, err error) {
	sides := map[string]map[string]content{"before": {}, "after": {}}
	for line := range strings.Lines(text) {
		words := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(words) != 4 || sides[words[0]] == nil {
			return nil, nil, fmt.Errorf("rows of the tables: %q", line)
		}
		rows, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return nil, nil, fmt.Errorf("rows of the tables: %q", line)
		}
		sides[words[0]][words[1]] = content{rows, words[3]}
	}
	return sides["before"], sides["after"], nil
}

// isSequence is true for the state of a sequence, which is of no moment: it goes on while others read.
func isSequence(name string) bool { return strings.Contains(name, ".sequence ") }

// equalContents refuses a copy that is not the same.
func equalContents(before, after map[string]content, quiet bool) error {
	if len(before) == 0 {
		return errors.New("nothing of the database was counted")
	}
	names := maps.Clone(before)
	maps.Copy(names, after)
	var all []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		had, has := before[name], after[name]
		switch {
		case !quiet && isSequence(name), had == has:
		case had.rows != has.rows:
			all = append(all, fmt.Errorf("%s: %d before, %d in the copy", name, had.rows, has.rows))
		default:
			all = append(all, fmt.Errorf("%s: %d rows, and what is in them is not the same in the copy", name, had.rows))
		}
	}
	return errors.Join(all...)
}

// digest is a short word for all that is in a database.
func digest(all map[string]content) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(sum, "%s\t%d\t%s\n", name, all[name].rows, all[name].hash)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// copies has all in a new database beside, and compares.
func (u *Upgrade) copies(ctx context.Context, data map[string]string, quiet bool) (map[string]content, error) {
	var out bytes.Buffer
	for _, what := range []string{"dump", "load"} {
		if err := u.step(ctx, data, &out, what); err != nil {
			return nil, err
		}
	}
	before, after, err := contents(out.String())
	if err == nil {
		err = equalContents(before, after, quiet)
	}
	return after, err
}

// Plan is the plan of an upgrade.
func (u *Upgrade) Plan() []journal.Step {
	return []journal.Step{
		{Name: "looked", Do: u.noted},
		{Name: "saved", Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
			if u.Save == nil {
				u.Tell("tarot:backup.enabled is false: there is no backup of it, and what is replaced stays as it is")
				return nil, nil
			}
			return nil, u.Save(ctx)
		}},
		{Name: "built",
			Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
				if u.Prepare == nil {
					return nil, nil
				}
				return nil, u.Prepare(ctx, u.run)
			},
			Undo: func(ctx context.Context, _ map[string]string) error {
				if u.Unprepare == nil {
					return nil
				}
				return u.Unprepare(ctx, u.run)
			}},
		{Name: "rehearsed",
			Do: u.rehearsed,
			// Where a command was killed, its step may be at work still: the next one ends it.
			Undo: func(ctx context.Context, data map[string]string) error { return u.step(ctx, data, io.Discard, "clean") }},
		u.list(u.Stack.Volume),
		u.quiet(u.noSession, u.Server),
		{Name: "copied", Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
			all, err := u.copies(ctx, data, true)
			return map[string]string{"digest": digest(all), "copied": u.Now().UTC().Format(time.RFC3339Nano)}, err
		}},
		{Name: "replaced",
			Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
				all, err := writers(data)
				if err == nil {
					err = u.Engine.StopWriters(ctx, all, u.Tell)
				}
				if err == nil {
					err = u.unmounted(ctx)
				}
				if err == nil {
					err = u.step(ctx, data, io.Discard, "place")
				}
				return nil, err
			},
			Undo: func(ctx context.Context, data map[string]string) error { return u.step(ctx, data, io.Discard, "back") }},
		{Name: switched, Last: true,
			Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
				opened := u.opening(ctx)
				err := u.turn(ctx, u.To, data["own"])
				if at := opened(); !at.IsZero() {
					return map[string]string{"opened": at.UTC().Format(time.RFC3339Nano)}, err
				}
				return nil, err
			},
			Undo: u.turnBack},
		u.ended(),
	}
}

// noted is what there is, for the steps to come, whichever command does them.
func (u *Upgrade) noted(ctx context.Context, _ map[string]string) (map[string]string, error) {
	p, err := u.Look(ctx)
	if err == nil {
		err = p.Check(u.Stack.Name, u.To, u.Image, u.Stack.Volume)
	}
	if err == nil && u.Before == "" {
		err = errors.New("the image of the server that runs is not known")
	}
	return map[string]string{"from": strconv.Itoa(p.Version), "to": strconv.Itoa(u.To), "image": u.Image, "before": u.Before, "own": u.Own, "was": u.Was}, err
}

func (u *Upgrade) rehearsed(ctx context.Context, data map[string]string) (map[string]string, error) {
	begun := u.Now()
	all, err := u.copies(ctx, data, false)
	if err != nil {
		return nil, err
	}
	took := u.Now().Sub(begun)
	tables, rows := 0, int64(0)
	for name, c := range all {
		if strings.Count(name, ".") > 1 && !isSequence(name) {
			tables, rows = tables+1, rows+c.rows
		}
	}
	u.Tell(fmt.Sprintf("copied and compared %d rows of %d tables in %s; users will see the maintenance page for about as long, and for an `up`", rows, tables, took.Round(100*time.Millisecond)))
	if err := u.step(ctx, data, io.Discard, "clean"); err != nil {
		return nil, err
	}
	if u.Ask != nil {
		err = u.Ask(took)
	}
	return nil, err
}

// turn has users get a version, by an `up`.
func (u *Upgrade) turn(ctx context.Context, version int, image string) error {
	if uses := u.On(version); len(uses) > 0 {
		if err := u.Engine.MarkUses(ctx, uses, false); err != nil {
			return err
		}
	}
	if err := u.Configure(ctx, version, image); err != nil {
		return err
	}
	return u.Stack.Up(ctx, u.run)
}

// turnBack has users get the version of before again, where nobody has written to the new one.
func (u *Upgrade) turnBack(ctx context.Context, data map[string]string) error {
	stopped, err := u.nobody(ctx, u.Stack.Volume)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := u.step(ctx, data, &out, "compare"); err != nil {
		return err
	}
	_, after, err := contents(out.String())
	if err != nil {
		return err
	}
	if len(after) > 0 && digest(after) != data["digest"] { // none: it was taken back already
		return u.served(ctx, stopped, errWrittenSince)
	}
	if err := u.step(ctx, data, io.Discard, "back"); err != nil {
		return err
	}
	all, err := writers(data)
	if err != nil {
		return err
	}
	// What an `up` has not got to runs again before the next one, which would wait for it.
	servers := slices.DeleteFunc(all, func(s backup.Stopped) bool { return slices.Contains(u.Stack.Clients, s.Workload) })
	if err := u.begin(ctx, servers); err != nil {
		u.Tell(err.Error())
	}
	from, err := strconv.Atoi(data["from"])
	if err != nil {
		return fmt.Errorf("the version of before: %w", err)
	}
	return u.turn(ctx, from, data["was"])
}

// errWrittenSince is why there is no way back.
var errWrittenSince = fmt.Errorf("users have written to the new version since: %w. What the version of before has stays in its folder", journal.ErrOnly)

// ended starts what may not run, and removes what only the upgrade had a use for.
func (u *Upgrade) ended() journal.Step {
	return journal.Step{Name: "tidied", Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
		all, err := writers(data)
		if err != nil {
			return nil, err
		}
		if err := u.start(ctx, all); err != nil {
			return nil, err
		}
		if seen := u.seen(data); seen != "" {
			u.Tell(fmt.Sprintf("users have PostgreSQL %d. %s", u.To, seen))
		}
		return nil, u.step(ctx, data, io.Discard, "clean")
	}}
}

// Begin begins one.
func (u *Upgrade) Begin(ctx context.Context) error {
	if err := u.strangers(ctx); err != nil { // before anything is touched
		return err
	}
	j, err := journal.Begin(ctx, u.Engine, u.Stack.Name, u.Stack.Prefix, engine.Upgrade)
	if err != nil {
		return err
	}
	u.run = j.Run()
	return u.goOn(ctx, j, u.Plan(), false)
}

// Continue finishes the one that is open, and Back takes it back.
func (u *Upgrade) Continue(ctx context.Context) error {
	j, err := u.open(ctx)
	if err != nil {
		return err
	}
	return u.goOn(ctx, j, u.Plan(), true)
}

// Back takes the one back that is open.
func (u *Upgrade) Back(ctx context.Context) error {
	j, err := u.open(ctx)
	if err != nil {
		return err
	}
	return u.back(ctx, j, u.Plan())
}

func (u *Upgrade) open(ctx context.Context) (*journal.Journal, error) {
	j, err := journal.Open(ctx, u.Engine, u.Stack.Name, u.Stack.Prefix, engine.Upgrade)
	if err == nil && j == nil {
		err = fmt.Errorf("no upgrade of the database of %s is open", u.Stack.Name)
	}
	if err == nil {
		u.run = j.Run()
	}
	return j, err
}

// Kept are the folders that upgrades have replaced, with their size in bytes.
func (u *Upgrade) Kept(ctx context.Context) (map[string]int64, error) {
	var out bytes.Buffer
	if err := u.script(ctx, 0, u.Image, &out, "kept"); err != nil {
		return nil, err
	}
	all := map[string]int64{}
	for line := range strings.Lines(out.String()) {
		name, size, _ := strings.Cut(strings.TrimSpace(line), "\t")
		kb, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("what is kept: %q", line)
		}
		all[name] = kb << 10
	}
	return all, nil
}

// Forget removes what upgrades have replaced.
func (u *Upgrade) Forget(ctx context.Context) error {
	return u.script(ctx, 0, u.Image, io.Discard, "forget")
}
