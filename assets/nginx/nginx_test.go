package nginx

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The golden files are checked with the values of the stacks, in components.
func TestEveryCombinationOfSwitchesIsConsistent(t *testing.T) {
	for i := range 128 {
		tls, limited, static, closed, counted, grafana, proxied := i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0, i&16 != 0, i&32 != 0, i&64 != 0
		c := Config{Workers: 1, BackendPort: 8000, TLS: tls, Replicas: Replicas{Hosts: []string{"one", "two"}, Any: "all"}, Maintenance: closed, Name: "c0ffee", MaxBody: 1, ProxyTimeout: "60s",
			HealthPath: "/health", MetricsPath: "/metrics", StaticPath: "/static", Metrics: counted}
		if proxied {
			c.TrustedProxies = []string{"10.1.0.0/16"}
		}
		if grafana {
			c.Pages = []Page{{"/grafana", "grafana", 3000}}
		}
		if limited {
			c.RequestRate, c.Burst = 5, 10
		}
		if static {
			c.StaticFolder = "/srv"
		}
		t.Run(fmt.Sprintf("tls %v limited %v static %v closed %v counted %v grafana %v proxied %v", tls, limited, static, closed, counted, grafana, proxied), func(t *testing.T) {
			text, err := Render(c)
			if err != nil {
				t.Fatal(err)
			}
			depth := 0
			for i, line := range strings.Split(text, "\n") {
				code := strings.TrimSpace(line)
				if strings.HasPrefix(code, "#") {
					continue
				}
				depth += strings.Count(code, "{") - strings.Count(code, "}")
				if depth < 0 {
					t.Errorf("line %d closes what is not open", i+1)
				}
				if strings.Contains(code, "<no value>") {
					t.Errorf("line %d: %s", i+1, code)
				}
			}
			if depth != 0 {
				t.Errorf("%d blocks stay open", depth)
			}
			for part, want := range map[string]bool{
				"listen 8443 ssl": tls, "ssl_certificate tls_certificate;": tls, "return 308 https://": tls,
				"limit_req_zone": limited, "limit_req zone=client burst=10": limited,
				"location ^~ /static/ {": static, "alias /srv/current/;": static, "alias /srv/r/;": static,
				"location = /metrics {": true, "listen 8080 default_server": true, "server one:8000 resolve": true, "server two:8000 resolve": true, "server all:8000 resolve backup": true,
				`return 200 "c0ffee one two\n$shut\n";`: true, `set $closed "$shut";`: !closed, `set $closed "${shut}closed";`: closed,
				"load_module": counted, "js_content metrics.show": counted, "listen 8082;": counted, "listen 127.0.0.1:8081;": true,
				"$unavailable_type": false, "include mime.types;": true, "worker_rlimit_nofile 16384;": true, "set_real_ip_from 10.1.0.0/16;": proxied, "10.1.0.0/16 1;": proxied,
				"proxy_set_header X_Forwarded_For \"\";": true, "$host:": false,
				"add_header_inherit merge;": true, "include tls_groups.conf;": tls, "Strict-Transport-Security": false, "ssl_reject_handshake": false,
				"if=$counted;": counted, "location ^~ /grafana/ {": grafana, `"~^/grafana(/|$)" 1;`: grafana && counted, `"~^ /grafana(/|$)" 0;`: grafana,
			} {
				if got := strings.Contains(text, part); got != want {
					t.Errorf("%q: %v, want %v", part, got, want)
				}
			}
		})
	}
}

// Between single quotes, nginx takes $ for a variable, and a quote for the end.
func TestThePagesCanBeQuoted(t *testing.T) {
	for _, page := range []string{Config{}.UnavailablePage(), Config{}.SlowPage()} {
		if strings.ContainsAny(page, "'$\\") || !strings.HasPrefix(page, "<!doctype html>") {
			t.Errorf("%s", page)
		}
	}
}

// A page that asks again by itself would have a slow request run over and over.
func TestTheSlowPageDoesNotAskAgain(t *testing.T) {
	if page := (Config{}).SlowPage(); strings.Contains(page, "refresh") {
		t.Errorf("%s", page)
	}
}

// default_type takes no variable: what stands there is sent as it is.
func TestNoContentTypeIsAVariable(t *testing.T) {
	text, err := Render(Config{TLS: true, Metrics: true, Pages: []Page{{"/grafana", "grafana", 3000}}, StaticFolder: "/srv"})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "default_type") && strings.Contains(line, "$") {
			t.Error(line)
		}
	}
}

// WSGI reads X_Forwarded_For as X-Forwarded-For.
func TestNoSpellingOfAHeaderOfOursComesFromAClient(t *testing.T) {
	claims := Config{}.Claims()
	for _, name := range []string{"X_Forwarded_For", "X-Forwarded_For", "X_Forwarded-For", "X_Real_IP", "X_Release_Candidate", "X_Forwarded_Proto",
		"X-Forwarded-Ssl", "X_Forwarded_Ssl", "Forwarded", "SCRIPT_NAME", "SCRIPT-NAME"} {
		if !slices.Contains(claims, name) {
			t.Errorf("%s", name)
		}
	}
	for _, name := range set {
		if slices.Contains(claims, name) {
			t.Errorf("%s is set, and removed", name)
		}
	}
	if slices.Sort(claims); len(slices.Compact(claims)) != len(Config{}.Claims()) {
		t.Error("a name is there twice, which nginx refuses")
	}
}

func TestAnExtensionHasOneType(t *testing.T) {
	seen := map[string]string{}
	for line := range strings.SplitSeq(Types(), "\n") {
		words := strings.Fields(strings.TrimSuffix(line, ";"))
		if len(words) < 2 || words[0] == "types" || words[0][0] == '#' {
			continue
		}
		for _, extension := range words[1:] {
			if other, ok := seen[extension]; ok {
				t.Errorf("%s is %s and %s", extension, other, words[0])
			}
			seen[extension] = words[0]
		}
	}
	for extension, want := range map[string]string{"mjs": "text/javascript", "js": "text/javascript", "webmanifest": "application/manifest+json", "svg": "image/svg+xml"} {
		if seen[extension] != want {
			t.Errorf("%s is %q", extension, seen[extension])
		}
	}
}

func TestTheCandidateNeedsTheWholeToken(t *testing.T) {
	want := `"~^abc\.(?<candidate_host>[A-Za-z0-9_.-]+(:[0-9]+)?)$" $candidate_host;` + "\n"
	if got := Candidate("abc"); got != want {
		t.Errorf("%s", got)
	}
	if token, found := TokenIn(want); token != "abc" || !found {
		t.Errorf("read again: %q, %v", token, found)
	}
	for _, other := range []string{"", "cat: no such file", `abc\.def`} {
		if token, found := TokenIn(other); found {
			t.Errorf("in %q: %q", other, token)
		}
	}
}
