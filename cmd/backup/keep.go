package main

import (
	"context"
	"errors"
	"path/filepath"

	"tarot-platform/internal/install"
)

// keep copies files by their names from a folder to another, each in one step.
func keep(_ context.Context, args []string) error {
	if len(args) < 3 {
		return errors.New("keep wants FROM, TO and the names of files")
	}
	var all []error
	for _, name := range args[2:] {
		all = append(all, install.Copy(filepath.Join(args[0], name), args[1], name))
	}
	return errors.Join(all...)
}
