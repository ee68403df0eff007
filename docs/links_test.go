package docs

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/documents"
)

const root = ".."

func all(t *testing.T) []documents.Document {
	t.Helper()
	read, err := documents.All(root)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// Each link into the project leads to a file, and to a heading of it.
func TestLinksLeadSomewhere(t *testing.T) {
	read, anchors, checked := all(t), map[string][]string{}, 0
	for _, d := range read {
		for _, h := range d.Headings {
			anchors[d.Path] = append(anchors[d.Path], h.Anchor)
		}
	}
	for _, d := range read {
		for _, l := range d.Links {
			if strings.Contains(l.Target, "://") || strings.HasPrefix(l.Target, "mailto:") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(l.Target, "#")
			to := d.Path
			if file != "" {
				to = path.Join(path.Dir(d.Path), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s:%d: %s: there is no %s", d.Path, l.Line, l.Target, to)
			} else if known, read := anchors[to]; anchor != "" && read && !slices.Contains(known, anchor) {
				t.Errorf("%s:%d: %s: %s has no such heading; it has %q", d.Path, l.Line, l.Target, to, known)
			}
		}
	}
	if checked < 400 {
		t.Errorf("%d links are looked at, and there should be more", checked)
	}
}

// Whoever looks for a page finds it in the index.
func TestTheIndexHasEachPage(t *testing.T) {
	linked := map[string]bool{}
	index, err := documents.Read(root, "docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range index.Links {
		file, _, _ := strings.Cut(l.Target, "#")
		linked[path.Join("docs", file)] = true
	}
	for _, d := range all(t) {
		if strings.HasPrefix(d.Path, "docs/") && !strings.HasPrefix(d.Path, "docs/runbooks/") && d.Path != "docs/README.md" && !linked[d.Path] {
			t.Errorf("docs/README.md has no link to %s", d.Path)
		}
	}
	for _, readme := range []string{"README.md", "README.zh-CN.md"} {
		d, err := documents.Read(root, readme)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(d.Links, func(l documents.Link) bool { return l.Target == "docs/README.md" }) {
			t.Errorf("%s has no link to docs/README.md", readme)
		}
	}
}

// A merge that takes the lines of both sides leaves rows outside of their tables, and paragraphs twice.
func TestNoMergeHasTornADocument(t *testing.T) {
	for _, d := range append(all(t), documents.Document{Path: "CHANGELOG.md"}) {
		text, err := os.ReadFile(filepath.Join(root, d.Path))
		if err != nil {
			t.Fatal(err)
		}
		inCode, seen := false, map[string]int{}
		lines := strings.Split(string(text), "\n")
		for i, l := range lines {
			if strings.HasPrefix(strings.TrimSpace(l), "```") {
				inCode = !inCode
			}
			if inCode || len(l) < 2 {
				continue
			}
			switch {
			case strings.HasPrefix(l, "<<<<<<<"), strings.HasPrefix(l, ">>>>>>>"):
				t.Errorf("%s:%d: a merge is not finished", d.Path, i+1)
			case strings.HasPrefix(l, "|") && !strings.HasSuffix(l, "|"):
				t.Errorf("%s:%d: a row that does not end", d.Path, i+1)
			case strings.HasPrefix(l, "|") && !strings.HasPrefix(lines[i-1], "|") && !strings.HasPrefix(lines[i+1], "|--"):
				t.Errorf("%s:%d: a row outside of a table", d.Path, i+1)
			}
			if len(l) > 60 && !strings.HasPrefix(l, "<!-- picture: ") {
				if before, twice := seen[l]; twice {
					t.Errorf("%s:%d: line %d once more", d.Path, i+1, before)
				}
				seen[l] = i + 1
			}
		}
	}
}
