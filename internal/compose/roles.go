package compose

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
)

// role is what a service is here.
type role int

const (
	program    role = iota // a service
	cache                  // the platform's Valkey
	edge                   // its nginx, or what helps one
	monitoring             // its monitoring
)

// parts are images that the platform has a part for, by the last word of their names.
var parts = map[string]role{
	"redis": cache, "valkey": cache,
	"nginx": edge, "nginx-unprivileged": edge, "traefik": edge, "caddy": edge, "haproxy": edge, "nginx-proxy": edge, "docker-gen": edge,
	"docker-letsencrypt-nginx-proxy-companion": edge, "acme-companion": edge, "nginx-proxy-manager": edge, "certbot": edge, "swag": edge,
	"prometheus": monitoring, "grafana": monitoring, "grafana-oss": monitoring, "alertmanager": monitoring, "node-exporter": monitoring, "cadvisor": monitoring,
	"blackbox-exporter": monitoring, "redis_exporter": monitoring,
}

// stateful is what is known of an image that keeps data: its own user, the folders that it
// writes to beside its data, what its entrypoint is, which a command here replaces, its port, and
// what the variables begin with that it reads.
type stateful struct {
	user, alpine string
	tmpfs        []string
	entrypoint   string
	port         int
	reads        []string
}

var (
	postgres = stateful{"999:999", "70:70", []string{"/var/run/postgresql"}, "docker-entrypoint.sh", 5432, []string{"POSTGRES_", "PG", "TIMESCALEDB_"}}
	mysql    = stateful{"999:999", "999:999", []string{"/var/run/mysqld"}, "docker-entrypoint.sh", 3306, []string{"MYSQL_", "MARIADB_"}}

	redis = stateful{"999:999", "999:1000", nil, "docker-entrypoint.sh", 6379, []string{"REDIS_", "VALKEY_"}}

	// databases are these images by the paths of their repositories, wherever a mirror is.
	databases = map[string]stateful{
		"library/postgres": postgres, "postgis/postgis": postgres, "pgvector/pgvector": postgres,
		"library/mysql": mysql, "library/mariadb": mysql,
		"library/redis": redis, "valkey/valkey": redis, // where they are kept
		"library/mongo": {"999:999", "999:999", nil, "docker-entrypoint.sh", 27017, []string{"MONGO"}},
		rabbitMQ:        {"999:999", "100:101", nil, "docker-entrypoint.sh", 5672, []string{"RABBITMQ_"}},
	}
)

const rabbitMQ = "library/rabbitmq"

// readsAnyway are variables that every image may read.
var readsAnyway = []string{"TZ", "LANG", "LC_"}

// folders are what an image writes to that others begin with, beside what it keeps.
var folders = map[string][]string{"nginx": {"/run", "/var/cache/nginx"}}

// called is the last word of an image's name, without tag and digest.
func called(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	name := path.Base(reference)
	name, _, _ = strings.Cut(name, ":")
	return name
}

// repository is an image's name without the registry, tag and digest.
func repository(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return reference.Path(named)
}

// known is an image that keeps data, where it is one.
func known(s types.ServiceConfig) (stateful, bool) {
	if s.Build != nil {
		return stateful{}, false
	}
	d, ok := databases[repository(s.Image)]
	if ok && strings.Contains(s.Image, "alpine") {
		d.user = d.alpine
	}
	return d, ok
}

// roleOf tells by the image, and by what an image that is built begins with: an nginx with the
// files of a front end in it, which another stage has made, is a program of its own.
func roleOf(s types.ServiceConfig, built image) role {
	if s.Build == nil {
		return parts[called(s.Image)]
	}
	if r := parts[called(built.base)]; r != program && !copiesFromAStage(s.Build) {
		return r
	}
	return program
}

var fromAStage = regexp.MustCompile(`(?im)^[ \t]*COPY[ \t].*--from=`)

func copiesFromAStage(b *types.BuildConfig) bool { return fromAStage.MatchString(textOf(b)) }

// schedules are words of programs that ask for jobs: two of them ask twice.
var schedules = regexp.MustCompile(`(?i)\b(beat|celerybeat|rqscheduler|cron|crond|supercronic)\b`)

