package engine

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
)

func TestTheLimitsOfProcessesAreRead(t *testing.T) {
	a := &onceAPI{fakeAPI: &fakeAPI{}, states: []container.State{{Status: container.StateExited}}, out: "|/usr/lib/systemd/systemd-coredump %P\n12 0\n13 unlimited\n"}
	found, err := (&Engine{api: a}).Cores(t.Context(), "p-s", "nginx:1", []int{12, 13, 14})
	if err != nil || found.Pattern != "|/usr/lib/systemd/systemd-coredump %P" || len(found.Limits) != 2 || found.Limits[12] != "0" || found.Limits[13] != "unlimited" {
		t.Errorf("%+v, %v", found, err)
	}
	if a.host.PidMode != "host" || len(a.host.CapAdd) > 0 || a.created.User == "0:0" {
		t.Errorf("%+v", a.host)
	}
	a.out = "core\nsh: not found\n"
	if _, err := (&Engine{api: a}).Cores(t.Context(), "p-s", "nginx:1", []int{12}); err == nil {
		t.Error("a fault is a limit")
	}
}

// The script asks the kernel of this machine of a process whose limit is known, and of one that is gone.
func TestTheKernelSaysTheLimit(t *testing.T) {
	sleeping := exec.Command("sh", "-c", "ulimit -S -c 0; exec sleep 60")
	if err := sleeping.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeping.Process.Signal(syscall.SIGKILL); _ = sleeping.Wait() }()
	var said []byte
	for range 100 { // until the shell has become sleep
		if name, _ := os.ReadFile("/proc/" + strconv.Itoa(sleeping.Process.Pid) + "/comm"); strings.TrimSpace(string(name)) == "sleep" {
			break
		}
	}
	said, err := exec.Command("sh", "-c", coresScript, "cores", strconv.Itoa(sleeping.Process.Pid), "999999999").Output()
	_, rest, _ := strings.Cut(string(said), "\n")
	if err != nil || rest != strconv.Itoa(sleeping.Process.Pid)+" 0\n" {
		t.Errorf("%q, %v", said, err)
	}
}
