package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
)

// ApplicationFile is what an application may have in its folder.
const ApplicationFile = "deploy.yaml"

// Application is what an application says of itself. A stack file's own values
// go before it.
type Application struct {
	// Name tells its data from those of another application. Empty: it is known by the
	// place that it comes from. It shapes no release, so that no record keeps it.
	Name string `yaml:"name" json:"-"`
	// Migrate and Smoke are as in Backend.
	Migrate []string `yaml:"migrate" json:"migrate"`
	Smoke   Smoke    `yaml:"smoke" json:"smoke"`
	// Databases are the kinds that it runs on: "sqlite", "postgresql". Empty: whatever it is given.
	Databases []string `yaml:"databases" json:"databases,omitempty"`
	// CopyDatabase are the words of a command that copies all that is in one database into another,
	// of another kind: docs/application.md. Empty: it has none.
	CopyDatabase []string `yaml:"copyDatabase" json:"copyDatabase,omitempty"`
	// Console are the words of a command that gives a person a prompt in the application:
	// `stack console`. Empty: they get a shell. It shapes no release, so that no record keeps it.
	Console []string `yaml:"console" json:"-"`
}

// ReadApplication reads the file in the backend's folder; none is nothing said. A
// ready image has no folder.
func (cfg Config) ReadApplication() (Application, error) {
	var app Application
	if cfg.Backend.Image != "" {
		return app, nil
	}
	path := filepath.Join(cfg.Backend.Context, ApplicationFile)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return app, nil
	}
	if err != nil {
		return app, err
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&app); err != nil && !errors.Is(err, io.EOF) {
		return app, fmt.Errorf("%s: %w", path, err)
	}
	c := &checker{}
	app.Smoke.check(c)
	app.check(c)
	if err := c.err(); err != nil {
		return app, fmt.Errorf("%s: %w", path, err)
	}
	return app, nil
}

func (app Application) check(c *checker) {
	for _, kind := range app.Databases {
		if kind != "sqlite" && kind != "postgresql" {
			c.add(fmt.Errorf("databases: %q is not allowed; allowed: sqlite, postgresql", kind))
		}
	}
	if slices.Contains(app.CopyDatabase, "") {
		c.add(errors.New(`copyDatabase: "" is not allowed; allowed: the words of a command, none of which is empty`))
	}
	if slices.Contains(app.Console, "") {
		c.add(errors.New(`console: "" is not allowed; allowed: the words of a command, none of which is empty`))
	}
}

// With fills in what the stack file leaves open. Code that is mounted changes
// without an `up`: its replicas migrate when they start.
func (cfg Config) With(app Application) Config {
	if len(cfg.Backend.Migrate) == 0 && !cfg.Backend.MountCode {
		cfg.Backend.Migrate = slices.Clone(app.Migrate)
	}
	own, said := &cfg.Backend.Smoke, app.Smoke
	for _, pair := range []struct {
		to   *string
		from string
	}{{&own.Read, said.Read}, {&own.Static, said.Static}, {&own.Admin, said.Admin}} {
		if *pair.to == "" {
			*pair.to = pair.from
		}
	}
	if own.Write == "" {
		own.Write, own.Body = said.Write, said.Body
	}
	return cfg
}
