package main

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/engine"
)

// checkNeighbours refuses volumes that are somebody else's, and tells of what is in the way
// of a later update.
func checkNeighbours(ctx *pulumi.Context, docker *engine.Engine, uses []engine.Use) error {
	warnings, faults, err := docker.CheckUses(ctx.Context(), uses)
	if err != nil {
		return err
	}
	guests, err := docker.Guests(ctx.Context(), uses[0].Stack)
	if err != nil {
		return err
	}
	for _, g := range guests {
		warnings = append(warnings, fmt.Sprintf("the container %s is on this stack's network %s, and not of this stack: the network can't be removed or changed before `%s`", g.Container, g.Network, g.Mend()))
	}
	for _, w := range warnings {
		if err := ctx.Log.Warn(w, nil); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}
