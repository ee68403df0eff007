package static

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// volume is a static volume, and what publishes into it.
type staticVolume struct {
	*testing.T
	image, folder string
}

func newStaticVolume(t *testing.T) *staticVolume {
	return &staticVolume{t, t.TempDir(), t.TempDir()}
}

func (v *staticVolume) write(root string, files ...string) {
	v.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(root, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			v.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			v.Fatal(err)
		}
	}
}

func (v *staticVolume) run(script string, args ...string) string {
	v.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", listScript + script, "task"}, args...)...)
	cmd.Env = append(os.Environ(), "VOLUME="+v.folder, "STATIC="+v.image)
	out, err := cmd.CombinedOutput()
	if err != nil {
		v.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// release has an image with these files published and made the current one.
func (v *staticVolume) release(name string, others []string, files ...string) string {
	v.Helper()
	v.image = v.TempDir()
	v.write(v.image, files...)
	return v.run(publishScript, name) + v.run(activateScript, append([]string{name}, others...)...)
}

// has fails where the volume's files, without the lists, are others.
func (v *staticVolume) has(files ...string) {
	v.Helper()
	var got, want []string
	err := filepath.WalkDir(v.folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path, filepath.Join(v.folder, ".published")) {
			return err
		}
		data, err := os.ReadFile(path)
		if entry.Type()&os.ModeSymlink != 0 {
			var to string
			to, err = os.Readlink(path)
			data = []byte("-> " + to)
		}
		name, _ := filepath.Rel(v.folder, path)
		got = append(got, fmt.Sprintf("%s: %s", name, data))
		return err
	})
	if err != nil {
		v.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		want = append(want, files[i]+": "+files[i+1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		v.Errorf("there are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestStaticFilesOfReleasesComeAndGo(t *testing.T) {
	v := newStaticVolume(t)
	v.release("r/a", nil, "style.css", "a", "img/a b'.png", "1", "img/-n", "2")
	if err := os.Symlink("style.css", filepath.Join(v.image, "alias")); err != nil {
		t.Fatal(err)
	}
	v.run(publishScript, "r/a") // again: what was missing comes
	v.has("current", "-> r/a", "r/a/style.css", "a", "r/a/img/a b'.png", "1", "r/a/img/-n", "2", "r/a/alias", "-> style.css")
	v.release("r/b", []string{"r/a"}, "style.css", "b")
	v.has("current", "-> r/b", "r/a/style.css", "a", "r/a/img/a b'.png", "1", "r/a/img/-n", "2", "r/a/alias", "-> style.css", "r/b/style.css", "b")
	if said := v.release("r/c", []string{"r/b"}, "style.css", "c"); said != "" {
		t.Errorf("said %q", said)
	}
	v.has("current", "-> r/c", "r/b/style.css", "b", "r/c/style.css", "c")
	lists, _ := os.ReadDir(filepath.Join(v.folder, ".published"))
	if len(lists) != 2 {
		t.Errorf("lists: %v", lists)
	}
}

// Nothing that the application wrote is removed or written over.
func TestWhatTheApplicationWroteAmongStaticFilesStays(t *testing.T) {
	v := newStaticVolume(t)
	v.release("r/a", nil, "style.css", "a", "logo.svg", "a")
	v.write(v.folder, "r/a/uploads/dog.txt", "a dog", "r/a/logo.svg", "changed", "uploads/cat.txt", "a cat")
	if said := v.release("r/a", nil, "style.css", "a", "logo.svg", "a"); !strings.Contains(said, "kept: r/a/logo.svg was changed by the application") {
		t.Errorf("said %q", said)
	}
	// It is told when users do not get it any more, also where the release can be returned to.
	said := v.release("r/b", []string{"r/a"}, "style.css", "b")
	if want := "kept: r/a, of an earlier release, has files that the application may have written: 1, such as ./uploads/dog.txt"; !strings.Contains(said, want) {
		t.Errorf("said %q, nothing says %q", said, want)
	}
	v.release("r/a", []string{"r/b"}, "style.css", "a", "logo.svg", "a")
	v.release("r/a", nil, "style.css", "a", "logo.svg", "a")
	users := []string{"r/a/uploads/dog.txt", "a dog", "r/a/logo.svg", "changed", "uploads/cat.txt", "a cat"}
	v.has(append([]string{"current", "-> r/a", "r/a/style.css", "a"}, users...)...)
	for range 2 {
		said := v.release("r/b", nil, "style.css", "b")
		if !strings.Contains(said, "kept: r/a, of a release that can't be returned to any more, has files that the application may have written: 2, such as ./") || !strings.Contains(said, "/app/data") {
			t.Errorf("said %q", said)
		}
		v.has(append([]string{"current", "-> r/b", "r/b/style.css", "b"}, users...)...)
	}
	// The first content comes once more.
	v.release("r/a", []string{"r/b"}, "style.css", "a", "logo.svg", "a")
	v.has(append([]string{"current", "-> r/a", "r/a/style.css", "a", "r/b/style.css", "b"}, users...)...)
}

// It publishes nothing, and is none to fail for that.
func TestAnImageNeedNotHaveStaticFiles(t *testing.T) {
	v := newStaticVolume(t)
	v.release("r/a", nil, "style.css", "a")
	v.image = filepath.Join(t.TempDir(), "nowhere")
	if said := v.run(publishScript, "r/b") + v.run(activateScript, "r/b", "r/a"); said != "" {
		t.Errorf("said %q", said)
	}
	v.has("current", "-> r/b", "r/a/style.css", "a")
	v.run(publishScript, "r/b") // a folder that is there is looked through
	v.release("r/c", []string{"r/b"}, "style.css", "c")
	v.has("current", "-> r/c", "r/c/style.css", "c")
}

// A moving tag keeps its folder.
func TestAnImageThatMovesOnReplacesWhatItPublished(t *testing.T) {
	v := newStaticVolume(t)
	v.release("r/latest", nil, "style.css", "1", "old.css", "1")
	v.write(v.folder, "r/latest/dog.txt", "a dog")
	v.release("r/latest", nil, "style.css", "2", "new.css", "2")
	v.has("current", "-> r/latest", "r/latest/style.css", "2", "r/latest/old.css", "1", "r/latest/new.css", "2", "r/latest/dog.txt", "a dog")
	v.release("r/b", nil, "style.css", "b")
	v.has("current", "-> r/b", "r/b/style.css", "b", "r/latest/dog.txt", "a dog")
}

// Of before there were lists.
func TestAFolderWithoutAListLosesOnlyWhatTheImageHas(t *testing.T) {
	v := newStaticVolume(t)
	v.write(v.folder, "r/old/style.css", "same", "r/old/dog.txt", "a dog", "r/gone/style.css", "same", "r/cut.new/style.css", "half")
	if said := v.release("r/b", nil, "style.css", "same"); !strings.Contains(said, "kept: r/old") || strings.Contains(said, "r/gone") {
		t.Errorf("said %q", said)
	}
	v.has("current", "-> r/b", "r/b/style.css", "same", "r/old/dog.txt", "a dog")
}
