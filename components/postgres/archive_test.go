package postgres

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

func archives(target string) part.Context {
	return with(func(c *config.Config) {
		c.Backup.Enabled, c.Backup.Target, c.Backup.AccessKey, c.Backup.HostKey = true, target, "AK", "ssh-ed25519 AAAA"
		c.Secrets = map[string]string{"backupSshKey": "a key", "backupSecret": "a secret"}
	})
}

// Where the target is, the server and the job beside it find the archive alike, and nobody finds what opens it in a file that
// anybody reads.
func TestWhereTheArchiveIs(t *testing.T) {
	for text, want := range map[string]struct {
		mount   string
		secrets []string
		remote  bool
		warns   bool
	}{
		"":                         {ArchiveVolume, []string{"backupKey"}, false, false},
		"/srv/b":                   {"/srv/b", []string{"backupKey"}, false, false},
		"s3://bucket/p":            {"", []string{"backupKey", "backupSecret"}, true, false},
		"sftp://u@host/b":          {"", []string{"backupKey", "backupSshKey"}, true, false},
		"webdavs://dav.example/b":  {ArchiveVolume, []string{"backupKey"}, false, true},
		"s3://b?endpoint=http://m": {ArchiveVolume, []string{"backupKey"}, false, true},
	} {
		c := archives(text)
		s := spec(t, Server{}, c)
		job := spec(t, Archive{}, c)
		for _, one := range []part.Service{s.Services[0], job.Services[0], job.Jobs[0].Service} {
			var secrets []string
			for _, file := range one.Secrets {
				secrets = append(secrets, file.Secret)
			}
			if !slices.Equal(secrets, want.secrets) {
				t.Errorf("%s: %s has %q", text, one.Name, secrets)
			}
			mount := ""
			for _, m := range one.Mounts {
				if m.Target == target.Mount {
					mount = m.Source
				}
			}
			if mount != want.mount || slices.Contains(one.Networks, part.Edge) != want.remote || !slices.Contains(one.Networks, part.Inner) {
				t.Errorf("%s: %s: %q, %q", text, one.Name, mount, one.Networks)
			}
			i := slices.IndexFunc(one.Files, func(f part.File) bool { return f.Name == "pgbackrest.conf" })
			if i < 0 {
				t.Fatalf("%s: %s has no settings", text, one.Name)
			}
			if settings := ArchiveSettings(c, ArchivePlace(c), dataFolder); strings.Contains(settings, "a secret") || strings.Contains(settings, "cipher-pass") {
				t.Errorf("%s: it opens by what anybody reads", text)
			}
		}
		if warned := slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "tarot-test-postgres-archive") }); warned != want.warns {
			t.Errorf("%s: %q", text, s.Warnings)
		}
		owned := slices.ContainsFunc(s.Jobs, func(j part.Job) bool { return j.Name == archiveOwner })
		i := slices.IndexFunc(s.Volumes, func(v part.Volume) bool { return v.Name == ArchiveVolume })
		if i < 0 || !s.Volumes[i].Data || (s.Volumes[i].Unused == "") != (want.mount == ArchiveVolume) || owned != (want.mount == ArchiveVolume) {
			t.Errorf("%s: %+v, owned %v", text, s.Volumes, owned)
		}
	}
}

// It reads the data, and changes none.
func TestTheArchiverChangesNothing(t *testing.T) {
	c := archives("")
	s := spec(t, Archive{}, c)
	if !s.Follows || s.Services[0].User != user || s.Services[0].Name != "cron-postgres-archive" || s.Jobs[0].Warns == "" {
		t.Errorf("%+v", s.Services[0])
	}
	for _, one := range []part.Service{s.Services[0], s.Jobs[0].Service} {
		places := map[string]int{}
		for _, m := range one.Mounts {
			places[m.Target]++
			if m.Source == Name && !m.ReadOnly {
				t.Errorf("%s writes to the data", one.Name)
			}
		}
		if places[dataFolder] != 1 || places["/tmp"] != 1 {
			t.Errorf("%s: %v", one.Name, places)
		}
	}
	c.Backup.Enabled = false
	if s := spec(t, Archive{}, c); len(s.Services)+len(s.Jobs) != 0 {
		t.Errorf("%+v", s)
	}
	if words := spec(t, Server{}, c).Services[0].Command; slices.Contains(words, archiveScript) {
		t.Errorf("%q", words)
	}
}

