package config

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// BackendName is what the application itself is called where services are named.
const BackendName = "backend"

// Service is a further program: docs/services.md. One that runs the backend's image is a
// replica of the backend with another command: with its environment, its secrets, its volumes
// and its networks, and the keys below go before these.
type Service struct {
	// A ready image, with a tag or a digest. Empty: `context`, and where that is empty too,
	// the backend's image.
	Image string `key:"image" allowed:"an image reference such as registry.example/app:1.2, or empty; not beside context"`
	// A folder to build an image from, relative to the Pulumi project; with the build
	// arguments of `build`. Empty: no image of its own is built.
	Context string `key:"context" allowed:"a folder that exists, or empty; not beside image"`
	// The Dockerfile, relative to `context`, which it need not be in.
	Dockerfile string `key:"dockerfile" allowed:"the path of a file that exists, relative to the service's context"`
	// The Dockerfile's stage to build. Empty: its last one.
	Target string `key:"target" allowed:"a stage name of the Dockerfile, or empty"`
	// What to start instead of the image's own ENTRYPOINT and CMD. Empty: the image's own.
	Command []string `key:"command" allowed:"a list of words"`
	// How many containers run it.
	Replicas int `key:"replicas" allowed:"a whole number from 1 to 100"`
	// The port that it listens on inside its container (`PORT`). 0: on none.
	Port int `key:"port" allowed:"0, or a whole number from 1 to 65535"`
	// Environment variables. They are readable in `docker inspect`: use `secrets` or
	// `secretEnvironment` for what must not be.
	Environment map[string]string `key:"environment" allowed:"a map of names to strings; not PORT, which the service's port sets, and none of its secrets"`
	// Names of secrets, which it finds in the file that its variable NAME_FILE names. The
	// value of NAME is set by `pulumi config set --secret tarot:NAME`.
	Secrets []string `key:"secrets" allowed:"a list of variable names, upper case, each once"`
	// Names of secrets for programs that read no file: the variable NAME holds the value,
	// beside the file that NAME_FILE names. What starts it puts them there, by the image's
	// /bin/sh, so that they are in no `docker inspect`.
	SecretEnvironment []string `key:"secretEnvironment" allowed:"a list of variable names, upper case, each once"`
	// The user and group that it runs as. Empty: `backend.user`.
	User string `key:"user" allowed:"uid:gid in numbers, not 0, or empty"`
	// The most CPU that one container gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that one container gets. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 6m (the engine's minimum), such as 256m"`
	// How the engine finds out whether a container is healthy. Where nothing is said: the
	// image's HEALTHCHECK; with a `command`, whether `port` takes connections; with a
	// `command` and without a port, none.
	Health ServiceHealth `key:"health"`
	// Volumes of its own, which no update removes: a name, and the path that it is mounted
	// at. On the engine it is called PROJECT-STACK-SERVICE-NAME.
	Volumes map[string]string `key:"volumes" allowed:"a map of names of at most 32 lower case letters, digits and - to absolute paths, that nothing else is mounted at"`
	// Further folders that are writable and in memory, beside /tmp.
	Tmpfs []string `key:"tmpfs" allowed:"a list of absolute paths, that nothing else is mounted at"`
	// Let it reach the outside. Else it is on the backend's network alone, which has no way
	// out where `networks.isolated` is true.
	Egress bool `key:"egress" allowed:"true or false"`
	// How long after SIGTERM the engine sends SIGKILL: the time that a worker has for the
	// job that it is at. With the backend's image, GRACEFUL_TIMEOUT is three quarters of it.
	StopGrace time.Duration `key:"stopGrace" allowed:"a duration of whole seconds, at least 1s"`
	// The signal that asks it to end. Empty: the image's own, which is SIGTERM mostly.
	StopSignal string `key:"stopSignal" allowed:"a signal such as SIGINT, or empty"`
	// Services that have to run before it starts.
	DependsOn []string `key:"dependsOn" allowed:"a list of names in services, each once, of which none depends on this one in its turn"`
	// How many connections to the database one container of it may open, where
	// `database.kind` is postgres. 0: with the backend's image as many as one of the backend's
	// processes, and otherwise none.
	Connections int `key:"connections" allowed:"a whole number from 0 to 1000"`
	// Where Prometheus finds its metrics, with `monitoring.enabled`.
	Scrape Scrape `key:"scrape"`
	// How a changed one takes the place of the one that runs: `rolling` starts the new
	// container first, `stopFirst` stops the old one first. Empty: stopFirst where it has
	// volumes of its own, which two should not write to, and otherwise rolling.
	Update string `key:"update" allowed:"rolling, stopFirst, or empty"`
}

