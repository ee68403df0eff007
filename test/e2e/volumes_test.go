//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestNoRenameLosesData renames the data volume, while it is kept on destroy
// and while it is not: to a name that nobody has, which is refused, to a copy, and to a volume
// that somebody has made.
//
//suite:thorough
func TestNoRenameLosesData(t *testing.T) {
	t.Parallel() // with those that ask for little of the machine
	s := newStack(t, "Pulumi.dev.yaml", map[string]any{
		"backend.publishPort": freePort(t), "backend.mountCode": false, "backend.target": "", "nginx.enabled": true,
	})
	s.up()
	if out, want := s.outputs(), fmt.Sprintf("http://localhost:%d", s.http); out["url"] != want { // dev with nginx switched on
		t.Errorf("url %v, want %s", out["url"], want)
	}
	reading := s.store(s.outputs())
	volume := func() any { return s.outputs()["volumes"].(map[string]any)["data"] }

	left := "would leave behind what is in the volume " + s.volume("data")
	s.config("volumes.data", s.volume("logs")) // a name that the clean-up knows
	if said, err := s.run("preview"); err == nil || !strings.Contains(said, left) {
		t.Errorf("a preview says nothing: %v\n%s", err, said)
	}
	s.refused(left, fmt.Sprintf("make volume-copy STACK=%s FROM=%s TO=%s", s.name, s.volume("data"), s.volume("logs")))
	s.read(s.outputs(), reading)
	s.config("volumes.retain", false) // beside it: the same
	s.refused(left)
	s.config("volumes.retain", true)

	if said := s.moves("volume-copy", s.volume("data"), s.volume("logs")); !strings.Contains(said, "copied and compared") {
		t.Errorf("the copy says\n%s", said)
	}
	if volume() != s.volume("logs") {
		t.Errorf("the stack uses %v", volume())
	}
	if !s.hasVolume(s.volume("data")) {
		t.Fatal("a rename removed the volume")
	}
	s.read(s.outputs(), reading)
	if said, code := s.operator()("volume-copy", s.name, s.volume("logs"), s.volume("data")); code == 0 || !strings.Contains(said, "has something in it") {
		t.Errorf("over what is there: exit code %d\n%s", code, said)
	}
	if runs := s.docker("ps", "--quiet", "--filter", "label=tarot.stack="+s.prefix(), "--filter", "label=tarot.workload=backend"); runs == "" {
		t.Error("what was stopped stays so, although nothing was copied")
	}
	s.config("volumes.data", s.volume("data")) // one that is there
	s.config("volumes.driver", "another")
	if said, err := s.run("preview"); err == nil || !strings.Contains(said, "a volume keeps its driver") {
		t.Errorf("another driver: %v\n%s", err, said)
	}
	s.config("volumes.driver", "local")
	s.up()
	s.read(s.outputs(), reading)
	s.docker("volume", "rm", s.volume("logs"))

	s.config("volumes.retain", false)
	s.up()
	s.docker("volume", "create", s.volume("static")) // by somebody who knows
	s.config("volumes.data", s.volume("static"))
	said := s.up()
	if volume() != s.volume("data") || !strings.Contains(said, fmt.Sprintf("volume %s keeps its name", s.volume("data"))) {
		t.Errorf("the stack uses %v and said\n%s", volume(), said)
	}
	s.read(s.outputs(), reading)

	// What the state says counts when a volume is replaced or left out, whatever changes
	// beside it.
	s.config("volumes.logs", s.volume("logs"))
	s.up()
	s.config("volumes.logs", "")
	s.config("volumes.retain", true)
	said = s.up()
	if volume() != s.volume("data") || strings.Count(said, "run `pulumi up` once more") < 2 {
		t.Errorf("the stack uses %v and said\n%s", volume(), said)
	}
	s.read(s.outputs(), reading)
	s.up()
	if volume() != s.volume("static") {
		t.Errorf("the stack uses %v", volume())
	}
	for _, kind := range []string{"data", "logs"} {
		if !s.hasVolume(s.volume(kind)) {
			t.Fatalf("the %s volume is gone", kind)
		}
	}
	s.config("volumes.data", s.volume("data"))
	s.config("volumes.retain", false) // together: it is the state that says that it is kept
	s.up()
	s.config("volumes.retain", true)
	s.up()
	s.up()
	s.read(s.outputs(), reading)

	s.config("volumes.retain", false)
	s.up()
	s.mustRun("destroy", "--yes", "--skip-preview")
	if s.hasVolume(s.volume("data")) {
		t.Error("destroy kept a volume with retain false")
	}
}
