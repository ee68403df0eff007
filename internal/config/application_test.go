package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAnApplicationSaysWhatTheStackFileLeavesOpen(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) Config {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, ApplicationFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := Defaults()
		cfg.Backend.Context = folder
		return cfg
	}
	full := "migrate: [./migrate, up]\nsmoke: {read: /a, write: /b, body: '{}', static: c.css, admin: /d}\n"
	cfg := write(full)
	app, err := cfg.ReadApplication()
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.With(app).Backend; !slices.Equal(got.Migrate, []string{"./migrate", "up"}) || got.Smoke != (Smoke{"/a", "/b", "{}", "c.css", "/d"}) {
		t.Errorf("%+v", got)
	}
	cfg.Backend.Migrate, cfg.Backend.Smoke = []string{"mine"}, Smoke{Read: "/x", Write: "/y"}
	if got := cfg.With(app).Backend; !slices.Equal(got.Migrate, []string{"mine"}) || got.Smoke != (Smoke{"/x", "/y", "", "c.css", "/d"}) {
		t.Errorf("the stack file's own: %+v", got)
	}
	cfg = write(full)
	cfg.Backend.MountCode = true
	if got := cfg.With(app).Backend.Migrate; got != nil {
		t.Errorf("mounted code: %v", got)
	}
	cfg.Backend.Image = "app:1"
	if got, err := cfg.ReadApplication(); err != nil || got.Migrate != nil {
		t.Errorf("a ready image: %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "", "# nothing\n": "", "migrat: [x]\n": "field migrat not found", "migrate: x\n": "cannot unmarshal",
		"smoke: {read: a}\n": `tarot:backend.smoke.read: "a" is not allowed`,
		"databases: [sqlite, postgresql]\ncopyDatabase: [./copy]\n": "",
		"databases: [postgres]\n":                                   `databases: "postgres" is not allowed; allowed: sqlite, postgresql`,
		"copyDatabase: [./copy, '']\n":                              `copyDatabase: "" is not allowed`,
	} {
		_, err := write(text).ReadApplication()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ApplicationFile)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := os.Remove(filepath.Join(folder, ApplicationFile)); err != nil {
		t.Fatal(err)
	}
	cfg = Defaults()
	cfg.Backend.Context = folder
	if got, err := cfg.ReadApplication(); err != nil || got.Migrate != nil {
		t.Errorf("no file: %+v, %v", got, err)
	}
}
