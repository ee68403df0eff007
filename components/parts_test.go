package components

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// contextOf is what the parts get to see, with what all of them offer.
func contextOf(t *testing.T, cfg config.Config) part.Context {
	t.Helper()
	c := part.Context{Config: cfg, Project: "tarot", Stack: "tarot-test", Site: part.Site{URL: "https://localhost", Hosts: []string{"Tarot.example", "localhost"}}, Host: part.Host{Local: true}, Release: part.Release{Name: "r00000000aa", Image: "tarot-backend:00000000000000aa"}}
	if cfg.BehindEdge() {
		c.Peer = part.Peer{Stack: "tarot-prod", Network: engine.Network{Name: "tarot-prod-sites", Subnet: "10.213.9.0/24"}}
	}
	parts, err := part.Collect(parts.All, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parts {
		c.Offered.Pages = append(c.Offered.Pages, d.Pages...)
		c.Offered.Routes = append(c.Offered.Routes, d.Routes...)
	}
	return c
}

// serviceOf is a service as its part describes it.
func serviceOf(t *testing.T, cfg config.Config, name string) part.Service {
	t.Helper()
	parts, err := part.Collect(parts.All, contextOf(t, cfg))
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

// A third runtime is possible for as long as nothing else knows Docker's resources.
func TestDockersResourcesAreTheRuntimesAlone(t *testing.T) {
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(repository, path)
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || name == "toolchain" || name == filepath.Join("components", "runtime")) {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range source.Imports {
			if strings.Contains(i.Path.Value, "pulumi-docker/sdk") {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
