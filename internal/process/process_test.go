package process

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestAProcessThatHasEndedIsGone(t *testing.T) {
	me := Self()
	if !Here(me) {
		t.Skipf("nothing is known of processes here: %q", me)
	}
	if Gone(me) {
		t.Errorf("%q is gone", me)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started, known := start(cmd.Process.Pid)
	other := strings.Join(append([]string{strconv.Itoa(cmd.Process.Pid), started}, place()...), " ")
	if !known || Gone(other) {
		t.Errorf("%q runs and is gone, or not known (%v)", other, known)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !Gone(other) {
		t.Errorf("%q was killed and is not gone", other)
	}
}

// Its number is another process's by now.
func TestAnotherProcessOfTheNumberIsNotIt(t *testing.T) {
	words := strings.Split(Self(), " ")
	if len(place()) == 0 {
		t.Skip("nothing is known of processes here")
	}
	words[1] = "1"
	if name := strings.Join(words, " "); !Gone(name) {
		t.Errorf("%q is not gone", name)
	}
}

// What can't be seen from here is not gone.
func TestAProcessElsewhereIsNotKnownToBeGone(t *testing.T) {
	words := strings.Split(Self(), " ")
	words[0], words[1] = "999999999", "1"
	for i := 2; i < len(words); i++ {
		other := append([]string{}, words...)
		other[i] = "another"
		if name := strings.Join(other, " "); Here(name) || Gone(name) {
			t.Errorf("%q: here %v, gone %v", name, Here(name), Gone(name))
		}
	}
	for _, name := range []string{"", "1", "1 2", strings.Join(words[:2], " ")} {
		if Here(name) || Gone(name) {
			t.Errorf("%q: here %v, gone %v", name, Here(name), Gone(name))
		}
	}
}
