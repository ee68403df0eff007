package backup

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	sealing "tarot-platform/internal/backup/seal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// with is a configuration that has a backup, with what parts have marked for it.
func with(change func(*part.Context)) part.Context {
	cfg := config.Defaults()
	cfg.Backup.Enabled, cfg.Monitoring.Enabled = true, true
	cfg.Secrets = map[string]string{}
	c := part.Context{Config: cfg, Project: "tarot", Stack: "tarot-test", Release: part.Release{Name: "r00000000aa", Image: "tarot-backend:1"},
		Helper: part.Built{Reference: "tarot-backup:0123"}, Offered: part.Offered{Volumes: []part.Volume{{Name: "data", Backup: true}, {Name: "static", Backup: true}}}}
	change(&c)
	return c
}

func usual(*part.Context) {}

// targets are contexts by the kind of their target.
var targets = map[string]func(*part.Context){
	"volume": usual,
	"folder": func(c *part.Context) { c.Backup.Target = "/mnt/backups" },
	"s3": func(c *part.Context) {
		c.Backup.Target, c.Backup.AccessKey = "s3://shop/backups?region=eu-central-1", "AKIA"
		c.Secrets["backupSecret"] = "word"
	},
	"sftp": func(c *part.Context) {
		c.Backup.Target, c.Backup.HostKey = "sftp://me@store.example:23/home/me", "ssh-ed25519 AAAA"
		c.Secrets["backupSshKey"] = "PRIVATE"
	},
	"webdavs": func(c *part.Context) {
		c.Backup.Target, c.Backup.AccessKey, c.Backup.Files.Target = "webdavs://dav.example/x", "me", "rest:https://me@store.example/shop"
		c.Secrets["backupSecret"], c.Secrets["backupFilesSecret"] = "word", "other"
	},
}

