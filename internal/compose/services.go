package compose

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"tarot-platform/internal/config"
)

// tryService changes a service where the configuration is still valid with it.
func (im *importer) tryService(name, key, mend string, change func(*config.Service)) bool {
	own := im.names[name]
	return im.try(key, mend, func(c *config.Config) {
		s := c.Services[own]
		change(&s)
		c.Services = with(c.Services, own, s)
	})
}

// addService takes over a service that stays one.
func (im *importer) addService(name string) {
	s, own, key := im.project.Services[name], im.names[name], "services."+name+"."
	ofBackend := im.sameImage(name)
	if why := im.ends(name); why != "" {
		im.became(name, "left out")
		im.miss("services."+name, why+", and a service is started again whenever it ends", "before a release it is tarot:backend.migrate, at times tarot:schedules, once it is make run SCHEDULE=… or docker exec")
		return
	}
	start := config.Service{}.Default().(config.Service) //nolint:errcheck // it is one
	if !im.source(name, ofBackend, &start) {
		return
	}
	d, database := known(s)
	if database && s.User == "" {
		start.User = d.user
	}
	if !im.try("services."+name, "build its image elsewhere, and name that in "+im.key(name)+"image", func(c *config.Config) { c.Services = with(c.Services, own, start) }) {
		return
	}
	set := func(attribute, mend string, change func(*config.Service)) {
		im.tryService(name, key+attribute, mend, change)
	}
	if s.User != "" || !ofBackend {
		if user := im.user(name); user != "" {
			set("user", "", func(s *config.Service) { s.User = user })
		}
	}
	im.servicePort(name, ofBackend)
	v := im.sortVariables(name, ofBackend)
	im.files(name, &v)
	im.fillServiceVariables(name, v)
	if command := im.command(name); len(command) > 0 {
		set("command", "", func(s *config.Service) { s.Command = command })
	}
	if database {
		im.nodeName(name)
	}
	if database && len(d.tmpfs) > 0 {
		set("tmpfs", "", func(s *config.Service) { s.Tmpfs = append(slices.Clip(s.Tmpfs), d.tmpfs...) })
	}
	if more := folders[called(im.images[name].base)]; len(more) > 0 && !ofBackend {
		set("tmpfs", "", func(s *config.Service) { s.Tmpfs = append(slices.Clip(s.Tmpfs), more...) })
	}
	im.serviceMounts(name, ofBackend)
	im.serviceHealth(name, ofBackend)
	im.limits(name, func(cpus float64, memory config.Bytes) {
		if cpus > 0 {
			set("deploy.resources.limits.cpus", "", func(s *config.Service) { s.CPUs = cpus })
		}
		if memory > 0 {
			set("deploy.resources.limits.memory", "", func(s *config.Service) { s.Memory = memory })
		}
	})
	set("deploy.replicas", "", func(to *config.Service) { to.Replicas = s.GetScale() })
	if s.StopGracePeriod != nil {
		set("stop_grace_period", "", func(to *config.Service) { to.StopGrace = max(wholeSeconds(*s.StopGracePeriod), time.Second) })
	}
	if s.StopSignal != "" {
		set("stop_signal", "the signal's name", func(to *config.Service) { to.StopSignal = signal(s.StopSignal) })
	}
	if im.onlyOnce(name) {
		set("command", "", func(s *config.Service) { s.Update = "stopFirst" })
	}
	if im.reachesOut(name) && !database && !(ofBackend && im.Config.Networks.BackendEgress) {
		set("networks", "", func(s *config.Service) { s.Egress = true })
	}
	im.tellService(name, ofBackend)
	im.became(name, "tarot:services."+own)
}

// source is where the image comes from.
func (im *importer) source(name string, ofBackend bool, to *config.Service) bool {
	s := im.project.Services[name]
	switch {
	case ofBackend:
	case s.Build != nil && s.Build.DockerfileInline != "":
		im.miss("services."+name+".build.dockerfile_inline", "an image is built from a Dockerfile", "write it into "+im.folder(s.Build.Context)+", and import again")
		return false
	case s.Build != nil:
		to.Context, to.Dockerfile, to.Target = im.folder(s.Build.Context), im.inContext(s.Build), s.Build.Target
		im.tellTag(name)
		im.arguments(name)
	case s.Image == "":
		im.miss("services."+name, "it has neither an image nor a folder to build", "leave it out")
		return false
	default:
		to.Image = s.Image
	}
	return true
}

