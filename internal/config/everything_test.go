package config

import "testing"

func TestEverythingIsOn(t *testing.T) {
	cfg := Everything()
	if !cfg.Nginx.Enabled || !cfg.Monitoring.Enabled || !cfg.Monitoring.Grafana.Enabled {
		t.Errorf("%+v", cfg)
	}
	if len(cfg.Services) != 1 || cfg.Services["example"].Replicas != 1 {
		t.Errorf("of what there may be several there is %+v", cfg.Services)
	}
	if cfg.Maintenance || cfg.Backend.Debug {
		t.Error("what is no part of the platform is on, too")
	}
	if Defaults().Monitoring.Enabled {
		t.Error("it is on by default as well")
	}
}
