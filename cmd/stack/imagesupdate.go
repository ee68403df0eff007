package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/images"
	"tarot-platform/internal/images/version"
	"tarot-platform/internal/scan"
	"tarot-platform/internal/stackfile"
)

func updateImagesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "update STACK [IMAGE...]",
		Short: "ask the registries what the stack's tags mean now, and write the digests into " + images.LockFile,
		Long: "The images that the stack uses, and those that its Dockerfiles build on, or those of them that are named: " +
			"by their key (nginx.image) or as they are written (python:3.11-slim). The engine asks, as it does when it pulls. " +
			"One that the stack's file has by a digest is written there.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			docker, err := engine.Open(cmd.Context())
			if err == nil {
				u := update{images.MirrorsOf(os.Getenv), docker.Platform(), docker.Digest, version.On(docker.Platform()), scan.Between, os.Stdout}
				err = u.run(cmd.Context(), args[0], args[1:])
			}
			if err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

// update finds out what images mean now.
type update struct {
	mirrors  images.Mirrors
	platform string
	digest   func(ctx context.Context, name string) (string, error)
	version  func(ctx context.Context, exact string) string
	between  func(ctx context.Context, before, after, platform string, settings config.Scan) (scan.Difference, error)
	to       io.Writer
}

// run writes the exact images down, and tells what it does. Those that could not be asked for stay as
// they are, and are an error.
func (u update) run(ctx context.Context, stack string, words []string) error {
	file := "Pulumi." + stack + ".yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	cfg, err := configurationOf(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	described, err := describe(cfg, u.platform)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	named, err := namedImages(cfg, described)
	if err != nil {
		return err
	}
	lock, err := images.ReadLock(images.LockFile)
	if err != nil {
		return err
	}
	changes, unknown := images.Ask(ctx, named, lock, words, u.mirrors, u.digest, u.version, u.to)
	u.tellMended(ctx, changes, cfg.Build.Scan)
	written := map[string]bool{}
	for _, c := range changes {
		if c.Exact == "" {
			written[images.LockFile] = true
			lock, err = lock.With(c.Now, c.Locked)
		} else {
			written[file] = true
			text, err = stackfile.Set(text, append([]string{config.Namespace + ":" + c.Key[0]}, c.Key[1:]...), c.Exact)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	if written[images.LockFile] {
		err = replaceFile(images.LockFile, lock.Text())
	}
	if written[file] && err == nil {
		err = replaceFile(file, text)
	}
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		fmt.Fprintf(u.to, "%s them now. `pulumi preview -s %s` says what restarts, and `pulumi up -s %[2]s` does it.\n", have(slices.Sorted(maps.Keys(written))), stack)
	}
	if unknown != nil {
		return fmt.Errorf("what these mean now is not known, and they stay as they are:\n%w", unknown)
	}
	if len(changes) == 0 {
		fmt.Fprintln(u.to, "Nothing is new.")
	}
	return nil
}

// tellMended says which known vulnerabilities the newer images mend, and which they bring. That it can't
// be told is no reason to stay with the older ones.
func (u update) tellMended(ctx context.Context, changes []images.Change, settings config.Scan) {
	for _, c := range changes {
		if settings.FailOn == "off" || c.From == "" {
			continue
		}
		fmt.Fprintf(u.to, "  %s, against what is known of both:\n", c)
		found, err := u.between(ctx, c.From, c.To, u.platform, settings)
		if err != nil {
			fmt.Fprintf(u.to, "    not scanned: %v\n", err)
			continue
		}
		for _, line := range found.Lines() {
			fmt.Fprintf(u.to, "    %s\n", line)
		}
	}
}

func have(files []string) string {
	if len(files) == 1 {
		return files[0] + " has"
	}
	return strings.Join(files, " and ") + " have"
}

// namedImages are the images that a stack uses, and that its Dockerfiles name.
func namedImages(cfg config.Config, described []part.Described) ([]images.Named, error) {
	var all []images.Named
	for _, d := range described {
		for _, i := range d.Images {
			of := i.Reference
			if i.Build != nil {
				of = i.SetUp
			}
			switch {
			case i.Build != nil && i.Build.Context != "": // those of the platform's own programs are made when they are needed
				names, err := i.Build.Images()
				if err != nil {
					return nil, err
				}
				for _, name := range names {
					all = append(all, images.Base(cfg.Build.BaseName(name), cfg.Build.Base(name)))
				}
			case i.Key != "":
				all = append(all, images.Named{Key: strings.Split(i.Key, "."), Now: of})
			case i.SetUp != "" && !strings.Contains(i.SetUp, "@"): // one by a digest is asked for where it is named
				all = append(all, images.Named{Now: i.SetUp})
			}
		}
	}
	return images.Sorted(all), nil
}

// replaceFile has a file be another one from one moment to the next. It may be new.
func replaceFile(file string, text []byte) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(file), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Chmod(mode), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
