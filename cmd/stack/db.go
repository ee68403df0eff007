package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moby/term"
	"github.com/spf13/cobra"

	"tarot-platform/components/postgres"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
)

// dbTime is how long a prompt stays open, at most.
const dbTime = 12 * time.Hour

//go:embed db.py
var dbScript string

// dbOptions are what the flags say.
type dbOptions struct {
	sql             string
	write, yes, csv bool
	timeout         time.Duration
}

func dbCommand() *cobra.Command {
	var o dbOptions
	cmd := &cobra.Command{
		Use:   "db",
		Short: "a prompt for SQL on the stack's database, which reads only",
		Long: "Of SQLite and of a server elsewhere it is in a fresh container of the release (`stack run`), with the application's own driver;\n" +
			"of the stack's own PostgreSQL it is psql, beside the server. SQLite is opened to read, so that no writer ever waits for it.\n" +
			"Without --write a statement that would change something fails. SQL can come from a pipe, too. No password is in any\n" +
			"list of processes.\n" +
			"Exit code 0: all statements went well; 1 (psql: 1 to 3): one did not; 125: it was not run, and why is told.",
		Args: insideArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := o.check()
			var d deployed
			if err == nil {
				d, err = theStack(cmd.Context())
			}
			if err == nil && o.write {
				err = asked(o.yes, console.Stderr(), fmt.Sprintf("Open the database of %s so that statements may change it?", d.name))
			}
			if err == nil {
				err = d.sql(cmd.Context(), o)
			}
			return insideError(err)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.sql, "command", "c", "", "SQL, in place of a prompt")
	f.BoolVar(&o.write, "write", false, "statements may change something; asks first")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.BoolVar(&o.csv, "csv", false, "rows as CSV, with the names of the columns")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long one statement may take")
	return cmd
}

func (o dbOptions) check() error {
	if o.timeout < time.Second || o.timeout > dbTime {
		return fmt.Errorf("timeout is %s; allowed: 1s to %s", o.timeout, dbTime)
	}
	return nil
}

func (d deployed) sql(ctx context.Context, o dbOptions) error {
	held, open, err := d.docker.Operating(ctx, d.prefix)
	if err == nil && open {
		err = held.Unfinished(d.name)
	}
	if err != nil {
		return err
	}
	cfg, err := fileConfiguration(d.name)
	if err != nil {
		return err
	}
	if cfg.RunsPostgres() {
		return d.psql(ctx, cfg, o)
	}
	file := ""
	if cfg.Database.Kind == config.SQLite {
		file = cfg.DatabaseFile() // empty where a secret says it
	}
	return d.runOnce(ctx, d.docker, oneOff{service: config.BackendName, within: dbTime, isolated: file != "", in: o.input(),
		command: pythonPrompt(cfg, file, o)})
}

// input is nothing where the SQL is an argument.
func (o dbOptions) input() io.Reader {
	if o.sql != "" {
		return strings.NewReader("")
	}
	return nil
}

// pythonPrompt is the prompt in the application's image.
func pythonPrompt(cfg config.Config, file string, o dbOptions) []string {
	how, form := "read", "table"
	if o.write {
		how = "write"
	}
	if o.csv {
		form = "csv"
	}
	return []string{"/bin/sh", "-c",
		`python=$(command -v python3 || command -v python) || { echo "stack db: there is no Python in the application's image" >&2; exit 125; }` + "\n" + `exec "$python" -c "$@"`,
		"stack", dbScript, how, strconv.FormatFloat(o.timeout.Seconds(), 'f', -1, 64), form, file, strings.Join(cfg.Backend.Called("DATABASE_URL"), ","), o.sql}
}

// psql is the prompt beside the stack's own server.
func (d deployed) psql(ctx context.Context, cfg config.Config, o dbOptions) error {
	place, err := d.pick(ctx, d.docker, postgres.Name, 0)
	if err != nil {
		return err
	}
	stdin, stdout := isTerminal(os.Stdin), isTerminal(os.Stdout)
	command, environment := postgres.Prompt(cfg.Database, o.write, o.timeout)
	if o.csv {
		command = append(command, "--csv")
	} else if !stdin || !stdout || o.sql != "" {
		command = append(command, "--no-align", "--tuples-only", "--field-separator=\t")
	}
	if o.sql != "" {
		command = append(command, "--command", o.sql)
	}
	return attendWith(ctx, d.docker, place.ID, engine.Entry{Command: command, Environment: environment, In: o.input()})
}

func isTerminal(f *os.File) bool {
	_, is := term.GetFdInfo(f)
	return is
}
