package preview

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/console"
)

// fetch asks a GitHub that has these artifacts, of which 1 is the zip file.
func fetch(t *testing.T, list string, names ...string) (folder, said string, err error) {
	t.Helper()
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	for _, name := range names {
		w, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("of " + name))
	}
	_ = archive.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/repos/owner/name/actions/artifacts":
			_, _ = fmt.Fprintf(w, `{"artifacts": [%s]}`, list)
		case "/repos/owner/name/actions/artifacts/1/zip":
			_, _ = w.Write(file.Bytes())
		default:
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer server.Close()
	folder = filepath.Join(t.TempDir(), "state")
	env := map[string]string{"GITHUB_API_URL": server.URL, "GITHUB_REPOSITORY": "owner/name", "GITHUB_TOKEN": "token", "DEFAULT_BRANCH": "main"}
	var heard strings.Builder
	err = Fetch(t.Context(), folder, func(name string) string { return env[name] }, console.Console{To: &heard})
	return folder, heard.String(), err
}

func made(id int, at, branch string, head int, expired bool) string {
	return fmt.Sprintf(`{"id": %d, "created_at": "2026-11-%s", "expired": %v, "workflow_run": {"repository_id": 7, "head_repository_id": %d, "head_branch": %q}}`, id, at, expired, head, branch)
}

func TestTheNewestOfTheMainBranchIsFetched(t *testing.T) {
	folder, _, err := fetch(t, strings.Join([]string{
		made(2, "20", "main", 7, false),    // an older one
		made(1, "21", "main", 7, false),    // this one
		made(3, "22", "main", 7, true),     // gone
		made(4, "23", "feature", 7, false), // of a branch
		made(5, "24", "main", 8, false),    // of a fork's main
	}, ","), "prod.json", "shop.json")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "shop.json")); err != nil || string(text) != "of shop.json" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestWhatIsNotFetched(t *testing.T) {
	if folder, said, err := fetch(t, made(4, "23", "feature", 7, false)); err != nil || !strings.Contains(said, "against an empty state") {
		t.Errorf("%q, %v", said, err)
	} else if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("there is a folder: %v", err)
	}
	for _, name := range []string{"../prod.json", "a/prod.json", "prod.yaml", "/prod.json"} {
		if _, _, err := fetch(t, made(1, "21", "main", 7, false), name); err == nil || !strings.Contains(err.Error(), "is not the file of a stack") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := fetch(t, made(9, "21", "main", 7, false)); err == nil || !strings.Contains(err.Error(), "410") {
		t.Errorf("%v", err)
	}
}
