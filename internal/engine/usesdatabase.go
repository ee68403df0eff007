package engine

import (
	"fmt"
	"slices"
	"strings"

	"tarot-platform/internal/config"
)

// kindDatabase is of the volume of a stack's own PostgreSQL.
const kindDatabase = "database"

// ofPostgres begins what a mark says of one, before the version.
const ofPostgres = "postgresql-"

// databaseUse is what a stack has its PostgreSQL's volume for.
func databaseUse(cfg config.Config, like Use) Use {
	like.Volume, like.Kind, like.Database = config.PostgresVolume(like.Stack), kindDatabase, fmt.Sprintf("%s%d", ofPostgres, cfg.Database.Version)
	return like
}

// inUse are those of a stack's that tell where its database is: the one of a PostgreSQL, and where
// there is none those that tell of a file. A volume that is gone holds none.
func inUse(all []Use, stack string, there func(volume string) bool) (found []Use) {
	for _, u := range all {
		if u.Stack == stack && u.Database != "" && u.Kind != kindLeft {
			found = append(found, u)
		}
	}
	if i := slices.IndexFunc(found, func(u Use) bool { return u.Kind == kindDatabase }); i >= 0 {
		found = found[i : i+1]
	}
	if slices.ContainsFunc(found, func(u Use) bool { return (u.Kind == kindDatabase || u.Kind == kindData) && !there(u.Volume) }) {
		return nil
	}
	return found
}

// checkDatabase refuses another kind of database, or another version, than the stack's data are in:
// the application would begin on one that is empty, or on what was left long ago, and nobody would
// see that before users do.
func checkDatabase(there map[string]bool, marks, wanted []Use) error {
	had := inUse(marks, wanted[0].Stack, func(volume string) bool { return there[volume] })
	wants := inUse(wanted, wanted[0].Stack, func(string) bool { return true })
	if len(had) == 0 {
		return nil
	}
	before, after := had[0].Database, ""
	if len(wants) > 0 {
		after = wants[0].Database
	}
	was, is := strings.HasPrefix(before, ofPostgres), strings.HasPrefix(after, ofPostgres)
	var names []string
	for _, m := range had {
		names = append(names, m.mark())
	}
	empty := "to begin with an empty database, and leave the data where they are: docker volume rm " + strings.Join(names, " ")
	switch {
	case was && is && before != after:
		version := strings.TrimPrefix(before, ofPostgres)
		allowed := version
		if version < strings.TrimPrefix(after, ofPostgres) {
			allowed += "; `make database-upgrade`, which brings them along"
		}
		return fault("database.version", strings.TrimPrefix(after, ofPostgres), fmt.Sprintf("can not be, as the volume %s has this stack's data in PostgreSQL %s, which another version does not read", had[0].Volume, version), allowed)
	case was && !is:
		now := config.SQLite
		if after == "" { // an address: of which kind, is not in what it has
			now = "another"
		}
		return fault("database.kind", now, fmt.Sprintf("can not be, as this stack's data are in its PostgreSQL, in the volume %s, and the application would not find them", had[0].Volume), config.Postgres+"; `make database-move TO=sqlite`, which brings them along; or, "+empty)
	case !was && is:
		return fault("database.kind", config.Postgres, fmt.Sprintf("can not be, as this stack's data are in the file %s, and a PostgreSQL begins without them", before), config.SQLite+"; `make database-move`, which brings them along; or, "+empty)
	}
	return nil
}
