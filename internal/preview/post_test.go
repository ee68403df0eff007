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
)

type posted struct {
	ID   int64             `json:"id"`
	Body string            `json:"body"`
	User map[string]string `json:"user"`
}

// pullRequest is GitHub with one pull request, number 7.
type pullRequest struct{ comments []posted }

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
	case list && r.Method == http.MethodGet:
		_, _ = fmt.Sscanf(r.URL.RawQuery, "per_page=%d&page=%d", &size, &page)
		from := min((page-1)*size, len(p.comments))
		_ = json.NewEncoder(w).Encode(p.comments[from:min(from+size, len(p.comments))])
	case list && r.Method == http.MethodPost:
		p.add(author, in.Body)
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPatch:
		_, _ = fmt.Sscanf(r.URL.Path, "/repos/owner/name/issues/comments/%d", &id)
		p.comments[id-1].Body = in.Body
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// post posts a file of this text.
func (p *pullRequest) post(t *testing.T, text, token string) error {
	t.Helper()
	server := httptest.NewServer(p)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "comment.md")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GITHUB_API_URL": server.URL, "GITHUB_REPOSITORY": "owner/name", "GITHUB_TOKEN": token, "PULL_REQUEST": "7"}
	return Post(t.Context(), file, func(name string) string { return env[name] })
}

func TestOneCommentThatIsUpdated(t *testing.T) {
	p := &pullRequest{}
	p.add("somebody", marker+" is what the bot begins with")
	p.add(author, "another workflow's comment")
	for range 2 * perPage { // ours is on the third page
		p.add("somebody", "a talkative review")
	}
	before := len(p.comments)
	for _, text := range []string{"first", "second", "third"} {
		if err := p.post(t, marker+"\n"+text, "token"); err != nil {
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
	if err := p.post(t, "no marker\n", "token"); err == nil || !strings.Contains(err.Error(), "no marker") {
		t.Errorf("without a marker: %v", err)
	}
	if err := p.post(t, marker, "read-only"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("with a token that may not: %v", err)
	}
	if err := Post(t.Context(), "x", func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "GITHUB_API_URL") {
		t.Errorf("outside of a workflow: %v", err)
	}
	if len(p.comments) != 0 {
		t.Error("a comment was made all the same")
	}
}
