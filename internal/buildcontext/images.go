package buildcontext

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// mention is a place of a Dockerfile that names an image.
type mention struct {
	// image is the name as Familiar writes it, and word what is written there.
	image, word string
	// first and last are the lines, from 1, of the instruction.
	first, last int
}

// Images are the images that the Dockerfile names and a registry may give another meaning:
// bases, and what is copied or mounted from. Those by a digest are not among them. They are
// sorted, each once, as Familiar writes them.
func (b Build) Images() ([]string, error) {
	_, all, err := b.mentions()
	var names []string
	for _, m := range all {
		names = append(names, m.image)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// Familiar is an image's name as people write it: without what goes without saying of the
// registry, and with its tag.
func Familiar(name string) (string, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", fmt.Errorf("image %q: %w", name, err)
	}
	return reference.FamiliarString(reference.TagNameOnly(named)), nil
}

// Pinned writes the Dockerfile with the images of BaseImages in place of those that they
// stand for into a folder, and returns the build by that one. Lines keep their numbers.
func (b Build) Pinned(folder string) (Build, error) {
	text, all, err := b.mentions()
	if err != nil {
		return b, err
	}
	lines := strings.SplitAfter(string(text), "\n")
	for _, m := range all {
		if exact := b.BaseImages[m.image]; exact != "" {
			if !m.replace(lines, exact) {
				return b, fmt.Errorf("%s, line %d: the image %s is to be %s, and it can't be told where it is named: write it in one word", b.Dockerfile, m.first, m.image, exact)
			}
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return b, err
	}
	name := filepath.Base(b.Dockerfile)
	// What is beside a Dockerfile by its name says what of the context is left out.
	ignore, err := os.ReadFile(b.dockerfile() + ".dockerignore")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".dockerignore"), ignore, 0o644)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), []byte(strings.Join(lines, "")), 0o644)); err != nil {
		return b, err
	}
	b.Dockerfile, err = from(b.Context, filepath.Join(folder, name))
	return b, err
}

// from is a path relative to a folder.
func from(folder, path string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	return filepath.Rel(folder, path)
}

// replace puts an image in place of the mention, and is false where that is not found.
func (m mention) replace(lines []string, exact string) bool {
	word := regexp.MustCompile(`(^|[\s=,"'])` + regexp.QuoteMeta(m.word) + `($|[\s,"'])`)
	for i := m.first - 1; i < min(m.last, len(lines)); i++ {
		if at := word.FindStringSubmatchIndex(lines[i]); at != nil {
			lines[i] = lines[i][:at[3]] + exact + lines[i][at[4]:]
			return true
		}
	}
	return false
}

// pinned are those of BaseImages that the Dockerfile names.
func (b Build) pinned() (map[string]string, error) {
	if len(b.BaseImages) == 0 {
		return nil, nil
	}
	names, err := b.Images()
	used := map[string]string{}
	for _, name := range names {
		if exact := b.BaseImages[name]; exact != "" {
			used[name] = exact
		}
	}
	return used, err
}

// mentions are the Dockerfile, and where it names images.
func (b Build) mentions() ([]byte, []mention, error) {
	text, err := os.ReadFile(b.dockerfile())
	if err != nil {
		return nil, nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", b.dockerfile(), err)
	}
	r := reader{lex: shell.NewLex(parsed.EscapeToken), given: b.Args, arguments: platformArguments(b.Platform), stages: map[string]bool{"scratch": true}}
	for _, instruction := range parsed.AST.Children {
		if err := r.read(instruction); err != nil {
			return nil, nil, fmt.Errorf("%s, line %d: %w", b.dockerfile(), instruction.StartLine, err)
		}
	}
	return text, r.found, nil
}

// dockerfile is the Dockerfile's path.
func (b Build) dockerfile() string { return filepath.Join(b.Context, b.Dockerfile) }

// platformArguments are those of the arguments that BuildKit itself gives, before the first
// stage, that may be in an image's name.
func platformArguments(platform string) map[string]string {
	parts := append(strings.Split(platform, "/"), "", "")
	return map[string]string{"TARGETPLATFORM": platform, "TARGETOS": parts[0], "TARGETARCH": parts[1], "TARGETVARIANT": parts[2]}
}

// reader reads a Dockerfile's instructions, one after the other.
type reader struct {
	lex *shell.Lex
	// given are the build arguments, and arguments those that the Dockerfile has before its
	// first stage, with their values.
	given, arguments map[string]string
	// stages are the names of those that were begun, and how many these are.
	stages map[string]bool
	begun  int
	found  []mention
}

func (r *reader) read(n *parser.Node) error {
	switch strings.ToLower(n.Value) {
	case command.Arg:
		if r.begun > 0 { // it is the stage's own
			return nil
		}
		for next := n.Next; next != nil; next = next.Next {
			if err := r.argument(next.Value); err != nil {
				return err
			}
		}
	case command.From:
		if n.Next == nil {
			return errors.New("FROM needs an image")
		}
		name, err := r.expand(n.Next.Value)
		if err == nil {
			err = r.add(n, n.Next.Value, name)
		}
		if as := n.Next.Next; as != nil && strings.EqualFold(as.Value, "as") && as.Next != nil {
			r.stages[strings.ToLower(as.Next.Value)] = true
		}
		r.stages[strconv.Itoa(r.begun)] = true
		r.begun++
		return err
	case command.Copy, command.Run:
		for _, flag := range n.Flags {
			if source := sourceOf(flag); source != "" {
				if err := r.add(n, source, source); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sourceOf is what `--from=` or `--mount=…,from=` of a flag names; empty: nothing.
func sourceOf(flag string) string {
	if source, is := strings.CutPrefix(flag, "--from="); is {
		return source
	}
	options, is := strings.CutPrefix(flag, "--mount=")
	if !is {
		return ""
	}
	for option := range strings.SplitSeq(options, ",") {
		if source, is := strings.CutPrefix(option, "from="); is {
			return source
		}
	}
	return ""
}

func (r *reader) argument(text string) error {
	name, value, has := strings.Cut(text, "=")
	if given, is := r.given[name]; is {
		r.arguments[name] = given
		return nil
	}
	if !has {
		return nil
	}
	value, err := r.expand(value)
	r.arguments[name] = value
	return err
}

func (r *reader) expand(word string) (string, error) {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.arguments)) {
		all = append(all, name+"="+r.arguments[name])
	}
	expanded, _, err := r.lex.ProcessWord(word, shell.EnvsFromSlice(all))
	return expanded, err
}

// add adds an image that is none of the stages, and has no digest.
func (r *reader) add(n *parser.Node, word, name string) error {
	if name == "" || r.stages[strings.ToLower(name)] || strings.Contains(name, "@") || strings.Contains(name, "$") {
		return nil
	}
	familiar, err := Familiar(name)
	r.found = append(r.found, mention{familiar, word, n.StartLine, n.EndLine})
	return err
}
