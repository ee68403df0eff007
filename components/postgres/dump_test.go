package postgres

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

func TestTheDatabaseIsCopiedEveryNight(t *testing.T) {
	for version := range config.DatabaseVersions {
		c := with(func(c *config.Config) { c.Database.Version = version })
		c.Helper = part.Built{Reference: "tarot-backup:0123"}
		s := spec(t, Dump{}, c)
		job := s.Services[0]
		words := strings.Join(job.Command, " ")
		for _, want := range []string{"--name=postgres-dump", "--cron=0 2 * * * --zone=UTC", "/run/scheduler/backup-0123 dump-postgres", "--socket=/var/run/postgresql", "--database=app"} {
			if !strings.Contains(words, want) {
				t.Errorf("%q has no %q", words, want)
			}
		}
		if job.User != user || len(job.Secrets) > 0 || !slices.Contains(job.After, backup.Publisher) {
			t.Errorf("%+v", job)
		}
		if v := s.Volume(backup.DumpVolume); !v.Data || !v.Backup || v.Owner != user || v.Unused != "" {
			t.Errorf("%+v", v)
		}
		declared := map[int]string{17: "/var/lib/postgresql/data", 18: "/var/lib/postgresql"}[version]
		for _, mounts := range [][]part.Mount{job.Mounts, s.Jobs[0].Mounts} {
			if !slices.ContainsFunc(mounts, func(m part.Mount) bool { return m.Target == declared }) {
				t.Errorf("an engine makes a volume of its own: %+v", mounts)
			}
		}
	}
}

func TestTheCopyStaysWhereNoneIsMade(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"the database is in a file": func(c *config.Config) { c.Database.Kind = config.SQLite },
		"nothing is backed up":      func(c *config.Config) { c.Backup.Enabled = false },
	} {
		s := spec(t, Dump{}, with(change))
		if v := s.Volume(backup.DumpVolume); len(s.Services)+len(s.Jobs) > 0 || s.Follows || !v.Data || v.Unused == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
