package database

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	backup "tarot-platform/internal/backup/journal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/journal"
)

// The keys of the stack's file.
const (
	kindKey = config.Namespace + ":database.kind"
	nextKey = config.Namespace + ":database.next"
)

// switched is the step with which users have the other database: where it fails, nothing is taken
// back without being asked for.
const switched = "switched"

// Looked is what is there before a move.
type Looked struct {
	There       bool
	Bytes, Free int64
}

// needed is how often a database has to fit on the disk: a copy of the file, the server's tables
// and its log, and the same in the rehearsal's leavings.
const needed = 4

// Look tells how large the file of SQLite is. Nothing is touched.
func (m *Move) Look(ctx context.Context) (found Looked, err error) {
	var out bytes.Buffer
	err = m.once(ctx, &out, func(o *engine.Once) {
		o.Network = ""
		o.Mounts = []engine.OnceMount{{Source: m.Stack.Volume, Target: m.Stack.Folder, ReadOnly: true}} // the scratch volume is not made yet
	}, "python3", "-c", lookScript, m.Stack.File)
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &found)
	}
	return found, err
}

// Check refuses a move of that for which there is no room.
func (l Looked) Check(file string) error {
	switch {
	case !l.There:
		return fmt.Errorf("there is no database in %s", file)
	case l.Free < needed*l.Bytes:
		return fmt.Errorf("the disk of the database has %d MB free, and a move of %d MB may need %d", l.Free>>20, l.Bytes>>20, needed*l.Bytes>>20)
	}
	return nil
}

// ToPostgres is the plan of a move from SQLite.
func (m *Move) ToPostgres() []journal.Step {
	return []journal.Step{
		{Name: "prepared",
			Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
				if err := m.Stack.Set(ctx, map[string]string{nextKey: config.Postgres}); err != nil {
					return nil, err
				}
				return nil, m.Stack.Up(ctx, m.run)
			},
			Undo: func(ctx context.Context, _ map[string]string) error {
				if err := m.set(ctx, config.SQLite, ""); err != nil {
					return err
				}
				return m.Stack.Up(ctx, m.run)
			}},
		m.rehearsal(func(ctx context.Context) (map[string]int64, error) { return m.toServer(ctx, false) }),
		m.emptied(m.emptyServer),
		m.list(m.Stack.Volume),
		m.quiet(m.unmounted),
		{Name: "copied", Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
			return m.copied(m.toServer(ctx, true))
		}},
		{Name: "retired",
			Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
				return nil, m.python(ctx, io.Discard, asideScript, m.Stack.File, m.aside(), data["rows"])
			},
			Undo: func(ctx context.Context, _ map[string]string) error {
				return m.python(ctx, io.Discard, asideScript, "back", m.Stack.File, m.aside())
			}},
		{Name: switched, Last: true,
			Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
				return m.switchTo(ctx, config.Postgres, m.Stack.OnPostgres, data)
			},
			Undo: func(ctx context.Context, data map[string]string) error {
				if err := m.unwritten(ctx, data); err != nil {
					return err
				}
				if err := m.python(ctx, io.Discard, asideScript, "back", m.Stack.File, m.aside()); err != nil {
					return err
				}
				return m.switchBack(ctx, config.SQLite, config.Postgres, m.Stack.OnSQLite)
			}},
		m.tidied(),
	}
}

// ToSQLite is the plan of the way back, with all that was written since.
func (m *Move) ToSQLite() []journal.Step {
	return []journal.Step{
		m.rehearsal(func(ctx context.Context) (map[string]int64, error) { return m.toFile(ctx, false) }),
		m.emptied(m.emptyFile),
		m.list(),
		m.quiet(m.noSession),
		{Name: "copied", Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
			return m.copied(m.toFile(ctx, true))
		}},
		{Name: "placed",
			Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
				return nil, m.place(ctx, data)
			},
			Undo: func(ctx context.Context, _ map[string]string) error {
				return m.shell(ctx, `if [ -e "$2" ]; then mv -f "$2" "$1"; elif [ -e "$1" ]; then mv "$1" "$3"; fi`, m.Stack.File, m.aside(), m.Stack.File+".undone-"+m.run)
			}},
		{Name: switched, Last: true,
			Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
				return m.switchTo(ctx, config.SQLite, m.Stack.OnSQLite, data)
			},
			Undo: func(ctx context.Context, data map[string]string) error {
				if err := m.fileUnwritten(ctx, data); err != nil {
					return err
				}
				return m.switchBack(ctx, config.Postgres, "", m.Stack.OnPostgres)
			}},
		m.tidied(),
	}
}