func spec(t *testing.T, p part.Part, c part.Context) part.Spec {
	t.Helper()
	s, err := p.Spec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// services are all of the backup's, by their names.
func services(t *testing.T, c part.Context) map[string]part.Service {
	t.Helper()
	all := map[string]part.Service{}
	for _, p := range []part.Part{Ground{}, Replicator{}, Files{}, Rehearsal{}} {
		for _, s := range spec(t, p, c).Services {
			all[s.Name] = s
		}
	}
	if len(all) != 4 {
		t.Fatalf("%d services", len(all))
	}
	return all
}

func mounted(s part.Service, folder string) (part.Mount, bool) {
	index := slices.IndexFunc(s.Mounts, func(m part.Mount) bool { return m.Target == folder })
	if index < 0 {
		return part.Mount{}, false
	}
	return s.Mounts[index], true
}

func TestWhatIsOffLeavesTheBackups(t *testing.T) {
	c := with(func(c *part.Context) { c.Backup.Enabled = false })
	for _, p := range []part.Part{Ground{}, Replicator{}, Files{}, Rehearsal{}} {
		s := spec(t, p, c)
		for _, v := range s.Volumes {
			if !v.Data || v.Unused == "" {
				t.Errorf("%+v", v)
			}
		}
		if len(s.Services)+len(s.Jobs)+len(s.Secrets)+len(s.Images)+len(s.Scrapes)+len(s.Alerts) > 0 || s.Follows {
			t.Errorf("%+v", s)
		}
	}
	if got := len(spec(t, Ground{}, c).Volumes); got != 2 {
		t.Errorf("%d volumes stay", got)
	}
}

// What is sent elsewhere has a way out, and what opens that; the volume of the stack's own is there
// only where nothing else is.
func TestWhatATargetNeeds(t *testing.T) {
	for kind, change := range targets {
		t.Run(kind, func(t *testing.T) {
			c := with(change)
			all := services(t, c)
			remote := kind != "volume" && kind != "folder"
			for name, s := range all {
				if slices.Contains(s.Networks, part.Edge) != (remote && name != standing) {
					t.Errorf("%s is on %v", name, s.Networks)
				}
				if m, there := mounted(s, "/target"); there != (!remote && name != standing) || there && m.ReadOnly != (name == rehearsalService) {
					t.Errorf("%s: %+v", name, s.Mounts)
				} else if there && (m.Kind == workload.Bind) != (kind == "folder") {
					t.Errorf("%s: %+v", name, m)
				}
			}
			if unused := spec(t, Ground{}, c).Volume(targetVolume).Unused; (unused == "") != (kind == "volume") {
				t.Errorf("the volume: %q", unused)
			}
			words := map[string]string{
				"volume": "--target=", "folder": "--target=/mnt/backups", "s3": "--target=s3://shop/backups?region=eu-central-1 --access-key=AKIA",
				"sftp": "--target=sftp://me@store.example:23/home/me --host-key=ssh-ed25519 AAAA", "webdavs": "--target=webdavs://dav.example/x --access-key=me",
			}[kind]
			if got := strings.Join(all[replicator].Command, " "); !strings.HasSuffix(got, "--stack=tarot-test "+words) {
				t.Error(got)
			}
			files := strings.Join(all[filesService].Command, " ")
			if want := map[bool]string{true: "--target=rest:https://me@store.example/shop", false: strings.Fields(words)[0]}[kind == "webdavs"]; !strings.Contains(files, want) {
				t.Error(files)
			}
			secrets := func(s part.Service) (names []string) {
				for _, f := range s.Secrets {
					names = append(names, f.Name)
				}
				return names
			}
			wanted := map[string][2][]string{
				"volume": {nil, {"backup_key"}}, "folder": {nil, {"backup_key"}}, "s3": {{"backup_secret"}, {"backup_key", "backup_secret"}},
				"sftp": {{"backup_ssh_key"}, {"backup_key", "backup_ssh_key"}}, "webdavs": {{"backup_secret"}, {"backup_key", "backup_secret", "backup_files_secret"}},
			}[kind]
			if !slices.Equal(secrets(all[replicator]), wanted[0]) || !slices.Equal(secrets(all[filesService]), wanted[1]) || !slices.Equal(secrets(all[rehearsalService]), wanted[1]) {
				t.Errorf("%v, %v, %v", secrets(all[replicator]), secrets(all[filesService]), secrets(all[rehearsalService]))
			}
		})
	}
}

// What stands on what was restored reaches nobody, and knows what a replica of the backend's does.
func TestTheStandingRoomIsAlone(t *testing.T) {
	c := with(func(c *part.Context) {
		c.Backend.Volumes = map[string]string{"media": "/srv/media"}
		c.Backend.Aliases = map[string]string{"MY_WORKERS": "WORKERS"}
		c.Backend.Migrate = []string{"./migrate"}
		c.Backend.PublishPort, c.Networks.Isolated = 8000, false
	})
	s := services(t, c)[standing]
	if !s.Isolated || len(s.Networks)+len(s.Ports) > 0 || s.Upstream || s.Job != "" || s.Writes != nil || !s.Exclusive || s.Replicas != 1 || s.Image != "backend" {
		t.Errorf("%+v", s)
	}
	for folder, want := range map[string]string{"/app/data": "volume backup-scratch false", "/app/static": "volume static true", "/srv/media": "tmpfs  false", "/app/logs": "tmpfs  false", "/tmp": "tmpfs  false", "/run/backup": "volume backup-tools true"} {
		m, _ := mounted(s, folder)
		if got := fmt.Sprintf("%s %s %v", m.Kind, m.Source, m.ReadOnly); got != want {
			t.Errorf("%s is %s, want %s", folder, got, want)
		}
	}
	for _, f := range s.Secrets {
		if strings.HasPrefix(f.Secret, "backup") {
			t.Errorf("it has %s", f.Secret)
		}
	}
	for name, want := range map[string]string{"WORKERS": "1", "WEB_CONCURRENCY": "1", "MY_WORKERS": "1", "REHEARSAL": "true", "FORWARDED_ALLOW_IPS": "127.0.0.1", "MIGRATE_ON_START": "false"} {
		if s.Environment[name] != want {
			t.Errorf("%s is %q", name, s.Environment[name])
		}
	}
	if s.Before[0] != "/run/backup/backup-0123" || s.Before[1] != "stand" || s.Before[len(s.Before)-1] != "--" || !slices.Contains(s.Before, "--database=/app/data/prod.db") || !slices.Contains(s.Before, "--scratch=/app/data") {
		t.Errorf("%q", s.Before)
	}
	asks := func() string { return services(t, c)[standing].Before[len(services(t, c)[standing].Before)-2] }
	if text := asks(); !strings.Contains(text, `"migrate":["./migrate"]`) {
		t.Errorf("a new release: %s", text)
	}
	c.Release.Pinned = true
	if text := asks(); !strings.Contains(text, "--application=") || strings.Contains(text, "migrate") {
		t.Errorf("one that has run before: %s", text)
	}
	c.Backup.Rehearsal.Application = false
	s = services(t, c)[standing]
	if s.Limits.Memory != 128<<20 || strings.Contains(strings.Join(s.Before, " "), "--application") {
		t.Errorf("%+v, %q", s.Limits, s.Before)
	}
}

// Whoever else's files there are, they are read, and nothing of the stack's can be written.
func TestTheFilesOfOthersAreRead(t *testing.T) {
	s := services(t, with(usual))[filesService]
	if s.User != "10001:10001" || s.Root != "" || len(s.Capabilities) > 0 || slices.Contains(s.Command, "as") {
		t.Errorf("%+v", s.Program)
	}
	s = services(t, with(func(c *part.Context) {
		c.Offered.Volumes = append(c.Offered.Volumes, part.Volume{Name: "valkey", Owner: "999:999"}, part.Volume{Name: "own", Owner: "10001:10001"})
	}))[filesService]
	at := slices.Index(s.Command, "as")
	if s.User != "0:0" || s.Root == "" || !slices.Equal(s.Capabilities, []string{"DAC_READ_SEARCH", "SETGID", "SETUID"}) || at < 0 || s.Command[at+1] != "10001:10001" || s.Command[at+3] != "/run/scheduler/backup-0123" || s.Command[at+4] != "files" {
		t.Errorf("%+v", s.Program)
	}
	for _, name := range []string{"data", "static", "valkey", "own"} {
		if m, there := mounted(s, path.Join("/source", name)); !there || !m.ReadOnly || m.Source != name {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// A release changes what stands on what was restored, and neither who replicates nor who backs up.
func TestAReleaseRestartsNoBackup(t *testing.T) {
	one := services(t, with(usual))
	other := services(t, with(func(c *part.Context) { c.Release = part.Release{Name: "r00000000bb", Image: "tarot-backend:2"} }))
	for name := range one {
		if same := fmt.Sprintf("%+v", one[name].Program) == fmt.Sprintf("%+v", other[name].Program); same != (name != standing) {
			t.Errorf("%s is the same: %v", name, same)
		}
	}
}

func TestWithoutADatabaseInAFile(t *testing.T) {
	c := with(func(c *part.Context) { c.Backend.DatabaseURL = "postgresql://db.example/x" })
	all := services(t, c)
	for name, s := range all {
		if words := strings.Join(append(s.Command, s.Before...), " "); strings.Contains(words, "--replicator") || strings.Contains(words, "--database=/") {
			t.Errorf("%s: %s", name, words)
		}
	}
	if _, there := mounted(all[standing], "/scratch"); !there {
		t.Errorf("%+v", all[standing].Mounts)
	}
	if rules := spec(t, Replicator{}, c).Alerts[0].YAML; strings.Contains(rules, "BackupNotReplicating") || !strings.Contains(rules, "BackupOnSameDisk") {
		t.Error(rules)
	}
}

func TestWithoutMonitoringNothingIsWatched(t *testing.T) {
	c := with(func(c *part.Context) { c.Monitoring.Enabled = false })
	for _, p := range []part.Part{Replicator{}, Files{}, Rehearsal{}} {
		if s := spec(t, p, c); len(s.Alerts)+len(s.Dashboards) > 0 || len(s.Services) == 0 || !s.Follows {
			t.Errorf("%+v", s)
		}
	}
}

// The golden files are given to the real promtool, and tried by it, in the end-to-end tests.
func TestRules(t *testing.T) {
	for name, p := range map[string]part.Part{"replicator": Replicator{}, "files": Files{}, "rehearsal": Rehearsal{}} {
		golden.Check(t, "testdata/"+name+".rules.yml", "groups:\n"+spec(t, p, with(usual)).Alerts[0].YAML)
	}
}

// A backup once a week is not too old after a day.
func TestABackupIsTooOldByItsOwnTimes(t *testing.T) {
	rules := spec(t, Files{}, with(func(c *part.Context) { c.Backup.Files.Cron = "0 3 * * 0" })).Alerts[0].YAML
	if !strings.Contains(rules, "> 612000\n") || !strings.Contains(rules, "offset 612000s") {
		t.Error(rules)
	}
}

// What the stack can be made of again is readable with the key alone, and is the same again where
// nothing has changed.
func TestWhatIsSealed(t *testing.T) {
	c := with(func(c *part.Context) {
		c.Cache.Enabled = true
		c.Secrets["adminPassword"] = "given by the user"
		c.Release.Images = map[string]string{"search": "search:1"}
	})
	text := sealed(c)
	later := part.Later{Secrets: map[string]string{}}
	for _, name := range text.Secrets() {
		later.Secrets[name] = "value of " + name
	}
	one, err := text.Make(later)
	other, _ := text.Make(later)
	if err != nil || one != other || strings.Contains(one, "value of") {
		t.Fatalf("%v: %s and %s", err, one, other)
	}
	plain, err := sealing.Open("value of backupKey", []byte(one))
	if err != nil {
		t.Fatal(err)
	}
	var state Sealed
	if err := json.Unmarshal(plain, &state); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"jwtSecretKey": "value of jwtSecretKey", "cachePassword": "value of cachePassword", "grafanaPassword": "value of grafanaPassword"}
	if fmt.Sprint(state.Secrets) != fmt.Sprint(want) || state.Stack != "tarot-test" || state.Release != "r00000000aa" || state.Images["search"] != "search:1" || !strings.Contains(state.File, "tarot:backup:") || strings.Contains(string(plain), "given by the user") {
		t.Errorf("%s", plain)
	}
	if _, err := sealing.Open("another key", []byte(one)); err == nil {
		t.Error("another key opens it")
	}
}
