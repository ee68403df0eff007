// Package setup tries the set-up scripts with a home, a cache and a PATH of their own.
package setup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

const root = "../.."

// machine is a user's, with nothing installed but Go.
type machine struct {
	home, bin string
	env       []string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	dir := t.TempDir()
	m := machine{home: filepath.Join(dir, "home"), bin: filepath.Join(dir, "bin")}
	for _, folder := range []string{m.home, m.bin} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"go", "gofmt"} {
		found, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(found, filepath.Join(m.bin, program)); err != nil {
			t.Fatal(err)
		}
	}
	// Not /usr/local/bin: set-up would put what it installs there.
	m.env = []string{
		"PATH=" + m.bin + ":/usr/bin:/bin", "HOME=" + m.home, "TAROT_CACHE=" + filepath.Join(m.home, "cache"),
		"PULUMI_HOME=" + filepath.Join(m.home, ".pulumi"), "GOFLAGS=-mod=mod", "GOPROXY=off",
		"GOMODCACHE=" + goEnv(t, "GOMODCACHE"), "GOCACHE=" + goEnv(t, "GOCACHE"),
	}
	return m
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// program puts a shell script on the machine's PATH.
func (m machine) program(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/usr/bin/env bash\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (m machine) run(t *testing.T, env []string, command ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = root, append(append([]string{}, m.env...), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A CLI that does no more than set-up asks of it: it installs a plugin from an archive.
const fakePulumi = `#!/bin/sh
case $1 in
version) echo v%s ;;
plugin)
  while [ "$#" -gt 0 ]; do [ "$1" = --file ] && archive=$2; [ "$1" = resource ] && name=$2 version=$3; shift; done
  folder=$PULUMI_HOME/plugins/resource-$name-v$version
  mkdir -p "$folder" && tar -xzf "$archive" -C "$folder"
  ;;
esac
`

// archive is a .tar.gz of executable files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	w := tar.NewWriter(zipped)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// setting is a value that setup/pulumi.sh sets for itself.
func setting(t *testing.T, name string) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "setup/pulumi.sh"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + `="?([^"\n]*)"?$`).FindSubmatch(script)
	if found == nil {
		t.Fatalf("setup/pulumi.sh sets no %s", name)
	}
	return string(found[1])
}

// served is what Pulumi's server has below releases/, by its path there, and the lists of
// checksums, by their own.
func served(t *testing.T) (files map[string][]byte, cli, docker string) {
	t.Helper()
	version := setting(t, "pulumi_version")
	files = map[string][]byte{}
	platform := runtime.GOOS + "-" + runtime.GOARCH
	cli = "pulumi-v" + version + "-" + strings.Replace(platform, "amd64", "x64", 1) + ".tar.gz"
	files["sdk/"+cli] = archive(t, map[string]string{"pulumi/pulumi": fmt.Sprintf(fakePulumi, version), "pulumi/pulumi-language-go": "#!/bin/sh\n"})
	files["sdk/pulumi-"+version+"-checksums.txt"] = list(files["sdk/"+cli], cli)
	for _, plugin := range strings.Fields(setting(t, "plugins")) {
		name, version, _ := strings.Cut(plugin, ":")
		file := "pulumi-resource-" + name + "-v" + version + "-" + platform + ".tar.gz"
		if name == "docker" {
			docker = file
		}
		files["plugins/"+file] = archive(t, map[string]string{"pulumi-resource-" + name: "#!/bin/sh\n"})
		files["plugins/pulumi-"+name+"_"+version+"_checksums.txt"] = list(files["plugins/"+file], file)
	}
	return files, cli, docker
}

func list(content []byte, name string) []byte {
	return fmt.Appendf(nil, "%064d  another-file\n%x  %s\n", 0, sha256.Sum256(content), name)
}

// What was changed on its way, or can be compared with nothing, is never put where
// something would run it.
func TestDownloadsAreComparedWithTheirChecksums(t *testing.T) {
	_, cli, docker := served(t)
	tampered := archive(t, map[string]string{"pulumi/pulumi": "#!/bin/sh\ntouch \"$HOME/ran\"\n", "pulumi-resource-docker": "#!/bin/sh\n"})
	for name, c := range map[string]struct {
		change func(files map[string][]byte)
		says   string // nothing: it succeeds
		plugin bool   // it is the plugin that fails
	}{
		"as published":         {change: func(map[string][]byte) {}},
		"another CLI":          {change: func(f map[string][]byte) { f["sdk/"+cli] = tampered }, says: cli + " is not what it has to be, and is not used: its SHA-256 is "},
		"a plugin and no list": {change: func(f map[string][]byte) { replaceLists(f, "plugins/") }, says: docker + ": no checksum to compare it with", plugin: true},
	} {
		t.Run(name, func(t *testing.T) {
			files, _, _ := served(t)
			c.change(files)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				content, ok := files[strings.TrimPrefix(r.URL.Path, "/releases/")]
				if !ok && r.URL.Path != "/" {
					http.NotFound(w, r)
				}
				_, _ = w.Write(content)
			}))
			defer server.Close()
			m := newMachine(t)
			out, err := m.run(t, []string{"TAROT_TOOLCHAIN=official", "TAROT_PULUMI_MIRROR=" + server.URL, "TAROT_GITHUB_MIRROR=" + server.URL + "/github"}, "setup/pulumi.sh")
			if _, ran := os.Stat(filepath.Join(m.home, "ran")); ran == nil {
				t.Error("the tampered program has run")
			}
			installed := glob(t, m.home, "cache/toolchain/official-*/libexec/pulumi")
			plugins := glob(t, m.home, ".pulumi/plugins/resource-*")
			if c.says == "" {
				if err != nil || len(installed) != 1 || len(plugins) != 2 {
					t.Errorf("%v: installed are %q and %q\n%s", err, installed, plugins, out)
				}
				return
			}
			if err == nil || !strings.Contains(out, c.says) {
				t.Errorf("%v, and nothing says %q\n%s", err, c.says, out)
			}
			if len(plugins) != 0 || len(installed) != 0 != c.plugin {
				t.Errorf("installed are %q and %q", installed, plugins)
			}
			if left := glob(t, m.home, "cache/toolchain/*.tar.gz*"); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func replaceLists(files map[string][]byte, folder string) {
	for name := range files {
		if strings.HasPrefix(name, folder) && strings.HasSuffix(name, "checksums.txt") {
			files[name] = []byte("nothing of that\n")
		}
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
