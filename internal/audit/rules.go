package audit

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/system"
)

// rules are in the benchmark's order. The reasons are short; docs/architecture.md and the ADRs have more.
var rules = []rule{
	{number: "4.1", title: "a user that is not root", fault: root, exceptions: []exception{
		{named("cadvisor"), "the engine's socket is root's, or its group is not known"},
		{job("own-"), "gives a new volume, which is root's, to its user, without a network (ADR 16)"},
		{job("publish-", "monitoring-facts", "nginx-configuration"), "fills a new volume, which is root's, and has no capabilities and no network"},
		{named("cron-backup-"), "reads volumes of several owners, read-only, and goes on as the application's user"},
		{once, "one-off of a restore or a move, until it has ended: what is brought back has the owners that it had (ADR 23)"},
	}},
	{number: "4.6", title: "a health check", lasting: true, fault: unchecked, exceptions: []exception{
		{steady, "nothing to ask with: it has to have run for a while in place of a check"},
	}},
	{number: "4.10", title: "no secret in a variable", fault: secret, exceptions: []exception{
		{named("backup-rehearsal"), "the address of a database that is made for one rehearsal, in a room without a network"},
	}},
	{number: "5.1", title: "AppArmor, where the engine has it", lasting: true, fault: unconfined},
	{number: "5.4", title: "no capability", fault: capable, exceptions: []exception{
		{job("own-"), "CHOWN alone, to give a new volume away (ADR 16)"},
		{named("cron-backup-"), "DAC_READ_SEARCH and what it takes to go on as another user"},
		{once, "one-off of a restore or a move (ADR 23)"},
	}},
	{number: "5.5", title: "not privileged", fault: func(_ system.Info, s Subject) string {
		return without(s.HostConfig.Privileged, "privileged")
	}},
	{number: "5.6", title: "no folder of the host", fault: hostFolder, exceptions: []exception{
		{named("cadvisor"), "what containers use is nowhere else; read-only"},
		{named("node-exporter"), "the machine's own figures; read-only"},
		{backedUp, "the folder of the host that backup.target names"},
		{code, "your code, for hot reload"},
	}},
	{number: "5.10", title: "no namespace of the host", fault: shared, exceptions: []exception{
		{named("node-exporter"), "the machine's own figures"},
	}},
	{number: "5.11", title: "a limit of memory", fault: func(_ system.Info, s Subject) string {
		return without(s.HostConfig.Memory <= 0, "no limit")
	}},
	{number: "5.12", title: "a limit of processor time", lasting: true, fault: func(_ system.Info, s Subject) string {
		return without(s.HostConfig.NanoCPUs <= 0 && s.HostConfig.CPUQuota <= 0, "no limit")
	}},
	{number: "5.13", title: "a read-only root", fault: func(_ system.Info, s Subject) string {
		return without(!s.HostConfig.ReadonlyRootfs, "its root can be written")
	}, exceptions: []exception{
		{func(_ system.Info, s Subject, _ string) bool { return s.Job }, "gets its files by the engine before it starts, which wants a root that can be written, and ends"},
	}},
	{number: "5.14", title: "only the edge's ports, others on loopback", lasting: true, fault: published},
	{number: "5.15", title: "restarted, and not without an end", lasting: true, fault: restarted, exceptions: []exception{
		{func(system.Info, Subject, string) bool { return true }, "`always`: one that a reboot or a crash of the engine has stopped would not come back otherwise"},
	}},
	{number: "5.22", title: "seccomp", fault: unfiltered},
	{number: "5.26", title: "no new privileges", fault: newPrivileges, exceptions: []exception{
		{task, `the provider's services have no field for it. "no-new-privileges": true in the engine's daemon.json is for all of its containers`},
		{once, "one-off of a restore or a move, until it has ended"},
	}},
	{number: "5.28", title: "an image by its digest", lasting: true, fault: func(_ system.Info, s Subject) string {
		return without(!strings.Contains(s.Config.Image, "@sha256:"), "%s", s.Config.Image)
	}, exceptions: []exception{
		{func(system.Info, Subject, string) bool { return true }, "a tag: of ours by their content; those of others by `make images-update`"},
	}},
	{number: "5.29", title: "a limit of processes", lasting: true, fault: func(_ system.Info, s Subject) string {
		limit := s.HostConfig.PidsLimit
		return without(limit == nil || *limit <= 0, "no limit")
	}, exceptions: []exception{
		{task, "the provider's services have no field for it"},
		{func(engine system.Info, _ Subject, _ string) bool { return !engine.PidsLimit }, "this engine has no such limit"},
	}},
	{number: "5.32", title: "no socket of the engine", fault: socket, exceptions: []exception{
		{named("cadvisor"), "the containers' names are known to the engine alone; it has no way out, no port and no capabilities"},
	}},
}

func task(_ system.Info, s Subject, _ string) bool { return s.Task }

// once is what a command makes beside the stack's jobs.
func once(_ system.Info, s Subject, _ string) bool { return s.Workload == "" }

func job(names ...string) func(system.Info, Subject, string) bool {
	return func(_ system.Info, s Subject, _ string) bool { return s.Job && isOf(s, names...) }
}

