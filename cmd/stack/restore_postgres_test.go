package main

import (
	"slices"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// The one-off that has the volumes runs the server's programs, as who the server lets in by its socket;
// the one that has what opens the target has neither.
func TestStackOfAPostgres(t *testing.T) {
	cfg := config.Defaults()
	cfg.Backup.Enabled, cfg.Database.Kind, cfg.Secrets = true, config.Postgres, map[string]string{}
	s, err := stackOf(cfg, "prod", "tarot-prod", "key")
	if err != nil {
		t.Fatal(err)
	}
	server := s.Request.Server
	if server == nil || server.Database != "app" || server.Owner != "app" || server.Volume != "postgres-dump" || server.UID != 999 || server.Socket != "/var/run/postgresql" || s.Request.Database != nil {
		t.Fatalf("%+v", server)
	}
	for _, v := range s.Request.Volumes {
		if v.Name == server.Volume {
			t.Error("an older copy takes the place of the newest")
		}
	}
	socket := func(m engine.OnceMount) bool { return m.Source == "tarot-prod-postgres-socket" }
	if s.Work.Image != cfg.Database.ServerImage() || !slices.ContainsFunc(s.Work.Mounts, socket) || !slices.Contains(s.Work.Capabilities, "SETUID") {
		t.Errorf("%+v", s.Work)
	}
	if s.Fetch.Image != cfg.Backup.FilesImage || slices.ContainsFunc(s.Fetch.Mounts, socket) || slices.Contains(s.Fetch.Capabilities, "SETUID") {
		t.Errorf("%+v", s.Fetch)
	}
	for name, once := range map[string]engine.Once{"fetch": s.Fetch, "work": s.Work} {
		if !slices.ContainsFunc(once.Mounts, func(m engine.OnceMount) bool {
			return m.Source == "tarot-prod-postgres-dump" && m.Target == "/volumes/postgres-dump"
		}) {
			t.Errorf("%s: %+v", name, once.Mounts)
		}
	}
	archive := func(m engine.OnceMount) bool { return m.Source == "tarot-prod-postgres-archive" && m.ReadOnly }
	data := func(m engine.OnceMount) bool {
		return m.Source == "tarot-prod-postgres" && m.Target == "/volumes/postgres"
	}
	if !slices.ContainsFunc(s.Recover.Mounts, archive) || !slices.ContainsFunc(s.Recover.Mounts, data) || !slices.ContainsFunc(s.Recover.Mounts, socket) || !slices.Contains(s.Recover.Capabilities, "KILL") || s.Recover.Network != "" {
		t.Errorf("%+v", s.Recover)
	}
	if string(s.Recover.Files["/run/restore/secrets/backup_key"]) != "key" || !slices.ContainsFunc(s.Work.Mounts, data) || slices.ContainsFunc(s.Work.Mounts, archive) || len(s.Work.Files) != 0 {
		t.Errorf("%+v", s.Work)
	}
	if !slices.Contains(s.Clients, config.BackendName) || slices.Contains(s.Clients, "backup-rehearsal") || slices.Contains(s.Clients, "postgres") {
		t.Errorf("%q have the database", s.Clients)
	}
	// A pooler keeps connections, and with them the database that is to be renamed.
	cfg.Database.Pooler.Enabled = true
	if s, err = stackOf(cfg, "prod", "tarot-prod", "key"); err != nil || !slices.Contains(s.Clients, "postgres-pooler") || slices.Contains(s.Clients, "postgres") || !s.Serves("postgres-pooler") ||
		s.Order("postgres-pooler") <= s.Order(config.BackendName) {
		t.Errorf("%v: %q have the database", err, s.Clients)
	}
}
