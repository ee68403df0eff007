package nightly

import (
	"context"
	"encoding/json"
	"errors"
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

func TestWhatIsFoundInTheNight(t *testing.T) {
	broken := errors.New("no such program")
	for _, test := range []struct {
		name        string
		drift, scan int
		err         error
		worst       int
		want        []string
	}{
		{"all is well", 0, 0, nil, 0, []string{well, "### Drift: what runs is what the stack's file says", "### Vulnerabilities: clean", "of scan"}},
		{"something has drifted", 1, 0, nil, 1, []string{"### Drift: what runs is something else", "Vulnerabilities: clean"}},
		{"found", 0, 1, nil, 1, []string{"### Vulnerabilities: found"}},
		{"not scanned is not clean", 0, 2, nil, 2, []string{"### Vulnerabilities: not scanned"}},
		{"doubt is worse than a fault", 1, 2, nil, 2, []string{"something else", "not scanned"}},
		{"a crash is no answer", 0, 139, nil, 2, []string{"### Vulnerabilities: not scanned"}},
		{"a program that does not start", 0, 0, broken, 2, []string{"can't be told", "not scanned", "no such program"}},
	} {
		file := filepath.Join(t.TempDir(), "build", "nightly.md")
		worst, err := Write(t.Context(), "prod", file, func(_ context.Context, args ...string) (string, int, error) {
			return "of " + args[0] + "\n", map[string]int{"drift": test.drift, "scan": test.scan}[args[0]], test.err
		}, console.Console{To: &strings.Builder{}})
		text, read := os.ReadFile(file)
		if err != nil || read != nil || worst != test.worst {
			t.Errorf("%s: %d, %v, %v", test.name, worst, err, read)
		}
		for _, want := range append(test.want, marker) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, text)
			}
		}
		if strings.Contains(string(text), well) != (test.worst == 0) {
			t.Errorf("%s is told as well: %s", test.name, text)
		}
	}
}

type issue struct {
	Number      int
	Body, State string
	Title       string
	User        map[string]string
}

// board is GitHub's issues.
type board []*issue

func (b *board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in issue
	_ = json.NewDecoder(r.Body).Decode(&in)
	var number int
	switch {
	case r.Method == http.MethodGet:
		var open []issue
		for _, i := range *b {
			if i.State == "open" {
				open = append(open, *i)
			}
		}
		_ = json.NewEncoder(w).Encode(open)
	case r.Method == http.MethodPost:
		*b = append(*b, &issue{len(*b) + 1, in.Body, "open", in.Title, map[string]string{"login": github.Author}})
	default:
		_, _ = fmt.Sscanf(r.URL.Path, "/repos/owner/name/issues/%d", &number)
		i := (*b)[number-1]
		i.Body = in.Body
		if in.State != "" {
			i.State = in.State
		}
	}
}

func TestOneIssueThatIsKeptUpToDate(t *testing.T) {
	b := &board{{1, marker + "\nquoted by somebody", "open", "", map[string]string{"login": "somebody"}}}
	server := httptest.NewServer(b)
	defer server.Close()
	env := map[string]string{"GITHUB_API_URL": server.URL, "GITHUB_REPOSITORY": "owner/name", "GITHUB_TOKEN": "token", "GITHUB_SERVER_URL": "https://example.com", "GITHUB_RUN_ID": "9"}
	file := filepath.Join(t.TempDir(), "nightly.md")
	post := func(text string) {
		t.Helper()
		if text == "" {
			_ = os.Remove(file)
		} else if err := os.WriteFile(file, []byte(marker+"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Post(t.Context(), file, func(name string) string { return env[name] }, console.Console{To: &strings.Builder{}}); err != nil {
			t.Fatal(err)
		}
	}
	post(well + "\n")
	if len(*b) != 1 {
		t.Fatal("an issue was opened though all is well")
	}
	post("one")
	post("two")
	if len(*b) != 2 || !strings.Contains((*b)[1].Body, "two") || !strings.Contains((*b)[1].Body, "https://example.com/owner/name/actions/runs/9") {
		t.Fatalf("%+v", *b)
	}
	post("")
	if len(*b) != 2 || !strings.Contains((*b)[1].Body, "Nobody has looked") {
		t.Fatalf("%+v", (*b)[1])
	}
	post(well + "\n")
	if (*b)[1].State != "closed" || (*b)[0].State != "open" || strings.Contains((*b)[0].Body, "two") {
		t.Fatalf("%+v %+v", (*b)[0], (*b)[1])
	}
	post("three")
	if len(*b) != 3 {
		t.Error("a closed issue was changed, and nobody reads that")
	}
}
