package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/process"
)

func lockCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lock", Short: "who changes a stack at the moment"}
	var asJSON, yes bool
	status := &cobra.Command{
		Use: "status STACK", Short: "who changes it, from where, since when, with which commit", Args: cobra.ExactArgs(1),
		Long:    "Exit code 0: nobody does; 1: somebody does, or is not finished; 2: it can't be told.",
		Example: "  stack lock status prod --json | jq -r .who",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return d.lockStatus(cmd.Context(), asJSON)
		},
	}
	status.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	release := &cobra.Command{
		Use: "release STACK", Short: "free it of somebody whose process is dead", Args: cobra.ExactArgs(1),
		Long: "A process that has ended on this machine is seen, and the next command frees the stack of it without being told to.\n" +
			"Of one elsewhere, a pipeline's for one, only the last sign of life is known: it is shown, and asked for. What that process\n" +
			"was at is ended then, where it is alive all the same; the next `up` heals what it leaves.",
		Example: "  stack lock release prod --yes",
		RunE:    onStack(func(ctx context.Context, d deployed, _ []string) error { return d.lockRelease(ctx, yes) }),
	}
	release.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.AddCommand(status, release)
	return cmd
}

// lockTold is what scripts get.
type lockTold struct {
	Held      bool       `json:"held"`
	Operation string     `json:"operation,omitempty"`
	Who       string     `json:"who,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Process   string     `json:"process,omitempty"`
	Commit    string     `json:"commit,omitempty"`
	Dirty     bool       `json:"dirty,omitempty"`
	// Silent is how many seconds ago the process was alive, and Gone is true where it has ended, for sure.
	Silent float64 `json:"silent,omitempty"`
	Gone   bool    `json:"gone,omitempty"`
}

// lockStatus only looks: nothing is freed.
func (d deployed) lockStatus(ctx context.Context, asJSON bool) error {
	held, open, err := d.docker.Operating(ctx, d.prefix)
	if err != nil {
		return err
	}
	told := lockTold{Held: open}
	if open {
		told = lockTold{true, string(held.Operation), held.Who, &held.Since, process.Number(held.Process), held.Commit, held.Dirty, held.Silent.Seconds(), held.Gone()}
	}
	switch {
	case asJSON:
		err = printJSON(told)
	case !open:
		fmt.Printf("nobody changes %s\n", d.name)
	case held.Passing():
		fmt.Printf("%s of %s: %s\n%s\n", held.Operation.Title(), d.name, held.Whose(), held.Advice(d.name))
	default:
		fmt.Println(held.Unfinished(d.name))
	}
	if err == nil && open {
		err = errWrong
	}
	return err
}

func (d deployed) lockRelease(ctx context.Context, yes bool) error {
	held, open, err := d.docker.Operating(ctx, d.prefix)
	if err != nil {
		return err
	}
	out := console.Stderr()
	if !open {
		out.OK("nobody changes %s", d.name)
		return nil
	}
	if err := releasable(held, d.name); err != nil {
		return err
	}
	out.Note("%s of %s: %s", held.Operation.Title(), d.name, held.Whose())
	if !held.Gone() {
		out.Note("its last sign of life was %s ago", held.Silent.Truncate(time.Second))
		if err := asked(yes, out, "Take it for dead, and free the stack?"); err != nil {
			return err
		}
	}
	if err := d.turns().Release(ctx, held); err != nil {
		return err
	}
	out.OK("%s is free. The next `pulumi up` heals what was left", d.name)
	return nil
}

// releasable refuses to free a stack of what can be finished, or is at work here for sure.
func releasable(held engine.Held, stack string) error {
	switch {
	case !held.Passing():
		return held.Unfinished(stack)
	case !held.Gone() && process.Here(held.Process):
		return errors.New(held.Operation.Title() + " of " + stack + " is at work on this machine, " + held.Whose() + ": end that process first")
	}
	return nil
}
