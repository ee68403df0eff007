package preview

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/console"
	"tarot-platform/internal/github"
)

const timeout = time.Minute

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
	g, err := github.New(env, "HEAD_OWNER", "HEAD_BRANCH", "HEAD_SHA")
	if err != nil {
		return err
	}
	text, err := github.Marked(file, marker)
	if err != nil {
		return err
	}
	numbers, err := pullRequests(ctx, g, env("HEAD_OWNER")+":"+env("HEAD_BRANCH"), env("HEAD_SHA"))
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		say.Note("%s is the newest commit of no open pull request any more: nothing to comment on", env("HEAD_SHA"))
	}
	for _, number := range numbers {
		if err := post(ctx, g, number, text); err != nil {
			return err
		}
	}
	return nil
}

// pullRequests are the numbers of the open ones of a branch (owner:name) that end with a commit.
func pullRequests(ctx context.Context, g github.Client, head, sha string) (numbers []int, err error) {
	var open []struct {
		Number int
		Head   struct{ SHA string }
	}
	query := url.Values{"state": {"open"}, "head": {head}, "per_page": {strconv.Itoa(github.PerPage)}}
	err = g.Call(ctx, http.MethodGet, "/pulls?"+query.Encode(), nil, &open)
	for _, p := range open {
		if p.Head.SHA == sha {
			numbers = append(numbers, p.Number)
		}
	}
	return numbers, err
}

func post(ctx context.Context, g github.Client, number int, text string) error {
	issue := fmt.Sprintf("/issues/%d/comments", number)
	id, err := find(ctx, g, issue)
	if err != nil {
		return err
	}
	body := map[string]string{"body": text}
	if id != 0 {
		return g.Call(ctx, http.MethodPatch, fmt.Sprintf("/issues/comments/%d", id), body, nil)
	}
	return g.Call(ctx, http.MethodPost, issue, body, nil)
}

// find returns the number of our comment, or 0.
func find(ctx context.Context, g github.Client, issue string) (int64, error) {
	for page := 1; ; page++ {
		var comments []struct {
			ID   int64
			Body string
			User struct{ Login string }
		}
		if err := g.Call(ctx, http.MethodGet, fmt.Sprintf("%s?per_page=%d&page=%d", issue, github.PerPage, page), nil, &comments); err != nil {
			return 0, err
		}
		for _, c := range comments {
			if c.User.Login == github.Author && strings.HasPrefix(c.Body, marker) {
				return c.ID, nil
			}
		}
		if len(comments) < github.PerPage {
			return 0, nil
		}
	}
}
