// Package github posts what pipelines have found: comments and issues, by the runner's own token.
package github

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	// Author is who the runner's token belongs to; what somebody else wrote that quotes a marker
	// is not ours to change.
	Author  = "github-actions[bot]"
	PerPage = 100
	timeout = time.Minute
)

// Client asks the API about one repository.
type Client struct{ token, repository string }

// New is one of the environment that GitHub Actions gives: GITHUB_API_URL, GITHUB_REPOSITORY and
// GITHUB_TOKEN. More are variables that the caller wants, too.
func New(env func(string) string, more ...string) (Client, error) {
	for _, name := range append([]string{"GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN"}, more...) {
		if env(name) == "" {
			return Client{}, fmt.Errorf("%s is not set", name)
		}
	}
	return Client{env("GITHUB_TOKEN"), env("GITHUB_API_URL") + "/repos/" + env("GITHUB_REPOSITORY")}, nil
}

// Call asks for a path below the repository, and reads the answer where out is not nil.
func (c Client) Call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := c.do(ctx, method, c.repository+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	if out == nil {
		return nil
	}
	return json.NewDecoder(answer).Decode(out)
}

// Read is what is at a path below the repository, up to a limit in bytes: more is an error.
func (c Client) Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	answer, err := c.do(ctx, http.MethodGet, c.repository+path, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("GET %s: more than %d bytes", path, limit)
	}
	return data, err
}

func (c Client) do(ctx context.Context, method, address string, body io.Reader) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		_ = response.Body.Close()
		cancel()
		return nil, fmt.Errorf("%s %s: %s", method, strings.TrimPrefix(address, c.repository), response.Status)
	}
	return closing{response.Body, cancel}, nil
}

// closing ends the request's time with its answer.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c closing) Close() error { c.cancel(); return c.ReadCloser.Close() }

// Marked is a text that a run has made for GitHub: its first line is the marker by which the next
// run finds it.
func Marked(file, marker string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != marker {
		return "", fmt.Errorf("%s: the first line is not %s, by which it would be found again", file, marker)
	}
	return string(text), nil
}

// Fenced is the text as a block of code that it can't end, cut after the line that reaches
// the limit in bytes.
func Fenced(text string, limit int) string {
	var kept strings.Builder
	left := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n") + "\n"
		if limit -= len(line); limit < 0 { // and stays so: no line is kept behind one that is not
			left++
			continue
		}
		kept.WriteString(line)
	}
	if left > 0 {
		fmt.Fprintf(&kept, "… and %d lines more, for which there is no room here\n", left)
	}
	body, fence := strings.TrimRight(kept.String(), "\n"), "```"
	for strings.Contains(body, fence) {
		fence += "`"
	}
	return fmt.Sprintf("%stext\n%s\n%s\n", fence, body, fence)
}
