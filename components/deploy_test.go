package components

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// The order is what keeps a bad release from doing harm.
func TestADeployAsksForOneThingAfterTheOther(t *testing.T) {
	const own = "job tarot-test-own-volumes ends within 5m0s"
	prepared := []string{own, "job tarot-test-publish-static ends within 5m0s", "job tarot-test-migrate ends within 15m0s"}
	configured := "job tarot-test-nginx-configuration ends within 30s"
	ended := []string{"nginx runs its configuration within 15s", "smoke test of https://localhost/health  within 30s", "smoke test of https://localhost/health backend within 30s", "job tarot-test-activate-static ends within 5m0s", "prune to 5 of tarot-test and tarot-backend"}
	container := func(n string) string { return "container tarot-test-backend-" + n + " runs IMAGE within 1m48s" }
	kept := map[string][]string{
		"dev":                {"backend-1", "backend-files", "check-sqlite", "own-volumes"},
		"prod":               {"activate-static", "check-sqlite", "migrate", "nginx-configuration", "own-volumes", "publish-static"},
		"prod as containers": {"activate-static", "backend-1", "backend-2", "backend-3", "backend-files", "check-sqlite", "migrate", "nginx-1", "nginx-configuration", "own-volumes", "publish-static"},
	}
	for name, want := range map[string][]string{
		"dev": {own, container("1"), "smoke test of http://localhost:8000/health  within 30s", "prune to 5 of tarot-test and tarot-backend"},
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
			// Users have the release by then, and what else there is to do waits for nothing of it.
			smoke := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "smoke test") })
			if at := slices.Index(got, "job tarot-test-check-sqlite ends within 1m0s"); at < smoke {
				t.Errorf("SQLite is looked at as question %d, after the smoke test's %d", at, smoke)
			} else {
				got = slices.Delete(got, at, at+1)
			}
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], image, "IMAGE")
				// These wait for nothing of each other.
				for later, earlier := range map[string]string{"prune ": "job tarot-test-activate-static ", "job tarot-test-migrate ": "job tarot-test-publish-static "} {
					if i > 0 && strings.HasPrefix(got[i-1], later) && strings.HasPrefix(got[i], earlier) {
						got[i-1], got[i] = got[i], got[i-1]
					}
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

// Nobody is served by them, and they would go on beside those of the next `up`.
func TestReplicasOfAFirstDeployThatFailsAreStopped(t *testing.T) {
	for name, stops := range map[string]int{"prod as containers": 3, "dev": 0} { // dev has no edge: people look at the replica itself
		inProject(t)
		r := deploy(stack(t, name), &recorder{}, &fakeEngine{failures: map[string]error{"tarot-test-backend-1": errors.New("it broke")}})
		got := slices.DeleteFunc(slices.Clone(r.engine.asked), func(s string) bool { return !strings.HasPrefix(s, "stop tarot-test-backend-") })
		if r.err == nil || len(got) != stops {
			t.Errorf("%s: %v; stopped %v", name, r.err, got)
		}
	}
	for fails, runs := range map[string]*fakeEngine{"a first deploy": {}, "a later one": running("backend")} {
		inProject(t)
		runs.failures = map[string]error{"tarot-test-backend": errors.New("it broke")}
		r := deploy(stack(t, "prod"), &recorder{}, runs)
		if given := slices.Contains(r.engine.asked, "give up tarot-test-backend"); r.err == nil || given != (fails == "a first deploy") {
			t.Errorf("%s: %v; given up: %v", fails, r.err, given)
		}
	}
}

// A volume is claimed before the application gets it, and marked when that runs.
func TestVolumesAreMarked(t *testing.T) {
	inProject(t)
	uses := []engine.Use{{Stack: "tarot-test"}}
	r := deploy(stack(t, "prod"), &recorder{uses: uses}, &fakeEngine{})
	if want := "1 volumes of tarot-test, a claim: true, after 0 questions"; r.err != nil || len(r.engine.marked) != 2 || r.engine.marked[0] != want || !strings.Contains(r.engine.marked[1], "claim: false") {
		t.Errorf("%v, %v", r.err, r.engine.marked)
	}
	if r := deployPinned(stack(t, "prod"), &recorder{uses: uses}, &fakeEngine{}); len(r.engine.marked) != 1 {
		t.Errorf("pinned: %v", r.engine.marked)
	}
	if r := deploy(stack(t, "prod"), &recorder{uses: uses, stage: preview}, &fakeEngine{}); len(r.engine.marked) != 0 {
		t.Errorf("in a preview: %v", r.engine.marked)
	}
	r = deploy(stack(t, "prod"), &recorder{uses: uses}, &fakeEngine{failures: map[string]error{"mark": errors.New("it broke")}})
	if r.err == nil || r.has("Service tarot-test-backend") {
		t.Errorf("%v", r.err)
	}
}

// Whoever has to mend something is told of all of it.
func TestWhatIsInTheWayIsToldAtOnceAndEndsTheDeploy(t *testing.T) {
	inProject(t)
	uses := []engine.Use{{Stack: "tarot-test"}}
	docker := &fakeEngine{guests: []engine.Guest{{Network: "tarot-test-edge", Container: "shop"}},
		failures: map[string]error{"preflight": errors.New("a port is taken"), "uses": errors.New("a volume is another's")}}
	r := deploy(stack(t, "prod"), &recorder{uses: uses}, docker)
	if r.err == nil || !strings.Contains(r.err.Error(), "a port is taken\na volume is another's") || len(r.all) > 0 {
		t.Errorf("%v, with %d resources", r.err, len(r.all))
	}
	if said := strings.Join(r.warnings.texts, "\n"); !strings.Contains(said, "it may be another's") || !strings.Contains(said, "before `docker network disconnect --force tarot-test-edge shop`") {
		t.Errorf("warned: %q", said)
	}
}

// A killed `up` may have left a migration that is at work.
func TestNoJobStartsBesideAnEarlierRunOfIt(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{earlier: "migrate"})
	if r.err != nil || !slices.Contains(r.warnings.texts, "job tarot-test-migrate: an earlier run is still at work") {
		t.Errorf("%v; said %q", r.err, r.warnings.texts)
	}
	r = deploy(stack(t, "prod"), &recorder{}, &fakeEngine{failures: map[string]error{"earlier migrate": errors.New("it can not be stopped")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "job tarot-test-migrate: it can not be stopped") || r.has("Container tarot-test-migrate") {
		t.Errorf("%v", r.err)
	}
	if r := deploy(stack(t, "prod"), &recorder{stage: unchanged}, &fakeEngine{earlier: "migrate"}); r.err != nil || len(r.warnings.texts) > 0 {
		t.Errorf("a preview waits: %v, %q", r.err, r.warnings.texts)
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
func running(hosts ...string) *fakeEngine { return &fakeEngine{runs: true, upstreams: hosts} }

func TestACanaryIsVerifiedBeforeTheServiceIsTouched(t *testing.T) {
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

func TestNewContainersAreVerifiedAndThoseThatAreNotAreStopped(t *testing.T) {
	const first, second = "tarot-test-backend-1-1a2b3c4", "tarot-test-backend-2-1a2b3c4"
	for name, test := range map[string]struct {
		upstreams []string
		broken    string
		verified  []string
		stopped   bool
	}{
		"among the upstreams":  {[]string{first, second}, "", nil, false},
		"new":                  {[]string{"earlier"}, "", []string{first, second}, false},
		"new and ill":          {[]string{"earlier"}, "tarot-test-backend-1", nil, true},
		"new and wrong":        {[]string{"earlier"}, "smoke " + first, []string{first}, true},
		"among them, then ill": {[]string{first, second}, "tarot-test-backend-1", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			docker := running(test.upstreams...)
			if test.broken != "" {
				docker.failures = map[string]error{test.broken: errors.New("no")}
			}
			r := deploy(stack(t, "prod as containers", func(c *config.Config) { c.Backend.Replicas = 2 }), &recorder{}, docker)
			var verified []string
			stopped := false
			for _, question := range docker.asked {
				for _, host := range []string{first, second} {
					if strings.Contains(question, "https://localhost:4443/health "+host+":8000 ") && !slices.Contains(verified, host) {
						verified = append(verified, host)
					}
				}
				stopped = stopped || question == "stop tarot-test-backend-1"
			}
			if !slices.Equal(verified, test.verified) || stopped != test.stopped || (r.err == nil) != (test.broken == "") {
				t.Errorf("verified %v, stopped %v, %v", verified, stopped, r.err)
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

// What is pruned and is known to have ended well is nothing that must be there. What isn't
// known to runs again, and where that can't be asked the deploy ends.
func TestAJobThatWasPruned(t *testing.T) {
	const id, awaited = "tarot-test-migrate-id", "job tarot-test-migrate ends within 15m0s"
	for name, test := range map[string]struct {
		before  state.Job
		attempt string
		awaited bool
	}{
		"it had ended well": {state.Job{ID: id, Attempt: 3, Ended: true}, "3", false},
		// The container in the mocks keeps its id, also where Pulumi would make another.
		"it may have failed":    {state.Job{ID: id, Attempt: 3}, "4", true},
		"it is another's end":   {state.Job{ID: "earlier", Attempt: 3, Ended: true}, "3", true},
		"there was none so far": {state.Job{}, "0", true},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			docker := &fakeEngine{pruned: true, before: map[string]state.Job{"migrate": test.before}}
			r := deploy(stack(t, "prod as containers"), &recorder{}, docker)
			if r.err != nil || slices.Contains(docker.asked, awaited) != test.awaited {
				t.Errorf("%v, asked %v", r.err, docker.asked)
			}
			if got := at(r.get(t, "Container", "tarot-test-migrate").list("labels")[2], "value"); got != test.attempt {
				t.Errorf("attempt %v, want %s", got, test.attempt)
			}
		})
	}
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{pruned: true, failures: map[string]error{"state": errors.New("it broke")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "can not be asked: it broke") || r.has("Container tarot-test-migrate") {
		t.Errorf("%v", r.err)
	}
}
