package postgres

import (
	_ "embed" // the script
	"fmt"
	"strconv"
	"strings"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

const (
	// Pooler is the name of the pooler, and so its DNS name.
	Pooler     = Name + "-pooler"
	poolerPort = 6432
	// poolerUser is `proxy` in Debian, which the server knows by this number.
	poolerUser = "13:13"
	// poolerRole is what it logs in as itself, and poolerDatabase what it calls the server's own
	// database, in which it finds the accounts.
	poolerRole     = "pooler"
	poolerDatabase = "server"
	// figures is who reads figures of it, and figuresPassword by what.
	figures         = "exporter"
	figuresPassword = "databasePoolerPassword"
)

//go:embed pooler.sh
var poolerScript string

// Bouncer is a PgBouncer between the application and the server, of which each connection is the
// application's for a transaction.
//
// It knows no password and no account: whoever logs in is looked up in the server, so that an account
// that is new is good at once, and nothing is restarted. The server believes what PgBouncer passes on of
// a login that it has seen.
type Bouncer struct{}

// Name implements part.Part.
func (Bouncer) Name() string { return Pooler }

// Spec implements part.Part.
func (Bouncer) Spec(c part.Context) (part.Spec, error) {
	if !c.Pools() {
		return part.Spec{}, nil
	}
	build := c.Pooling.Build
	s := part.Spec{
		Component: component,
		Needs:     []string{Name, Users{}.Name()},
		Services:  []part.Service{bouncer(c)},
		Images:    []part.Image{{Name: Pooler, Reference: c.Pooling.Reference, Build: &build, SetUp: c.Database.ServerImage(), Component: component}},
		Secrets:   []part.Secret{{Name: figuresPassword, Length: passwordLength, Version: c.SecretVersions.PoolerPassword, Rotates: "poolerPassword"}},
	}
	if c.RunsPostgres() {
		s.Application = addresses(c)
	}
	return s, nil
}

func bouncer(c part.Context) part.Service {
	return part.Service{
		Program: workload.Program{
			Name:    Pooler,
			Command: []string{"pgbouncer", workload.ConfigDir + "/pgbouncer.ini"},
			// Through it, by the socket that nobody else has: the server answers, and knows it. It stays when the
			// server restarts, and what waits for that waits in it.
			Health: workload.Health{
				Test: []string{"CMD", fmt.Sprintf("/usr/lib/postgresql/%d/bin/psql", c.Database.Version), "-X", "-q", "-h", "/tmp", "-p", strconv.Itoa(poolerPort),
					"-U", poolerRole, "-d", poolerDatabase, "-c", "SELECT 1"},
				Interval: 2 * time.Second, Passing: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 10,
			},
			Limits:   workload.Limits{CPUs: c.Database.Pooler.CPUs, Memory: int64(c.Database.Pooler.Memory), Key: component + ".pooler"},
			Replicas: 1,
			Logging:  c.Log(Pooler),
			User:     poolerUser,
			// It takes no more connections, waits until no transaction is open, and goes. By SIGTERM it would
			// wait for clients to leave, which a pool never does.
			StopSignal: "SIGINT",
			StopGrace:  30 * time.Second,
		},
		Image:   Pooler,
		Files:   []part.File{{Name: "pgbouncer.ini", Text: part.Plain(poolerSettings(c.Config))}, {Name: "hba.conf", Text: part.Plain(poolersClients)}},
		Secrets: []part.SecretFile{{Name: "users", Secret: figuresPassword, Make: poolersUsers}},
		Mounts: append([]part.Mount{
			{Kind: workload.Volume, Source: Socket, Target: socketFolder, ReadOnly: true},
			{Kind: workload.Tmpfs, Target: "/tmp"},
		}, inPlaceOfImages(c.Database.Version, "")...),
		Networks: []string{part.Inner},
		After:    []string{Users{}.Name()}, // which makes its account
	}
}

// poolersClients says who is let in to the pooler: accounts that the server knows, and who reads figures. The
// socket is in the container's own memory.
const poolersClients = `# TYPE  DATABASE   USER      ADDRESS  METHOD
local   server     pooler             trust
host    app        all       all      scram-sha-256
host    pgbouncer  exporter  all      scram-sha-256
`

// poolersUsers are those that the pooler knows without the server: itself, and who reads figures.
func poolersUsers(password string) (string, error) {
	made, err := Verifier(password)
	return fmt.Sprintf("%q %q\n%q %q\n", poolerRole, "", figures, made), err
}

// poolerSettings is pgbouncer.ini.
func poolerSettings(cfg config.Config) string {
	p := cfg.Database.Pooler
	server := fmt.Sprintf("host=%s port=%d", socketFolder, Port)
	return strings.Join([]string{
		"[databases]",
		fmt.Sprintf("%s = %s dbname=%s pool_size=%d", database, server, database, p.Connections),
		fmt.Sprintf("%s = %s dbname=postgres user=%s pool_size=%d", poolerDatabase, server, poolerRole, p.Own()),
		"",
		"[pgbouncer]",
		"listen_addr = *",
		fmt.Sprintf("listen_port = %d", poolerPort),
		"unix_socket_dir = /tmp",
		"auth_type = hba",
		"auth_hba_file = " + workload.ConfigDir + "/hba.conf",
		"auth_file = " + workload.SecretDir + "/users",
		"auth_user = " + poolerRole,
		"auth_dbname = " + poolerDatabase,
		"auth_query = SELECT role, verifier FROM pooler.verifier($1)",
		"stats_users = " + figures,
		"pool_mode = transaction",
		fmt.Sprintf("max_client_conn = %d", p.Clients+poolersGuests),
		"max_prepared_statements = 200", // of the protocol, which it makes anew where they are not known
		// Timeouts that drivers ask for when they log in, and extra_float_digits, which changes nothing since
		// PostgreSQL 12. What else can't be kept is refused, and not forgotten.
		"ignore_startup_parameters = extra_float_digits, statement_timeout, lock_timeout, idle_in_transaction_session_timeout",
		"query_wait_timeout = 30",
		"client_login_timeout = 30",
		"server_connect_timeout = 5",
		"server_login_retry = 1",
		"server_idle_timeout = 60", // an earlier account's go soon
		"tcp_keepidle = 60",
		"log_connections = 0",
		"log_disconnections = 0",
		"log_stats = 0",
	}, "\n") + "\n"
}

// poolersGuests are clients that are none of the application's: the health check, the exporter.
const poolersGuests = 5
