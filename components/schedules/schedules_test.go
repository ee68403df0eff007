package schedules

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

func having(change func(*config.Schedule)) part.Context {
	cfg := config.Defaults()
	cfg.Monitoring.Enabled = true
	s := config.Schedule{}.Default().(config.Schedule)
	s.Cron, s.Command = "0 3 * * *", []string{"python", "report.py"}
	change(&s)
	cfg.Schedules = map[string]config.Schedule{"report": s}
	return part.Context{Config: cfg, Stack: "tarot-test", Release: part.Release{Name: "r1", Image: "app:1"}, Scheduler: part.Built{Reference: "tarot-scheduler:0123"}}
}

func spec(t *testing.T, c part.Context) part.Spec {
	t.Helper()
	s, err := Part{}.Spec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The golden file is given to the real promtool, and tried by it, in the end-to-end tests.
func TestRules(t *testing.T) {
	golden.Check(t, "testdata/schedules.rules.yml", "groups:\n"+spec(t, having(func(*config.Schedule) {})).Alerts[0].YAML)
}

func TestWithoutMonitoringNothingIsWatched(t *testing.T) {
	c := having(func(*config.Schedule) {})
	c.Config.Monitoring.Enabled = false
	if s := spec(t, c); len(s.Alerts) > 0 || len(s.Services) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestNothingIsThereForWhatIsOff(t *testing.T) {
	if s := spec(t, having(func(s *config.Schedule) { s.Enabled = false })); len(s.Services)+len(s.Jobs)+len(s.Images)+len(s.Volumes) > 0 || s.Follows {
		t.Errorf("%+v", s)
	}
}

// Two schedulers at once would run what is due twice.
func TestThereIsOneScheduler(t *testing.T) {
	s := spec(t, having(func(*config.Schedule) {}))
	if x := s.Services[0]; !x.Exclusive || x.Replicas != 1 || x.Upstream || len(x.Ports) > 0 || !s.Follows {
		t.Errorf("%+v", s)
	}
}

// It gets no more than what is said, where that has an effect.
func TestWhatTheSchedulerIsTold(t *testing.T) {
	words := strings.Join(spec(t, having(func(*config.Schedule) {})).Services[0].Command, " ")
	if words != "/run/scheduler/scheduler-0123 serve --name=report --state=/run/scheduler/state --cron=0 3 * * * --zone=UTC --limit=10m0s --grace=10m0s -- python report.py" {
		t.Error(words)
	}
}

func TestItsMetricsAreScraped(t *testing.T) {
	s := spec(t, having(func(*config.Schedule) {}))
	if len(s.Scrapes) != 1 || s.Scrapes[0].Name != "cron-report" || s.Services[0].Job != "cron-report" || !strings.Contains(s.Scrapes[0].YAML, `cron-report:9746`) || !slices.Contains(s.Services[0].Networks, part.Inner) {
		t.Errorf("%+v", s.Scrapes)
	}
}
