package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
)

// Locate says by which name the image of a digest is to be had, that a lock has for a tag. Mirrored is
// where the tag is pulled from, by another name or its own. A digest means the same image wherever it
// comes from. What the engine has by the tag, and no registry has given a digest, is taken as it is:
// unpinned says so. One that a registry has given another digest is taken for nothing.
func (e *Engine) Locate(ctx context.Context, name, digest, mirrored string) (found, unpinned string, err error) {
	exact := mirrored + "@" + digest
	for _, known := range []string{name + "@" + digest, exact} {
		there, err := e.HasImage(ctx, known)
		if err != nil || there {
			return known, "", err
		}
	}
	here, err := e.api.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return exact, "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("image %s: %w", name, err)
	}
	if here.Config != nil && here.Config.Labels[standInFor] == name {
		return name, fmt.Sprintf("%s is not pinned: it is a stand-in (%s), which no registry has given a digest", name, here.Config.Labels[standInVersion]), nil
	}
	if len(here.RepoDigests) == 0 {
		return name, name + " is not pinned: the one on this engine was built or loaded here, and no registry has given it a digest", nil
	}
	var others []string
	for _, known := range here.RepoDigests {
		repository, has, _ := strings.Cut(known, "@")
		if has == digest {
			return repository + ":" + tagOf(name) + "@" + digest, "", nil
		}
		others = append(others, has)
	}
	// The lock is right, and this engine is behind it, or before it.
	if _, err := e.askRegistry(ctx, exact); err != nil {
		return "", "", fmt.Errorf("image %s: the lock says %s, this engine has %s, and %s can't be had: %w", name, digest, strings.Join(others, ", "), exact, err)
	}
	return exact, "", nil
}

func tagOf(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return ""
	}
	if tagged, is := reference.TagNameOnly(named).(reference.Tagged); is {
		return tagged.Tag()
	}
	return ""
}
