//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// operator builds what `make status` and `make logs` run, and returns what runs it
// in the stack's project: its output and its exit code.
func (s *stack) operator() func(args ...string) (string, int) {
	t := s.t
	t.Helper()
	tool := filepath.Join(s.dir, "build-stack")
	if said, err := exec.Command("go", "build", "-o", tool, "../../cmd/stack").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return func(args ...string) (string, int) {
		cmd := exec.Command(tool, args...)
		cmd.Dir, cmd.Env = s.dir, s.env
		said, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case err == nil:
			return string(said), 0
		case errors.As(err, &exit):
			return string(said), exit.ExitCode()
		}
		s.t.Fatal(err)
		return "", 0
	}
}

// moves takes the stack to another release, as `make rollback` does.
func (s *stack) moves(action string, more ...string) string {
	s.t.Helper()
	said, code := s.operator()(append([]string{action, s.name}, more...)...)
	if code != 0 {
		s.t.Fatalf("%s %v: exit code %d\n%s", action, more, code, said)
	}
	return said
}

// What an operator sees of a stack is held against the engine, in the runtime
// that the stack has.
func (s *stack) checkOperating(out map[string]any) {
	t := s.t
	t.Helper()
	look := s.operator()

	var told struct {
		Release   string
		Workloads []struct {
			Name            string
			Wanted, Healthy int
			Replicas        []struct {
				State, Image  string
				Memory, Limit uint64
			}
		}
		Endpoints   []struct{ Code int }
		Certificate struct{ Days int }
		Problems    []string
	}
	said, code := look("status", s.name, "--json")
	if err := json.Unmarshal([]byte(said), &told); err != nil || code != 0 || len(told.Problems) > 0 {
		t.Fatalf("status: exit code %d, %v\n%s", code, err, said)
	}
	for _, w := range told.Workloads {
		found := s.containers(w.Name)
		if len(found) != w.Wanted || w.Healthy != w.Wanted || len(w.Replicas) != w.Wanted || w.Wanted == 0 {
			t.Errorf("%s: %+v, and the engine has %d", w.Name, w, len(found))
		}
		for _, r := range w.Replicas {
			for _, c := range found {
				if uint64(c.HostConfig.Memory) != r.Limit || c.Config.Image != r.Image || r.Memory < 1<<20 {
					t.Errorf("%s: %+v; the engine has %s with a limit of %d", w.Name, r, c.Config.Image, c.HostConfig.Memory)
				}
			}
		}
	}
	if len(told.Workloads) != 2 || len(told.Endpoints) != 3 || told.Endpoints[0].Code != 200 || told.Certificate.Days < 14 || told.Release != out["release"] {
		t.Errorf("status: %s", said)
	}
	text, _ := look("status", s.name)
	if !strings.Contains(text, "all is well") {
		t.Errorf("status: %s", text)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}

	// One request, by its id, through nginx and the application.
	const request = "e2e-one-request-0001"
	get(t, fmt.Sprint(out["apiUrl"], "/cards/the-fool"), header("X-Request-ID", request)).want(t, "the request", 200)
	var lines []string
	for range 20 { // nginx writes its log once a second
		said, code = look("logs", s.name, "--follow=false", "--since=1m", "--request="+request)
		if lines = strings.Split(strings.TrimSpace(said), "\n"); len(lines) == 2 {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	if len(lines) != 2 || code != 0 || !strings.Contains(said, "nginx") || !strings.Contains(said, "backend") {
		t.Errorf("the logs of one request: exit code %d\n%s", code, said)
	}
	if said, code = look("logs", s.name, "--service=frontend"); code != 2 || !strings.Contains(said, `SERVICE is "frontend"; allowed: `) {
		t.Errorf("a service that is none: exit code %d\n%s", code, said)
	}

	// What it has run, what that is made of, and what is known against it (nothing, where nobody has
	// a grype).
	if said, code = look("releases", s.name); code != 0 || !strings.Contains(said, fmt.Sprintf("* %s", out["release"])) {
		t.Errorf("releases: exit code %d\n%s", code, said)
	}
	if said, code = look("sbom", s.name); code != 0 || !strings.Contains(said, `"CycloneDX"`) {
		t.Errorf("sbom: exit code %d\n%.500s", code, said)
	}
	if said, code = look("scan", s.name, "--json"); code > 2 || !strings.Contains(said, fmt.Sprintf(`"release": %q`, out["release"])) {
		t.Errorf("scan: exit code %d\n%s", code, said)
	}

	// Something is wrong.
	hung := s.one("backend")
	s.docker("pause", hung)
	defer s.docker("unpause", hung)
	if said, code = look("status", s.name); code != 1 || !strings.Contains(said, "! ") {
		t.Errorf("a replica is paused: exit code %d\n%s", code, said)
	}
	if _, code = look("status", "nowhere"); code != 2 {
		t.Errorf("a stack that is none: exit code %d", code)
	}
}
