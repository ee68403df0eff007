package storage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// host is where the job runs: a folder stands for the container's root, and chown only
// writes down what it is asked for.
type host struct {
	*testing.T
	root string
}

const fakeChown = "#!/bin/sh\necho \"$*\" >>\"$ROOT/asked\"\n"

func newHost(t *testing.T) host {
	h := host{t, t.TempDir()}
	h.write("bin/chown", fakeChown)
	if err := os.Chmod(filepath.Join(h.root, "bin/chown"), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	return h
}

func (h host) write(path, text string) {
	h.Helper()
	path = filepath.Join(h.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
}

func (h host) folder(path string) {
	h.Helper()
	if err := os.MkdirAll(filepath.Join(h.root, path), 0o755); err != nil {
		h.Fatal(err)
	}
}

// own runs the job for a volume, and returns what it has asked chown for.
func (h host) own(user, folder string) (asked []string) {
	h.Helper()
	h.folder("run/volumes/uploads")
	if path, uncopied := strings.CutPrefix(folder, "-"); path != "" {
		folder = filepath.Join(h.root, path)
		if uncopied {
			folder = "-" + folder
		}
	}
	cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(ownScript, "/run/volumes/", h.root+"/run/volumes/"), "own-volumes", user, "uploads", folder)
	cmd.Env = []string{"PATH=" + h.root + "/bin:" + os.Getenv("PATH"), "ROOT=" + h.root}
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%v: %s", err, out)
	}
	text, _ := os.ReadFile(filepath.Join(h.root, "asked"))
	_ = os.Remove(filepath.Join(h.root, "asked"))
	return strings.Fields(strings.ReplaceAll(string(text), h.root, ""))
}

func (h host) there() []string {
	h.Helper()
	found, err := os.ReadDir(filepath.Join(h.root, "run/volumes/uploads"))
	if err != nil {
		h.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

func TestANewVolumeIsTheUsers(t *testing.T) {
	me := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
	gives := func(user string) []string { return []string{"-hR", user, "/run/volumes/uploads"} }
	for _, test := range []struct {
		name, user, folder string
		image              []string // files and, with a slash at the end, folders
		had                []string // in the volume
		asked, there       []string
	}{
		{"no such folder in the image", "10001:10001", "code/media", nil, nil, gives("10001:10001"), nil},
		{"the user's already", me, "code/media", nil, nil, nil, nil},
		{"an empty folder of the same user", me, "code/media", []string{"code/media/"}, nil, nil, nil},
		{"what the image has, and the user already", me, "code/media", []string{"code/media/logo.png"}, nil, gives(me), []string{"logo.png"}},
		{"an empty folder of somebody else", "10001:10001", "code/media", []string{"code/media/"}, nil, gives("10001:10001"), []string{".keep"}},
		{"what the image has", "10001:10001", "code/media", []string{"code/media/logo.png", "code/media/.hidden"}, nil, gives("10001:10001"), []string{".hidden", "logo.png"}},
		{"what is published is not copied, by the engine neither", "10001:10001", "-code/media", []string{"code/media/logo.png"}, nil, gives("10001:10001"), []string{".keep"}},
		{"nothing is published", "10001:10001", "-code/media", nil, nil, gives("10001:10001"), nil},
		{"an image that is not known", "10001:10001", "-", []string{"code/media/logo.png"}, nil, gives("10001:10001"), nil},
		{"what users have is left alone", "10001:10001", "code/media", []string{"code/media/logo.png"}, []string{"theirs"}, nil, []string{"theirs"}},
		{"what is hidden, too", "10001:10001", "code/media", nil, []string{".theirs"}, nil, []string{".theirs"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			for _, path := range test.image {
				if strings.HasSuffix(path, "/") {
					h.folder(path)
				} else {
					h.write(path, "x")
				}
			}
			for _, path := range test.had {
				h.write("run/volumes/uploads/"+path, "x")
			}
			if asked := h.own(test.user, test.folder); !slices.Equal(asked, test.asked) || !slices.Equal(h.there(), test.there) {
				t.Errorf("asked %q, want %q; there is %q, want %q", asked, test.asked, h.there(), test.there)
			}
			if asked := h.own(test.user, test.folder); len(h.there()) > 0 && len(asked) > 0 {
				t.Errorf("asked again: %q", asked)
			}
		})
	}
}
