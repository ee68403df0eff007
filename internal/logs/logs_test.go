package logs

import (
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	const mine, other = `{"level": "info", "request_id": "abcdefgh", "path": "/"}`, `{"level": "error", "request_id": "zzzzzzzz"}`
	for _, test := range []struct {
		name   string
		filter Filter
		wanted []string
		not    []string
	}{
		{"all", Filter{}, []string{mine, other, "a text", ""}, nil},
		{"a request", Filter{Request: "abcdefgh"}, []string{mine}, []string{other, "abcdefgh"}},
		{"errors", Filter{Level: "error"}, []string{
			other, `{"level": "critical"}`, `{"level": "ERROR"}`, "2026/11/24 10:00:00 [error] 7#7: no live upstreams", "ERROR:    x", "Traceback (most recent call last):",
			"sqlite3.OperationalError: no such table",
		}, []string{mine, "a text", `{"level": "warning"}`, "2026/11/24 10:00:00 [warn] 7#7: x", `{"path": "/error"}`}},
		{"warnings", Filter{Level: "warning"}, []string{other, `{"level": "warn"}`, "WARNING: x", "[warn] x"}, []string{mine, "a text", `{"level": "debug"}`}},
		{"both", Filter{Level: "error", Request: "abcdefgh"}, []string{`{"level": "error", "request_id": "abcdefgh"}`}, []string{mine, other}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, line := range test.wanted {
				if !test.filter.Wants(line) {
					t.Errorf("does not want %s", line)
				}
			}
			for _, line := range test.not {
				if test.filter.Wants(line) {
					t.Errorf("wants %s", line)
				}
			}
		})
	}
}

func TestALevelThatIsNone(t *testing.T) {
	err := Filter{Level: "loud"}.Check()
	if err == nil || !strings.Contains(err.Error(), `LEVEL is "loud"; allowed: debug, info, warning, error`) {
		t.Errorf("%v", err)
	}
	if err := (Filter{Level: "error"}).Check(); err != nil {
		t.Error(err)
	}
}
