package valkey

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// kept is a queue that is backed up.
func kept(change func(*config.Config)) part.Context {
	c := with("queue")
	c.Backup.Enabled, c.Helper = true, part.Built{Reference: "tarot-backup:0123"}
	change(&c.Config)
	return c
}

func TestAQueueIsCopied(t *testing.T) {
	c := kept(func(*config.Config) {})
	s := spec(t, Copy{}, c)
	job := s.Services[0]
	for _, want := range []string{"--name=valkey-copy", "--cron=" + config.QueueCopyCron, "/run/scheduler/backup-0123 copy-valkey", "--server=valkey:6379", "--user=backup", "--password=/run/secrets/backup", "--to=/copy"} {
		if words := strings.Join(job.Command, " "); !strings.Contains(words, want) {
			t.Errorf("%q has no %q", words, want)
		}
	}
	// It has its own account's word, and neither the server's files nor a way out.
	if job.User != user || len(job.Secrets) != 1 || job.Secrets[0].Secret != backupPassword || !slices.Equal(job.Networks, []string{part.Inner}) || !slices.Contains(job.After, backup.Publisher) {
		t.Errorf("%+v", job)
	}
	if slices.ContainsFunc(job.Mounts, func(m part.Mount) bool { return m.Source == name }) {
		t.Errorf("%+v", job.Mounts)
	}
	if v := s.Volume(backup.QueueVolume); !v.Data || !v.Backup || v.Owner != user || v.Unused != "" {
		t.Errorf("%+v", v)
	}
	if v := spec(t, Server{}, c).Volume(name); v.Backup {
		t.Error("files are backed up that a server writes to")
	}
	room := spec(t, Rehearsal{}, c).Services[0]
	if !room.Isolated || len(room.Networks)+len(room.Secrets) > 0 || room.Limits.Memory < int64(c.Cache.Memory) {
		t.Errorf("%+v", room)
	}
	for _, of := range []part.Service{job, room, s.Jobs[0].Service} {
		if !slices.ContainsFunc(of.Mounts, func(m part.Mount) bool { return m.Target == dataFolder }) {
			t.Errorf("an engine makes a volume of its own for %s", of.Name)
		}
	}
	v := Restored(c)
	if v == nil || v.Name != backup.QueueVolume || v.Engine != "tarot-test-valkey" || v.Queue != "appendonlydir" {
		t.Errorf("%+v", v)
	}
}

// Whoever copies has an account that can ask for no key, and only where somebody copies.
func TestTheAccountOfTheCopies(t *testing.T) {
	has := func(c part.Context) bool {
		s := spec(t, Users{}, c)
		secret := slices.ContainsFunc(s.Secrets, func(s part.Secret) bool { return s.Name == backupPassword })
		for _, job := range s.Jobs {
			if told := slices.ContainsFunc(job.Secrets, func(f part.SecretFile) bool { return f.Secret == backupPassword }); told != secret {
				t.Errorf("%s is told: %v, and there is one: %v", job.Name, told, secret)
			}
		}
		return secret
	}
	for name, test := range map[string]struct {
		change func(*config.Config)
		is     bool
	}{
		"a queue":              {func(*config.Config) {}, true},
		"a cache":              {func(c *config.Config) { c.Cache.Profile = "cache" }, false},
		"nothing is backed up": {func(c *config.Config) { c.Backup.Enabled = false }, false},
	} {
		c := kept(test.change)
		if has(c) != test.is {
			t.Errorf("%s has an account: %v", name, !test.is)
		}
		s := spec(t, Copy{}, c)
		if v := s.Volume(backup.QueueVolume); (len(s.Services)+len(s.Jobs) > 0) != test.is || s.Follows != test.is || !v.Data || (v.Unused == "") != test.is {
			t.Errorf("%s: %+v", name, s)
		}
		if (Restored(c) != nil) != test.is {
			t.Errorf("%s is restored: %v", name, !test.is)
		}
		if len(spec(t, Rehearsal{}, c).Services) > 0 != test.is {
			t.Errorf("%s has a room: %v", name, !test.is)
		}
	}
}
