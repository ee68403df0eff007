package origin

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// repository has one commit, of the folder app with a file in it.
func repository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "app", "main.py"), "one")
	git(t, folder, "init", "--quiet")
	git(t, folder, "add", ".")
	git(t, folder, "commit", "--quiet", "--message", "first")
	return folder
}

func git(t *testing.T, folder string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder, "-c", "user.name=me", "-c", "user.email=me@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-11-27T09:00:00+08:00")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLabelsAreTheCommits(t *testing.T) {
	folder := repository(t)
	app := filepath.Join(folder, "app")
	git(t, folder, "tag", "v1.2")
	git(t, folder, "remote", "add", "origin", "https://me:s3cr3t@git.example/shop.git")
	first := Labels(t.Context(), app)
	if len(first[Revision]) != 40 || first[Created] != "2026-11-27T01:00:00Z" || first[Version] != "v1.2" || first[Source] != "https://git.example/shop.git" {
		t.Errorf("%v", first)
	}
	if again := Labels(t.Context(), app); !maps.Equal(again, first) {
		t.Errorf("%v, then %v", first, again)
	}
	write(t, filepath.Join(folder, "notes"), "elsewhere")
	if beside := Labels(t.Context(), app); !maps.Equal(beside, first) {
		t.Errorf("what is in no image counts: %v", beside)
	}
	write(t, filepath.Join(app, "main.py"), "two")
	if dirty := Labels(t.Context(), app); dirty[Revision] != first[Revision]+"-dirty" || dirty[Version] != "v1.2-dirty" {
		t.Errorf("%v", dirty)
	}
}

func TestWhatIsNotKnownIsNotSaid(t *testing.T) {
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	if labels := Labels(t.Context(), t.TempDir()); labels != nil {
		t.Errorf("%v", labels)
	}
	for remote, want := range map[string]string{"": "", "/srv/shop": "", "file:///srv/shop": "", "git@git.example:shop.git": "git@git.example:shop.git", "ssh://git@git.example/shop": "ssh://git.example/shop"} {
		if got := withoutPassword(remote); got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}

func TestLabelsOfABaseImageAreNotOurs(t *testing.T) {
	if got := Of(map[string]string{Revision: "of python", Version: "3.11"}); got != nil {
		t.Errorf("%v", got)
	}
	ours := map[string]string{built: "yes", Revision: "abc", Version: "v1"}
	all := maps.Clone(ours)
	all["maintainer"] = "somebody"
	if got := Of(all); !maps.Equal(got, ours) {
		t.Errorf("%v", got)
	}
}
