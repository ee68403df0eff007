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
	if out, err := h.run(user, folder); err != nil {
		h.Fatalf("%v: %s", err, out)
	}
	text, _ := os.ReadFile(filepath.Join(h.root, "asked"))
	_ = os.Remove(filepath.Join(h.root, "asked"))
	return strings.Fields(strings.ReplaceAll(string(text), h.root, ""))
}

// run runs the job for the volume uploads, with further variables.
func (h host) run(user, folder string, variables ...string) (said []byte, err error) {
	if _, err := os.Stat(filepath.Join(h.root, "mounts")); err != nil {
		h.write("mounts", "/dev/sda1 / ext4 rw 0 0\n")
	}
	script := strings.NewReplacer("/run/volumes/", h.root+"/run/volumes/", "/proc/self/mounts", h.root+"/mounts").Replace(ownScript)
	cmd := exec.Command("/bin/sh", "-c", script, "own-volumes", user, "uploads", folder)
	cmd.Env = append([]string{"PATH=" + h.root + "/bin:" + os.Getenv("PATH"), "ROOT=" + h.root}, variables...)
	return cmd.CombinedOutput()
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

// A folder that its owner can't write to would stay so: the engine gives an empty volume the
// mode that the image's folder has, and what is copied the modes of the image's files.
func TestANewVolumeCanBeWrittenByItsOwner(t *testing.T) {
	me := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
	mode := func(h host, path string, want os.FileMode) {
		t.Helper()
		if info, err := os.Stat(filepath.Join(h.root, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	set := func(h host, path string, to os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(h.root, path), to); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("what the image has", func(t *testing.T) {
		h := newHost(t)
		h.write("code/media/seed/shop.db", "x")
		set(h, "code/media/seed/shop.db", 0o444)
		set(h, "code/media/seed", 0o555)
		h.own("10001:10001", "code/media")
		set(h, "code/media/seed", 0o755) // or it could not be cleaned up
		mode(h, "run/volumes/uploads/seed", 0o755)
		mode(h, "run/volumes/uploads/seed/shop.db", 0o644)
	})
	t.Run("an empty folder", func(t *testing.T) {
		h := newHost(t)
		h.folder("code/media")
		set(h, "code/media", 0o555)
		h.own(me, "code/media")
		if there := h.there(); !slices.Equal(there, []string{".keep"}) {
			t.Errorf("the engine gives it the image's mode: %q", there)
		}
	})
	t.Run("an empty volume", func(t *testing.T) {
		h := newHost(t)
		h.folder("run/volumes/uploads")
		set(h, "run/volumes/uploads", 0o555)
		if asked := h.own(me, "code/media"); !slices.Equal(asked, []string{"0:0", "/run/volumes/uploads", "-hR", me, "/run/volumes/uploads"}) {
			t.Errorf("asked %q", asked)
		}
		mode(h, "run/volumes/uploads", 0o755)
	})
	t.Run("what users have is left alone", func(t *testing.T) {
		h := newHost(t)
		h.write("run/volumes/uploads/theirs", "x")
		set(h, "run/volumes/uploads/theirs", 0o400)
		set(h, "run/volumes/uploads", 0o555)
		h.own(me, "code/media")
		mode(h, "run/volumes/uploads", 0o555)
		mode(h, "run/volumes/uploads/theirs", 0o400)
		set(h, "run/volumes/uploads", 0o755) // or it could not be cleaned up
	})
}

func TestSQLiteIsRefusedOnANetworkFileSystem(t *testing.T) {
	for kind, refused := range map[string]bool{"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "9p": true, "virtiofs": true, "fuse": true, "fuse.sshfs": true,
		"ext4": false, "xfs": false, "btrfs": false, "overlay": false, "tmpfs": false, "fuseblk": false, "zfs": false} {
		for _, here := range []bool{true, false} {
			h := newHost(t)
			mounts := "overlay / overlay rw 0 0\n:/other " + h.root + "/run/volumes/other nfs4 rw 0 0\n:/srv " + h.root + "/run/volumes/uploads " + kind + " rw,relatime 0 0\n"
			h.write("mounts", mounts)
			h.folder("run/volumes/uploads")
			in := "SQLITE_IN=other"
			if here {
				in = "SQLITE_IN=uploads"
			}
			said, err := h.run("10001:10001", "-", in)
			if (err != nil) != (refused && here) || err != nil && !strings.Contains(string(said), "the volume uploads is on a network file system ("+kind+")") {
				t.Errorf("%s, the database there: %v: %v, %s", kind, here, err, said)
			}
			if asked, _ := os.ReadFile(filepath.Join(h.root, "asked")); err != nil && len(asked) > 0 {
				t.Errorf("%s: changed: %s", kind, asked)
			}
		}
	}
}