// nodeName keeps what RabbitMQ has stored: it belongs to the node's name, which is the
// container's own otherwise, and each container has another one.
func (im *importer) nodeName(name string) {
	const variable = "RABBITMQ_NODENAME"
	s, own := im.project.Services[name], im.names[name]
	if _, said := s.Environment[variable]; said || repository(s.Image) != rabbitMQ {
		return
	}
	node := "rabbit@" + own
	im.tryService(name, "services."+name+".environment", "", func(s *config.Service) { s.Environment = with(s.Environment, variable, node) })
	if s.Hostname != own {
		im.miss("services."+name+".hostname", "RabbitMQ keeps its data by the node's name, which is "+node+" from now on and was another one", "have the workers finish what is queued before the switch; users and queues are made anew, or come over by rabbitmqctl export_definitions")
	}
}

// ends says why a service is one that does its work and ends; empty: it is none.
func (im *importer) ends(name string) string {
	s := im.project.Services[name]
	for _, other := range im.project.ServiceNames() {
		if im.project.Services[other].DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			return other + " waits for it to end"
		}
	}
	if s.Restart == "no" && im.listens(name) == "" && s.HealthCheck == nil {
		return `it is not to be started again (restart: "no")`
	}
	return ""
}

func (im *importer) servicePort(name string, ofBackend bool) {
	port := im.listensAt(name)
	if ofBackend && im.inBackground(name) && len(im.project.Services[name].Ports) == 0 {
		port = 0 // what the image exposes is the backend's
	}
	if port != 0 {
		im.tryService(name, "services."+name+".ports", "", func(s *config.Service) { s.Port = port })
	}
}

func (im *importer) fillServiceVariables(name string, v variables) {
	key := "services." + name + ".environment."
	for _, variable := range slices.Sorted(maps.Keys(v.plain)) {
		im.tryService(name, key+variable, "have the program read another variable", func(s *config.Service) { s.Environment = with(s.Environment, variable, v.plain[variable]) })
	}
	for _, secret := range v.secret {
		im.tryService(name, key+secret, "have the program read another variable", func(s *config.Service) {
			s.SecretEnvironment = append(slices.Clip(s.SecretEnvironment), secret)
		})
	}
	for _, secret := range v.files {
		im.tryService(name, "services."+name+".secrets", "have the program read another file", func(s *config.Service) { s.Secrets = append(slices.Clip(s.Secrets), secret) })
	}
}

// command is what starts a service, in one: it replaces the image's ENTRYPOINT here, and only
// its CMD in Compose. Empty: what the image says.
func (im *importer) command(name string) []string {
	s, key := im.project.Services[name], "services."+name+".command"
	words := slices.Clone([]string(s.Entrypoint))
	if len(s.Command) > 0 && s.Entrypoint == nil {
		d, database := known(s)
		image := im.images[name]
		if s.Build == nil && im.sameImage(name) {
			image = im.images[im.backend]
		}
		switch {
		case image.known:
			words = slices.Clone(image.entrypoint)
		case database:
			words = []string{d.entrypoint}
		default:
			im.miss(key, "a command replaces the image's ENTRYPOINT here, as well as its CMD, and what that is, is not known",
				"docker image inspect -f '{{json .Config.Entrypoint}}' "+s.Image+" tells it; where it is not null, its words go before those of tarot:"+im.key(name)+"command")
		}
	}
	words = append(words, s.Command...)
	if hasPassword(strings.Join(words, " ")) {
		im.miss(key, "there is a password in it, which docker inspect would show", "have the program read a variable, and import again")
		return nil
	}
	return words
}

// onlyOnce is true for what must not run twice, also for a moment.
func (im *importer) onlyOnce(name string) bool {
	words := strings.Join(append(slices.Clone(im.project.Services[name].Entrypoint), im.project.Services[name].Command...), " ")
	return schedules.MatchString(words)
}

func (im *importer) serviceHealth(name string, ofBackend bool) {
	s, key := im.project.Services[name], "services."+name+".healthcheck"
	own := im.Config.Services[im.names[name]]
	d, _ := known(s)
	set := func(change func(*config.ServiceHealth)) {
		im.tryService(name, key, "", func(s *config.Service) { change(&s.Health) })
	}
	set(func(h *config.ServiceHealth) {
		times(s.HealthCheck, &h.Interval, &h.Timeout, &h.StartPeriod, &h.Retries)
	})
	p, said := im.probed(name)
	switch {
	case p.none:
		set(func(h *config.ServiceHealth) { h.None = true })
	case said && p.path != "":
		set(func(h *config.ServiceHealth) {
			if h.Path = p.path; p.port != own.Port {
				h.Port = p.port
			}
		})
	case said && len(p.command) > 0:
		im.healthCommand(key, p.command, func(command []string) { set(func(h *config.ServiceHealth) { h.Command = command }) })
	case d.port != 0:
		set(func(h *config.ServiceHealth) { h.Port = d.port })
		im.miss(key, "there is none", "whether port "+strconv.Itoa(d.port)+" takes connections is written; better is a command of its own: "+im.set(name, "health.command[0]")+" WORD")
	case len(own.Command) > 0 || ofBackend || len(im.images[name].healthTest) > 0:
		// Its port, its image's own check, or that it runs: docs/services.md.
	case own.Port != 0:
		set(func(h *config.ServiceHealth) { h.Port = own.Port })
		im.miss(key, "there is none", "whether port "+strconv.Itoa(own.Port)+" takes connections is written, for which the image needs bash, Python or wget")
	default:
		set(func(h *config.ServiceHealth) { h.None = true })
		im.miss(key, "there is none, nor a port", "none is written: one that hangs is not found; better "+im.set(name, "health.command[0]")+" WORD")
	}
}

