package backend

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/components/part"
)

func secrets(c part.Context) []part.Secret {
	all := []part.Secret{
		{Name: "jwtSecretKey", Given: c.Secrets["jwtSecretKey"], Length: jwtKeyLength, Version: c.SecretVersions.JWTSecretKey, Rotates: "jwtSecretKey"},
		{Name: "adminPassword", Given: c.Secrets["adminPassword"], Length: adminPasswordLength, Version: c.SecretVersions.AdminPassword, Rotates: "adminPassword"},
	}
	for _, variable := range c.Backend.OwnSecrets() {
		all = append(all, part.Secret{Name: variable, Given: c.Secrets[variable]})
	}
	return all
}

// given is what the application gets by a name: a variable with a value, or a secret, as a
// file and maybe as a variable.
type given struct {
	name   string
	value  string
	secret string
	export bool
	path   bool
	make   func(string) (string, error)
	direct func(string) (string, error)
}

// contract is all that the platform gives, after docs/application.md, and what other parts do.
func contract(c part.Context) []given {
	cfg := c.Backend
	all := []given{
		{name: "HOST", value: "0.0.0.0"},
		{name: "PORT", value: strconv.Itoa(cfg.Port)},
		{name: "WORKERS", value: strconv.Itoa(cfg.Workers)},
		{name: "WEB_CONCURRENCY", value: strconv.Itoa(cfg.Workers)},
		{name: "FORWARDED_ALLOW_IPS", value: c.Networks.BackendSubnet},
		{name: "GRACEFUL_TIMEOUT", value: strconv.Itoa(int(cfg.Drain / time.Second))},
		{name: "RELEASE", value: c.Release.Image},
		{name: "JWT_SECRET_KEY", secret: "jwtSecretKey"},
		{name: "ADMIN_PASSWORD", secret: "adminPassword"},
	}
	// DEBUG=false switches debugging on where any text is true, and a level in lower case ends
	// the start of who gives it to Python's logging.
	if cfg.Debug {
		all = append(all, given{name: "DEBUG", value: "true"})
	}
	if cfg.LogLevel != "" {
		all = append(all, given{name: "LOG_LEVEL", value: cfg.LogLevel})
	}
	for _, v := range c.Offered.Application {
		all = append(all, given{v.Name, v.Value, v.Secret, v.Export, v.Path, v.Make, v.Direct})
	}
	if len(cfg.Migrate) > 0 {
		all = append(all, given{name: "MIGRATE_ON_START", value: "false"})
	}
	if cfg.DebuggerPort != 0 {
		all = append(all, given{name: "DEBUGGER_PORT", value: strconv.Itoa(cfg.DebuggerPort)})
	}
	return all
}

// aliased is the contract with the names that the user gives to parts of it.
func aliased(c part.Context) []given {
	all := contract(c)
	for _, name := range slices.Sorted(maps.Keys(c.Backend.Aliases)) {
		of := c.Backend.Aliases[name]
		for i, g := range all {
			switch {
			case name == of && g.name == of: // a secret that has been a file only
				all[i].export = true
			case g.name == of && g.secret != "":
				all = append(all, given{name: name, secret: g.secret, export: !g.path, path: g.path, make: g.make, direct: g.direct})
			case g.name == of:
				all = append(all, given{name: name, value: g.value})
			}
		}
	}
	return all
}

// environment is what is no secret. The user's own values go before the platform's; the
// configuration has none of those that must be as they are here.
func environment(c part.Context) map[string]string {
	env := map[string]string{}
	for _, g := range aliased(c) {
		if g.secret == "" {
			env[g.name] = g.value
		}
	}
	for _, name := range c.Backend.Unset {
		delete(env, name)
	}
	maps.Copy(env, c.Backend.Environment)
	return env
}

// secretFiles are the platform's, those of other parts, and the user's own. One that nothing
// tells of is left out. direct: those of a job that goes past what is between.
func secretFiles(c part.Context, direct bool) []part.SecretFile {
	all := aliased(c)
	for _, name := range c.Backend.OwnSecrets() {
		all = append(all, given{name: name, secret: name, export: slices.Contains(c.Backend.SecretEnvironment, name)})
	}
	var files []part.SecretFile
	for _, g := range all {
		if g.secret == "" {
			continue
		}
		f := part.SecretFile{Name: strings.ToLower(g.name), Secret: g.secret, Make: g.make}
		if direct && g.direct != nil {
			f.Make = g.direct
		}
		variable := g.name + "_FILE"
		if g.path {
			variable = g.name
		}
		if !slices.Contains(c.Backend.Unset, variable) {
			f.Variable = variable
		}
		if g.export && !slices.Contains(c.Backend.Unset, g.name) {
			f.Export = g.name
		}
		if f.Variable != "" || f.Export != "" {
			files = append(files, f)
		}
	}
	return files
}
