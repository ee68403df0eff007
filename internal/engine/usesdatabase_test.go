package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/config"
)

// usesOf are those of a stack of the sample.
func usesOf(change func(*config.Config)) []Use {
	cfg := config.Defaults()
	change(&cfg)
	return Uses(cfg, config.Application{Name: "tarot"}, "tarot-dev", "tarot")
}

func onPostgres(version int) func(*config.Config) {
	return func(c *config.Config) { c.Database.Kind, c.Database.Version = config.Postgres, version }
}

func onFile(c *config.Config)     {}
func elsewhere(c *config.Config)  { c.Backend.DatabaseURL = "postgresql://db.example/x" }
func otherFile(c *config.Config)  { c.Backend.DatabaseURL = "sqlite:///./data/other.db" }
func leftBehind(uses []Use) []Use { uses[len(uses)-1].Kind = kindLeft; return uses }

func TestAnotherDatabaseThanTheDataAreIn(t *testing.T) {
	const anew = "to begin with an empty database, and leave the data where they are: docker volume rm tarot-dev-uses-"
	for name, test := range map[string]struct {
		marks []Use
		wants func(*config.Config)
		want  string // empty: it may be
	}{
		"nothing is known":                {nil, onPostgres(18), ""},
		"a file, as before":               {usesOf(onFile), onFile, ""},
		"another file":                    {usesOf(onFile), otherFile, ""},
		"from a file to elsewhere":        {usesOf(onFile), elsewhere, ""},
		"from elsewhere to a PostgreSQL":  {usesOf(elsewhere), onPostgres(18), ""},
		"a PostgreSQL, as before":         {usesOf(onPostgres(18)), onPostgres(18), ""},
		"from a file to a PostgreSQL":     {usesOf(onFile), onPostgres(18), `tarot:database.kind: "postgres" can not be, as this stack's data are in the file /app/data/prod.db, and a PostgreSQL begins without them; allowed: sqlite; ` + "`make database-move`" + `, which brings them along; or, ` + anew + "tarot_db_data tarot-dev-uses-"},
		"from a PostgreSQL to a file":     {usesOf(onPostgres(18)), onFile, `tarot:database.kind: "sqlite" can not be, as this stack's data are in its PostgreSQL, in the volume tarot-dev-postgres, and the application would not find them; allowed: postgres; ` + "`make database-move TO=sqlite`" + `, which brings them along; or, ` + anew + "tarot-dev-postgres"},
		"from a PostgreSQL to elsewhere":  {usesOf(onPostgres(18)), elsewhere, `tarot:database.kind: "another" can not be`},
		"a newer version":                 {usesOf(onPostgres(17)), onPostgres(18), `tarot:database.version: "18" can not be, as the volume tarot-dev-postgres has this stack's data in PostgreSQL 17, which another version does not read; allowed: 17; ` + "`make database-upgrade`, which brings them along"},
		"an older version":                {usesOf(onPostgres(18)), onPostgres(17), `tarot:database.version: "17" can not be`},
		"what was left":                   {leftBehind([]Use{databaseUse(config.Config{Database: config.Database{Version: 18}}, Use{Stack: "tarot-dev", Project: "tarot"})}), onFile, ""},
		"of another stack":                {[]Use{{Volume: "x", Kind: kindData, Stack: "tarot-prod", Project: "tarot", Database: "/app/data/prod.db"}}, onPostgres(18), ""},
		"a file's mark beside a database": {append(usesOf(onFile), databaseUse(config.Config{Database: config.Database{Version: 18}}, Use{Stack: "tarot-dev", Project: "tarot"})), onPostgres(18), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAPI{volumes: named("tarot_db_data", "tarot-dev-postgres")}
			for _, m := range test.marks {
				f.volumes = append(f.volumes, &volume.Volume{Name: m.mark(), Labels: m.labels()})
			}
			_, faults, err := (&Engine{api: f}).CheckUses(t.Context(), usesOf(test.wants))
			said := errors.Join(faults...)
			if err != nil || (said != nil) != (test.want != "") || said != nil && !strings.HasPrefix(said.Error(), test.want) {
				t.Errorf("%v, %v, want %s", err, said, test.want)
			}
			// What is gone is no reason.
			f.volumes = f.volumes[2:]
			if _, faults, err := (&Engine{api: f}).CheckUses(t.Context(), usesOf(test.wants)); err != nil || len(faults) > 0 {
				t.Errorf("without volumes: %v, %v", err, faults)
			}
		})
	}
}

// A volume outlives its stack, and another application may come by the stack's name.
func TestThePostgresOfAnotherApplication(t *testing.T) {
	of := usesOf(onPostgres(18))
	f := &fakeAPI{volumes: named("tarot-dev-postgres")}
	for _, m := range of {
		if m.Kind == kindDatabase {
			m.Application = "shop"
			f.volumes = append(f.volumes, &volume.Volume{Name: m.mark(), Labels: m.labels()})
		}
	}
	_, faults, err := (&Engine{api: f}).CheckUses(t.Context(), of)
	if said := errors.Join(faults...); err != nil || said == nil || !strings.HasPrefix(said.Error(), `tarot:database.kind: "tarot-dev-postgres" holds postgresql-18 of the application "shop"`) ||
		!strings.Contains(said.Error(), "allowed: another name for the stack; or") {
		t.Errorf("%v, %v", err, faults)
	}
}

// Where the stack has another database by now, the mark says that data were left.
func TestTheMarkOfAPostgresStays(t *testing.T) {
	var mark Use
	for _, u := range usesOf(onPostgres(18)) {
		if u.Kind == kindDatabase {
			mark = u
		}
	}
	f := &fakeAPI{volumes: append(named("tarot-dev-postgres"), &volume.Volume{Name: mark.mark(), Labels: mark.labels()})}
	if err := (&Engine{api: f}).MarkUses(t.Context(), usesOf(onFile), false); err != nil {
		t.Fatal(err)
	}
	for _, v := range f.volumes {
		if v.Name == mark.mark() && v.Labels[kindLabel] == kindLeft && v.Labels[databaseLabel] == "postgresql-18" {
			return
		}
	}
	t.Errorf("%+v", f.volumes)
}
