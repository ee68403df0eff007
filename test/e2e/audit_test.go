//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"tarot-platform/internal/audit"
)

// All that a stack may have beside its backend, held against the benchmark, and searched for its secrets.
//
//suite:thorough
func TestAuditOnContainers(t *testing.T) { audited(t, "containers") }

//suite:thorough
func TestAuditOnSwarm(t *testing.T) { audited(t, "swarm") }

func audited(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := fullStack(t, runtime)
	s.up()
	s.audited()
	s.checkSecrets(s.outputs())
}

// audited fails where a container of the stack does, and where one that is weak would not.
func (s *stack) audited() {
	t := s.t
	t.Helper()
	look := s.operator()
	report := func() (audit.Report, int) {
		t.Helper()
		said, code := look("audit", s.name, "--json")
		var r audit.Report
		if err := json.Unmarshal([]byte(said), &r); err != nil {
			t.Fatalf("audit: exit code %d, %v\n%s", code, err, said)
		}
		return r, code
	}
	r, code := report()
	seen := map[string]bool{}
	for _, f := range r.Findings {
		seen[f.Container] = true
		if f.Result == audit.Fail || f.Result == audit.Unknown {
			t.Errorf("audit: %s %s: %s: %s", f.Number, f.Container, f.Rule, f.Found)
		}
	}
	if code != 0 || len(seen) < len(s.containers("backend"))+1 {
		t.Errorf("audit: exit code %d, %d containers", code, len(seen))
	}

	// A stranger under the stack's own label.
	weak := dockerLine(t, "run", "--detach", "--label", "tarot.stack="+s.prefix(), "--label", "tarot.workload=weak", "--cap-add", "NET_RAW", "--ulimit", "core=-1", "--pid", "host", "--env", "ADMIN_PASSWORD=hunter2",
		"--volume", "/var/run/docker.sock:/var/run/docker.sock", "--user", "0", "--entrypoint", "sleep", s.containers("backend")[s.one("backend")].Config.Image, "600")
	defer s.docker("rm", "--force", weak)
	failed := map[string]bool{}
	r, code = report()
	dumps, called := false, strings.TrimPrefix(strings.TrimSpace(s.docker("inspect", "--format", "{{.Name}}", weak)), "/")
	for _, f := range r.Findings {
		dumps = dumps || f.Number == "core" && f.Container == called && f.Result == audit.Exception
		if f.Result == audit.Fail {
			failed[f.Number] = true
		}
	}
	if !dumps {
		t.Error("audit: a container whose memory goes to a file is not told")
	}
	for _, number := range strings.Fields("4.1 4.10 5.4 5.10 5.11 5.12 5.13 5.26 5.29 5.32") {
		if !failed[number] {
			t.Errorf("audit: a weak container does not fail %s", number)
		}
	}
	if code != 1 {
		t.Errorf("audit of a weak container: exit code %d", code)
	}
}
