package main

import (
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

func TestTheOnlyBackupsAreNotDestroyed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"they would go":        {func(*config.Config) {}, "tarot-x-backup"},
		"volumes stay":         {func(c *config.Config) { c.Volumes.Retain = true }, ""},
		"they are elsewhere":   {func(c *config.Config) { c.Backup.Target = "s3://bucket/path" }, ""},
		"there are no backups": {func(c *config.Config) { c.Backup.Enabled = false }, ""},
	} {
		cfg := config.Defaults()
		cfg.Backup.Enabled, cfg.Volumes.Retain = true, false
		c.change(&cfg)
		if err := keepsBackups(cfg, "tarot-x"); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
