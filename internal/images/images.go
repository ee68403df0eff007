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

// Named is an image that a stack uses.
type Named struct {
	// Key is where the stack file names it, or may: the keys, from the top, without the namespace.
	// Empty: nowhere, it is the program's own choice.
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
	slices.SortFunc(all, func(a, b Named) int { return cmp.Or(slices.Compare(a.Key, b.Key), cmp.Compare(a.Now, b.Now)) })
	return slices.CompactFunc(all, func(a, b Named) bool { return slices.Equal(a.Key, b.Key) && (len(a.Key) > 0 || a.Now == b.Now) })
}

// String is the key as `pulumi config` shows it.
func (n Named) String() string {
	if len(n.Key) > len(ofBases) && slices.Equal(n.Key[:len(ofBases)], ofBases) {
		return fmt.Sprintf("%s[%q]", strings.Join(ofBases, "."), n.Key[len(ofBases)])
	}
	return cmp.Or(strings.Join(n.Key, "."), n.Now)
}

// place is the image with where it is named.
func (n Named) place() string {
	if len(n.Key) == 0 {
		return n.Now
	}
	return n.String() + ": " + n.Now
}

// is is true where somebody may mean the image by a word: its key, or what is there.
func (n Named) is(word string) bool {
	tagged, _ := n.tagged()
	if len(n.Key) > 0 && n.Key[len(n.Key)-1] == word {
		return true
	}
	return slices.Contains([]string{n.String(), n.Now, tagged}, word)
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

// MirrorsOf are those that the environment names.
func MirrorsOf(env func(string) string) Mirrors {
	return Mirrors{Hub: env("TAROT_REGISTRY_MIRROR"), GHCR: env("TAROT_GHCR_MIRROR")}
}

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
	// Exact is what the stack file is to have, where that has a digest already. Empty: the lock has it.
	Exact  string
	Locked Locked
	// From and To are the image before and now, each by its digest, where it is fetched; From is empty
	// where nobody has written down which one it was.
	From, To string
}

// Ask asks for the digest behind each tag, and tells what it hears, a line an image. changes
// are those that are other ones than the stack file says, where that has a digest, or else the lock.
// unknown is why some could not be asked for, each with its name; of these nothing is known. Those
// that words do not mean are left out; none: all are meant. Version says what version an image is, or
// nothing.
func Ask(ctx context.Context, all []Named, lock Lock, words []string, mirrors Mirrors, digest func(ctx context.Context, name string) (string, error),
	version func(ctx context.Context, exact string) string, to io.Writer) (changes []Change, unknown error) {
	for _, word := range words {
		if !slices.ContainsFunc(all, func(n Named) bool { return n.is(word) }) {
			return nil, fmt.Errorf("%s is no image of the stack; these are: %s", word, list(all))
		}
	}
	if len(words) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(n Named) bool { return !slices.ContainsFunc(words, n.is) })
	}
	found := make([]Change, len(all))
	failures := make([]error, len(all))
	var asking sync.WaitGroup
	for i, n := range all {
		asking.Go(func() { found[i], failures[i] = n.ask(ctx, lock, mirrors, digest, version) })
	}
	asking.Wait()
	for i, n := range all {
		c := found[i]
		now, locked := lock.Of(n.Now)
		fmt.Fprintf(to, "  %s\n", n.place())
		switch {
		case failures[i] != nil:
			fmt.Fprint(to, "    could not be asked for\n")
		case c.Locked.Digest == "":
			fmt.Fprint(to, "    has no tag that could mean another one\n")
		case c.Exact == n.Now, c.Exact == "" && c.Locked.Digest == now.Digest:
			fmt.Fprint(to, "    is what its tag means\n")
		default:
			was := ""
			if !locked && c.Exact != "" {
				_, now.Digest, _ = strings.Cut(n.Now, "@")
			}
			if now.Digest != "" {
				was = now.String() + " "
				name, _, _ := strings.Cut(c.To, "@")
				c.From = name + "@" + now.Digest
			}
			fmt.Fprintf(to, "    %s→ %s\n", was, c.Locked)
			changes = append(changes, c)
		}
	}
	return changes, errors.Join(failures...)
}

// ask is what the image means now.
func (n Named) ask(ctx context.Context, lock Lock, mirrors Mirrors, digest func(ctx context.Context, name string) (string, error), version func(ctx context.Context, exact string) string) (Change, error) {
	name, err := n.tagged()
	c := Change{Named: n}
	if err == nil && name != "" {
		name = mirrors.of(name)
		c.Locked.Digest, err = digest(ctx, name)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %s: %w", n, cmp.Or(name, n.Now), err)
	}
	if name == "" {
		return c, nil
	}
	exact := name + "@" + c.Locked.Digest
	c.To = exact
	if strings.Contains(n.Now, "@") {
		c.Exact = exact
	}
	if now, _ := lock.Of(n.Now); exact != n.Now && c.Locked.Digest != now.Digest {
		c.Locked.Version = version(ctx, exact)
	}
	return c, nil
}

func list(all []Named) string {
	var names []string
	for _, n := range all {
		names = append(names, n.String())
	}
	return strings.Join(names, ", ")
}
