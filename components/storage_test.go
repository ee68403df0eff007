package components

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/state"
)

func TestVolumesHaveTheNamesOfTheConfigurationAndOutliveTheStack(t *testing.T) {
	forEveryStack(t, func(t *testing.T, cfg config.Config, r *run) {
		for kind, name := range map[string]string{"data": cfg.Volumes.Data, "static": cfg.Volumes.Static, "logs": cfg.Volumes.Logs} {
			if name == "" {
				continue
			}
			v := r.get(t, "Volume", "storage-"+kind)
			if v.at("name") != name || v.at("driver") != cfg.Volumes.Driver {
				t.Errorf("%s: %v", kind, v.In)
			}
			// One that Compose has made has labels: to take them away would be a replacement.
			if !v.RPC.GetRetainOnDelete() || !slices.Equal(v.RPC.GetIgnoreChanges(), []string{"labels", "driverOpts"}) {
				t.Errorf("%s: retained %v, ignores %v", kind, v.RPC.GetRetainOnDelete(), v.RPC.GetIgnoreChanges())
			}
			if v.at("labels") != nil {
				t.Errorf("%s: a volume that is there already differs by %v", kind, v.at("labels"))
			}
		}
		for _, v := range r.find("Volume") {
			if strings.Contains(v.Name, "-files-") && v.RPC.GetRetainOnDelete() {
				t.Errorf("%s stays behind", v.Name)
			}
		}
	})
}

func TestVolumesThatAreNotRetainedCanNotBeRenamedAway(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod", func(c *config.Config) { c.Volumes.Retain = false })
	rec := &recorder{renamed: "the_old_name"}
	r := deploy(cfg, rec, &fakeEngine{})
	if r.err != nil {
		t.Fatal(r.err)
	}
	for _, v := range r.find("Volume") {
		if !strings.HasPrefix(v.Name, "storage-") {
			continue
		}
		if v.RPC.GetRetainOnDelete() || !slices.Equal(v.RPC.GetIgnoreChanges(), []string{"labels", "driverOpts", "name", "driver"}) {
			t.Errorf("%s: retained %v, ignores %v", v.Name, v.RPC.GetRetainOnDelete(), v.RPC.GetIgnoreChanges())
		}
	}
	for _, name := range []string{"tarot_db_data", "tarot_static_data", "tarot_logs"} {
		if !slices.ContainsFunc(r.warnings.texts, func(s string) bool {
			return strings.Contains(s, "the_old_name keeps its name") && strings.Contains(s, name)
		}) {
			t.Errorf("no warning about %s: %q", name, r.warnings.texts)
		}
	}
	// What is mounted is what is there.
	for _, m := range r.get(t, "Service", "tarot-test-backend").list("taskSpec", "containerSpec", "mounts") {
		if at(m, "type") == "volume" && at(m, "source") != "the_old_name" {
			t.Errorf("mounts %v", m)
		}
	}
	if quiet := succeed(t, cfg, up); len(quiet.warnings.texts) > 0 {
		t.Errorf("warnings without a cause: %q", quiet.warnings.texts)
	}
}

// What the state says counts when Pulumi replaces or deletes, not what the program
// says by then: retain may become true in the `up` that would remove the volume.
func TestAVolumeLeavesTheStackOnlyOnceTheStateRetainsIt(t *testing.T) {
	inProject(t)
	state := func(retained bool) map[string]state.Volume {
		all := map[string]state.Volume{}
		for name, volume := range map[string]string{"storage-data": "d", "storage-static": "s", "storage-logs": "l", "monitoring-prometheus": "p", "monitoring-grafana": "g"} {
			all[name] = state.Volume{Name: volume, Driver: "local", Retained: retained}
		}
		return all
	}
	without := func(c *config.Config) {
		c.Volumes.Static, c.Volumes.Logs, c.Monitoring.Enabled, c.Monitoring.Grafana.Enabled = "", "", true, false
	}
	unwatched := func(c *config.Config) { without(c); c.Monitoring.Enabled = false }
	for name, test := range map[string]struct {
		change   func(*config.Config)
		retained bool
		kept     []string
		says     string
	}{
		"retained":                       {unwatched, true, nil, ""},
		"retained from now on":           {without, false, []string{"logs", "static", "grafana"}, "run `pulumi up` once more"},
		"retained from now on, no watch": {unwatched, false, []string{"logs", "static", "grafana", "prometheus"}, "run `pulumi up` once more"},
		"not retained": {func(c *config.Config) { unwatched(c); c.Volumes.Retain = false }, false, []string{"logs", "static", "grafana", "prometheus"},
			"Set tarot:volumes.retain to true and run `pulumi up` twice"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := stack(t, "prod", test.change)
			r := deploy(cfg, &recorder{before: state(test.retained)}, &fakeEngine{})
			if r.err != nil {
				t.Fatal(r.err)
			}
			data := r.get(t, "Volume", "storage-data")
			if free := !slices.Contains(data.RPC.GetIgnoreChanges(), "name"); free != test.retained || data.RPC.GetRetainOnDelete() != cfg.Volumes.Retain {
				t.Errorf("data: ignores %v, retained %v", data.RPC.GetIgnoreChanges(), data.RPC.GetRetainOnDelete())
			}
			for kind, volume := range map[string]string{"storage-static": "s", "storage-logs": "l", "monitoring-grafana": "g", "monitoring-prometheus": "p"} {
				_, short, _ := strings.Cut(kind, "-")
				if kind == "monitoring-prometheus" && cfg.Monitoring.Enabled {
					continue
				}
				want := slices.Contains(test.kept, short)
				if r.has("Volume "+kind) != want {
					t.Errorf("%s is declared: %v", kind, !want)
				}
				if !want {
					continue
				}
				v := r.get(t, "Volume", kind)
				if v.at("name") != volume || !slices.Equal(v.RPC.GetIgnoreChanges(), []string{"labels", "driverOpts", "name", "driver"}) || v.RPC.GetRetainOnDelete() != cfg.Volumes.Retain {
					t.Errorf("%s: %v, ignores %v", kind, v.In, v.RPC.GetIgnoreChanges())
				}
				if !slices.ContainsFunc(r.warnings.texts, func(s string) bool {
					return strings.HasPrefix(s, "volume "+volume+" stays with the stack") && strings.Contains(s, test.says)
				}) {
					t.Errorf("no word of %s: %q", kind, r.warnings.texts)
				}
			}
			for _, m := range r.get(t, "Service", "tarot-test-backend").list("taskSpec", "containerSpec", "mounts") {
				if at(m, "source") == "s" || at(m, "source") == "l" {
					t.Errorf("it is still mounted: %v", m)
				}
			}
		})
	}
}

func TestAStackWithoutAStaticVolumePublishesNoStaticFiles(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", func(c *config.Config) { c.Volumes.Static, c.Volumes.Logs = "", "" }), up)
	for _, unwanted := range []string{"Container tarot-test-publish-static", "Container tarot-test-activate-static", "Volume storage-static", "Volume storage-logs"} {
		if r.has(unwanted) {
			t.Errorf("there is %s", unwanted)
		}
	}
	if got := r.outputs["volumes"].Value; len(got.(map[string]any)) != 1 {
		t.Errorf("volumes: %v", got)
	}
}
