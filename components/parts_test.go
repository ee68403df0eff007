package components

import (
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// contextOf is what the parts get to see, with what all of them offer.
func contextOf(t *testing.T, cfg config.Config) part.Context {
	t.Helper()
	c := part.Context{Config: cfg, Stack: "tarot-test", Site: part.Site{URL: "https://localhost"}, Release: part.Release{Name: "r00000000aa", Image: "tarot-backend:00000000000000aa"}}
	parts, err := part.Collect(Parts, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parts {
		c.Offered.Routes = append(c.Offered.Routes, d.Routes...)
	}
	return c
}

// serviceOf is a service as its part describes it.
func serviceOf(t *testing.T, cfg config.Config, name string) part.Service {
	t.Helper()
	parts, err := part.Collect(Parts, contextOf(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parts {
		for _, s := range d.Services {
			if s.Name == name {
				return s
			}
		}
	}
	t.Fatalf("there is no service %s", name)
	return part.Service{}
}
