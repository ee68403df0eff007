package components

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/postgres"
	"tarot-platform/internal/config"
)

// databaseWord is what the application's account is made with.
const databaseWord = "generated-for-credentials-database-password"

func TestThePasswordOfAPostgresIsNowhereInTheClear(t *testing.T) {
	verifier, err := postgres.Verifier(databaseWord)
	if err != nil {
		t.Fatal(err)
	}
	holders := map[string][]string{ // of the password itself, and of what is made of it
		databaseWord: {"backend-files", "migrate", "backend-database_url", "backend-candidate-database_url"},
		verifier:     {"postgres-users", "postgres-users-only"},
	}
	for _, name := range []string{"prod, watched", "containers, watched"} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, onPostgres), up)
			found := map[string]int{}
			for _, x := range r.all {
				texts(x.In, false, func(text string, isSealed bool) {
					for word, known := range holders {
						if !strings.Contains(text, word) {
							continue
						}
						found[word]++
						if !isSealed || !slices.Contains(known, strings.TrimPrefix(x.Name, "tarot-test-")) {
							t.Errorf("%s %s has %s, sealed %v", x.Type, x.Name, word, isSealed)
						}
					}
				})
				for _, key := range []string{"envs", "command", "entrypoints", "labels"} {
					texts(x.at(key), true, func(text string, _ bool) {
						if strings.Contains(text, databaseWord) || strings.Contains(text, "SCRAM") {
							t.Errorf("%s %s tells %s in its %s", x.Type, x.Name, text, key)
						}
					})
				}
			}
			if len(found) != len(holders) {
				t.Errorf("some reach no container: %v", found)
			}
		})
	}
}

// The volume is looked at before the server is touched, users wait for the account, and an earlier
// one goes last.
func TestTheApplicationComesBetweenTwoAccounts(t *testing.T) {
	for name, names := range map[string][2]string{
		"prod":               {"service tarot-test-postgres ", "service tarot-test-backend "},
		"prod as containers": {"container tarot-test-postgres-1 ", "container tarot-test-backend-1 "},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, onPostgres), up)
			last := -1
			for _, what := range []string{"job tarot-test-postgres-layout ", names[0], "job tarot-test-postgres-users ", "job tarot-test-migrate ", names[1], "job tarot-test-postgres-users-only "} {
				place := slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, what) })
				if place <= last {
					t.Errorf("%s is at %d, after %d: %q", what, place, last, r.engine.asked)
				}
				last = place
			}
			if last != len(r.engine.asked)-1 {
				t.Errorf("something comes after the earlier account has gone: %q", r.engine.asked)
			}
		})
	}
}

// A volume that the server must not have is found while the one of before runs.
func TestAVolumeThatIsRefusedTouchesNoServer(t *testing.T) {
	for _, name := range []string{"prod", "prod as containers"} {
		inProject(t)
		r := deploy(stack(t, name, onPostgres), &recorder{}, &fakeEngine{failures: map[string]error{"tarot-test-postgres-layout": fmt.Errorf("the volume has PostgreSQL 17")}})
		if r.err == nil || !strings.Contains(r.err.Error(), "the volume has PostgreSQL 17") || r.has("Container tarot-test-postgres-1") || r.has("Service tarot-test-postgres") {
			t.Errorf("%s: %v", name, r.err)
		}
	}
}

// Another generation is another account for the application, and the server's own description stays.
func TestAnAccountIsReplacedWithoutTheServer(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod, watched", "containers, watched"} {
		graphs := map[int]map[string]string{}
		for _, version := range []int{0, 1} {
			r := succeed(t, stack(t, name, onPostgres, func(c *config.Config) { c.SecretVersions.DatabasePassword = version }), up)
			graphs[version] = map[string]string{}
			for _, x := range r.all {
				graphs[version][x.Type+" "+x.Name] = fmt.Sprint(x.In)
			}
		}
		var changed []string
		for key, before := range graphs[0] {
			if graphs[1][key] != before {
				changed = append(changed, key[strings.LastIndex(key, ":")+1:])
			}
		}
		slices.Sort(changed)
		// All else follows from this one by its value, which a test's is the same; the facts tell of the update.
		if want := []string{"Container tarot-test-monitoring-facts", "RandomPassword credentials-database-password"}; !slices.Equal(changed, want) {
			t.Errorf("%s: %q", name, changed)
		}
	}
}

