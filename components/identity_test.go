package components

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// A stack's second state knows nothing of what runs.
func TestAStackOfAnotherStateIsLeftAlone(t *testing.T) {
	inProject(t)
	some := map[string]state.Volume{"storage-data": {Name: "tarot_db_data", Driver: "local", Retained: true}}
	for _, test := range []struct {
		name     string
		network  string // the id of the stack's own, on the engine
		runs     bool
		before   map[string]state.Volume
		stage    stage
		says     string
		failures map[string]error
	}{
		{"nothing is there", "", false, nil, up, "", nil},
		{"its own", "known-id", true, nil, up, "", nil},
		{"its own, by what it knows already", "another", true, some, up, "", nil},
		{"what a killed update has left", "another", false, nil, up, "", nil},
		{"another's", "another", true, nil, up, "tarot-test runs on this engine, and Pulumi's state does not know it", nil},
		{"another's, in a preview", "another", true, nil, preview, "brought up with another state", nil},
		{"another's, and this one is empty", "another", true, nil, up, "brought up with another state", map[string]error{"known": fmt.Errorf("state: %w", state.ErrEmpty)}},
		{"it can't be asked", "another", true, nil, up, "no answer", map[string]error{"known": errors.New("no answer")}},
		{"nor can the engine", "", false, nil, up, "no answer", map[string]error{"network": errors.New("no answer")}},
	} {
		for name, lost := range map[string]string{"prod": "docker service rm $(", "prod as containers": "docker rm --force $("} {
			docker := &fakeEngine{inner: engine.Network{ID: test.network}, runs: test.runs, failures: test.failures}
			r := deploy(stack(t, name), &recorder{before: test.before, stage: test.stage}, docker)
			if refused := r.err != nil && test.says != "" && strings.Contains(r.err.Error(), test.says); refused != (test.says != "") || test.says == "" && r.err != nil {
				t.Errorf("%s, %s: %v, want %q", name, test.name, r.err, test.says)
			}
			if strings.HasPrefix(test.name, "another's") && (!strings.Contains(r.err.Error(), lost) || len(r.find("Container")) > 0) {
				t.Errorf("%s, %s: %v, %v", name, test.name, r.err, r.find("Container"))
			}
		}
	}
}