// ServiceHealth is the health check of a service. One of `command`, `path` or `port`, and
// `none` is taken.
type ServiceHealth struct {
	// A command in the container, which ends with 0 where all is well.
	Command []string `key:"command" allowed:"a list of words; alone"`
	// A path that answers a GET with 2xx or 3xx, on `port`, asked by the first of
	// `nginx.serverNames`. The image needs bash, Python or wget.
	Path string `key:"path" allowed:"empty, or a path that begins with /: letters, digits, . _ ~ - and /; with a port, and without a command or none"`
	// The port that is asked for `path`, or that has to take connections. 0: the
	// service's own, where there is a path. The image needs bash, Python or wget.
	Port int `key:"port" allowed:"0, or a whole number from 1 to 65535; without a command or none"`
	// No check: a container counts as started when it has run for 5 s without ending, and
	// one that hangs is not found.
	None bool `key:"none" allowed:"true or false; alone"`
	// The time between two checks until one passes, and after one that has failed. While
	// they pass it is 15s, where this one is not longer.
	Interval time.Duration `key:"interval" allowed:"a duration of at least 1s"`
	// The time after which a check counts as failed.
	Timeout time.Duration `key:"timeout" allowed:"a duration of at least 1s"`
	// The time from the start in which a failed check does not count.
	StartPeriod time.Duration `key:"startPeriod" allowed:"a duration of at least 1s"`
	// How many failed checks in a row make a container unhealthy.
	Retries int `key:"retries" allowed:"a whole number from 1 to 20"`
}

// Scrape is where metrics are.
type Scrape struct {
	// The path that answers with them.
	Path string `key:"path" allowed:"a path that begins with /"`
	// The port. 0: there are none.
	Port int `key:"port" allowed:"0, or a whole number from 1 to 65535"`
}

// Default implements Entry.
func (Service) Default() any {
	return Service{
		Dockerfile: "Dockerfile", Replicas: 1, CPUs: 0.5, Memory: 256 << 20,
		Health:    ServiceHealth{Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3},
		StopGrace: 30 * time.Second, Scrape: Scrape{Path: "/metrics"},
	}
}

// OfBackend is true where it runs the backend's image.
func (s Service) OfBackend() bool { return s.Image == "" && s.Context == "" }

// StopsFirst is true where the old container stops before the new one starts.
func (s Service) StopsFirst() bool {
	return s.Update == "stopFirst" || s.Update == "" && len(s.Volumes) > 0
}

// Reserved are the names that the platform's own workloads have, or may have. A test holds
// them to the parts' descriptions.
var Reserved = []string{
	"activate-static", "alertmanager", BackendName, "blackbox", "cadvisor", "candidate", CheckSQLite, "grafana", "migrate", "monitoring-facts", "nginx", "nginx-configuration",
	"node-exporter", OwnVolumes, "prometheus", "publish-scheduler", "publish-static", "valkey", "valkey-exporter", "valkey-users", "valkey-users-only",
	"backup-rehearsal", "backup-replicator", "cron-backup-files", "cron-backup-rehearsal", "own-backup", "publish-backup", "publish-litestream", "publish-state",
	"cron-postgres-archive", "cron-postgres-dump", "own-postgres-archive", "own-postgres-dump", "own-rehearsal-postgres", "postgres", "postgres-exporter", "postgres-layout", "postgres-pooler", "postgres-pooler-exporter", "postgres-stanza", "postgres-users", "postgres-users-only", "rehearsal-postgres",
	"release", "uses", "volume", // as these begin the names of volumes
}

