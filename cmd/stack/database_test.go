package main

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// movable is a stack that can be moved, and its application.
func movable() (config.Config, config.Application) {
	cfg := config.Defaults()
	cfg.Backend.DatabaseURL = "sqlite:///./data/prod.db"
	cfg.Backend.Migrate = []string{"migrate"}
	return cfg, config.Application{Name: "tarot", Databases: []string{"sqlite", "postgresql"}, CopyDatabase: []string{"copy"}}
}

func TestWhatCanNotBeMoved(t *testing.T) {
	t.Chdir("../..")
	for want, change := range map[string]func(*config.Config, *config.Application){
		"":                                func(*config.Config, *config.Application) {},
		"deploy.yaml has no copyDatabase": func(_ *config.Config, app *config.Application) { app.CopyDatabase = nil },
		"deploy.yaml has no databases":    func(_ *config.Config, app *config.Application) { app.Databases = nil },
		"databases: [sqlite]":             func(_ *config.Config, app *config.Application) { app.Databases = []string{"sqlite"} },
		"tarot:database.kind is postgres already": func(cfg *config.Config, _ *config.Application) { cfg.Database.Kind = config.Postgres },
		"is in no file of SQLite":                 func(cfg *config.Config, _ *config.Application) { cfg.Backend.DatabaseURL = "" },
		"there is no migrate":                     func(cfg *config.Config, _ *config.Application) { cfg.Backend.Migrate = nil },
		"make forward first":                      func(cfg *config.Config, _ *config.Application) { cfg.Releases.Pin = "r1" },
		"tarot:database.connections: \"20\" is not allowed; allowed: at least": func(cfg *config.Config, _ *config.Application) { cfg.Database.Connections = 20 },
	} {
		cfg, app := movable()
		change(&cfg, &app)
		err := checkMove(cfg, app, engine.MoveToPostgres, false)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	cfg, app := movable()
	if err := checkMove(cfg, app, engine.MoveToSQLite, false); err == nil || !strings.Contains(err.Error(), "kind is sqlite already") {
		t.Errorf("back: %v", err)
	}
	cfg.Database.Kind = config.Postgres
	if err := checkMove(cfg, app, engine.MoveToSQLite, false); err != nil {
		t.Errorf("back: %v", err)
	}
}

func TestWhoseDatabaseIsMoved(t *testing.T) {
	t.Chdir("../..")
	cfg, app := movable()
	s, err := moveStack(cfg, app, "prod", "tarot-prod", "tarot")
	if err != nil {
		t.Fatal(err)
	}
	if s.File != "/app/data/prod.db" || s.Folder != "/app/data" || s.Volume != cfg.Volumes.Data || s.Dialect != "sqlite" || !slices.Equal(s.Variables, []string{"DATABASE_URL"}) {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(s.Clients, []string{"backend"}) || s.Server.Mounts[0].Source != "tarot-prod-postgres-socket" {
		t.Errorf("%v, %v", s.Clients, s.Server)
	}
	has := func(all []engine.Use, database string) bool {
		return slices.ContainsFunc(all, func(u engine.Use) bool { return u.Database == database })
	}
	if !has(s.OnSQLite, "/app/data/prod.db") || has(s.OnSQLite, "postgresql-18") || !has(s.OnPostgres, "postgresql-18") || has(s.OnPostgres, "/app/data/prod.db") {
		t.Errorf("%v, %v", s.OnSQLite, s.OnPostgres)
	}
}

func TestWhatOneCallDoes(t *testing.T) {
	for want, o := range map[string]moveOptions{
		"TO is \"\"":             {},
		"TO is \"external\"":     {to: "external"},
		"one of --continue, --b": {goOn: true, goBack: true},
		"one of --continue":      {forget: true, goBack: true, to: config.Postgres},
		"one of ":                {forget: true, goOn: true},
	} {
		if err := o.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []moveOptions{{to: config.Postgres}, {to: config.SQLite, yes: true}, {goOn: true}, {goBack: true}, {forget: true}} {
		if err := o.check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestWhereNoMoveHasLeftAnything(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"":                        func(*config.Config) {},
		"database.kind is extern": func(cfg *config.Config) { cfg.Database.Kind = config.External },
		"was in no file":          func(cfg *config.Config) { cfg.Backend.DatabaseURL = "" },
	} {
		for _, kind := range []string{config.SQLite, config.Postgres} {
			cfg, _ := movable()
			cfg.Database.Kind = kind
			change(&cfg)
			if err := checkForget(cfg); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", kind, err, want)
			}
		}
	}
}
