package services

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// having is a configuration with one service, called it.
func having(change func(*config.Service)) part.Context {
	s := config.Service{}.Default().(config.Service)
	change(&s)
	cfg := config.Defaults()
	cfg.Services = map[string]config.Service{"it": s}
	return part.Context{Config: cfg, Stack: "tarot-test", Release: part.Release{Name: "r1", Image: "app:1", Images: map[string]string{"it": "exact:1"}}}
}

func spec(t *testing.T, p part.Part, c part.Context) part.Spec {
	t.Helper()
	s, err := p.Spec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsAskedOfAService(t *testing.T) {
	usual := workload.Health{Interval: 2e9, Timeout: 5e9, StartPeriod: 30e9, Retries: 3}
	asked := func(words ...string) workload.Health {
		h := usual
		h.Test = append([]string{"CMD"}, words...)
		return h
	}
	tcp := func(port int) workload.Health { h := usual; h.Test = workload.Connects(port); return h }
	http := func(port int, path string) workload.Health {
		h := usual
		h.Test = workload.AsksHTTP(port, path, "localhost")
		return h
	}
	none := workload.Health{Steady: steady}
	for name, test := range map[string]struct {
		change func(*config.Service)
		want   workload.Health
	}{
		"the image's own program":      {func(*config.Service) {}, usual},
		"the same, that listens":       {func(s *config.Service) { s.Port = 80 }, usual},
		"another program":              {func(s *config.Service) { s.Command = []string{"w"} }, none},
		"another program that listens": {func(s *config.Service) { s.Command, s.Port = []string{"w"}, 80 }, tcp(80)},
		"none":                         {func(s *config.Service) { s.Port, s.Health.None = 80, true }, none},
		"a command":                    {func(s *config.Service) { s.Command, s.Health.Command = []string{"w"}, []string{"a", "b"} }, asked("a", "b")},
		"a path":                       {func(s *config.Service) { s.Port, s.Health.Path = 80, "/x/" }, http(80, "/x/")},
		"a path on another port":       {func(s *config.Service) { s.Port, s.Health.Path, s.Health.Port = 80, "/x", 81 }, http(81, "/x")},
		"a port":                       {func(s *config.Service) { s.Port, s.Health.Port = 80, 81 }, tcp(81)},
	} {
		if got := spec(t, Part{}, having(test.change)).Services[0].Health; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// Whoever describes the worker leaves the backend as it is.
func TestTheBackendsDescriptionIsNotWrittenTo(t *testing.T) {
	c := having(func(s *config.Service) {
		s.Volumes, s.Egress, s.SecretEnvironment, s.Environment = map[string]string{"x": "/x"}, true, []string{"A", "B"}, map[string]string{"DEBUG": "true"}
	})
	c.Backend.Secrets, c.Backend.Environment = []string{"A"}, map[string]string{"C": "1"}
	one, other := spec(t, Part{}, c), spec(t, Part{}, c)
	if fmt.Sprintf("%+v", one.Services[0].Secrets) != fmt.Sprintf("%+v", other.Services[0].Secrets) || c.Backend.Environment["DEBUG"] != "" {
		t.Error("it says something else the second time")
	}
	s := one.Services[0]
	index := slices.IndexFunc(s.Secrets, func(f part.SecretFile) bool { return f.Name == "a" })
	if a := s.Secrets[index]; a.Variable != "A_FILE" || a.Export != "A" {
		t.Errorf("a secret that both have: %+v", a)
	}
	if len(one.Secrets) != 1 || one.Secrets[0].Name != "B" {
		t.Errorf("declared twice: %+v", one.Secrets)
	}
	if s.Environment["DEBUG"] != "true" || s.Environment["C"] != "1" || !slices.Equal(s.Networks, []string{part.Inner, part.Edge}) {
		t.Errorf("%+v on %v", s.Environment, s.Networks)
	}
}

func TestWhatListensIsToldWhere(t *testing.T) {
	for port, want := range map[int]string{0: "", 9000: "9000"} {
		env := spec(t, Part{}, having(func(s *config.Service) { s.Command, s.Port = []string{"w"}, port })).Services[0].Environment
		if env["PORT"] != want || (env["HOST"] != "") != (port != 0) || (env["WORKERS"] != "") != (port != 0) || env["WEB_CONCURRENCY"] != env["WORKERS"] {
			t.Errorf("%d: %v", port, env)
		}
	}
}

func TestDependenciesAreAPartOfTheirOwn(t *testing.T) {
	c := having(func(s *config.Service) { s.Image = "db:1" })
	if s := spec(t, Dependencies{}, c); len(s.Services) != 0 || s.Component != "" {
		t.Errorf("%+v", s)
	}
	c.Backend.DependsOn = []string{"it"}
	s := spec(t, Dependencies{}, c)
	if len(s.Services) != 1 || s.Services[0].Name != "it" || len(s.Needs) != 0 || s.Images[0].Reference != "exact:1" || s.Images[0].SetUp != "" {
		t.Errorf("%+v", s)
	}
	if s := spec(t, Part{}, c); len(s.Services) != 0 {
		t.Errorf("it is there twice: %+v", s)
	}
}

// Without anything to ask there may be no shell either.
func TestAVolumeIsTriedWhereSomethingIsAsked(t *testing.T) {
	for none, want := range map[bool]string{true: "", false: "/a /b"} {
		s := spec(t, Part{}, having(func(s *config.Service) {
			s.Image, s.Volumes, s.Health.None = "x:1", map[string]string{"one": "/b", "two": "/a"}, none
		})).Services[0]
		if got := strings.Join(s.Writes, " "); got != want || !s.Recreate {
			t.Errorf("without a check %v: %q, stops first %v", none, got, s.Recreate)
		}
	}
}

// The golden file is given to the real promtool, and tried by it, in the end-to-end tests.
func TestRules(t *testing.T) {
	c := having(func(*config.Service) {})
	if s := spec(t, Part{}, c); len(s.Alerts) > 0 {
		t.Errorf("without monitoring: %v", s.Alerts)
	}
	c.Config.Monitoring.Enabled = true
	golden.Check(t, "testdata/services.rules.yml", "groups:\n"+spec(t, Part{}, c).Alerts[0].YAML)
	c.Config.Services = nil
	if s := spec(t, Part{}, c); len(s.Alerts) > 0 {
		t.Errorf("without services: %v", s.Alerts)
	}
}
