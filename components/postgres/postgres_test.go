package postgres

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// with is a configuration that has all but a pooler, with changes.
func with(changes ...func(*config.Config)) part.Context {
	cfg := config.Everything()
	cfg.Database.Pooler.Enabled = false
	for _, change := range changes {
		change(&cfg)
	}
	return part.Context{Config: cfg, Stack: "tarot-test"}
}

func spec(t *testing.T, p part.Part, c part.Context) part.Spec {
	t.Helper()
	s, err := p.Spec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSettings(t *testing.T) {
	for name, d := range map[string]config.Database{
		"18": config.Defaults().Database,
		"17-small": func() config.Database {
			d := config.Defaults().Database
			d.Version, d.Memory, d.Connections = 17, 256<<20, 20
			d.Settings = map[string]string{"work_mem": "8MB", "search_path": `"$user", o'brien\`, "jit": "on"}
			return d
		}(),
	} {
		golden.Check(t, "testdata/"+name+".conf", Settings(d))
	}
	golden.Check(t, "testdata/pg_hba.conf", logins)
}

// Who has the socket and the server's user is superuser; and nobody is by the network.
func TestNobodyIsSuperuserByTheNetwork(t *testing.T) {
	for line := range strings.Lines(logins) {
		words := strings.Fields(line)
		if words[0] == "host" && !slices.Equal(words, []string{"host", "app", "+app", "all", "scram-sha-256"}) && !slices.Equal(words, []string{"host", "all", "all", "all", "reject"}) {
			t.Errorf("%s", line)
		}
		if words[0] == "local" && !slices.Equal(words[3:], []string{"peer", "map=users"}) {
			t.Errorf("%s", line)
		}
		if slices.Contains([]string{"trust", "password", "md5"}, words[len(words)-1]) {
			t.Errorf("%s", line)
		}
	}
}

func TestTheServerHasNoPasswordAndNoSecondOne(t *testing.T) {
	s := spec(t, Server{}, with(func(c *config.Config) { c.Backup.Enabled = false }))
	server := s.Services[0]
	if len(server.Secrets)+len(server.Environment)+len(server.Ports) != 0 || !slices.Equal(server.Networks, []string{part.Inner}) {
		t.Errorf("%+v", server)
	}
	if data := s.Volume(Name); !server.Exclusive || !data.Data || data.Backup || data.Engine != "tarot-test-postgres" || s.Volume(Socket).Data {
		t.Error("two could write to its data, or an update remove them")
	}
	if server.StopSignal != "SIGINT" || server.StopGrace.Seconds() != 90 {
		t.Errorf("it is stopped by %s within %s", server.StopSignal, server.StopGrace)
	}
	if !slices.ContainsFunc(server.Mounts, func(m part.Mount) bool { return m.Kind == workload.Tmpfs && m.Target == "/dev/shm" }) {
		t.Error("it has the engine's 64 MB of shared memory")
	}
}

// For each container whose image declares a volume that is not mounted the engine makes one.
func TestNoVolumeIsMadeOfAnImagesOwn(t *testing.T) {
	for version, declared := range map[int]string{17: "/var/lib/postgresql/data", 18: "/var/lib/postgresql"} {
		c := with(func(c *config.Config) { c.Database.Version = version })
		all := []part.Service{spec(t, Server{}, c).Services[0], spec(t, Server{}, c).Jobs[0].Service, spec(t, Users{}, c).Jobs[0].Service, spec(t, Users{}, c).Jobs[1].Service}
		for _, s := range all {
			mounted := 0
			for _, m := range s.Mounts {
				if m.Target == declared {
					mounted++
				}
			}
			if mounted != 1 {
				t.Errorf("%d: %s has %d at %s: %+v", version, s.Name, mounted, declared, s.Mounts)
			}
		}
	}
}

func TestVersionsHaveImagesAndPlacesOfTheirOwn(t *testing.T) {
	for version, image := range config.DatabaseVersions {
		s := spec(t, Server{}, with(func(c *config.Config) { c.Database.Version, c.Backup.Enabled = version, false }))
		if s.Images[0].Reference != image || s.Images[0].SetUp != image || s.Images[0].Key != "" {
			t.Errorf("%+v", s.Images)
		}
		if got := s.Services[0].Command; !slices.Equal(got, []string{"/bin/sh", "/run/config/start.sh", fmt.Sprint(version)}) {
			t.Errorf("%q", got)
		}
		want := []string{"/bin/sh", "/run/config/layout.sh", fmt.Sprint(version), "/run/volumes/postgres", "tarot-test-postgres", "/run/config/postgresql.conf"}
		if got := s.Jobs[0]; !slices.Equal(got.Command, want) || got.When != part.Before || !got.Mounts[0].ReadOnly {
			t.Errorf("%+v", got)
		}
	}
	s := spec(t, Server{}, with(func(c *config.Config) { c.Database.Image, c.Backup.Enabled = "registry.example/postgis:18-3.6", false }))
	if i := s.Images[0]; i.Reference != "registry.example/postgis:18-3.6" || i.Key != "database.image" {
		t.Errorf("%+v", i)
	}
}

func TestWhatIsOffLeavesTheData(t *testing.T) {
	c := with(func(c *config.Config) { c.Database.Kind = config.SQLite })
	if s := spec(t, Users{}, c); fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", part.Spec{}) {
		t.Errorf("%+v", s)
	}
	s := spec(t, Server{}, c)
	if len(s.Services)+len(s.Images)+len(s.Jobs) != 0 || len(s.Volumes) != 2 || s.Volumes[0].Unused != "database.kind is sqlite" || !s.Volumes[0].Data || !s.Volumes[1].Data || s.Volumes[1].Unused == "" {
		t.Errorf("%+v", s)
	}
}

// The old account is good until nobody asks a replica that has it.
func TestTwoAccountsWhileAPasswordIsReplaced(t *testing.T) {
	c := with(func(c *config.Config) {
		c.SecretVersions.DatabasePassword, c.Database.Extensions = 3, []string{"postgis", "vector"}
	})
	s := spec(t, Users{}, c)
	add, only := s.Jobs[0], s.Jobs[1]
	if add.When != part.Before || only.When != part.Drained {
		t.Errorf("at %v and %v", add.When, only.When)
	}
	if !slices.Equal(add.Again, []string{"postgres"}) || !slices.Equal(only.Again, []string{"postgres", add.Name}) {
		t.Errorf("again with %v and %v", add.Again, only.Again)
	}
	if !slices.Equal(add.Command, []string{"/bin/sh", "/run/config/users.sh", "18", "all", "postgis", "vector"}) || !slices.Equal(only.Command, []string{"/bin/sh", "/run/config/users.sh", "18", "only"}) {
		t.Errorf("%q, %q", add.Command, only.Command)
	}
	for _, job := range s.Jobs {
		if len(job.Networks) != 0 || job.User != "999:999" {
			t.Errorf("%+v", job)
		}
		for _, f := range job.Secrets {
			if made, err := f.Make("the-password"); err != nil || strings.Contains(made, "the-password") {
				t.Errorf("%s: %v, %s", f.Name, err, made)
			}
		}
	}
	if secret := s.Secrets[0]; len(s.Secrets) != 1 || secret.Rotates != "databasePassword" || secret.Version != 3 || secret.Given != "" || secret.Length < 32 {
		t.Errorf("%+v", s.Secrets)
	}
}

func TestTheApplicationGetsAnAddress(t *testing.T) {
	s := spec(t, Users{}, with(func(c *config.Config) {
		c.Database.Scheme, c.Database.Pool, c.Database.Overflow = "postgresql+asyncpg", 4, 0
	}))
	v := s.Application[0]
	if v.Name != "DATABASE_URL" || !v.Export || v.Secret != passwordSecret {
		t.Errorf("%+v", v)
	}
	text, err := v.Make("abcDEF123")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	role, _ := Role("abcDEF123")
	if word, _ := u.User.Password(); err != nil || u.Scheme != "postgresql+asyncpg" || u.User.Username() != role || word != "abcDEF123" || u.Host != "postgres:5432" || u.Path != "/app" {
		t.Errorf("%v: %s", err, text)
	}
	for i, want := range []string{"DB_POOL_SIZE=4", "DB_MAX_OVERFLOW=0"} {
		if v := s.Application[i+1]; v.Name+"="+v.Value != want || v.Secret != "" {
			t.Errorf("%+v", v)
		}
	}
}

func TestWhatIsToldOfADatabase(t *testing.T) {
	if said := spec(t, Server{}, with()).Warnings; len(said) != 0 {
		t.Errorf("%q", said)
	}
	said := spec(t, Server{}, with(func(c *config.Config) {
		c.Database.Connections, c.Secrets = 300, map[string]string{"databaseUrl": "postgresql://u:very-own@db/x"}
	})).Warnings
	if len(said) != 2 || !strings.Contains(said[0], "tarot:database.memory") || said[1] != "the secret tarot:databaseUrl is not used, as database.kind is postgres" {
		t.Errorf("%q", said)
	}
}
