package services

import (
	"fmt"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// routed is a service called it, that answers /ready on 3000, with one route.
func routed(route func(*config.Route), changes ...func(*config.Service)) part.Context {
	c := having(func(s *config.Service) {
		s.Image, s.Port, s.Health.Path = "x:1", 3000, "/ready"
		for _, change := range changes {
			change(s)
		}
	})
	r := config.Route{}.Default().(config.Route)
	r.Service, r.Path = "it", "/x"
	route(&r)
	c.Config.Routes = map[string]config.Route{"way": r}
	c.Site.Name = "site.example"
	return c
}

func TestWhatIsAskedBeforeUsersSeeIt(t *testing.T) {
	path := func(path string) func(*config.Service) { return func(s *config.Service) { s.Health.Path = path } }
	same := func(*config.Route) {}
	for name, test := range map[string]struct {
		c     part.Context
		want  string // port, path and host; empty: it is not asked
		probe string // after they do
	}{
		"a path":                        {routed(same), "3000 /ready ", ""},
		"with its path left out":        {routed(func(r *config.Route) { r.StripPath = true }), "3000 /ready ", "/x/ready"},
		"of a host":                     {routed(func(r *config.Route) { r.Host, r.Path = "it.example", "/" }), "3000 /ready it.example", "/ready"},
		"below the route":               {routed(same, path("/x/ready")), "3000 /x/ready ", "/x/ready"},
		"the path of the site's health": {routed(same, path("/health")), "3000 /health ", ""},
		"that nginx answers itself":     {routed(same, path("/metrics")), "", ""},
		"that is a static file's":       {routed(same, path("/static/x")), "", ""},
		"that the route would change":   {routed(func(r *config.Route) { r.StripPath = true }, path("/x/ready")), "", "/x/x/ready"},
		"that is closed":                {routed(func(r *config.Route) { r.Allow = []string{"10.0.0.0/8"} }, path("/x/ready")), "", ""},
		"with a closed way":             {routed(func(r *config.Route) { r.Allow = []string{"10.0.0.0/8"} }), "3000 /ready ", ""},
		"a port alone":                  {routed(same, func(s *config.Service) { s.Health.Path, s.Health.Port = "", 3000 }), "", ""},
		"on another port":               {routed(same, func(s *config.Service) { s.Health.Port = 3001 }), "", ""},
		"of one that owns data":         {routed(same, func(s *config.Service) { s.Volumes = map[string]string{"a": "/a"} }), "", ""},
	} {
		s := spec(t, Part{}, test.c)
		got := ""
		if a := s.Services[0].Answers; a != nil {
			got = fmt.Sprintf("%d %s %s", a.Port, a.Path, a.Host)
		}
		if got != test.want || s.Services[0].Upstream != (test.want != "") {
			t.Errorf("%s: %q, an upstream %v; want %q", name, got, s.Services[0].Upstream, test.want)
		}
		if got := s.Routes[0].Probe; got != test.probe {
			t.Errorf("%s: afterwards %q, want %q", name, got, test.probe)
		}
	}
	c := routed(same, path("/healthz/")) // a path that nginx asks of whom the deploy names, as it is the site's
	c.Backend.Health.Path, c.Backend.Paths.Health = "/healthz/", ""
	if !spec(t, Part{}, c).Services[0].Upstream {
		t.Error("a path of the site's own health check is none to ask by")
	}
	c = routed(same, path("/closed/ready"))
	closed := config.Route{Service: "it", Host: "site.example", Path: "/closed", Allow: []string{"10.0.0.0/8"}}
	c.Config.Routes["closed"] = closed
	if spec(t, Part{}, c).Services[0].Upstream {
		t.Error("it is asked by the site's own name, where it is closed")
	}
	closed.Host = "other.example"
	c.Config.Routes["closed"] = closed
	if !spec(t, Part{}, c).Services[0].Upstream {
		t.Error("a way of another host's is in the way")
	}
}

func TestARouteHasNginxsLimitsWhereItHasNone(t *testing.T) {
	r := spec(t, Part{}, routed(func(*config.Route) {})).Routes[0]
	if r.Timeout != 60e9 || r.MaxBody != 10<<20 || r.Port != 3000 || r.Rate != 0 {
		t.Errorf("%+v", r)
	}
	r = spec(t, Part{}, routed(func(r *config.Route) { r.Service, r.Timeout, r.MaxBody, r.RequestRate = "backend", 5e9, 1<<20, 3 })).Routes[0]
	if r.Timeout != 5e9 || r.MaxBody != 1<<20 || r.Port != 8000 || r.Rate != 3 {
		t.Errorf("%+v", r)
	}
}

func TestRoutesWithoutNginxAreTold(t *testing.T) {
	c := routed(func(*config.Route) {})
	c.Config.Nginx.Enabled = false
	s := spec(t, Part{}, c)
	if len(s.Routes) != 0 || s.Services[0].Upstream || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], "tarot:routes (way) have no effect: nginx.enabled is false") {
		t.Errorf("%+v", s)
	}
}
