package compose

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"tarot-platform/internal/config"
)

// variables are a service's, sorted by where a stack file has them.
type variables struct {
	plain map[string]string
	// secret are names of secrets that are variables, and files of those that are files.
	secret, files []string
}

var (
	upperCase     = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	fileOf        = regexp.MustCompile(`^/run/secrets/([^/]+)$`)
	redisDatabase = regexp.MustCompile(`[^/]/([0-9]+)(?:\?|$)`)
)

// platformSecrets are variables that are secrets of the platform's, with what they are called
// there.
var platformSecrets = map[string]string{"JWT_SECRET_KEY": "jwtSecretKey", "ADMIN_PASSWORD": "adminPassword"}

// sort sorts those of a service's variables that it does not inherit. ofBackend is true for
// the backend and for what runs its image.
func (im *importer) sortVariables(name string, ofBackend bool) variables {
	v := variables{plain: map[string]string{}}
	s := im.project.Services[name]
	inherited := types.MappingWithEquals{}
	if ofBackend && name != im.backend {
		inherited = im.project.Services[im.backend].Environment
	}
	d, database := known(s)
	var unused []string
	for _, variable := range slices.Sorted(maps.Keys(s.Environment)) {
		if database && !slices.ContainsFunc(slices.Concat(d.reads, readsAnyway), func(begin string) bool { return strings.HasPrefix(variable, begin) }) {
			unused = append(unused, variable)
			continue
		}
		value, key := s.Environment[variable], "services."+name+".environment."+variable
		if value == nil {
			im.miss(key, "has no value, and neither has the shell that this was run in", "set it where it is wanted: "+im.set(name, "environment."+variable)+" VALUE")
			continue
		}
		if same, there := inherited[variable]; there && same != nil && *same == *value {
			continue
		}
		im.sortOne(&v, name, variable, im.rename(variable, *value), ofBackend)
	}
	if len(unused) > 0 {
		im.miss("services."+name+".environment", "its image reads none of "+strings.Join(unused, ", "), "nothing; where that is wrong: "+im.set(name, "environment.NAME")+" VALUE")
	}
	var more []string
	for _, variable := range slices.Sorted(maps.Keys(inherited)) {
		if _, there := s.Environment[variable]; !there && inherited[variable] != nil {
			more = append(more, variable)
		}
	}
	if len(more) > 0 {
		im.miss("services."+name+".environment", "what runs the backend's image has all of the backend's variables: "+strings.Join(more, ", ")+", too", "nothing, where that does no harm; else set another value: "+im.set(name, "environment.NAME")+" VALUE")
	}
	return v
}

// sortOne finds a place for a variable.
func (im *importer) sortOne(v *variables, name, variable, value string, ofBackend bool) {
	key := "services." + name + ".environment." + variable
	backend := name == im.backend
	if im.cache != "" && host(variable, im.cache).MatchString(value) {
		im.cached(key, variable, value, ofBackend)
		return
	}
	if of, is := fileSecret(im.project.Services[name], variable, value); is {
		if im.fromFile(name, of, strings.TrimSuffix(variable, "_FILE")) {
			v.files = append(v.files, strings.TrimSuffix(variable, "_FILE"))
		}
		return
	}
	switch own, mine := platformSecrets[variable]; {
	case variable == "PORT":
		return // the port's key sets it
	case backend && variable == "DATABASE_URL":
		im.databaseURL(key, value)
		return
	case backend && mine:
		im.platformSecret(key, variable, own, value)
		return
	case ofBackend && slices.Contains([]string{"DATABASE_URL_FILE", "JWT_SECRET_KEY_FILE", "ADMIN_PASSWORD_FILE"}, variable):
		im.miss(key, "the platform sets it", "set its secret: docs/application.md, Secrets")
		return
	}
	if !isSecret(variable, value) {
		v.plain[variable] = value
		return
	}
	if _, mine := platformSecrets[variable]; mine && ofBackend || !upperCase.MatchString(variable) {
		im.miss(key, "looks like a secret, and a secret's name here is upper case and none of the platform's", "have the program read another variable, or set it in clear where it is none: "+im.set(name, "environment."+variable)+" VALUE")
		return
	}
	if !im.secret(variable, key, value) {
		im.miss(key, "looks like a secret, and another service has another value by the same name", "rename one of the two variables")
		return
	}
	im.Config.Secrets = with(im.Config.Secrets, variable, value)
	v.secret = append(v.secret, variable)
}

// set is the command that sets a key of a service's, but for the value.
func (im *importer) set(name, key string) string {
	return fmt.Sprintf("pulumi config set -s %s --path '%s:%s%s'", im.options.Stack, config.Namespace, im.key(name), key)
}

// key is where a stack file has a service, with the dot.
func (im *importer) key(name string) string {
	if name == im.backend {
		return "backend."
	}
	return "services." + im.names[name] + "."
}