// tellService tells of what a backend can say, and a service can't.
func (im *importer) tellService(name string, ofBackend bool) {
	s, key := im.project.Services[name], "services."+name+"."
	own := im.names[name]
	b := balanced(labels(s))
	if len(s.Ports) > 0 && len(b.hosts) == 0 && len(b.prefixes) == 0 {
		if _, database := known(s); database {
			im.miss(key+"ports", "nothing but nginx publishes a port", "docker exec into its container; a program on the host can't reach it")
		} else {
			im.miss(key+"ports", "nothing but nginx publishes a port", "a route of nginx, by host or by path: "+im.route(own))
		}
	}
	if s.WorkingDir != "" && s.WorkingDir != im.images[name].workingDir {
		im.miss(key+"working_dir", "a program starts where its image says", "WORKDIR "+s.WorkingDir+" in the Dockerfile, or begin the command with cd")
	}
	if len(s.ExtraHosts) > 0 && !(ofBackend && maps.EqualFunc(s.ExtraHosts, im.project.Services[im.backend].ExtraHosts, slices.Equal)) {
		im.miss(key+"extra_hosts", "only the backend, and what runs its image, has further host names", "name the address itself")
	}
	if s.Platform != "" && s.Platform != im.Config.Build.Platform {
		im.miss(key+"platform", "all images are built for one platform, tarot:build.platform, and a ready one is the engine's", "leave it out")
	}
	if s.Logging != nil && !im.logsAlike(s) {
		im.miss(key+"logging", "all containers log alike, by tarot:logging", "leave it out")
	}
	im.restarts(name)
}

// route is the command that makes one.
func (im *importer) route(own string) string {
	return "pulumi config set -s " + im.options.Stack + " --path 'tarot:routes." + own + ".service' " + own + ", and the same for " + own + ".host or " + own + ".path"
}

func (im *importer) logsAlike(s types.ServiceConfig) bool {
	return (s.Logging.Driver == "" || s.Logging.Driver == im.Config.Logging.Driver) && maps.Equal(map[string]string(s.Logging.Options), im.Config.Logging.Options)
}

// restarts tells where something is expected to end.
func (im *importer) restarts(name string) {
	s := im.project.Services[name]
	if s.Restart == "no" || strings.HasPrefix(s.Restart, "on-failure") {
		im.miss("services."+name+".restart", "what ends is started again, and not by "+strconv.Quote(s.Restart), "what is meant to end is no service: before a release it is tarot:backend.migrate, at times tarot:schedules")
	}
}

// depend takes over what has to run before what, when all are there.
func (im *importer) depend() {
	for _, name := range im.project.ServiceNames() {
		if im.roles[name] != program || name == im.migrate {
			continue
		}
		dependencies := im.project.Services[name].DependsOn
		for _, other := range slices.Sorted(maps.Keys(dependencies)) {
			im.dependsOn(name, other, dependencies[other])
		}
	}
}

func (im *importer) dependsOn(name, other string, how types.ServiceDependency) {
	key := "services." + name + ".depends_on." + other
	_, there := im.Config.Services[im.names[other]]
	switch {
	case im.roles[other] != program || other == im.migrate || other == im.backend:
		return // the platform's own order: docs/services.md
	case !there:
		im.miss(key, other+" was not taken over", "nothing, where it does not need it")
		return
	case name == im.backend && im.Config.Services[im.names[other]].OfBackend():
		im.miss(key, "what runs the backend's image starts after the backend", "nothing, where the backend bears that")
		return
	}
	mend := "leave one of the two out"
	if name == im.backend {
		im.try(key, mend, func(c *config.Config) {
			c.Backend.DependsOn = append(slices.Clip(c.Backend.DependsOn), im.names[other])
		})
		return
	}
	if _, there := im.Config.Services[im.names[name]]; there {
		im.tryService(name, key, mend, func(s *config.Service) { s.DependsOn = append(slices.Clip(s.DependsOn), im.names[other]) })
	}
}
