package nginx

import (
	"fmt"
	"strings"
	"testing"
)

// The golden files are checked with the values of the stacks, in components.
func TestEveryCombinationOfSwitchesIsConsistent(t *testing.T) {
	for i := range 8 {
		tls, limited, static := i&1 != 0, i&2 != 0, i&4 != 0
		c := Config{Workers: 1, BackendPort: 8000, TLS: tls, Certificate: "/crt", Key: "/key", MaxBody: 1, ProxyTimeout: "60s",
			HealthPath: "/health", MetricsPath: "/metrics", StaticPath: "/static"}
		if limited {
			c.RequestRate, c.Burst = 5, 10
		}
		if static {
			c.StaticFolder = "/srv"
		}
		t.Run(fmt.Sprintf("tls %v limited %v static %v", tls, limited, static), func(t *testing.T) {
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
				"listen 8443 ssl": tls, "ssl_certificate /crt;": tls, "return 308 https://": tls,
				"limit_req_zone": limited, "limit_req zone=client burst=10": limited,
				"location ^~ /static/ {": static, "alias /srv/;": static,
				"location = /metrics {": true, "listen 8080 default_server": true, "server backend:8000 resolve": true,
			} {
				if got := strings.Contains(text, part); got != want {
					t.Errorf("%q: %v, want %v", part, got, want)
				}
			}
		})
	}
}
