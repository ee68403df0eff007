package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func destroyCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "destroy STACK",
		Short: "`pulumi destroy`, in Swarm after its programs have ended",
		Long: "Volumes stay unless tarot:volumes.retain is false in the state. Of Swarm services the tasks are ended first: " +
			"for one that takes its whole time to end, `pulumi destroy` gives up, and has to be told again with --refresh.",
		Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error { return d.destroy(ctx, yes, os.Stdin) }),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// destroy shows what goes and asks, as Pulumi does, as its question comes before what is done here.
func (d deployed) destroy(ctx context.Context, yes bool, from io.Reader) error {
	if os.Getenv(destroyBackups) != "yes" {
		cfg, err := d.configuration(ctx)
		if err == nil {
			err = keepsBackups(cfg, d.prefix)
		}
		if err != nil {
			return fmt.Errorf("%w\n%s=yes destroys the stack all the same, and backups that are in a volume of its own", err, destroyBackups)
		}
	}
	if !yes {
		if err := attached(ctx, nil, "destroy", "--stack", d.name, "--preview-only"); err != nil {
			return err
		}
		if err := agreed(from, d.name); err != nil {
			return err
		}
	}
	return d.operate(ctx, engine.Destroy, "", func(ctx context.Context, _ string) error {
		if err := d.docker.EndServices(ctx, d.prefix, func(string) bool { return true }); err != nil {
			return fmt.Errorf("%w\nnothing is removed yet; the same again goes on", err)
		}
		if err := attached(ctx, nil, "destroy", "--stack", d.name, "--yes", "--skip-preview"); err != nil {
			return err
		}
		d.tellLeftRules(ctx)
		// The next stack of the name begins with users.
		return d.docker.Unlock(ctx, d.prefix, engine.MaintenanceLock, pageRun)
	})
}

// destroyBackups is the variable by which backups may go, too.
const destroyBackups = "DESTROY_BACKUPS"

// keepsBackups refuses where the only copies would go together with what they are copies of.
func keepsBackups(cfg config.Config, prefix string) error {
	if !cfg.Backup.Enabled || cfg.Backup.Target != "" || cfg.Volumes.Retain {
		return nil
	}
	return fmt.Errorf("tarot:volumes.retain is false, and all backups are in the volume %s-backup: they would go with what they are backups of. Allowed: tarot:volumes.retain true, and `pulumi up`, which keeps volumes", prefix)
}

// agreed is nil where the next line is the stack's name.
func agreed(from io.Reader, stack string) error {
	fmt.Fprintf(os.Stderr, "Everything above goes. Type %s to go on: ", stack)
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != stack {
		return errors.New("nothing is destroyed; without a question: make destroy YES=yes")
	}
	return nil
}
