package documents

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const sample = "# A title\n\nText with `make\ndev`, [a link](other.md#there) and ![a picture](x.svg).\n\n" +
	"- in a list:\n\n  ```sh\n  make up # now\n\n  # alone\n  echo \"#1\"\n  ```\n\n| `a` | [b](c.md) |\n|---|---|\n| d | e |\n\n" +
	"## Of `make`: 3, twice\n\n    indented\n\n## Of `make`: 3, twice\n"

func TestADocumentIsRead(t *testing.T) {
	d, err := Parse("docs/x.md", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := Document{
		Path:     "docs/x.md",
		Headings: []Heading{{1, 1, "A title", "a-title"}, {19, 2, "Of make: 3, twice", "of-make-3-twice"}, {23, 2, "Of make: 3, twice", "of-make-3-twice-1"}},
		Blocks:   []Block{{9, "sh", "make up # now\n\n# alone\necho \"#1\"\n", true}, {21, "", "indented\n", false}},
		Links:    []Link{{3, "other.md#there"}, {3, "x.svg"}, {15, "c.md"}},
		Spans:    []Span{{3, "make dev"}, {15, "a"}, {19, "make"}, {23, "make"}},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("%+v\nwant\n%+v", d, want)
	}
}

func TestAnOutlineIsTheSameInEachLanguage(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "other.zh-CN.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(text string) []string {
		d, err := Parse("x.md", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		d.root = folder
		return d.Outline(".zh-CN")
	}
	want := of(sample)
	translated := strings.NewReplacer("A title", "标题", "# now", "# 现在", "other.md#there", "other.zh-CN.md#那里", "Of `make`", "关于 `make`", "  # alone\n", "").Replace(sample)
	if got := of(translated); !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	for name, broken := range map[string]string{
		"another command": strings.Replace(sample, "make up", "make down", 1), "another link": strings.Replace(sample, "c.md", "d.md", 1),
		"a heading less": strings.Replace(sample, "## Of `make`: 3, twice\n\n", "", 1), "another anchor": strings.Replace(sample, "c.md", "c.md#x", 1),
		"another language": strings.Replace(sample, "```sh", "```yaml", 1), "a heading of another level": strings.Replace(sample, "## Of", "### Of", 1),
	} {
		if reflect.DeepEqual(of(broken), want) {
			t.Errorf("%s: it is the same", name)
		}
	}
}

func TestTheCommandsOfAPieceOfShell(t *testing.T) {
	got, err := Commands("export A=1 B=2\nX=1 make up STACK='a b' # no\ncurl \"$(pulumi stack output url -s dev)/x\" |\n  head -n 1 && if true; then echo \"$HOME/y\"; fi\n")
	want := []Command{
		{Line: 1, Set: []string{"A", "B"}, Words: []string{"export"}},
		{Line: 2, Set: []string{"X"}, Words: []string{"make", "up", "STACK=a b"}},
		{Line: 3, Words: []string{"curl", "$(pulumi stack output url -s dev)/x"}},
		{Line: 3, Words: []string{"pulumi", "stack", "output", "url", "-s", "dev"}},
		{Line: 4, Words: []string{"head", "-n", "1"}},
		{Line: 4, Words: []string{"true"}},
		{Line: 4, Words: []string{"echo", "$HOME/y"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %+v\nwant\n%+v", err, got, want)
	}
	if _, err := Commands("if true; then"); err == nil {
		t.Error("half a command is one")
	}
}
