//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/audit"
)

// Data at rest, with a canary that a user stores and that is looked for on what lies beneath, byte by
// byte. First on a file system in clear, an ext4 on a loop device, where it has to be found: so is whatever
// is not encrypted, and so is the way that a device of LUKS is mounted, which a kernel without dm-crypt can't show. Then,
// by `volume-move`, on gocryptfs, where it must not be. Nothing starts while that is not mounted.
//
//suite:thorough
func TestDataAtRestOnContainers(t *testing.T) { atRest(t, "containers", "sqlite") }

//suite:thorough
func TestDataAtRestOnSwarm(t *testing.T) { atRest(t, "swarm", "postgres") }

func atRest(t *testing.T, runtime, database string) {
	t.Parallel() // these wait more than they work
	plain, secure := newMedium(t, true), newMedium(t, false)
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.replicas": 1, "backend.workers": 1, "nginx.tls.mode": "off", "database.kind": database, "database.memory": "512m",
		"volumes.retain": true, "volumes.mount": plain.at, "volumes.encrypted": true,
	})
	look := s.operator()
	const unmounted = "has nothing mounted at it on the engine's machine: data would be on the disk beneath"
	s.refused("tarot:volumes.mount: ", unmounted)
	plain.mount()
	s.refused("is not seen to be encrypted (ext4 on /dev/loop")
	if left := s.made(); len(left) > 0 {
		t.Errorf("made all the same: %s", strings.Join(left, ", "))
	}

	// The weakened setting.
	s.config("volumes.encrypted", false)
	s.up()
	first := s.tell("canary-" + s.id + "-in-clear")
	s.flushed(database)
	if !plain.has(first.question) {
		t.Fatal("what is in clear is not found on the loop device, so nothing would be")
	}
	if found := s.rest(look); found[audit.Exception] == 0 || found[audit.Fail]+found[audit.Pass] > 0 {
		t.Errorf("the audit of what is in clear: %v", found)
	}
	s.unchanged()

	s.config("volumes.mount", secure.at)
	s.config("volumes.encrypted", true)
	s.refused(unmounted)
	secure.mount()
	s.refused("lies, and what is in it would be left behind", "make volume-move STACK="+s.name)
	s.stillHas(first)
	if said, code := look("volume-move", s.name); code == 0 || !strings.Contains(said, "make destroy") {
		t.Errorf("what runs is moved: exit code %d\n%s", code, said)
	}
	s.mustRun("destroy", "--yes", "--skip-preview")
	if said, code := look("volume-move", s.name); code != 0 || !strings.Contains(said, "copied and compared") {
		t.Errorf("the move: exit code %d\n%s", code, said)
	}
	s.up()
	s.stillHas(first)
	second := s.tell("canary-" + s.id + "-encrypted")
	s.flushed(database)
	for _, canary := range []told{first, second} {
		if secure.has(canary.question) {
			t.Errorf("%s is in clear on what lies beneath", canary.question)
		}
		if !secure.shows(canary.question) {
			t.Errorf("%s is not found through the mount: it is not on it", canary.question)
		}
	}
	if found := s.rest(look); found[audit.Pass] == 0 || len(found) > 1 {
		t.Errorf("the audit: %v", found)
	}
	s.unchanged()

	// The machine starts, and nobody has mounted it yet.
	restart := s.stopped(runtime, database)
	secure.unmount()
	restart()
	if s.runsWithin(20 * time.Second) {
		t.Error("it has started without its data")
	}
	if entries, err := os.ReadDir(secure.at); err != nil || len(entries) > 0 {
		t.Errorf("beneath the mount there is now %v, %v", entries, err)
	}
	s.refused(unmounted)
	if r := s.rest(look); r[audit.Fail] == 0 {
		t.Errorf("the audit while nothing is mounted: %v", r)
	}
	secure.mount()
	restart()
	s.up()
	s.stillHas(first)
	s.stillHas(second)

	// A folder beneath would take data while nothing is mounted.
	s.mustRun("destroy", "--yes", "--skip-preview")
	secure.unmount()
	if err := os.Mkdir(filepath.Join(secure.at, s.volume("logs")), 0o755); err != nil {
		t.Fatal(err)
	}
	secure.mount("-nonempty") // without it gocryptfs refuses by itself
	s.refused("has a folder " + s.volume("logs") + " beneath what is mounted")
}

// told is what a user has stored.
type told struct{ id, question string }

func (s *stack) tell(question string) told {
	s.t.Helper()
	made := ask(s.t, http.MethodPost, fmt.Sprint(s.outputs()["apiUrl"])+"/readings", map[string]string{"question": question}).want(s.t, "a reading", http.StatusCreated).json(s.t)
	return told{fmt.Sprint(made["id"]), question}
}

