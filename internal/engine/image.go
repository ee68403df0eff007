package engine

import (
	"context"
	"fmt"

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
	// Start is its ENTRYPOINT and CMD.
	Start []string
	// Health is the command of its HEALTHCHECK; empty where it has none.
	Health []string
	// Environment are its variables, as NAME=value.
	Environment []string
	// StandIn names the image that this one, or its base, stands in for, and
	// what it is in truth. Empty for the real one.
	StandIn string
}

// Image reads an image that the engine has.
func (e *Engine) Image(ctx context.Context, reference string) (Image, error) {
	found, err := e.api.ImageInspect(ctx, reference)
	if errdefs.IsNotFound(err) {
		return Image{}, fmt.Errorf("image %s is in the stack's state, but no longer on the engine: `pulumi up --refresh` brings it back", reference)
	}
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", reference, err)
	}
	var image Image
	if found.Config == nil {
		return image, nil
	}
	image.Start = append(append(image.Start, found.Config.Entrypoint...), found.Config.Cmd...)
	image.Environment = found.Config.Env
	if found.Config.Healthcheck != nil {
		image.Health = found.Config.Healthcheck.Test
	}
	if of := found.Config.Labels[standInFor]; of != "" {
		image.StandIn = of + " is a stand-in: " + found.Config.Labels[standInVersion]
	}
	return image, nil
}
