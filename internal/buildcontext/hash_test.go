package buildcontext

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// tree writes files into a fresh folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func hashOf(t *testing.T, b Build) string {
	t.Helper()
	hash, err := b.Hash()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHashCountsWhatTheImageCanHold(t *testing.T) {
	put := func(name, content string) func(*testing.T, *Build) {
		return func(t *testing.T, b *Build) {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(b.Context, name)), 0o755))
			must(t, os.WriteFile(filepath.Join(b.Context, name), []byte(content), 0o644))
		}
	}
	none := map[string]string{}
	for _, test := range []struct {
		name   string
		files  map[string]string // more than Dockerfile, main.py and sub/a.py
		change func(*testing.T, *Build)
		counts bool
	}{
		{"nothing", none, func(*testing.T, *Build) {}, false},
		{"content", none, put("main.py", "other"), true},
		{"content below", none, put("sub/a.py", "other"), true},
		{"a new file", none, put("new", ""), true},
		{"a new name", none, func(t *testing.T, b *Build) {
			must(t, os.Rename(b.Context+"/main.py", b.Context+"/mein.py"))
		}, true},
		{"a removed file", none, func(t *testing.T, b *Build) { must(t, os.Remove(b.Context+"/main.py")) }, true},
		{"the Dockerfile", none, put("Dockerfile", "FROM other"), true},
		{"executable", none, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/main.py", 0o755)) }, true},
		{"readable by its owner only", none, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/main.py", 0o600)) }, true},
		{"readable by its group", none, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/main.py", 0o640)) }, true},
		{"writable by its group", none, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/main.py", 0o664)) }, false},
		{"a folder of its owner only", none, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/sub", 0o700)) }, true},
		{"a folder that its group may write", none, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/sub", 0o775)) }, false},
		{"an ignored file of its owner only", map[string]string{".dockerignore": "x.log\n", "x.log": "1"}, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/x.log", 0o600)) }, false},
		{"an ignored folder of its owner only", map[string]string{".dockerignore": "data\n!data/keep\n", "data/x": "1"}, func(t *testing.T, b *Build) { must(t, os.Chmod(b.Context+"/data", 0o700)) }, false},
		{"time", none, func(t *testing.T, b *Build) {
			must(t, os.Chtimes(b.Context+"/main.py", time.Unix(1, 0), time.Unix(1, 0)))
		}, false},
		{"another place", none, func(t *testing.T, b *Build) {
			moved := t.TempDir() + "/elsewhere"
			must(t, os.Rename(b.Context, moved))
			b.Context = moved
		}, false},
		{"another spelling of the place", none, func(t *testing.T, b *Build) { b.Context += "/sub/.." }, false},
		{"through a link to the place", none, func(t *testing.T, b *Build) {
			link := t.TempDir() + "/link"
			must(t, os.Symlink(b.Context, link))
			b.Context = link
		}, false},
		{"a link", none, func(t *testing.T, b *Build) { must(t, os.Symlink("main.py", b.Context+"/link")) }, true},
		{"a link's target", none, func(t *testing.T, b *Build) {
			must(t, os.Remove(b.Context+"/main.py"))
			must(t, os.Symlink("sub/a.py", b.Context+"/main.py"))
		}, true},
		{"a socket's neighbour", none, func(t *testing.T, b *Build) { must(t, os.Mkdir(b.Context+"/empty", 0o755)) }, false},

		{"ignored content", map[string]string{".dockerignore": "*.log\n", "x.log": "1"}, put("x.log", "2"), false},
		{"ignored folder", map[string]string{".dockerignore": "data\n", "data/x": "1"}, put("data/x", "2"), false},
		{"ignored everywhere", map[string]string{".dockerignore": "**/*.pyc\n"}, put("sub/a.pyc", "2"), false},
		{"not ignored", map[string]string{".dockerignore": "*.log\n", "x.log": "1"}, put("sub/x.log", "2"), true},
		{"everything but a folder", map[string]string{".dockerignore": "*\n!sub\n"}, put("sub/a.py", "2"), true},
		{"everything but another folder", map[string]string{".dockerignore": "*\n!sub\n"}, put("main.py", "2"), false},
		{"a file in an ignored folder", map[string]string{".dockerignore": "data\n!data/keep\n", "data/keep": "1"}, put("data/keep", "2"), true},
		{"its neighbour", map[string]string{".dockerignore": "data\n!data/keep\n", "data/drop": "1"}, put("data/drop", "2"), false},
		{"a comment in .dockerignore", map[string]string{".dockerignore": "# *\n"}, put("main.py", "2"), true},
		{"an ignored Dockerfile", map[string]string{".dockerignore": "*\n"}, put("Dockerfile", "FROM other"), true},
		{"what a Dockerfile that is a link points at", map[string]string{".dockerignore": "*\n!Containerfile\n", "Dockerfile.real": "FROM scratch"},
			func(t *testing.T, b *Build) { put("Dockerfile.real", "FROM other")(t, b) }, false},
		{"an ignored Dockerfile below", map[string]string{".dockerignore": "*\n", "docker/Dockerfile": "FROM scratch"},
			func(t *testing.T, b *Build) {
				b.Dockerfile = "docker/Dockerfile"
				put("docker/Dockerfile", "FROM other")(t, b)
			}, true},

		{"target", none, func(_ *testing.T, b *Build) { b.Target = "development" }, true},
		{"platform", none, func(_ *testing.T, b *Build) { b.Platform = "linux/arm64" }, true},
		{"another Dockerfile", map[string]string{"Containerfile": "FROM scratch"},
			func(_ *testing.T, b *Build) { b.Dockerfile = "Containerfile" }, true},
		{"an argument", none, func(_ *testing.T, b *Build) { b.Args = map[string]string{"A": "1", "B": "2"} }, true},
		{"an argument's value", none, func(_ *testing.T, b *Build) { b.Args = map[string]string{"A": "2"} }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{"Dockerfile": "FROM scratch", "main.py": "1", "sub/a.py": "1"}
			for name, content := range test.files {
				files[name] = content
			}
			b := Build{Context: tree(t, files), Dockerfile: "Dockerfile", Platform: "linux/amd64", Args: map[string]string{"A": "1"}}
			before := hashOf(t, b)
			if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(before) {
				t.Errorf("%q is no tag", before)
			}
			test.change(t, &b)
			if after := hashOf(t, b); (after != before) != test.counts {
				t.Errorf("the hash changed: %v, want %v", after != before, test.counts)
			}
		})
	}
}

// An ignored Dockerfile in an ignored folder, and nothing else to walk there for.
func TestHashFindsAnIgnoredDockerfileAtAnyDepth(t *testing.T) {
	for _, dockerfile := range []string{"Dockerfile", "./Dockerfile", "a/Dockerfile", "a/b/Dockerfile"} {
		b := Build{Context: tree(t, map[string]string{".dockerignore": "*\n", dockerfile: "FROM scratch"}), Dockerfile: dockerfile}
		before := hashOf(t, b)
		must(t, os.WriteFile(filepath.Join(b.Context, dockerfile), []byte("FROM changed"), 0o644))
		if hashOf(t, b) == before {
			t.Errorf("%s does not count", dockerfile)
		}
	}
}

func TestHashReadsTheIgnoreFileBesideTheDockerfileFirst(t *testing.T) {
	b := Build{Dockerfile: "Dockerfile", Context: tree(t, map[string]string{
		"Dockerfile": "FROM scratch", ".dockerignore": "*\n", "Dockerfile.dockerignore": "*.log\n", "main.py": "1", "x.log": "1"})}
	before := hashOf(t, b)
	must(t, os.WriteFile(b.Context+"/x.log", []byte("2"), 0o644))
	if hashOf(t, b) != before {
		t.Error("a file that is ignored counts")
	}
	must(t, os.WriteFile(b.Context+"/main.py", []byte("2"), 0o644))
	if hashOf(t, b) == before {
		t.Error("a file that is not ignored does not count")
	}
}

func TestHashKeepsNamesAndContentsApart(t *testing.T) {
	seen := map[string]int{}
	for i, b := range []Build{
		{Context: tree(t, map[string]string{"ab": "c"})},
		{Context: tree(t, map[string]string{"a": "bc"})},
		{Context: tree(t, map[string]string{"a": "", "b": "c"})},
		{Context: tree(t, map[string]string{"a/b": "c"})},
		{Context: tree(t, nil), Target: "a", Platform: "b"},
		{Context: tree(t, nil), Target: "ab"},
		{Context: tree(t, nil), Platform: "ab"},
		{Context: tree(t, nil), Args: map[string]string{"a": "b"}},
		{Context: tree(t, nil), Args: map[string]string{"ab": ""}},
	} {
		hash := hashOf(t, b)
		if other, ok := seen[hash]; ok {
			t.Errorf("builds %d and %d have the same hash", other, i)
		}
		seen[hash] = i
	}
}

func TestHashFollowsWhereALinkPoints(t *testing.T) {
	b := Build{Context: tree(t, map[string]string{"a": "1", "b": "1"})}
	point := func(target string) string {
		must(t, os.Symlink(target, b.Context+"/link"))
		defer os.Remove(b.Context + "/link")
		return hashOf(t, b)
	}
	if point("a") == point("b") {
		t.Error("another target is the same image")
	}
}

func TestHashFailsWhereItCanNotRead(t *testing.T) {
	for name, b := range map[string]Build{
		"no folder":        {Context: t.TempDir() + "/nowhere"},
		"broken pattern":   {Context: tree(t, map[string]string{".dockerignore": "[\n"})},
		"ignore is folder": {Context: tree(t, map[string]string{".dockerignore/x": ""})},
	} {
		if hash, err := b.Hash(); err == nil {
			t.Errorf("%s: hash %s", name, hash)
		}
	}
}
