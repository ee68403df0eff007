package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
)

// registryTime is how long a registry may take to say what a tag means.
const registryTime = 10 * time.Second

// Fixed is a name that means the same image for ever.
type Fixed struct {
	// Name is by a digest, for an image of a registry, or a tag of the repository given
	// that follows the image's ID, for one that was built on this engine.
	Name string
	// Tag is true where the engine has the image by another name and Name is to become
	// one of its tags.
	Tag bool
	// Warning is why nobody knows whether the tag means another image now; empty: it
	// is known.
	Warning string
}

// Fix says what a ready image's name means now. A tag moves: built or pushed anew, it is
// another image under the same name, which nobody would take for a change, and a way back
// would lead to the new one.
func (e *Engine) Fix(ctx context.Context, name, repository string) (Fixed, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return Fixed{}, fmt.Errorf("image %s: %w", name, err)
	}
	named = reference.TagNameOnly(named)
	tagged, moves := named.(reference.Tagged)
	if _, digested := named.(reference.Digested); digested || !moves || contentTag.MatchString(tagged.Tag()) {
		return Fixed{Name: name}, nil
	}
	found, err := e.api.ImageInspect(ctx, name)
	there := err == nil
	if err != nil && !errdefs.IsNotFound(err) {
		return Fixed{}, fmt.Errorf("image %s: %w", name, err)
	}
	digest := digestOf(named, found.RepoDigests)
	// Built here: with containerd's image store it has a digest, too, but nobody's own
	// application is one of Docker's official images, which a name without a folder means.
	if there && (digest == "" || strings.HasPrefix(named.Name(), "docker.io/library/")) {
		_, sum, _ := strings.Cut(found.ID, ":")
		return Fixed{Name: repository + ":" + sum[:min(16, len(sum))], Tag: true}, nil
	}
	asked, err := e.askRegistry(ctx, named.String())
	switch {
	case err == nil:
		return Fixed{Name: reference.FamiliarName(named) + "@" + asked}, nil
	case there:
		return Fixed{Name: reference.FamiliarName(named) + "@" + digest, Warning: fmt.Sprintf("image %s: its registry was asked whether the tag means another image now, and did not say: %v; "+
			"it stays the one that is on this engine", name, err)}, nil
	}
	return Fixed{Name: name, Warning: fmt.Sprintf("image %s is not on this engine, and its registry did not say what the tag means: %v", name, err)}, nil
}

// digestOf is the digest under which the image is known in the repository of that name.
func digestOf(named reference.Named, known []string) string {
	for _, text := range known {
		other, err := reference.ParseNormalizedNamed(text)
		if err != nil || other.Name() != named.Name() {
			continue
		}
		if digested, ok := other.(reference.Digested); ok {
			return digested.Digest().String()
		}
	}
	return ""
}

// Digest asks an image's registry what its tag means now, the way that the engine pulls. Not to
// have been told is an error.
func (e *Engine) Digest(ctx context.Context, name string) (string, error) {
	digest, err := e.askRegistry(ctx, name)
	if err == nil && digest == "" {
		err = fmt.Errorf("the registry named no digest")
	}
	return digest, err
}

func (e *Engine) askRegistry(ctx context.Context, name string) (digest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, registryTime)
	defer cancel()
	auth := ""
	if e.auth != nil {
		if auth, err = e.auth(name); err != nil {
			return "", err
		}
	}
	found, err := e.api.DistributionInspect(ctx, name, auth)
	return found.Descriptor.Digest.String(), err
}

// TagImage gives an image one more name.
func (e *Engine) TagImage(ctx context.Context, image, name string) error {
	if err := e.api.ImageTag(ctx, image, name); err != nil {
		return fmt.Errorf("image %s: tag it as %s: %w", image, name, err)
	}
	return nil
}
