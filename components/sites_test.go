package components

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// asEdge sends two names to another stack, and one to another project's.
func asEdge(c *config.Config) {
	c.Networks.SitesSubnet = "10.213.9.0/24"
	c.Sites = map[string]config.Site{"shop": {Hosts: []string{"Shop.example", "*.shop.example"}}, "far": {Stack: "store/prod", Hosts: []string{"store.example"}}}
}

// behindEdge is what prod sends users to.
func behindEdge(c *config.Config) {
	c.Nginx.Edge, c.Nginx.ServerNames, c.Nginx.TLS.Mode = "prod", []string{"shop.example"}, "off"
}

// edges are the edges of the tests' engine.
var edges = map[string]engine.Network{"tarot-prod": {Driver: "overlay", Subnet: "10.213.9.0/24"}}

// Two stacks are found by two names where both have a workload that is called nginx.
func TestOnANetworkOfSeveralStacksEachIsFoundByItsOwnName(t *testing.T) {
	for name, change := range map[string]func(*config.Config){"an edge": asEdge, "behind an edge": behindEdge} {
		for _, runtime := range []string{"prod", "prod as containers"} {
			inProject(t)
			r := deployAs(stack(t, runtime, change), &recorder{}, &fakeEngine{networks: edges}, false)
			if r.err != nil {
				t.Fatalf("%s, %s: %v", name, runtime, r.err)
			}
			var networks []any
			if runtime == "prod" {
				networks = r.get(t, "Service", "tarot-test-nginx").list("taskSpec", "networksAdvanceds")
			} else {
				networks = r.get(t, "Container", "tarot-test-nginx-1").list("networksAdvanced")
			}
			var aliases []string
			for _, n := range networks {
				aliases = append(aliases, fmt.Sprint(at(n, "aliases", 0)))
			}
			if !slices.Equal(aliases, []string{"nginx", "nginx", "tarot-test"}) {
				t.Errorf("%s, %s: found by %v", name, runtime, aliases)
			}
			last := at(networks[2], "name")
			if want := map[string]any{"an edge": "tarot-test-sites-id", "behind an edge": "tarot-prod-sites-id"}[name]; last != want {
				t.Errorf("%s, %s: on %v, want %v", name, runtime, last, want)
			}
		}
	}
}

// What a stack behind an edge is asked does not depend on the edge.
func TestAStackBehindAnEdgeIsAskedFromInside(t *testing.T) {
	inProject(t)
	docker := running("earlier")
	docker.networks, docker.unpublished = edges, true
	r := deploy(stack(t, "prod as containers", behindEdge), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if url := r.outputs["url"].Value; url != "https://shop.example:4443" {
		t.Errorf("it is at %v: where the edge is", url)
	}
	for _, asked := range docker.dialled {
		if asked != "https://localhost:4443 from inside: true" {
			t.Errorf("asked %s", asked)
		}
	}
	for _, asked := range docker.tested {
		if asked != "https://shop.example:4443 at localhost, from inside" {
			t.Errorf("tested %s", asked)
		}
	}
	if len(docker.dialled) == 0 || len(docker.tested) != 5 {
		t.Errorf("asked %v, tested %v: three replicas and the site", docker.dialled, docker.tested)
	}
	for _, x := range r.find("Container") {
		if ports := x.list("ports"); x.Name == "tarot-test-nginx-1" && len(ports) > 0 {
			t.Errorf("it publishes %v", ports)
		}
	}
}

// While a stack goes behind an edge, or comes from there, the nginx that runs is asked as it is.
func TestTheNginxThatRunsIsAskedWhereItIs(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(*config.Config)
		unpublished bool
		replicas    string
		site        string
	}{
		"it goes behind an edge":   {behindEdge, false, "https://shop.example:4443 at localhost", "https://shop.example:4443 at localhost, from inside"},
		"it comes from behind one": {func(*config.Config) {}, true, "https://localhost at localhost, from inside", "https://localhost at localhost"},
	} {
		inProject(t)
		docker := running("earlier")
		docker.networks, docker.unpublished = edges, test.unpublished
		r := deploy(stack(t, "prod as containers", test.change), &recorder{}, docker)
		if r.err != nil || len(docker.tested) != 5 || docker.tested[0] != test.replicas || docker.tested[4] != test.site {
			t.Errorf("%s: tested %v, %v", name, docker.tested, r.err)
		}
	}
}

