package buildcontext

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A Dockerfile may be a link, to a file that is ignored as every Dockerfile may be.
func TestHashReadsTheDockerfileThatALinkPointsAt(t *testing.T) {
	b := Build{Dockerfile: "Dockerfile", Context: tree(t, map[string]string{".dockerignore": "*\n!main.py\n", "docker/real": "FROM scratch", "main.py": "1"})}
	must(t, os.Symlink("docker/real", b.Context+"/Dockerfile"))
	before := hashOf(t, b)
	must(t, os.WriteFile(b.Context+"/docker/real", []byte("FROM changed"), 0o644))
	if hashOf(t, b) == before {
		t.Error("the image would be stale")
	}
	must(t, os.Remove(b.Context+"/docker/real"))
	if hash, err := b.Hash(); err == nil {
		t.Errorf("of no Dockerfile: %s", hash)
	}
}

func TestUnreadable(t *testing.T) {
	for name, test := range map[string]struct {
		private map[string]os.FileMode
		want    []string
	}{
		"nothing":               {nil, nil},
		"a file":                {map[string]os.FileMode{"main.py": 0o600}, []string{"main.py (0600)"}},
		"for its group":         {map[string]os.FileMode{"main.py": 0o640}, []string{"main.py (0640)"}},
		"a folder with a file":  {map[string]os.FileMode{"sub": 0o700, "sub/a.py": 0o600}, []string{"sub/ (0700)"}},
		"two":                   {map[string]os.FileMode{"sub/a.py": 0o600, "main.py": 0o400}, []string{"main.py (0400)", "sub/a.py (0600)"}},
		"an ignored one":        {map[string]os.FileMode{".env": 0o600}, nil},
		"a folder of that name": {map[string]os.FileMode{"sub": 0o744}, []string{"sub/ (0744)"}},
		"the Dockerfile":        {map[string]os.FileMode{"Dockerfile": 0o600}, nil},
	} {
		b := Build{Dockerfile: "Dockerfile", Context: tree(t, map[string]string{"Dockerfile": "", "main.py": "", "sub/a.py": "", "subway.py": "", ".env": "", ".dockerignore": ".env\n"})}
		for file, mode := range test.private {
			must(t, os.Chmod(b.Context+"/"+file, mode))
		}
		if got, err := b.Unreadable(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
	folder := tree(t, nil)
	must(t, os.Chmod(folder, 0o700))
	if got, err := (Build{Context: folder}).Unreadable(); err != nil || !slices.Equal(got, []string{folder + " (0700)"}) {
		t.Errorf("the folder itself: %q, %v", got, err)
	}
}

// An ignored folder may be anybody's: a database's, or one of another user. Root reads
// everything, so the test goes on as nobody.
func TestHashPassesByAnIgnoredFolderThatMayNotBeRead(t *testing.T) {
	const variable = "HASH_THIS_CONTEXT"
	if folder := os.Getenv(variable); folder != "" {
		hashOf(t, Build{Context: folder, Dockerfile: "Dockerfile"})
		return
	}
	folder := tree(t, map[string]string{"Dockerfile": "", "main.py": "", ".dockerignore": "data\n!main.py\n", "data/x": ""})
	must(t, os.Chmod(folder+"/data", 0o000))
	defer os.Chmod(folder+"/data", 0o755) //nolint:errcheck // for the clean-up
	command := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), variable+"="+folder)
	if os.Geteuid() == 0 {
		program := t.TempDir() + "/test"
		text, err := os.ReadFile(os.Args[0])
		must(t, err)
		must(t, os.WriteFile(program, text, 0o755))
		command.Path, command.Dir = program, "/"
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for place := folder; place != "/"; place = place[:max(1, strings.LastIndexByte(place, '/'))] {
			if info, err := os.Stat(place); err == nil && info.Mode()&0o005 != 0o005 && info.Mode()&os.ModeSticky == 0 {
				must(t, os.Chmod(place, info.Mode()|0o005))
			}
		}
		must(t, os.Chmod(program[:strings.LastIndexByte(program, '/')], 0o755))
	}
	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSyntax(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"FROM scratch": "",
		"# syntax=docker/dockerfile:1\nFROM scratch":              "docker/dockerfile:1",
		"#syntax = registry.example/dockerfile:1.4\r\nFROM a":     "registry.example/dockerfile:1.4",
		"# escape=`\n# syntax=docker/dockerfile:1\nFROM scratch":  "docker/dockerfile:1",
		"# a comment\n# syntax=docker/dockerfile:1\nFROM scratch": "",
		"\n# syntax=docker/dockerfile:1\nFROM scratch":            "",
	} {
		b := Build{Dockerfile: "Dockerfile", Context: tree(t, map[string]string{"Dockerfile": text})}
		if got := b.Syntax(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := (Build{Context: t.TempDir(), Dockerfile: "Dockerfile"}).Syntax(); got != "" {
		t.Errorf("no Dockerfile: %q", got)
	}
}
