package github

import (
	"fmt"
	"strings"
	"testing"
)

func TestABlockOfCodeCanNotBeEndedByWhatIsInIt(t *testing.T) {
	for text, want := range map[string]string{
		"one\n\ntwo\n\n": "```text\none\n\ntwo\n```\n",
		"no line end":    "```text\nno line end\n```\n",
		"a ``` b":        "````text\na ``` b\n````\n",
		"````\n```\n":    "`````text\n````\n```\n`````\n",
	} {
		if got := Fenced(text, 100); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWhatDoesNotFitIsCounted(t *testing.T) {
	text := "12345\nlonger than that\n1\n2\n"
	const note = "… and %d lines more, for which there is no room here"
	for limit, want := range map[int]string{
		27: strings.TrimSpace(text),
		26: "12345\nlonger than that\n1\n" + fmt.Sprintf(note, 1),
		10: "12345\n" + fmt.Sprintf(note, 3), // no shorter line after one that is left out
		6:  "12345\n" + fmt.Sprintf(note, 3),
		5:  fmt.Sprintf(note, 4),
		-1: fmt.Sprintf(note, 4),
	} {
		if got := Fenced(text, limit); got != "```text\n"+want+"\n```\n" {
			t.Errorf("%d bytes: %q, want %q", limit, got, want)
		}
	}
	if got := Fenced("éé\n", 4); !strings.Contains(got, "1 lines more") {
		t.Errorf("characters are counted, not bytes: %q", got)
	}
}
