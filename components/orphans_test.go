package components

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// What serves users, or what Pulumi knows, is never a orphan; nor is anything where it can't
// be asked which is which. And a deploy that fails takes orphans away, too.
func TestOrphanedReplicasAreRemovedWhetherTheDeployFailsOrNot(t *testing.T) {
	const removed = "remove tarot-test-backend-1-dead"
	all := []engine.Orphan{
		{ID: "serving-id", Name: "serving", Workload: "backend"}, {ID: "known-id", Name: "tarot-test-backend-2-beef", Workload: "backend"},
		{ID: "orphan-id", Name: "tarot-test-backend-1-dead", Workload: "backend"},
		{ID: "nginx-id", Name: "tarot-test-nginx-1", Workload: "nginx"}, {ID: "task-id", Name: "tarot-test-migrate-1", Workload: "migrate"}, {ID: "files-id", Name: "tarot-test-backend-files-1"},
	}
	for name, test := range map[string]struct {
		stack     string
		upstreams []string
		silent    int
		broken    string
		removed   bool
		warns     string
	}{
		"a good deploy":             {"prod as containers", []string{"serving"}, 0, "", true, ""},
		"a failed one":              {"prod as containers", []string{"serving"}, 0, "tarot-test-migrate", true, ""},
		"no nginx":                  {"prod as containers", nil, 0, "", false, ""},
		"nginx misses the question": {"prod as containers", []string{"serving"}, 1, "", false, ""},
		"Swarm":                     {"prod", []string{"backend"}, 0, "", false, ""},
		"from Swarm":                {"prod as containers", []string{"backend"}, 0, "", false, ""},
		"no state":                  {"prod as containers", []string{"serving"}, 0, "known", false, "are not removed: it broke"},
		"no list":                   {"prod as containers", []string{"serving"}, 0, "orphans", false, "are not removed: it broke"},
		"they can't be removed":     {"prod as containers", []string{"serving"}, 0, "remove", true, "are not removed: it broke"},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			docker := running(test.upstreams...)
			docker.orphans, docker.silent = all, silent(test.silent)
			if test.broken != "" {
				docker.failures = map[string]error{test.broken: errors.New("it broke")}
			}
			r := deploy(stack(t, test.stack), &recorder{}, docker)
			if failed := test.broken == "tarot-test-migrate"; failed != (r.err != nil) {
				t.Error(r.err)
			}
			if got := slices.Contains(docker.asked, removed); got != test.removed || !got && strings.Contains(strings.Join(docker.asked, "\n"), "remove ") {
				t.Errorf("asked %v", docker.asked)
			}
			if warned := strings.Join(r.warnings.texts, "\n"); (warned != "") != (test.warns != "") || !strings.Contains(warned, test.warns) {
				t.Errorf("warned: %v", r.warnings.texts)
			}
		})
	}
	inProject(t)
	docker := running("serving")
	docker.orphans = all
	if deploy(stack(t, "prod as containers"), &recorder{stage: unchanged}, docker); slices.Contains(docker.asked, removed) {
		t.Error("a preview removes something")
	}
}

// A worker that was left takes jobs, for a release that nobody has found good.
func TestOrphansOfServicesAreRemovedWhereOthersRunBesideThem(t *testing.T) {
	inProject(t)
	docker := running("serving", "tarot-test-web-1-beef")
	for _, o := range []string{"backend-1-dead", "worker-1-dead", "web-1-dead", "web-1-beef", "gone-1-dead", "db-1", "cron-report-1", "nginx-1"} {
		workload := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(o, "-dead"), "-beef"), "-1")
		docker.orphans = append(docker.orphans, engine.Orphan{ID: o + "-id", Name: "tarot-test-" + o, Workload: workload})
	}
	r := deploy(stack(t, "prod as containers", func(c *config.Config) {
		of := func(change func(*config.Service)) config.Service {
			s := config.Service{}.Default().(config.Service)
			change(&s)
			return s
		}
		c.Services = map[string]config.Service{
			"worker": of(func(s *config.Service) { s.Command, s.Health.None = []string{"work"}, true }),
			"web":    of(func(s *config.Service) { s.Image, s.Port = "web:1", 80 }),
			"db":     of(func(s *config.Service) { s.Image, s.Port, s.Volumes = "db:1", 5432, map[string]string{"data": "/data"} }),
		}
	}, withSchedules), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	var removed []string
	for _, asked := range docker.asked {
		if names, is := strings.CutPrefix(asked, "remove "); is {
			removed = append(removed, strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' })...)
		}
	}
	slices.Sort(removed)
	if want := []string{"tarot-test-backend-1-dead", "tarot-test-web-1-dead", "tarot-test-worker-1-dead"}; !slices.Equal(removed, want) {
		t.Errorf("removed %v, want %v", removed, want)
	}
}
