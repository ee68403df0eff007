package backup

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// onPostgres is a stack with a PostgreSQL of its own, of which the application is told.
func onPostgres(c *part.Context) {
	c.Database.Kind = config.Postgres
	c.Backend.Aliases = map[string]string{"DATABASE": "DATABASE_URL"}
	c.Offered.Application = []part.Variable{{Name: "DATABASE_URL", Secret: DatabasePassword, Export: true, Make: func(word string) (string, error) { return word, nil }}}
	c.Offered.Volumes = append(c.Offered.Volumes, part.Volume{Name: DumpVolume, Backup: true, Owner: "999:999"})
}

// The release finds the rehearsal's server in place of the live one, by whatever name it knows the
// address, and is told nothing that opens that.
func TestTheReleaseStandsOnAnotherServer(t *testing.T) {
	room := services(t, with(onPostgres))[standing]
	for _, name := range []string{"DATABASE_URL", "DATABASE"} {
		if got := room.Environment[name]; got != "postgresql://app:app@127.0.0.1:5432/app" {
			t.Errorf("%s is %q", name, got)
		}
	}
	if slices.ContainsFunc(room.Secrets, func(f part.SecretFile) bool { return f.Secret == DatabasePassword }) || len(room.Networks) > 0 || !room.Isolated {
		t.Errorf("it could reach the live one: %+v", room.Secrets)
	}
	if words := strings.Join(room.Before, " "); !strings.Contains(words, "--server=/run/rehearsal/socket/.s.PGSQL.5432") || strings.Contains(words, "--database") {
		t.Error(words)
	}
	if m, there := mounted(room, roomFolder); !there || m.Source != RoomVolume || !m.ReadOnly {
		t.Errorf("%+v", room.Mounts)
	}
}

func TestACopyIsBackedUpWhileItIsNewEnough(t *testing.T) {
	c := with(onPostgres)
	all := services(t, c)
	if words := strings.Join(all[filesService].Command, " "); !strings.Contains(words, "--dump=/source/postgres-dump --dump-age=26h0m0s") || strings.Contains(words, "--database") {
		t.Error(words)
	}
	if s := all[filesService]; s.User != "0:0" { // it is another user's
		t.Errorf("it can't read the copy: %s", s.User)
	}
	if words := strings.Join(all[rehearsalService].Command, " "); !strings.Contains(words, "--dump=/source/postgres-dump --room=/run/rehearsal") {
		t.Error(words)
	}
	c.Database.Dump.Cron = "0 2 * * 0"
	if words := strings.Join(services(t, c)[filesService].Command, " "); !strings.Contains(words, "--dump-age=170h0m0s") {
		t.Error(words)
	}
}
