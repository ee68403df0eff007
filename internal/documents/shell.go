package documents

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Command is one of a piece of shell: the variables that are set for it alone, and its words. A word
// that is made while it runs is as it is written.
type Command struct {
	Line       int
	Set, Words []string
}

// Commands are those of a piece of shell, also within others: in $(…), behind &&, in a loop.
func Commands(shell string) ([]Command, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(shell), "")
	if err != nil {
		return nil, err
	}
	var all []Command
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CallExpr:
			c := Command{Line: int(n.Pos().Line())} //nolint:gosec // a line's number
			for _, a := range n.Assigns {
				c.Set = append(c.Set, a.Name.Value)
			}
			for _, w := range n.Args {
				c.Words = append(c.Words, word(w))
			}
			all = append(all, c)
		case *syntax.DeclClause: // export
			c := Command{Line: int(n.Pos().Line()), Words: []string{n.Variant.Value}} //nolint:gosec // a line's number
			for _, a := range n.Args {
				if a.Name != nil {
					c.Set = append(c.Set, a.Name.Value)
				}
			}
			all = append(all, c)
		}
		return true
	})
	return all, nil
}

// word is a word without its quotes.
func word(w *syntax.Word) string {
	var b strings.Builder
	var part func(syntax.WordPart)
	part = func(p syntax.WordPart) {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			for _, inner := range p.Parts {
				part(inner)
			}
		default:
			_ = syntax.NewPrinter().Print(&b, p)
		}
	}
	for _, p := range w.Parts {
		part(p)
	}
	return b.String()
}
