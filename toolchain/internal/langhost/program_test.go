package langhost

import (
	"os"
	"path/filepath"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestBuildArgument(t *testing.T) {
	for entry, want := range map[string]string{
		"": ".", ".": ".", "main.go": "./main.go", "./cmd/infra": "./cmd/infra", "cmd/infra": "./cmd/infra", "..": "..",
		"/src/main.go": "/src/main.go",
	} {
		if got := buildArgument(entry); got != want {
			t.Errorf("buildArgument(%q) = %q, want %q", entry, got, want)
		}
	}
}

func TestProgramIsKeptInTheCache(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("TAROT_CACHE", cache)
	at := func(dir, entry string) string {
		p, err := newProgram(&pulumirpc.ProgramInfo{ProgramDirectory: dir, EntryPoint: entry})
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(filepath.Dir(filepath.Dir(p.exe))) != cache {
			t.Errorf("%s is not in the cache", p.exe)
		}
		return p.exe
	}
	preview, update := at("/src/a", "."), at("/src/a", ".")
	if preview != update {
		t.Error("the update does not find the executable of the preview")
	}
	if preview == at("/src/b", ".") || preview == at("/src/a", "cmd") {
		t.Error("two programs share one executable")
	}
}

func TestProgramsWithoutSourceAreRemoved(t *testing.T) {
	cache := t.TempDir()
	folder := func(name, source string) string {
		dir := filepath.Join(cache, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := noteSource(dir, source); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	gone := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	old, other := folder("old", gone), folder("other", t.TempDir())
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	folder("new", t.TempDir())
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the program of %s is still there (%v)", gone, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a program whose source is there was removed: %v", err)
	}
}

func TestProgramOfOptions(t *testing.T) {
	dir := t.TempDir()
	built := filepath.Join(dir, "infra")
	if err := os.WriteFile(built, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	program := func(option, value string) (program, error) {
		options, err := structpb.NewStruct(map[string]any{option: value})
		if err != nil {
			t.Fatal(err)
		}
		return newProgram(&pulumirpc.ProgramInfo{ProgramDirectory: dir, EntryPoint: ".", Options: options})
	}
	if p, err := program("binary", "infra"); err != nil || !p.prebuilt || p.exe != built {
		t.Errorf("binary: got %+v, %v", p, err)
	}
	if _, err := program("binary", "missing"); err == nil {
		t.Error("binary: a missing file is not an error")
	}
	if p, err := program("buildTarget", "out/infra"); err != nil || p.prebuilt || p.exe != filepath.Join(dir, "out/infra") {
		t.Errorf("buildTarget: got %+v, %v", p, err)
	}
}
