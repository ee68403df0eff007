package storage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// sqliteCheck runs the job where a folder is all of the PATH, with programs of the test's own.
func sqliteCheck(t *testing.T, programs map[string]string) (said string, err error) {
	t.Helper()
	bin := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil { //nolint:gosec // it is a program
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "-c", sqliteScript, config.CheckSQLite, sqliteProgram)
	cmd.Env = []string{"PATH=" + bin}
	out, err := cmd.Output()
	return string(out), err
}

func TestASQLiteThatLosesDataIsToldOf(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("the program is run with python3:", err)
	}
	// As the image's Python that has this SQLite would.
	as := func(version string) string {
		return fmt.Sprintf("export PATH=%q\nexec %s -c 'import sqlite3, sys\nsqlite3.sqlite_version = sys.argv[1]\nsqlite3.sqlite_version_info = tuple(map(int, sys.argv[1].split(\".\")))\nexec(sys.argv[2])' %s \"$2\"",
			os.Getenv("PATH"), python, version)
	}
	for version, bug := range map[string]bool{"3.40.1": true, "3.44.5": true, "3.44.6": false, "3.46.1": true, "3.50.6": true, "3.50.7": false, "3.51.2": true, "3.51.3": false, "3.53.4": false} {
		said, err := sqliteCheck(t, map[string]string{"python": as(version)})
		if err != nil || strings.HasPrefix(said, "warning: the image has SQLite "+version+",") != bug || !bug && said != "" {
			t.Errorf("%s: %q, %v", version, said, err)
		}
	}
}

func TestTheLookAtSQLiteHoldsNothingUp(t *testing.T) {
	for name, programs := range map[string]map[string]string{
		"no Python":     nil,
		"a broken one":  {"python3": "exit 3"},
		"two broken":    {"python": "exit 1", "python3": "exit 3"},
		"one with none": {"python": `echo "No module named _sqlite3" >&2; exit 1`},
	} {
		if said, err := sqliteCheck(t, programs); err != nil || !strings.HasPrefix(said, "there is no Python") {
			t.Errorf("%s: %q, %v", name, said, err)
		}
	}
	if said, err := sqliteCheck(t, map[string]string{"python": "exit 1", "python3": "echo warning: it"}); err != nil || said != "warning: it\n" {
		t.Errorf("the second one is not asked: %q, %v", said, err)
	}
}

func TestTheVolumeOfTheDatabase(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"as it comes", func(*config.Config) {}, "data"},
		{"in a volume of its own", func(c *config.Config) {
			c.Backend.Volumes, c.Backend.DatabaseURL = map[string]string{"db": "/app/data/db"}, "sqlite:////app/data/db/shop.db"
		}, "db"},
		{"in none", func(c *config.Config) { c.Backend.DatabaseURL = "sqlite:////srv/shop.db" }, ""},
		{"beside one whose path begins its own", func(c *config.Config) {
			c.Backend.Volumes, c.Backend.DatabaseURL = map[string]string{"db": "/srv/db"}, "sqlite:////srv/dbs/shop.db"
		}, ""},
		{"on a server", func(c *config.Config) { c.Backend.DatabaseURL = "postgresql://db.example/shop" }, ""},
		{"by a secret", func(c *config.Config) {
			c.Secrets = map[string]string{"databaseUrl": "postgresql://shop:x@db.example/shop"}
		}, ""},
		{"without a volume", func(c *config.Config) { c.Volumes.Data = "" }, ""},
	} {
		cfg := config.Defaults()
		test.change(&cfg)
		c := part.Context{Config: cfg, Stack: "tarot-test"}
		if v, there := InSQLite(c); v.Name != test.want || there != (test.want != "") {
			t.Errorf("%s: %q, %v", test.name, v.Name, there)
		}
		env := own(c).Environment["SQLITE_IN"]
		if env != test.want {
			t.Errorf("%s: the job looks at %q", test.name, env)
		}
	}
}
