package config

import (
	"fmt"
	"slices"
	"strings"
)

// DatabasePooler is a PgBouncer in front of the stack's own PostgreSQL: many connections of the
// application share a few of the server's, each for as long as a transaction takes. It forbids some
// things: docs/database.md.
type DatabasePooler struct {
	// Whether there is one. It needs `kind: postgres`.
	Enabled bool `key:"enabled" allowed:"true or false; true only where database.kind is not external"`
	// How many connections to the server it opens for an account. While a password or the pooler
	// itself is replaced there may be twice as many: that and `reserve` have to fit into
	// `database.connections`.
	Connections int `key:"connections" allowed:"a whole number from 1 to 500"`
	// How many connections it takes from the application. Those that there may be at the peak of a
	// release have to fit in.
	Clients int `key:"clients" allowed:"a whole number from 10 to 10000"`
	// The most CPU that it gets, in cores. It uses one at most.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that it gets. Swap is off. 1000 clients take some 20 MB.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 32m, such as 64m"`
	// The image of pgbouncer_exporter, which runs where `monitoring.enabled` is true.
	ExporterImage string `key:"exporterImage" allowed:"an image reference"`
}

// poolersOwn is how many connections the pooler has for itself: it asks for accounts, and whether the
// server answers.
const poolersOwn = 2

func poolerDefaults() DatabasePooler {
	return DatabasePooler{Connections: 20, Clients: 500, CPUs: 0.5, Memory: 64 << 20, ExporterImage: "prometheuscommunity/pgbouncer-exporter:v0.12.0"}
}

// Pools is true where the application asks its PostgreSQL through a pooler, or will, when it is on it.
func (cfg Config) Pools() bool { return cfg.HasPostgres() && cfg.Database.Pooler.Enabled }

// Most is the most connections to the server that there may be of the pooler: of two accounts while a
// password is replaced, or of two poolers while one is.
func (p DatabasePooler) Most() int { return 2 * (p.Connections + poolersOwn) }

// Own is how many connections to the server it has beside those of accounts.
func (DatabasePooler) Own() int { return poolersOwn }

func (p DatabasePooler) check(c *checker, cfg Config) {
	c.between("database.pooler.connections", p.Connections, 1, 500)
	c.between("database.pooler.clients", p.Clients, 10, 10000)
	c.want(p.CPUs >= 0.01, "database.pooler.cpus", p.CPUs)
	c.want(p.Memory >= 32<<20, "database.pooler.memory", p.Memory)
	c.matches("database.pooler.exporterImage", p.ExporterImage, imageName)
	const direct = "DATABASE_DIRECT_URL"
	_, plain := cfg.Backend.Environment[direct]
	_, file := cfg.Backend.Environment[direct+"_FILE"]
	if cfg.Pools() && (plain || file || slices.Contains(cfg.Backend.OwnSecrets(), direct)) {
		c.because("database.pooler.enabled", fmt.Sprint(p.Enabled), "backend.environment, backend.secrets or backend.secretEnvironment has a "+direct+" of your own, which it sets")
	}
	if p.Enabled && cfg.Database.Kind == External {
		c.because("database.pooler.enabled", fmt.Sprint(p.Enabled), "who runs the database runs its pooler: give its address to the application, as the secret "+Namespace+":"+DatabaseURLSecret)
	}
}

// checkPool refuses fewer connections than there may be, to the pooler and from it.
func (cfg Config) checkPool(c *checker) {
	p := cfg.Database.Pooler
	if needed, lines := cfg.atPeak(); needed > p.Clients {
		c.add(Fault{Namespace, "database.pooler.clients", quote(p.Clients), fmt.Sprintf("at least %d: %s. Or fewer: backend.workers, database.overflow", needed, strings.Join(lines, "; "))})
	}
	if needed := p.Most() + cfg.Database.Reserve; needed > cfg.Database.Connections {
		c.add(Fault{Namespace, "database.connections", quote(cfg.Database.Connections), fmt.Sprintf("at least %d: while a password or the pooler is replaced there are twice %d connections of it "+
			"(database.pooler.connections %d, and %d of its own), which is %d; and database.reserve keeps %d. Or fewer: database.pooler.connections",
			needed, p.Connections+poolersOwn, p.Connections, poolersOwn, p.Most(), cfg.Database.Reserve)})
	}
}
