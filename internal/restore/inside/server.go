package inside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/restore/task"
)

// inServer is a database of PostgreSQL. What is restored is loaded into a new one beside it, while
// users are served; then both get other names in one transaction, so that there is no state in
// between. A database that was restored says so, whatever its name is.
type inServer struct{ *Room }

// The names of databases beside the stack's: each is followed by the run.
const (
	incomingName = "_incoming_"
	replacedName = "_replaced_"
	undoneName   = "_undone_"
)

func (r inServer) name(kind string) string { return r.Server.Database + kind + r.Run }

// restored is what is said of a database that this run has restored.
func (r inServer) restored() string { return "restored by " + r.Run }

// databases are what is asked of a server.
type databases interface {
	Databases(ctx context.Context) (map[string]postgres.Database, error)
	Load(ctx context.Context, file, database, owner, like string) (told string, err error)
	Content(ctx context.Context, database string) (results.Content, error)
	Say(ctx context.Context, database, text string) error
	Rename(ctx context.Context, all ...postgres.Renaming) error
	Drop(ctx context.Context, database string) error
}

func (r inServer) server() databases {
	if r.Postgres != nil {
		return r.Postgres
	}
	s := postgres.Server{Programs: r.Server.Programs, Socket: r.Server.Socket}
	if os.Geteuid() == 0 {
		s.As = &syscall.Credential{Uid: r.Server.UID, Gid: r.Server.GID}
	}
	return s
}

func (r inServer) folder() string {
	return r.beside(r.Server.Volume, incoming, r.Run, "database")
}

func (r inServer) need(o Origin) (string, int64, error) {
	return r.Server.Volume, o.DatabaseBytes * 11 / 10, nil
}

func (r inServer) fetch(ctx context.Context, o Origin) (*task.FoundDatabase, bool, error) {
	if err := durable.MkdirAll(r.folder()); err != nil {
		return nil, false, err
	}
	m, err := r.bring(ctx, o, r.folder())
	if err != nil {
		return nil, false, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, false, err
	}
	if err := durable.Write(filepath.Join(r.folder(), postgres.ManifestFile), text, 0o600); err != nil {
		return nil, false, err
	}
	file := filepath.Join(r.folder(), m.File)
	if os.Geteuid() == 0 {
		if err := os.Lchown(file, int(r.Server.UID), int(r.Server.GID)); err != nil {
			return nil, false, err
		}
	}
	return r.told(o, m), false, durable.Sync(file)
}

// bring fetches a copy, and looks whether it is the one that was made.
func (r inServer) bring(ctx context.Context, o Origin, folder string) (postgres.Manifest, error) {
	m, err := r.From.Copy(ctx, o, folder)
	if err != nil {
		return m, err
	}
	if _, hash, err := newest.Sum(filepath.Join(folder, m.File)); err != nil || hash != m.SHA256 {
		return m, errors.Join(err, fmt.Errorf("what was fetched from %s is not the copy that was made: its hash differs", o.From()))
	}
	return m, nil
}

func (inServer) told(o Origin, m postgres.Manifest) *task.FoundDatabase {
	return &task.FoundDatabase{From: o.From(), Moment: m.At, Bytes: m.Size, Rows: m.Rows}
}

func (r inServer) extract(ctx context.Context, o Origin, folder string) (*task.FoundDatabase, error) {
	m, err := r.bring(ctx, o, folder)
	return r.told(o, m), err
}

