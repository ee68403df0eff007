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

// prune removes what an `up` that was killed has left: containers of the stack that
// neither this one has declared nor Pulumi's state knows. There seldom is one.
func prune(ctx *pulumi.Context, docker *engine.Engine, prefix string, declared []string) func() {
	if ctx.DryRun() {
		return func() {}
	}
	name := stackName(ctx)
	return func() {
		c := context.Background() // the program's own is over
		orphans, err := docker.Orphans(c, prefix, declared)
		if err == nil && len(orphans) > 0 {
			var known map[string]bool
			if known, err = state.IDs(c, name); err == nil {
				err = docker.Remove(c, slices.DeleteFunc(orphans, func(o engine.Orphan) bool { return known[o.ID] }))
			}
		}
		if err != nil { // it is in nobody's way: no failed deploy
			fmt.Fprintf(os.Stderr, "what an interrupted `up` may have left is not removed: %v\n", err)
		}
	}
}
