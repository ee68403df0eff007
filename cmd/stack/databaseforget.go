package main

import (
	"context"
	"fmt"
	"time"

	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/database"
)

// forgetMoved removes what moves have left as it was: it is no backup, and grows no newer.
func (d deployed) forgetMoved(ctx context.Context, o moveOptions, out console.Console) error {
	cfg, err := d.settings(ctx)
	if err != nil {
		return err
	}
	if err := checkForget(cfg); err != nil {
		return err
	}
	app, err := cfg.ReadApplication()
	if err != nil {
		return err
	}
	project, err := project()
	if err != nil {
		return err
	}
	s, err := moveStack(cfg, app, d.name, d.prefix, project)
	if err != nil {
		return err
	}
	m := &database.Move{Engine: d.docker, Stack: s, Now: time.Now, Tell: func(text string) { out.Step("%s", text) }}
	kept, err := m.Kept(ctx, cfg.HasPostgres(), config.PostgresVolume(d.prefix))
	if err != nil {
		return err
	}
	if kept.None() {
		out.OK("nothing of an earlier move is kept")
		return nil
	}
	for _, line := range kept.Lines(s) {
		out.Note("%s", line)
	}
	if err := asked(o.yes, out, "Remove it for good?"); err != nil {
		return err
	}
	if err := m.Forget(ctx, kept); err != nil {
		return err
	}
	out.OK("what moves have left is gone")
	return nil
}

// checkForget says why there is nothing to look for.
func checkForget(cfg config.Config) error {
	if kind := cfg.Database.Kind; kind != config.SQLite && kind != config.Postgres {
		return fmt.Errorf("%s:database.kind is %s, which no move leads to; allowed: %s, %s", config.Namespace, kind, config.SQLite, config.Postgres)
	}
	cfg.Database.Kind, cfg.Database.Next = config.SQLite, ""
	if cfg.DatabaseFile() == "" {
		return fmt.Errorf("the application's database was in no file of SQLite, as %s:backend.databaseUrl, or the secret %[1]s:%s, says: no move has left anything", config.Namespace, config.DatabaseURLSecret)
	}
	return nil
}
