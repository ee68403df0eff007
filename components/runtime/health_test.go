package runtime

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// container is where the health check's script runs: a folder is its /tmp.
type container struct {
	t   *testing.T
	tmp string
}

// check starts the script as the engine does, with a pause of a second, a hold of three,
// and a timeout of two.
func (c container) check(command ...string) *exec.Cmd {
	script := strings.ReplaceAll(healthScript, "/tmp/", c.tmp+"/")
	return exec.Command("/bin/sh", append([]string{"-c", script, "health", "1", "3", "2"}, command...)...)
}

func (c container) answers(code int, output string, command ...string) time.Duration {
	c.t.Helper()
	check, began := c.check(command...), time.Now()
	said, _ := check.CombinedOutput()
	if check.ProcessState.ExitCode() != code || string(said) != output {
		c.t.Errorf("%v: exit code %d and %q, want %d and %q", command, check.ProcessState.ExitCode(), said, code, output)
	}
	return time.Since(began)
}

// counting is a check that counts its runs and does what `then` says.
func (c container) counting(then string) []string {
	return []string{"/bin/sh", "-c", "echo run >>" + c.tmp + "/runs; " + then}
}

func (c container) runs() int {
	c.t.Helper()
	all, err := os.ReadFile(filepath.Join(c.tmp, "runs"))
	if err != nil {
		c.t.Fatal(err)
	}
	return bytes.Count(all, []byte("\n"))
}

func TestAHealthCheckAnswersAtOnceUntilItHasPassed(t *testing.T) {
	t.Parallel()
	c := container{t, t.TempDir()}
	c.answers(3, "not yet\n", c.counting("echo not yet; exit 3")...)
	c.answers(0, "now\nto both\n", c.counting("echo now; echo to both >&2")...)
	if c.runs() != 2 {
		t.Errorf("%d runs for two answers", c.runs())
	}
	c.answers(127, "no such thing\n", "/bin/sh", "-c", "sleep 0; echo no such thing >&2; exit 127")
}

func TestOneStartOfAHealthCheckThatPassesMakesSeveral(t *testing.T) {
	t.Parallel()
	c := container{t, t.TempDir()}
	c.answers(0, "well\n", c.counting("echo well")...)
	// One check and its pause take one second; on a machine that is busy, one may take all of the hold.
	if took := c.answers(0, "well\n", c.counting("echo well")...); took < 2*time.Second || c.runs() < 2 || c.runs() > 5 {
		t.Errorf("%d runs in %s after the first one", c.runs()-1, took)
	}
}

func TestAFailureEndsTheHoldAtOnce(t *testing.T) {
	t.Parallel()
	c := container{t, t.TempDir()}
	c.answers(0, "", "true")
	c.answers(9, "broken\n", c.counting("echo broken; exit 9")...)
	c.answers(9, "broken\n", c.counting("echo broken; exit 9")...) // and the next ones don't hold
	if c.runs() != 2 {
		t.Errorf("%d runs", c.runs())
	}
}

func TestAHealthCheckThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	const told = "the health check took longer than its timeout of 2 s\n"
	c := container{t, t.TempDir()}
	c.answers(137, told, "sleep", "60") // at its first run
	c.answers(0, "", "true")
	if took := c.answers(137, told, "sleep", "60"); took > 20*time.Second { // and in a hold
		t.Errorf("it took %s", took)
	}
}

func TestAHoldThatIsCutOffHoldsNoMore(t *testing.T) {
	t.Parallel()
	c := container{t, t.TempDir()}
	c.answers(0, "", "true")
	long := c.check(c.counting("echo $$ >" + c.tmp + "/pid; exec sleep 60")...)
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(c.tmp, "pid")
	for _, err := os.Stat(pid); err != nil; _, err = os.Stat(pid) {
		time.Sleep(10 * time.Millisecond)
	}
	_ = long.Process.Signal(syscall.SIGTERM) // as the engine does
	if err := long.Wait(); err == nil || long.ProcessState.ExitCode() != 128+15 {
		t.Errorf("the hold ended with %v", err)
	}
	// What a container's process 1 would have to bury is gone, too.
	number, _ := os.ReadFile(pid)
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(number))); err == nil {
		t.Error("its check goes on")
	}
	if c.answers(4, "", "sh", "-c", "exit 4"); c.runs() != 1 {
		t.Errorf("%d runs", c.runs())
	}
}

func TestAFullTmpIsNoReasonToFail(t *testing.T) {
	t.Parallel()
	c := container{t, t.TempDir()}
	for _, file := range []string{".health-passed", ".health-output"} {
		if err := os.Symlink("/dev/full", filepath.Join(c.tmp, file)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		c.answers(0, "well\n", "echo", "well")
	}
}
