package components

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// withSchedules has one of the backend's, with all that can be said, and where there is a
// worker one of that; and one that is off.
func withSchedules(c *config.Config) {
	of := func(change func(*config.Schedule)) config.Schedule {
		s := config.Schedule{}.Default().(config.Schedule)
		s.Cron, s.Command = "0 3 * * 1-5", []string{"python", "report.py", "--all"}
		change(&s)
		return s
	}
	c.Schedules = map[string]config.Schedule{
		"report": of(func(s *config.Schedule) {
			s.TimeZone, s.TimeLimit, s.Retries, s.Overlap, s.Environment = "Asia/Shanghai", 300e9, 2, "wait", map[string]string{"REPORT": "yes", "LOG_LEVEL": "debug"}
		}),
		"off": of(func(s *config.Schedule) { s.Enabled = false }),
	}
	if _, there := c.Services["worker"]; there {
		c.Schedules["sweep"] = of(func(s *config.Schedule) { s.Service, s.StopGrace, s.Memory = "worker", 20e9, 64<<20 })
	}
}

// A replica of the backend with the scheduler in place of its command.
func TestASchedulesContainer(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers", withServices, withSchedules), up)
	x, backend := r.get(t, "Container", "tarot-test-cron-report-1"), r.get(t, "Container", "tarot-test-backend-1")
	if x.at("image") != backend.at("image") || x.at("user") != backend.at("user") || !x.RPC.GetDeleteBeforeReplace() || x.at("name") != "tarot-test-cron-report-1" {
		t.Errorf("%v", x.In)
	}
	var words []string
	for _, w := range append(x.list("entrypoints"), x.list("command")...) {
		words = append(words, fmt.Sprint(w))
	}
	// It starts as the backend does, through the shell that gives it a HOME.
	if len(words) < 5 || words[0] != "/bin/sh" || words[1] != "-c" || !strings.HasSuffix(words[2], `exec "$@"`) {
		t.Fatalf("%q", words)
	}
	program, rest := words[4], strings.Join(words[5:], " ")
	if !strings.HasPrefix(program, "/run/scheduler/scheduler-") || rest != "serve --name=report --state=/run/scheduler/state --cron=0 3 * * 1-5 --zone=Asia/Shanghai --limit=5m0s --grace=5m0s --retries=2 --pause=1m0s --wait -- python report.py --all" {
		t.Errorf("%s %s", program, rest)
	}
	if tests := x.list("healthcheck", "tests"); !slices.Contains(tests, any(program)) || tests[len(tests)-1] != "health" {
		t.Errorf("its check is %v", tests)
	}
	envs := x.list("envs")
	for _, want := range []string{"DATABASE_URL=sqlite:///./data/prod.db", "REPORT=yes", "LOG_LEVEL=debug", "JWT_SECRET_KEY_FILE=/run/secrets/jwt_secret_key"} {
		if !slices.Contains(envs, any(want)) {
			t.Errorf("%s is not in %v", want, envs)
		}
	}
	// What runs has its time, and the scheduler some more to stop it.
	if x.at("destroyGraceSeconds") != 315.0 || len(x.list("ports")) > 0 {
		t.Errorf("%v", x.In)
	}
	for _, want := range []string{"/app/data tarot_db_data", "/run/scheduler tarot-test-scheduler"} {
		if !slices.ContainsFunc(x.list("mounts"), func(m any) bool { return fmt.Sprint(at(m, "target"), " ", at(m, "source")) == want }) {
			t.Errorf("%s is not in %v", want, x.list("mounts"))
		}
	}
	publish := r.get(t, "Container", "tarot-test-publish-scheduler")
	if got := publish.list("entrypoints"); !reflect.DeepEqual(got[:3], []any{"/scheduler", "install", "/volume"}) || "/run/scheduler/"+fmt.Sprint(got[3]) != program {
		t.Errorf("%v", got)
	}
	if r.has("Container tarot-test-cron-off-1") {
		t.Error("one that is off is there")
	}
	sweep := r.get(t, "Container", "tarot-test-cron-sweep-1")
	if !slices.Contains(sweep.list("envs"), any("QUEUE=default")) || sweep.at("destroyGraceSeconds") != 35.0 || sweep.at("memory") != 64.0 {
		t.Errorf("%v", sweep.In)
	}
}

// Nothing of a release is run on schedule before users have it, and so before its migration.
func TestSchedulesFollowTheRelease(t *testing.T) {
	for name, form := range map[string]string{"prod": "service tarot-test-%s runs", "prod as containers": "container tarot-test-%s-1 runs"} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, withServices, withSchedules), up)
			for _, later := range []string{"cron-report", "cron-sweep"} {
				if at := place(t, r, fmt.Sprintf(form, later)); at < place(t, r, "nginx runs its configuration") || at < place(t, r, "job tarot-test-publish-scheduler ends") || at < place(t, r, "job tarot-test-migrate ends") {
					t.Errorf("%s comes too early: %q", later, r.engine.asked)
				}
			}
		})
	}
}

// A release that is no good changes no schedule.
func TestABadReleaseLeavesSchedulesAlone(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod as containers", withSchedules), &recorder{}, &fakeEngine{failures: map[string]error{"tarot-test-backend-1": errors.New("no")}})
	if r.err == nil || r.has("Container tarot-test-cron-report-1") {
		t.Errorf("%v: %v", r.err, r.find("Container"))
	}
}

func TestWithoutSchedulesNothingIsCompiled(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", withSchedules, func(c *config.Config) { delete(c.Schedules, "report") }), up)
	for _, x := range r.all {
		if strings.Contains(x.Name, "schedule") || strings.Contains(x.Name, "cron") {
			t.Errorf("there is %s", x.Name)
		}
	}
}

// Its image is of no release: the clean-up knows it, and nobody's removes it meanwhile.
func TestEarlierSchedulersAreRemovedAndThisOneIsNot(t *testing.T) {
	inProject(t)
	for name, change := range map[string]func(*config.Config){"scheduled": withSchedules, "nothing": func(*config.Config) {}} {
		r := succeed(t, stack(t, "prod as containers", change), up)
		var want []string
		if name == "scheduled" {
			want = []string{r.get(t, "RemoteImage", "publish-scheduler-image").at("name").(string)}
		}
		if p := r.engine.pruning; !slices.Equal(p.Tools, []string{"tarot-scheduler", "tarot-backup", "tarot-postgres", "tarot-pooler"}) || !slices.Equal(p.InUse, want) {
			t.Errorf("%s: %+v", name, p)
		}
		if claimed := strings.Contains(r.engine.claims[0], "tarot-scheduler:"); claimed != (want != nil) {
			t.Errorf("%s: %v", name, r.engine.claims)
		}
	}
}
