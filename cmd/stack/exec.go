package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/moby/term"
	"github.com/spf13/cobra"

	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

const insideCodes = "Exit code: the command's; 125: it was not run, and why is told; 126: it can't be started; 127: it is not there."

func execCommand() *cobra.Command {
	var replica int
	cmd := &cobra.Command{
		Use:   "exec SERVICE [--replica N] -- COMMAND...",
		Short: "run a command in a replica that runs",
		Long: "As the user that the application runs as, with the variables that it has; never as root. It gets a terminal where this\n" +
			"command has one, and reads this command's input. A container is entered on its own node of a Swarm only.\n" +
			"What users are served by is at work there, and memory is shared with it: for work of its own, `stack run`.\n" + insideCodes,
		Args:              insideArgs(cobra.MinimumNArgs(2)),
		ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := theStack(cmd.Context())
			if err == nil {
				err = d.enter(cmd.Context(), args[0], replica, args[1:])
			}
			return insideError(err)
		},
	}
	cmd.Flags().IntVar(&replica, "replica", 0, "the number of the replica; else one that is healthy")
	cmd.Flags().SetInterspersed(true)
	return cmd
}

func consoleCommand() *cobra.Command {
	var replica int
	var shell bool
	cmd := &cobra.Command{
		Use:   "console [SERVICE] [--replica N]",
		Short: "a shell in a replica, or the application's own console",
		Long: "Of the backend it is the command that deploy.yaml calls console, if it says one (--shell: a shell all the same), and of other\n" +
			"services a shell. Otherwise as `stack exec`.\n" + insideCodes,
		Args:              insideArgs(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			service := config.BackendName
			if len(args) > 0 {
				service = args[0]
			}
			d, err := theStack(cmd.Context())
			var command []string
			if err == nil {
				command, err = d.console(service, shell)
			}
			if err == nil {
				err = d.enter(cmd.Context(), service, replica, command)
			}
			return insideError(err)
		},
	}
	cmd.Flags().IntVar(&replica, "replica", 0, "the number of the replica; else one that is healthy")
	cmd.Flags().BoolVar(&shell, "shell", false, "a shell, whatever deploy.yaml says")
	return cmd
}

// insideArgs has arguments that are none end as what was not run.
func insideArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return notRun{fmt.Errorf("%w; usage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

// insideError tells what did not run from what has failed.
func insideError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return &engine.ExitError{Code: exitInterrupted}
	case err == nil || errors.As(err, new(*engine.ExitError)):
		return err
	}
	return notRun{err}
}

// aShell is the best that there is in the container. Its prompt names the service: the image may have no
// name for the user.
func aShell(service string) []string {
	return []string{"/bin/sh", "-c", `if command -v bash >/dev/null 2>&1; then PS1="$1:\w\$ " exec bash --norc; fi; PS1="$1\$ " exec sh`, "stack", service}
}

// console is what a person gets in a service.
func (d deployed) console(service string, shell bool) ([]string, error) {
	if service != config.BackendName || shell {
		return aShell(service), nil
	}
	app, err := d.application()
	if err != nil || len(app.Console) == 0 {
		return aShell(service), err
	}
	return app.Console, nil
}

// application is what the application says of itself, by the stack's file alone: Pulumi takes its
// time.
func (d deployed) application() (config.Application, error) {
	cfg, err := fileConfiguration(d.name)
	if err != nil {
		return config.Application{}, err
	}
	return cfg.ReadApplication()
}

// fileConfiguration is what a stack's file says, without its secrets.
func fileConfiguration(stack string) (config.Config, error) {
	text, err := os.ReadFile(fileOf(stack))
	if err != nil {
		return config.Config{}, err
	}
	cfg, err := configurationOf(text)
	if err != nil {
		return cfg, fmt.Errorf("%s: %w", fileOf(stack), err)
	}
	return cfg, nil
}

// inside is what is asked of the engine.
type inside interface {
	LogSources(ctx context.Context, prefix string) ([]engine.LogSource, error)
	Pick(ctx context.Context, prefix, workload string, replica int) (engine.Place, error)
	Enter(ctx context.Context, id string, e engine.Entry) error
}

