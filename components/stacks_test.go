package components

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/config/configtest"
)

// repository is where the stack files are, whatever a test's folder is.
var repository = func() string {
	folder, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return folder
}()

// inProject moves to a folder with an application, and a second one.
func inProject(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, folder := range []string{"app", "second"} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(folder+"/Dockerfile", []byte("FROM scratch\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// stackFile loads a stack's committed configuration, changes it and checks that
// it is still valid.
func stackFile(t *testing.T, name string, changes ...func(*config.Config)) config.Config {
	t.Helper()
	raw := configtest.Raw(t, configtest.Tree(t, filepath.Join(repository, "Pulumi."+name+".yaml")))
	cfg, err := config.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	cfg = cfg.With(config.Application{Migrate: []string{"./migrate"}, Smoke: config.Smoke{Read: "/cards"}})
	cfg.Monitoring.Enabled, cfg.Backup.Enabled = false, false // unless they are asked for
	for _, change := range changes {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func asContainers(c *config.Config) { c.Runtime = "containers" }

func behindNginx(c *config.Config) { c.Nginx.Enabled = true }

func watched(c *config.Config) { c.Monitoring.Enabled = true }

// ownKey is as long as it has to be.
const ownKey = "own-jwt-key-of-thirty-two-bytes-and-more"

// ownSecrets sets what users can set themselves.
func ownSecrets(c *config.Config) {
	c.Backend.Secrets = []string{"API_KEY"}
	c.Secrets = map[string]string{"jwtSecretKey": ownKey, "adminPassword": "own-password", "API_KEY": "own-api-key",
		"databaseUrl": "postgresql://tarot:own-word@db.example/tarot"}
}

// stacks are the stack files as they are committed and with the switches that
// change the graph.
var stacks = map[string]struct {
	file    string
	changes []func(*config.Config)
}{
	"dev":                   {"dev", nil},
	"prod":                  {"prod", nil},
	"prod as containers":    {"prod", []func(*config.Config){asContainers}},
	"dev behind nginx":      {"dev", []func(*config.Config){behindNginx}},
	"prod with own secrets": {"prod", []func(*config.Config){ownSecrets}},
	"prod, watched":         {"prod", []func(*config.Config){watched}},
	"containers, watched":   {"prod", []func(*config.Config){asContainers, watched}},
	"dev, watched":          {"dev", []func(*config.Config){watched}},
}

// stack loads one of stacks, with further changes.
func stack(t *testing.T, name string, changes ...func(*config.Config)) config.Config {
	t.Helper()
	s, ok := stacks[name]
	if !ok {
		t.Fatalf("there is no stack %q", name)
	}
	return stackFile(t, s.file, slices.Concat(s.changes, changes)...)
}

// seen are the runs of forEveryStack, which its tests only look at.
var seen = map[string]struct {
	cfg config.Config
	run *run
}{}

// forEveryStack runs a test for all stacks, when deployed and when previewed.
func forEveryStack(t *testing.T, test func(*testing.T, config.Config, *run)) {
	t.Helper()
	for name := range stacks {
		for _, s := range []stage{up, preview, unchanged} {
			id := name + "/" + s.String()
			t.Run(id, func(t *testing.T) {
				known, ok := seen[id]
				if !ok {
					inProject(t)
					known.cfg = stack(t, name)
					known.run = succeed(t, known.cfg, s)
					seen[id] = known
				}
				test(t, known.cfg, known.run)
			})
		}
	}
}
