package compile

import (
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Twice the same is the same image, and it needs nothing.
func TestTheSchedulersContext(t *testing.T) {
	t.Chdir("../..")
	b, err := Scheduler(t.Context(), "linux/"+runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	one, err := b.Hash()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Scheduler(t.Context(), "linux/"+runtime.GOARCH); err != nil {
		t.Error(err)
	} else if other, err := again.Hash(); err != nil || other != one {
		t.Errorf("%v: %s, and again %s", err, one, other)
	}
	file, err := elf.Open(filepath.Join(b.Context, "scheduler"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("%v: it needs %v", err, libraries)
	}
	text, err := os.ReadFile(filepath.Join(b.Context, b.Dockerfile))
	if err != nil || !strings.Contains(string(text), "COPY scheduler /\n") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestTheTargetOfAPlatform(t *testing.T) {
	for platform, want := range map[string][]string{"linux/amd64": {"GOOS=linux", "GOARCH=amd64"}, "linux/arm/v7": {"GOOS=linux", "GOARCH=arm", "GOARM=7"}, "linux/arm64/v8": {"GOOS=linux", "GOARCH=arm64"}} {
		if got := target(platform); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", platform, got, want)
		}
	}
}

func TestWithoutGo(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "/nowhere")
	if _, err := Scheduler(t.Context(), "linux/amd64"); err == nil || !strings.Contains(err.Error(), "`make pulumi` gets one") {
		t.Errorf("%v", err)
	}
}
