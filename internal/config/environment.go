package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fixed are the variables that the platform relies on itself: `backend.environment`
// can't set them. Each has what does.
var fixed = map[string]string{
	"HOST":                "is 0.0.0.0 always, as requests come from other containers",
	"PORT":                "is set by " + Namespace + ":backend.port",
	"DATABASE_URL":        "is set by " + Namespace + ":backend.databaseUrl, or by the secret " + Namespace + ":databaseUrl where it has a password",
	"DATABASE_URL_FILE":   "is set by the secret " + Namespace + ":databaseUrl",
	"DEBUGGER_PORT":       "is set by " + Namespace + ":backend.debuggerPort",
	"STATIC_DIR":          "is where the platform publishes static files from",
	"STATIC_URL":          "is set by " + Namespace + ":backend.paths.static",
	"MIGRATE_ON_START":    "is set by " + Namespace + ":backend.migrate",
	"JWT_SECRET_KEY_FILE": "is set by the secret " + Namespace + ":jwtSecretKey",
	"ADMIN_PASSWORD_FILE": "is set by the secret " + Namespace + ":adminPassword",
}

// changeable are the other variables that the platform sets, each with the key that
// does; `backend.environment` goes before them.
var changeable = map[string]string{
	"WORKERS":             "backend.workers",
	"DEBUG":               "backend.debug",
	"LOG_LEVEL":           "backend.logLevel",
	"FORWARDED_ALLOW_IPS": "networks.backendSubnet",
	"GRACEFUL_TIMEOUT":    "backend.drain",
	"RELEASE":             "",
}

func (b Backend) checkEnvironment(c *checker) {
	for name := range b.Environment {
		why, taken := fixed[name]
		switch {
		case taken:
			c.add(Fault{Namespace, "backend.environment", quote(name), fmt.Sprintf("%s (%s %s)", allowed("backend.environment"), name, why)})
		default:
			c.want(variableName.MatchString(name), "backend.environment", name)
		}
	}
	for _, name := range b.Secrets {
		if why, taken := fixed[name+"_FILE"]; taken {
			c.add(Fault{Namespace, "backend.secrets", quote(name), fmt.Sprintf("%s (%s_FILE %s)", allowed("backend.secrets"), name, why)})
			continue
		}
		c.want(secretName.MatchString(name), "backend.secrets", name)
	}
}

// Mentioned tells of the variables that the platform has set, and that an application
// that does not start may complain of in its last words: by a name that is no word of
// every log, or by a value as Python quotes it, or by one that is long. Empty: of none.
func (b Backend) Mentioned(text string, environment map[string]string) string {
	var hints []string
	for _, name := range slices.Sorted(maps.Keys(changeable)) {
		value := environment[name]
		_, own := b.Environment[name]
		if own || value == "" || name == "RELEASE" {
			continue // its own value, which it knows where to find
		}
		const long = 9 // characters: a network, not a number or a word
		said := strings.Contains(name, "_") && strings.Contains(text, name) || strings.Contains(text, name+"=") ||
			strings.Contains(text, "'"+value+"'") || len(value) >= long && strings.Contains(text, value)
		if !said {
			continue
		}
		hints = append(hints, fmt.Sprintf("%s is %q by %s:%s; another value for the application alone: "+
			"pulumi config set --path '%s:backend.environment.%s' VALUE", name, value, Namespace, changeable[name], Namespace, name))
	}
	return strings.Join(hints, "\n")
}
