package components

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config"
)

// An address that ports are published on is the only one that they answer on, and a
// name may lead to another machine still.
func TestTheSiteIsAskedWhereItIsPublished(t *testing.T) {
	for published, want := range map[string]string{
		"": "https://localhost at localhost", "127.0.0.1": "https://localhost at localhost", "0.0.0.0": "https://localhost at localhost",
		"192.0.2.7": "https://192.0.2.7 at 192.0.2.7", "2001:db8::7": "https://[2001:db8::7] at 2001:db8::7",
	} {
		inProject(t)
		docker := running("earlier")
		r := deploy(stack(t, "prod as containers", func(c *config.Config) { c.Nginx.Address = published }), &recorder{}, docker)
		if r.err != nil || r.outputs["url"].Value != strings.Fields(want)[0] {
			t.Errorf("%q: at %v, %v", published, r.outputs["url"].Value, r.err)
		}
		last := len(docker.tested) - 1
		for i, got := range docker.tested {
			expected := strings.Fields(want)[0] + ":4443 at localhost" // the one that runs, for the replicas
			if i >= last-1 {                                           // as users ask, and as the deploy does
				expected = want
			}
			if got != expected {
				t.Errorf("%q: asked %s, want %s", published, got, expected)
			}
		}
		if last != 4 {
			t.Errorf("%q: %d smoke tests of three replicas and the site", published, last+1)
		}
	}
	inProject(t)
	docker := running("earlier")
	r := deploy(stack(t, "prod as containers", func(c *config.Config) { c.Nginx.ServerNames = []string{"localhost"} }), &recorder{}, docker)
	if got := docker.tested[len(docker.tested)-1]; r.err != nil || got != "https://localhost at localhost" {
		t.Errorf("by its name: %s, %v", got, r.err)
	}
	// An application may answer to the site's name only: every question has it, the
	// first one, too, and wherever the name leads.
	for name, asked := range map[string]string{"tarot.invalid": "tarot.invalid", "*.tarot.invalid": "www.tarot.invalid"} {
		for _, docker := range []*fakeEngine{{}, running("earlier")} {
			r := deploy(stack(t, "prod as containers", func(c *config.Config) { c.Nginx.ServerNames = []string{name} }), &recorder{}, docker)
			if r.err != nil || r.outputs["url"].Value != "https://localhost" {
				t.Errorf("%s: at %v, %v", name, r.outputs["url"].Value, r.err)
			}
			for _, got := range docker.tested {
				if got != "https://"+asked+" at localhost" && got != "https://"+asked+":4443 at localhost" {
					t.Errorf("%s: asked %s", name, got)
				}
			}
		}
	}
}

// What is to be mended may not let the deploy get far.
func TestTheMaintenancePageIsThereBeforeAnythingElse(t *testing.T) {
	const shut, open = "touch /tmp/closed in tarot-test-nginx", "rm -f /tmp/closed in tarot-test-nginx"
	on := func(c *config.Config) { c.Maintenance = true }
	inProject(t)
	docker := running("backend")
	docker.failures = map[string]error{"tarot-test-migrate": errors.New("it broke")}
	if r := deploy(stack(t, "prod", on), &recorder{}, docker); r.err == nil || len(docker.asked) == 0 || docker.asked[0] != shut {
		t.Errorf("%v, asked %v", r.err, docker.asked)
	}
	if docker = new(fakeEngine); deploy(stack(t, "prod", on), &recorder{}, docker).err != nil || slices.Contains(docker.asked, shut) {
		t.Errorf("without a nginx: asked %v", docker.asked)
	}
	docker = running("backend")
	docker.failures = map[string]error{"exec": errors.New("it broke")}
	if r := deploy(stack(t, "prod", on), &recorder{}, docker); r.err == nil || !strings.Contains(r.err.Error(), "maintenance page: it broke") {
		t.Errorf("%v", r.err)
	}
	for name, test := range map[string]struct{ closed, maintenance, opened bool }{
		"closed and wanted open":   {true, false, true},
		"closed and wanted closed": {true, true, false},
		"open":                     {false, false, false},
	} {
		docker := running("backend")
		docker.closed = test.closed
		r := deploy(stack(t, "prod", func(c *config.Config) { c.Maintenance = test.maintenance }), &recorder{}, docker)
		opened := slices.Index(docker.asked, open)
		if r.err != nil || (opened >= 0) != test.opened {
			t.Errorf("%s: %v, asked %v", name, r.err, docker.asked)
		}
		if turned := slices.Index(docker.asked, "nginx runs its configuration within 15s"); test.opened && opened < turned {
			t.Errorf("%s: open before the new configuration is there: %v", name, docker.asked)
		}
	}
}