func (r inServer) load(ctx context.Context, found *task.FoundDatabase) error {
	m, err := postgres.Read(r.folder())
	if err != nil {
		return err
	}
	all, err := r.server().Databases(ctx)
	if err != nil {
		return err
	}
	_, live := all[r.Server.Database]
	like := ""
	if live {
		like = r.Server.Database
	}
	if found.Grants, err = r.server().Load(ctx, filepath.Join(r.folder(), m.File), r.name(incomingName), r.Server.Owner, like); err != nil {
		return err
	}
	got, err := r.server().Content(ctx, r.name(incomingName))
	if err != nil {
		return err
	}
	if !maps.Equal(got.Rows, m.Rows) {
		return fmt.Errorf("what was loaded is not what was copied: its tables have %v rows, and had %v", got.Rows, m.Rows)
	}
	if err := r.server().Say(ctx, r.name(incomingName), r.restored()); err != nil {
		return err
	}
	if !live {
		return nil
	}
	now, err := r.server().Content(ctx, r.Server.Database)
	switch {
	case err == nil:
		found.Live, found.Migrate = now.Rows, now.Schema != got.Schema
	case errors.As(err, new(postgres.Unanswered)) || ctx.Err() != nil:
		return err
	default:
		found.Unreadable = err.Error()
	}
	return nil
}

// Whoever is in the database is sent away in the moment of the switch, in which the server itself
// sees to it that nobody is left.
func (inServer) alone() (func(), error)        { return func() {}, nil }
func (inServer) plan() ([]journal.Move, error) { return nil, nil }

func (r inServer) replace(ctx context.Context) error {
	all, err := r.server().Databases(ctx)
	if err != nil {
		return err
	}
	now, live := all[r.Server.Database]
	_, loaded := all[r.name(incomingName)]
	switch {
	case live && now.Said == r.restored():
		return nil // it was done
	case !loaded:
		return fmt.Errorf("what was loaded is not there any more: the database %s. Take this restore back (--back), and begin again", r.name(incomingName))
	}
	renamings := []postgres.Renaming{{From: r.name(incomingName), To: r.Server.Database}}
	if live {
		renamings = append([]postgres.Renaming{{From: r.Server.Database, To: r.name(replacedName)}}, renamings...)
	}
	return r.server().Rename(ctx, renamings...)
}

func (r inServer) undo(ctx context.Context) error {
	all, err := r.server().Databases(ctx)
	if err != nil {
		return err
	}
	if all[r.Server.Database].Said != r.restored() {
		return nil // it was not done, or is undone
	}
	renamings := []postgres.Renaming{{From: r.Server.Database, To: r.name(undoneName)}}
	if _, there := all[r.name(replacedName)]; there {
		renamings = append(renamings, postgres.Renaming{From: r.name(replacedName), To: r.Server.Database})
	}
	return r.server().Rename(ctx, renamings...)
}

func (r inServer) check(ctx context.Context, found *task.FoundDatabase) error {
	got, err := r.server().Content(ctx, r.Server.Database)
	if err == nil && found != nil && !maps.Equal(got.Rows, found.Rows) {
		err = fmt.Errorf("its tables have %v rows, and %v were loaded: who writes to it?", got.Rows, found.Rows)
	}
	return err
}

func (r inServer) sweep() error { return durable.RemoveAll(r.beside(r.Server.Volume, incoming)) }

func (r inServer) drop(ctx context.Context) error {
	return r.server().Drop(ctx, r.name(incomingName))
}

func (r inServer) kept(ctx context.Context) (map[string]int64, error) {
	all, err := r.server().Databases(ctx)
	kept := map[string]int64{}
	for name, database := range all {
		for _, kind := range []string{replacedName, undoneName} {
			if run, is := strings.CutPrefix(name, r.Server.Database+kind); is {
				kept[run] += database.Bytes
			}
		}
	}
	if errors.As(err, new(postgres.Unanswered)) && (!r.Want.Has(journal.Database) || r.Server.Archived(r.Want)) {
		return nil, nil // it is not touched, or replaced as a whole
	}
	return kept, err
}

func (r inServer) forget(ctx context.Context, run string) (there bool, err error) {
	all, err := r.server().Databases(ctx)
	if errors.As(err, new(postgres.Unanswered)) {
		err = fmt.Errorf("the database's server has to run for that: %w", err)
	}
	if err != nil {
		return false, err
	}
	for _, kind := range []string{replacedName, undoneName} {
		name := r.Server.Database + kind + run
		if _, is := all[name]; is {
			there = true
			if err := r.server().Drop(ctx, name); err != nil {
				return there, err
			}
		}
	}
	return there, nil
}
