package main

import (
	"context"
	"errors"
	"path/filepath"
)

// unchanged measures figure 2: what `up` takes where there is nothing to do,
// beside a program in which there is nothing.
func (b *bench) unchanged(ctx context.Context, r *report) error {
	dir, err := b.checkout(ctx, "unchanged", "test/", "toolchain/")
	if err != nil {
		return err
	}
	dev, err := b.newStack(ctx, dir, "Pulumi.dev.yaml", map[string]any{"backend.publishPort": freePort(), "backend.debuggerPort": freePort()})
	if err != nil {
		return err
	}
	empty, err := b.emptyStack(ctx)
	if err != nil {
		return err
	}
	for _, s := range []*stack{dev, empty} { // the first one deploys, the second one warms up
		for range 2 {
			if _, err := s.up(ctx); err != nil {
				return err
			}
		}
	}
	var ours, peers samples
	for range 2*b.rounds + 1 {
		for _, side := range []struct {
			*stack
			to *samples
		}{{dev, &ours}, {empty, &peers}} {
			_, took, err := side.pulumi(ctx, nil, "up", "--yes", "--skip-preview", "--expect-no-changes")
			if err != nil {
				return err
			}
			side.to.add(took)
		}
	}
	r.add(figure{
		number: "2", name: "`up` without a change / of an empty program", ours: ours, peer: peers, unit: seconds, goal: atMost(1.5),
		how: "`pulumi up --yes --skip-preview --expect-no-changes`, dev beside [a program without resources](../test/bench/testdata/empty/main.go) " +
			"with the same `go.mod`, both compiled, each with a state in a folder of its own.",
	})
	return errors.Join(dev.destroy(ctx), empty.destroy(ctx))
}

// emptyStack is that of a program without resources, with the platform's own SDK.
func (b *bench) emptyStack(ctx context.Context) (*stack, error) {
	dir := filepath.Join(b.work, "empty")
	var err error
	for _, file := range []struct{ from, to string }{
		{"test/bench/testdata/empty/Pulumi.yaml", "Pulumi.yaml"}, {"test/bench/testdata/empty/main.go", "main.go"},
		{"go.mod", "go.mod"}, {"go.sum", "go.sum"},
	} {
		err = errors.Join(err, mkdir(dir), copyFile(filepath.Join(b.root, file.from), filepath.Join(dir, file.to)))
	}
	if err != nil {
		return nil, err
	}
	b.stacks++
	s := &stack{b: b, dir: dir, name: b.id + "-empty"}
	return s, s.init(ctx)
}
