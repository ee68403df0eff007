package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// typing runs commands as a person types them, in a project of its own that has the stacks' files, where no
// engine answers.
func typing(t *testing.T) func(words ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, name := range []string{stackVariable, projectVariable, checkoutVariable} {
		t.Setenv(name, "")
	}
	t.Cleanup(func() { chosen.stack, chosen.project, chosen.from = "", "", "" })
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(dir, "nobody"))
	return func(words ...string) (string, error) {
		chosen.stack, chosen.project, chosen.from = "", "", ""
		root := rootCommand()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(words)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
}

func TestNewPictureAndImportAreTyped(t *testing.T) {
	run := typing(t)
	if said, err := run("new", "shop", "--from", "dev"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if said, err := run("picture", "-s", "shop"); err != nil || !strings.Contains(said, "s_backend[") {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err := run("picture", "--of", "volumes", "prod"); err != nil || !strings.Contains(said, "tarot_db_data") {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err := run("images", "prod"); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err := run("picture", "prod", "--of", "dreams"); err == nil {
		t.Errorf("there is a picture of dreams:\n%s", said)
	}
	if err := os.WriteFile("compose.yaml", []byte("services:\n  web:\n    image: shop:1\n    ports: ['80:8000']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := run("import", "compose.yaml", "--stack", "old", "--backend", "web")
	if _, missing := os.Stat("Pulumi.old.yaml"); err != nil || missing != nil {
		t.Errorf("%v, %v\n%s", err, missing, said)
	}
}

func TestPostCommentIsTyped(t *testing.T) {
	run := typing(t)
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		_, _ = w.Write([]byte("[]"))
	}))
	defer server.Close()
	for name, value := range map[string]string{"GITHUB_API_URL": server.URL, "GITHUB_REPOSITORY": "owner/name", "GITHUB_TOKEN": "x", "HEAD_OWNER": "o", "HEAD_BRANCH": "b", "HEAD_SHA": "abc"} {
		t.Setenv(name, value)
	}
	if err := os.WriteFile("comment.md", []byte("<!-- tarot-preview -->\ntext"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := run("post-comment", "comment.md"); len(asked) == 0 || asked[0] != "GET /repos/owner/name/pulls" {
		t.Errorf("it asked %q: %v\n%s", asked, err, said)
	}
}

func TestPipelinesCommandsAreTyped(t *testing.T) {
	changes, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	run := typing(t)
	for name, text := range map[string]string{"VERSION": "0.9.0\n", "CHANGELOG.md": string(changes)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if said, err := run("version"); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err := run("release-check", "v0.8.0"); err == nil || !strings.Contains(err.Error(), "0.9.0") {
		t.Errorf("%v\n%s", err, said)
	}
	t.Setenv("GITHUB_REPOSITORY", "")
	if said, err := run("preview-fetch"); err == nil || !strings.Contains(err.Error(), "GITHUB_") {
		t.Errorf("%v\n%s", err, said)
	}
	before := itself
	defer func() { itself = before }()
	itself = func(context.Context, ...string) (string, int, error) { return "nobody answers", 2, nil }
	said, err := run("nightly", "prod", "night.md")
	if text, missing := os.ReadFile("night.md"); !errors.Is(err, errUntold) || !strings.Contains(string(text), "nobody answers") {
		t.Errorf("%v, %v\n%s\n%s", err, missing, said, text)
	}
}

// The pictures in the documents are what `make docs` draws.
func TestThePicturesAreThoseOfTheStacks(t *testing.T) {
	t.Chdir("../..")
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "README.zh-CN.md", "docs/architecture.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(makefile), name) {
			t.Errorf("make docs does not draw %s", name)
		}
		if filled, err := fillDocument(string(text)); err != nil || filled != string(text) {
			t.Errorf("%s has other pictures than the stacks are: make docs (%v)", name, err)
		}
	}
}
