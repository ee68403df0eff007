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

// A stack for a time is small, and keeps nothing; what it is made of stays as it is, and is refused where
// it leads to the other one's data.
func TestAStackForATime(t *testing.T) {
	text, cfg := file(t, "prod")
	made, _, _, err := Make(text, cfg, Args{Project: "tarot", Stack: "pr-7", Temporary: true}, &Taken{})
	if err != nil {
		t.Fatal(err)
	}
	if now := read(t, made); now.Volumes.Retain || now.Backup.Enabled || now.Monitoring.Enabled || now.Backend.Replicas != 1 {
		t.Errorf("retain %v, backup %v, monitoring %v, %d replicas", now.Volumes.Retain, now.Backup.Enabled, now.Monitoring.Enabled, now.Backend.Replicas)
	}
	cfg.Backend.Environment = map[string]string{"STORE": "redis://cache.internal:6379"}
	if _, _, _, err := Make(text, cfg, Args{Project: "tarot", Stack: "pr-7"}, &Taken{}); err == nil || !strings.Contains(err.Error(), "tarot:backend.environment.STORE is redis://cache.internal:6379") {
		t.Error(err)
	}
	if _, _, _, err := Make(text, cfg, Args{Project: "tarot", Stack: "pr-7", ShareData: true}, &Taken{}); err != nil {
		t.Error(err)
	}
}
