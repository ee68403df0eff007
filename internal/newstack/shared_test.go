package newstack

import (
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

func TestWhatLeadsToTheOthersData(t *testing.T) {
	for text, shared := range map[string]bool{
		"postgresql+psycopg://app:word@db.internal:5432/shop": true, "mysql://db/shop": true, "redis://cache.internal:6379/0": true,
		"sqlite:///./data/prod.db": false, "https://shop.example.com": false, "redis://queue:6379": false, "postgres://postgres:5432/x": false, "": false,
	} {
		cfg := config.Config{Services: map[string]config.Service{"queue": {}}}
		cfg.Backend.Environment = map[string]string{"STORE": text}
		found := Shared(cfg)
		if (len(found) > 0) != shared {
			t.Errorf("%s: %+v", text, found)
		}
		if len(found) > 0 && strings.Contains(found[0].Text, "word") {
			t.Errorf("the password is told: %s", found[0].Text)
		}
	}
	cfg := config.Config{}
	cfg.Backup.Enabled, cfg.Backup.Target = true, "s3://backups/prod"
	if found := Shared(cfg); len(found) != 1 || found[0].Key != "backup.target" {
		t.Errorf("%+v", found)
	}
}
