package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// size measures figure 4: the production image beside single stages of the same base.
func (b *bench) size(ctx context.Context, r *report) error {
	dir, err := b.checkout(ctx, "size", "test/", "toolchain/")
	if err != nil {
		return err
	}
	own, err := b.buildSize(ctx, dir, "production", "app/Dockerfile")
	if err != nil {
		return err
	}
	for _, peer := range []struct {
		file string
		figure
	}{
		{"naive.Dockerfile", figure{name: "image size / a single stage with a compiler", goal: atMost(0.6),
			how: "The last stage of `app/Dockerfile` beside [the Dockerfile of a typical tutorial](../test/bench/testdata/naive.Dockerfile), " +
				"with `build-essential`, from the same base image and the same context."}},
		{"naive-no-compiler.Dockerfile", figure{name: "image size / a single stage without one",
			how: "For comparison, beside [the same without the compiler](../test/bench/testdata/naive-no-compiler.Dockerfile): most of both is the base image."}},
	} {
		size, err := b.buildSize(ctx, dir, peer.file, "test/bench/testdata/"+peer.file)
		if err != nil {
			return err
		}
		peer.number, peer.unit, peer.ours, peer.peer = "4", megabytes, samples{own}, samples{size}
		r.add(peer.figure)
	}
	return nil
}

// buildSize builds with the CLI and not with the program: only the result counts.
func (b *bench) buildSize(ctx context.Context, dir, name, dockerfile string) (float64, error) {
	image, file := b.id+"-"+name, filepath.Join(b.work, name)
	image = regexp.MustCompile(`[^a-z0-9-]`).ReplaceAllString(image, "-")
	err := copyFile(filepath.Join(b.root, dockerfile), file)
	if err == nil {
		err = b.cold(file)
	}
	if err == nil { // the classic builder's stages are found again by it
		err = edit(file, func(text string) string {
			return regexp.MustCompile(`(?m)^FROM .*`).ReplaceAllString(text, "$0\nLABEL "+benchLabel+"="+b.id)
		})
	}
	if err != nil {
		return 0, err
	}
	if _, err := output(ctx, "docker", "build", "--quiet", "--force-rm", "--tag", image, "--file", file, filepath.Join(dir, "app")); err != nil {
		return 0, fmt.Errorf("%s: %w", dockerfile, err)
	}
	text, err := output(ctx, "docker", "image", "inspect", "--format", "{{.Size}}", image)
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseFloat(text, 64)
	say("      %s: %.0f MB", name, size/1e6)
	return size / 1e6, err
}
