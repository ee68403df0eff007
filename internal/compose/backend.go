package compose

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"tarot-platform/internal/config"
)

// fillBackend takes over what is said of the backend. Folders come first, as a database's file
// has to be in one, and the user before what belongs to it.
func (im *importer) fillBackend() {
	name := im.backend
	s, key := im.project.Services[name], "services."+name+"."
	im.backendFolder()
	im.backendUser()
	im.backendPort()
	im.backendMounts()
	v := im.sortVariables(name, true)
	im.files(name, &v)
	im.fillVariables(v)
	if command := im.command(name); len(command) > 0 {
		im.try(key+"command", "", func(c *config.Config) { c.Backend.Command = command })
	}
	im.fillMigration()
	im.backendHealth()
	im.limits(name, func(cpus float64, memory config.Bytes) {
		if cpus > 0 {
			im.try(key+"deploy.resources.limits.cpus", "", func(c *config.Config) { c.Backend.CPUs = cpus })
		}
		if memory > 0 {
			im.try(key+"deploy.resources.limits.memory", "", func(c *config.Config) { c.Backend.Memory = memory })
		}
	})
	im.try(key+"deploy.replicas", "", func(c *config.Config) { c.Backend.Replicas = s.GetScale() })
	if s.StopGracePeriod != nil {
		grace := wholeSeconds(*s.StopGracePeriod)
		im.try(key+"stop_grace_period", "at least 2s", func(c *config.Config) {
			c.Backend.StopGrace, c.Backend.Drain = grace, max((grace*3/4).Truncate(time.Second), time.Second)
		})
	}
	if s.StopSignal != "" && signal(s.StopSignal) != "SIGTERM" {
		im.miss(key+"stop_signal", "the backend is asked to end by the image's own signal", "STOPSIGNAL "+s.StopSignal+" in the Dockerfile")
	}
	im.backendHosts()
	if s.Logging != nil {
		im.try(key+"logging", "", func(c *config.Config) {
			c.Logging = config.Logging{Driver: s.Logging.Driver, Options: map[string]string(s.Logging.Options)}
			if c.Logging.Driver == "" {
				c.Logging.Driver = "json-file"
			}
		})
	}
	if im.reachesOut(name) {
		im.try(key+"networks", "", func(c *config.Config) { c.Networks.BackendEgress = true })
	}
	if s.Platform != "" {
		im.try(key+"platform", "", func(c *config.Config) { c.Build.Platform = s.Platform })
	}
	im.restarts(name)
}

// fillMigration has what had to end before the backend started run before a release.
func (im *importer) fillMigration() {
	if im.migrate == "" {
		return
	}
	im.became(im.migrate, "tarot:backend.migrate")
	s, backend := im.project.Services[im.migrate], im.project.Services[im.backend]
	if command := im.command(im.migrate); len(command) > 0 {
		im.try("services."+im.migrate+".command", "", func(c *config.Config) { c.Backend.Migrate = command })
	} else {
		im.miss("services."+im.migrate, "what its image runs by itself is not known", im.set(im.backend, "migrate[0]")+" WORD")
	}
	for _, variable := range slices.Sorted(maps.Keys(s.Environment)) {
		value, theirs := s.Environment[variable], backend.Environment[variable]
		if value != nil && (theirs == nil || *theirs != *value) {
			im.miss("services."+im.migrate+".environment."+variable, "what runs before a release has the backend's variables", "set it for the backend, or in the command: [env, "+variable+"=VALUE, …]")
		}
	}
}

func (im *importer) backendFolder() {
	s, built := im.project.Services[im.backend], im.images[im.backend]
	folder := built.workingDir
	if s.WorkingDir != "" {
		folder = s.WorkingDir
		if built.workingDir != s.WorkingDir {
			im.miss("services."+im.backend+".working_dir", "a program starts where its image says", "WORKDIR "+s.WorkingDir+" in the Dockerfile")
		}
	}
	if folder != "" {
		im.try("services."+im.backend+".working_dir", "have the code in a folder of its own", func(c *config.Config) { c.Backend.WorkingDir = folder })
	}
}

var number = regexp.MustCompile(`^[0-9]+$`)

