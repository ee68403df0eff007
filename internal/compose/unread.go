package compose

import (
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// reason is why an attribute is not taken over, and what to do about it.
type reason struct{ why, mend string }

// Reasons that several attributes have.
var (
	hardened  = reason{"every container has no capabilities, no new privileges and a read-only root", "have the program do without; what needs more is not for this platform"}
	namespace = reason{"every container has its own, on networks of the stack's", "reach other services by their names"}
	kernel    = reason{"there is no key for it: a container has the engine's default", "set the engine's (daemon.json), or do without"}
	onHost    = reason{"no container has devices of the host", "run what needs them beside the stack, and reach it by its address (networks.backendEgress)"}
	bounded   = reason{"a container is limited by cpus and memory", "cpus and memory of the service"}
	hooked    = reason{"nothing is run in a container by the engine", "the program's own start; before a release: tarot:backend.migrate"}
	swarmed   = reason{"a release has an order of its own: new ones first, each checked, and back where one fails", "nothing; update: stopFirst for a service of which two must not run"}
	builder   = reason{"a build has context, Dockerfile, stage and arguments", "the Dockerfile, or build it elsewhere and name the image"}
)

// reasons are of attributes of services; a name counts for all below it.
var reasons = map[string]reason{
	"privileged": hardened, "cap_add": hardened, "security_opt": hardened, "userns_mode": hardened, "group_add": {"a program has the one group of user", "UID:GID of the group that the files belong to"}, "credential_spec": hardened, "use_api_socket": hardened,
	"network_mode": namespace, "pid": namespace, "ipc": namespace, "uts": namespace, "cgroup": namespace, "cgroup_parent": namespace, "isolation": namespace,
	"hostname": {"a container is found by its service's name", "use that"}, "domainname": namespace, "mac_address": namespace,
	"container_name": {"containers are named by the stack, and there are several at once in a release", "docker ps --filter label=tarot.workload=SERVICE; as a host: the service's name"},
	"external_links": {"a stack reaches its own services", "networks.backendEgress, and the address"},
	"dns":            {"names are the engine's to find", "extraHosts of the backend, or the engine's daemon.json"}, "dns_search": {"names are the engine's to find", "write them out"}, "dns_opt": kernel,
	"ulimits": kernel, "sysctls": kernel, "oom_kill_disable": kernel, "oom_score_adj": kernel, "blkio_config": kernel, "storage_opt": kernel, "runtime": kernel, "umask": kernel, "cpuset": kernel, "cpu_rt_period": kernel, "cpu_rt_runtime": kernel,
	"shm_size": {"/dev/shm has the engine's 64 MB", "have it write to a folder of tmpfs"},
	"devices":  onHost, "device_cgroup_rules": onHost, "gpus": onHost,
	"cpu_count": bounded, "cpu_percent": bounded, "cpu_period": bounded, "cpu_quota": bounded, "cpu_shares": bounded, "mem_reservation": bounded, "memswap_limit": {"swap is off", "memory of the service"}, "mem_swappiness": {"swap is off", "memory of the service"}, "pids_limit": bounded,
	"deploy.resources.reservations": {"nothing is reserved: up refuses what the host has no memory for", "memory of the service"}, "deploy.resources.limits.pids": bounded,
	"deploy.update_config": swarmed, "deploy.rollback_config": swarmed, "deploy.mode": swarmed, "deploy.restart_policy": {"what ends is started again", "nothing"}, "deploy.placement": {"where tasks run is for the whole stack", "tarot:swarm.constraints"}, "deploy.endpoint_mode": swarmed,
	"configs":      {"a file of settings belongs into the release", "COPY it in the Dockerfile, or give its values as variables"},
	"volumes_from": {"a volume is mounted by its name", "write the volume at both services"},
	"init":         {"there is no key for it", "ENTRYPOINT with tini or dumb-init in the image, where the program leaves children behind"},
	"tty":          {"nobody looks", "nothing"}, "stdin_open": {"nobody types", "nothing"}, "attach": {"logs are kept of all", "make logs SERVICE=…"},
	"pull_policy": {"an image is what its name means at the time of the up, and then stays", "nothing"}, "pull_refresh_after": {"an image is what its name means at the time of the up", "nothing"},
	"pre_start": hooked, "post_start": hooked, "pre_stop": hooked,
	"develop":     {"it is for working on the code", "a stack like dev, with tarot:backend.mountCode"},
	"annotations": {"containers have the platform's labels", "nothing"}, "label_file": {"containers have the platform's labels", "traefik's rules are taken over where they are labels; the rest is not needed"},
	"provider": {"what another program provides is none of the stack's", "set the variables that it would"}, "models": {"there is no key for it", "a service that serves the model"},
	"build": builder,
}

// others are of attributes beside services.
var others = map[string]reason{
	"networks": {"a stack has its own networks, with subnets of its own", "tarot:networks"},
	"configs":  {"a file of settings belongs into the release", "COPY it in the Dockerfile"},
	"jobs":     {"a command that runs at times is a schedule", "tarot:schedules: docs/schedules.md"},
	"models":   {"there is no key for it", "a service that serves the model"},
}

var unheard = reason{"nothing here has this meaning", "look whether it is needed; docs/coming-from-compose.md"}

// tellUnread tells of all that is in the project and that nothing has read.
func (im *importer) tellUnread() {
	for _, path := range im.project.unread {
		words := strings.Split(string(path), ".")
		table, below := others, words
		if words[0] == "services" && len(words) > 2 {
			if _, active := im.project.Services[words[1]]; !active {
				continue // told as a whole
			}
			if !im.taken(words[1]) {
				continue // so is a part of the platform's, and what is left out
			}
			table, below = reasons, words[2:]
		}
		told := unheard
		for n := len(below); n > 0; n-- {
			if found, there := table[strings.Join(below[:n], ".")]; there {
				told = found
				break
			}
		}
		im.miss(strings.ReplaceAll(string(path), ".[]", ""), told.why, told.mend)
	}
	for _, name := range im.project.DisabledServiceNames() {
		im.miss("services."+name, "its profile is not on: "+strings.Join(im.project.DisabledServices[name].Profiles, ", "), "import with --profile where it is wanted")
	}
	for _, said := range im.project.Said {
		im.miss("compose", said, "mend it in the Compose file, or in its .env, and import again")
	}
	im.tellNetworks()
	for _, name := range im.project.ServiceNames() {
		im.tellRest(name)
	}
}

// taken is true for a service that is one here, or runs before the backend.
func (im *importer) taken(name string) bool {
	_, there := im.Config.Services[im.names[name]]
	return there || name == im.backend || name == im.migrate
}

// tellNetworks tells where a project's networks keep services apart, which they do not here.
func (im *importer) tellNetworks() {
	var named []string
	for _, network := range im.project.NetworkNames() {
		if network != "default" {
			named = append(named, network)
		}
	}
	if len(named) > 0 {
		im.miss("networks", "all services are on the backend's network, and nginx in front of it on another one; "+"what is not made: "+strings.Join(named, ", "), "nothing, where they kept nobody apart; a way out is networks.backendEgress, and egress of a service")
	}
}

// tellRest tells of what a service that is one has, and that is read for something else.
func (im *importer) tellRest(name string) {
	s, key := im.project.Services[name], "services."+name+"."
	if !im.taken(name) || name == im.migrate {
		return
	}
	for _, network := range s.NetworksByPriority() {
		if n := s.Networks[network]; n != nil && (len(n.Aliases) > 0 || n.Ipv4Address != "" || n.Ipv6Address != "") {
			im.miss(key+"networks."+network, "a service is found by its name, at an address of the engine's choice", "name "+im.names[name]+" where an alias or an address was named")
		}
	}
	if len(s.EnvFiles) > 0 && (name == im.backend || !im.sameImage(name) || !slices.Equal(s.EnvFiles, im.project.Services[im.backend].EnvFiles)) {
		im.miss(key+"env_file", "what was in it is written into the stack file, and secrets are to be set", "change them there from now on; a file that stays one: tarot:backend.environmentFile")
	}
	var plain []string
	for label := range labels(s) {
		if !strings.HasPrefix(label, "traefik.") {
			plain = append(plain, label)
		}
	}
	slices.Sort(plain)
	if len(plain) > 0 {
		im.miss(key+"labels", "containers have the platform's labels, and nobody here reads "+strings.Join(plain, ", "), "nothing, where no program of yours does")
	}
	for dependency, how := range s.DependsOn {
		if how.Restart && slices.Contains(im.project.ServiceNames(), dependency) && !slices.Contains(linked(s), dependency) {
			im.miss(key+"depends_on."+dependency+".restart", "nothing is restarted because something else was", "have the program connect again")
		}
	}
	if len(s.Links) > 0 {
		im.miss(key+"links", "a service is found by its own name", "use that in place of an alias")
	}
}

// linked are the services that a link makes a service depend on.
func linked(s types.ServiceConfig) []string {
	var all []string
	for _, link := range s.Links {
		name, _, _ := strings.Cut(link, ":")
		all = append(all, name)
	}
	return all
}
