package components

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
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
			if !v.RPC.GetRetainOnDelete() || len(v.RPC.GetIgnoreChanges()) > 0 {
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
		if v.RPC.GetRetainOnDelete() || !slices.Equal(v.RPC.GetIgnoreChanges(), []string{"name", "driver"}) {
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
