// Package database moves a stack's data from SQLite to PostgreSQL and back, by the application's own
// command (docs/application.md): only that knows what its columns are. The platform orders, rehearses,
// counts by itself, and goes back by itself where something is wrong before users have the other one.
//
// It is the order of `stack database move`, in plain Go: the engine is asked by an interface, and what
// reads and writes databases runs in containers that end. All steps are a plan (internal/journal), so
// that a second call goes on where one was killed, or goes back.
package database

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tarot-platform/components/workload"
	backup "tarot-platform/internal/backup/journal"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/journal"
)

var (
	//go:embed source.py
	sourceScript string
	//go:embed aside.py
	asideScript string
	//go:embed look.py
	lookScript string
	//go:embed fresh.sql
	freshSQL string
	//go:embed account.sql
	accountSQL string
	//go:embed rows.sql
	rowsSQL string
)

// Engine is what is asked of the Docker engine.
type Engine interface {
	journal.Engine
	// RunOnce runs a container to its end, and Like is one as a job had it.
	RunOnce(ctx context.Context, prefix string, o engine.Once, out io.Writer) error
	Like(ctx context.Context, prefix, job string) (engine.Once, error)
	// RunAgain runs a job once more.
	RunAgain(ctx context.Context, prefix, job string, within time.Duration) error
	// WritersOf, StopWriters and StartWriters are as for a restore; Remaining are those that an
	// `up` has not made anew.
	WritersOf(ctx context.Context, prefix string, volumes, workloads []string) ([]backup.Stopped, error)
	StopWriters(ctx context.Context, all []backup.Stopped, tell func(string)) error
	StartWriters(ctx context.Context, all []backup.Stopped, tell func(string)) error
	// BeginWriters leaves the waiting to an `up`.
	BeginWriters(ctx context.Context, all []backup.Stopped, tell func(string)) error
	Remaining(ctx context.Context, prefix string, all []backup.Stopped) ([]backup.Stopped, error)
	// Mounting are the running containers that have one of the volumes.
	Mounting(ctx context.Context, volumes []string, but string) ([]string, error)
	// Runs is how many containers of a workload run, and Exec runs a command in one of them.
	Runs(ctx context.Context, prefix, workload string) (int, error)
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	// MarkUses writes down what a stack has its volumes for.
	MarkUses(ctx context.Context, uses []engine.Use, claim bool) error
	RemoveVolume(ctx context.Context, name string) error
	// Volume is one by its name; false: it is not there.
	Volume(ctx context.Context, name string) (engine.Volume, bool, error)
}

// Stack is whose database is moved.
type Stack struct {
	// Name is what Pulumi calls it, and Prefix begins its names in the engine.
	Name, Prefix string
	// Set writes values of the stack's file at once, by their keys, and Up deploys what that says, as a step of a run.
	Set func(ctx context.Context, values map[string]string) error
	Up  func(ctx context.Context, run string) error
	// Migrate and Copy are the application's commands, and Variables those that hold the address
	// of its database.
	Migrate, Copy []string
	Variables     []string
	// File is the file of SQLite in the application's containers, which have the volume Volume at
	// Folder; Dialect begins its address.
	File, Volume, Folder, Dialect string
	// Server is a container of PostgreSQL's superuser's, with the words of psql.
	Server engine.Once
	// Address, Role and Verifier are what follows from a password.
	Address        func(password string) (string, error)
	Role, Verifier func(password string) (string, error)
	// Clients are the workloads that get another address of the database.
	Clients []string
	// Order sorts what is stopped: what comes first is stopped first.
	Order func(workload string) int
	// Nginx has the maintenance page; empty: there is none. Close shows it, and Open takes it
	// away; empty: it is to stay. Shown says "open" once it is gone.
	Nginx              string
	Close, Open, Shown []string
	// OnSQLite and OnPostgres are what the stack has its volumes for with each.
	OnSQLite, OnPostgres []engine.Use
}

