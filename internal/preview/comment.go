package preview

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tarot-platform/internal/console"
	"tarot-platform/internal/github"
)

// GitHub takes 65,536 characters: so many bytes for what Pulumi says of all stacks, and of
// those for the messages of one.
const (
	room          = 58_000
	messagesLimit = 6_000
)

// marker is the comment's first line, by which the next run finds it.
const marker = "<!-- tarot-preview -->"

// said is what Pulumi says of a stack: the preview, its messages, and its exit code.
type said struct {
	text, messages string
	code           int
	// against is what it was held against; nil: an empty state, and instead why that is so.
	against *comparison
	instead string
}

// comment has a section for each stack, in its share of the room that those before it have
// left. Failed are the stacks whose preview has failed.
func comment(stacks []string, of string, preview func(stack string) said, say console.Console) (text string, failed []string) {
	var all strings.Builder
	all.WriteString(marker + "\n## Preview\n")
	left := room
	var empty []string
	for i, stack := range stacks {
		s := preview(stack)
		title := headline(s.text)
		if s.against != nil {
			title = s.against.headline()
		} else {
			empty = append(empty, stack)
		}
		if s.code == 0 {
			say.OK("%s: %s", stack, title)
		} else {
			title = "the preview failed"
			failed = append(failed, stack)
			say.Warn("%s: %s (status %d)", stack, title, s.code)
			say.Quote(s.messages)
		}
		section, used := section(stack, title, s, left/(len(stacks)-i))
		all.WriteString(section)
		left -= used
	}
	switch {
	case len(empty) == len(stacks):
		all.WriteString("\nAgainst an empty state and without secrets: everything that a stack has is “to create”.\n")
	case len(empty) > 0:
		fmt.Fprintf(&all, "\n%s: against an empty state and without secrets, everything that it has is “to create”.\n", strings.Join(empty, ", "))
	}
	if of != "" {
		fmt.Fprintf(&all, "Of %s.\n", of)
	}
	return all.String(), failed
}

// section is what the comment says of a stack; used are the bytes that Pulumi's words take.
func section(stack, title string, s said, share int) (text string, used int) {
	text = fmt.Sprintf("\n### %s: %s\n\n", stack, title)
	if s.messages != "" {
		why := github.Fenced(s.messages, messagesLimit)
		text, used = text+why, len(why)
	}
	if s.instead != "" {
		text += "\n" + cell(s.instead) + "\n"
	}
	if s.against != nil && s.code == 0 {
		what := s.against.markdown(stack, share-used)
		return text + what, used + len(what)
	}
	if s.text != "" {
		shown := s.text
		if len(shown) > share-used {
			shown = resources(shown)
		}
		what := github.Fenced(shown, share-used)
		text += fmt.Sprintf("\n<details><summary>pulumi preview --diff --stack %s</summary>\n\n%s\n</details>\n", stack, what)
		used += len(what)
	}
	return text, used
}

// resources are a preview without the properties of what is created or changed: of a large stack
// all that it has says more than all of the first half.
func resources(preview string) string {
	const note = "(without properties, for which there is no room in a comment)\n"
	var kept strings.Builder
	depth := -1
	for line := range strings.Lines(preview) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if resourceLine.MatchString(strings.TrimSuffix(line, "\n")) {
			depth = indent
		} else if depth >= 0 && indent > depth && !strings.HasPrefix(line[indent:], "[urn=") {
			continue
		} else if indent <= depth {
			depth = -1
		}
		kept.WriteString(line)
	}
	if kept.Len() == len(preview) {
		return preview
	}
	return note + kept.String()
}

var (
	count = regexp.MustCompile(`^ *[-+~ ]*([0-9]+ [a-z ]*)$`)
	image = regexp.MustCompile(`^ *image *: "([A-Za-z0-9._:@/-]*)"$`)
	// What is pulled or built: in programs that jobs run alone, no output names it.
	resourceLine = regexp.MustCompile(`^ *[-+~ ]+ ([a-z-]+:[A-Za-z/]+:[A-Za-z]+): \(`)
	called       = regexp.MustCompile(`^ *name *: "([A-Za-z0-9._:@/-]*)"$`)
)

const remoteImage = "docker:index/remoteImage:RemoteImage"

// headline is what a preview comes to: "27 to create · `tarot-backend:0123456789abcdef` · `nginx:1.30`".
func headline(preview string) string {
	var counts, images []string
	resources, outputs, of := false, false, ""
	for line := range strings.SplitSeq(preview, "\n") {
		resources = resources || strings.HasPrefix(line, "Resources:")
		outputs = outputs || strings.Contains(line, "--outputs:--")
		if found := count.FindStringSubmatch(line); resources && found != nil {
			counts = append(counts, found[1])
		}
		if found := image.FindStringSubmatch(line); outputs && found != nil {
			images = append(images, " · `"+found[1]+"`")
		}
		if found := resourceLine.FindStringSubmatch(line); found != nil {
			of = found[1]
		}
		if found := called.FindStringSubmatch(line); found != nil && of == remoteImage {
			images = append(images, " · `"+found[1]+"`")
			of = "" // what else is called so in it is not the image
		}
	}
	slices.Sort(images)
	return strings.Join(counts, ", ") + strings.Join(slices.Compact(images), "")
}

// Lines that differ from machine to machine, or say nothing to a reader.
var noise = regexp.MustCompile(`^ *\[provider=urn:|^compiling the program|^ *$`)

// tidy is the text without noise, and without the paths of the temporary folder, whose
// project is where a reader thinks to be.
func tidy(text, work, project string) string {
	var kept strings.Builder
	for line := range strings.Lines(strings.NewReplacer(project, ".", work, "(temporary)").Replace(text)) {
		if !noise.MatchString(strings.TrimSuffix(line, "\n")) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
