package images

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

var all = Sorted([]Named{
	{Key: []string{"nginx", "image"}, Now: "nginx:1.30"},
	{Key: []string{"backend", "image"}, Now: "registry.example:5000/app@sha256:" + strings.Repeat("1", 64)},
	{Key: []string{"monitoring", "images", "cadvisor"}, Now: "ghcr.io/google/cadvisor:v1@sha256:" + strings.Repeat("2", 64)},
	{Key: []string{"services", "db", "image"}, Now: "registry.example:5000/postgres"},
	{Key: []string{"cache", "image"}, Now: "valkey/valkey:9"},
	Base("python:3.11-slim", "python:3.11-slim"), Base("python:3.11-slim", "python:3.11-slim"),
})

// registry answers with what it has.
type registry struct {
	mu    sync.Mutex
	has   map[string]string
	asked []string
}

func (r *registry) digest(_ context.Context, name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, name)
	if digest := r.has[name]; digest != "" {
		return digest, nil
	}
	return "", errors.New("no answer")
}

func locked(t *testing.T, text string) Lock {
	t.Helper()
	lock, err := parseLock(text)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func unversioned(context.Context, string) string { return "" }

func TestAskSaysWhatIsNew(t *testing.T) {
	sum := func(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }
	r := &registry{has: map[string]string{"nginx:1.30": sum("a"), "ghcr.io/google/cadvisor:v1": sum("3"), "python:3.11-slim": sum("b"),
		"registry.example:5000/postgres:latest": sum("c"), "postgres:18": sum("d")}}
	lock := locked(t, "# mine\nnginx:1.30 "+sum("9")+" 1.30.1\npython:3.11-slim "+sum("b")+"\n")
	version := func(_ context.Context, exact string) string {
		return map[string]string{"nginx:1.30@" + sum("a"): "1.30.2", "ghcr.io/google/cadvisor:v1@" + sum("3"): "v1.2"}[exact]
	}
	var told strings.Builder
	changes, err := Ask(t.Context(), Sorted(append(slices.Clone(all), Named{Now: "postgres:18"}, Named{Now: "postgres:18"})), lock, nil, Mirrors{}, r.digest, version, &told)
	got := map[string]string{}
	for _, c := range changes {
		got[c.String()] = c.Exact + " " + c.Locked.Digest
	}
	if want := map[string]string{"nginx.image": " " + sum("a"), "services.db.image": " " + sum("c"), "postgres:18": " " + sum("d"),
		// What the stack's file has by a digest stays there.
		"monitoring.images.cadvisor": "ghcr.io/google/cadvisor:v1@" + sum("3") + " " + sum("3")}; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	// Not to know is not that there is nothing new.
	if err == nil || err.Error() != "cache.image: valkey/valkey:9: no answer" {
		t.Errorf("%v", err)
	}
	const want = `  postgres:18
    → sha256:dddddddddddd
  backend.image: registry.example:5000/app@sha256:1111111111111111111111111111111111111111111111111111111111111111
    has no tag that could mean another one
  build.baseImages["python:3.11-slim"]: python:3.11-slim
    is what its tag means
  cache.image: valkey/valkey:9
    could not be asked for
  monitoring.images.cadvisor: ghcr.io/google/cadvisor:v1@sha256:2222222222222222222222222222222222222222222222222222222222222222
    sha256:222222222222 → v1.2, sha256:333333333333
  nginx.image: nginx:1.30
    1.30.1, sha256:999999999999 → 1.30.2, sha256:aaaaaaaaaaaa
  services.db.image: registry.example:5000/postgres
    → sha256:cccccccccccc
`
	if told.String() != want {
		t.Error(told.String())
	}
}

func TestAskTakesThoseThatAreMeant(t *testing.T) {
	for _, test := range []struct{ words, want []string }{
		{[]string{"nginx.image"}, []string{"nginx:1.30"}},
		{[]string{"python:3.11-slim", "valkey/valkey:9"}, []string{"python:3.11-slim", "valkey/valkey:9"}},
		{[]string{"ghcr.io/google/cadvisor:v1"}, []string{"ghcr.io/google/cadvisor:v1"}},
		{[]string{"nginx.image", "nginx"}, nil},
	} {
		r := &registry{}
		changes, err := Ask(t.Context(), append(slices.Clone(all), Named{Now: "postgres:18"}), Lock{}, test.words, Mirrors{}, r.digest, unversioned, &strings.Builder{})
		slices.Sort(r.asked)
		if !slices.Equal(r.asked, test.want) || err == nil || len(changes) > 0 {
			t.Errorf("%v: asked for %v, %v", test.words, r.asked, err)
		}
	}
}

func TestMirrorsAreAskedInPlaceOfPublicRegistries(t *testing.T) {
	for _, m := range []Mirrors{{"mirror.example/library/", "mirror.example/ghcr/"}, {"mirror.example/library", "mirror.example/ghcr"}} {
		for name, want := range map[string]string{
			"nginx:1.30":                 "mirror.example/library/nginx:1.30",
			"prom/prometheus:v3":         "mirror.example/prom/prometheus:v3",
			"ghcr.io/google/cadvisor:v1": "mirror.example/ghcr/google/cadvisor:v1",
			"registry.example/app:1":     "registry.example/app:1",
			"localhost/app:1":            "localhost/app:1",
			"127.0.0.1:5000/app:1":       "127.0.0.1:5000/app:1",
		} {
			if got := m.of(name); got != want {
				t.Errorf("%s is at %s, want %s", name, got, want)
			}
			if got := (Mirrors{}).of(name); got != name {
				t.Errorf("without a mirror %s is at %s", name, got)
			}
		}
	}
}
