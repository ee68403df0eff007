//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestNoRenameLosesData renames the data volume, while it is kept on destroy
// and while it is not.
//
//suite:long
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

	s.config("volumes.data", s.volume("logs")) // a name that the clean-up knows
	s.up()
	if volume() != s.volume("logs") {
		t.Errorf("the stack uses %v", volume())
	}
	if !s.hasVolume(s.volume("data")) {
		t.Fatal("a rename removed the volume")
	}
	s.config("volumes.data", s.volume("data"))
	s.up()
	s.read(s.outputs(), reading)

	s.config("volumes.retain", false)
	s.up()
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
