package config

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarot-platform/internal/cron"
)

// Database says where the application's database is: docs/database.md. It is no part of a
// release, so that a rollback brings nobody back to a database that the data have left.
type Database struct {
	// `sqlite`: what `backend.databaseUrl` or the secret `databaseUrl` says. `postgres`: a
	// PostgreSQL of the stack's own, of which the application is told by `DATABASE_URL`. `external`:
	// one that somebody else runs, at the address in the secret `databaseUrl`.
	Kind string `key:"kind" allowed:"sqlite, postgres or external"`
	// What is to be ready beside: `postgres` has that server run, while the application stays on
	// SQLite; another version has its image be there. `make database-move` and `make database-upgrade` set it,
	// and empty it again.
	Next string `key:"next" allowed:"empty; postgres where kind is sqlite; another version where it is postgres"`
	// The major version of PostgreSQL. A server reads what one of its own version has written: `make
	// database-upgrade` sets a newer one, and brings along what there is.
	Version int `key:"version" allowed:"17 or 18"`
	// The image of the server. Empty: the official one of the version.
	Image string `key:"image" allowed:"empty, or an image reference of that version that is based on Debian (in Alpine's the server is another user)"`
	// The image of postgres_exporter, which runs where `monitoring.enabled` is true.
	ExporterImage string `key:"exporterImage" allowed:"an image reference"`
	// The most CPU that the server gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that the server gets. Swap is off. A quarter is for its buffers.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 256m, such as 1g"`
	// How many connections the server takes. Those that the application may have at the peak of
	// a release have to fit in.
	Connections int `key:"connections" allowed:"a whole number from 20 to 1000"`
	// How many of them are for others than the application: migrations, accounts, metrics,
	// backups and you.
	Reserve int `key:"reserve" allowed:"a whole number from 5 to 200"`
	// How many connections a process of the application keeps (`DB_POOL_SIZE`).
	Pool int `key:"pool" allowed:"a whole number from 1 to 100"`
	// How many a process may open beside these for a while (`DB_MAX_OVERFLOW`).
	Overflow int `key:"overflow" allowed:"a whole number from 0 to 100"`
	// What `DATABASE_URL` begins with, as the application's library wants it.
	Scheme string `key:"scheme" allowed:"postgresql, postgres, postgresql+psycopg, postgresql+psycopg2 or postgresql+asyncpg"`
	// Extensions to make in the database that the application may not make itself. Those that
	// PostgreSQL calls trusted it may.
	Extensions []string `key:"extensions" allowed:"a list of names that the image has: small letters, digits, _ and -"`
	// Of a PostgreSQL that somebody else runs.
	External DatabaseExternal `key:"external"`
	// A PgBouncer between the application and the server.
	Pooler DatabasePooler `key:"pooler"`
	// The nightly copy of the database, where `backup.enabled` is true.
	Dump DatabaseDump `key:"dump"`
	// The continuous archive, where `backup.enabled` is true: the database can be brought back to any
	// moment of `backup.retention`.
	Archive DatabaseArchive `key:"archive"`
	// Further settings of the server.
	Settings map[string]string `key:"settings" allowed:"a map of names of postgresql.conf to values; none that the platform relies on"`
}

// DatabaseDump is the copy of the database that the nightly backup takes along.
type DatabaseDump struct {
	// When, as hours of `backup.timeZone`: before `backup.files.cron`.
	Cron string `key:"cron" allowed:"five fields such as 0 2 * * * that some day has, or @daily, @weekly or @hourly"`
}

// DatabaseArchive is what pgBackRest keeps on the target, encrypted: all that is written to the
// database as it is written, and copies of the whole.
type DatabaseArchive struct {
	// When what has changed is copied into the archive, as hours of `backup.timeZone`: once a week, after
	// a restore and where anything is missing it is all. What was archived is rehearsed then.
	Cron string `key:"cron" allowed:"five fields such as 30 1 * * * that some day has, or @daily, @weekly or @hourly"`
	// How much of what was written may wait on the disk of the database for a target that is away.
	// What is beyond that is given up, rather than the disk: there is a gap until the next night.
	Queue Bytes `key:"queue" allowed:"a size with a unit, at least 64m, such as 4g"`
}

