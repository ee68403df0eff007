package engine

import (
	"strings"
	"testing"
)

// A server that starts another worker for each that is killed stays healthy or unhealthy, and
// "Child process died" is all that it says.
func TestWhatWasKilledForMemoryIsTold(t *testing.T) {
	e := &Engine{api: &fakeAPI{logs: map[string]string{"a": "Child process died\n", "b": "Child process died\n"}, killed: map[string]int{"a": 3, "silent": 1}}}
	for id, want := range map[string][]string{"a": {"`memory`", "killed: 3 times", "Child process died"}, "silent": {"killed: 1 times"}} {
		said := e.Logs(t.Context(), id)
		for _, part := range want {
			if !strings.Contains(said, part) {
				t.Errorf("%s: %q is missing in %q", id, part, said)
			}
		}
	}
	if said := e.Logs(t.Context(), "b"); strings.Contains(said, "memory") {
		t.Errorf("nothing was killed in b: %q", said)
	}
}
