package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/console"
)

const (
	// author is who the runner's token belongs to; somebody else's comment that
	// quotes the marker is not ours to change.
	author  = "github-actions[bot]"
	perPage = 100
	timeout = time.Minute
)

// Post puts the comment in a file under the pull requests whose newest commit was looked at: as a
// new comment, or in place of the one that an earlier run has left there. It is meant for GitHub
// Actions and takes everything from the environment:
//
//	GITHUB_API_URL, GITHUB_REPOSITORY    set by the runner
//	GITHUB_TOKEN                         may write to pull requests
//	HEAD_OWNER, HEAD_BRANCH, HEAD_SHA    the commit, and where it was pushed to, as GitHub says
//
// The text was made by the code of the pull request, which could say anything: so it names no pull
// request, and takes the place of no comment but ours.
func Post(ctx context.Context, file string, env func(string) string, say console.Console) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, name := range []string{"GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "HEAD_OWNER", "HEAD_BRANCH", "HEAD_SHA"} {
		if env(name) == "" {
			return fmt.Errorf("%s is not set", name)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != marker {
		return fmt.Errorf("%s: the first line is not %s, by which the comment would be found again", file, marker)
	}
	g := github{ctx: ctx, token: env("GITHUB_TOKEN"), repository: env("GITHUB_API_URL") + "/repos/" + env("GITHUB_REPOSITORY")}
	numbers, err := g.pullRequests(env("HEAD_OWNER")+":"+env("HEAD_BRANCH"), env("HEAD_SHA"))
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		say.Note("%s is the newest commit of no open pull request any more: nothing to comment on", env("HEAD_SHA"))
	}
	for _, number := range numbers {
		if err := g.post(number, string(text)); err != nil {
			return err
		}
	}
	return nil
}

type github struct {
	ctx               context.Context
	token, repository string
}

// pullRequests are the numbers of the open ones of a branch (owner:name) that end with a commit.
func (g github) pullRequests(head, sha string) (numbers []int, err error) {
	var open []struct {
		Number int
		Head   struct{ SHA string }
	}
	query := url.Values{"state": {"open"}, "head": {head}, "per_page": {strconv.Itoa(perPage)}}
	err = g.call(http.MethodGet, "/pulls?"+query.Encode(), nil, &open)
	for _, p := range open {
		if p.Head.SHA == sha {
			numbers = append(numbers, p.Number)
		}
	}
	return numbers, err
}

func (g github) post(number int, text string) error {
	issue := fmt.Sprintf("/issues/%d/comments", number)
	id, err := g.find(issue, marker)
	if err != nil {
		return err
	}
	body := map[string]string{"body": text}
	if id != 0 {
		return g.call(http.MethodPatch, fmt.Sprintf("/issues/comments/%d", id), body, nil)
	}
	return g.call(http.MethodPost, issue, body, nil)
}

// find returns the number of our comment with the marker, or 0.
func (g github) find(issue, marker string) (int64, error) {
	for page := 1; ; page++ {
		var comments []struct {
			ID   int64
			Body string
			User struct{ Login string }
		}
		if err := g.call(http.MethodGet, fmt.Sprintf("%s?per_page=%d&page=%d", issue, perPage, page), nil, &comments); err != nil {
			return 0, err
		}
		for _, c := range comments {
			if c.User.Login == author && strings.HasPrefix(c.Body, marker) {
				return c.ID, nil
			}
		}
		if len(comments) < perPage {
			return 0, nil
		}
	}
}

func (g github) call(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(g.ctx, method, g.repository+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("Authorization", "Bearer "+g.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}
