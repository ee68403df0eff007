package components

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
)

// The order is what keeps a bad release from doing harm.
func TestADeployAsksForOneThingAfterTheOther(t *testing.T) {
	prepared := []string{"task tarot-test-publish-static ends within 5m0s", "task tarot-test-migrate ends within 15m0s"}
	configured := "task tarot-test-nginx-configuration ends within 30s"
	ended := []string{"nginx runs its configuration within 15s", "smoke test of https://localhost/health  within 30s", "task tarot-test-activate-static ends within 5m0s", "retain 5 of tarot-test and tarot-backend"}
	container := func(n string) string { return "container tarot-test-backend-" + n + " runs IMAGE within 1m48s" }
	kept := map[string][]string{
		"dev":                {"backend-1", "backend-files"},
		"prod":               {"activate-static", "migrate", "nginx-configuration", "publish-static"},
		"prod as containers": {"activate-static", "backend-1", "backend-2", "backend-3", "backend-files", "migrate", "nginx-1", "nginx-configuration", "publish-static"},
	}
	for name, want := range map[string][]string{
		"dev": {container("1"), "smoke test of http://localhost:8000/health  within 30s", "retain 5 of tarot-test and tarot-backend"},
		"prod": slices.Concat(prepared, []string{"scale tarot-test-backend-candidate to 0", "service tarot-test-backend runs 3 of IMAGE within 7m54s", configured,
			"service tarot-test-nginx runs 1 of nginx:1.30 within 1m3s"}, ended),
		"prod as containers": slices.Concat(prepared, []string{container("1"), container("2"), container("3"), configured,
			"container tarot-test-nginx-1 runs nginx:1.30 within 43s"}, ended),
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name), up)
			image, _ := r.outputs["image"].Value.(string)
			got := slices.Clone(r.engine.asked)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], image, "IMAGE")
				// These two wait for nothing of each other.
				if i > 0 && strings.HasPrefix(got[i-1], "retain ") && strings.HasPrefix(got[i], "task tarot-test-activate-static ") {
					got[i-1], got[i] = got[i], got[i-1]
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
			slices.Sort(r.kept)
			if want := "tarot-test-" + strings.Join(kept[name], "-id tarot-test-") + "-id"; strings.Join(r.kept, " ") != want {
				t.Errorf("kept %v, want %s", r.kept, want)
			}
		})
	}
}

