package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// postgres is a stack file's database, with further keys.
func postgres(more string) string { return strings.TrimSuffix(`{"kind":"postgres",`+more, ",") + "}" }

func TestWhatIsWrongWithADatabase(t *testing.T) {
	inProject(t)
	for name, test := range map[string]struct {
		raw  map[string]string
		want string // of the lines about it; empty: it is right
	}{
		"nothing said":            {raw(), ""},
		"postgres":                {raw("database", postgres("")), ""},
		"17":                      {raw("database", postgres(`"version":17`)), ""},
		"without a data volume":   {raw("database", postgres(""), "volumes", `{"data":""}`), ""},
		"another kind":            {raw("database", `{"kind":"mysql"}`), `tarot:database.kind: "mysql" is not allowed; allowed: sqlite, postgres or external`},
		"one that is next":        {raw("database", `{"next":"postgres"}`), ""},
		"another that is next":    {raw("database", `{"next":"sqlite"}`), `tarot:database.next: "sqlite" is not allowed; allowed: empty; postgres where kind is sqlite; another version where it is postgres`},
		"another version next":    {raw("database", postgres(`"version":17,"next":"18"`)), ""},
		"the same version next":   {raw("database", postgres(`"next":"18"`)), `tarot:database.next: "18" is not allowed`},
		"a version beside SQLite": {raw("database", `{"next":"17"}`), `tarot:database.next: "17" is not allowed`},
		"next what is there":      {raw("database", postgres(`"next":"postgres"`)), `tarot:database.next: "postgres" is not allowed`},
		"next without room":       {raw("database", `{"next":"postgres","connections":20}`), `tarot:database.connections: "20" is not allowed; allowed: at least`},
		"another version":         {raw("database", `{"version":16}`), `tarot:database.version: "16" is not allowed; allowed: 17 or 18`},
		"no image's name":         {raw("database", `{"image":" "}`), `tarot:database.image: " " is not allowed`},
		"no exporter":             {raw("database", `{"exporterImage":""}`), `tarot:database.exporterImage: "" is not allowed`},
		"too little memory":       {raw("database", `{"memory":"128m"}`), `tarot:database.memory: "128m" is not allowed; allowed: a size with a unit, at least 256m`},
		"no CPU":                  {raw("database", `{"cpus":0}`), `tarot:database.cpus: "0" is not allowed`},
		"few connections":         {raw("database", `{"connections":10}`), `tarot:database.connections: "10" is not allowed; allowed: a whole number from 20 to 1000`},
		"no reserve":              {raw("database", `{"reserve":0}`), `tarot:database.reserve: "0" is not allowed`},
		"no pool":                 {raw("database", `{"pool":0}`), `tarot:database.pool: "0" is not allowed`},
		"an overflow below zero":  {raw("database", `{"overflow":-1}`), `tarot:database.overflow: "-1" is not allowed`},
		"a scheme":                {raw("database", `{"scheme":"mysql"}`), `tarot:database.scheme: "mysql" is not allowed`},
		"an extension":            {raw("database", `{"extensions":["pg_trgm","x;drop"]}`), `tarot:database.extensions: "x;drop" is not allowed`},
		"one twice":               {raw("database", `{"extensions":["hstore","hstore"]}`), `tarot:database.extensions: "hstore" is not allowed`},
		"settings":                {raw("database", `{"settings":{"work_mem":"16MB","pg_stat_statements.max":5000}}`), ""},
		"a setting with a key":    {raw("database", `{"settings":{"max_connections":"10"}}`), `tarot:database.settings: "max_connections" is not allowed; allowed: a map of names of postgresql.conf to values; none that the platform relies on (tarot:database.connections sets it)`},
		"fsync":                   {raw("database", `{"settings":{"fsync":"off"}}`), `tarot:database.settings: "fsync" is not allowed; allowed: a map of names of postgresql.conf to values; none that the platform relies on (the data, or who gets at them, depend on it)`},
		"a setting of two lines":  {raw("database", `{"settings":{"work_mem":"1MB\nfsync=off"}}`), `tarot:database.settings: "work_mem: 1MB\nfsync=off" is not allowed`},
		"another driver":          {raw("database", postgres(""), "volumes", `{"driver":"nfs"}`), `tarot:volumes.driver: "nfs" is not allowed; allowed: local where database.kind is postgres`},
		"an own password":         {raw("databasePassword", "very-own-password-of-thirty-two-bytes"), `tarot:databasePassword: there is no such key`},
		"a generation":            {raw("secretVersions", `{"databasePassword":-1}`), `tarot:secretVersions.databasePassword: "-1" is not allowed`},
		"a pooler":                {raw("database", postgres(`"connections":60,"pooler":{"enabled":true}`)), ""},
		"one that is off":         {raw("database", postgres(`"pooler":{"connections":100}`)), ""},
		"one of SQLite's":         {raw("database", `{"pooler":{"enabled":true}}`), ""},
		"one of somebody else's": {raw("database", `{"kind":"external","pooler":{"enabled":true}}`, "databaseUrl", "postgresql://u:w@db.example/x", "networks", `{"backendEgress":true}`),
			`tarot:database.pooler.enabled: "true" is not allowed; allowed: true or false; true only where database.kind is not external (who runs the database runs its pooler`},
		"a pooler without connections": {raw("database", `{"pooler":{"connections":0}}`), `tarot:database.pooler.connections: "0" is not allowed; allowed: a whole number from 1 to 500`},
		"a pooler without clients":     {raw("database", `{"pooler":{"clients":0}}`), `tarot:database.pooler.clients: "0" is not allowed; allowed: a whole number from 10 to 10000`},
		"a pooler's memory":            {raw("database", `{"pooler":{"memory":"1m"}}`), `tarot:database.pooler.memory: "1m" is not allowed`},
		"a pooler's CPU":               {raw("database", `{"pooler":{"cpus":0}}`), `tarot:database.pooler.cpus: "0" is not allowed`},
		"a pooler's exporter":          {raw("database", `{"pooler":{"exporterImage":""}}`), `tarot:database.pooler.exporterImage: "" is not allowed`},
		"a pooler's mode":              {raw("database", `{"pooler":{"mode":"session"}}`), `tarot:database.pooler.mode: there is no such key`},
		"few for a pooler": {raw("database", postgres(`"connections":58,"pooler":{"enabled":true}`)),
			`tarot:database.connections: "58" is not allowed; allowed: at least 59: while a password or the pooler is replaced there are twice 22 connections of it (database.pooler.connections 20, and 2 of its own), which is 44; and database.reserve keeps 15. Or fewer: database.pooler.connections`},
		"many clients for a pooler": {raw("database", postgres(`"pooler":{"enabled":true,"clients":10}`)), `tarot:database.pooler.clients: "10" is not allowed; allowed: at least `},
		"an address past it of one's own": {raw("database", postgres(`"pooler":{"enabled":true}`), "backend", `{"environment":{"DATABASE_DIRECT_URL":"x"}}`),
			`tarot:database.pooler.enabled: "true" is not allowed`},
		"DATABASE_URL of one's own": {raw("database", postgres(""), "backend", `{"environment":{"DATABASE_URL":"postgresql://elsewhere/x"}}`),
			`tarot:backend.environment: "DATABASE_URL" is not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(test.raw)
			said := ""
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					if strings.Contains(line, "atabase") || strings.Contains(line, "DATABASE") {
						said += line
					}
				}
			}
			if test.want == "" && said != "" || test.want != "" && !strings.HasPrefix(said, test.want) {
				t.Errorf("%s, want %s", said, test.want)
			}
		})
	}
}

// The stack file's own address is not used, and stays where a rollback, or a way back, finds it.
func TestAPostgresGoesBeforeAnAddress(t *testing.T) {
	inProject(t)
	cfg, err := Load(raw("database", postgres(""), "databaseUrl", "postgresql://u:word@db/x"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, secret := cfg.DatabaseURL(); plain != "" || secret != "" || cfg.DatabaseFile() != "" {
		t.Errorf("%q, %q, %q", plain, secret, cfg.DatabaseFile())
	}
	cfg.Database.Kind = SQLite
	if plain, secret := cfg.DatabaseURL(); plain != "" || secret != "databaseUrl" || cfg.DatabaseFile() != "" {
		t.Errorf("%q, %q", plain, secret)
	}
	delete(cfg.Secrets, "databaseUrl")
	if plain, secret := cfg.DatabaseURL(); plain != cfg.Backend.DatabaseURL || secret != "" || cfg.DatabaseFile() != "/app/data/prod.db" {
		t.Errorf("%q, %q", plain, secret)
	}
}

func TestConnectionsAtThePeakHaveToFit(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		least  int    // that is needed; 0: it fits
		says   string // the error does
	}{
		"the defaults, as containers": {func(*Config) {}, 0, ""},
		"the defaults, in Swarm":      {func(c *Config) { c.Runtime = "swarm" }, 0, ""},
		"exactly what there is":       {func(c *Config) { c.Database.Connections = 141 }, 0, ""},
		"one less, as containers": {func(c *Config) { c.Database.Connections = 140 }, 141,
			"at least 141: in a release there are 6 replicas of the backend for a moment (backend.replicas 3, twice as containers) with 4 workers of 5 connections each " +
				"(database.pool 2 + database.overflow 3) and one for a health check, which is 126; and database.reserve keeps 15. Or fewer: backend.workers, database.overflow"},
		"one less, in Swarm": {func(c *Config) { c.Runtime, c.Database.Connections = "swarm", 119 }, 120,
			"5 replicas of the backend for a moment (backend.replicas 3, one that is verified and one that starts before another stops)"},
		"a host port has one owner": {func(c *Config) { c.Backend.Replicas, c.Backend.PublishPort, c.Database.Connections = 1, 8000, 35 }, 36,
			"there is one replica of the backend (backend.replicas 1)"},
		"WORKERS of one's own":         {func(c *Config) { c.Backend.Environment = map[string]string{"WORKERS": "5"} }, 171, "5 workers"},
		"WEB_CONCURRENCY of one's own": {func(c *Config) { c.Backend.Environment = map[string]string{"WEB_CONCURRENCY": "5"} }, 171, "5 workers"},
		"one of them lower": {func(c *Config) {
			c.Backend.Environment = map[string]string{"WEB_CONCURRENCY": "1"}
			c.Database.Connections = 140
		}, 141, "4 workers"},
		"a pool of one's own": {func(c *Config) {
			c.Backend.Environment = map[string]string{"DB_POOL_SIZE": "5", "DB_MAX_OVERFLOW": "10"}
		}, 381, "(database.pool 5 + database.overflow 10)"},
		"no number":            {func(c *Config) { c.Backend.Environment = map[string]string{"DB_POOL_SIZE": "many"} }, 0, ""},
		"a smaller pool":       {func(c *Config) { c.Database.Overflow = 0; c.Database.Connections = 69 }, 0, ""},
		"a worker":             {worker(func(s *Service) {}), 151, "the service worker (services.worker.connections), which is 10;"},
		"a worker in Swarm":    {func(c *Config) { worker(func(s *Service) { s.Connections = 31 })(c); c.Runtime = "swarm" }, 182, "which is 62;"},
		"one that stops first": {worker(func(s *Service) { s.Update, s.Connections = "stopFirst", 10 }), 151, "which is 10;"},
		"another program":      {worker(func(s *Service) { s.Image = "search:1" }), 0, ""},
		"another that says so": {worker(func(s *Service) { s.Image, s.Connections = "search:1", 10 }), 161, "which is 20;"},
		"schedules": {func(c *Config) {
			c.Schedules = map[string]Schedule{}
			for i := range 10 {
				s := Schedule{}.Default().(Schedule)
				s.Enabled = i > 0
				c.Schedules[fmt.Sprint("s", i)] = s
			}
			c.Database.Connections = 149
		}, 150, "schedules, which is 9;"},
		"a pooler takes the application's, as containers": {func(c *Config) {
			c.Database.Pooler.Enabled, c.Database.Connections, c.Database.Pooler.Clients = true, 59, 126
		}, 0, ""},
		"a larger reserve": {func(c *Config) { c.Database.Reserve = 25 }, 151, "database.reserve keeps 25"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Defaults()
			cfg.Database.Kind = Postgres
			test.change(&cfg)
			c := &checker{}
			cfg.checkBudget(c)
			if test.least == 0 {
				if err := c.err(); err != nil {
					t.Error(err)
				}
				return
			}
			if err := c.err(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf(`tarot:database.connections: "%d" is not allowed; allowed: at least %d: `, cfg.Database.Connections, test.least)) ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("%v\nwant at least %d: %s", err, test.least, test.says)
			}
		})
	}
	// Nobody is counted who has a database of another kind.
	cfg := Defaults()
	cfg.Backend.Workers = 64
	if err := cfg.Validate(); err != nil && strings.Contains(err.Error(), "database.connections") {
		t.Error(err)
	}
}

func worker(change func(*Service)) func(*Config) {
	return func(c *Config) {
		s := Service{}.Default().(Service)
		change(&s)
		c.Services = map[string]Service{"worker": s}
	}
}

func TestMemoryOfADatabase(t *testing.T) {
	d := databaseDefaults()
	if said := d.MemoryWarning(); said != "" {
		t.Error(said)
	}
	d.Connections = 300
	if said := d.MemoryWarning(); !strings.Contains(said, "tarot:database.memory is 1g") || !strings.Contains(said, "1520m") {
		t.Error(said)
	}
}

func TestAnApplicationRunsOnTheDatabase(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*Config)
		databases []string
		want      string
	}{
		"nothing said":          {func(c *Config) { c.Database.Kind = Postgres }, nil, ""},
		"both":                  {func(c *Config) { c.Database.Kind = Postgres }, []string{"sqlite", "postgresql"}, ""},
		"sqlite alone":          {func(c *Config) { c.Database.Kind = Postgres }, []string{"sqlite"}, `tarot:database.kind: "postgres" is not allowed; allowed: one that the application runs on: its deploy.yaml says databases: [sqlite]`},
		"postgresql alone":      {func(*Config) {}, []string{"postgresql"}, `tarot:database.kind: "sqlite" is not allowed`},
		"the same, elsewhere":   {func(c *Config) { c.Backend.DatabaseURL = "postgresql://db.example/x" }, []string{"postgresql"}, ""},
		"the same, as a secret": {func(c *Config) { c.Secrets = map[string]string{"databaseUrl": "postgresql://u:w@db.example/x"} }, []string{"postgresql"}, ""},
		"no database":           {func(c *Config) { c.Backend.DatabaseURL = "" }, []string{"postgresql"}, ""},
	} {
		cfg := Defaults()
		test.change(&cfg)
		if err := cfg.CheckRunsOn(Application{Databases: test.databases}); (err != nil) != (test.want != "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// Set-up gets an image for each version that may be asked for.
func TestVersionsAreThoseOfTheKey(t *testing.T) {
	var versions []int
	for v := range DatabaseVersions {
		versions = append(versions, v)
	}
	slices.Sort(versions)
	if got := allowed("database.version"); got != fmt.Sprintf("%d or %d", versions[0], versions[1]) || len(versions) != 2 {
		t.Errorf("%v are there, allowed: %s", versions, got)
	}
}

// What a pooler takes is counted against it, and the server has its pools, each twice.
func TestConnectionsToAPoolerHaveToFit(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"one client less": {func(c *Config) { c.Database.Pooler.Clients = 125 },
			`tarot:database.pooler.clients: "125" is not allowed; allowed: at least 126: in a release there are 6 replicas of the backend for a moment ` +
				`(backend.replicas 3, twice as containers) with 4 workers of 5 connections each (database.pool 2 + database.overflow 3) and one for a health check, which is 126. Or fewer: backend.workers, database.overflow`},
		"one of the server's less":    {func(c *Config) { c.Database.Connections = 58 }, `tarot:database.connections: "58" is not allowed; allowed: at least 59: `},
		"a larger pool":               {func(c *Config) { c.Database.Pooler.Connections = 67 }, `tarot:database.connections: "150" is not allowed; allowed: at least 153: `},
		"far more workers, which fit": {func(c *Config) { c.Backend.Workers = 16 }, ""},
		"ready beside":                {func(c *Config) { c.Database.Kind, c.Database.Next, c.Database.Connections = SQLite, Postgres, 58 }, `tarot:database.connections: "58"`},
	} {
		cfg := Defaults()
		cfg.Database.Kind, cfg.Database.Pooler.Enabled = Postgres, true
		test.change(&cfg)
		c := &checker{}
		cfg.checkBudget(c)
		if err := c.err(); (err != nil) != (test.want != "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
