package main

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// upgradable is a stack that can be upgraded.
func upgradable() (config.Config, config.Application) {
	cfg, app := movable()
	cfg.Database.Kind, cfg.Database.Version = config.Postgres, 17
	return cfg, app
}

func TestWhatCanNotBeUpgraded(t *testing.T) {
	t.Chdir("../..")
	for want, change := range map[string]func(*config.Config, *upgradeOptions){
		"": func(*config.Config, *upgradeOptions) {},
		"tarot:database.kind is sqlite; allowed, for an upgrade: postgres": func(cfg *config.Config, _ *upgradeOptions) { cfg.Database.Kind = config.SQLite },
		"make forward first": func(cfg *config.Config, _ *upgradeOptions) { cfg.Releases.Pin = "r1" },
		"tarot:database.image is own:17, an image of your own; allowed, for an upgrade: IMAGE=…, the same of PostgreSQL 18": func(cfg *config.Config, _ *upgradeOptions) { cfg.Database.Image = "own:17" },
		"tarot:database.image: \"a b\" is not allowed": func(_ *config.Config, o *upgradeOptions) { o.image = "a b" },
	} {
		cfg, _ := upgradable()
		o := upgradeOptions{}
		change(&cfg, &o)
		if err := checkUpgrade(cfg, o, false); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := (upgradeOptions{goOn: true, forget: true}).check(); err == nil {
		t.Error("it goes on and forgets")
	}
}

func TestWhatIsUpgraded(t *testing.T) {
	t.Chdir("../..")
	cfg, app := upgradable()
	cfg.Database.Settings = map[string]string{"work_mem": "7MB"}
	u, err := upgradeOf(cfg, app, "prod", "tarot-prod", "tarot", "")
	if err != nil {
		t.Fatal(err)
	}
	if u.To != 18 || u.Image != config.DatabaseVersions[18] || u.Own != "" || u.Socket != "tarot-prod-postgres-socket" || u.Stack.Volume != "tarot-prod-postgres" {
		t.Errorf("%+v", u)
	}
	// The new server's settings, which it is asked about.
	if !strings.Contains(u.Settings, "work_mem = '7MB'") || !strings.Contains(u.Settings, "io_method") {
		t.Errorf("%s", u.Settings)
	}
	if !slices.Equal(u.Stack.Clients, []string{"backend"}) || u.Stack.Nginx != "nginx" || len(u.Stack.Open) == 0 {
		t.Errorf("%+v", u.Stack)
	}
	for version, want := range map[int]string{17: "postgresql-17", 18: "postgresql-18"} {
		if !slices.ContainsFunc(u.On(version), func(use engine.Use) bool { return use.Database == want }) {
			t.Errorf("%d: %v", version, u.On(version))
		}
	}
	if u, err = upgradeOf(cfg, app, "prod", "tarot-prod", "tarot", "own:18"); err != nil || u.Image != "own:18" || u.Own != "own:18" {
		t.Errorf("%v, %+v", err, u)
	}
}
