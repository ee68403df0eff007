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
	// Dockerfile is relative to Context, and may lead out of it.
	Dockerfile string
	// Target is the stage; empty is the last one.
	Target string
	// Platform is os/architecture.
	Platform string
	// Args are the build arguments.
	Args map[string]string
	// BaseImages are exact images by the names of those that they stand for in the
	// Dockerfile, as Familiar writes these.
	BaseImages map[string]string
	// Secrets are the names of those that the build may mount. Their values are in no image,
	// so they count for nothing.
	Secrets []string
}

// hashLength is in hexadecimal digits: 64 bits, too many to meet by chance.
const hashLength = 16

// Hash covers the files that .dockerignore lets through (their names, contents, link
// targets, whether they are executable, and whether only their owner and group may
// read them), the folders that only those may enter, the Dockerfile even where it is
// ignored, and the build's parameters. Times, owners and the other permissions are
// left out: a git checkout sets them differently on every machine.
func (b Build) Hash() (string, error) {
	sum := sha256.New()
	field(sum, "dockerfile", b.Dockerfile)
	field(sum, "target", b.Target)
	field(sum, "platform", b.Platform)
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		field(sum, "arg", name, b.Args[name])
	}
	pinned, err := b.pinned()
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(pinned)) {
		field(sum, "base", name, pinned[name])
	}
	for _, name := range b.Secrets {
		field(sum, "secret", name)
	}
	dockerfile := filepath.ToSlash(filepath.Clean(b.Dockerfile))
	if !filepath.IsLocal(b.Dockerfile) {
		if err := b.hashOutside(sum); err != nil {
			return "", err
		}
	}
	err = b.walk(func(path, name string, info fs.FileInfo) error {
		if private(info) {
			field(sum, "private", name)
		}
		if name != dockerfile {
			return hashFile(sum, path, name, info)
		}
		if info.Mode()&fs.ModeSymlink != 0 { // what it points at may be ignored, and is built all the same
			var err error
			if info, err = os.Stat(path); err != nil {
				return err
			}
		}
		return hashFile(sum, path, name, info)
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:hashLength], nil
}

// hashOutside covers a Dockerfile that is not in the context, which nothing else reads.
func (b Build) hashOutside(sum hash.Hash) error {
	info, err := os.Stat(b.dockerfile())
	if err != nil {
		return fmt.Errorf("the Dockerfile: %w", err)
	}
	return hashFile(sum, b.dockerfile(), "", info)
}

// private is true for what the image's user can not read, who is neither the owner nor
// of the group. A link's permissions mean nothing.
func private(info fs.FileInfo) bool {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return mode&0o005 != 0o005
	case mode.IsRegular():
		return mode&0o004 == 0
	}
	return false
}

// Unreadable are the files and folders of the context that only their owner and group
// may read, with their permissions: root reads them while an image is built, and the
// application, another user, does not. What is below such a folder is not listed, nor
// is the Dockerfile, which is none of the application's.
func (b Build) Unreadable() ([]string, error) {
	var found []string
	list := func(name string, info fs.FileInfo) {
		if !slices.ContainsFunc(found, func(above string) bool {
			folder, _, _ := strings.Cut(above, "/ (")
			return strings.HasPrefix(name, folder+"/")
		}) {
			if info.IsDir() {
				name += "/"
			}
			found = append(found, fmt.Sprintf("%s (%04o)", name, info.Mode().Perm()))
		}
	}
	if info, err := os.Stat(b.Context); err == nil && private(info) {
		return []string{fmt.Sprintf("%s (%04o)", b.Context, info.Mode().Perm())}, nil
	}
	err := b.walk(func(_, name string, info fs.FileInfo) error {
		if private(info) && name != filepath.ToSlash(filepath.Clean(b.Dockerfile)) {
			list(name, info)
		}
		return nil
	})
	return found, err
}

// Sends is true where a folder is in the context, and not left out of what is sent.
func (b Build) Sends(folder string) (bool, error) {
	name, err := from(b.Context, folder)
	if err != nil || !filepath.IsLocal(name) {
		return false, err
	}
	ignored, err := b.ignored()
	if err != nil {
		return false, err
	}
	skip, err := ignored.MatchesOrParentMatches(filepath.ToSlash(name))
	return !skip || ignored.Exclusions(), err
}

// walk visits the files, links and folders that .dockerignore lets through, and the
// Dockerfile, in the order of their names.
func (b Build) walk(visit func(path, name string, info fs.FileInfo) error) error {
	ignored, err := b.ignored()
	if err != nil {
		return err
	}
	dockerfile := filepath.ToSlash(filepath.Clean(b.Dockerfile))
	root, err := filepath.EvalSymlinks(b.Context) // WalkDir would stop at a link
	if err != nil {
		return fmt.Errorf("build context: %w", err)
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, failed error) error {
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return errors.Join(err, failed)
		}
		name = filepath.ToSlash(name)
		skip, err := ignored.MatchesOrParentMatches(name)
		if err != nil {
			return err
		}
		if failed != nil {
			if skip && entry.IsDir() && errors.Is(failed, fs.ErrPermission) {
				return filepath.SkipDir // what is in there can't be sent either
			}
			return failed
		}
		if entry.IsDir() && skip {
			// It may hold files that a later "!" pattern lets in, and the Dockerfile.
			if !ignored.Exclusions() && !strings.HasPrefix(dockerfile, name+"/") {
				return filepath.SkipDir
			}
			return nil
		}
		if skip && name != dockerfile {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return visit(path, name, info)
	})
	if err != nil {
		return fmt.Errorf("build context %s: %w", b.Context, err)
	}
	return nil
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

func hashFile(sum hash.Hash, path, name string, info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		field(sum, "link", name, target)
		return err
	case !info.Mode().IsRegular():
		return nil // folders are their files; sockets and pipes are not sent
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
