// Package images finds out which images the tags that a stack names mean now: an image by its
// digest is the same on every machine, at every `up`, and on the way back.
package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
)

// Named is an image that the stack file names, or may name.
type Named struct {
	// Key is where: the keys, from the top, without the namespace.
	Key []string
	// Now is what is there; of a base image that has nothing there, what the Dockerfile says.
	Now string
}

// ofBases is the key of what stands for base images.
var ofBases = []string{"build", "baseImages"}

// Base is a base image: the name is that by which the stack file has it, or is to have it.
func Base(name, now string) Named { return Named{append(slices.Clone(ofBases), name), now} }

// Sorted are the images, each once.
func Sorted(all []Named) []Named {
	slices.SortFunc(all, func(a, b Named) int { return slices.Compare(a.Key, b.Key) })
	return slices.CompactFunc(all, func(a, b Named) bool { return slices.Equal(a.Key, b.Key) })
}

// String is the key as `pulumi config` shows it.
func (n Named) String() string {
	if len(n.Key) > len(ofBases) && slices.Equal(n.Key[:len(ofBases)], ofBases) {
		return fmt.Sprintf("%s[%q]", strings.Join(ofBases, "."), n.Key[len(ofBases)])
	}
	return strings.Join(n.Key, ".")
}

// is is true where somebody may mean the image by a word: its key, or what is there.
func (n Named) is(word string) bool {
	tagged, _ := n.tagged()
	return slices.Contains([]string{n.String(), n.Now, tagged, n.Key[len(n.Key)-1]}, word)
}

// tagged is what is there without its digest; empty where there is no tag beside it, so that
// nobody wants to hear of others.
func (n Named) tagged() (string, error) {
	named, err := reference.ParseNormalizedNamed(n.Now)
	if err != nil {
		return "", fmt.Errorf("%s: %q: %w", n, n.Now, err)
	}
	_, digested := named.(reference.Digested)
	tagged, has := named.(reference.Tagged)
	if digested && !has {
		return "", nil
	}
	if !has {
		return reference.FamiliarString(reference.TagNameOnly(named)), nil
	}
	short, err := reference.WithTag(reference.TrimNamed(named), tagged.Tag())
	if err != nil {
		return "", fmt.Errorf("%s: %w", n, err)
	}
	return reference.FamiliarString(short), nil
}

// Mirrors are what stands for public registries, as set-up has them: TAROT_REGISTRY_MIRROR
// for Docker Hub, and TAROT_GHCR_MIRROR for ghcr.io. Empty: the registries themselves.
type Mirrors struct{ Hub, GHCR string }

// of is an image's name where it is asked for and pulled from. Mirrors of Docker Hub have its
// official images in library/, and the others beside that folder.
func (m Mirrors) of(name string) string {
	rest, of := strings.CutPrefix(name, "ghcr.io/")
	switch first, below, _ := strings.Cut(name, "/"); {
	case of && m.GHCR != "":
		return strings.TrimSuffix(m.GHCR, "/") + "/" + rest
	case of || m.Hub == "" || below != "" && (strings.ContainsAny(first, ".:") || first == "localhost"):
		return name
	case below != "":
		return strings.TrimSuffix(m.hub(), "library/") + name
	default:
		return m.hub() + name
	}
}

func (m Mirrors) hub() string { return strings.TrimSuffix(m.Hub, "/") + "/" }

// Change is an image that means another one now.
type Change struct {
	Named
	// To is the exact image.
	To string
}

// Ask asks for the digest behind each tag, and tells what it hears, a line an image. changes
// are those that are other ones than the stack file says. unknown is why some could not be
// asked for, each with its name; of these nothing is known. Those that words do not mean are
// left out; none: all are meant.
func Ask(ctx context.Context, all []Named, words []string, mirrors Mirrors, digest func(ctx context.Context, name string) (string, error), to io.Writer) (changes []Change, unknown error) {
	for _, word := range words {
		if !slices.ContainsFunc(all, func(n Named) bool { return n.is(word) }) {
			return nil, fmt.Errorf("%s is no image of the stack; these are: %s", word, list(all))
		}
	}
	if len(words) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(n Named) bool { return !slices.ContainsFunc(words, n.is) })
	}
	found := make([]string, len(all))
	failures := make([]error, len(all))
	var asking sync.WaitGroup
	for i, n := range all {
		asking.Go(func() {
			name, err := n.tagged()
			if err == nil && name != "" {
				name = mirrors.of(name)
				found[i], err = digest(ctx, name)
				found[i] = name + "@" + found[i]
			}
			if err != nil {
				failures[i] = fmt.Errorf("%s: %s: %w", n, cmp.Or(name, n.Now), err)
			}
		})
	}
	asking.Wait()
	for i, n := range all {
		switch {
		case failures[i] != nil:
			fmt.Fprintf(to, "  %s: %s\n    could not be asked for\n", n, n.Now)
		case found[i] == "":
			fmt.Fprintf(to, "  %s: %s\n    has no tag that could mean another one\n", n, n.Now)
		case found[i] == n.Now:
			fmt.Fprintf(to, "  %s: %s\n    is what its tag means\n", n, n.Now)
		default:
			fmt.Fprintf(to, "  %s: %s\n    → %s\n", n, n.Now, found[i])
			changes = append(changes, Change{n, found[i]})
		}
	}
	return changes, errors.Join(failures...)
}

func list(all []Named) string {
	var names []string
	for _, n := range all {
		names = append(names, n.String())
	}
	return strings.Join(names, ", ")
}
