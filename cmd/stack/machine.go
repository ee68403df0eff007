package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/components/backup"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/seal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore"
)

func restoreMachineCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "restore-machine STACK",
		Short: "make the same site again on an empty machine, of its stack file and its backups",
		Long: "The stack comes up empty; the secrets that were generated for it come back into the stack's file; and then all that was\n" +
			"stored is restored. It wants the stack's file, with the key of the backups in it (`stack backup key`), its passphrase, and a\n" +
			"target that this machine reaches. It can be run again after an interruption.\n" +
			"The machine that had the stack before has to be off: it would write what nobody sees.",
		Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error {
			return readable(d.recorded(ctx, "restore-machine", "", func() error { return d.restoreMachine(ctx, yes) }))
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// latest is what is restored of a machine that is gone: everything.
var latest = journal.Want{At: "latest"}

// newTime is how long a replicator that has just started may take to know its target.
const newTime = 2 * time.Minute

// restoreMachine is the order of it: each step finds out by itself what is left to do.
func (d deployed) restoreMachine(ctx context.Context, yes bool) error {
	out := console.Stderr()
	cfg, err := d.settings(ctx)
	if err != nil {
		return err
	}
	if err := d.machineWants(ctx, cfg); err != nil {
		return err
	}
	held, open, err := d.operating(ctx)
	if err != nil {
		return err
	}
	if open && held.Operation != engine.Restore {
		return held.Unfinished(d.name)
	}
	if open {
		out.Step("the restore that %s began is not finished: it goes on", held.Who)
		return d.restore(ctx, restoreOptions{want: latest, goOn: true, yes: yes})
	}
	out.Step("the stack comes up, empty")
	if err := d.up(ctx); err != nil {
		return err
	}
	s, err := stackOf(cfg, d.name, d.prefix, cfg.Secrets["backupKey"])
	if err == nil {
		s, err = d.withServer(ctx, s)
	}
	if err != nil {
		return err
	}
	r := restore.Restore{Engine: d.docker, Stack: s, Who: engine.Who(), Now: time.Now, People: people(yes, out)}
	out.Step("the secrets that were generated for it")
	state, err := r.Recall(ctx)
	if err != nil {
		return err
	}
	set, err := d.recallSecrets(ctx, state, cfg)
	if err != nil {
		return err
	}
	if len(set) > 0 {
		out.OK("in Pulumi.%s.yaml again, encrypted: %s", d.name, strings.Join(set, ", "))
		if err := d.up(ctx); err != nil {
			return err
		}
	}
	if s.Request.Database != nil {
		if err := awaitNew(ctx, d.docker, d.prefix, newTime); err != nil {
			return err
		}
	}
	out.Step("what was stored")
	if err := r.Begin(ctx, latest); err != nil {
		return err
	}
	out.OK("%s is what it was. The machine that had it before has to stay off, or its backups be turned off: both would go on under one name", d.name)
	return nil
}

// machineWants refuses what can not end well, before anything is made.
func (d deployed) machineWants(ctx context.Context, cfg config.Config) error {
	if !cfg.Backup.Enabled {
		return fmt.Errorf("tarot:backup.enabled is false for %s; allowed: true, with the target that its backups are on", d.name)
	}
	if cfg.Secrets["backupKey"] == "" {
		return fmt.Errorf("tarot:backupKey is not in Pulumi.%[1]s.yaml, and a new one opens none of the backups: pulumi config set --secret tarot:backupKey -s %[1]s. "+
			"Where it is lost, make up STACK=%[1]s and make restore STACK=%[1]s ONLY=database bring the database back", d.name)
	}
	if cfg.Backup.Target == "" {
		_, there, err := d.docker.Volume(ctx, d.prefix+"-backup")
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("tarot:backup.target is \"\": the backups were in the volume %s-backup, which this engine has not; allowed: a target that this machine reaches, or that volume, brought here", d.prefix)
		}
	}
	n, err := d.docker.Runs(ctx, d.prefix, replicator)
	if err != nil || n == 0 {
		return err
	}
	found, err := replication(ctx, d.docker, d.prefix)
	if err == nil && found.State == results.Replicating {
		err = errAlive(found)
	}
	return err
}

// errAlive refuses a stack whose database is backed up: it is no empty machine's.
func errAlive(s results.Status) error {
	return fmt.Errorf("the database of this stack is backed up itself, as %s: this is no empty machine. make restore brings back what it has stored at another time", s.Place)
}

// awaitNew waits until the replicator says that the database is a new one beside those that are
// backed up on the target.
func awaitNew(ctx context.Context, docker backups, prefix string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		found, err := replication(ctx, docker, prefix)
		switch {
		case err != nil:
		case found.State == results.Foreign:
			return nil
		case found.State == results.Replicating:
			return errAlive(found)
		default:
			err = fmt.Errorf("it is %s: %s", found.State, found.Why)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the stack is up, and empty; whether the target has backups of it could not be found out: %w", err)
		case <-time.After(min(time.Second, within/10)):
		}
	}
}

// recallSecrets writes those of the sealed state into the stack's file that it has not got, and
// says which.
func (d deployed) recallSecrets(ctx context.Context, sealed []byte, cfg config.Config) ([]string, error) {
	plain, err := seal.Open(cfg.Secrets["backupKey"], sealed)
	if err != nil {
		return nil, fmt.Errorf("the generated secrets in the newest backup: %w", err)
	}
	var state backup.Sealed
	if err := json.Unmarshal(plain, &state); err != nil {
		return nil, fmt.Errorf("the generated secrets in the newest backup: %w", err)
	}
	note("what is backed up is of the release %s", state.Release)
	missing := missingSecrets(state.Secrets, cfg.Secrets)
	for _, name := range missing {
		if err := setSecret(ctx, d.name, config.Namespace+":"+name, state.Secrets[name]); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// missingSecrets are the names of those that are kept, and not in the stack's file.
func missingSecrets(kept, file map[string]string) []string {
	names := slices.Sorted(maps.Keys(kept))
	return slices.DeleteFunc(names, func(name string) bool { return kept[name] == "" || file[name] != "" })
}

// setSecret writes one into the stack's file, encrypted: by its standard input, as arguments are
// readable by everybody on this machine.
func setSecret(ctx context.Context, stack, key, value string) error {
	cmd := exec.CommandContext(ctx, "pulumi", "config", "set", "--secret", "--stack", stack, key)
	cmd.Stdin, cmd.Stderr = strings.NewReader(value), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s was not written: %w", key, err)
	}
	// Read back: one that was kept in another form opens nothing.
	var kept struct{ Value string }
	if err := pulumi(ctx, &kept, "config", "get", "--stack", stack, key); err != nil {
		return err
	}
	if kept.Value != value {
		return errors.New("what the stack's file has is another one than it was given: pulumi config rm " + key + ", and again")
	}
	return nil
}
