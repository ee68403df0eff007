package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fixed are the variables whose values the platform relies on itself: `backend.environment`
// can't set them. Each has what does.
var fixed = map[string]string{
	"PORT":                "is set by " + Namespace + ":backend.port",
	"DATABASE_URL":        "is set by " + Namespace + ":backend.databaseUrl, by the secret " + Namespace + ":databaseUrl where it has a password, or by " + Namespace + ":database.kind postgres",
	"DATABASE_URL_FILE":   "is set by the secret " + Namespace + ":databaseUrl",
	"JWT_SECRET_KEY_FILE": "is set by the secret " + Namespace + ":jwtSecretKey",
	"ADMIN_PASSWORD_FILE": "is set by the secret " + Namespace + ":adminPassword",
}

// changeable are the other variables that the platform sets, each with the key that
// does; empty: none. `backend.environment` goes before them.
var changeable = map[string]string{
	"HOST":                     "",
	"WORKERS":                  "backend.workers",
	"WEB_CONCURRENCY":          "backend.workers",
	"DEBUG":                    "backend.debug",
	"LOG_LEVEL":                "backend.logLevel",
	"FORWARDED_ALLOW_IPS":      "networks.backendSubnet",
	"GRACEFUL_TIMEOUT":         "backend.drain",
	"RELEASE":                  "",
	"DEBUGGER_PORT":            "",
	"STATIC_DIR":               "",
	"STATIC_URL":               "",
	"UPLOADS_DIR":              "",
	"MIGRATE_ON_START":         "",
	"DB_POOL_SIZE":             "database.pool",
	"DB_MAX_OVERFLOW":          "database.overflow",
	"DATABASE_DIRECT_URL":      "",
	"DATABASE_DIRECT_URL_FILE": "",
	"REDIS_URL":                "",
	"REDIS_URL_FILE":           "",
}

// PlatformVariables are the names of all that the platform may set.
func PlatformVariables() []string {
	return slices.Sorted(maps.Keys(maps.Collect(func(yield func(string, bool) bool) {
		for _, names := range []map[string]string{fixed, changeable} {
			for name := range names {
				if !yield(name, true) {
					return
				}
			}
		}
	})))
}

// Called are the names by which the application has a variable of the platform: its own, and
// its aliases.
func (b Backend) Called(variable string) []string {
	all := []string{variable}
	for _, name := range slices.Sorted(maps.Keys(b.Aliases)) {
		if b.Aliases[name] == variable && name != variable {
			all = append(all, name)
		}
	}
	return all
}

func (b Backend) checkEnvironment(c *checker) {
	for name := range b.Environment {
		if why, taken := fixed[name]; taken {
			c.because("backend.environment", name, name+" "+why)
			continue
		}
		c.want(variableName.MatchString(name), "backend.environment", name)
	}
	for _, name := range b.Unset {
		if !slices.Contains(PlatformVariables(), name) {
			c.because("backend.unset", name, "these are "+strings.Join(PlatformVariables(), ", "))
		} else if _, set := b.Environment[name]; set {
			c.because("backend.unset", name, "backend.environment sets it")
		}
	}
	for i, name := range b.OwnSecrets() {
		key := b.listing(name)
		if why, taken := fixed[name+"_FILE"]; taken {
			c.because(key, name, name+"_FILE "+why)
			continue
		}
		c.want(secretName.MatchString(name), key, name)
		if slices.Contains(b.OwnSecrets()[:i], name) {
			c.because("backend.secretEnvironment", name, "it is listed already; one that is here has its file, too")
		}
		for _, variable := range []string{name, name + "_FILE"} {
			if _, plain := b.Environment[variable]; plain {
				c.because("backend.environment", variable, name+" is one of "+key+": what is here is readable in `docker inspect`")
			}
		}
	}
	b.checkAliases(c)
}

// listing is the key that lists a secret of the application's own.
func (b Backend) listing(secret string) string {
	if slices.Contains(b.Secrets, secret) {
		return "backend.secrets"
	}
	return "backend.secretEnvironment"
}

// values are those secrets of the platform that have a file only, where no alias asks for more.
var values = []string{"JWT_SECRET_KEY", "ADMIN_PASSWORD"}

func (b Backend) checkAliases(c *checker) {
	platforms := slices.DeleteFunc(slices.Concat(PlatformVariables(), values), func(name string) bool { return strings.HasSuffix(name, "_FILE") })
	for name, of := range b.Aliases {
		_, set := b.Environment[name]
		switch {
		case !secretName.MatchString(name):
			c.want(false, "backend.aliases", name)
		case !slices.Contains(platforms, of):
			c.because("backend.aliases", name+": "+of, "these are "+strings.Join(platforms, ", "))
		case slices.Contains(PlatformVariables(), name):
			c.because("backend.aliases", name+": "+of, name+" is the platform's own")
		case name != of && slices.Contains(values, name):
			c.because("backend.aliases", name+": "+of, name+" has a value of its own")
		case set || slices.Contains(b.OwnSecrets(), name):
			c.because("backend.aliases", name+": "+of, name+" is set by backend.environment, or is a secret of the application's own")
		}
	}
}

// because refuses a value of a key, and says what it is that is not so.
func (c *checker) because(key, value, why string) {
	c.add(Fault{Namespace, key, quote(value), fmt.Sprintf("%s (%s)", allowed(key), why)})
}

// says are errors of servers that mean a variable without naming it.
var says = map[string]string{
	"WEB_CONCURRENCY": "as an import string to enable 'reload' or 'workers'", // uvicorn.run(app)
}

// Mentioned tells of the variables that the platform has set, and that an application
// that does not start may complain of in its last words: by a name that is no word of
// every log, or by a value as Python quotes it, or by one that is long. Empty: of none.
func (b Backend) Mentioned(text string, environment map[string]string) string {
	var hints []string
	for _, name := range slices.Sorted(maps.Keys(changeable)) {
		value := environment[name]
		_, own := b.Environment[name]
		if own || value == "" || changeable[name] == "" {
			continue // its own value, which it knows where to find
		}
		const long = 9 // characters: a network, not a number or a word
		said := says[name] != "" && strings.Contains(text, says[name]) ||
			strings.Contains(name, "_") && strings.Contains(text, name) || strings.Contains(text, name+"=") ||
			strings.Contains(text, "'"+value+"'") || len(value) >= long && strings.Contains(text, value)
		if !said {
			continue
		}
		hints = append(hints, fmt.Sprintf("%s is %q by %s:%s; another value for the application alone: "+
			"pulumi config set --path '%s:backend.environment.%s' VALUE", name, value, Namespace, changeable[name], Namespace, name))
	}
	return strings.Join(hints, "\n")
}
