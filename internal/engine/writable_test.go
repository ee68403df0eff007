package engine

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
)

func TestCheckWritable(t *testing.T) {
	for _, test := range []struct {
		name, says string
		code       int
		want       string
		found      bool
	}{
		{"writable", "", 0, "", false},
		{"not writable", "write-test: 4: cannot create /app/data/x: Permission denied\n", 2, "it can't write its data: 4: cannot create /app/data/x: Permission denied", true},
		{"no shell", "no such file\n", 127, "/bin/sh in tarot-prod-backend-1: exit code 127: no such file", false},
	} {
		api := &executing{fakeAPI: &fakeAPI{containers: []container.Summary{{ID: "one", Names: []string{"/tarot-prod-backend-1"}}}}, errs: test.says, code: test.code}
		err := (&Engine{api: api}).CheckWritable(t.Context(), "tarot-prod", "backend", "/app/data")
		if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want || errors.Is(err, ErrNotWritable) != test.found {
			t.Errorf("%s: %v", test.name, err)
		}
		if last := api.ran[len(api.ran)-1]; last != "/app/data" {
			t.Errorf("%s: ran %q", test.name, api.ran)
		}
	}
	if err := (&Engine{api: &fakeAPI{}}).CheckWritable(t.Context(), "tarot-prod", "backend", "/app/data"); err == nil || errors.Is(err, ErrNotWritable) {
		t.Errorf("nothing runs: %v", err)
	}
}

// As nobody where the test is root, who may write everything.
func TestTheWriteTestInARealShell(t *testing.T) {
	folder := t.TempDir()
	for _, place := range []string{folder, folder + "/..", folder + "/../.."} {
		if info, err := os.Stat(place); err == nil && info.Mode()&os.ModeSticky == 0 {
			_ = os.Chmod(place, 0o755)
		}
	}
	make := func(name string, mode os.FileMode) string {
		path := folder + "/" + name
		if strings.HasSuffix(name, ".db") {
			_ = os.WriteFile(path, nil, 0o600)
		} else {
			_ = os.Mkdir(path, 0o700)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, shut, file, locked := make("open", 0o777), make("shut", 0o555), make("a.db", 0o666), make("b.db", 0o444)
	for _, test := range []struct {
		places []string
		fails  bool
	}{
		{[]string{open}, false}, {[]string{shut}, true}, {[]string{open, shut}, true}, {[]string{open, file}, false}, {[]string{open, locked}, true}, {[]string{open, open + "/none.db"}, false},
	} {
		words := WriteTest(test.places...)
		command := exec.Command(words[0], words[1:]...)
		command.Dir = "/"
		if os.Geteuid() == 0 {
			command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := command.CombinedOutput()
		if (err != nil) != test.fails || test.fails && !strings.Contains(string(out), test.places[len(test.places)-1]) {
			t.Errorf("%q: %v %s", test.places, err, out)
		}
	}
	if left, err := os.ReadDir(open); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
