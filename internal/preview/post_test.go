package preview

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/console"
	"tarot-platform/internal/github"
)

type posted struct {
	ID   int64             `json:"id"`
	Body string            `json:"body"`
	User map[string]string `json:"user"`
}

// pullRequest is GitHub with one pull request, number 7, which ends with the commit abc of somebody's
// branch, and another one of that branch that is behind it.
type pullRequest struct{ comments []posted }

const openOnes = `[{"number": 6, "head": {"sha": "0123"}}, {"number": 7, "head": {"sha": "abc"}}]`

func (p *pullRequest) add(login, body string) {
	p.comments = append(p.comments, posted{int64(len(p.comments) + 1), body, map[string]string{"login": login}})
}

func (p *pullRequest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer token" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	var in posted
	_ = json.NewDecoder(r.Body).Decode(&in)
	var id, page, size int
	list := r.URL.Path == "/repos/owner/name/issues/7/comments"
	switch {
	case r.URL.Path == "/repos/owner/name/pulls" && r.URL.RawQuery == "head=somebody%3Aa%2Fb%26c&per_page=100&state=open":
		_, _ = w.Write([]byte(openOnes))
	case list && r.Method == http.MethodGet:
		_, _ = fmt.Sscanf(r.URL.RawQuery, "per_page=%d&page=%d", &size, &page)
		from := min((page-1)*size, len(p.comments))
		_ = json.NewEncoder(w).Encode(p.comments[from:min(from+size, len(p.comments))])
	case list && r.Method == http.MethodPost:
		p.add(github.Author, in.Body)
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPatch:
		_, _ = fmt.Sscanf(r.URL.Path, "/repos/owner/name/issues/comments/%d", &id)
		p.comments[id-1].Body = in.Body
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// post posts a file of this text, and is told what is said.
func (p *pullRequest) post(t *testing.T, text, token, sha string) (string, error) {
	t.Helper()
	server := httptest.NewServer(p)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "comment.md")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GITHUB_API_URL": server.URL, "GITHUB_REPOSITORY": "owner/name", "GITHUB_TOKEN": token,
		"HEAD_OWNER": "somebody", "HEAD_BRANCH": "a/b&c", "HEAD_SHA": sha}
	var said strings.Builder
	err := Post(t.Context(), file, func(name string) string { return env[name] }, console.Console{To: &said})
	return said.String(), err
}

func TestOneCommentThatIsUpdated(t *testing.T) {
	p := &pullRequest{}
	p.add("somebody", marker+" is what the bot begins with")
	p.add(github.Author, "another workflow's comment")
	for range 2 * github.PerPage { // ours is on the third page
		p.add("somebody", "a talkative review")
	}
	before := len(p.comments)
	for _, text := range []string{"first", "second", "third"} {
		if _, err := p.post(t, marker+"\n"+text, "token", "abc"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.comments) - before; n != 1 {
		t.Fatalf("%d comments after three runs, want 1", n)
	}
	if got := p.comments[before].Body; got != marker+"\nthird" {
		t.Errorf("the comment is %q", got)
	}
	if strings.Contains(p.comments[0].Body+p.comments[1].Body, "third") {
		t.Error("somebody else's comment was changed")
	}
}

func TestACommentThatCanNotBePosted(t *testing.T) {
	p := &pullRequest{}
	p.add(github.Author, "<!-- of another workflow -->\nwhat it says")
	for _, text := range []string{"no marker\n", "<!-- of another workflow -->\nmine"} {
		if _, err := p.post(t, text, "token", "abc"); err == nil || !strings.Contains(err.Error(), "is not "+marker) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := p.post(t, marker, "read-only", "abc"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("with a token that may not: %v", err)
	}
	if said, err := p.post(t, marker, "token", "ffff"); err != nil || !strings.Contains(said, "ffff is the newest commit of no open pull request") {
		t.Errorf("after a newer push: %q, %v", said, err)
	}
	if err := Post(t.Context(), "x", func(string) string { return "" }, console.Console{}); err == nil || !strings.Contains(err.Error(), "GITHUB_API_URL") {
		t.Errorf("outside of a workflow: %v", err)
	}
	if len(p.comments) != 1 || p.comments[0].Body != "<!-- of another workflow -->\nwhat it says" {
		t.Errorf("a comment was made or changed all the same: %v", p.comments)
	}
}
