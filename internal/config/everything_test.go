package config

import "testing"

func TestEverythingIsOn(t *testing.T) {
	cfg := Everything()
	if !cfg.Nginx.Enabled || !cfg.Monitoring.Enabled || !cfg.Monitoring.Grafana.Enabled {
		t.Errorf("%+v", cfg)
	}
	if cfg.Maintenance || cfg.Backend.Debug {
		t.Error("what is no part of the platform is on, too")
	}
	if Defaults().Monitoring.Enabled {
		t.Error("it is on by default as well")
	}
}