func TestTheSmokeTestPassesTheMaintenancePage(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", func(c *config.Config) { c.Maintenance = true }), up)
	if !slices.Contains(r.engine.asked, "smoke test of https://localhost/health backend within 30s") {
		t.Errorf("asked %v", r.engine.asked)
	}
}

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
			expected := "https://localhost:4443 at " // the one that runs, for the replicas
			if i == last {
				expected = want
			}
			if got != expected {
				t.Errorf("%q: asked %s, want %s", published, got, expected)
			}
		}
		if last != 3 {
			t.Errorf("%q: %d smoke tests of three replicas and the site", published, last+1)
		}
	}
	inProject(t)
	docker := running("earlier")
	r := deploy(stack(t, "prod as containers", func(c *config.Config) { c.Nginx.ServerNames = []string{"localhost"} }), &recorder{}, docker)
	if got := docker.tested[len(docker.tested)-1]; r.err != nil || got != "https://localhost at localhost" {
		t.Errorf("by its name: %s, %v", got, r.err)
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

// What can be changed by hand is looked at at every `up`.
func TestTheGateKnowsLimitsAndNetworks(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers", func(c *config.Config) { c.Backend.CPUs, c.Backend.Memory = 0.3, 300<<20 }), up)
	image, _ := r.outputs["image"].Value.(string)
	for _, want := range []engine.Wanted{
		{Image: image, CPUs: 0.3, Memory: 300 << 20, Networks: []string{"tarot-test-backend"}},
		{Image: "nginx:1.30", CPUs: 0.5, Memory: 128 << 20, Networks: []string{"tarot-test-edge", "tarot-test-backend"}},
	} {
		if !slices.ContainsFunc(r.engine.wanted, func(got engine.Wanted) bool { return reflect.DeepEqual(got, want) }) {
			t.Errorf("%+v is not among %+v", want, r.engine.wanted)
		}
	}
}

func TestPreviewAsksNoGate(t *testing.T) {
	forEveryStack(t, func(t *testing.T, _ config.Config, r *run) {
		if r.stage != up && len(r.engine.asked) > 0 {
			t.Errorf("asked: %v", r.engine.asked)
		}
	})
}

// Pulumi deletes nothing of a program that has failed: what is not declared any
// more keeps running.
func TestWhatFailsEndsTheDeployThere(t *testing.T) {
	const service, container = "Service tarot-test-", "Container tarot-test-"
	for _, test := range []struct {
		name, stack, broken string
		declared, not       []string // the last thing that is declared, and what is not
	}{
		{"static files", "prod", "tarot-test-publish-static", []string{container + "publish-static"}, []string{service + "backend"}},
		{"static files", "prod as containers", "tarot-test-publish-static", []string{container + "publish-static"}, []string{container + "backend-1"}},
		{"migration", "prod", "tarot-test-migrate", []string{container + "migrate", service + "backend-candidate"}, []string{service + "backend"}},
		{"migration", "prod as containers", "tarot-test-migrate", []string{container + "migrate"}, []string{container + "backend-1"}},
		{"service", "prod", "tarot-test-backend", []string{service + "backend"}, []string{container + "nginx-configuration"}},
		{"container", "dev", "tarot-test-backend-1", []string{container + "backend-1"}, []string{"Volume release"}},
		{"first of several containers, which start together where nobody is disturbed", "prod as containers", "tarot-test-backend-1", []string{container + "backend-3"}, []string{container + "nginx-configuration"}},
		{"last of several containers", "prod as containers", "tarot-test-backend-3", []string{container + "backend-3"}, []string{container + "nginx-configuration"}},
		{"nginx's configuration", "prod", "tarot-test-nginx-configuration", []string{container + "nginx-configuration"}, []string{service + "nginx"}},
		{"nginx's service", "prod", "tarot-test-nginx", []string{service + "nginx"}, []string{container + "activate-static"}},
		{"nginx's container", "dev behind nginx", "tarot-test-nginx-1", []string{container + "nginx-1"}, []string{"Volume release"}},
		{"smoke test", "prod", "smoke ", []string{service + "nginx"}, []string{container + "activate-static", "Volume release"}},
		{"smoke test", "dev", "smoke ", []string{container + "backend-1"}, []string{"Volume release"}},
	} {
		t.Run(test.name+" in "+test.stack, func(t *testing.T) {
			inProject(t)
			r := deploy(stack(t, test.stack), &recorder{}, &fakeEngine{failures: map[string]error{test.broken: errors.New("it broke")}})
			if r.err == nil || !strings.Contains(r.err.Error(), "it broke") || len(r.outputs) > 0 {
				t.Errorf("the run ended with %v and %d outputs", r.err, len(r.outputs))
			}
			for _, want := range test.declared {
				if !r.has(want) {
					t.Errorf("%s is not declared", want)
				}
			}
			for _, unwanted := range test.not {
				if r.has(unwanted) {
					t.Errorf("%s is declared", unwanted)
				}
			}
		})
	}
}

func TestAnImageThatCanNotBeReadFailsTheUpdate(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{failures: map[string]error{"nginx:1.30": errors.New("it broke")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "it broke") {
		t.Errorf("the run ended with %v", r.err)
	}
}

// running is an engine on which nginx runs, and knows the hosts.
func running(hosts ...string) *fakeEngine { return &fakeEngine{runs: true, rotation: hosts} }

func TestACandidateIsProvenBeforeTheServiceIsTouched(t *testing.T) {
	for name, test := range map[string]struct {
		compared engine.Comparison
		failures map[string]error
		asked    []string
		service  bool
	}{
		"nothing has changed":  {engine.Comparison{}, nil, nil, true},
		"the first deploy":     {engine.Comparison{Missing: true}, nil, nil, true},
		"a changed release":    {engine.Comparison{Difference: "Image"}, nil, []string{"scale 1", "await", "smoke", "scale 0"}, false},
		"it does not start":    {engine.Comparison{Difference: "Image"}, map[string]error{"tarot-test-backend-candidate": errors.New("no")}, []string{"scale 1", "await", "scale 0"}, false},
		"it answers otherwise": {engine.Comparison{Difference: "Image"}, map[string]error{"smoke candidate": errors.New("no")}, []string{"scale 1", "await", "smoke", "scale 0"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			docker := running("backend")
			docker.compared, docker.failures = test.compared, test.failures
			r := deploy(stack(t, "prod"), &recorder{}, docker)
			var got []string
			for _, question := range docker.asked {
				switch {
				case strings.HasPrefix(question, "scale tarot-test-backend-candidate to "):
					got = append(got, "scale "+question[len(question)-1:])
				case strings.HasPrefix(question, "service tarot-test-backend-candidate runs 1"):
					got = append(got, "await")
				case strings.Contains(question, "https://localhost:4443/health candidate:8000 "):
					got = append(got, "smoke")
				}
			}
			if test.asked == nil {
				test.asked = []string{"scale 0"}
			}
			if !slices.Equal(got, test.asked) {
				t.Errorf("asked %v, want %v", got, test.asked)
			}
			if failed := test.failures != nil; failed == r.has("Service tarot-test-backend") {
				t.Errorf("the service is declared: %v; %v", !failed, r.err)
			}
			// The fake's service never becomes like its candidate.
			if test.compared.Difference != "" && r.err == nil {
				t.Error("what does not run what was asked for is a success")
			}
			if test.failures != nil && name == "it answers otherwise" && !strings.Contains(r.err.Error(), "the log") {
				t.Errorf("no log: %v", r.err)
			}
		})
	}
}

func TestNewContainersAreProvenAndThoseThatAreNotAreStopped(t *testing.T) {
	const first, second = "tarot-test-backend-1-1a2b3c4", "tarot-test-backend-2-1a2b3c4"
	for name, test := range map[string]struct {
		rotation []string
		broken   string
		proven   []string
		stopped  bool
	}{
		"in the rotation":       {[]string{first, second}, "", nil, false},
		"new":                   {[]string{"earlier"}, "", []string{first, second}, false},
		"new and ill":           {[]string{"earlier"}, "tarot-test-backend-1", nil, true},
		"new and wrong":         {[]string{"earlier"}, "smoke " + first, []string{first}, true},
		"in rotation, then ill": {[]string{first, second}, "tarot-test-backend-1", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			docker := running(test.rotation...)
			if test.broken != "" {
				docker.failures = map[string]error{test.broken: errors.New("no")}
			}
			r := deploy(stack(t, "prod as containers", func(c *config.Config) { c.Backend.Replicas = 2 }), &recorder{}, docker)
			var proven []string
			stopped := false
			for _, question := range docker.asked {
				for _, host := range []string{first, second} {
					if strings.Contains(question, "https://localhost:4443/health "+host+":8000 ") && !slices.Contains(proven, host) {
						proven = append(proven, host)
					}
				}
				stopped = stopped || question == "stop tarot-test-backend-1"
			}
			if !slices.Equal(proven, test.proven) || stopped != test.stopped || (r.err == nil) != (test.broken == "") {
				t.Errorf("proven %v, stopped %v, %v", proven, stopped, r.err)
			}
			if test.broken != "" && (r.has("Container tarot-test-backend-2") || r.has("Container tarot-test-nginx-configuration")) {
				t.Error("went on")
			}
		})
	}
}

func TestContainersAreReplacedCreateFirstUnlessTheyOwnAPort(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers"), up)
	for name, deleteFirst := range map[string]bool{"tarot-test-backend-1": false, "tarot-test-nginx-1": true, "tarot-test-migrate": false} {
		c := r.get(t, "Container", name)
		if c.RPC.GetDeleteBeforeReplace() != deleteFirst || !c.RPC.GetDeleteBeforeReplaceDefined() || (c.at("name") != nil) != deleteFirst {
			t.Errorf("%s: delete first %v, name %v", name, c.RPC.GetDeleteBeforeReplace(), c.at("name"))
		}
	}
}

// A failed task runs again although nothing else has changed, and so does a
// failed update.
func TestWhatHasFailedIsDeclaredAnew(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{attempt: 4, force: 7})
	if r.err != nil {
		t.Fatal(r.err)
	}
	found := false
	for _, label := range r.get(t, "Container", "tarot-test-migrate").list("labels") {
		found = found || at(label, "label") == "tarot.attempt" && at(label, "value") == "4"
	}
	if force := r.get(t, "Service", "tarot-test-backend").at("taskSpec", "forceUpdate"); !found || force != 7.0 {
		t.Errorf("attempt %v, force %v", found, force)
	}
}

