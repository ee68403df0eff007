package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
)

// Labels that a stand-in base image carries, and every image built on it. They
// are written by setup/standins.
const (
	standInFor     = "tarot.standin.for"
	standInVersion = "tarot.standin.version"
)

// Image is what an image says of itself.
type Image struct {
	// ID is what its name means now.
	ID string
	// Start is its ENTRYPOINT and CMD.
	Start []string
	// Health is its HEALTHCHECK: "CMD" and the words of a command, "NONE", or nothing
	// where it has none.
	Health []string
	// Environment are its variables, as NAME=value.
	Environment []string
	// Labels are those of its own and of what it was built on.
	Labels map[string]string
	// StandIn names the image that this one, or its base, stands in for, and
	// what it is in truth. Empty for the real one.
	StandIn string
}

// Image reads an image that the engine has.
func (e *Engine) Image(ctx context.Context, reference string) (Image, error) {
	found, err := e.api.ImageInspect(ctx, reference)
	if errdefs.IsNotFound(err) {
		return Image{}, fmt.Errorf("image %s is in the stack's state, but no longer on the engine: `pulumi up` brings it back", reference)
	}
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", reference, err)
	}
	image := Image{ID: found.ID}
	if found.Config == nil {
		return image, nil
	}
	image.Start = append(append(image.Start, found.Config.Entrypoint...), found.Config.Cmd...)
	image.Environment, image.Labels = found.Config.Env, found.Config.Labels
	if found.Config.Healthcheck != nil {
		image.Health = words(found.Config.Healthcheck.Test, found.Config.Shell)
	}
	if of := found.Config.Labels[standInFor]; of != "" {
		image.StandIn = of + " is a stand-in: " + found.Config.Labels[standInVersion]
	}
	return image, nil
}

// words are a health check's test, where it is a text with the shell that reads it: the
// image's SHELL, which only the engine knows otherwise.
func words(test, shell []string) []string {
	if len(test) == 0 || test[0] != "CMD-SHELL" {
		return test
	}
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return slices.Concat([]string{"CMD"}, shell, test[1:])
}

// HasImage is true where the engine has an image of that name.
func (e *Engine) HasImage(ctx context.Context, reference string) (bool, error) {
	_, err := e.api.ImageInspect(ctx, reference)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("image %s: %w", reference, err)
	}
	return true, nil
}
