//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"

	"tarot-platform/internal/checks"
)

// verified goes through the checklist: of the stack as it is, and of one whose API does not answer what it should.
func (s *stack) verified() {
	t := s.t
	t.Helper()
	look := s.operator()
	wants := func(code int, fails ...string) {
		t.Helper()
		said, got := look("verify", s.name, "--json")
		var r checks.Report
		if err := json.Unmarshal([]byte(said), &r); err != nil {
			t.Fatalf("verify: exit code %d, %v\n%s", got, err, said)
		}
		var failed []string
		for _, c := range r.Checks {
			switch {
			case c.Result == checks.Fail || c.Result == checks.Unknown:
				failed = append(failed, c.ID)
			case c.Result == checks.Skip && c.ID != "certificate": // where it has no TLS
				t.Errorf("verify: %+v", c)
			}
		}
		if got != code || !slices.Equal(failed, fails) || len(r.Checks) < 11 {
			t.Errorf("verify: exit code %d, %d checks, these fail: %q; want %d and %q\n%s", got, len(r.Checks), failed, code, fails, said)
		}
	}
	wants(0)
	s.config("backend.smoke.read", "/nobody-knows")
	wants(1, "api")
	s.config("backend.smoke.read", "")
	wants(0)
}
