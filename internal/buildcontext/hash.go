// Package buildcontext names an image by what it is built from, so that the
// same sources have the same tag on every machine, a preview can name the image
// that it would deploy, and earlier images stay under their own tags.
package buildcontext

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Build is what decides what an image contains, as far as the project knows it.
type Build struct {
	// Context is the folder that is sent to the engine.
	Context string
	// Dockerfile is relative to Context.
	Dockerfile string
	// Target is the stage; empty is the last one.
	Target string
	// Platform is os/architecture.
	Platform string
	// Args are the build arguments.
	Args map[string]string
}

// hashLength is in hexadecimal digits: 64 bits, too many to meet by chance.
const hashLength = 16

// Hash covers the files that .dockerignore lets through (their names, contents,
// link targets and whether they are executable), the Dockerfile even where it is
// ignored, and the build's parameters. Times, owners and the other permissions
// are left out: a git checkout sets them differently on every machine.
func (b Build) Hash() (string, error) {
	sum := sha256.New()
	field(sum, "dockerfile", b.Dockerfile)
	field(sum, "target", b.Target)
	field(sum, "platform", b.Platform)
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		field(sum, "arg", name, b.Args[name])
	}
	ignored, err := b.ignored()
	if err != nil {
		return "", err
	}
	dockerfile := filepath.ToSlash(filepath.Clean(b.Dockerfile))
	root, err := filepath.EvalSymlinks(b.Context) // WalkDir would stop at a link
	if err != nil {
		return "", fmt.Errorf("build context: %w", err)
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		skip, err := ignored.MatchesOrParentMatches(name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// An ignored folder may hold files that a later "!" pattern lets in, and
			// the Dockerfile.
			if skip && !ignored.Exclusions() && !strings.HasPrefix(dockerfile, name+"/") {
				return filepath.SkipDir
			}
			return nil
		}
		if skip && name != dockerfile {
			return nil
		}
		return hashFile(sum, path, name, entry)
	})
	if err != nil {
		return "", fmt.Errorf("build context %s: %w", b.Context, err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:hashLength], nil
}

// ignored reads the ignore file that the engine reads: one beside the
// Dockerfile with its name goes before the context's own.
func (b Build) ignored() (*patternmatcher.PatternMatcher, error) {
	var patterns []string
	for _, name := range []string{b.Dockerfile + ".dockerignore", ".dockerignore"} {
		file, err := os.Open(filepath.Join(b.Context, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err = ignorefile.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		break
	}
	return patternmatcher.New(patterns)
}

func hashFile(sum hash.Hash, path, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		field(sum, "link", name, target)
		return err
	case !info.Mode().IsRegular():
		return nil // sockets and pipes are not sent
	}
	field(sum, "file", name, fmt.Sprint(info.Mode()&0o111 != 0), fmt.Sprint(info.Size()))
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(sum, file)
	return errors.Join(err, file.Close())
}

// field writes values with their lengths, so that no two lists read the same.
func field(sum hash.Hash, values ...string) {
	for _, v := range values {
		fmt.Fprintf(sum, "%d:%s", len(v), v) // a hash's Write never fails
	}
}
