package compose

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/config/configtest"
	"tarot-platform/internal/console"
	"tarot-platform/internal/golden"
)

// marker is in every secret of the projects in testdata.
const marker = "s3cr3t"

func options(root string) Options {
	return Options{Stack: "shop", Prefix: "tarot-shop", Root: root, Subnets: [3]string{"10.213.9.0/24", "10.213.10.0/24", "10.213.11.0/24"}}
}

// imported is the project in the current folder.
func imported(t *testing.T, files []string, change ...func(*Options)) Result {
	t.Helper()
	project, err := Load(t.Context(), Source{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	o := options(root)
	for _, c := range change {
		c(&o)
	}
	result, err := Import(project, o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// accepted is what the written file means to the platform, once its secrets are set.
func accepted(t *testing.T, r Result, path string) config.Config {
	t.Helper()
	raw := configtest.Raw(t, configtest.Tree(t, path))
	for _, s := range r.Secrets {
		raw[config.Namespace+":"+s.Name] = s.Value()
	}
	cfg, err := config.Load(raw)
	if err != nil {
		t.Errorf("the stack file is refused: %v", err)
	}
	return cfg
}

// Projects in the shapes that people have: each becomes a stack file that the platform
// accepts, and no password of theirs is in it, or told.
func TestProjectsAsPeopleHaveThem(t *testing.T) {
	for _, test := range []struct {
		name, file string
		change     func(*Options)
	}{
		{"fastapi", "compose.yaml", func(*Options) {}},
		{"django", "docker-compose.yml", func(*Options) {}},
		{"flask", "docker-compose.yml", func(*Options) {}},
		{"node", "compose.yaml", func(o *Options) { o.Keep = []string{"sessions"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(filepath.Join("testdata", test.name))
			r := imported(t, []string{test.file}, test.change)
			path := filepath.Join(t.TempDir(), "Pulumi.shop.yaml")
			if err := r.Write(path, []string{test.file}); err != nil {
				t.Fatal(err)
			}
			written, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var told bytes.Buffer
			Told{Result: r, Stack: "shop", File: path, Again: "go run ./cmd/stack import " + test.file + " --stack shop", Files: []string{test.file}}.Print(console.Console{To: &told})
			if strings.Contains(string(written), marker) || strings.Contains(told.String(), marker) {
				t.Errorf("a password is shown:\n%s\n%s", written, told.String())
			}
			if len(r.Secrets) == 0 || !slices.ContainsFunc(r.Secrets, func(s Secret) bool { return strings.Contains(s.Value(), marker) }) {
				t.Errorf("secrets: %+v", r.Secrets)
			}
			accepted(t, r, path)
			golden.Check(t, "Pulumi.shop.yaml", string(written))
			golden.Check(t, "told.txt", told.String())
		})
	}
}
