package config

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatIsWrongWithASite(t *testing.T) {
	const edge = `{"sitesSubnet":"10.213.9.0/24"}`
	behind := func(more string) []string {
		return []string{"nginx", `{"edge":"prod","serverNames":["shop.example"],"tls":{"mode":"off"}` + more + `}`}
	}
	for name, test := range map[string]struct {
		pairs []string
		want  string // the first line; empty: it is right
	}{
		"a stack":                  {[]string{"networks", edge, "sites", `{"shop":{"hosts":["shop.example","*.shop.example"]}}`}, ""},
		"of another project":       {[]string{"networks", edge, "sites", `{"shop":{"stack":"store/prod","hosts":["shop.example"]}}`}, ""},
		"an edge without sites":    {[]string{"networks", edge}, ""},
		"no network":               {[]string{"sites", `{"shop":{"hosts":["shop.example"]}}`}, `tarot:networks.sitesSubnet: "" is not allowed; allowed: an IPv4 network in CIDR form`},
		"no host":                  {[]string{"networks", edge, "sites", `{"shop":{}}`}, `tarot:sites.shop.hosts: "" is not allowed; allowed: a list of at least one host name`},
		"what nginx would read":    {[]string{"networks", edge, "sites", `{"shop":{"hosts":["a;b"]}}`}, `tarot:sites.shop.hosts: "a;b" is not allowed`},
		"a host of two":            {[]string{"networks", edge, "sites", `{"a":{"hosts":["shop.example"]},"b":{"hosts":["Shop.example"]}}`}, `tarot:sites.b.hosts: "Shop.example" is not allowed`},
		"the edge's own host":      {[]string{"networks", edge, "nginx", `{"serverNames":["shop.example"]}`, "sites", `{"a":{"hosts":["shop.example"]}}`}, `tarot:sites.a.hosts: "shop.example" is not allowed`},
		"a route's host":           {[]string{"networks", edge, "routes", `{"r":{"path":"/x","host":"shop.example"}}`, "sites", `{"a":{"hosts":["shop.example"]}}`}, `tarot:sites.a.hosts: "shop.example" is not allowed`},
		"localhost":                {[]string{"networks", edge, "sites", `{"a":{"hosts":["localhost"]}}`}, `tarot:sites.a.hosts: "localhost" is not allowed`},
		"no stack's name":          {[]string{"networks", edge, "sites", `{"a":{"stack":"a b","hosts":["shop.example"]}}`}, `tarot:sites.a.stack: "a b" is not allowed`},
		"a site's name":            {[]string{"networks", edge, "sites", `{"A":{"hosts":["shop.example"]}}`}, `tarot:sites: "A" is not allowed`},
		"an unknown key":           {[]string{"networks", edge, "sites", `{"a":{"host":"shop.example"}}`}, `tarot:sites.a.host: there is no such key; allowed: hosts, stack`},
		"no subnet":                {[]string{"networks", `{"sitesSubnet":"10.213.9.1/24"}`}, `tarot:networks.sitesSubnet: "10.213.9.1/24" is not allowed; allowed: empty, or an IPv4 network`},
		"another network's":        {[]string{"networks", `{"sitesSubnet":"10.213.1.0/25"}`}, `tarot:networks.sitesSubnet: "10.213.1.0/25" is not allowed`},
		"of a network there's not": {[]string{"networks", `{"isolated":false,"sitesSubnet":"10.213.2.0/25"}`}, ""},
		"an edge without nginx":    {[]string{"networks", `{"sitesSubnet":"10.213.9.0/24","isolated":false}`, "nginx", `{"enabled":false}`, "backend", `{"publishPort":8000,"replicas":1}`}, `tarot:networks.sitesSubnet: "10.213.9.0/24" is not allowed; allowed: empty where nginx.enabled is false`},
		"behind an edge":           {behind(""), ""},
		"behind one without nginx": {append(behind(`,"enabled":false`), "networks", `{"isolated":false}`, "backend", `{"publishPort":8000,"replicas":1}`), `tarot:nginx.edge: "prod" is not allowed; allowed: empty where nginx.enabled is false`},
		"an edge behind an edge":   {append(behind(""), "networks", edge), `tarot:networks.sitesSubnet: "10.213.9.0/24" is not allowed; allowed: empty where nginx.edge is set`},
		"behind one by no name":    {[]string{"nginx", `{"edge":"prod","tls":{"mode":"off"}}`}, `tarot:nginx.serverNames: "" is not allowed; allowed: the names that the edge has for this stack`},
		"with TLS of its own":      {[]string{"nginx", `{"edge":"prod","serverNames":["shop.example"]}`}, `tarot:nginx.tls.mode: "selfSigned" is not allowed; allowed: off where nginx.edge is set`},
		"behind no stack's name":   {[]string{"nginx", `{"edge":"a/b/c","serverNames":["shop.example"],"tls":{"mode":"off"}}`}, `tarot:nginx.edge: "a/b/c" is not allowed; allowed: empty, STACK or PROJECT/STACK`},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			_, err := Load(raw(test.pairs...))
			said := ""
			if err != nil {
				said = err.Error()
			}
			if test.want == "" && said != "" || !strings.HasPrefix(said, test.want) {
				t.Errorf("%s, want %s", said, test.want)
			}
		})
	}
}

func TestWhatIsBehindAnEdgePublishesNoPortOfNginx(t *testing.T) {
	cfg := Defaults()
	cfg.Nginx.Edge = "prod"
	if ports := cfg.Ports(); len(ports) != 0 {
		t.Errorf("publishes %v", ports)
	}
}

func TestPeersAndSites(t *testing.T) {
	for named, want := range map[string]string{"shop": "tarot-shop", "store/prod": "store-prod"} {
		if got := Peer("tarot", named); got != want {
			t.Errorf("%s is %s, want %s", named, got, want)
		}
	}
	cfg := Config{Sites: map[string]Site{"b": {Hosts: []string{"b.example"}}, "a": {Stack: "x", Hosts: []string{"z.example", "a.example"}}}}
	if names := cfg.SiteNames(); !slices.Equal(names, []string{"z.example", "a.example", "b.example"}) {
		t.Errorf("names %v", names)
	}
	if a, b := cfg.Sites["a"].Answers("a"), cfg.Sites["b"].Answers("b"); a != "x" || b != "b" {
		t.Errorf("%s and %s answer", a, b)
	}
}
