package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// logins says who is let in: by the socket who is somebody in the server's own image, and by the
// network the application, which is none of them.
const logins = `# TYPE  DATABASE  USER      ADDRESS  METHOD
local   all       postgres           peer map=users
local   all       exporter           peer map=users
host    app       +app      all      scram-sha-256
host    all       all       all      reject
`

// poolersLogins come before these where there is a pooler, which asks by the socket: as itself, and as
// an account that has logged in to it.
const poolersLogins = `# TYPE  DATABASE  USER      ADDRESS  METHOD
local   postgres  pooler             peer map=users
local   app       +app               scram-sha-256
`

// poolersIdentity comes after the others then.
const poolersIdentity = `users   proxy     pooler
`

// letIn are the files that say who is let in.
func letIn(c part.Context) (hba, ident string) {
	if c.Pools() {
		return poolersLogins + logins, identities + poolersIdentity
	}
	return logins, identities
}

// identities say which role a user of the image is, by the name that the image has for its number:
// the server's own, its accounts' and its backups', and the exporter's.
const identities = `# MAP   USER      ROLE
users   postgres  postgres
users   nobody    exporter
`

// Settings is postgresql.conf. A quarter of the memory is for what all share; what a connection
// takes for itself is small, as there may be many at once.
func Settings(d config.Database) string {
	const mb = 1 << 20
	memory := int64(d.Memory)
	share := func(percent, least int64) string {
		return fmt.Sprintf("%dMB", max(memory*percent/100/mb, least))
	}
	lines := []string{
		"listen_addresses = '*'",
		fmt.Sprintf("port = %d", Port),
		"unix_socket_directories = '" + socketFolder + "'",
		fmt.Sprintf("max_connections = %d", d.Connections),
		"superuser_reserved_connections = 3",
		"shared_buffers = " + share(25, 32),
		"effective_cache_size = " + share(60, 64),
		fmt.Sprintf("work_mem = %dMB", max(memory*15/100/int64(d.Connections)/mb, 4)),
		"maintenance_work_mem = " + share(6, 16),
		"dynamic_shared_memory_type = posix",
		"max_wal_size = 1GB",
		"min_wal_size = 80MB",
		"wal_compression = lz4",
		"max_slot_wal_keep_size = 2GB", // a slot that somebody has forgotten fills no disk
		"password_encryption = scram-sha-256",
		"jit = off",
		"log_destination = stderr",
		"logging_collector = off",
		"log_line_prefix = '%m [%p] %u %a '",
		"log_min_duration_statement = 1s",
		"log_parameter_max_length = 0", // what users have said is in no log
		"log_parameter_max_length_on_error = 0",
		"log_lock_waits = on",
		"log_checkpoints = off",
		"log_timezone = UTC",
		"timezone = UTC",
		"idle_in_transaction_session_timeout = 5min",
		"tcp_keepalives_idle = 60",
		"client_connection_check_interval = 10s",
	}
	if d.Version >= 18 {
		lines = append(lines, "io_method = worker") // engines refuse io_uring
	}
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		lines = append(lines, name+" = "+quoted(d.Settings[name]))
	}
	return strings.Join(lines, "\n") + "\n"
}

// quoted is a value as the server reads it.
func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}