// user is whom a service runs as, by Compose or by its Dockerfile; empty: nobody says, or it is
// root and so nobody here.
func (im *importer) user(name string) string {
	s, key := im.project.Services[name], "services."+name+".user"
	said := s.User
	if said == "" {
		said = im.images[name].user
	}
	group := said
	if before, after, both := strings.Cut(said, ":"); both {
		said, group = before, after
	}
	switch {
	case said == "" || (said == "root" || said == "0") && s.User == "":
		return ""
	case said == "root" || said == "0":
		im.miss(key, "nothing runs as root", "it runs as "+im.Config.Backend.User+"; set another one: "+im.set(name, "user")+" UID:GID")
		return ""
	case !number.MatchString(said) || !number.MatchString(group):
		im.miss(key, said+" is a name, and files belong to numbers that are known before the image is built", "docker run --rm --entrypoint id IMAGE "+said+" tells them; then: "+im.set(name, "user")+" UID:GID")
		return ""
	}
	return said + ":" + group
}

func (im *importer) backendUser() {
	if user := im.user(im.backend); user != "" {
		im.try("services."+im.backend+".user", "", func(c *config.Config) { c.Backend.User = user })
	}
}

// portOf is a port in a command.
var portOf = regexp.MustCompile(`(?:--port[= ]|-p |--bind[= ]\S*:|-b \S*:|runserver \S*:|0\.0\.0\.0:)([0-9]{2,5})\b`)

// listensAt is the port of a service in its container; 0: it is not known.
func (im *importer) listensAt(name string) int {
	s := im.project.Services[name]
	words := strings.Join(append(slices.Clone(s.Entrypoint), s.Command...), " ")
	if found := portOf.FindStringSubmatch(words); found != nil {
		port, _ := strconv.Atoi(found[1])
		return port
	}
	if port := s.Environment["PORT"]; port != nil && number.MatchString(*port) {
		number, _ := strconv.Atoi(*port)
		return number
	}
	if port := balanced(labels(s)).port; port != 0 {
		return port
	}
	for _, p := range s.Ports {
		if p.Target != debugger {
			return int(p.Target)
		}
	}
	for _, exposed := range s.Expose {
		first, _, _ := strings.Cut(exposed, "/")
		if port, err := strconv.Atoi(first); err == nil {
			return port
		}
	}
	if port := im.images[name].port; port != 0 {
		return port
	}
	if p, _ := im.probed(name); p.path != "" {
		return p.port
	}
	return 0
}

// debugger is the port of debugpy.
const debugger = 5678

func (im *importer) backendPort() {
	key := "services." + im.backend + ".ports"
	port := im.listensAt(im.backend)
	if port == 0 {
		im.miss(key, "the port that the backend listens on is not known", "8000 is written; another one: "+im.set(im.backend, "port")+" PORT")
		return
	}
	im.try(key, "have it listen on 0.0.0.0:8000, which is written", func(c *config.Config) { c.Backend.Port = port })
}

// fillVariables writes the backend's.
func (im *importer) fillVariables(v variables) {
	for _, variable := range slices.Sorted(maps.Keys(v.plain)) {
		key := "services." + im.backend + ".environment." + variable
		if workers, err := strconv.Atoi(v.plain[variable]); variable == "WEB_CONCURRENCY" && err == nil {
			im.try(key, "", func(c *config.Config) { c.Backend.Workers = workers })
			continue
		}
		im.try(key, "have the program read another variable", func(c *config.Config) {
			c.Backend.Environment = with(c.Backend.Environment, variable, v.plain[variable])
		})
	}
	for _, name := range v.secret {
		im.try("services."+im.backend+".environment."+name, "have the program read another variable", func(c *config.Config) {
			c.Backend.SecretEnvironment = append(slices.Clip(c.Backend.SecretEnvironment), name)
		})
	}
	for _, name := range v.files {
		im.try("services."+im.backend+".secrets", "have the program read another file", func(c *config.Config) {
			c.Backend.Secrets = append(slices.Clip(c.Backend.Secrets), name)
		})
	}
}

