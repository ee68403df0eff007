package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/components"
	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/postgres"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/database"
	"tarot-platform/internal/engine"
)

func databaseCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "database", Short: "where the stack's data are"}
	var o moveOptions
	move := &cobra.Command{
		Use:   "move STACK --to postgres|sqlite",
		Short: "move all data from SQLite to the stack's own PostgreSQL, or back",
		Long: "The application's own command copies (copyDatabase in deploy.yaml): first as a rehearsal, while users are served, and\n" +
			"then behind the maintenance page. The platform compares, and goes back by itself where something is wrong before\n" +
			"users have the other database. What was there before is kept, until --forget. Where it is interrupted, whenever that is, --continue\n" +
			"finishes it and --back takes it back.",
		Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return readable(d.recorded(ctx, "database-move", ended("to "+o.to, o.goOn, o.goBack, o.forget), func() error { return d.move(ctx, o) }))
		}),
	}
	f := move.Flags()
	f.StringVar(&o.to, "to", "", "postgres or sqlite")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	interrupted(move, "move", &o.goOn, &o.goBack)
	f.BoolVar(&o.forget, "forget", false, "remove for good what moves have left as it was")
	cmd.AddCommand(move, databaseUpgradeCommand())
	return cmd
}

// moveOptions are what the flags say.
type moveOptions struct {
	to                        string
	yes, goOn, goBack, forget bool
}

func (o moveOptions) check() error {
	if !o.goOn && !o.goBack && !o.forget && o.to != config.Postgres && o.to != config.SQLite {
		return fmt.Errorf("TO is %q; allowed: %s, %s", o.to, config.Postgres, config.SQLite)
	}
	return oneOf(o.goOn, o.goBack, o.forget)
}

// ended is what the history says of a command that begins something, or ends it.
func ended(begun string, goOn, goBack, forget bool) string {
	switch {
	case goOn:
		return "continue"
	case goBack:
		return "back"
	case forget:
		return "forget"
	}
	return begun
}

func (d deployed) move(ctx context.Context, o moveOptions) error {
	out := console.Stderr()
	held, open, err := d.operating(ctx)
	if err != nil {
		return err
	}
	if open && !o.goOn && !o.goBack {
		return held.Unfinished(d.name)
	}
	if o.forget {
		return d.forgetMoved(ctx, o, out)
	}
	operation := engine.MoveToPostgres
	if open && held.Operation == engine.MoveToSQLite || !open && o.to == config.SQLite {
		operation = engine.MoveToSQLite
	}
	s, err := d.movable(ctx, operation, open)
	if err != nil {
		return err
	}
	m := &database.Move{Engine: d.docker, Stack: s, Now: time.Now, Tell: func(text string) { out.Step("%s", text) }}
	switch {
	case o.goOn:
		err = m.Continue(ctx)
	case o.goBack:
		return m.Back(ctx)
	default:
		if operation == engine.MoveToPostgres {
			err = d.looked(ctx, m, out)
		}
		if err == nil {
			err = asked(o.yes, out, fmt.Sprintf("Move the database of %s to %s?", d.name, o.to))
		}
		if err == nil {
			err = m.Begin(ctx, operation)
		}
	}
	if err != nil {
		return err
	}
	return d.moved(ctx, operation, out)
}

// looked shows what is to be moved, and refuses what has no room.
func (d deployed) looked(ctx context.Context, m *database.Move, out console.Console) error {
	found, err := m.Look(ctx)
	if err == nil {
		err = found.Check(m.Stack.File)
	}
	if err == nil {
		out.Note("%s: %.1f MB; %d MB of the disk are free", m.Stack.File, float64(found.Bytes)/1e6, found.Free>>20)
		out.Note("users are served while the server is made and the copy is rehearsed; then they see the maintenance page")
	}
	return err
}

func asked(yes bool, out console.Console, question string) error {
	ask := asker(yes, out)
	wanted, err := ask(question)
	if err == nil && !wanted {
		err = errors.New("nothing was changed")
	}
	return err
}

// moved is what is left to do when users have the other database.
func (d deployed) moved(ctx context.Context, operation engine.Operation, out console.Console) error {
	cfg, err := d.configuration(ctx)
	if err != nil {
		return err
	}
	switch {
	case operation == engine.MoveToSQLite:
		out.OK("the data are in SQLite. PostgreSQL's volume %s stays, with what was in it", config.PostgresVolume(d.prefix))
		if cfg.Backup.Enabled {
			return adoptCopy(ctx, d.docker, d.prefix, note)
		}
	default:
		out.OK("the data are in PostgreSQL. The file of SQLite stays in its volume, by a name that ends in .moved and the time")
		if cfg.Backup.Enabled {
			out.Note("its first copy is made by the nightly schedule; now: make run STACK=%s SCHEDULE=%s", d.name, config.PostgresDumpSchedule)
		}
	}
	return nil
}

