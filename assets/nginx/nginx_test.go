package nginx

import (
	"fmt"
	"strings"
	"testing"
)

// The golden files are checked with the values of the stacks, in components.
func TestEveryCombinationOfSwitchesIsConsistent(t *testing.T) {
	for i := range 64 {
		tls, limited, static, closed, counted, grafana := i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0, i&16 != 0, i&32 != 0
		c := Config{Workers: 1, BackendPort: 8000, TLS: tls, Hosts: []string{"one", "two"}, Any: "all", Maintenance: closed, Name: "c0ffee", MaxBody: 1, ProxyTimeout: "60s",
			HealthPath: "/health", MetricsPath: "/metrics", StaticPath: "/static", Metrics: counted}
		if grafana {
			c.GrafanaPath = "/grafana"
		}
		if limited {
			c.RequestRate, c.Burst = 5, 10
		}
		if static {
			c.StaticFolder = "/srv"
		}
		t.Run(fmt.Sprintf("tls %v limited %v static %v closed %v counted %v grafana %v", tls, limited, static, closed, counted, grafana), func(t *testing.T) {
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
func TestThePageCanBeQuoted(t *testing.T) {
	page := Config{}.UnavailablePage()
	if strings.ContainsAny(page, "'$\\") || !strings.HasPrefix(page, "<!doctype html>") {
		t.Errorf("%s", page)
	}
}

func TestTheCandidateNeedsTheWholeToken(t *testing.T) {
	want := `"~^abc\.(?<candidate_host>[A-Za-z0-9_.-]+(:[0-9]+)?)$" $candidate_host;` + "\n"
	if got := Candidate("abc"); got != want {
		t.Errorf("%s", got)
	}
}