// OwnVolumes is what the job is called that gives new volumes to the backend's user, and begins
// the names of those that do so for services.
const OwnVolumes = "own-volumes"

// CheckSQLite is what the job is called that looks at the SQLite of the backend's image.
const CheckSQLite = "check-sqlite"

var (
	signalName   = regexp.MustCompile(`^SIG[A-Z0-9+-]+$`)
	absolutePath = regexp.MustCompile(`^/[^\s,:]+$`)
	// ofThePlatform are folders that it mounts in every container.
	ofThePlatform = []string{"/tmp", "/run/config", "/run/secrets"}
)

func (cfg Config) checkServices(c *checker) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Services)) {
		if slices.Contains(Reserved, name) || strings.HasSuffix(name, "-candidate") || strings.HasPrefix(name, OwnVolumes+"-") {
			c.want(false, "services", name)
		}
		cfg.Services[name].check(c, "services."+name+".", cfg.folders())
		cfg.checkDependencies(c, "services."+name+".dependsOn", cfg.Services[name].DependsOn)
	}
	cfg.checkDependencies(c, "backend.dependsOn", cfg.Backend.DependsOn)
	if cycle := cfg.cycle(); len(cycle) > 0 {
		c.add(Fault{Namespace, "services." + cycle[0] + ".dependsOn", quote(strings.Join(cycle, " → ")), allowed("services.NAME.dependsOn")})
		return
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.BeforeBackend())) {
		if cfg.Services[name].OfBackend() {
			c.add(Fault{Namespace, "backend.dependsOn", quote(name), allowed("backend.dependsOn")})
		}
	}
}

// check checks what it says; folders are those that the backend has something mounted at.
func (s Service) check(c *checker, key string, folders []string) {
	s.checkImage(c, key)
	c.between(key+"replicas", s.Replicas, 1, 100)
	c.between(key+"port", s.Port, 0, 65535)
	c.between(key+"connections", s.Connections, 0, 1000)
	for name := range s.Environment {
		c.want(variableName.MatchString(name) && name != "PORT", key+"environment", name)
	}
	for list, names := range map[string][]string{"secrets": s.Secrets, "secretEnvironment": s.SecretEnvironment} {
		for i, name := range names {
			c.want(secretName.MatchString(name) && !slices.Contains(names[:i], name), key+list, name)
			for _, variable := range []string{name, name + "_FILE"} {
				if _, plain := s.Environment[variable]; plain {
					c.because(key+"environment", variable, name+" is one of "+key+list+": what is here is readable in `docker inspect`")
				}
			}
		}
	}
	c.want(s.User == "" || userName.MatchString(s.User), key+"user", s.User)
	c.want(s.CPUs >= 0.01, key+"cpus", s.CPUs)
	c.want(s.Memory >= engineMinimum, key+"memory", s.Memory)
	s.checkHealth(c, key+"health.")
	s.checkMounts(c, key, folders)
	c.wholeSeconds(key+"stopGrace", s.StopGrace, time.Second)
	c.want(s.StopSignal == "" || signalName.MatchString(s.StopSignal), key+"stopSignal", s.StopSignal)
	c.want(strings.HasPrefix(s.Scrape.Path, "/"), key+"scrape.path", s.Scrape.Path)
	c.between(key+"scrape.port", s.Scrape.Port, 0, 65535)
	c.oneOf(key+"update", s.Update, "", "rolling", "stopFirst")
}