// background are words of programs that answer no requests.
var background = regexp.MustCompile(`(?i)\b(celery\w*|flower|rq|rqworker|rqscheduler|arq|dramatiq|huey\w*|workers?|beat|celerybeat|scheduler|cron|crond|supercronic|consumer|migrate|migrations?|prestart|alembic)\b`)

// AmbiguousError is a project of which it is not certain which service the backend is.
type AmbiguousError struct {
	// Candidates are the services that may be it, with what speaks for each.
	Candidates map[string]string
}

func (e AmbiguousError) Error() string {
	if len(e.Candidates) == 0 {
		return "no service of the project is a web application: none is built, and none publishes or exposes a port; say which one is the backend (--backend SERVICE, or BACKEND=SERVICE with make)"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(e.Candidates)) {
		all = append(all, fmt.Sprintf("%s (%s)", name, e.Candidates[name]))
	}
	return "it is not certain which service is the backend, the web application that users reach: " + strings.Join(all, ", ") +
		"; say which one (--backend SERVICE, or BACKEND=SERVICE with make)"
}

// chooseBackend finds the service that users reach. Each question is asked of those that are
// left by the ones before it, and counts where any is left by it.
func (im *importer) chooseBackend(wish string) (string, error) {
	if wish != "" {
		if _, there := im.project.Services[wish]; !there {
			return "", fmt.Errorf("there is no service %q in the project; there are: %s", wish, strings.Join(im.project.ServiceNames(), ", "))
		}
		return wish, nil
	}
	var left []string
	for _, name := range im.project.ServiceNames() {
		_, database := known(im.project.Services[name])
		if im.roles[name] == program && !database {
			left = append(left, name)
		}
	}
	answers := func(name string) bool { return !im.inBackground(name) }
	for _, question := range []func(string) bool{
		func(name string) bool { return im.project.Services[name].Build != nil },
		answers,
		func(name string) bool { return im.listens(name) != "" },
		im.isPython,
		func(name string) bool { return len(im.project.Services[name].Ports) > 0 },
	} {
		asked := slices.DeleteFunc(slices.Clone(left), func(name string) bool { return !question(name) })
		if len(asked) > 0 {
			left = asked
		}
	}
	if len(left) == 1 && answers(left[0]) && (im.listens(left[0]) != "" || im.project.Services[left[0]].Build != nil) {
		return left[0], nil
	}
	candidates := map[string]string{}
	for _, name := range left {
		if why := im.listens(name); why != "" || len(left) > 1 {
			candidates[name] = strings.Trim(why+", "+source(im.project.Services[name]), ", ")
		}
	}
	return "", AmbiguousError{candidates}
}

// inBackground is true for what runs jobs, by its command or by its name.
func (im *importer) inBackground(name string) bool {
	s := im.project.Services[name]
	words := slices.DeleteFunc(append(slices.Clone([]string(s.Entrypoint)), s.Command...), func(word string) bool { return strings.HasPrefix(word, "-") }) // gunicorn --workers
	return background.MatchString(strings.Join(words, " ")) ||
		len(s.Ports) == 0 && background.MatchString(strings.ReplaceAll(name, "_", "-"))
}

func (im *importer) isPython(name string) bool {
	s := im.project.Services[name]
	return im.images[name].python || pythonic.MatchString(strings.Join(append(slices.Clone(s.Entrypoint), s.Command...), " "))
}

// listens says what speaks for somebody being there who asks; empty: nothing.
func (im *importer) listens(name string) string {
	s := im.project.Services[name]
	switch {
	case len(s.Ports) > 0:
		var all []string
		for _, p := range s.Ports {
			all = append(all, p.Published)
		}
		return "publishes " + strings.Trim(strings.Join(all, " and "), " ")
	case len(s.Expose) > 0:
		return "exposes " + strings.Join(s.Expose, " and ")
	case balanced(labels(s)).port != 0 || len(balanced(labels(s)).hosts) > 0:
		return "has traefik's labels"
	case im.images[name].port != 0:
		return fmt.Sprintf("its Dockerfile exposes %d", im.images[name].port)
	}
	return ""
}

func source(s types.ServiceConfig) string {
	if s.Build != nil {
		return "builds " + path.Base(s.Build.Context)
	}
	return "runs " + s.Image
}