// The schedules of the copy and of the archive, which have a container each, as a user's have.
const (
	PostgresDumpSchedule    = "postgres-dump"
	PostgresArchiveSchedule = "postgres-archive"
)

// The kinds of databases.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
	External = "external"
)

// DatabaseVersions are the versions of PostgreSQL that there may be, with the images of them.
var DatabaseVersions = map[int]string{17: "postgres:17.12", 18: "postgres:18.6"}

func databaseDefaults() Database {
	return Database{
		Kind: SQLite, Version: 18, ExporterImage: "prometheuscommunity/postgres-exporter:v0.19.1",
		CPUs: 1, Memory: 1 << 30, Connections: 150, Reserve: 15, Pool: 2, Overflow: 3, Scheme: "postgresql",
		External: DatabaseExternal{TLS: verifyFull}, Pooler: poolerDefaults(),
		Dump: DatabaseDump{Cron: "0 2 * * *"}, Archive: DatabaseArchive{Cron: "30 1 * * *", Queue: 4 << 30},
	}
}

// ServerImage is what the server runs.
func (d Database) ServerImage() string { return cmp.Or(d.Image, DatabaseVersions[d.Version]) }

// NextVersion is the other version whose image is to be ready; 0: none.
func (d Database) NextVersion() int {
	version, err := strconv.Atoi(d.Next)
	if _, known := DatabaseVersions[version]; err != nil || !known || version == d.Version {
		return 0
	}
	return version
}

// NewestDatabase is the version that an upgrade leads to.
func NewestDatabase() int { return slices.Max(slices.Collect(maps.Keys(DatabaseVersions))) }

// RunsPostgres is true where the stack has a PostgreSQL of its own.
func (cfg Config) RunsPostgres() bool { return cfg.Database.Kind == Postgres }

// HasPostgres is true where there is one, though the application may not be on it yet.
func (cfg Config) HasPostgres() bool { return cfg.RunsPostgres() || cfg.Database.Next == Postgres }

// Archives is true where what is written to that goes to the target of the backups as it is written. It is
// so before the application is on it: the server that archives is another one, and would be exchanged
// while users wait.
func (cfg Config) Archives() bool { return cfg.HasPostgres() && cfg.Backup.Enabled }

// PostgresVolume is what the engine calls the volume of a stack's PostgreSQL.
func PostgresVolume(stack string) string { return stack + "-postgres" }

// DatabaseURL is the address that the stack file gives the application, or the name of the
// secret that holds it; neither: there is none, or the platform gives one.
func (cfg Config) DatabaseURL() (plain, secret string) {
	switch {
	case cfg.RunsPostgres():
		return "", ""
	case cfg.Secrets[DatabaseURLSecret] != "":
		return "", DatabaseURLSecret
	}
	return cfg.Backend.DatabaseURL, ""
}

// CheckRunsOn refuses a kind of database that the application says it does not run on. What an
// address elsewhere is of is the user's business.
func (cfg Config) CheckRunsOn(app Application) error {
	kind := ""
	switch {
	case cfg.HasPostgres(), cfg.Database.Kind != SQLite:
		kind = "postgresql"
	case cfg.DatabaseFile() != "":
		kind = "sqlite"
	}
	if kind == "" || len(app.Databases) == 0 || slices.Contains(app.Databases, kind) {
		return nil
	}
	return Fault{Namespace, "database.kind", quote(cmp.Or(cfg.Database.Next, cfg.Database.Kind)), fmt.Sprintf("one that the application runs on: its %s says databases: [%s]", ApplicationFile, strings.Join(app.Databases, ", "))}
}

