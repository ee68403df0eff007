package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore"
	"tarot-platform/internal/restore/task"
)

// What snapshots have of a queue goes to the server's own volume, when whoever uses it is stopped.
func TestStackWithAQueue(t *testing.T) {
	cfg := config.Defaults()
	cfg.Backup.Enabled, cfg.Cache.Enabled, cfg.Cache.Profile, cfg.Secrets = true, true, "queue", map[string]string{}
	s, err := stackOf(cfg, "prod", "tarot-prod", "key")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(s.Request.Volumes, func(v task.Volume) bool { return v.Queue != "" })
	if at < 0 || s.Request.Volumes[at].Name != "valkey-copy" || s.Request.Volumes[at].Engine != "tarot-prod-valkey" {
		t.Fatalf("%+v", s.Request.Volumes)
	}
	mounted := func(m engine.OnceMount) bool {
		return m.Source == "tarot-prod-valkey" && m.Target == "/volumes/valkey-copy"
	}
	copies := func(m engine.OnceMount) bool { return m.Source == "tarot-prod-valkey-copy" }
	for name, once := range map[string]engine.Once{"fetch": s.Fetch, "work": s.Work} {
		if !slices.ContainsFunc(once.Mounts, mounted) || slices.ContainsFunc(once.Mounts, copies) {
			t.Errorf("%s: %+v", name, once.Mounts)
		}
	}
	if !slices.Contains(s.QueueClients, config.BackendName) || slices.Contains(s.QueueClients, "valkey") {
		t.Errorf("%q use the queue", s.QueueClients)
	}
	cfg.Cache.Profile = "cache"
	if s, err = stackOf(cfg, "prod", "tarot-prod", "key"); err != nil || len(s.QueueClients) > 0 || slices.ContainsFunc(s.Request.Volumes, func(v task.Volume) bool { return v.Queue != "" }) {
		t.Errorf("a cache is restored: %v, %+v", err, s.Request.Volumes)
	}
}

func TestWhatIsShownOfAQueue(t *testing.T) {
	said := strings.Join(shown(restore.Shown{Want: journal.Want{Only: journal.Queue}, Found: task.Found{Snapshot: "5eed", Queue: &task.FoundQueue{Moment: time.Unix(0, 0), Keys: 3}}}), "\n")
	if !strings.Contains(said, "queue: as it was 1970-01-01T00:00:00Z (3 keys)") || !strings.Contains(said, "done again") || strings.Contains(said, "files") {
		t.Error(said)
	}
}
