// Package documents reads what is written for people, so that tests can hold it against what there is.
package documents

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Document is a file in Markdown.
type Document struct {
	// Path is from the project's folder, root.
	Path     string
	root     string
	Headings []Heading
	Blocks   []Block
	Links    []Link
	// Spans are the words in the text that are set as code.
	Spans []Span
}

// Heading is one, and what a link calls it.
type Heading struct {
	Line, Level  int
	Text, Anchor string
}

// Block is a block of code. Language is what stands behind ```; Fenced is false for one that is
// only indented.
type Block struct {
	Line           int
	Language, Text string
	Fenced         bool
}

// Link is one, or a picture.
type Link struct {
	Line   int
	Target string
}

// Span is a piece of code in a line of text.
type Span struct {
	Line int
	Text string
}

// All are the README and what is below docs/ of the project in a folder, but for decisions, which say
// what was so when they were made.
func All(root string) ([]Document, error) {
	var all []Document
	for _, pattern := range []string{"README*.md", "docs/*.md", "docs/runbooks/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			path, err := filepath.Rel(root, file)
			if err != nil {
				return nil, err
			}
			d, err := Read(root, filepath.ToSlash(path))
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no documents in %s", root)
	}
	return all, nil
}

// Read reads a file of the project in a folder.
func Read(root, path string) (Document, error) {
	source, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return Document{}, err
	}
	d, err := Parse(path, source)
	d.root = root
	return d, err
}

// Parse reads the text of a file.
func Parse(path string, source []byte) (Document, error) {
	d := Document{Path: path}
	line := func(at int) int { return bytes.Count(source[:at], []byte("\n")) + 1 }
	at := 0 // where the last block began
	anchors := map[string]int{}
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			at = n.Lines().At(0).Start
		}
		switch n := n.(type) {
		case *ast.Heading:
			words := plain(n, source)
			anchor := slug(words)
			if again := anchors[anchor]; again > 0 {
				anchors[anchor]++
				anchor = fmt.Sprintf("%s-%d", anchor, again)
			} else {
				anchors[anchor] = 1
			}
			d.Headings = append(d.Headings, Heading{line(at), n.Level, words, anchor})
		case *ast.FencedCodeBlock:
			d.Blocks = append(d.Blocks, Block{line(at), string(n.Language(source)), string(n.Lines().Value(source)), true})
		case *ast.CodeBlock:
			d.Blocks = append(d.Blocks, Block{line(at), "", string(n.Lines().Value(source)), false})
		case *ast.Link:
			d.Links = append(d.Links, Link{line(at), string(n.Destination)})
		case *ast.Image:
			d.Links = append(d.Links, Link{line(at), string(n.Destination)})
		case *ast.CodeSpan:
			where := at
			if first, is := n.FirstChild().(*ast.Text); is {
				where = first.Segment.Start
			}
			d.Spans = append(d.Spans, Span{line(where), strings.Join(strings.Fields(plain(n, source)), " ")})
		}
		return ast.WalkContinue, nil
	})
	return d, err
}

// plain is the text below a node.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, is := n.(*ast.Text); is && entering {
			b.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// slug is a heading's anchor, as GitHub, GitLab and Gitea make it.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}

// Outline is a document without its words, and so the same in each language: its headings by their
// levels, each with what comes before the next one: code without comments, and where links lead, sorted. What
// leads to a translated page is the same in all languages, whatever the heading there is called.
func (d Document) Outline(suffix string) []string {
	type item struct {
		line int
		text string
	}
	var items []item
	for _, b := range d.Blocks {
		items = append(items, item{b.Line, "```" + b.Language + "\n" + uncommented(b) + "```"})
	}
	var outline []string
	section := func(from, to int) {
		for _, i := range items {
			if i.line >= from && i.line < to {
				outline = append(outline, i.text)
			}
		}
		var links []string
		for _, l := range d.Links {
			if l.Line >= from && l.Line < to {
				links = append(links, "→ "+d.untranslated(l.Target, suffix))
			}
		}
		slices.Sort(links)
		outline = append(outline, links...)
	}
	const end = 1 << 30
	from := 0
	for _, h := range d.Headings {
		section(from, h.Line)
		outline = append(outline, strings.Repeat("#", h.Level))
		from = h.Line
	}
	section(from, end)
	return outline
}

// untranslated is where a link leads in the first language.
func (d Document) untranslated(target, suffix string) string {
	file, anchor, _ := strings.Cut(target, "#")
	name := strings.Replace(file, suffix+".md", ".md", 1)
	translated := name != file
	if !translated && file != "" {
		_, err := os.Stat(filepath.Join(d.root, filepath.Dir(d.Path), strings.TrimSuffix(file, ".md")+suffix+".md"))
		translated = err == nil
	}
	if anchor == "" || translated {
		return name
	}
	return name + "#" + anchor
}

// uncommented is a block without what stands behind a # or //.
func uncommented(b Block) string {
	var lines []string
	for l := range strings.Lines(b.Text) {
		l = strings.TrimRight(l, "\n")
		if strings.HasPrefix(strings.TrimSpace(l), "#") {
			continue
		}
		if before, _, found := strings.Cut(l, " #"); found {
			l = before
		}
		lines = append(lines, strings.TrimRight(l, " \t"))
	}
	if lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" }); len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
