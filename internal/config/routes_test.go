package config

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatIsWrongWithARoute(t *testing.T) {
	const services = `{"second":{"port":3000},"worker":{}}`
	for name, test := range map[string]struct {
		routes string
		more   []string
		want   string // the first line; empty: it is right
	}{
		"below a path":                {`{"a":{"service":"second","path":"/shop"}}`, nil, ""},
		"a host":                      {`{"a":{"service":"second","host":"shop.example"}}`, nil, ""},
		"two ways to one":             {`{"a":{"service":"second","path":"/shop"},"b":{"service":"second","path":"/shop","host":"shop.example"}}`, nil, ""},
		"of the backend's":            {`{"a":{"path":"/upload","maxBody":"1g","timeout":"5m","requestRate":1,"burst":2,"allow":["10.0.0.0/8"]}}`, nil, ""},
		"below the backend's API":     {`{"a":{"service":"second","path":"/api/v1/orders"}}`, nil, ""},
		"a list":                      {`["a"]`, nil, `tarot:routes: ["a"] is not allowed; allowed: an object for each route`},
		"an unknown key":              {`{"a":{"webSocket":true}}`, nil, `tarot:routes.a.webSocket: there is no such key; allowed: allow, burst, host, `},
		"a name":                      {`{"A":{"path":"/x"}}`, nil, `tarot:routes: "A" is not allowed`},
		"nobody":                      {`{"a":{"service":"third","path":"/x"}}`, nil, `tarot:routes.a.service: "third" is not allowed; allowed: backend, or the name of a service that has a port`},
		"who does not listen":         {`{"a":{"service":"worker","path":"/x"}}`, nil, `tarot:routes.a.service: "worker" is not allowed`},
		"all":                         {`{"a":{"service":"second"}}`, nil, `tarot:routes.a.path: "/" is not allowed`},
		"no path":                     {`{"a":{"path":"x"}}`, nil, `tarot:routes.a.path: "x" is not allowed`},
		"a path with a slash":         {`{"a":{"path":"/x/"}}`, nil, `tarot:routes.a.path: "/x/" is not allowed`},
		"what nginx would read":       {`{"a":{"path":"/x;y"}}`, nil, `tarot:routes.a.path: "/x;y" is not allowed`},
		"one path twice":              {`{"a":{"path":"/x"},"b":{"path":"/x"}}`, nil, `tarot:routes.b.path: "/x" is not allowed`},
		"the health check's":          {`{"a":{"path":"/health"}}`, nil, `tarot:routes.a.path: "/health" is not allowed`},
		"of its own":                  {`{"a":{"path":"/healthz"}}`, []string{"backend", `{"health":{"path":"/healthz"},"paths":{"health":""}}`}, `tarot:routes.a.path: "/healthz" is not allowed`},
		"static files'":               {`{"a":{"path":"/static/x"}}`, nil, `tarot:routes.a.path: "/static/x" is not allowed`},
		"Grafana's":                   {`{"a":{"path":"/grafana"}}`, []string{"monitoring", `{"enabled":true}`}, `tarot:routes.a.path: "/grafana" is not allowed`},
		"no host":                     {`{"a":{"path":"/x","host":"a b"}}`, nil, `tarot:routes.a.host: "a b" is not allowed`},
		"the site's own host":         {`{"a":{"host":"tarot.example"}}`, []string{"nginx", `{"serverNames":["tarot.example"]}`}, `tarot:routes.a.host: "tarot.example" is not allowed`},
		"below a path of the site's":  {`{"a":{"host":"tarot.example","path":"/x"}}`, []string{"nginx", `{"serverNames":["tarot.example"]}`}, ""},
		"localhost":                   {`{"a":{"host":"localhost"}}`, nil, `tarot:routes.a.host: "localhost" is not allowed`},
		"less than a second":          {`{"a":{"path":"/x","timeout":"500ms"}}`, nil, `tarot:routes.a.timeout: "500ms" is not allowed; allowed: 0s, or a duration of whole seconds`},
		"a body without a unit":       {`{"a":{"path":"/x","maxBody":10}}`, nil, `tarot:routes.a.maxBody: 10 is not allowed; allowed: 0m, or a size with a unit`},
		"a rate":                      {`{"a":{"path":"/x","requestRate":-1}}`, nil, `tarot:routes.a.requestRate: "-1" is not allowed`},
		"a burst":                     {`{"a":{"path":"/x","burst":-1}}`, nil, `tarot:routes.a.burst: "-1" is not allowed`},
		"an address, and no network":  {`{"a":{"path":"/x","allow":["10.0.0.1"]}}`, nil, `tarot:routes.a.allow: "10.0.0.1" is not allowed`},
		"a network with another host": {`{"a":{"path":"/x","allow":["10.0.0.1/8"]}}`, nil, `tarot:routes.a.allow: "10.0.0.1/8" is not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			cfg, err := Load(raw(append([]string{"routes", test.routes, "services", services}, test.more...)...))
			said := ""
			if err != nil {
				said = err.Error()
			}
			if test.want == "" && said != "" || !strings.HasPrefix(said, test.want) {
				t.Errorf("%s, want %s", said, test.want)
			}
			if name == "two ways to one" && !slices.Equal(cfg.Hosts(), []string{"shop.example"}) {
				t.Errorf("for %v", cfg.Hosts())
			}
		})
	}
}