// pick is a replica of a service that the stack has.
func (d deployed) pick(ctx context.Context, docker inside, service string, replica int) (engine.Place, error) {
	if replica < 0 {
		return engine.Place{}, fmt.Errorf("replica is %d; allowed: 1 or more", replica)
	}
	place, err := docker.Pick(ctx, d.prefix, service, replica)
	if !errors.Is(err, engine.ErrNoReplica) {
		return place, err
	}
	sources, unknown := docker.LogSources(ctx, d.prefix)
	names := running(sources)
	switch {
	case unknown != nil:
		return place, err
	case len(names) == 0:
		return place, fmt.Errorf("nothing of the stack %s runs on this engine", d.name)
	case !slices.Contains(names, service):
		return place, fmt.Errorf("SERVICE is %q, and nothing of that name runs; there are here: %s", service, strings.Join(names, ", "))
	}
	return place, err
}

// running are the names of what runs.
func running(sources []engine.LogSource) (names []string) {
	for _, s := range sources {
		if s.Running && !slices.Contains(names, s.Workload) {
			names = append(names, s.Workload)
		}
	}
	slices.Sort(names)
	return names
}

func (d deployed) enter(ctx context.Context, service string, replica int, command []string) error {
	place, err := d.pick(ctx, d.docker, service, replica)
	if err != nil {
		return err
	}
	if !place.Well {
		note("%s is not healthy, and no other one is here", place.Name)
	}
	err = attend(ctx, d.docker, place.ID, command, nil)
	if errors.Is(err, context.Canceled) {
		note("the command may go on in %s: an engine has no word for the end of one", place.Name)
	}
	if errors.Is(err, engine.ErrRoot) {
		err = fmt.Errorf("%s: %w", place.Name, err)
	}
	return err
}

// loaded is a command with what its service loads before it starts, where that is in a file; and
// with a HOME that it may write.
func loaded(command []string) []string {
	return append([]string{"/bin/sh", "-c",
		"if [ -r " + workload.EnvironmentPath + " ]; then . " + workload.EnvironmentPath + " || exit 125; fi\n" +
			`if [ "${HOME:-/}" = / ]; then export HOME=/tmp; fi` + "\n" + `exec "$@"`, "stack"}, command...)
}

// attend runs a command of the application's in a container before the user's eyes.
func attend(ctx context.Context, docker inside, id string, command []string, in io.Reader) error {
	return attendWith(ctx, docker, id, engine.Entry{Command: loaded(command), In: in})
}

// attendWith is the same of any command. Where it has no input of its own it has the user's, and a
// terminal where the user has one.
func attendWith(ctx context.Context, docker inside, id string, e engine.Entry) error {
	e.Out, e.Errs = os.Stdout, os.Stderr
	if e.In != nil {
		return docker.Enter(ctx, id, e)
	}
	e.In = os.Stdin
	stdin, isTerminal := term.GetFdInfo(os.Stdin)
	stdout, printsToOne := term.GetFdInfo(os.Stdout)
	if !isTerminal || !printsToOne {
		return docker.Enter(ctx, id, e)
	}
	e.Terminal = true
	if kind := os.Getenv("TERM"); kind != "" {
		e.Environment = append(e.Environment, "TERM="+kind)
	}
	e.Size = sizeOf(stdout)
	sizes := make(chan [2]uint, 1)
	e.Resized = sizes
	if len(resizing) > 0 {
		changed := make(chan os.Signal, 1)
		signal.Notify(changed, resizing...)
		defer signal.Stop(changed)
		go func() {
			for {
				select {
				case <-changed:
					select {
					case sizes <- sizeOf(stdout):
					default: // it gets the next one
					}
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	before, err := term.SetRawTerminal(stdin)
	if err != nil {
		return err
	}
	defer func() { _ = term.RestoreTerminal(stdin, before) }()
	return docker.Enter(ctx, id, e)
}

func sizeOf(fd uintptr) [2]uint {
	size, err := term.GetWinsize(fd)
	if err != nil {
		return [2]uint{}
	}
	return [2]uint{uint(size.Height), uint(size.Width)}
}
