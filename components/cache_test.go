package components

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// What is made with the passwords of a Valkey.
const (
	cacheWord    = "generated-for-credentials-cache-password"
	exporterWord = "generated-for-credentials-cache-exporter-password"
	adminWord    = "generated-for-credentials-cache-admin-password"
	healthWord   = "generated-for-credentials-cache-health-password"
)

func TestPasswordsOfAValkeyAreNowhereInTheClear(t *testing.T) {
	holders := map[string][]string{
		cacheWord:    {"backend-files", "migrate", "valkey-users", "valkey-users-only", "backend-redis_url", "backend-candidate-redis_url"},
		exporterWord: {"valkey-users", "valkey-users-only", "valkey-exporter-files", "valkey-exporter-passwords"},
		adminWord:    {"valkey-users", "valkey-users-only", "valkey-files", "valkey-admin"},
		healthWord:   {"valkey-files", "valkey-health"},
	}
	for _, name := range []string{"prod, watched", "containers, watched"} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, cached("queue")), up)
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
						if strings.Contains(text, "cache-") && strings.Contains(text, "generated-for") {
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

// Users wait for it in this order, and an earlier password goes last.
func TestTheApplicationComesBetweenTwoPasswords(t *testing.T) {
	for name, names := range map[string][2]string{
		"prod, watched":       {"service tarot-test-valkey ", "service tarot-test-backend "},
		"containers, watched": {"container tarot-test-valkey-1 ", "container tarot-test-backend-1 "},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, cached("cache")), up)
			last := -1
			for _, what := range []string{names[0], "job tarot-test-valkey-users ", names[1], "job tarot-test-valkey-users-only "} {
				place := slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, what) })
				if place <= last {
					t.Errorf("%s is at %d, after %d: %q", what, place, last, r.engine.asked)
				}
				last = place
			}
			if last != len(r.engine.asked)-1 {
				t.Errorf("something comes after the earlier password has gone: %q", r.engine.asked)
			}
		})
	}
}

// Another generation is another password for the application and for what watches, and the
// server's own description stays as it is.
func TestAPasswordIsReplacedWithoutTheServer(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod, watched", "containers, watched"} {
		graphs := map[int]map[string]string{}
		for _, version := range []int{0, 1} {
			r := succeed(t, stack(t, name, cached("queue"), func(c *config.Config) { c.SecretVersions.CachePassword = version }), up)
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
		// All else follows from these two by their values, which a test's are the same; the facts tell of the update.
		if want := []string{"Container tarot-test-monitoring-facts", "RandomPassword credentials-cache-exporter-password", "RandomPassword credentials-cache-password"}; !slices.Equal(changed, want) {
			t.Errorf("%s: %q", name, changed)
		}
	}
}
