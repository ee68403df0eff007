// Package environment keeps stacks that are there for a time: previews of pull requests, mostly.
//
// What says so is a tag of the stack, in the backend of its state: it is there from before anything
// of the stack is, for whoever has the state, and no stack has it by chance.
package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/state"
)

// Tag says until when a stack is there.
const Tag = "tarot:expires"

// Shortest and Longest are what a time may be.
const (
	Shortest = time.Minute
	Longest  = 60 * 24 * time.Hour
)

// kept are names that a stack which goes by itself never has.
var kept = regexp.MustCompile(`(?i)^(dev|main|live|.*prod.*)$`)

// Environment is a stack that is there for a time.
type Environment struct {
	Stack   string    `json:"stack"`
	Expires time.Time `json:"expires"`
	// Over is true where its time is over.
	Over bool `json:"over"`
}

// Allowed is nil where a stack of this name may go by itself after this time.
func Allowed(stack string, lasts time.Duration) error {
	if kept.MatchString(stack) {
		return fmt.Errorf("stack %q is not allowed to have an end; allowed: a name that is not dev, main or live, and has no prod in it", stack)
	}
	if lasts < Shortest || lasts > Longest {
		return fmt.Errorf("--ttl is %s; allowed: %s to %s", lasts, Shortest, Longest)
	}
	return nil
}

// Begin makes the stack in the state, with its mark, before anything of it is on an engine. A stack
// that is there without a mark is none of these, and stays as it is.
func Begin(ctx context.Context, stack string, until time.Time) error {
	there, err := names(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(there, stack) {
		if _, marked, err := expires(ctx, stack); err != nil || !marked {
			return errors.Join(err, fmt.Errorf("the stack %s is there already, and was not made to have an end: nothing is changed", stack))
		}
	} else if err := pulumi(ctx, "stack", "init", stack, "--secrets-provider", "passphrase", "--no-select"); err != nil {
		return err
	}
	return pulumi(ctx, "stack", "tag", "set", Tag, until.UTC().Format(time.RFC3339), "--stack", stack)
}

// List has the stacks of this project's state that have an end, the next one first.
func List(ctx context.Context, now time.Time) ([]Environment, error) {
	there, err := names(ctx)
	if err != nil {
		return nil, err
	}
	all := []Environment{}
	for _, stack := range there {
		until, marked, err := expires(ctx, stack)
		if err != nil {
			return nil, err
		}
		if marked {
			all = append(all, Environment{stack, until, !until.After(now)})
		}
	}
	slices.SortFunc(all, func(a, b Environment) int { return a.Expires.Compare(b.Expires) })
	return all, nil
}

// Ends is nil where the stack was made to have an end, which is read anew.
func Ends(ctx context.Context, stack string) (Environment, error) {
	if kept.MatchString(stack) {
		return Environment{}, fmt.Errorf("the stack %s has no end, whatever its mark says", stack)
	}
	until, marked, err := expires(ctx, stack)
	if err == nil && !marked {
		err = fmt.Errorf("the stack %s was not made to have an end (it has no tag %s): `make destroy STACK=%[1]s` is for it", stack, Tag)
	}
	return Environment{stack, until, false}, err
}

// Exists is true where the state has a stack of this name.
func Exists(ctx context.Context, stack string) (bool, error) {
	there, err := names(ctx)
	return slices.Contains(there, stack), err
}

// Forget takes the stack out of the state, where nothing of it is left.
func Forget(ctx context.Context, stack string) error {
	return pulumi(ctx, "stack", "rm", stack, "--yes", "--preserve-config")
}

func names(ctx context.Context) ([]string, error) {
	out, err := state.Ask(ctx, "stack", "ls", "--json")
	if err != nil {
		return nil, err
	}
	var all []struct{ Name string }
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("pulumi stack ls: %w", err)
	}
	var found []string
	for _, s := range all {
		found = append(found, s.Name)
	}
	return found, nil
}

// expires reads the mark. One that is no time is an error, and no answer.
func expires(ctx context.Context, stack string) (until time.Time, marked bool, err error) {
	out, err := state.Ask(ctx, "stack", "tag", "ls", "--stack", stack, "--json")
	if err != nil {
		return until, false, err
	}
	tags := map[string]string{}
	if err := json.Unmarshal(out, &tags); err != nil {
		return until, false, fmt.Errorf("pulumi stack tag ls: %w", err)
	}
	text, marked := tags[Tag]
	if !marked {
		return until, false, nil
	}
	if until, err = time.Parse(time.RFC3339, text); err != nil {
		return until, true, fmt.Errorf("the stack %s: tag %s is %q; allowed: a time such as 2026-11-28T18:00:00Z", stack, Tag, text)
	}
	return until, true, nil
}

// pulumi runs the CLI once: it changes something.
func pulumi(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "pulumi", append(args, "--non-interactive")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pulumi %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