// stillHas fails where it is not there as it was told.
func (s *stack) stillHas(kept told) {
	s.t.Helper()
	found := get(s.t, fmt.Sprint(s.outputs()["apiUrl"])+"/readings/"+kept.id).want(s.t, "the stored reading", http.StatusOK).json(s.t)
	if found["question"] != kept.question {
		s.t.Errorf("the stored reading is another one: %v", found)
	}
}

// flushed has what was stored be on the disk.
func (s *stack) flushed(database string) {
	if database == "postgres" {
		s.sql("CHECKPOINT")
	}
	if said, err := exec.Command("sync").CombinedOutput(); err != nil {
		s.t.Fatalf("sync: %v: %s", err, said)
	}
}

// rest counts what the audit says of volumes.
func (s *stack) rest(look func(...string) (string, int)) map[audit.Result]int {
	s.t.Helper()
	said, code := look("audit", s.name, "--json")
	var r audit.Report
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		s.t.Fatalf("audit: exit code %d, %v\n%s", code, err, said)
	}
	found := map[audit.Result]int{}
	for _, f := range r.Findings {
		if f.Number == "rest" {
			found[f.Result]++
			s.t.Logf("%s: %s %s %s", f.Container, f.Result, f.Found, f.Why)
		}
	}
	return found
}

// stopped stops what has volumes, as a machine does that goes down, and returns what starts it again.
func (s *stack) stopped(runtime, database string) (start func()) {
	s.t.Helper()
	workloads := []string{"backend", "nginx"}
	if database == "postgres" {
		workloads = append(workloads, "postgres")
	}
	if runtime == "swarm" {
		scale := func(to string) {
			words := []string{"service", "scale", "--detach"}
			for _, w := range workloads {
				words = append(words, s.prefix()+"-"+w+"="+to)
			}
			s.docker(words...)
		}
		scale("0")
		for deadline := time.Now().Add(time.Minute); s.docker("ps", "--quiet", "--filter", "label=tarot.stack="+s.prefix()) != ""; time.Sleep(time.Second) {
			if time.Now().After(deadline) {
				s.t.Fatal("its tasks do not stop")
			}
		}
		return func() { scale("1") }
	}
	var ids []string
	for _, w := range workloads {
		for id := range s.containers(w) {
			ids = append(ids, id)
		}
	}
	s.docker(append([]string{"stop"}, ids...)...)
	return func() { _ = exec.Command("docker", append([]string{"start"}, ids...)...).Run() }
}

// runsWithin is true where the application comes up.
func (s *stack) runsWithin(within time.Duration) bool {
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Second) {
		if len(s.containers("backend")) > 0 {
			return true
		}
	}
	return false
}

// medium is a place for volumes: at is where it is mounted, and beneath what a thief has.
type medium struct {
	t           *testing.T
	at, beneath string
	clear       bool
}

// newMedium makes one that is not mounted yet: an ext4 in clear, or gocryptfs.
func newMedium(t *testing.T, clear bool) *medium {
	t.Helper()
	folder := t.TempDir()
	d := &medium{t, filepath.Join(folder, "mounted"), filepath.Join(folder, "beneath"), clear}
	t.Cleanup(func() { _ = exec.Command("umount", "--lazy", d.at).Run() })
	readable(t, folder)
	if err := os.Mkdir(d.at, 0o755); err != nil {
		t.Fatal(err)
	}
	if clear {
		d.run("truncate", "--size", "3G", d.beneath)
		d.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=1", d.beneath)
		return d
	}
	if err := os.Mkdir(d.beneath, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.beneath+".pass", []byte("e2e\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", d.beneath+".pass", d.beneath)
	return d
}

func (d *medium) run(words ...string) {
	d.t.Helper()
	if said, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v: %s", strings.Join(words, " "), err, said)
	}
}

// mount is as docs/encryption.md has it.
func (d *medium) mount(options ...string) {
	d.t.Helper()
	if d.clear {
		d.run("mount", "-o", "loop", d.beneath, d.at)
		return
	}
	words := append([]string{"gocryptfs", "-q", "-allow_other"}, options...)
	d.run(append(words, "-passfile", d.beneath+".pass", d.beneath, d.at)...)
}

func (d *medium) unmount() {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Second) {
		said, err := exec.Command("umount", d.at).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("umount: %v: %s", err, said)
		}
	}
}

// has is true where what lies beneath has the text in clear, and shows where what is mounted has.
func (d *medium) has(text string) bool   { return d.holds(d.beneath, text) }
func (d *medium) shows(text string) bool { return d.holds(d.at, text) }

func (d *medium) holds(place, text string) bool {
	d.t.Helper()
	err := exec.Command("grep", "--recursive", "--quiet", "--text", "--fixed-strings", text, place).Run()
	if err == nil {
		return true
	}
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		d.t.Fatalf("grep in %s: %v", place, err)
	}
	return false
}
