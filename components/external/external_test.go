package external

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

const address = "postgresql+psycopg://shop:w%40rd@db.example/orders?options=-c%20x%3D1"

func with(change func(*config.Config)) part.Context {
	cfg := config.Everything()
	cfg.Database.Kind, cfg.Networks.BackendEgress, cfg.Secrets = config.External, true, map[string]string{config.DatabaseURLSecret: address}
	change(&cfg)
	return part.Context{Config: cfg, Stack: "tarot-test"}
}

func spec(t *testing.T, c part.Context) part.Spec {
	t.Helper()
	s, err := Part{}.Spec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func told(s part.Spec, name string) part.Variable {
	at := slices.IndexFunc(s.Application, func(v part.Variable) bool { return v.Name == name })
	if at < 0 {
		return part.Variable{}
	}
	return s.Application[at]
}

// The application trusts what the job has trusted, by what its library reads.
func TestWhomAnApplicationTrusts(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("certificates"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change     func(*config.Config)
		mode, root string // the job's
		variable   part.Variable
	}{
		"the well-known": {func(*config.Config) {}, "verify-full", "system", part.Variable{Name: "PGSSLROOTCERT", Value: "system"}},
		"a CA":           {func(c *config.Config) { c.Database.External.CA = ca }, "verify-full", "/run/secrets/ca", part.Variable{Name: "PGSSLROOTCERT", Secret: "databaseCa", Path: true}},
		"whoever":        {func(c *config.Config) { c.Database.External.TLS = "require" }, "require", "", part.Variable{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t, with(test.change))
			if v := told(s, "PGSSLROOTCERT"); fmt.Sprint(v) != fmt.Sprint(test.variable) {
				t.Errorf("%+v", v)
			}
			if v := told(s, "PGSSLMODE"); v.Value != test.mode {
				t.Errorf("%+v", v)
			}
			file := s.Jobs[0].Secrets[0]
			text, err := file.Make(address)
			want := "[database]\ndbname=orders\nhost=db.example\noptions=-c x=1\npassword=w@rd\nport=5432\nsslmode=" + test.mode + "\n"
			if test.root != "" {
				want += "sslrootcert=" + test.root + "\n"
			}
			if want += "user=shop\n"; err != nil || text != want || file.Secret != config.DatabaseURLSecret {
				t.Errorf("%v: %s", err, text)
			}
			if has := len(s.Secrets) == 1 && s.Secrets[0].Given == "certificates"; has != (name == "a CA") {
				t.Errorf("%+v", s.Secrets)
			}
			if len(s.Warnings) > 0 != (name == "whoever") {
				t.Errorf("%q", s.Warnings)
			}
		})
	}
}

func TestTheJobLooksFromWhereTheBackendIs(t *testing.T) {
	c := with(func(*config.Config) {})
	job := spec(t, c).Jobs[0]
	if job.When != part.Before || !slices.Equal(job.Networks, []string{part.Inner, part.Edge}) || !slices.Contains(job.Command, "150") {
		t.Errorf("%+v", job)
	}
	for _, text := range append(slices.Clone(job.Command), fmt.Sprint(job.Environment)) {
		if strings.Contains(text, "w@rd") || strings.Contains(text, "w%40rd") {
			t.Error("the password can be read")
		}
	}
	c.Release.Image = "tarot-backend:2"
	if another := spec(t, c).Jobs[0]; fmt.Sprint(another.Environment) == fmt.Sprint(job.Environment) {
		t.Error("another release does not look again")
	}
	for _, kind := range []string{config.SQLite, config.Postgres} {
		c.Database.Kind = kind
		if s := spec(t, c); len(s.Jobs)+len(s.Application)+len(s.Images) > 0 {
			t.Errorf("%s: %+v", kind, s)
		}
	}
}

