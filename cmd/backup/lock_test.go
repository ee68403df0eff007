package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func nobody(t *testing.T) func(string) {
	return func(by string) { t.Errorf("it had to wait for %s", by) }
}

// A child that has the file open keeps the lock when the one that has taken it is gone, and
// the kernel gives it back when that one is killed.
func TestTheLockLastsAsLongAsAChildHasIt(t *testing.T) {
	folder := t.TempDir()
	lock, err := takeLock(t.Context(), folder, "tarot-test", time.Second, nobody(t))
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "600")
	child.ExtraFiles = []*os.File{lock}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	lock.Close()

	var other held
	_, err = takeLock(t.Context(), folder, "tarot-other", 200*time.Millisecond, func(string) {})
	if !errors.As(err, &other) || !strings.Contains(other.by, "stack tarot-test") {
		t.Fatalf("while the child lives: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	again, err := takeLock(t.Context(), folder, "tarot-other", 20*time.Second, func(string) {})
	if err != nil {
		t.Fatalf("when the child is killed: %v", err)
	}
	if by := whoHolds(again); !strings.Contains(by, "stack tarot-other") || strings.Contains(by, "tarot-test") {
		t.Errorf("it says that %s has it", by)
	}
	again.Close()
}

// Another process, not another descriptor alone.
func TestTheLockBindsOtherProcesses(t *testing.T) {
	folder := t.TempDir()
	lock, err := takeLock(t.Context(), folder, "tarot-test", time.Second, nobody(t))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := exec.Command("flock", "--shared", "--nonblock", lock.Name(), "true").Run(); err == nil {
		t.Error("another process has it, too")
	}
}

// A lock on a file that nobody finds any more keeps nobody out.
func TestALockFileThatIsReplacedWhileItIsWaitedFor(t *testing.T) {
	folder := t.TempDir()
	lock, err := takeLock(t.Context(), folder, "tarot-test", time.Second, nobody(t))
	if err != nil {
		t.Fatal(err)
	}
	if !stillThere(lock) {
		t.Error("it is there")
	}
	_, err = takeLock(t.Context(), folder, "tarot-test", 20*time.Second, func(string) {
		_ = os.Remove(lock.Name())
		lock.Close()
	})
	if err == nil || !strings.Contains(err.Error(), "removed or replaced") {
		t.Errorf("%v", err)
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	folder := t.TempDir()
	if n := readRefusals(folder).Count; n != 0 {
		t.Error(n)
	}
	lock, err := takeLock(t.Context(), folder, "tarot-test", time.Second, nobody(t))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	addRefusal(folder, "one")
	addRefusal(folder, "another\n")
	if r := readRefusals(folder); r.Count != 2 || r.By != "another" || time.Since(r.Last) > time.Minute {
		t.Errorf("%+v", r)
	}
}
