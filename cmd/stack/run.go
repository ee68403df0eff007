package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

const (
	// exitTime is what a one-off ends with when its time is up, as of timeout(1).
	exitTime = 124
	// oneOffTime is how long one may take where nothing else is said, and longest is the most.
	oneOffTime = time.Hour
	longest    = 24 * time.Hour
	// oneOffGrace is how long it may take to end when it is asked to, and beyond is how much longer the
	// container of one stays whose command was killed.
	oneOffGrace = 10 * time.Second
	beyond      = 30 * time.Second
)

func runCommand() *cobra.Command {
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "run [SERVICE] -- COMMAND...",
		Short: "run a command once, in a fresh container of the release that runs",
		Long: "The container is what a replica of the service (backend, if none is named) is: the same image, user, limits, secrets,\n" +
			"volumes and networks; but no request of a user gets there. It has memory of its own, and is removed at the end, also at\n" +
			"Ctrl-C, and at the latest when its time is up, whatever becomes of this command. A service that owns its data has none:\n" +
			"two of them would write the same files.\n" +
			"Exit code: the command's; 124: its time was up; 125: it was not run, and why is told; 126: it can't be started; 127: it is not\n" +
			"there; 137: it was killed, as for want of memory.",
		ValidArgsFunction: completeServices,
		Args: insideArgs(func(cmd *cobra.Command, args []string) error {
			_, _, err := serviceAndCommand(args, cmd.ArgsLenAtDash())
			return err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, command, err := serviceAndCommand(args, cmd.ArgsLenAtDash())
			if err == nil && (within < time.Second || within > longest) {
				err = fmt.Errorf("timeout is %s; allowed: 1s to %s", within, longest)
			}
			var d deployed
			if err == nil {
				d, err = theStack(cmd.Context())
			}
			if err == nil {
				err = d.mayRunBeside(cmd.Context(), service)
			}
			if err == nil {
				err = d.runOnce(cmd.Context(), d.docker, oneOff{service: service, within: within, command: command})
			}
			return insideError(err)
		},
	}
	cmd.Flags().DurationVar(&within, "timeout", oneOffTime, "how long it may take")
	return cmd
}

// serviceAndCommand are what comes before and after --.
func serviceAndCommand(args []string, dash int) (service string, command []string, err error) {
	switch {
	case dash < 0:
		return "", nil, errors.New("which command? It comes after --: stack run -- python -m tarot --help")
	case dash > 1:
		return "", nil, fmt.Errorf("one SERVICE at most comes before --, and not %q", args[:dash])
	case dash == len(args):
		return "", nil, errors.New("which command? There is nothing after --")
	case dash == 1:
		return args[0], args[1:], nil
	}
	return config.BackendName, args, nil
}

// mayRunBeside refuses what would be a second writer of what has one.
func (d deployed) mayRunBeside(ctx context.Context, service string) error {
	held, open, err := d.docker.Operating(ctx, d.prefix)
	if err != nil {
		return err
	}
	if open {
		return held.Unfinished(d.name)
	}
	cfg, err := fileConfiguration(d.name)
	if err != nil {
		return err
	}
	return ownsNothing(cfg, service)
}

// ownsNothing refuses a service that may only run once at a time.
func ownsNothing(cfg config.Config, service string) error {
	described, err := describe(cfg, "")
	if err != nil {
		return err
	}
	for _, p := range described {
		for _, s := range p.Services {
			if s.Name == service && s.Exclusive {
				return fmt.Errorf("%s owns its data and runs once at a time: a second one would write the same files. In the one that runs: stack exec %[1]s -- COMMAND", service)
			}
		}
	}
	return nil
}

// oneOff is a command in a fresh container.
type oneOff struct {
	service string
	within  time.Duration
	command []string
	// isolated is without a network; in is the input, or nil for the user's own.
	isolated bool
	in       io.Reader
}

// onceEngine is what is asked of the engine.
type onceEngine interface {
	inside
	BeginOneOff(ctx context.Context, o engine.OneOff) (engine.Begun, error)
	Interrupt(ctx context.Context, id string) error
	KilledForMemory(ctx context.Context, id string) bool
}

// runOnce runs it, and removes what it ran in.
func (d deployed) runOnce(ctx context.Context, docker onceEngine, o oneOff) error {
	like, err := d.pick(ctx, docker, o.service, 0)
	if err != nil {
		return err
	}
	begun, err := docker.BeginOneOff(ctx, engine.OneOff{Prefix: d.prefix, Workload: o.service, Like: like.ID, Within: o.within + oneOffGrace + beyond, Isolated: o.isolated})
	if errors.Is(err, engine.ErrRoot) {
		err = fmt.Errorf("%s: %w", like.Name, err)
	}
	if err != nil {
		return err
	}
	defer func() {
		if left := begun.End(ctx); left != nil {
			note("%s is not removed: %v", begun.Name, left)
		}
	}()
	// It is not cut off where this command is to end, but asked to end.
	attending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	ended := make(chan error, 1)
	go func() { ended <- attend(attending, docker, begun.ID, o.command, o.in) }()
	over := time.NewTimer(o.within)
	defer over.Stop()
	why := error(context.Canceled)
	select {
	case err := <-ended:
		if docker.KilledForMemory(ctx, begun.ID) {
			note("the kernel has killed something in it: out of memory")
		}
		return err
	case <-over.C:
		note("its time was up: %s", o.within)
		why = &engine.ExitError{Code: exitTime}
	case <-ctx.Done():
	}
	if err := docker.Interrupt(ctx, begun.ID); err == nil {
		select {
		case <-ended: // its terminal is as it was
			return why
		case <-time.After(oneOffGrace):
			note("it did not end within %s, and is killed", oneOffGrace)
		}
	}
	cut()
	<-ended
	return why
}
