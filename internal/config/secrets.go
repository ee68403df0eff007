package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// DatabaseURLSecret is the flat secret key that goes before backend.databaseUrl.
const DatabaseURLSecret = "databaseUrl"

// listedSecrets are the names of secrets that the stack file lists: the application's, and
// those of its builds.
func (cfg Config) listedSecrets() []string {
	return append(cfg.listedForServices(), cfg.Build.Secrets...)
}

// listedForServices are those of the backend and its services, each once.
func (cfg Config) listedForServices() []string {
	names := cfg.Backend.OwnSecrets()
	for _, s := range cfg.Services {
		names = slices.Concat(names, s.Secrets, s.SecretEnvironment)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ApplicationSecrets are the names of the secrets that were set for the application, but
// for those that have a generated value where they are not. Nothing that runs has those of
// builds.
func (cfg Config) ApplicationSecrets() []string {
	names := cfg.listedForServices()
	if cfg.Secrets[DatabaseURLSecret] != "" {
		names = append(names, DatabaseURLSecret)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OwnSecrets are the names of those that the stack file lists for the application.
func (b Backend) OwnSecrets() []string { return slices.Concat(b.Secrets, b.SecretEnvironment) }

// RefuseSealed refuses secrets inside the tree of the configuration. They would be in
// clear wherever the engine shows what a container runs with, and a release's record,
// which anybody may read, could not have what is beside them. Keys are those top-level
// keys that Pulumi says hold a secret, and paths where the stack file has secrets.
func RefuseSealed(keys, paths []string) error {
	d := decoder{}
	for _, full := range keys {
		key, mine := strings.CutPrefix(full, Namespace+":")
		if !mine || IsSecret(key) {
			continue
		}
		inside := slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
			rest, below := strings.CutPrefix(path, full)
			return !below || rest != "" && rest[0] != '.' && rest[0] != '['
		})
		if len(inside) == 0 { // given by other means than the stack file
			inside = []string{full}
		}
		for _, path := range inside {
			d.add(fmt.Errorf("%s: a secret is not allowed here; allowed: a plain value. It would be readable in `docker inspect`, "+
				"and no release with it could be returned to. Take it out, by `pulumi config rm --path '%[1]s'`; %s", path, insteadOf(path)))
		}
	}
	return d.err()
}

// insteadOf is how a secret is given in place of the one at a path.
func insteadOf(path string) string {
	key, _ := strings.CutPrefix(path, Namespace+":")
	for _, of := range placesOfSecrets {
		if key == of.below || strings.HasPrefix(key, of.below+".") || strings.HasPrefix(key, of.below+"[") {
			return of.instead + "; what is no secret is set without --secret"
		}
	}
	return "nothing in it is a secret: it is set without --secret"
}

// placesOfSecrets are the places of secrets, by the keys below which somebody may look for them; of two
// that fit, the first one.
var placesOfSecrets = []struct{ below, instead string }{
	{"backend.databaseUrl", "a database's URL with a password is " + setAs(DatabaseURLSecret)},
	{"backend", "a secret of the application's is named in backend.secrets, or in backend.secretEnvironment where it has to be a variable, and " + setAs("NAME")},
	{"services", "a secret of a service's is named in its secrets or its secretEnvironment, and " + setAs("NAME")},
	{"schedules", "a schedule has the secrets of whose program it runs: one is named in the secrets of the backend or the service, and " + setAs("NAME")},
	{"build", "a secret that a build needs is named in build.secrets, and " + setAs("NAME")},
	{"database", "the URL of a database elsewhere, with its password, is " + setAs(DatabaseURLSecret) + ", and the password of the stack's own is generated"},
	{"cache", "the password is generated, or one of your own is " + setAs("cachePassword")},
	{"backup", "what the target wants is " + setAs("backupSecret") + ", or backupSshKey or backupFilesSecret, and the key of the backups is backupKey"},
	{"monitoring.grafana", "the password is generated, or one of your own is " + setAs("grafanaPassword")},
	{"monitoring", "where alerts go to is " + setAs("alertWebhookUrl") + ", or alertWecomUrl, alertDingtalkUrl, alertFeishuUrl or alertEmailPassword"},
	{"nginx.tls.acme", "what a CA or a DNS provider wants is " + setAs("acmeDnsToken") + ", or acmeDnsKeyId, acmeDnsKey, acmeEabKeyId or acmeEabHmac"},
	{"nginx", "a certificate and its key are " + setAs("tlsCertificate") + ", and tlsKey"},
}

// setAs is the command.
func setAs(key string) string {
	return "set by `pulumi config set --secret " + Namespace + ":" + key + "`"
}

// checkDatabase refuses an address with a password, which would be in clear in the
// release's record and in `docker inspect`, and a file that no volume would keep.
func (cfg Config) checkDatabase(c *checker) {
	b := cfg.Backend
	if address, set := cfg.Secrets[DatabaseURLSecret]; set && !cfg.databaseInVolume(address) {
		c.add(Fault{Namespace, DatabaseURLSecret, "a secret of another form", allowed("backend.databaseUrl")})
	}
	if HasPassword(b.DatabaseURL) {
		c.add(Fault{Namespace, "backend.databaseUrl", quote(withoutPassword(b.DatabaseURL)),
			"a URL without a password; set the whole URL by `pulumi config set --secret " + Namespace + ":" + DatabaseURLSecret +
				"`, and take this one out by `pulumi config rm --path " + Namespace + ":backend.databaseUrl`"})
		return
	}
	if cfg.Database.Kind != SQLite || cfg.Secrets[DatabaseURLSecret] != "" && cfg.Volumes.Data == "" { // then this one is not used
		return
	}
	if b.DatabaseURL != "" && !cfg.databaseInVolume(b.DatabaseURL) {
		if cfg.Volumes.Data == "" && strings.HasPrefix(b.databaseFile(b.DatabaseURL), b.DataDir()+"/") {
			c.because("backend.databaseUrl", b.DatabaseURL, "volumes.data is empty, so that nothing would keep it")
			return
		}
		c.want(false, "backend.databaseUrl", withoutPassword(b.DatabaseURL))
	}
}

// HasPassword is true for an address with a password in it.
func HasPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	return has || u.Query().Get("password") != ""
}

// between the name and the host, or in the query: also of what is no URL for net/url.
var passwords = regexp.MustCompile(`(://[^/?#:@]*:).*(@)|([?&]password=)[^&#]*`)

// withoutPassword is an address as an error may show it.
func withoutPassword(address string) string {
	return passwords.ReplaceAllString(address, "${1}${3}***${2}")
}