func (im *importer) backendHealth() {
	s, key := im.project.Services[im.backend], "services."+im.backend+".healthcheck"
	set := func(change func(*config.Health)) bool {
		return im.try(key, "set one of health.path, health.port and health.command", func(c *config.Config) { change(&c.Backend.Health) })
	}
	p, own := im.probed(im.backend)
	set(func(h *config.Health) { times(s.HealthCheck, &h.Interval, &h.Timeout, &h.StartPeriod, &h.Retries) })
	port := im.Config.Backend.Port
	switch {
	case p.path != "" && p.port == port && own:
		set(func(h *config.Health) { h.Path = p.path })
	case p.path != "" && p.port == port:
		im.try(key, "", func(c *config.Config) { c.Backend.Paths.Health = p.path })
	case len(p.command) > 0:
		if own {
			im.healthCommand(key, p.command, func(command []string) { set(func(h *config.Health) { h.Command = command }) })
		}
		im.unknownPath(key)
	default:
		why := "there is none, in the Compose file and in the Dockerfile"
		if p.none {
			why = "it is switched off, and a release has to be checked before users see it"
		}
		set(func(h *config.Health) { h.Port = port })
		im.miss(key, why, "whether port "+strconv.Itoa(port)+" takes connections is written; better a page: "+im.set(im.backend, "health.path")+" /PATH, and "+im.rm(im.backend, "health.port"))
		im.unknownPath(key)
	}
}

// unknownPath tells that a release is asked for a page that may not be there.
func (im *importer) unknownPath(key string) {
	im.miss(key, "no page is known that answers 200 while all is well, and through nginx each release is asked for /health", "where that is another one: "+im.set(im.backend, "paths.health")+" /PATH")
}

// healthCommand is a command without passwords in it, which anybody could read there.
func (im *importer) healthCommand(key string, command []string, set func([]string)) {
	if hasPassword(strings.Join(command, " ")) {
		im.miss(key, "there is a password in it, which docker inspect would show", "have it read a variable")
		return
	}
	set(command)
}

func (im *importer) backendHosts() {
	s := im.project.Services[im.backend]
	for _, name := range slices.Sorted(maps.Keys(s.ExtraHosts)) {
		for i, address := range s.ExtraHosts[name] {
			key := "services." + im.backend + ".extra_hosts." + name
			if _, err := netip.ParseAddr(address); err != nil {
				im.miss(key, "an address is a number here, and "+address+" is none", im.set(im.backend, `extraHosts["`+name+`"]`)+" ADDRESS, with the host's own in a network that the backend reaches")
				continue
			}
			if i > 0 {
				im.miss(key, "a name has one address", "it is "+s.ExtraHosts[name][0])
				continue
			}
			im.try(key, "leave it out", func(c *config.Config) { c.Backend.ExtraHosts = with(c.Backend.ExtraHosts, name, address) })
		}
	}
}

// reachesOut is true for a service that has a network with a way out, as every one has that is
// not internal.
func (im *importer) reachesOut(name string) bool {
	for network := range im.project.Services[name].Networks {
		if !im.project.Networks[network].Internal {
			return true
		}
	}
	return false
}

// limits are the most that a container gets.
func (im *importer) limits(name string, set func(cpus float64, memory config.Bytes)) {
	s := im.project.Services[name]
	cpus, memory := float64(s.CPUS), config.Bytes(s.MemLimit)
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		if most := s.Deploy.Resources.Limits; most.NanoCPUs != 0 {
			cpus = float64(most.NanoCPUs)
		}
		if most := s.Deploy.Resources.Limits; most.MemoryBytes != 0 {
			memory = config.Bytes(most.MemoryBytes)
		}
	}
	const hundredths = 100 // a float32 has no exact 0.1
	cpus = float64(int(cpus*hundredths+0.5)) / hundredths
	set(cpus, memory)
}

// wholeSeconds rounds up.
func wholeSeconds(d types.Duration) time.Duration {
	return (time.Duration(d) + time.Second - 1).Truncate(time.Second)
}

// signal is a signal's whole name.
func signal(name string) string {
	switch name {
	case "15":
		return "SIGTERM"
	case "2":
		return "SIGINT"
	case "3":
		return "SIGQUIT"
	}
	if number.MatchString(name) || strings.HasPrefix(name, "SIG") {
		return name
	}
	return "SIG" + name
}

func (im *importer) rm(name, key string) string {
	return strings.Replace(im.set(name, key), "config set", "config rm", 1)
}
