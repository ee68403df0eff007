package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// tidy removes what an `up` that was killed has left: containers of the stack that
// neither this one has declared nor Pulumi's state knows. There seldom is one.
func tidy(ctx *pulumi.Context, docker *engine.Engine, prefix string, kept []string) func() {
	if ctx.DryRun() {
		return func() {}
	}
	name := stackName(ctx)
	return func() {
		c := context.Background() // the program's own is over
		strays, err := docker.Strays(c, prefix, kept)
		if err == nil && len(strays) > 0 {
			var known map[string]bool
			if known, err = state.IDs(c, name); err == nil {
				err = docker.Remove(c, slices.DeleteFunc(strays, func(s engine.Stray) bool { return known[s.ID] }))
			}
		}
		if err != nil { // it is in nobody's way: no failed deploy
			fmt.Fprintf(os.Stderr, "what an interrupted `up` may have left is not removed: %v\n", err)
		}
	}
}
