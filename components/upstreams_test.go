package components

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// silent is so many questions without an answer.
func silent(count int) []bool { return slices.Repeat([]bool{true}, count) }

const (
	verifiedReplica = "smoke test of https://localhost:4443/health tarot-test-backend-1-1a2b3c4:8000 within 30s"
	verifiedCanary  = "smoke test of https://localhost:4443/health candidate:8000 within 30s"
)

// Whether users may see a release is never decided by an answer that did not come.
func TestANginxThatDoesNotAnswerIsAskedAgainAndThenEndsTheDeploy(t *testing.T) {
	unhealthy := &engine.Condition{There: true, Broken: true, Says: "nginx-1: unhealthy"}
	stopped := &engine.Condition{There: true, Broken: true, Stopped: true, Says: "nginx-1: exited"}
	for name, test := range map[string]struct {
		silent    int
		condition *engine.Condition
		verified  bool
		fails     string // what the error says; empty: the deploy succeeds
		warns     string
		revived   bool
	}{
		"it answers":                {0, nil, true, "", "", false},
		"it answers in the end":     {20, nil, true, "", "", false},
		"it runs and never answers": {1000, nil, false, "can not be asked which release it serves: no answer", "", false},
		"it is mended by a restart": {40, unhealthy, true, "", "", true},
		"it is broken":              {46, unhealthy, false, "", "nginx does not run well (nginx-1: unhealthy)", true},
		"it is stopped":             {1, stopped, false, "", "nginx does not run well (nginx-1: exited)", true},
		"it is broken, says no one": {1000, unhealthy, false, "the log", "nginx does not run well", true},
	} {
		for name2, c := range map[string]struct{ verified, way, declared string }{
			"prod":               {verifiedCanary, "docker service update --force tarot-test-nginx", "Service tarot-test-backend"},
			"prod as containers": {verifiedReplica, "docker restart tarot-test-nginx-1", "Container tarot-test-backend-2"},
		} {
			t.Run(name+" in "+name2, func(t *testing.T) {
				inProject(t)
				docker := running("earlier")
				docker.nginx, docker.compared = test.condition, engine.Comparison{Difference: "Image"}
				if docker.silent = silent(test.silent); test.silent > 0 && name2 != "prod" {
					docker.silent = append(docker.silent, true) // the question for orphans
				}
				r := deploy(stack(t, name2), &recorder{}, docker)
				// The fake's service never becomes like its candidate, and a nginx that never
				// answers is not mended by its turn either.
				stuck := name2 == "prod"
				if got := slices.Contains(docker.asked, c.verified); got != test.verified {
					t.Errorf("verified: %v, asked %v", got, docker.asked)
				}
				switch {
				case test.fails == "" && r.err != nil && !stuck:
					t.Error(r.err)
				case test.fails != "" && !stuck && (r.err == nil || !strings.Contains(r.err.Error(), test.fails)):
					t.Errorf("%v, want %s", r.err, test.fails)
				}
				if blind := test.condition == nil && test.fails != ""; blind && (r.has(c.declared) || !strings.Contains(r.err.Error(), c.way)) {
					t.Errorf("it went on, or does not say how: %v", r.err)
				}
				if name2 == "prod" && (test.condition != nil || test.fails == "") && !slices.Contains(docker.asked, "scale tarot-test-backend-candidate to 1") {
					t.Errorf("no canary ran: %v", docker.asked)
				}
				warned := slices.ContainsFunc(r.warnings.texts, func(text string) bool { return strings.Contains(text, "nginx does not run") })
				if warned != (test.warns != "") || warned && !strings.Contains(strings.Join(r.warnings.texts, ""), test.warns) {
					t.Errorf("warned: %v", r.warnings.texts)
				}
				if slices.Contains(docker.asked, "revive tarot-test-nginx") != test.revived {
					t.Errorf("asked %v", docker.asked)
				}
			})
		}
	}
	inProject(t)
	docker := running("earlier")
	docker.failures = map[string]error{"condition": errors.New("it broke")}
	if r := deploy(stack(t, "prod as containers"), &recorder{}, docker); r.err == nil || r.has("Container tarot-test-backend-2") {
		t.Errorf("an engine that can not be asked is taken for one without nginx: %v", r.err)
	}
}

// Replicas that run are users' until something says otherwise, and nginx may be gone.
func TestReplicasThatRunAreReplacedOneByOneWithoutAnAnswerToo(t *testing.T) {
	inProject(t)
	docker := running()
	docker.nginx = &engine.Condition{}
	docker.failures = map[string]error{"tarot-test-backend-1": errors.New("it broke")}
	if r := deploy(stack(t, "prod as containers"), &recorder{}, docker); r.err == nil || r.has("Container tarot-test-backend-2") {
		t.Errorf("all together: %v", r.err)
	}
}

// A nginx that misses one question still gets its new configuration.
func TestNginxIsToldToReloadThoughItMissedAQuestion(t *testing.T) {
	inProject(t)
	docker := running("backend")
	docker.silent = []bool{false, true}
	if r := deploy(stack(t, "prod"), &recorder{}, docker); r.err != nil || !slices.Contains(docker.asked, "SIGHUP to tarot-test-nginx") {
		t.Errorf("%v, asked %v", r.err, docker.asked)
	}
}

func TestABrokenNginxIsMendedBehindTheMaintenancePageToo(t *testing.T) {
	inProject(t)
	docker := running("backend")
	docker.nginx = &engine.Condition{There: true, Broken: true}
	docker.failures = map[string]error{"exec": errors.New("it broke")}
	r := deploy(stack(t, "prod", func(c *config.Config) { c.Maintenance = true }), &recorder{}, docker)
	if r.err != nil || !strings.Contains(strings.Join(r.warnings.texts, ""), "does not show the maintenance page yet") {
		t.Errorf("%v, %v", r.err, r.warnings.texts)
	}
}
