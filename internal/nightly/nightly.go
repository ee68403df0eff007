// Package nightly looks each night whether a stack is still what its file says, and whether
// something known is wrong with what it is made of, and keeps one issue that says so.
package nightly

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"tarot-platform/internal/console"
	"tarot-platform/internal/github"
)

const (
	marker = "<!-- tarot-nightly -->"
	// The second line says what the issue is to become.
	well = "<!-- well -->"
	// room is what the output of one look may take of an issue.
	room = 25_000
)

// Command runs a command of this program, and returns what it prints and its exit code.
type Command func(ctx context.Context, args ...string) (output string, code int, err error)

// look is one of the questions, and what its command's exit codes 0 and 1 mean. Everything else
// is: nobody knows.
type look struct {
	title            string
	args             []string
	well, ill, doubt string
}

func looks(stack string) []look {
	return []look{
		{"Drift", []string{"drift", stack}, "what runs is what the stack's file says", "what runs is something else than the stack's file says", "whether something has drifted can't be told"},
		{"Vulnerabilities", []string{"scan", stack}, "clean", "found", "not scanned"},
	}
}

// Write looks, writes what is found as the text of an issue, and returns the worst: 0, 1 or 2 (it
// can't be told), as the commands have it.
func Write(ctx context.Context, stack, file string, run Command, say console.Console) (worst int, err error) {
	say.Step("What is of %s by night", stack)
	var text strings.Builder
	for _, l := range looks(stack) {
		output, code, err := run(ctx, l.args...)
		if ctx.Err() != nil {
			return 2, ctx.Err()
		}
		if err != nil {
			output, code = output+err.Error()+"\n", 2
		}
		word := l.doubt
		switch code {
		case 0:
			word = l.well
			say.OK("%s: %s", l.title, word)
		case 1:
			word = l.ill
		default:
			code = 2
		}
		if code > 0 {
			say.Warn("%s: %s (stack %s: exit code %d)", l.title, word, strings.Join(l.args, " "), code)
			say.Quote(output)
		}
		worst = max(worst, code)
		fmt.Fprintf(&text, "\n### %s: %s\n\n`stack %s`\n\n%s", l.title, word, strings.Join(l.args, " "), github.Fenced(output, room))
	}
	second := ""
	if worst == 0 {
		second = well + "\n"
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a folder in the project
		return worst, err
	}
	all := marker + "\n" + second + "What was looked at in the night, of the stack " + stack + ".\n" + text.String()
	return worst, os.WriteFile(file, []byte(all), 0o644) //nolint:gosec // no secret is in it
}

// Post opens an issue for what is in the file, or changes the one that is open, or closes it where all is well
// again. A file that is not there is told, too: then nobody has looked. It is for GitHub Actions:
// GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN (may write issues), GITHUB_SERVER_URL and GITHUB_RUN_ID.
func Post(ctx context.Context, file string, env func(string) string, say console.Console) error {
	g, err := github.New(env, "GITHUB_SERVER_URL", "GITHUB_RUN_ID")
	if err != nil {
		return err
	}
	run := fmt.Sprintf("%s/%s/actions/runs/%s", env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"), env("GITHUB_RUN_ID"))
	text, err := github.Marked(file, marker)
	if os.IsNotExist(err) {
		text, err = marker+"\n**Nobody has looked**: the nightly run ended before it had found anything out.\n", nil
	}
	if err != nil {
		return err
	}
	text += "\nOf " + run + "\n"
	number, err := find(ctx, g)
	if err != nil {
		return err
	}
	issue := fmt.Sprintf("/issues/%d", number)
	isWell := strings.HasPrefix(text, marker+"\n"+well+"\n")
	switch {
	case isWell && number == 0:
		say.OK("all is well, and no issue is open")
		return nil
	case isWell:
		say.OK("all is well again: issue %d is closed", number)
		return g.Call(ctx, http.MethodPatch, issue, map[string]string{"body": text, "state": "closed"}, nil)
	case number != 0:
		say.OK("issue %d says so", number)
		return g.Call(ctx, http.MethodPatch, issue, map[string]string{"body": text}, nil)
	}
	say.OK("an issue is opened")
	return g.Call(ctx, http.MethodPost, "/issues", map[string]string{"title": "Found in the night", "body": text}, nil)
}

// find is the number of our open issue, or 0.
func find(ctx context.Context, g github.Client) (int, error) {
	for page := 1; ; page++ {
		var issues []struct {
			Number int
			Body   string
			User   struct{ Login string }
		}
		if err := g.Call(ctx, http.MethodGet, fmt.Sprintf("/issues?state=open&per_page=%d&page=%d", github.PerPage, page), nil, &issues); err != nil {
			return 0, err
		}
		for _, i := range issues {
			if i.User.Login == github.Author && strings.HasPrefix(i.Body, marker) {
				return i.Number, nil
			}
		}
		if len(issues) < github.PerPage {
			return 0, nil
		}
	}
}
