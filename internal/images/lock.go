package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// LockFile is the one of a project: what the tags of images mean, for all of its stacks.
const LockFile = "images.lock"

const head = `# What the tags of images mean, for all stacks: the name, the digest, and the version that it was.
# "make images-update" writes it. To be committed.
`

// Locked is what a tag means.
type Locked struct{ Digest, Version string }

// String is the version, where it is known, and as much of the digest as people compare.
func (l Locked) String() string {
	algorithm, sum, _ := strings.Cut(l.Digest, ":")
	short := algorithm + ":" + sum[:min(12, len(sum))]
	if l.Version == "" {
		return short
	}
	return l.Version + ", " + short
}

// Lock says what tags mean. Lines of people's own stay as they are.
type Lock struct {
	lines []string
	at    map[string]int
}

// ReadLock reads a file. One that is not there locks nothing.
func ReadLock(file string) (Lock, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Lock{}, err
	}
	lock, err := parseLock(string(text))
	if err != nil {
		return Lock{}, fmt.Errorf("%s, %w", file, err)
	}
	return lock, nil
}

func parseLock(text string) (Lock, error) {
	lock := Lock{at: map[string]int{}}
	if text == "" {
		return lock, nil
	}
	lock.lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for n, line := range lock.lines {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		name := ofLock(words[0])
		_, twice := lock.at[name]
		switch {
		case name == "":
			return lock, fmt.Errorf("line %d: %q is not allowed; allowed: an image's name with its tag", n+1, words[0])
		case twice:
			return lock, fmt.Errorf("line %d: %s is there twice", n+1, name)
		case len(words) < 2 || len(words) > 3 || digest.Digest(words[1]).Validate() != nil:
			return lock, fmt.Errorf("line %d: %q is not allowed; allowed: a name, a digest such as sha256:…, and a version, if any", n+1, line)
		}
		lock.at[name] = n
	}
	return lock, nil
}

// ofLock is the name by which the lock has an image: as people write it, with its tag. Empty: what is
// named by a digest, or not named at all.
func ofLock(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return ""
	}
	if _, digested := named.(reference.Digested); digested {
		return ""
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// Of is what an image's tag means.
func (l Lock) Of(name string) (Locked, bool) {
	n, is := l.at[ofLock(name)]
	if !is {
		return Locked{}, false
	}
	words := append(strings.Fields(l.lines[n]), "")
	return Locked{words[1], words[2]}, true
}

// With is the lock in which the tag means that.
func (l Lock) With(name string, to Locked) (Lock, error) {
	name = ofLock(name)
	line := strings.TrimSpace(name + " " + to.Digest + " " + to.Version)
	lines := slices.Clone(l.lines)
	if n, is := l.at[name]; is {
		lines[n] = line
	} else {
		lines = append(lines, line)
	}
	return parseLock(strings.Join(lines, "\n"))
}

// Empty is true where nothing is locked.
func (l Lock) Empty() bool { return len(l.at) == 0 }

// Text is what the file has.
func (l Lock) Text() []byte {
	text := strings.Join(l.lines, "\n") + "\n"
	if len(l.lines) == len(l.at) { // new
		text = head + text
	}
	return []byte(text)
}