func TestAReleaseIsRecordedAndOldStaticFilesGo(t *testing.T) {
	inProject(t)
	const old = "tarot-backend:00000000000000aa"
	docker := &fakeEngine{releases: []release.Release{{Name: "r1", Image: old, Sequence: 7}, {Name: "r0", Image: "other:1"}}}
	r := deploy(stack(t, "prod", func(c *config.Config) { c.Releases.Keep = 1 }), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	image, name := r.outputs["image"].Value.(string), r.outputs["release"].Value.(string)
	record := r.get(t, "Volume", "release")
	if record.at("name") != "tarot-test-release-"+name+"-8" || !record.RPC.GetRetainOnDelete() {
		t.Errorf("record %v, retained %v", record.at("name"), record.RPC.GetRetainOnDelete())
	}
	if image := record.at("labels", 2, "value"); image != r.outputs["image"].Value {
		t.Errorf("of the image %v", image)
	}
	_, tag, _ := strings.Cut(image, ":")
	// The next `up` finds the record of the first.
	docker.releases = append([]release.Release{{Name: name, Image: image, Sequence: 8, Record: "the record", Before: "r1"}}, docker.releases...)
	again := deploy(stack(t, "prod", func(c *config.Config) { c.Releases.Keep = 1 }), &recorder{}, docker)
	if found := again.get(t, "Volume", "release").at("name"); found != "the record" {
		t.Errorf("what runs on is recorded anew: %v", found)
	}
	for _, r := range []*run{r, again} {
		want := []any{"r/" + tag, "r/00000000000000aa"}
		if got := r.get(t, "Container", "tarot-test-activate-static").list("entrypoints")[4:]; !slices.Equal(got, want) {
			t.Errorf("folders %v, want %v", got, want)
		}
	}
}

// `make rollback` goes to what a record says was before.
func TestWhereTheWayBackLeads(t *testing.T) {
	records := func(all ...string) (found []release.Release) { // name before, the latest first
		for i, text := range all {
			name, before, _ := strings.Cut(text, " ")
			found = append(found, release.Release{Name: name, Before: before, Sequence: len(all) - i, Record: "record of " + name})
		}
		return found
	}
	for _, test := range []struct {
		name, release string
		pinned        bool
		found         []release.Release
		before        string
		recorded      string
	}{
		{"the first", "a", false, nil, "", "tarot-test-release-a-1"},
		{"the second", "b", false, records("a"), "a", "tarot-test-release-b-2"},
		{"the same", "b", false, records("b a", "a"), "a", "record of b"},
		{"a rollback", "b", true, records("c b", "b a", "a"), "a", "tarot-test-release-b-4"},
		{"the same, pinned", "b", true, records("b a", "c b", "a"), "a", "record of b"},
		{"forward again", "c", false, records("b a", "c b", "a"), "b", "tarot-test-release-c-4"},
		{"another one after a rollback", "d", false, records("b a", "c b", "a"), "b", "tarot-test-release-d-4"},
		{"its content once more", "a", false, records("b a", "a"), "b", "tarot-test-release-a-3"},
	} {
		p := &platform{PlatformArgs: PlatformArgs{Prefix: "tarot-test", Pinned: test.pinned}}
		got := p.inSequence(release.Release{Name: test.release}, test.found)
		if got.Before != test.before || got.Record != test.recorded {
			t.Errorf("%s: before it %q, recorded as %s; want %q, %s", test.name, got.Before, got.Record, test.before, test.recorded)
		}
	}
}

// It is wanted back soon, and has run before: no trial, and all at once.
func TestAPinnedReleaseIsSaidAndComesAtOnce(t *testing.T) {
	pinned := func(c *config.Config) { c.Backend.Image = "tarot-backend:00000000000000aa" }
	inProject(t)
	r := deployPinned(stack(t, "prod", pinned), &recorder{}, running("backend"))
	if r.err != nil || len(r.warnings.texts) != 1 || !strings.Contains(r.warnings.texts[0], "releases.pin") {
		t.Errorf("%v, %q", r.err, r.warnings.texts)
	}
	if r.has("Container tarot-test-migrate") {
		t.Error("it is migrated once more")
	}
	if anew := deployPinned(stack(t, "prod", pinned), &recorder{}, &fakeEngine{}); !anew.has("Container tarot-test-migrate") {
		t.Error("new data are not migrated")
	}
	for _, question := range r.engine.asked {
		if strings.HasPrefix(question, "scale ") {
			t.Errorf("a trial: %s", question)
		}
	}
	if got := r.get(t, "Service", "tarot-test-backend").at("updateConfig", "parallelism"); got != 0.0 {
		t.Errorf("%v tasks at a time", got)
	}
	docker := running("earlier")
	docker.failures = map[string]error{"tarot-test-backend-1": errors.New("no")}
	r = deployPinned(stack(t, "prod as containers", pinned), &recorder{}, docker)
	if r.err == nil || !r.has("Container tarot-test-backend-3") {
		t.Errorf("one container at a time; %v", r.err)
	}
}

// A nginx that runs is told to reload, and one that is just starting isn't;
// users' connections to the earlier replicas get their time.
func TestNginxIsTurnedToTheNewRelease(t *testing.T) {
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
			if installed := slices.Index(asked, "task tarot-test-nginx-configuration ends within 30s"); installed > turned || test.told && installed > told {
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