// cached is a variable that names the Redis that the platform's Valkey replaces: a URL is
// given by another name for REDIS_URL.
func (im *importer) cached(key, variable, value string, ofBackend bool) {
	const keep = "import again with --keep %s, which leaves it a service"
	switch {
	case !strings.Contains(value, "://"):
		im.miss(key, "names "+im.cache+", which the platform's Valkey replaces: that has another name, and a password", "have the program read REDIS_URL, or "+fmt.Sprintf(keep, im.cache))
		return
	case !ofBackend:
		im.miss(key, "the platform tells the backend alone, and what runs its image, of its Valkey", fmt.Sprintf(keep, im.cache))
		return
	case variable != "REDIS_URL" && !upperCase.MatchString(variable):
		im.miss(key, "another name for REDIS_URL is upper case", "have the program read REDIS_URL")
		return
	case variable != "REDIS_URL":
		im.try(key, "have the program read REDIS_URL", func(c *config.Config) { c.Backend.Aliases = with(c.Backend.Aliases, variable, "REDIS_URL") })
	}
	if found := redisDatabase.FindStringSubmatch(value); found != nil && found[1] != "0" {
		im.miss(key, "REDIS_URL names no database, which is 0, and this was "+found[1], "nothing, where nothing else has the same keys; else give them a prefix (Celery: broker_transport_options, global_keyprefix), or "+fmt.Sprintf(keep, im.cache))
	}
}

func (im *importer) databaseURL(key, value string) {
	const mend = "keep the file in a volume: docs/application.md, Data, uploads and folders"
	if !hasPassword(value) {
		im.try(key, mend, func(c *config.Config) { c.Backend.DatabaseURL = value })
		return
	}
	if im.try(key, "set it by hand: pulumi config set --secret "+config.Namespace+":"+config.DatabaseURLSecret, func(c *config.Config) {
		c.Secrets = with(c.Secrets, config.DatabaseURLSecret, value)
	}) {
		im.secret(config.DatabaseURLSecret, key, value)
	}
}

// platformSecret is a secret of the application's that the platform has one for, in a file.
func (im *importer) platformSecret(key, variable, own, value string) {
	if im.try(key, "a longer one; until then it is generated", func(c *config.Config) { c.Secrets = with(c.Secrets, own, value) }) {
		im.secret(own, key, value)
	}
	im.try(key, "have the program read the file that "+variable+"_FILE names", func(c *config.Config) { c.Backend.Aliases = with(c.Backend.Aliases, variable, variable) })
}

// fileSecret is a variable that names the file of one of Compose's secrets.
func fileSecret(s types.ServiceConfig, variable, value string) (source string, is bool) {
	found := fileOf.FindStringSubmatch(value)
	if found == nil || !strings.HasSuffix(variable, "_FILE") || !upperCase.MatchString(variable) {
		return "", false
	}
	for _, secret := range s.Secrets {
		if target(secret) == found[1] {
			return secret.Source, true
		}
	}
	return "", false
}

// target is the name of a secret's file.
func target(s types.ServiceSecretConfig) string {
	if s.Target != "" {
		return path.Base(s.Target)
	}
	return s.Source
}

// fromFile has one of Compose's secrets set by its owner.
func (im *importer) fromFile(service, source, name string) bool {
	key := "services." + service + ".secrets." + source
	declared := im.project.Secrets[source]
	value, err := contents(types.FileObjectConfig(declared), im.project.Environment)
	if err != nil || value == "" {
		why := "it has no value here"
		if err != nil {
			why = err.Error()
		}
		im.miss(key, why, fmt.Sprintf("pulumi config set -s %s --secret %s:%s, and name it in %ssecrets", im.options.Stack, config.Namespace, name, im.key(service)))
		return false
	}
	if !im.secret(name, key, value) {
		im.miss(key, "another service has another value by the name "+name, "rename one of the two")
		return false
	}
	im.Config.Secrets = with(im.Config.Secrets, name, value)
	return true
}

// files are Compose's secrets that no variable names: a file below /run/secrets has the
// secret's name in small letters here.
func (im *importer) files(name string, v *variables) {
	s := im.project.Services[name]
	for _, secret := range s.Secrets {
		file := target(secret)
		if slices.ContainsFunc(slices.Sorted(maps.Keys(s.Environment)), func(variable string) bool {
			value := s.Environment[variable]
			source, is := "", false
			if value != nil {
				source, is = fileSecret(s, variable, *value)
			}
			return is && source == secret.Source
		}) {
			continue
		}
		own := strings.ToUpper(strings.ReplaceAll(file, "-", "_"))
		key := "services." + name + ".secrets." + secret.Source
		if !upperCase.MatchString(own) {
			im.miss(key, "a secret's name here is upper case", "give it another one")
			continue
		}
		if slices.Contains(v.files, own) || !im.fromFile(name, secret.Source, own) {
			continue
		}
		v.files = append(v.files, own)
		if strings.ToLower(own) != file || path.IsAbs(secret.Target) && path.Dir(secret.Target) != "/run/secrets" {
			im.miss(key, "its file is /run/secrets/"+strings.ToLower(own)+" here", "have the program read that, or the one that "+own+"_FILE names")
		}
	}
}
