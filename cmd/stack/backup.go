package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// helperProgram is the helper in the containers of the backup: a link to the one that was
// published last.
const helperProgram = "/run/backup/backup"

// archiver is the workload that looks after a PostgreSQL's archive, and scheduledHelper the helper in it.
var archiver = config.ScheduleWorkload(config.PostgresArchiveSchedule)

const scheduledHelper = "/run/scheduler/backup"

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "backup", Short: "look after the backups of a stack"}
	verify := &cobra.Command{
		Use: "verify STACK", Short: "rehearse a restore of the backups now", Args: cobra.ExactArgs(1),
		Long: "It restores what is newest into a scratch volume, checks it, and starts the release on it, without a network.\n" +
			"Exit code: 0: all is right; 1: what was restored is wrong; 3: it could not be told; 75: it runs already.",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			n, err := d.docker.Runs(cmd.Context(), d.prefix, archiver)
			if err != nil {
				return err
			}
			err = runSchedule(cmd.Context(), d.docker, d.prefix, config.BackupRehearsalSchedule, os.Stdout, os.Stderr)
			if n > 0 {
				// Whatever the one says, the other is looked at; what is wrong weighs more than what could not be told.
				archived := d.docker.ExecTo(cmd.Context(), d.prefix, archiver, os.Stdout, os.Stderr, scheduledHelper, "archive", "rehearse")
				var code *engine.ExitError
				if err == nil || errors.As(archived, &code) && code.Code == 1 {
					err = archived
				}
			}
			return err
		},
	}
	adopt := &cobra.Command{
		Use: "adopt STACK", Short: "the database is new on purpose: begin a history beside those that the target has", Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error {
			n, err := d.docker.Runs(ctx, d.prefix, archiver)
			if err != nil {
				return err
			}
			if n > 0 {
				return d.docker.ExecTo(ctx, d.prefix, archiver, os.Stdout, os.Stderr, scheduledHelper, "archive", "adopt")
			}
			return d.docker.ExecTo(ctx, d.prefix, replicator, os.Stdout, os.Stderr, helperProgram, "adopt")
		}),
	}
	key := &cobra.Command{
		Use: "key STACK", Short: "show the key of the backups once, and keep it, encrypted, in the stack's file", Args: cobra.ExactArgs(1),
		Long: "Without the key, nobody can read what is backed up every night. In the stack's file it is as safe as the other secrets there:\n" +
			"the file and its passphrase are enough to restore on an empty machine.",
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error { return d.keepKey(ctx, os.Stdout) }),
	}
	cmd.AddCommand(verify, adopt, key)
	return cmd
}

// keepKey writes the generated key into the stack's file as a secret, where it is not in there,
// and shows it.
func (d deployed) keepKey(ctx context.Context, out io.Writer) error {
	var all map[string]setting
	if err := pulumi(ctx, &all, "config", "--stack", d.name); err != nil {
		return err
	}
	const name = "tarot:backupKey"
	if _, own := all[name]; own {
		return fmt.Errorf("%s is in the stack's file already: pulumi config get %[1]s --stack %s shows it", name, d.name)
	}
	key, err := d.backupKey(ctx, config.Config{})
	if err != nil {
		return err
	}
	if err := setSecret(ctx, d.name, name, key); err != nil {
		return err
	}
	note("the key of %s's backups, also written, encrypted, into Pulumi.%s.yaml: commit that, and keep its passphrase. The next `pulumi up` tells the alerts of it", d.name, d.name)
	_, err = fmt.Fprintln(out, key)
	return err
}
