package services

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// An application that refuses unknown hosts knows that one, whichever of its programs is asked.
func TestAServiceIsAskedByTheSitesName(t *testing.T) {
	c := having(func(s *config.Service) { s.Port, s.Health.Path = 80, "/x" })
	c.Site.Name = "site.example"
	if got := spec(t, Part{}, c).Services[0].Health.Test; !slices.Equal(got, workload.AsksHTTP(80, "/x", "site.example")) {
		t.Errorf("%q", got)
	}
}

// What tells the backend where to listen tells a worker nothing, by whatever names.
func TestAliasesAreOfTheServicesOwnValues(t *testing.T) {
	for port, want := range map[int]map[string]string{
		0:    {"GRACE": "225", "LOGS": "info"},
		9000: {"GRACE": "225", "LOGS": "info", "LISTEN": "9000", "PROCESSES": "4", "PORT": "9000"},
	} {
		c := having(func(s *config.Service) { s.Command, s.Port, s.StopGrace = []string{"w"}, port, 300e9 })
		c.Backend.LogLevel, c.Backend.DebuggerPort = "info", 5678
		c.Backend.Aliases = map[string]string{"LISTEN": "PORT", "PROCESSES": "WEB_CONCURRENCY", "GRACE": "GRACEFUL_TIMEOUT", "LOGS": "LOG_LEVEL", "ATTACH": "DEBUGGER_PORT"}
		got := spec(t, Part{}, c).Services[0].Environment
		for _, name := range append(slices.Collect(maps.Keys(c.Backend.Aliases)), "PORT") {
			if got[name] != want[name] {
				t.Errorf("port %d: %s is %q, want %q", port, name, got[name], want[name])
			}
		}
	}
}

// A secret of a service is what its name says, also where the backend has something else by
// that name, and so is a plain value.
func TestAServicesOwnGoBeforeWhatItInherits(t *testing.T) {
	redis := func(c *part.Context) {
		c.Offered.Application = []part.Variable{{Name: "REDIS_URL", Secret: "cachePassword", Export: true, Make: func(string) (string, error) { return "", nil }}, {Name: "DATABASE_URL", Value: "sqlite:///x"}}
	}
	for name, test := range map[string]struct {
		change func(*config.Service)
		want   string // of REDIS_URL and DATABASE_URL
	}{
		"nothing":                 {func(*config.Service) {}, "cachePassword made REDIS_URL_FILE REDIS_URL; sqlite:///x"},
		"a secret":                {func(s *config.Service) { s.Secrets = []string{"REDIS_URL"} }, "REDIS_URL  REDIS_URL_FILE ; sqlite:///x"},
		"a secret as a variable":  {func(s *config.Service) { s.SecretEnvironment = []string{"REDIS_URL"} }, "REDIS_URL  REDIS_URL_FILE REDIS_URL; sqlite:///x"},
		"a secret for plain text": {func(s *config.Service) { s.Secrets = []string{"DATABASE_URL"} }, "cachePassword made REDIS_URL_FILE REDIS_URL; "},
		"a value":                 {func(s *config.Service) { s.Environment = map[string]string{"REDIS_URL": "redis://x"} }, "; sqlite:///x"},
		"a file":                  {func(s *config.Service) { s.Environment = map[string]string{"REDIS_URL_FILE": "/x"} }, "; sqlite:///x"},
	} {
		c := having(test.change)
		redis(&c)
		s := spec(t, Part{}, c).Services[0]
		got := ""
		for _, f := range s.Secrets {
			if f.Name == "redis_url" {
				got = fmt.Sprintf("%s %s %s %s", f.Secret, map[bool]string{true: "made"}[f.Make != nil], f.Variable, f.Export)
			}
		}
		if got += "; " + s.Environment["DATABASE_URL"]; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	both := having(func(s *config.Service) { s.Secrets = []string{"A"} })
	both.Backend.SecretEnvironment = []string{"A", "B"}
	s := spec(t, Part{}, both)
	index := slices.IndexFunc(s.Services[0].Secrets, func(f part.SecretFile) bool { return f.Name == "a" })
	if a := s.Services[0].Secrets[index]; a.Export != "A" || a.Variable != "A_FILE" || len(s.Secrets) != 0 {
		t.Errorf("a secret that the backend has as a variable: %+v, declared %+v", a, s.Secrets)
	}
}

// Each is given to the service's user in the service's image, which has what it begins with; where
// that may have no shell, in the backend's.
func TestNewVolumesOfAServiceAreItsUsers(t *testing.T) {
	volumes := func(s *config.Service) {
		s.User, s.Memory, s.Volumes = "999:999", 64<<20, map[string]string{"b": "/b", "a": "/a"}
	}
	for name, test := range map[string]struct {
		change      func(*config.Service)
		image, from string
	}{
		"the backend's image": {func(s *config.Service) { s.Command = []string{"w"} }, "backend", "/a /b"},
		"another image":       {func(s *config.Service) { s.Image = "db:1" }, "it", "/a /b"},
		"without a check":     {func(s *config.Service) { s.Image, s.Health.None = "db:1", true }, "backend", "- -"},
	} {
		s := spec(t, Part{}, having(func(s *config.Service) { volumes(s); test.change(s) }))
		if len(s.Jobs) != 1 {
			t.Fatalf("%s: %+v", name, s.Jobs)
		}
		j := s.Jobs[0]
		from := strings.Fields(test.from)
		want := []string{"own-volumes", "999:999", "service-volume-it-a", from[0], "service-volume-it-b", from[1]}
		if j.Name != "own-volumes-it" || j.Image != test.image || j.When != part.Before || j.Limits.Memory != 64<<20 || !slices.Equal(j.Command[3:], want) {
			t.Errorf("%s: %s in %s: %q", name, j.Name, j.Image, j.Command[3:])
		}
		if m := j.Mounts[1]; len(j.Mounts) != 2 || m.Source != "service-volume-it-b" || m.Target != "/run/volumes/service-volume-it-b" {
			t.Errorf("%s: %+v", name, j.Mounts)
		}
	}
	if s := spec(t, Part{}, having(func(*config.Service) {})); len(s.Jobs) != 0 {
		t.Errorf("without volumes: %+v", s.Jobs)
	}
}
