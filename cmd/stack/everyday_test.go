package main

import (
	"bytes"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/status"
)

func TestScaled(t *testing.T) {
	cfg := config.Defaults()
	cfg.Services = map[string]config.Service{"worker": {Replicas: 1}}
	for _, test := range []struct{ service, replicas, path, says string }{
		{"backend", "0", "", `REPLICAS is "0"; allowed: 1 and more`},
		{"backend", "many", "", `REPLICAS is "many"`},
		{"nginx", "2", "", `SERVICE is "nginx"; allowed: backend, worker`},
	} {
		if path, err := scaled(cfg, test.service, test.replicas); path != test.path || err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %q, %v", test, path, err)
		}
	}
	if path, err := scaled(config.Defaults(), "backend", "3"); path != "tarot:backend.replicas" || err != nil {
		t.Errorf("%q, %v", path, err)
	}
	pinned := config.Defaults()
	pinned.Releases.Pin = "r1"
	if _, err := scaled(pinned, "backend", "3"); err == nil || !strings.Contains(err.Error(), "stack forward first") {
		t.Error(err)
	}
}

func TestTop(t *testing.T) {
	var out bytes.Buffer
	writeTop(&out, "prod", []engine.Replica{
		{ID: "1", Name: "nginx-1", State: "healthy", CPU: 0.01, Memory: 6 << 20, Limit: 128 << 20, Node: "vm"},
		{ID: "2", Name: "backend-1", State: "healthy", CPU: 0.5, Memory: 256 << 20, Limit: 512 << 20, Node: "vm"},
		{Name: "backend.2", State: "healthy", Node: "other"},
	})
	for _, want := range []string{"prod: 3 replicas, 0.51 cores, 262M\n", "REPLICA", "backend-1  healthy  0.50  256M    50 %  vm", "backend.2  healthy  -"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Index(out.String(), "backend-1") > strings.Index(out.String(), "nginx-1") {
		t.Errorf("what uses less comes first:\n%s", out.String())
	}
}

func TestAddresses(t *testing.T) {
	out := status.Outputs{URL: "https://shop", AdminURL: "https://shop/admin"}
	if got, err := addressOf(out, "admin"); got != "https://shop/admin" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := addressOf(out, "grafana"); err == nil || !strings.Contains(err.Error(), "it has: site, admin") {
		t.Error(err)
	}
}
