package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/images"
	"tarot-platform/internal/stackfile"
)

func updateImagesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "update STACK [IMAGE...]",
		Short: "ask the registries what the stack's tags mean now, and write the digests into its file",
		Long: "The images that the stack file names, and those that the Dockerfiles of the stack build on, or those of them that are named: " +
			"by their key (nginx.image) or as they are written (python:3.11-slim). The engine asks, as it does when it pulls.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			docker, err := engine.Open(cmd.Context())
			if err == nil {
				mirrors := images.Mirrors{Hub: os.Getenv("TAROT_REGISTRY_MIRROR"), GHCR: os.Getenv("TAROT_GHCR_MIRROR")}
				err = updateImages(cmd.Context(), args[0], args[1:], mirrors, docker.Platform(), docker.Digest, os.Stdout)
			}
			if err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

// updateImages writes the exact images into the stack's file, and tells what it does. Those that
// could not be asked for stay as they are, and are an error.
func updateImages(ctx context.Context, stack string, words []string, mirrors images.Mirrors, platform string, digest func(context.Context, string) (string, error), to io.Writer) error {
	file := "Pulumi." + stack + ".yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	cfg, err := configurationOf(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	described, err := describe(cfg, platform)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	named, err := namedImages(cfg, described)
	if err != nil {
		return err
	}
	changes, unknown := images.Ask(ctx, named, words, mirrors, digest, to)
	if len(changes) > 0 {
		for _, c := range changes {
			if text, err = stackfile.Set(text, append([]string{config.Namespace + ":" + c.Key[0]}, c.Key[1:]...), c.To); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := replaceFile(file, text); err != nil {
			return err
		}
		fmt.Fprintf(to, "%s has them now. `pulumi preview -s %s` says what restarts, and `pulumi up -s %[2]s` does it.\n", file, stack)
	}
	if unknown != nil {
		return fmt.Errorf("what these mean now is not known, and %s has them as before:\n%w", file, unknown)
	}
	if len(changes) == 0 {
		fmt.Fprintln(to, "Nothing is new.")
	}
	return nil
}

// namedImages are the images of a stack that its file names, and that its Dockerfiles do.
func namedImages(cfg config.Config, described []part.Described) ([]images.Named, error) {
	var all []images.Named
	for _, d := range described {
		for _, i := range d.Images {
			switch {
			case i.Key != "":
				all = append(all, images.Named{Key: strings.Split(i.Key, "."), Now: i.Reference})
			case i.Build != nil && i.Build.Context != "": // the scheduler's is made when it is needed
				names, err := i.Build.Images()
				if err != nil {
					return nil, err
				}
				for _, name := range names {
					all = append(all, images.Base(cfg.Build.BaseName(name), cfg.Build.Base(name)))
				}
			}
		}
	}
	return images.Sorted(all), nil
}

// replaceFile has a file be another one from one moment to the next.
func replaceFile(file string, text []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(file), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Chmod(info.Mode().Perm()), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