// Whoever has the server's socket, and its user's number, is superuser.
func TestTheSocketIsForThePostgresAlone(t *testing.T) {
	cfg := config.Everything()
	cfg.Backend.Migrate = []string{"migrate"}
	all, err := part.Collect(parts.All, contextOf(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	look := func(s part.Service) {
		if slices.ContainsFunc(s.Mounts, func(m part.Mount) bool { return m.Source == postgres.Socket }) {
			have = append(have, s.Name+" "+s.User)
		}
	}
	for _, d := range all {
		for _, s := range d.Services {
			look(s)
		}
		for _, j := range d.Jobs {
			look(j.Service)
		}
	}
	slices.Sort(have)
	if want := []string{"cron-postgres-archive 999:999", "cron-postgres-dump 999:999", "postgres 999:999", "postgres-exporter 65534:65534", "postgres-stanza 999:999", "postgres-users 999:999", "postgres-users-only 999:999"}; !slices.Equal(have, want) {
		t.Errorf("%q", have)
	}
}

// A database in no file is left as it is by a release that is returned to.
func TestAReleaseThatIsReturnedToMigratesNoPostgres(t *testing.T) {
	inProject(t)
	if r := deployPinned(stack(t, "prod", onPostgres), &recorder{}, &fakeEngine{}); r.err != nil || r.has("Container tarot-test-migrate") {
		t.Errorf("%v", r.err)
	}
}

// A server that is ready beside is the one that users get: nothing of it is exchanged behind the maintenance page.
func TestTheSwitchOfAMoveLeavesTheServerAlone(t *testing.T) {
	for _, name := range []string{"prod, watched", "containers, watched"} {
		for _, backups := range []bool{false, true} {
			inProject(t)
			graph := func(kind, next string) *run {
				return succeed(t, stack(t, name, func(c *config.Config) {
					c.Database.Kind, c.Database.Next, c.Backup.Enabled = kind, next, backups
				}), up)
			}
			beside, users := graph(config.SQLite, config.Postgres), graph(config.Postgres, "")
			compared := 0
			for _, x := range users.all {
				of := strings.TrimPrefix(x.Name, "tarot-test-")
				serves := strings.HasPrefix(of, "postgres") && !strings.HasPrefix(of, "postgres-exporter") ||
					strings.HasPrefix(of, "own-postgres-archive") || strings.HasPrefix(of, "cron-postgres-archive") || strings.HasPrefix(of, "rehearsal-postgres")
				if !serves {
					continue
				}
				compared++
				i := slices.IndexFunc(beside.all, func(o registration) bool { return o.Type == x.Type && o.Name == x.Name })
				if i < 0 {
					t.Errorf("%s, backups %v: %s %s is made behind the page", name, backups, x.Type, x.Name)
				} else if before := fmt.Sprint(beside.all[i].In); before != fmt.Sprint(x.In) {
					t.Errorf("%s, backups %v: %s %s is exchanged behind the page:\n%s\n%v", name, backups, x.Type, x.Name, before, x.In)
				}
			}
			if least := map[bool]int{false: 4, true: 8}[backups]; compared < least {
				t.Errorf("%s, backups %v: only %d are compared", name, backups, compared)
			}
		}
	}
}

// What follows a release runs two parts at a time: one whose job is to end before another's has to be needed by that.
func TestWhatFollowsNeedsWhatItComesAfter(t *testing.T) {
	cfg := config.Everything()
	cfg.Database.Kind, cfg.Cache.Profile, cfg.Backup.Enabled = config.Postgres, "queue", true
	all, err := part.Collect(parts.All, part.Context{Config: cfg, Stack: "tarot-test", Release: part.Release{Image: "a:1"}, Site: part.Site{URL: "https://localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, d := range all {
		for _, j := range d.Jobs {
			if d.Follows {
				by[j.Name] = d.Name
			}
		}
	}
	found := 0
	for _, d := range all {
		services := slices.Clone(d.Services)
		for _, j := range d.Jobs {
			services = append(services, j.Service)
		}
		for _, s := range services {
			for _, job := range s.After {
				if of := by[job]; of != "" && of != d.Name {
					if found++; !slices.Contains(d.Needs, of) {
						t.Errorf("%s of %s comes after %s of %s, which it does not need", s.Name, d.Name, job, of)
					}
				}
			}
		}
	}
	if found == 0 {
		t.Error("nothing is looked at")
	}
}
