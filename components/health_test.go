package components

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/smoke"
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

// The three ways of the configuration go before the image's own, in both runtimes.
func TestTheConfigurationNamesTheHealthCheck(t *testing.T) {
	inProject(t)
	for name, resource := range map[string][2]string{"prod as containers": {"Container", "tarot-test-backend-1"}, "prod": {"Service", "tarot-test-backend"}} {
		for _, test := range []struct {
			change func(*config.Config)
			want   []any // the last words
		}{
			{func(c *config.Config) { c.Backend.Health.Command = []string{"/bin/check", "all of it"} }, []any{"10", "/bin/check", "all of it"}},
			{func(c *config.Config) { c.Backend.Health.Path = "/healthz/" }, []any{"probe", "8000", "/healthz/", "localhost"}},
			{func(c *config.Config) {
				c.Backend.Health.Path, c.Backend.Port, c.Nginx.ServerNames = "/", 9000, []string{"*.cards.example", "b.example"}
			}, []any{"probe", "9000", "/", "www.cards.example"}},
			{func(c *config.Config) { c.Backend.Health.Port = 7000 }, []any{"probe", "7000"}},
		} {
			docker := &fakeEngine{unchecked: "tarot-backend:"}
			r := deploy(stack(t, name, test.change), &recorder{}, docker)
			if r.err != nil {
				t.Fatal(r.err)
			}
			x := r.get(t, resource[0], resource[1])
			words := append(x.list("healthcheck", "tests"), x.list("taskSpec", "containerSpec", "healthcheck", "tests")...)
			if n := len(words) - len(test.want); n < 5 || !reflect.DeepEqual(words[n:], test.want) || !strings.Contains(words[3].(string), ".health-passed") {
				t.Errorf("%s: the engine runs %q, want %q", name, words, test.want)
			}
			if resource[0] == "Service" && !loadsEnvironment(words) {
				t.Errorf("%s: without the environment: %q", name, words)
			}
		}
	}
}

// It is told before anything runs, with the keys that mend it.
func TestAnImageWithoutAHealthCheckIsNoDeploy(t *testing.T) {
	for _, name := range []string{"prod as containers", "prod", "dev"} {
		inProject(t)
		r := deploy(stack(t, name), &recorder{}, &fakeEngine{unchecked: "tarot-backend:"})
		if r.err == nil || !strings.Contains(r.err.Error(), "it has no health check: set one of tarot:backend.health.path, ") ||
			!strings.Contains(r.err.Error(), "tarot:backend.health.port") || !strings.Contains(r.err.Error(), "tarot:backend.health.command") {
			t.Errorf("%s: %v", name, r.err)
		}
		if r.has("Container tarot-test-backend-1") || r.has("Service tarot-test-backend") || slices.ContainsFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, "job ") && !strings.Contains(s, "own-volumes") }) {
			t.Errorf("%s: something ran: %q", name, r.engine.asked)
		}
		if r := deploy(stack(t, name), &recorder{stage: preview}, &fakeEngine{unchecked: "tarot-backend:"}); r.err != nil {
			t.Errorf("%s, a preview: %v", name, r.err)
		}
	}
}

func TestAnotherHealthPathIsNamedWhereThereIsNothingAtThisOne(t *testing.T) {
	inProject(t)
	for path, want := range map[string]bool{"/healthz/": true, "/other": false} {
		r := deploy(stack(t, "prod", func(c *config.Config) { c.Backend.Health.Path = "/healthz/" }), &recorder{},
			&fakeEngine{failures: map[string]error{"smoke ": &smoke.Unwanted{Status: 404, Path: path}}})
		if r.err == nil || strings.Contains(r.err.Error(), "is set by tarot:backend.paths.health") != want || r.engine.last.Health != "/healthz/" {
			t.Errorf("%s: %v, asked %s", path, r.err, r.engine.last.Health)
		}
	}
}