// aside is what the file of SQLite is called once it is left.
func (m *Move) aside() string { return m.Stack.File + ".moved-" + m.run }

// copied is what is noted of a copy.
func (m *Move) copied(rows map[string]int64, err error) (map[string]string, error) {
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(rows)
	return map[string]string{"rows": string(text), "copied": m.Now().UTC().Format(time.RFC3339Nano)}, err
}

// rehearsal copies what is there while users are served, and tells how long it took: what does not
// fit is found now, and not behind the maintenance page.
func (m *Move) rehearsal(copies func(context.Context) (map[string]int64, error)) journal.Step {
	return journal.Step{Name: "rehearsed",
		Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
			if err := m.give(ctx); err != nil {
				return nil, err
			}
			begun := m.Now()
			rows, err := copies(ctx)
			if err != nil {
				return nil, err
			}
			total := int64(0)
			for _, n := range rows {
				total += n
			}
			m.Tell(fmt.Sprintf("copied and compared %d rows of %d tables in %s; users will see the maintenance page for about as long, and for an `up`", total, len(rows), m.Now().Sub(begun).Round(100*time.Millisecond)))
			return nil, nil
		},
		Undo: func(ctx context.Context, _ map[string]string) error {
			// Where a command was killed, its step may be at work still: the next one ends it.
			if err := m.once(ctx, io.Discard, nil, "true"); err != nil {
				return err
			}
			return m.Engine.RemoveVolume(ctx, m.scratch())
		}}
}

// emptied makes the schema again, with no row: before users see the maintenance page, and in vain
// where another command goes on from there.
func (m *Move) emptied(empty func(context.Context) (string, error)) journal.Step {
	return journal.Step{Name: "emptied", Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
		var err error
		m.empty, err = empty(ctx)
		return nil, err
	}}
}

// target is the address of an empty database, which is that no more when something is copied.
func (m *Move) target(ctx context.Context, empty func(context.Context) (string, error)) (address string, err error) {
	if address, m.empty = m.empty, ""; address != "" {
		return address, nil
	}
	return empty(ctx)
}

// toServer copies the file to PostgreSQL.
func (m *Move) toServer(ctx context.Context, quiet bool) (map[string]int64, error) {
	had, err := m.snapshot(ctx, quiet)
	if err != nil {
		return nil, err
	}
	target, err := m.target(ctx, m.emptyServer)
	if err != nil {
		return nil, err
	}
	// That the command does what it says has the rehearsal shown, while users were served: behind the
	// page it is not asked for all of it a second time.
	return m.copyTo(ctx, m.sqlite(sourceFile), target, !quiet, func(context.Context) (map[string]int64, error) { return had, nil }, m.serverRows)
}

// toFile copies PostgreSQL to a new file in the scratch volume. While users write, the copy is of one
// moment, and the comparisons that come after it may differ: only what does not fit is told then.
func (m *Move) toFile(ctx context.Context, quiet bool) (map[string]int64, error) {
	source, err := m.account(ctx)
	if err != nil {
		return nil, err
	}
	target, err := m.target(ctx, m.emptyFile)
	if err != nil {
		return nil, err
	}
	if !quiet {
		if err := m.compared(ctx, source, target, m.Stack.Copy...); err != nil {
			return nil, err
		}
		return m.fileRows(ctx)
	}
	return m.copyTo(ctx, source, target, true, m.serverRows, m.fileRows)
}

// fileRows are those of the new file.
func (m *Move) fileRows(ctx context.Context) (map[string]int64, error) {
	return m.counted(ctx, sourceScript, targetFile, sourceFile)
}

// place brings the new file to the place of the database. One that is there is of before a move to
// PostgreSQL by hand, and is kept.
func (m *Move) place(ctx context.Context, data map[string]string) error {
	if err := m.shell(ctx, `if [ -e "$1" ] && [ ! -e "$2" ]; then mv "$1" "$2"; fi`, m.Stack.File, m.aside()); err != nil {
		return err
	}
	rows, err := m.counted(ctx, sourceScript, targetFile, m.Stack.File)
	if err != nil {
		return err
	}
	return same(noted(data), rows)
}

// shell runs a script of the shell's with the volume of the file.
func (m *Move) shell(ctx context.Context, script string, words ...string) error {
	return m.once(ctx, io.Discard, func(o *engine.Once) {
		o.Network = ""
		o.Mounts = append(o.Mounts, engine.OnceMount{Source: m.Stack.Volume, Target: m.Stack.Folder})
	}, append([]string{"/bin/sh", "-c", script, "operation"}, words...)...)
}