func TestAnEdgeHasToBeThere(t *testing.T) {
	for name, test := range map[string]struct {
		stack    string
		networks map[string]engine.Network
		failure  error
		edge     string
		want     string
	}{
		"it is not":        {"prod", nil, nil, "prod", `tarot:nginx.edge: "prod" has no network tarot-prod-sites on this engine; allowed: a stack that is up with tarot:networks.sitesSubnet set: first the edge, then who is behind it`},
		"it is this stack": {"prod", nil, nil, "test", `tarot:nginx.edge: "test" is this stack itself`},
		"another runtime":  {"prod", map[string]engine.Network{"tarot-prod": {Driver: "bridge"}}, nil, "prod", `tarot:nginx.edge: "prod" is a stack of plain containers`},
		"of Swarm":         {"prod as containers", edges, nil, "prod", ""},
		"another project":  {"prod", map[string]engine.Network{"store-live": {Driver: "overlay"}}, nil, "store/live", ""},
		"nobody knows":     {"prod", nil, errors.New("no answer"), "prod", "no answer"},
	} {
		inProject(t)
		docker := &fakeEngine{networks: test.networks, failures: map[string]error{"network": test.failure}}
		r := deploy(stack(t, test.stack, behindEdge, func(c *config.Config) { c.Nginx.Edge = test.edge }), &recorder{}, docker)
		if test.want == "" && r.err == nil {
			continue
		}
		if test.want == "" || r.err == nil || !strings.Contains(r.err.Error(), test.want) {
			t.Errorf("%s: %v", name, r.err)
		} else if len(r.all) > 0 {
			t.Errorf("%s: declared %d resources", name, len(r.all))
		}
	}
}

// The network stays while users come by it to others.
func TestTheNetworkOfSitesIsNotTakenFromThem(t *testing.T) {
	shop := engine.Guest{Network: "tarot-test-sites", Container: "tarot-shop-nginx-1", Stack: "tarot-shop"}
	there := engine.Network{Driver: "bridge", Subnet: "10.213.9.0/24"}
	const mend = "or first: take the stack tarot-shop away, or empty its tarot:nginx.edge and run `pulumi up` there"
	for name, test := range map[string]struct {
		stack  string
		change func(*config.Config)
		guests []engine.Guest
		want   string
	}{
		"it stays":              {"prod as containers", asEdge, []engine.Guest{shop}, ""},
		"a site goes":           {"prod as containers", func(c *config.Config) { asEdge(c); c.Sites = nil }, []engine.Guest{shop}, ""},
		"it goes":               {"prod as containers", func(*config.Config) {}, []engine.Guest{shop}, `tarot:networks.sitesSubnet: "" would take the network tarot-test-sites away, and users come by it to the container tarot-shop-nginx-1 of the stack tarot-shop; allowed: 10.213.9.0/24, ` + mend},
		"nobody is on it":       {"prod as containers", func(*config.Config) {}, nil, ""},
		"other addresses":       {"prod as containers", func(c *config.Config) { asEdge(c); c.Networks.SitesSubnet = "10.213.10.0/24" }, []engine.Guest{shop}, `tarot:networks.sitesSubnet: "10.213.10.0/24" would take`},
		"another runtime":       {"prod", asEdge, []engine.Guest{shop}, `tarot:runtime: "swarm" would take the network tarot-test-sites away`},
		"somebody else's is on": {"prod as containers", func(*config.Config) {}, []engine.Guest{{Network: "tarot-test-sites", Container: "psql"}}, ""},
	} {
		inProject(t)
		docker := &fakeEngine{networks: map[string]engine.Network{"tarot-test": there}, guests: test.guests}
		r := deployAs(stack(t, test.stack, test.change), &recorder{uses: []engine.Use{{}}}, docker, false)
		if test.want == "" && r.err == nil {
			if told := strings.Contains(strings.Join(r.warnings.texts, "\n"), "tarot-shop"); told {
				t.Errorf("%s: told of who is expected", name)
			}
			continue
		}
		if test.want == "" || r.err == nil || !strings.Contains(r.err.Error(), test.want) || len(r.all) > 0 {
			t.Errorf("%s: %v, %d resources", name, r.err, len(r.all))
		}
	}
	inProject(t)
	r := deploy(stack(t, "prod", asEdge, func(c *config.Config) { c.Sites = map[string]config.Site{"test": {Hosts: []string{"x.example"}}} }), &recorder{}, &fakeEngine{})
	if r.err == nil || !strings.Contains(r.err.Error(), "tarot:sites.test: it is this stack itself") {
		t.Errorf("its own site: %v", r.err)
	}
}

