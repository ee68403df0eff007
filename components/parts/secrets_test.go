package parts

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// secretsOf are those of all parts, in every form of a stack that has other ones.
func secretsOf(t *testing.T, change func(*config.Config)) map[string]part.Secret {
	t.Helper()
	all := map[string]part.Secret{}
	for name, form := range map[string]func(*config.Config){
		"as it is":    func(*config.Config) {},
		"a queue":     func(c *config.Config) { c.Cache.Profile = "queue" },
		"ACME":        func(c *config.Config) { c.Nginx.TLS.Mode, c.Nginx.ServerNames = "acme", []string{"shop.example"} },
		"own pooling": func(c *config.Config) { c.Database.Kind, c.Database.Pooler.Enabled = config.Postgres, true },
	} {
		c := contextWith(func(c *config.Config) {
			*c = config.Everything()
			c.Secrets = map[string]string{}
			form(c)
			change(c)
		})
		described, err := part.Collect(All, c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, d := range described {
			for _, s := range d.Secrets {
				all[s.Name] = s
			}
		}
	}
	return all
}

// Each generated secret of each part is rotated by a key that `make rotate` counts up, or says why
// not; and the number of a key is the generation of those that name it, and of no other.
func TestEachGeneratedSecretCanBeRotated(t *testing.T) {
	generated := secretsOf(t, func(*config.Config) {})
	maps.DeleteFunc(generated, func(_ string, s part.Secret) bool { return s.Length+s.Bytes == 0 && s.Stays == "" })
	if len(generated) < 12 {
		t.Fatalf("the parts have %d generated secrets: %v", len(generated), slices.Sorted(maps.Keys(generated)))
	}
	versions := map[string]int{}
	for i, of := 0, reflect.TypeFor[config.SecretVersions](); i < of.NumField(); i++ {
		versions[of.Field(i).Tag.Get("key")] = i
	}
	const first = 100
	counted := secretsOf(t, func(c *config.Config) {
		for _, i := range versions {
			reflect.ValueOf(&c.SecretVersions).Elem().Field(i).SetInt(int64(first + i))
		}
	})
	used := map[string]bool{}
	for name, s := range generated {
		if (s.Rotates == "") == (s.Stays == "") {
			t.Errorf("%s: rotated by %q, and stays for %q: one of both is to be said", name, s.Rotates, s.Stays)
		}
		i, known := versions[s.Rotates]
		if s.Rotates != "" && !known {
			t.Errorf("%s: secretVersions has no %s", name, s.Rotates)
		}
		if want := map[bool]int{true: first + i}[known]; counted[name].Version != want {
			t.Errorf("%s, rotated by %q, has the generation %d, want %d", name, s.Rotates, counted[name].Version, want)
		}
		used[s.Rotates] = true
	}
	for key := range versions {
		if !used[key] {
			t.Errorf("secretVersions.%s is of no secret", key)
		}
	}
}
