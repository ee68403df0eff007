//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/volume"
)

// earlier is the state of this project whose stacks are taken over, where UPGRADE_FROM names
// no other and there is no tag of a release: the last one before its parts described themselves (docs/adr/0013).
const earlier = "f9bc50d2c720"

// TestUpgradeOnContainers takes a stack over that an earlier state of this project has
// brought up: no volume is another one, nothing that was stored is gone, and in prod no
// request is lost.
//
//suite:thorough
func TestUpgradeOnContainers(t *testing.T) { upgrade(t, "containers") }

//suite:thorough
func TestUpgradeOnSwarm(t *testing.T) { upgrade(t, "swarm") }

func upgrade(t *testing.T, runtime string) {
	s := newStackOf(t, before(t), "Pulumi.prod.yaml", rolloutValues(runtime, true))
	s.config("volumes.static", s.volume("static"))
	s.config("volumes.logs", s.volume("logs"))
	s.up()
	out, volumes := s.outputs(), s.volumes()
	reading := s.store(out)
	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), fmt.Sprint(out["staticUrl"])+"/style.css")

	tr.phase("the new project", func() { s.becomesToday(); s.foretold() })
	s.keeps(volumes)
	s.read(s.outputs(), reading)
	s.unchanged()
	tr.phase("back to its release", func() { s.moves("rollback") })
	s.runs(out)
	tr.phase("and forward", func() { s.moves("forward") })
	s.keeps(volumes)
	tr.report()
	tr.end(s.volume("data"), fmt.Sprint(out["image"]))
}

// In dev the one replica stops before the next one starts, so only what is stored counts.
//
//suite:thorough
func TestUpgradeOfDev(t *testing.T) {
	s := newStackOf(t, before(t), "Pulumi.dev.yaml", map[string]any{"backend.publishPort": freePort(t), "backend.debuggerPort": freePort(t)})
	s.up()
	reading, volumes := s.store(s.outputs()), s.volumes()
	s.becomesToday()
	s.up()
	s.keeps(volumes)
	s.read(s.outputs(), reading)
	s.unchanged()
}

// released is the newest tag of a release below this commit; empty: there is none. A tag on this very commit is the
// release that is to be proven.
func released() string {
	out, err := exec.Command("git", "-C", "../..", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// before is this project as it was at UPGRADE_FROM.
func before(t *testing.T) project {
	t.Helper()
	commit := cmp.Or(os.Getenv("UPGRADE_FROM"), released(), earlier)
	t.Logf("the stack is brought up as of %s", commit)
	archive, err := exec.Command("git", "-C", "../..", "archive", commit).Output()
	if err != nil {
		t.Fatalf("git archive %s: %v: is this a clone without its history?", commit, err)
	}
	unpack := func(t *testing.T, to string) {
		t.Helper()
		tar := exec.Command("tar", "-x", "-C", to)
		tar.Stdin = bytes.NewReader(archive)
		if said, err := tar.CombinedOutput(); err != nil {
			t.Fatalf("tar: %v\n%s", err, said)
		}
		readable(t, to)
	}
	return project{unpack, func() (string, error) {
		folder := t.TempDir()
		unpack(t, folder)
		exe := filepath.Join(folder, "program")
		return exe, compile(folder, exe)
	}}
}

// becomesToday puts this project in the place of the one that brought the stack up, as a
// checkout does; the stack's file stays.
func (s *stack) becomesToday() {
	s.t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == filepath.Base(s.configFile()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
	s.put(project{copyProject, program})
}

// volumes are the stack's, each with its inode and the moment at which it was made: what the
// engine calls CreatedAt changes whenever something is written.
func (s *stack) volumes() map[string]string {
	s.t.Helper()
	image := fmt.Sprint(s.outputs()["image"])
	found, err := api(s.t).VolumeList(context.Background(), volume.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]string{}
	for _, v := range found.Volumes {
		if strings.Contains(v.Name, s.id) {
			all[v.Name] = s.docker("run", "--rm", "--network", "none", "--volume", v.Name+":/volume:ro", "--entrypoint", "stat", image, "--format", "%i, made at %w", "/volume")
		}
	}
	if all[s.volume("data")] == "" {
		s.t.Fatalf("there is no data volume among %v", all)
	}
	return all
}

// keeps fails where one of these volumes is not there any more, or is another one.
func (s *stack) keeps(volumes map[string]string) {
	s.t.Helper()
	now := s.volumes()
	maps.DeleteFunc(volumes, func(name, made string) bool { return now[name] == made })
	if len(volumes) > 0 {
		s.t.Errorf("volumes that are gone or replaced: %v; there are %v", volumes, now)
	}
}
