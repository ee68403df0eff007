package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWriteIsWholeOrNotThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "old")
	defer func(was func(string)) { Step = was }(Step)
	Step = func(call string) {
		if text := read(t, file); text != "old" && text != "new" {
			t.Errorf("after %s the file is %q", call, text)
		}
	}
	if err := Write(file, []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); read(t, file) != "new" || info.Mode().Perm() != 0o640 {
		t.Errorf("the file is %q, %v", read(t, file), info.Mode())
	}
}

func TestRenameTakesNoName(t *testing.T) {
	for _, rename := range []func(string, string) error{Rename, renameNotAtomic} {
		folder := t.TempDir()
		from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
		write(t, from, "a")
		write(t, to, "b")
		if err := rename(from, to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("onto a file that is there: %v", err)
		}
		if read(t, from) != "a" || read(t, to) != "b" {
			t.Error("a file has changed")
		}
	}
}

func TestWhatRootMakesIsItsFoldersOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away; what is nobody else's is tested")
	}
	folder := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(folder, 10001, 10002); err != nil {
			t.Fatal(err)
		}
	}
	deep := filepath.Join(folder, "a", "b")
	if err := MkdirAll(deep); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(deep, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := owner(t, folder)
	for _, path := range []string{filepath.Join(folder, "a"), deep, filepath.Join(deep, "f")} {
		if owner(t, path) != want {
			t.Errorf("%s belongs to %v, its folder to %v", path, owner(t, path), want)
		}
	}
}
