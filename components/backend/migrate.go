package backend

import (
	"maps"
	"slices"
	"time"

	"tarot-platform/components/part"
)

// onlyNewScript runs the migration where there is no database. It looks into the
// volume itself: that nothing runs, or that no record tells of it, says nothing of the
// data in there.
const onlyNewScript = `if [ -s "$1" ]; then
  echo "$1 is there: a release that has run before leaves its schema as it is"
  exit 0
fi
shift
exec "$@"
`

// migrationTime is how long a migration may take.
const migrationTime = 15 * time.Minute

// migration is a replica with another command, which comes after what a replica comes after: its
// account in the database, say. What has no effect on it is left out, or it would run again for
// every such change. It goes past a pooler, as a session is nobody's there: a lock that it holds, say.
//
// A pinned release has run before. What the database was brought to since then is not its
// business: only one that is not there yet is migrated. Whether it is, can't be seen where
// it is in no file.
func migration(c part.Context, replica part.Service) []part.Job {
	command, file := c.Backend.Migrate, c.DatabaseFile()
	if len(command) == 0 || c.Release.Pinned && (c.Release.Migrated || file == "") {
		return nil
	}
	s := replica
	s.Name, s.Logging = "migrate", c.Log("migrate")
	s.Command = command
	if c.Release.Pinned {
		s.Command = slices.Concat([]string{"/bin/sh", "-c", onlyNewScript, s.Name, file}, command)
	}
	s.Secrets = secretFiles(c, true)
	s.Environment = maps.Clone(s.Environment)
	for _, name := range []string{"HOST", "PORT", "WORKERS", "WEB_CONCURRENCY", "GRACEFUL_TIMEOUT", "FORWARDED_ALLOW_IPS", "DEBUGGER_PORT", "MIGRATE_ON_START", "DEBUG"} {
		delete(s.Environment, name)
	}
	s.Ports = nil
	return []part.Job{{Service: s, Within: migrationTime}}
}
