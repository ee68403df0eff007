package components

import (
	"reflect"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// In both runtimes, the engine sees each failure by itself, after the times that are
// configured, and starts a check that passes once for many.
func TestTheEngineStartsAHealthCheckThatPassesOnceForMany(t *testing.T) {
	inProject(t)
	for name, test := range map[string]struct {
		runtime  string
		resource [2]string
		at       []any
		interval string
		timeout  string
		check    []any
	}{
		"image's, containers": {"containers", [2]string{"Container", "tarot-test-backend-1"}, []any{"healthcheck"}, "2s", "5m15s", []any{"15", "300", "10", "/healthy"}},
		"image's, swarm": {"swarm", [2]string{"Service", "tarot-test-backend"}, []any{"taskSpec", "containerSpec", "healthcheck"}, "2s", "5m15s",
			[]any{"15", "300", "10", "/healthy"}},
		"nginx's, swarm": {"swarm", [2]string{"Service", "tarot-test-nginx"}, []any{"taskSpec", "containerSpec", "healthcheck"}, "2s", "2m10s",
			[]any{"15", "120", "5", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8081/healthz"}},
		"one that may be found later": {"swarm", [2]string{"Service", "tarot-test-blackbox"}, []any{"taskSpec", "containerSpec", "healthcheck"}, "5s", "5m10s",
			[]any{"60", "300", "5", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9115/-/healthy"}},
	} {
		x := succeed(t, stack(t, "prod", func(c *config.Config) { c.Runtime, c.Monitoring.Enabled = test.runtime, true }), up).get(t, test.resource[0], test.resource[1])
		health := x.at(test.at...)
		if at(health, "interval") != test.interval || at(health, "retries") != 3.0 || at(health, "timeout") != test.timeout {
			t.Errorf("%s: each %v, within %v, %v times", name, at(health, "interval"), at(health, "timeout"), at(health, "retries"))
		}
		words, _ := at(health, "tests").([]any)
		if len(words) < 5 || !reflect.DeepEqual(words[:3], []any{"CMD", "/bin/sh", "-c"}) || !strings.Contains(words[3].(string), ".health-passed") ||
			!reflect.DeepEqual(words[5:], test.check) {
			t.Errorf("%s: the engine runs %q", name, words)
		}
	}
	slow := succeed(t, stack(t, "prod", func(c *config.Config) { c.Backend.Health.Interval = 90e9 }), up).get(t, "Service", "tarot-test-backend")
	if words := slow.list("taskSpec", "containerSpec", "healthcheck", "tests"); len(words) < 7 || words[5] != "90" || words[6] != "300" {
		t.Errorf("a longer interval of one's own: %q", words)
	}
}