func root(_ system.Info, s Subject) string {
	user, _, _ := strings.Cut(s.Config.User, ":")
	return without(user == "" || user == "0" || user == "root", "user %q", s.Config.User)
}

func unchecked(_ system.Info, s Subject) string {
	check := s.Config.Healthcheck
	return without(check == nil || len(check.Test) == 0 || check.Test[0] == "NONE", "none")
}

// steady is what the runtime has said so of: nobody asks it, and on purpose.
func steady(_ system.Info, s Subject, _ string) bool {
	return s.Config.Healthcheck != nil && slices.Equal(s.Config.Healthcheck.Test, []string{"NONE"})
}

var secretName = regexp.MustCompile(`(?i)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)`)

// secret looks at names, and at passwords in addresses. What is in a file has a name that
// ends in FILE, or is a path.
func secret(_ system.Info, s Subject) string {
	var found []string
	for _, variable := range s.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		address, err := url.Parse(value)
		inAddress := err == nil && address.User != nil
		if inAddress {
			_, inAddress = address.User.Password()
		}
		named := secretName.MatchString(name) && value != "" && !strings.HasPrefix(value, "/") && !strings.Contains(strings.ToUpper(name), "_FILE") && !number.MatchString(value)
		if named || inAddress {
			found = append(found, name)
		}
	}
	return strings.Join(found, ", ")
}

// number is a time or a version of a secret, and none itself.
var number = regexp.MustCompile(`^(\d{1,6}[a-z]?|true|false)$`)

func unconfined(engine system.Info, s Subject) string {
	has := slices.ContainsFunc(engine.SecurityOptions, func(o string) bool { return strings.Contains(o, "apparmor") })
	return without(has && (s.AppArmorProfile == "unconfined" || s.AppArmorProfile == ""), "profile %q", s.AppArmorProfile)
}

func capable(_ system.Info, s Subject) string {
	if dropped := slices.Contains(s.HostConfig.CapDrop, "ALL") || slices.Contains(s.HostConfig.CapDrop, "CAP_ALL"); !dropped {
		return "not all are dropped"
	}
	return without(len(s.HostConfig.CapAdd) > 0, "%s", strings.Join(s.HostConfig.CapAdd, ", "))
}

func hostFolder(_ system.Info, s Subject) string {
	var found []string
	for _, m := range s.Mounts {
		if m.Type == mount.TypeBind && !isSocket(m.Source) {
			found = append(found, m.Source)
		}
	}
	return strings.Join(found, ", ")
}

func isSocket(source string) bool {
	return path.Base(source) == "docker.sock" || path.Base(source) == "containerd.sock"
}

func socket(_ system.Info, s Subject) string {
	for _, m := range s.Mounts {
		if isSocket(m.Source) {
			return m.Source
		}
	}
	return ""
}

// backedUp is what mounts the target of the backups.
func backedUp(_ system.Info, s Subject, _ string) bool {
	return isOf(s, "backup-", "replicator", "replicator-", "litestream", "cron-backup-", "pgbackrest", "postgres")
}

// code is the application's folder in dev: all that is mounted is where its program begins.
func code(_ system.Info, s Subject, _ string) bool {
	for _, m := range s.Mounts {
		if m.Type == mount.TypeBind && m.Destination != s.Config.WorkingDir {
			return false
		}
	}
	return true
}

func shared(_ system.Info, s Subject) string {
	h := s.HostConfig
	var found []string
	for name, mode := range map[string]string{"network": string(h.NetworkMode), "pid": string(h.PidMode), "ipc": string(h.IpcMode), "uts": string(h.UTSMode), "user": string(h.UsernsMode)} {
		if mode == "host" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func published(_ system.Info, s Subject) string {
	if s.Workload == "nginx" || s.NetworkSettings == nil {
		return "" // the edge: where it listens is the stack file's word
	}
	var found []string
	for port, bindings := range s.NetworkSettings.Ports {
		for _, b := range bindings {
			if b.HostIP != "127.0.0.1" && b.HostIP != "::1" {
				found = append(found, fmt.Sprintf("%s at %s:%s", port, b.HostIP, b.HostPort))
			}
		}
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func restarted(_ system.Info, s Subject) string {
	policy := s.HostConfig.RestartPolicy
	if s.Task {
		return "" // Swarm's own: it waits between attempts
	}
	return without(policy.Name != container.RestartPolicyOnFailure || policy.MaximumRetryCount > 5, "%s", policy.Name)
}

func unfiltered(engine system.Info, s Subject) string {
	if slices.Contains(s.HostConfig.SecurityOpt, "seccomp=unconfined") {
		return "seccomp=unconfined"
	}
	has := slices.ContainsFunc(engine.SecurityOptions, func(o string) bool { return strings.Contains(o, "seccomp") })
	return without(!has, "the engine has none")
}

func newPrivileges(engine system.Info, s Subject) string {
	daemonWide := slices.Contains(engine.SecurityOptions, "name=no-new-privileges")
	return without(!daemonWide && !slices.ContainsFunc(s.HostConfig.SecurityOpt, func(o string) bool {
		return o == "no-new-privileges" || o == "no-new-privileges:true" || o == "no-new-privileges=true"
	}), "not set")
}