// Move is one command at a move.
type Move struct {
	Engine Engine
	Stack  Stack
	// Tell says what is done, and Now is the time.
	Tell func(text string)
	Now  func() time.Time

	run string
	// shown is since when users see the maintenance page.
	shown time.Time
	// empty is the address of the database that this command has made, until something is copied.
	empty string
	// password is the account's that copies.
	password string
}

// Where a step has what it needs.
const (
	scratchFolder = "/run/move"
	stepFolder    = "/run/operation"
	sourceFile    = scratchFolder + "/source.db"
	targetFile    = scratchFolder + "/target.db"
	// migrateJob is the job whose containers the application's commands run as, and usersJob
	// the one that makes the database and its accounts.
	migrateJob = "migrate"
	usersJob   = "postgres-users"
	jobTime    = 15 * time.Minute
)

func (m *Move) scratch() string { return m.Stack.Prefix + "-operation-scratch" }

// once runs a container that is like a replica of the application, but that it does not have the
// volume of the database: nothing that it does wrong gets there.
func (m *Move) once(ctx context.Context, out io.Writer, more func(*engine.Once), words ...string) error {
	o, err := m.Engine.Like(ctx, m.Stack.Prefix, migrateJob)
	if err != nil {
		return err
	}
	// The words that load its environment stay; what it does is another thing.
	var start []string
	for _, prefix := range [][]string{workload.Loaded(migrateJob), workload.Homed(migrateJob)} {
		if len(o.Command) > len(prefix) && slices.Equal(o.Command[:len(prefix)], prefix) {
			start = prefix
		}
	}
	o.Name, o.Again = "operation-step", true
	o.Command = slices.Concat(start, words)
	o.Mounts = append(slices.DeleteFunc(o.Mounts, func(mounted engine.OnceMount) bool { return mounted.Source == m.Stack.Volume }),
		engine.OnceMount{Source: m.scratch(), Target: scratchFolder})
	if more != nil {
		more(&o)
	}
	return m.Engine.RunOnce(ctx, m.Stack.Prefix, o, out)
}

// python runs one of our scripts with the application's Python, as the application's user, with the
// volume that has the file.
func (m *Move) python(ctx context.Context, out io.Writer, script string, words ...string) error {
	return m.once(ctx, out, func(o *engine.Once) {
		o.Network = ""
		o.Mounts = append(o.Mounts, engine.OnceMount{Source: m.Stack.Volume, Target: m.Stack.Folder})
	}, append([]string{"python3", "-c", script}, words...)...)
}

// give makes the scratch volume the application's user's.
func (m *Move) give(ctx context.Context) error {
	return m.once(ctx, io.Discard, func(o *engine.Once) {
		o.Command = []string{"chown", o.User, scratchFolder}
		o.User, o.Network, o.Capabilities = "0:0", "", []string{"CHOWN"}
	})
}

// application runs one of the application's commands, with the addresses of databases.
func (m *Move) application(ctx context.Context, out io.Writer, source, target string, words ...string) error {
	var pairs []string
	for _, name := range m.Stack.Variables {
		pairs = append(pairs, name+"="+target)
		if source != "" {
			pairs = append(pairs, "SOURCE_"+name+"="+source)
		}
	}
	script := workload.ShellExports(pairs)
	for _, name := range m.Stack.Variables {
		script += "unset " + name + "_FILE\n"
	}
	return m.once(ctx, out, func(o *engine.Once) {
		o.Files[stepFolder+"/environment"] = []byte(script)
	}, append([]string{"/bin/sh", "-c", ". " + stepFolder + `/environment && exec "$@"`, "operation"}, words...)...)
}

// sql has the server's superuser run a script.
func (m *Move) sql(ctx context.Context, out io.Writer, script string, variables ...string) error {
	o := m.Stack.Server
	o.Name, o.Again, o.Shared = "operation-step", true, true
	var set strings.Builder // no argument of a process has them
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&set, "\\set %s '%s'\n", name, value)
	}
	o.Files = map[string][]byte{stepFolder + "/do.sql": []byte(set.String() + script)}
	o.Command = slices.Clone(o.Command)
	o.Command = append(o.Command, "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", stepFolder+"/do.sql")
	return m.Engine.RunOnce(ctx, m.Stack.Prefix, o, out)
}
