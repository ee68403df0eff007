package preview

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"tarot-platform/internal/console"
	"tarot-platform/internal/github"
)

const (
	// artifact is what deploy.yml calls what Export has written.
	artifact = "preview-state"
	// largest is many times what a state without secrets is.
	largest = 64 << 20
)

// stateFile is the only form of name that is taken out of an artifact.
var stateFile = regexp.MustCompile(`^[a-z][a-z0-9-]*\.json$`)

// Fetch brings what the main branch's pipeline has handed over last into the folder: nothing, where
// there is none yet. It is for GitHub Actions: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN (may
// read actions) and DEFAULT_BRANCH in the environment. A run of another branch, or of a fork's
// branch of that name, hands over nothing that is taken.
func Fetch(ctx context.Context, folder string, env func(string) string, say console.Console) error {
	g, err := github.New(env, "DEFAULT_BRANCH")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	id, err := newest(ctx, g, env("DEFAULT_BRANCH"))
	if err != nil {
		return err
	}
	if id == 0 {
		say.Note("no deploy of %s has handed over what runs yet: the preview is against an empty state", env("DEFAULT_BRANCH"))
		return nil
	}
	data, err := g.Read(ctx, fmt.Sprintf("/actions/artifacts/%d/zip", id), largest)
	if err != nil {
		return err
	}
	return unpack(data, folder)
}

// newest is the number of the artifact that was made last by a run of the branch in this repository; 0: none.
func newest(ctx context.Context, g github.Client, branch string) (id int64, err error) {
	var made string
	for page := 1; ; page++ {
		var list struct {
			Artifacts []struct {
				ID          int64
				Expired     bool
				CreatedAt   string `json:"created_at"`
				WorkflowRun struct {
					RepositoryID     int64  `json:"repository_id"`
					HeadRepositoryID int64  `json:"head_repository_id"`
					HeadBranch       string `json:"head_branch"`
				} `json:"workflow_run"`
			}
		}
		query := url.Values{"name": {artifact}, "per_page": {strconv.Itoa(github.PerPage)}, "page": {strconv.Itoa(page)}}
		if err := g.Call(ctx, http.MethodGet, "/actions/artifacts?"+query.Encode(), nil, &list); err != nil {
			return 0, err
		}
		for _, a := range list.Artifacts {
			run := a.WorkflowRun
			if !a.Expired && run.HeadBranch == branch && run.HeadRepositoryID == run.RepositoryID && run.RepositoryID != 0 && a.CreatedAt > made {
				id, made = a.ID, a.CreatedAt
			}
		}
		if len(list.Artifacts) < github.PerPage {
			return id, nil
		}
	}
}

func unpack(data []byte, folder string) error {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%s: %w", artifact, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // a folder in the project
		return err
	}
	for _, f := range archive.File {
		if !stateFile.MatchString(f.Name) {
			return fmt.Errorf("%s: %q is not the file of a stack", artifact, f.Name)
		}
		if err := unpackFile(f, filepath.Join(folder, f.Name)); err != nil {
			return fmt.Errorf("%s: %s: %w", artifact, f.Name, err)
		}
	}
	return nil
}

func unpackFile(f *zip.File, to string) error {
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	data, err := io.ReadAll(io.LimitReader(from, largest+1))
	if err == nil && len(data) > largest {
		err = errors.New("it is too large")
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644) //nolint:gosec // no secret is in it
}
