package sbom

import (
	"context"
	"io"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/origin"
)

// Engine is what is asked of the Docker engine.
type Engine interface {
	Image(ctx context.Context, reference string) (engine.Image, error)
	Files(ctx context.Context, prefix, image string, read func(io.Reader) error) error
	Inventory(ctx context.Context, prefix, id string) ([]byte, bool, error)
	KeepInventory(ctx context.Context, prefix, image, id string, document []byte) error
}

// Of is the document of an image: the one that is kept beside the stack's releases, and otherwise
// one that is made now and kept.
func Of(ctx context.Context, docker Engine, prefix, image, id string) ([]byte, error) {
	if document, there, err := docker.Inventory(ctx, prefix, id); err != nil || there {
		return document, err
	}
	found, err := docker.Image(ctx, image)
	if err != nil {
		return nil, err
	}
	var contents Contents
	if err := docker.Files(ctx, prefix, image, func(archive io.Reader) (err error) {
		contents, err = Read(archive, found.Environment)
		return err
	}); err != nil {
		return nil, err
	}
	document, err := Write(contents, Image{Name: image, ID: id, Revision: origin.Of(found.Labels)[origin.Revision]})
	if err != nil {
		return nil, err
	}
	return document, docker.KeepInventory(ctx, prefix, image, id, document)
}
