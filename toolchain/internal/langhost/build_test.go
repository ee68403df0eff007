package langhost

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

// source is a module of one file, in a folder of its own, with its executable beside it.
func source(t *testing.T, code string) program {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example\n\ngo 1.25\n", "main.go": code} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return program{dir: dir, pkg: ".", exe: filepath.Join(dir, "out", "program")}
}

func TestBuildErrorHasWhatTheCompilerSaid(t *testing.T) {
	p := source(t, "package main\n\nfunc main() { missing() }\n")
	_, err := p.build(t.Context(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "main.go:3:15: undefined: missing") {
		t.Errorf("got %v", err)
	}
}

func TestBuildLeavesAnUnchangedProgramAlone(t *testing.T) {
	p := source(t, hello)
	first := build(t, p)
	if second := build(t, p); !os.SameFile(first, second) {
		t.Error("the second build has linked the same program again")
	}
	if err := os.WriteFile(filepath.Join(p.dir, "main.go"), []byte(hello+"\nfunc init() { println(1) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third := build(t, p); os.SameFile(first, third) {
		t.Error("a changed program was not built")
	}
}

func build(t *testing.T, p program) os.FileInfo {
	t.Helper()
	started, err := p.build(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	started()
	info, err := os.Stat(p.exe)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestBuildsOfOneProgramWaitForEachOther(t *testing.T) {
	p := source(t, hello)
	started, err := p.build(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.build(ctx, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the first was not started: got %v, want to wait", err)
	}
	started()
	build(t, p)
}

func TestDownloadsPassesOnDownloadsOnly(t *testing.T) {
	var shown strings.Builder
	w := &downloads{to: &shown}
	for _, part := range []string{"go: down", "loading a v1\n# pkg\ngo: downloa", "ding b v2\nmain.go:1: no\n"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if got, want := shown.String(), "go: downloading a v1\ngo: downloading b v2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := withoutDownloads("go: downloading a v1\n# pkg\nmain.go:1: no\n"), "# pkg\nmain.go:1: no\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