func (s Service) checkImage(c *checker, key string) {
	c.want(s.Image == "" || s.Context == "" && imageName.MatchString(s.Image), key+"image", s.Image)
	if s.Context == "" {
		return
	}
	info, err := os.Stat(s.Context)
	c.want(err == nil && info.IsDir(), key+"context", s.Context)
	if err == nil && info.IsDir() {
		c.want(isDockerfile(s.Context, s.Dockerfile), key+"dockerfile", s.Dockerfile)
	}
}

func (s Service) checkHealth(c *checker, key string) {
	h := s.Health
	c.want(h.Path == "" || healthPath.MatchString(h.Path) && len(h.Command) == 0 && !h.None && (h.Port != 0 || s.Port != 0), key+"path", h.Path)
	c.want(h.Port == 0 || h.Port > 0 && h.Port <= 65535 && len(h.Command) == 0 && !h.None, key+"port", h.Port)
	c.want(!h.None || len(h.Command) == 0, key+"none", h.None)
	c.want(h.Interval >= time.Second, key+"interval", h.Interval)
	c.want(h.Timeout >= time.Second, key+"timeout", h.Timeout)
	c.want(h.StartPeriod >= time.Second, key+"startPeriod", h.StartPeriod)
	c.between(key+"retries", h.Retries, 1, 20)
}

// checkMounts refuses what is mounted twice, or in place of what the platform mounts.
func (s Service) checkMounts(c *checker, key string, folders []string) {
	taken := slices.Clone(ofThePlatform)
	if s.OfBackend() {
		taken = append(taken, folders...)
	}
	free := func(target string) bool {
		ok := absolutePath.MatchString(target) && path.Clean(target) == target && !slices.Contains(taken, target)
		taken = append(taken, target)
		return ok
	}
	for _, name := range slices.Sorted(maps.Keys(s.Volumes)) {
		c.want(entryName.MatchString(name) && free(s.Volumes[name]), key+"volumes", fmt.Sprintf("%s: %s", name, s.Volumes[name]))
	}
	for _, target := range s.Tmpfs {
		c.want(free(target), key+"tmpfs", target)
	}
}

func (cfg Config) checkDependencies(c *checker, key string, names []string) {
	for i, name := range names {
		_, there := cfg.Services[name]
		c.want(there && !slices.Contains(names[:i], name), key, name)
	}
}

// cycle is a chain of services that depend on each other, from one to itself; none where
// there is no such chain.
func (cfg Config) cycle() []string {
	done := map[string]bool{}
	var from func(chain []string) []string
	from = func(chain []string) []string {
		last := chain[len(chain)-1]
		if i := slices.Index(chain[:len(chain)-1], last); i >= 0 {
			return chain[i:]
		}
		if done[last] {
			return nil
		}
		for _, next := range cfg.Services[last].DependsOn {
			if found := from(append(slices.Clone(chain), next)); found != nil {
				return found
			}
		}
		done[last] = true
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Services)) {
		if found := from([]string{name}); found != nil {
			return found
		}
	}
	return nil
}

// BeforeBackend are the services that the backend depends on, and those that these do.
func (cfg Config) BeforeBackend() map[string]bool {
	all := map[string]bool{}
	var add func(names []string)
	add = func(names []string) {
		for _, name := range names {
			if s, there := cfg.Services[name]; there && !all[name] {
				all[name] = true
				add(s.DependsOn)
			}
		}
	}
	add(cfg.Backend.DependsOn)
	return all
}

// OrderedServices are the names of all services, each after those that it depends on, and
// otherwise by name. The configuration has been checked.
func (cfg Config) OrderedServices() []string {
	var ordered []string
	var add func(name string)
	add = func(name string) {
		if slices.Contains(ordered, name) {
			return
		}
		for _, other := range slices.Sorted(slices.Values(cfg.Services[name].DependsOn)) {
			add(other)
		}
		ordered = append(ordered, name)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Services)) {
		add(name)
	}
	return ordered
}
