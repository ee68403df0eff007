package preview

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/console"
)

const planText = `Previewing update (dev):
    + docker:index/remoteImage:RemoteImage: (create)
        [urn=urn:pulumi:dev::tarot::tarot:index:Image$docker:index/remoteImage:RemoteImage::publish-image]
        image     : "not-an-output"
        name      : "tarot-scheduler:1"
        name      : "of-something-in-it"
    + docker:index/container:Container: (create)
        name      : "a-container"
    --outputs:--
    backend : "tarot-backend:1"
    image   : "tarot-backend:0123456789abcdef"
    image   : "nginx:1.30"
    image   : "tarot-backend:0123456789abcdef"
    image   : "$(rm)"
Resources:
    + 27 to create
    +-2 to replace
    3 unchanged
    27 of them: more
`

func TestTheHeadlineCountsAndNamesTheImages(t *testing.T) {
	if got, want := headline(planText), "27 to create, 2 to replace, 3 unchanged · `nginx:1.30` · `tarot-backend:0123456789abcdef` · `tarot-scheduler:1`"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := headline("    + 27 to create\n    image: \"nginx:1.30\"\n"); got != "" {
		t.Errorf("before its summary, a preview has said %q", got)
	}
}

func TestALargePreviewIsOneOfAllResources(t *testing.T) {
	large := strings.Replace(planText, "        name      : \"a-container\"\n", strings.Repeat("        name      : \"a-container\"\n", 100)+"    + docker:index/service:Service: (create)\n", 1)
	if large == planText {
		t.Fatal("the plan has no container")
	}
	text, used := section("prod", "", said{text: large}, 1000)
	for _, want := range []string{"+ docker:index/remoteImage:RemoteImage: (create)", "[urn=", "+ docker:index/service:Service: (create)", "--outputs:--", "27 to create", "without properties"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "a-container") || used > 1000 {
		t.Errorf("%d bytes:\n%s", used, text)
	}
	if text, _ := section("prod", "", said{text: large}, 1<<20); !strings.Contains(text, "a-container") {
		t.Error("properties are left out where there is room")
	}
}

func TestTidyKeepsWhatAReaderWants(t *testing.T) {
	text := "compiling the program: 3 s\n    [provider=urn:pulumi:dev::x]\n   \n\nin /tmp/w/project/app\nin /tmp/w/state\n  [provider] of it\nthe end"
	if got, want := tidy(text, "/tmp/w", "/tmp/w/project"), "in ./app\nin (temporary)/state\n  [provider] of it\nthe end"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestASectionForEachStack(t *testing.T) {
	var heard bytes.Buffer
	says := map[string]said{"dev": {text: planText}, "prod": {text: "as far as it came\n", messages: "error: it is ```\nno more\n", code: 255}}
	text, failed := comment([]string{"dev", "prod"}, "0123abc", func(stack string) said { return says[stack] }, console.Console{To: &heard})
	want := "<!-- tarot-preview -->\n## Preview\n" +
		"\n### dev: " + headline(planText) + "\n\n\n<details><summary>pulumi preview --diff --stack dev</summary>\n\n```text\n" + planText + "```\n\n</details>\n" +
		"\n### prod: the preview failed\n\n````text\nerror: it is ```\nno more\n````\n" +
		"\n<details><summary>pulumi preview --diff --stack prod</summary>\n\n```text\nas far as it came\n```\n\n</details>\n" +
		"\nAgainst an empty state and without secrets: everything that a stack has is “to create”.\nOf 0123abc.\n"
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if !slices.Equal(failed, []string{"prod"}) {
		t.Errorf("%q have failed", failed)
	}
	wantHeard := "  ok    dev: " + headline(planText) + "\n  warn  prod: the preview failed (status 255)\n        | error: it is ```\n        | no more\n"
	if heard.String() != wantHeard {
		t.Errorf("the log is\n%s", heard.String())
	}
	if text, _ := comment([]string{"dev"}, "", func(string) said { return said{} }, console.Console{To: &heard}); strings.Contains(text, "Of ") || strings.Contains(text, "```") {
		t.Errorf("nothing was said of no commit: %s", text)
	}
}

// What a stack leaves of its share is there for those after it, and messages take from it.
func TestSharesOfTheRoom(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	long := strings.Repeat(line, 1000)
	lines := func(stacks ...said) []int {
		names := make([]string, len(stacks))
		for i := range stacks {
			names[i] = fmt.Sprint(i)
		}
		at := 0
		text, _ := comment(names, "", func(string) said { at++; return stacks[at-1] }, console.Console{To: &bytes.Buffer{}})
		if len(text) > 65_536 {
			t.Errorf("%d bytes are more than GitHub takes", len(text))
		}
		var counts []int
		for _, section := range strings.Split(text, "\n### ")[1:] {
			counts = append(counts, strings.Count(section, line))
		}
		return counts
	}
	for _, test := range []struct {
		stacks []said
		want   []int
	}{
		{[]said{{text: long}}, []int{580}},
		{[]said{{text: long}, {text: long}}, []int{290, 289}},                                    // its fences and its note are in the way of the second
		{[]said{{text: line}, {text: long}}, []int{1, 578}},                                      // the first leaves the rest
		{[]said{{text: long, messages: long}}, []int{60 + 519}},                                  // 6,000 bytes of messages, and what is left
		{[]said{{text: long}, {text: long}, {text: long}, {text: "x"}}, []int{145, 144, 144, 0}}, // a quarter, and thirds of the rest
	} {
		if got := lines(test.stacks...); !slices.Equal(got, test.want) {
			t.Errorf("%v lines, want %v", got, test.want)
		}
	}
}