var (
	settingName = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$`)
	extension   = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)
	// settled are the server's settings that the platform relies on, with what else is there to
	// be set; empty: nothing.
	settled = map[string]string{
		"max_connections": "database.connections", "superuser_reserved_connections": "",
		"fsync": "", "full_page_writes": "", "synchronous_commit": "", "data_sync_retry": "", "zero_damaged_pages": "", "ignore_checksum_failure": "",
		"data_directory": "", "config_file": "", "hba_file": "", "ident_file": "", "external_pid_file": "", "include": "", "include_dir": "", "include_if_exists": "",
		"listen_addresses": "", "port": "", "unix_socket_directories": "", "unix_socket_permissions": "", "unix_socket_group": "",
		"password_encryption": "", "allow_alter_system": "", "log_destination": "", "logging_collector": "",
		"dynamic_shared_memory_type": "", "shared_memory_type": "",
		"archive_mode": "", "archive_command": "", "archive_library": "", "archive_cleanup_command": "", "restore_command": "", "recovery_end_command": "", "wal_level": "",
		"primary_conninfo": "", "hot_standby": "",
	}
)

func (d Database) check(c *checker, cfg Config) {
	c.oneOf("database.kind", d.Kind, SQLite, Postgres, External)
	c.want(d.Next == "" || d.Next == Postgres && d.Kind == SQLite || d.NextVersion() != 0 && d.Kind == Postgres, "database.next", d.Next)
	_, known := DatabaseVersions[d.Version]
	c.want(known, "database.version", d.Version)
	c.want(d.Image == "" || imageName.MatchString(d.Image), "database.image", d.Image)
	c.matches("database.exporterImage", d.ExporterImage, imageName)
	c.want(d.CPUs >= 0.01, "database.cpus", d.CPUs)
	c.want(d.Memory >= 256<<20, "database.memory", d.Memory)
	c.between("database.connections", d.Connections, 20, 1000)
	c.between("database.reserve", d.Reserve, 5, 200)
	c.between("database.pool", d.Pool, 1, 100)
	c.between("database.overflow", d.Overflow, 0, 100)
	c.oneOf("database.scheme", d.Scheme, "postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg")
	for key, expression := range map[string]string{"dump": d.Dump.Cron, "archive": d.Archive.Cron} {
		_, err := cron.Parse(expression, "UTC")
		c.want(err == nil, "database."+key+".cron", expression)
	}
	c.want(d.Archive.Queue >= 64<<20, "database.archive.queue", d.Archive.Queue)
	for i, name := range d.Extensions {
		c.want(extension.MatchString(name) && !slices.Contains(d.Extensions[:i], name), "database.extensions", name)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		instead, taken := settled[name]
		switch {
		case taken && instead != "":
			c.because("database.settings", name, Namespace+":"+instead+" sets it")
		case taken:
			c.because("database.settings", name, "the data, or who gets at them, depend on it")
		case !settingName.MatchString(name) || strings.ContainsAny(d.Settings[name], "\n\r\x00"):
			c.want(false, "database.settings", name+": "+d.Settings[name])
		}
	}
	d.External.check(c, cfg)
	d.Pooler.check(c, cfg)
	if d.Kind == External {
		cfg.checkBudget(c)
	}
	if !cfg.HasPostgres() {
		return
	}
	if driver := cfg.Volumes.Driver; driver != "local" {
		c.add(Fault{Namespace, "volumes.driver", quote(driver), "local where database.kind is postgres: a PostgreSQL on a volume of another machine loses what it has written when that is away for a moment"})
	}
	for _, name := range []string{PostgresDumpSchedule, PostgresArchiveSchedule} {
		if _, taken := cfg.Schedules[name]; taken && cfg.Backup.Enabled {
			c.because("schedules", name, "the platform has one of that name where backup.enabled is true and database.kind is postgres")
		}
	}
	cfg.checkBudget(c)
}

// leastMemory is what the server may need at once: its buffers, and what each connection takes
// for itself.
func (d Database) leastMemory() Bytes {
	const eachConnection, itself = 4 << 20, 64 << 20
	return d.Memory/4 + Bytes(d.Connections)*eachConnection + itself
}

// MemoryWarning tells of a server that may run out of memory; empty: it has enough.
func (d Database) MemoryWarning() string {
	if d.leastMemory() <= d.Memory {
		return ""
	}
	return fmt.Sprintf("%s:database.memory is %s, and with all of database.connections (%d) in use PostgreSQL may need %dm: the kernel would end it then. Give it more memory, or fewer connections",
		Namespace, d.Memory, d.Connections, d.leastMemory()>>20)
}