// noted are the rows that a step has noted.
func noted(data map[string]string) map[string]int64 {
	var rows map[string]int64
	_ = json.Unmarshal([]byte(data["rows"]), &rows)
	return rows
}

// set writes both keys.
func (m *Move) set(ctx context.Context, kind, next string) error {
	return m.Stack.Set(ctx, map[string]string{kindKey: kind, nextKey: next})
}

// switchTo has users get the other database, with an `up` behind the maintenance page. What does not
// get another address of it runs before: an `up` waits for all.
func (m *Move) switchTo(ctx context.Context, kind string, uses []engine.Use, data map[string]string) (map[string]string, error) {
	all, err := writers(data)
	if err != nil {
		return nil, err
	}
	if len(uses) > 0 {
		if err := m.Engine.MarkUses(ctx, uses, false); err != nil {
			return nil, err
		}
	}
	if err := m.set(ctx, kind, ""); err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Clone(all), func(s backup.Stopped) bool {
		return slices.Contains(m.Stack.Clients, s.Workload) || s.Workload == replicator
	})
	if err := m.begin(ctx, others); err != nil {
		return nil, err
	}
	opened := m.opening(ctx)
	err = m.Stack.Up(ctx, m.run)
	if at := opened(); !at.IsZero() {
		return map[string]string{"opened": at.UTC().Format(time.RFC3339Nano)}, err
	}
	return nil, err
}

// replicator is of the file of SQLite alone.
const replicator = "backup-replicator"

// switchBack has users get the database of before again.
func (m *Move) switchBack(ctx context.Context, kind, next string, uses []engine.Use) error {
	if len(uses) > 0 {
		if err := m.Engine.MarkUses(ctx, uses, false); err != nil {
			return err
		}
	}
	if err := m.set(ctx, kind, next); err != nil {
		return err
	}
	return m.Stack.Up(ctx, m.run)
}

// errWritten is why there is no way back.
var errWritten = fmt.Errorf("users have written to the new database since: %w, and back when that has ended", journal.ErrOnly)

// nobody has the database from now on: those that had it are returned.
func (m *Move) nobody(ctx context.Context, volumes ...string) ([]backup.Stopped, error) {
	m.page(ctx)
	all, err := m.Engine.WritersOf(ctx, m.Stack.Prefix, volumes, m.Stack.Clients)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b backup.Stopped) int { return m.Stack.Order(a.Workload) - m.Stack.Order(b.Workload) })
	return all, m.Engine.StopWriters(ctx, all, m.Tell)
}

// served has users get what they had, where there is no way back: they have written to it.
func (m *Move) served(ctx context.Context, stopped []backup.Stopped, why error) error {
	if !errors.Is(why, journal.ErrOnly) {
		return why
	}
	err := m.Engine.StartWriters(ctx, stopped, m.Tell)
	if err == nil {
		err = m.unpage(ctx)
	}
	return errors.Join(why, err)
}

// unwritten is an error where PostgreSQL has more than was copied.
func (m *Move) unwritten(ctx context.Context, data map[string]string) (err error) {
	stopped, err := m.nobody(ctx)
	if err != nil {
		return err
	}
	defer func() { err = m.served(ctx, stopped, err) }()
	rows, err := m.serverRows(ctx)
	if err != nil {
		return err
	}
	if err := same(noted(data), rows); err != nil {
		return fmt.Errorf("%w (%w)", errWritten, err)
	}
	address, err := m.account(ctx)
	if err != nil {
		return err
	}
	return m.equal(ctx, m.sqlite(sourceFile), address)
}

// fileUnwritten is the same of the file.
func (m *Move) fileUnwritten(ctx context.Context, data map[string]string) (err error) {
	stopped, err := m.nobody(ctx, m.Stack.Volume)
	if err != nil {
		return err
	}
	defer func() { err = m.served(ctx, stopped, err) }()
	rows, err := m.snapshot(ctx, true)
	if err != nil {
		return err
	}
	if err := same(noted(data), rows); err != nil {
		return fmt.Errorf("%w (%w)", errWritten, err)
	}
	return m.equal(ctx, m.sqlite(targetFile), m.sqlite(sourceFile))
}

// equal has the application compare, by content.
func (m *Move) equal(ctx context.Context, source, target string) error {
	if err := m.compared(ctx, source, target, append(slices.Clone(m.Stack.Copy), "--verify")...); err != nil {
		return fmt.Errorf("%w (%w)", errWritten, err)
	}
	return nil
}