// Another site is a reload: what nginx runs in stays as it is.
func TestASiteMoreOrLessRestartsNothing(t *testing.T) {
	for _, runtime := range []string{"prod", "prod as containers"} {
		var containers []string
		for _, sites := range []map[string]config.Site{nil, {"shop": {Hosts: []string{"shop.example"}}}} {
			inProject(t)
			r := deploy(stack(t, runtime, asEdge, func(c *config.Config) { c.Sites = sites }), &recorder{}, &fakeEngine{})
			if r.err != nil {
				t.Fatal(r.err)
			}
			kind := map[string]string{"prod": "Service", "prod as containers": "Container"}[runtime]
			for _, x := range r.find(kind) {
				if strings.HasPrefix(x.Name, "tarot-test-nginx") && !strings.Contains(x.Name, "configuration") {
					containers = append(containers, fmt.Sprint(x.In))
				}
			}
		}
		if len(containers) != 2 || containers[0] != containers[1] {
			t.Errorf("%s: nginx is another one with a site:\n%s", runtime, strings.Join(containers, "\n"))
		}
	}
}

// What the configuration says is not there for a stack that uses none of it.
func TestNginxKnowsOfSitesOnlyWhereThereAreSome(t *testing.T) {
	inProject(t)
	if c := nginx.Render(contextOf(t, stack(t, "prod"))); len(c.Sites)+len(c.Known)+len(c.TrustedProxies) > 0 {
		t.Errorf("%v, %v, %v", c.Sites, c.Known, c.TrustedProxies)
	}
	c := nginx.Render(contextOf(t, stack(t, "prod", behindEdge)))
	if !slices.Equal(c.TrustedProxies, []string{"127.0.0.1/32", "10.213.9.0/24"}) || !slices.Equal(c.Known, []string{"shop.example"}) {
		t.Errorf("believes %v, knows %v", c.TrustedProxies, c.Known)
	}
	if c = nginx.Render(contextOf(t, stack(t, "prod", asEdge))); len(c.Known) > 0 {
		t.Errorf("an edge without a name of its own refuses all but %v", c.Known)
	}
}

// A stack may be there before its edge knows of it, and whoever runs the update is told.
func TestAStackThatNobodyIsSentToIsToldOf(t *testing.T) {
	for name, test := range map[string]struct {
		sends   string
		failure error
		want    string
	}{
		"the edge knows it":         {"server tarot-test:8080 resolve max_fails=0;", nil, ""},
		"the edge knows others":     {"server tarot-test2:8080 resolve; server x-tarot-test:80;", nil, "the edge tarot-prod sends nobody here yet: its tarot:sites has to have this stack (tarot-test), with shop.example"},
		"the edge doesn't run well": {"", errors.New("no container"), "the edge tarot-prod does not say what it sends here, and users may get no answer: no container"},
	} {
		inProject(t)
		docker := &fakeEngine{networks: edges, sends: test.sends, failures: map[string]error{"cat": test.failure}}
		r := deploy(stack(t, "prod", behindEdge), &recorder{}, docker)
		if told := strings.Join(r.warnings.texts, "\n"); r.err != nil || told != test.want {
			t.Errorf("%s: %v, told %q", name, r.err, told)
		}
	}
}

// A certificate that is given has to have the names of those that answer by it.
func TestACertificateThatIsNotForASiteIsToldOf(t *testing.T) {
	pair, err := certificate.SelfSigned(make([]byte, 32), []string{"tarot.example", "*.shop.example", "store.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	given := func(c *config.Config) {
		asEdge(c)
		c.Nginx.TLS.Mode, c.Secrets = "given", map[string]string{"tlsCertificate": pair.Certificate, "tlsKey": pair.Key}
	}
	inProject(t)
	r := deploy(stack(t, "prod", given), &recorder{}, &fakeEngine{})
	const want = "tarot:nginx.tls.certificate is not for Shop.example, which tarot:sites has: browsers refuse it there"
	if told := strings.Join(r.warnings.texts, "\n"); r.err != nil || told != want {
		t.Errorf("%v, told %q", r.err, told)
	}
}