// A nginx that runs is told to reload, and one that is just starting isn't;
// users' connections to the earlier replicas get their time.
func TestNginxIsSwitchedToTheNewRelease(t *testing.T) {
	const hup, awaited = "SIGHUP to tarot-test-nginx", "nginx runs its configuration within 15s"
	for name, test := range map[string]struct {
		docker *fakeEngine
		told   bool
	}{
		"it starts": {&fakeEngine{}, false}, "it runs": {running("backend"), true},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := deploy(stack(t, "prod"), &recorder{}, test.docker)
			asked := r.engine.asked
			told, turned := slices.Index(asked, hup), slices.Index(asked, awaited)
			if r.err != nil || (told >= 0) != test.told || turned < 0 || told > turned {
				t.Errorf("%v, asked %v", r.err, asked)
			}
			if installed := slices.Index(asked, "job tarot-test-nginx-configuration ends within 30s"); installed > turned || test.told && installed > told {
				t.Errorf("before its configuration is there: %v", asked)
			}
			// Without a turn, the time of it is that of the year 1.
			if r.engine.slept == 0 || r.engine.slept < -time.Hour {
				t.Errorf("the earlier replicas go at once: %s", r.engine.slept)
			}
		})
	}
	inProject(t)
	if r := succeed(t, stack(t, "dev"), up); r.engine.slept > 0 {
		t.Errorf("nothing was turned, and it waits %s", r.engine.slept)
	}
	for broken, want := range map[string]string{"nginx": "it broke\nthe log", "SIGHUP": "it broke"} {
		docker := running("backend")
		docker.failures = map[string]error{broken: errors.New("it broke")}
		r := deploy(stack(t, "prod"), &recorder{}, docker)
		if r.err == nil || !strings.Contains(r.err.Error(), want) || r.has("Volume release") {
			t.Errorf("%s: %v", broken, r.err)
		}
	}
}

// For a moment after the switch, another release may answer.
func TestTheLastCheckKnowsWhoAnswered(t *testing.T) {
	for name, c := range map[string]struct{ replica, other string }{
		"prod": {"tarot-test-backend", "candidate"}, "prod as containers": {"tarot-test-backend-2-id", "tarot-test-backend-2-1a2b3c4"},
	} {
		inProject(t)
		docker := running("earlier")
		r := deploy(stack(t, name), &recorder{}, docker)
		if r.err != nil || docker.last.From == nil {
			t.Fatalf("%s: %v, or every answer counts", name, r.err)
		}
		configuration := docker.configured
		for served, want := range map[string]string{
			configuration + " " + c.replica + ":8000":                "",
			configuration + " 10.0.0.9:8000, " + c.replica + ":8000": "",
			configuration + " ":                     "", // nginx itself
			configuration + " " + c.other + ":8000": "answered by a replica of another release: " + c.other,
			"earlier " + c.replica + ":8000":        `answered by nginx with the configuration "earlier"`,
			"":                                      `answered by nginx with the configuration ""`,
		} {
			err := docker.last.From(http.Header{"X-Release-Served": {served}})
			if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %q: %v, want %q", name, served, err, want)
			}
		}
		docker.failures = map[string]error{"addresses": errors.New("it broke")}
		if err := docker.last.From(http.Header{"X-Release-Served": {configuration + " " + c.replica + ":8000"}}); err == nil {
			t.Errorf("%s: an engine that can not be asked says that it is this release", name)
		}
	}
}