// tidied starts what may not run, and removes what only the move had a use for.
func (m *Move) tidied() journal.Step {
	return journal.Step{Name: "tidied", Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
		all, err := writers(data)
		if err != nil {
			return nil, err
		}
		if err := m.start(ctx, all); err != nil {
			return nil, err
		}
		if seen := m.seen(data); seen != "" {
			m.Tell("users have the other database. " + seen)
		}
		return nil, m.Engine.RemoveVolume(ctx, m.scratch())
	}}
}

// Begin begins one, to a kind of database.
func (m *Move) Begin(ctx context.Context, operation engine.Operation) error {
	if err := m.strangers(ctx); err != nil { // before anything is touched
		return err
	}
	j, err := journal.Begin(ctx, m.Engine, m.Stack.Name, m.Stack.Prefix, operation)
	if err != nil {
		return err
	}
	return m.goOn(ctx, j, m.plan(j), false)
}

// Continue finishes the one that is open.
func (m *Move) Continue(ctx context.Context) error {
	j, err := m.open(ctx)
	if err != nil {
		return err
	}
	return m.goOn(ctx, j, m.plan(j), true)
}

// Back takes the one back that is open.
func (m *Move) Back(ctx context.Context) error {
	j, err := m.open(ctx)
	if err != nil {
		return err
	}
	return m.back(ctx, j, m.plan(j))
}

func (m *Move) open(ctx context.Context) (*journal.Journal, error) {
	j, err := journal.Open(ctx, m.Engine, m.Stack.Name, m.Stack.Prefix, engine.MoveToPostgres, engine.MoveToSQLite)
	if err == nil && j == nil {
		err = fmt.Errorf("no move of the database of %s is open", m.Stack.Name)
	}
	return j, err
}

// plan is that of an operation that is open.
func (m *Move) plan(j *journal.Journal) []journal.Step {
	m.run, m.password = j.Run(), rand.Text()+rand.Text()
	if j.Held().Operation == engine.MoveToSQLite {
		return m.ToSQLite()
	}
	return m.ToPostgres()
}

// goOn does what is left of a plan. Where a step fails before users have the other database, all is
// taken back; but not for want of an `up` that a killed command's is in the way of.
func (m *Move) goOn(ctx context.Context, j *journal.Journal, plan []journal.Step, again bool) error {
	if j.GoingBack() {
		m.Tell("it is being taken back already: that goes on")
		return m.back(ctx, j, plan)
	}
	err := j.Go(ctx, plan, func(step string) { m.Tell(titles[step]) })
	var failed *journal.StepError
	if err == nil || !errors.As(err, &failed) {
		return err
	}
	if ctx.Err() != nil || !j.CanGoBack(plan) || failed.Step == switched || again && (failed.Step == "prepared" || failed.Step == "built") {
		return fmt.Errorf("%w\n%s is not finished: make %s STACK=%s CONTINUE=yes goes on, BACK=yes takes it back. Nothing was lost", err, j.Held().Operation.Title(), j.Held().Operation.Target(), m.Stack.Name)
	}
	m.Tell("it has failed, and is taken back: " + err.Error())
	if undone := m.back(ctx, j, plan); undone != nil {
		return fmt.Errorf("%w\nIt could not be taken back yet: %w", err, undone)
	}
	return fmt.Errorf("%w\nAll is as it was before", err)
}

func (m *Move) back(ctx context.Context, j *journal.Journal, plan []journal.Step) error {
	if err := j.Back(ctx, plan, func(step string) { m.Tell("taking back: " + titles[step]) }); err != nil {
		return fmt.Errorf("%w\nmake %s STACK=%s BACK=yes tries again", err, j.Held().Operation.Target(), m.Stack.Name)
	}
	return nil
}

// titles are what people are told of steps.
var titles = map[string]string{
	"prepared":  "getting the server ready beside, by an `up`",
	"emptied":   "making the tables again, with no row",
	"rehearsed": "rehearsing the copy, while users are served",
	"listed":    "looking who has the database",
	"quiet":     "the maintenance page, and nobody has the database",
	"copied":    "copying, and comparing",
	"retired":   "giving the file of SQLite another name",
	"placed":    "putting the file in its place",
	"looked":    "looking what there is",
	"built":     "what the new server's image needs",
	"saved":     "a copy for the nightly backup, of now",
	"replaced":  "the server of before stops, and the copy takes its place",
	switched:    "users get the other database, by an `up`",
	"tidied":    "tidying",
}
