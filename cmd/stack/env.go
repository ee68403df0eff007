package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/environment"
	"tarot-platform/internal/state"
)

func envCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "env", Short: "further stacks, for good or for a time"}
	cmd.AddCommand(newCommand(), envListCommand(), envExpireCommand())
	return cmd
}

func envListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "the stacks that are there for a time, and until when",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			all, err := environment.List(cmd.Context(), now)
			if err != nil {
				return err
			}
			return reported(asJSON, all, func(w io.Writer) error { return listed(w, all, now) }, false, false)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}

func listed(w io.Writer, all []environment.Environment, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no stack of this project has an end")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STACK\tUNTIL\tLEFT")
	for _, e := range all {
		left := e.Expires.Sub(now).Round(time.Minute).String()
		if e.Over {
			left = "over: stack env expire"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.Stack, e.Expires.UTC().Format("2006-01-02T15:04Z"), left)
	}
	return table.Flush()
}

func envExpireCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "expire [NAME]",
		Short: "remove the stacks whose time is over, with all that they have stored; NAME: that one now",
		Long: "Of those alone that `stack env new --ttl` has made: every other stack has no mark, and is refused. It takes their passphrase.\n" +
			"Exit code 0: done; 1: one of them could not be removed, and the others were; 2: it can't be told.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var over []environment.Environment
			all, err := environment.List(cmd.Context(), time.Now())
			if err != nil {
				return err
			}
			there := false
			for _, e := range all {
				if len(args) == 0 && e.Over || len(args) == 1 && e.Stack == args[0] {
					over, there = append(over, e), true
				}
			}
			if len(args) == 1 && !there {
				return unmarked(cmd.Context(), args[0])
			}
			var undone error
			for _, e := range over {
				if err := expire(cmd.Context(), e.Stack); err != nil {
					undone = errors.Join(undone, fmt.Errorf("%s: %w", e.Stack, err))
				}
			}
			if undone != nil {
				return failed{undone}
			}
			note("%d removed, %d stay", len(over), len(all)-len(over))
			return nil
		},
	}
}

// unmarked says of a stack that is asked for and has no end whether it is there at all: one that is gone
// already is no fault.
func unmarked(ctx context.Context, stack string) error {
	there, err := environment.Exists(ctx, stack)
	switch {
	case err != nil:
		return err
	case !there:
		note("there is no stack %s", stack)
		return nil
	}
	_, err = environment.Ends(ctx, stack)
	return failed{err}
}

// begin makes the stack with its mark.
func begin(ctx context.Context, stack string, until time.Time) error {
	if err := environment.Begin(ctx, stack, until); err != nil {
		return failed{errors.Join(err, os.Remove(fileOf(stack)))}
	}
	note("%s is there until %s, and goes then with all that it has stored: stack env expire", stack, until.UTC().Format("2006-01-02T15:04Z"))
	return nil
}

// expire removes a stack that was made to have an end.
func expire(ctx context.Context, stack string) error {
	if _, err := environment.Ends(ctx, stack); err != nil {
		return err
	}
	d, err := open(ctx, stack)
	if err != nil {
		return err
	}
	salt, resources, err := contents(ctx, stack)
	if err != nil {
		return err
	}
	if resources > 0 {
		put, err := withFile(stack, salt)
		if err != nil {
			return err
		}
		err = d.operate(ctx, engine.Destroy, "its time is over", func(ctx context.Context, _ string) error {
			if err := d.docker.EndServices(ctx, d.prefix, func(string) bool { return true }); err != nil {
				return err
			}
			return attached(ctx, nil, "destroy", "--stack", stack, "--yes", "--skip-preview")
		})
		if err := errors.Join(err, put()); err != nil {
			return err
		}
	}
	return environment.Forget(ctx, stack)
}

// contents is what the stack's secrets are read with, and how much there is of it.
func contents(ctx context.Context, stack string) (salt string, resources int, err error) {
	out, err := state.Ask(ctx, "stack", "export", "--stack", stack)
	if err != nil {
		return "", 0, err
	}
	var export struct {
		Deployment struct {
			SecretsProviders struct{ State struct{ Salt string } } `json:"secrets_providers"`
			Resources        []json.RawMessage
		}
	}
	if err := json.Unmarshal(out, &export); err != nil {
		return "", 0, fmt.Errorf("pulumi stack export: %w", err)
	}
	return export.Deployment.SecretsProviders.State.Salt, len(export.Deployment.Resources), nil
}

// withFile has the stack have a file, as on the machine of a pipeline there is none any more; done takes it away again.
func withFile(stack, salt string) (done func() error, err error) {
	to, err := os.OpenFile(fileOf(stack), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(to, "encryptionsalt: %s\n", salt)
	return func() error { return os.Remove(fileOf(stack)) }, errors.Join(err, to.Close())
}
