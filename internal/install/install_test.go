package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Each program has its own copies, of which the two before the new one stay.
func TestTheOldestCopiesOfAProgramGo(t *testing.T) {
	folder, source := t.TempDir(), filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte("#!"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"one-1", "other-1", "one-2", "one-3", "one-4", "one-4"} { // the last one over itself
		if err := Program(source, folder, name); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(time.Duration(i-9) * time.Hour)
		if err := os.Chtimes(filepath.Join(folder, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"one-1": false, "one-2": true, "one-3": true, "one-4": true, "other-1": true, "one-4.new": false} {
		if exists(filepath.Join(folder, name)) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
	if info, err := os.Stat(filepath.Join(folder, "one-4")); err != nil || info.Mode() != 0o755 || info.Size() != 2 {
		t.Errorf("%v %v", err, info)
	}
}

// Also over one that nobody may write, and over what was left half written.
func TestACopyHasTheFilesPermissions(t *testing.T) {
	folder, source := t.TempDir(), filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"one", "another"} {
		_ = os.Remove(source)
		if err := os.WriteFile(source, []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "kept.new"), []byte("half of something"), 0o444); err != nil {
			t.Fatal(err)
		}
		if err := Copy(source, folder, "kept"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(folder, "kept"))
		info, _ := os.Stat(filepath.Join(folder, "kept"))
		if err != nil || string(got) != text || info.Mode() != 0o444 || exists(filepath.Join(folder, "kept.new")) {
			t.Errorf("%v: %s, %v", err, got, info.Mode())
		}
	}
}

func TestALinkIsReplaced(t *testing.T) {
	folder := t.TempDir()
	for _, to := range []string{"one", "other"} {
		if err := Link(folder, "current", to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(filepath.Join(folder, "current")); err != nil || got != to {
			t.Errorf("%s, %v", got, err)
		}
	}
}

// Whatever the umask: each program may run as another user.
func TestEverybodyMayRemember(t *testing.T) {
	folder := t.TempDir()
	if err := States(folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, "state")); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("%v %v", err, info)
	}
}
