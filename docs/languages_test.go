package docs

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/documents"
)

const chinese = ".zh-CN"

// Both languages say the same: as many headings of the same levels, and below each the same code, but for
// its comments, and the same links.
func TestTheLanguagesSayTheSame(t *testing.T) {
	checked := 0
	for _, translated := range all(t) {
		first, is := strings.CutSuffix(translated.Path, chinese+".md")
		if !is {
			continue
		}
		checked++
		original, err := documents.Read(root, first+".md")
		if err != nil {
			t.Errorf("%s is a translation of what is not there: %v", translated.Path, err)
			continue
		}
		got, want := translated.Outline(chinese), original.Outline(chinese)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("%s and %s differ below heading %d:\n%s\nand\n%s", translated.Path, original.Path, headings(want[:min(i, len(want))]), at(got, i), at(want, i))
				break
			}
		}
	}
	for _, first := range []string{"README", "docs/start", "docs/own-application", "docs/faq"} {
		if !slices.ContainsFunc(all(t), func(d documents.Document) bool { return d.Path == first+chinese+".md" }) {
			t.Errorf("a first day needs %s.md in Chinese", first)
		}
	}
	if checked == 0 {
		t.Error("nothing is translated")
	}
}

func at(outline []string, i int) string {
	if i < len(outline) {
		return outline[i]
	}
	return "(its end)"
}

func headings(outline []string) (n int) {
	for _, o := range outline {
		if strings.HasPrefix(o, "#") {
			n++
		}
	}
	return n
}