// movable describes the stack whose database is moved, and refuses what can not end well, before
// anything is touched. Open: a move has begun.
func (d deployed) movable(ctx context.Context, operation engine.Operation, open bool) (database.Stack, error) {
	cfg, err := d.settings(ctx)
	if err != nil {
		return database.Stack{}, err
	}
	app, err := cfg.ReadApplication()
	if err != nil {
		return database.Stack{}, err
	}
	project, err := project()
	if err != nil {
		return database.Stack{}, err
	}
	if err := checkMove(cfg, app, operation, open); err != nil {
		return database.Stack{}, err
	}
	s, err := moveStack(cfg, app, d.name, d.prefix, project)
	s.Set = d.setAll
	s.Up = func(ctx context.Context, run string) error { return d.up(ctx, components.RunVariable+"="+run) }
	return s, err
}

// checkMove says why a database can not be moved.
func checkMove(cfg config.Config, app config.Application, operation engine.Operation, open bool) error {
	from, to := config.SQLite, config.Postgres
	if operation == engine.MoveToSQLite {
		from, to = to, from
	}
	on := func(kind string) config.Config {
		other := cfg
		other.Database.Kind, other.Database.Next = kind, ""
		return other
	}
	switch {
	case open:
	case cfg.Database.Kind == to:
		return fmt.Errorf("%s:database.kind is %s already", config.Namespace, to)
	case cfg.Database.Kind != from:
		return fmt.Errorf("%s:database.kind is %s; allowed, for a move to %s: %s", config.Namespace, cfg.Database.Kind, to, from)
	}
	switch file := on(config.SQLite).DatabaseFile(); {
	case !open && cfg.Releases.Pin != "":
		return fmt.Errorf("%s:releases.pin is %s, and a release of before is not moved: make forward first", config.Namespace, cfg.Releases.Pin)
	case file == "":
		return fmt.Errorf("the application's database is in no file of SQLite, as %s:backend.databaseUrl, or the secret %[1]s:%s, says; allowed: sqlite:////… in a volume", config.Namespace, config.DatabaseURLSecret)
	case len(app.CopyDatabase) == 0:
		return fmt.Errorf("%s has no copyDatabase, and nobody else knows how to copy what the application stores; docs/database.md has one to take over", config.ApplicationFile)
	case len(app.Databases) == 0:
		return fmt.Errorf("%s has no databases, so that nothing says that the application runs on both; allowed: databases: [sqlite, postgresql]", config.ApplicationFile)
	case len(cfg.Backend.Migrate) == 0:
		return errors.New("there is no migrate, in deploy.yaml or as tarot:backend.migrate, by which an empty database gets its tables. Where backend.mountCode is true there is none")
	}
	if err := on(to).CheckRunsOn(app); err != nil {
		return err
	}
	return on(to).Validate()
}

// moveStack is the same of a configuration.
func moveStack(cfg config.Config, app config.Application, name, prefix, project string) (database.Stack, error) {
	file, server := cfg, cfg
	file.Database.Kind, file.Database.Next = config.SQLite, ""
	server.Database.Kind, server.Database.Next = config.Postgres, ""
	described, err := part.Collect(parts.All, contextOf(server, prefix))
	if err != nil {
		return database.Stack{}, err
	}
	m, there := backup.DatabaseVolume(contextOf(file, prefix))
	if !there {
		return database.Stack{}, fmt.Errorf("%s is in no volume", file.DatabaseFile())
	}
	volume := ""
	for _, d := range described {
		if v := d.Volume(m.Source); v.Engine != "" {
			volume = v.Engine
		}
	}
	plain, secret := file.DatabaseURL()
	dialect, _, _ := strings.Cut(cmp.Or(plain, file.Secrets[secret]), ":")
	s := database.Stack{Name: name, Prefix: prefix, Migrate: cfg.Backend.Migrate, Copy: app.CopyDatabase,
		Variables: cfg.Backend.Called("DATABASE_URL"), File: file.DatabaseFile(), Volume: volume, Folder: m.Target, Dialect: dialect,
		Role: postgres.Role, Verifier: postgres.Verifier,
		Address:    func(password string) (string, error) { return postgres.Address(cfg.Database.Scheme, password) },
		Server:     serverTool(cfg, prefix),
		Clients:    clientsOf(described, loggingIn),
		Order:      func(workload string) int { return order(cfg, workload) },
		OnSQLite:   engine.Uses(file, app, prefix, project),
		OnPostgres: engine.Uses(server, app, prefix, project),
		Shown:      shownCommand(),
	}
	s.Nginx, s.Close, s.Open = pageOf(cfg)
	return s, nil
}

// serverTool is a container of PostgreSQL's superuser, who is that by the server's socket.
func serverTool(cfg config.Config, prefix string) engine.Once {
	return engine.Once{Image: cfg.Database.ServerImage(), User: "999:999", Memory: 128 << 20,
		Environment: []string{"PGHOST=" + postgres.SocketFolder, "PGUSER=postgres"},
		Command:     []string{fmt.Sprintf("/usr/lib/postgresql/%d/bin/psql", cfg.Database.Version)},
		Mounts:      []engine.OnceMount{{Source: prefix + "-" + postgres.Socket, Target: postgres.SocketFolder, ReadOnly: true}}}
}
