package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func runScheduleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run-schedule STACK NAME",
		Short: "run what is scheduled at once, and end as it ends",
		Long: "It runs in the container of the schedule, as if it was due: with its variables, user and limits, and never beside itself.\n" +
			"What it prints is in the log, too. It goes on where this is interrupted.\n" +
			"Exit code: the command's; 75: it runs already; 124: its time was up.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return runSchedule(cmd.Context(), d.docker, d.prefix, args[1], os.Stdout, os.Stderr)
		},
	}
}

// schedulers is what is asked of the engine.
type schedulers interface {
	LogSources(ctx context.Context, prefix string) ([]engine.LogSource, error)
	ExecTo(ctx context.Context, prefix, workload string, out, errs io.Writer, command ...string) error
}

// program is what asks the scheduler in a container: a link to the one that was published last.
const program = "/run/scheduler/current"

// runSchedule has the scheduler run its command.
func runSchedule(ctx context.Context, docker schedulers, prefix, name string, out, errs io.Writer) error {
	sources, err := docker.LogSources(ctx, prefix)
	if err != nil {
		return err
	}
	begins := config.ScheduleWorkload("")
	var names []string
	for _, s := range sources {
		if other, is := strings.CutPrefix(s.Workload, begins); is && !slices.Contains(names, other) {
			names = append(names, other)
		}
	}
	if !slices.Contains(names, name) {
		slices.Sort(names)
		return fmt.Errorf("SCHEDULE is %q; there are here: %s", name, strings.Join(names, ", "))
	}
	return docker.ExecTo(ctx, prefix, config.ScheduleWorkload(name), out, errs, program, "now")
}
