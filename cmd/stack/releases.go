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

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/release"
	"tarot-platform/internal/state"
)

// What changes a stack is a change of its configuration and a `pulumi up`, as
// docs/releases.md has it without this program.
const pin = "tarot:releases.pin"

// failed is an error of what was to be done, in difference to one of looking at it.
type failed struct{ error }

func (f failed) Unwrap() error { return f.error }

func releaseCommands() []*cobra.Command {
	list := &cobra.Command{Use: "releases STACK", Short: "what it has run, and can be returned to", Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error { return d.list(ctx) })}
	rollback := &cobra.Command{Use: "rollback STACK [RELEASE]", Short: "return to the release before, or to the one named", Args: cobra.RangeArgs(1, 2),
		Long: "After an `up` that failed, it returns to the last release that ran as wanted.",
		RunE: onStack(func(ctx context.Context, d deployed, args []string) error {
			return d.rollback(ctx, strings.Join(args, ""))
		})}
	forward := &cobra.Command{Use: "forward STACK", Short: "after a rollback: the stack as its file says", Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error { return d.forward(ctx) })}
	return []*cobra.Command{list, rollback, forward, rotateCommand()}
}

// onStack runs something on the stack that the first argument names, with the others.
func onStack(run func(ctx context.Context, d deployed, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		d, err := open(cmd.Context(), args[0])
		if err == nil {
			err = run(cmd.Context(), d, args[1:])
		}
		if err != nil {
			return failed{err}
		}
		return nil
	}
}

// list writes the releases, the one that ran last first; * is what runs.
func (d deployed) list(ctx context.Context) error {
	all, err := d.docker.Releases(ctx, d.prefix)
	if err != nil {
		return err
	}
	var now struct{ Release string }
	if err := pulumi(ctx, &now, "stack", "output", "--stack", d.name); err != nil {
		return err
	}
	fmt.Printf("  %-12s %-21s %s\n", "RELEASE", "RUNS SINCE", "IMAGE")
	for _, r := range all {
		there, err := d.docker.HasImage(ctx, r.Image)
		if err != nil {
			return err
		}
		fmt.Println(line(r, r.Name == now.Release, there))
	}
	return nil
}

func line(r release.Release, current, there bool) string {
	mark, more := " ", ""
	if current {
		mark = "*"
	}
	if !there {
		more += " (not on this engine)"
	}
	if r.Unfinished {
		more += " (its `up` failed after users had it)"
	}
	if r.PinnedBy != "" {
		more += " (a rollback by " + r.PinnedBy + ")"
	}
	return fmt.Sprintf("%s %-12s %-21s %s%s", mark, r.Name, r.Created.UTC().Format("2006-01-02T15:04:05Z"), r.Image, more)
}

func (d deployed) rollback(ctx context.Context, named string) error {
	if err := d.free(ctx); err != nil {
		return err
	}
	all, err := d.docker.Releases(ctx, d.prefix)
	if err != nil {
		return err
	}
	bad := false
	if named == "" {
		if bad, err = d.lastFailed(ctx); err != nil {
			return err
		}
	}
	to, err := release.Target(all, named, bad)
	if err != nil {
		return fmt.Errorf("%w (make releases STACK=%s lists them)", err, d.name)
	}
	if bad {
		note("the last `up` has failed: back to %s, the last release that ran as wanted", to)
	}
	if err := d.set(ctx, pin, to); err != nil {
		return err
	}
	if err := d.up(ctx, as(engine.Rollback, "")); err != nil {
		return err
	}
	note("%s runs the release %s, with its configuration, until %s is empty: make forward STACK=%[1]s", d.name, to, pin)
	return nil
}

// lastFailed is true where the last `up` of the stack, by whomever, has failed or was killed: then its
// claim is left. The history of the state is asked where the engine has none: it knows of one checkout alone.
func (d deployed) lastFailed(ctx context.Context) (bool, error) {
	killed, err := d.docker.Claimed(ctx, d.prefix)
	if err != nil || killed {
		return killed, err
	}
	all, err := history.Read(ctx, d.docker, d.prefix)
	if err != nil {
		return false, err
	}
	if result, known := lastUp(all); known {
		return result != history.Succeeded, nil
	}
	return state.Failed(ctx, d.name)
}

// lastUp is what became of the last `up`, whatever it was for.
func lastUp(all []history.Entry) (result string, known bool) {
	for _, e := range all {
		if slices.Contains([]engine.Operation{engine.Up, engine.Rollback, engine.Forward, engine.Rotate}, engine.Operation(e.Operation)) {
			return e.Result, true
		}
	}
	return "", false
}

// forward allows the `up` to replace the release that somebody has returned to.
func (d deployed) forward(ctx context.Context) error {
	if err := d.free(ctx); err != nil {
		return err
	}
	all, err := d.docker.Releases(ctx, d.prefix)
	if err != nil {
		return err
	}
	if err := d.set(ctx, pin, ""); err != nil {
		return err
	}
	if len(all) > 0 {
		return d.up(ctx, "TAROT_FORWARD="+all[0].Name, as(engine.Forward, ""))
	}
	return d.up(ctx, as(engine.Forward, ""))
}

// setting is a value of the configuration, as Pulumi's CLI tells it: not where it is secret.
type setting struct {
	Value       string
	ObjectValue json.RawMessage
}

// decode makes a configuration of what the CLI tells: one without secrets.
func decode(all map[string]setting) (config.Config, error) {
	raw := map[string]string{}
	for key, s := range all {
		if s.Value != "" {
			raw[key] = s.Value
		}
	}
	return config.Decode(raw)
}

func (d deployed) set(ctx context.Context, path, value string) error {
	return attached(ctx, nil, "config", "set", "--stack", d.name, "--path", path, value)
}

// setAll writes values by their keys, all or none.
func (d deployed) setAll(ctx context.Context, values map[string]string) error {
	args := []string{"config", "set-all", "--stack", d.name, "--path"}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		args = append(args, "--plaintext", key+"="+values[key])
	}
	return attached(ctx, nil, args...)
}

func (d deployed) up(ctx context.Context, environment ...string) error {
	return attached(ctx, environment, "up", "--stack", d.name, "--yes", "--skip-preview")
}

// attached runs the CLI before the user's eyes.
func attached(ctx context.Context, environment []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "pulumi", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), environment...)
	// It ends by itself when it is interrupted, and leaves a state behind then.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) { // it has said why
		return fmt.Errorf("pulumi %s: exit code %d", args[0], exit.ExitCode())
	}
	return err
}

func note(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }
