package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	// author is who the runner's token belongs to; somebody else's comment that
	// quotes the marker is not ours to change.
	author  = "github-actions[bot]"
	perPage = 100
	timeout = time.Minute
)

// Post puts the comment in a file under a pull request: as a new comment, or in place of the
// one that an earlier run has left there. It is meant for GitHub Actions and takes everything
// from the environment:
//
//	GITHUB_API_URL, GITHUB_REPOSITORY    set by the runner
//	GITHUB_TOKEN                         may write to pull requests
//	PULL_REQUEST                         its number
func Post(ctx context.Context, file string, env func(string) string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, name := range []string{"GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "PULL_REQUEST"} {
		if env(name) == "" {
			return fmt.Errorf("%s is not set", name)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if !strings.HasPrefix(first, "<!-- ") {
		return fmt.Errorf("%s: no marker in the first line, by which the comment would be found again", file)
	}
	g := github{ctx: ctx, token: env("GITHUB_TOKEN"), repository: env("GITHUB_API_URL") + "/repos/" + env("GITHUB_REPOSITORY")}
	issue := "/issues/" + env("PULL_REQUEST") + "/comments"
	id, err := g.find(issue, first)
	if err != nil {
		return err
	}
	body := map[string]string{"body": string(text)}
	if id != 0 {
		return g.call(http.MethodPatch, fmt.Sprintf("/issues/comments/%d", id), body, nil)
	}
	return g.call(http.MethodPost, issue, body, nil)
}

type github struct {
	ctx               context.Context
	token, repository string
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
