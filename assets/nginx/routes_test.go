package nginx

import (
	"strings"
	"testing"
)

func TestEachHostHasItsWaysTheLongestFirst(t *testing.T) {
	c := Config{Routes: []Route{
		{Name: "a", Path: "/a"}, {Name: "a-b", Path: "/a/b"}, {Name: "own", Path: "/a", Host: "shop.example"},
		{Name: "more", Path: "/more", Host: "shop.example"}, {Name: "whole", Path: "/", Host: "whole.example"}, {Name: "below", Path: "/x", Host: "whole.example"},
	}}
	var got []string
	for _, s := range c.Servers() {
		line := s.Host
		for _, w := range s.Ways {
			line += " " + w.Route.Name
		}
		if s.Whole {
			line += " whole"
		}
		got = append(got, line)
	}
	want := " a-b a, shop.example more a-b own, whole.example below whole whole"
	if said := strings.Join(got, ", "); said != want {
		t.Errorf("%q, want %q", said, want)
	}
}

// What takes all of a host leaves the backend nothing of it but what the deploy asks.
func TestAHostThatAServiceHasWhole(t *testing.T) {
	text, err := Render(Config{HealthPath: "/health", MetricsPath: "/metrics", StaticPath: "/static", StaticFolder: "/srv", Pages: []Page{{"/grafana", "grafana", 3000}},
		Services: []Service{{Name: "it", Port: 80}}, Routes: []Route{{Name: "all", Path: "/", Host: "it.example", Service: "it", MaxBody: 1, Timeout: "1s"}}})
	if err != nil {
		t.Fatal(err)
	}
	_, server, found := strings.Cut(text, "server_name it.example;")
	if !found {
		t.Fatal("there is no such host")
	}
	for part, want := range map[string]bool{"location / {": true, "location = /-/rotation {": true, "proxy_pass http://$to_it;": true, "location = /health": false, "/metrics": false,
		"/static/": false, "/grafana": false, "http://$target": false} {
		if got := strings.Contains(server, part); got != want {
			t.Errorf("%q: %v, want %v", part, got, want)
		}
	}
	if strings.Count(text, "location = /health {") != 1 || strings.Count(text, "default_server") != 1 {
		t.Error("the other hosts have lost something")
	}
}

// A name is a DNS label, and a variable's has no hyphens.
func TestNamesOfAWay(t *testing.T) {
	text, err := Render(Config{BackendPort: 8000, Services: []Service{{Name: "a-b", Port: 80, Replicas: Replicas{Hosts: []string{"h"}, Any: "a-b"}}},
		Routes: []Route{{Name: "c-d", Path: "/a.b", Service: "a-b", Strip: true, MaxBody: 1, Timeout: "1s", Rate: 5, Allow: []string{"10.0.0.0/8"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"upstream a-b {", "zone service_a-b 256k;", "server h:80 resolve max_fails=1", "server a-b:80 resolve backup weight=100", "map $candidate $to_a_b {", `default "$candidate:80";`,
		`"~^/a\\.b(?<below_c_d>/.*)$" $below_c_d;`, `"~^/a\\.b(?<query_c_d>\\?.*)?$" /$query_c_d;`, `location ~ ^/a\\.b(/|$) {`, "location @kept_c_d {", "proxy_pass http://$to_a_b$passed_c_d;",
		"limit_req_zone $client zone=route_c_d:2m rate=5r/s;", "limit_req zone=route_c_d;", "limit_req_status 429;", "allow 10.0.0.0/8;\n            deny all;", "1 again$way;"} {
		if !strings.Contains(text, strings.ReplaceAll(want, `\\`, `\`)) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "<no value>") {
		t.Error("something is missing")
	}
}
