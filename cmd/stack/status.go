package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/status"
)

func statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status STACK",
		Short: "what runs, and whether it is well",
		Long:  "Exit code 0: all is well; 1: something is wrong; 2: it can't be told.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := look(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(s)
			} else {
				err = s.Write(os.Stdout)
			}
			if err == nil && len(s.Problems) > 0 {
				err = errWrong
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}

func look(ctx context.Context, name string) (status.Status, error) {
	d, err := open(ctx, name)
	if err != nil {
		return status.Status{}, err
	}
	out, err := d.outputs(ctx)
	if err != nil {
		return status.Status{}, err
	}
	// What users get now may be something else than at the last `up`.
	held, shown, err := d.docker.Maintained(ctx, d.prefix)
	if err != nil {
		return status.Status{}, err
	}
	if closed, err := (pageSwitch{docker: d.docker, prefix: d.prefix}).closed(ctx); err == nil {
		out.Maintenance = closed
	}
	s, err := status.Of(ctx, d.name, d.prefix, out, d.docker, time.Now())
	if err != nil {
		return s, err
	}
	problem, note := d.unguarded(ctx)
	if problem != "" {
		s.Problems = append(s.Problems, problem)
	}
	if note != "" {
		s.Notes = append(s.Notes, note)
	}
	problems, notes := d.vulnerable(ctx, out.Release)
	s.Problems, s.Notes = append(s.Problems, problems...), append(s.Notes, notes...)
	if shown {
		s.Notes = append(s.Notes, fmt.Sprintf("the maintenance page is shown since %s by %s: stack maintenance off", held.Since.UTC().Format(time.RFC3339), held.Who))
	}
	return s, nil
}

// outputs are the stack's.
func (d deployed) outputs(ctx context.Context) (status.Outputs, error) {
	var out status.Outputs
	if err := pulumi(ctx, &out, "stack", "output", "--stack", d.name); err != nil {
		return out, err
	}
	if out.URL == "" {
		return out, fmt.Errorf("stack %s has no outputs: it was never brought up, or its last `pulumi up` failed; make releases STACK=%[1]s", d.name)
	}
	return out, nil
}