// Each reason in words of its own, and none of them twice.
// It has what the backend has to find a host, and no more; and what the application is told fits what was counted.
func TestWhatTheJobAndTheApplicationHave(t *testing.T) {
	s := spec(t, with(func(c *config.Config) {
		c.Networks.BackendEgress, c.Database.Version, c.Database.Image = false, 17, "postgis:17"
		c.Database.Pool, c.Database.Overflow = 4, 5
		c.Backend.ExtraHosts = map[string]string{"db.example": "10.0.0.9"}
	}))
	job := s.Jobs[0]
	if !slices.Equal(job.Networks, []string{part.Inner}) {
		t.Errorf("it has a way out that the backend has not: %q", job.Networks)
	}
	if job.Hosts["db.example"] != "10.0.0.9" || job.Environment["PGCONNECT_TIMEOUT"] == "" || job.User != user {
		t.Errorf("%+v", job)
	}
	if len(job.Mounts) != 1 || job.Mounts[0].Target != "/var/lib/postgresql/data" {
		t.Errorf("an engine makes a volume of its own for it: %+v", job.Mounts)
	}
	if i := s.Images[0]; i.Reference != "postgis:17" || i.Key != "database.image" {
		t.Errorf("%+v", i)
	}
	if told(s, "DB_POOL_SIZE").Value != "4" || told(s, "DB_MAX_OVERFLOW").Value != "5" {
		t.Errorf("%+v", s.Application)
	}
	s = spec(t, with(func(c *config.Config) { c.Database.Version = 18 }))
	if s.Jobs[0].Mounts[0].Target != "/var/lib/postgresql" || s.Images[0].Key != "" {
		t.Errorf("%+v, %+v", s.Jobs[0].Mounts, s.Images)
	}
}

// A line of its own would be a setting of its own.
func TestAnAddressIsNoSettings(t *testing.T) {
	for address, want := range map[string]string{
		"postgresql://shop:w%0Asslmode=disable@db.example/orders": "a line ends in it",
		"postgresql://shop:w%0Drd@db.example/orders":              "a line ends in it",
		"mysql://shop:word@db.example/orders":                     "tarot:databaseUrl: ",
	} {
		if text, err := service(address, "verify-full", "system"); err == nil || text != "" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "word") {
			t.Errorf("%s: %v: %s", address, err, text)
		}
	}
}

func TestWhatTheJobSays(t *testing.T) {
	for name, test := range map[string]struct {
		psql string // its answers, to both questions
		fail string // of the first
		says string // empty: it is right
	}{
		"right":            {psql: "18|f|t|200|t"},
		"no name":          {fail: `psql: error: could not translate host name "db" to address: Name or service not known`, says: "its name is not known here"},
		"another name":     {fail: `server certificate for "a" does not match host name "b"`, says: "its certificate is of another name"},
		"another CA":       {fail: `SSL error: certificate verify failed`, says: "of none of the CAs"},
		"no TLS":           {fail: `server does not support SSL, but SSL was required`, says: "it does not encrypt"},
		"another password": {fail: `FATAL:  password authentication failed for user "shop"`, says: "it refuses the user or the password"},
		"not let in":       {fail: `FATAL:  no pg_hba.conf entry for host "1.2.3.4"`, says: "lets this user, or this address, in nowhere"},
		"no database":      {fail: `FATAL:  database "orders" does not exist`, says: "no such database"},
		"nobody":           {fail: `connection to server at "db" (1.2.3.4), port 5432 failed: Connection refused`, says: "nobody answers there"},
		"full":             {fail: `FATAL:  sorry, too many clients already`, says: "all of its connections are in use"},
		"else":             {fail: `FATAL:  it is Tuesday`, says: "it does not let the application in"},
		"old":              {psql: "13|f|t|200|t", says: "it is PostgreSQL 13"},
		"a replica":        {psql: "18|t|t|200|t", says: "it is a replica"},
		"no tables":        {psql: "18|f|f|200|t", says: "may make no tables in orders"},
		"few connections":  {psql: "18|f|t|149|t", says: "gives this user 149 connections, and tarot:database.connections says 150"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file, err := service(address, "verify-full", "system")
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{
				"service": file,
				"sleep":   "#!/bin/sh\n",
				"psql":    "#!/bin/sh\n[ -z \"$FAIL\" ] || { echo \"$FAIL\"; exit 2; }\necho \"$ANSWER\"\n",
			} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("/bin/sh", "-c", script, "check.sh", "150")
			cmd.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "PGSERVICEFILE=" + filepath.Join(folder, "service"), "FAIL=" + test.fail, "ANSWER=" + test.psql}
			said, err := cmd.CombinedOutput()
			if (err == nil) != (test.says == "") || !strings.Contains(string(said), test.says) || strings.Contains(string(said), "w@rd") {
				t.Errorf("%v: %s", err, said)
			}
			if err != nil && (!strings.Contains(string(said), "the database at db.example:5432") || !strings.Contains(string(said), test.fail)) {
				t.Errorf("%s", said)
			}
		})
	}
}