func TestTheServerRunsInAnImageOfItsOwn(t *testing.T) {
	c := archives("")
	c.Archiving = part.Built{Reference: "tarot-postgres:0123"}
	if i := spec(t, Server{}, c).Images[0]; i.Reference != "tarot-postgres:0123" || i.Build == nil || i.SetUp != "postgres:18.6" || i.Key != "" {
		t.Errorf("%+v", i)
	}
	restored := Restored(c)
	if !strings.Contains(restored.Archive, "pg1-path=/volumes/postgres/18/docker\n") || restored.Accounts != "postgres-users" || restored.Data != Name {
		t.Errorf("%+v", restored)
	}
	var places []string
	for _, p := range []part.Part{Dump{}, Rehearsal{}, Archive{}} {
		for _, s := range spec(t, p, c).Services {
			if s.Image == Name {
				places = append(places, s.Name)
			}
		}
	}
	if !slices.Contains(places, backup.RoomVolume) {
		t.Errorf("%q", places)
	}
}

// What an upgrade leads to is there before users see the maintenance page: set-up gets it, and it is built.
func TestTheImageOfTheNextVersion(t *testing.T) {
	c := archives("")
	c.Database.Version = 17
	if all := spec(t, Server{}, c).Images; len(all) != 1 {
		t.Errorf("%+v", all)
	}
	c.Database.Next, c.ArchivingNext = "18", part.Built{Reference: "tarot-postgres:4567"}
	if all := spec(t, Server{}, c).Images; len(all) != 2 || all[1].Reference != "tarot-postgres:4567" || all[1].Build == nil || all[1].SetUp != config.DatabaseVersions[18] {
		t.Errorf("%+v", all)
	}
	c.Backup.Enabled = false
	if all := spec(t, Server{}, c).Images; len(all) != 2 || all[1].Reference != config.DatabaseVersions[18] || all[1].Build != nil {
		t.Errorf("%+v", all)
	}
}

// The golden file is given to the real promtool, and tried by it, in the end-to-end tests.
func TestRulesOfTheArchive(t *testing.T) {
	golden.Check(t, "testdata/archive.rules.yml", "groups:\n"+spec(t, Archive{}, archives("")).Alerts[0].YAML)
}

// What is said on the command line goes before what a restored database has brought along.
func TestArchivingIsOnWhateverTheDatabaseSays(t *testing.T) {
	v := newVolume(t)
	v.run(startScript, "18", "pgbackrest.sh")
	if said := v.asked(); !strings.Contains(said, "-c archive_mode=on -c archive_command=/bin/sh "+v.conf+"/pgbackrest.sh %p") || !strings.Contains(said, "-c wal_level=replica") {
		t.Error(said)
	}
	other := newVolume(t)
	other.run(startScript, "18")
	if said := other.asked(); strings.Contains(said, "archive") {
		t.Error(said)
	}
}

// Pieces that were given up are no success.
func TestWhatIsGivenUpIsNoted(t *testing.T) {
	for said, noted := range map[string]bool{"": false, "WARN: dropped WAL file '000000010000000000000001' because archive queue exceeded 4GB": true} {
		v := newVolume(t)
		v.program("pgbackrest", `echo "pgbackrest $*" >>"$SAID"; echo "`+said+`"; exit 3`)
		if _, failed := v.run(archiveText, "pg_wal/000000010000000000000001"); !failed {
			t.Error("a failure is taken for none")
		}
		if v.has("archive-dropped") != noted {
			t.Errorf("%q", said)
		}
		if words := v.asked(); !strings.Contains(words, "--stanza=app archive-push pg_wal/000000010000000000000001") {
			t.Error(words)
		}
	}
}
