package drift

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

type serviceActual = swarm.Service

// services compares Swarm's. What an `up` writes into one, all can be changed by hand.
func (c *comparison) services() {
	for _, w := range c.wanted.services {
		c.counts["service"]++
		at := slices.IndexFunc(c.actual.Services, func(s serviceActual) bool { return s.ID == w.id })
		if at < 0 {
			c.serviceGone(w)
			continue
		}
		there := c.actual.Services[at]
		back := there.UpdateStatus != nil && strings.HasPrefix(string(there.UpdateStatus.State), "rollback")
		for _, d := range w.differences(there.Spec, c.networkName) {
			// A first `up` that has failed lets nothing of a service run on.
			f := finding{kind: "service-" + d.kind, subject: w.Name, wanted: d.wanted, found: d.found, since: there.UpdatedAt, own: back || d.kind == "replicas"}
			if back {
				f.found += "; Swarm has taken the service back to what it was before, or somebody has"
			}
			c.add(f)
		}
	}
}

func (c *comparison) serviceGone(w serviceWanted) {
	for _, other := range c.actual.Services {
		if other.Spec.Name == w.Name {
			c.add(finding{kind: "service-replaced", subject: w.Name, wanted: "the service " + w.id, found: "another one has its name", since: other.CreatedAt,
				mend: fmt.Sprintf("docker service rm %s && pulumi up --refresh -s %s", w.Name, c.Name)})
			return
		}
	}
	c.add(finding{kind: "service-removed", subject: w.Name, wanted: "it is there", found: "it is not"})
}

// differences are those of a service's specification, but for what nobody can change without a trace
// there: its number of forced updates says who has restarted it, which changes nothing.
func (w serviceWanted) differences(is swarm.ServiceSpec, network func(string) string) (all []difference) {
	told := func(kind, wants, has string) {
		if wants != has {
			all = append(all, difference{kind: kind, wanted: wants, found: "it is " + has})
		}
	}
	set := func(kind, what string, wants, has []string) {
		if less, more := without(wants, has), without(has, wants); len(less)+len(more) > 0 {
			all = append(all, difference{kind: kind, wanted: what + " as they were made", found: changed(less, more)})
		}
	}
	task, box := is.TaskTemplate, is.TaskTemplate.ContainerSpec
	if box == nil {
		box = &swarm.ContainerSpec{}
	}
	mode := "another mode"
	if is.Mode.Replicated != nil && is.Mode.Replicated.Replicas != nil {
		mode = replicas(*is.Mode.Replicated.Replicas)
	}
	told("name", w.Name, is.Name)
	told("replicas", replicas(w.Mode.Replicated.Replicas), mode)
	image := box.Image
	if !strings.Contains(w.TaskSpec.ContainerSpec.Image, "@") {
		image, _, _ = strings.Cut(image, "@") // the client of `docker service update` adds it
	}
	wants := w.TaskSpec.ContainerSpec
	told("image", wants.Image, image)
	if names := variables(pairs(wants.Env), box.Env, nil); len(names) > 0 {
		all = append(all, difference{kind: "environment", wanted: "its variables as they were made", found: "these differ: " + strings.Join(names, ", ")})
	}
	set("labels", "labels", pairs(labelsOf(w.Labels)), pairs(is.Labels))
	set("labels", "labels of the tasks", pairs(labelsOf(wants.Labels)), pairs(box.Labels))
	var limits swarm.Limit
	var reserved swarm.Resources
	if task.Resources != nil {
		if task.Resources.Limits != nil {
			limits = *task.Resources.Limits
		}
		if task.Resources.Reservations != nil {
			reserved = *task.Resources.Reservations
		}
	}
	told("memory", "at most "+mebibytes(w.TaskSpec.Resources.Limits.MemoryBytes), "at most "+mebibytes(limits.MemoryBytes))
	told("cpus", cores(w.TaskSpec.Resources.Limits.NanoCpus), cores(limits.NanoCPUs))
	told("reservation", "no reservation", reservation(reserved))
	if !slices.Equal(wants.Commands, box.Command) || !slices.Equal(wants.Args, box.Args) {
		all = append(all, difference{kind: "command", wanted: "its command as it was made", found: "it is another one"})
	}
	told("user", "user "+wants.User, "user "+box.User)
	told("root", fmt.Sprintf("read-only root: %t", wants.ReadOnly), fmt.Sprintf("read-only root: %t", box.ReadOnly))
	set("capabilities", "capabilities", capabilities(wants.CapAdds, wants.CapDrops), capabilities(box.CapabilityAdd, box.CapabilityDrop))
	set("groups", "groups", wants.Groups, box.Groups)
	var hosts []string
	for _, h := range wants.Hosts {
		hosts = append(hosts, h.IP+" "+h.Host)
	}
	set("hosts", "hosts", hosts, box.Hosts)
	told("stop", "stopped by "+grace(wants.StopSignal, wants.StopGracePeriod), "stopped by "+graceOf(box))
	if !healthy(wants.Healthcheck, box) {
		all = append(all, difference{kind: "health", wanted: "its health check as it was made", found: "it is another one"})
	}
	set("mounts", "mounts", serviceMountsWanted(wants.Mounts), serviceMounts(box))
	set("configs", "configs", refsWanted(wants.Configs), configRefs(box))
	set("secrets", "secrets", refsWanted(wants.Secrets), secretRefs(box))
	var on, meant []string
	for _, n := range task.Networks {
		on = append(on, named(network(n.Target), n.Aliases))
	}
	for _, n := range w.TaskSpec.NetworksAdvanceds {
		meant = append(meant, named(network(n.Name), n.Aliases))
	}
	set("networks", "networks", meant, on)
	var constraints []string
	if task.Placement != nil {
		constraints = task.Placement.Constraints
	}
	set("placement", "constraints", w.TaskSpec.Placement.Constraints, constraints)
	if p := task.RestartPolicy; p != nil {
		told("restart", "restart policy "+w.TaskSpec.RestartPolicy.Condition, "restart policy "+string(p.Condition))
	}
	if l := task.LogDriver; l != nil {
		told("logging", "logs to "+w.TaskSpec.LogDriver.Name, "logs to "+l.Name)
		set("logging", "options of the log", pairs(w.TaskSpec.LogDriver.Options), pairs(l.Options))
	}
	set("ports", "published ports", w.ports(), portsOf(is.EndpointSpec))
	told("update", w.UpdateConfig.String(), updateOf(is.UpdateConfig))
	told("update", w.RollbackConfig.String(), updateOf(is.RollbackConfig))
	return all
}

func named(network string, aliases []string) string {
	return network + " as " + strings.Join(aliases, " ")
}

func replicas(n uint64) string { return fmt.Sprintf("%d replicas", n) }

func cores(nano int64) string { return fmt.Sprintf("at most %g cores", float64(nano)/1e9) }

func reservation(r swarm.Resources) string {
	if r.MemoryBytes == 0 && r.NanoCPUs == 0 {
		return "no reservation"
	}
	return fmt.Sprintf("%s and %g cores reserved", mebibytes(r.MemoryBytes), float64(r.NanoCPUs)/1e9)
}

// without are those of a list that another one has not.
func without(list, other []string) (all []string) {
	for _, one := range list {
		if !slices.Contains(other, one) {
			all = append(all, one)
		}
	}
	return all
}

func changed(less, more []string) string {
	var parts []string
	if len(more) > 0 {
		parts = append(parts, "these are new: "+strings.Join(more, ", "))
	}
	if len(less) > 0 {
		parts = append(parts, "these are gone: "+strings.Join(less, ", "))
	}
	return strings.Join(parts, "; ")
}

func pairs(values map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, name+"="+values[name])
	}
	return all
}

func capabilities(adds, drops []string) (all []string) {
	for _, name := range adds {
		all = append(all, "+"+strings.TrimPrefix(name, "CAP_"))
	}
	for _, name := range drops {
		all = append(all, "-"+strings.TrimPrefix(name, "CAP_"))
	}
	return all
}

// length is a time as the state has it; none is 0.
func length(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

func value(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}

func grace(signal, within string) string {
	return strings.TrimSpace(signal + " within " + length(within).String())
}

func graceOf(box *swarm.ContainerSpec) string {
	return strings.TrimSpace(box.StopSignal + " within " + value(box.StopGracePeriod).String())
}

func healthy(wants *healthWanted, box *swarm.ContainerSpec) bool {
	has := box.Healthcheck
	if wants == nil || has == nil {
		return (wants == nil) == (has == nil)
	}
	return slices.Equal(wants.Tests, has.Test) && length(wants.Interval) == has.Interval && length(wants.Timeout) == has.Timeout &&
		length(wants.StartPeriod) == has.StartPeriod && wants.Retries == has.Retries
}

func serviceMountsWanted(mounts []mountWanted) (all []string) {
	for _, m := range mounts {
		all = append(all, mountText(m.Type, m.Source, m.Target, m.ReadOnly))
	}
	return all
}

func serviceMounts(box *swarm.ContainerSpec) (all []string) {
	for _, m := range box.Mounts {
		all = append(all, mountText(string(m.Type), m.Source, m.Target, m.ReadOnly))
	}
	return all
}

func mountText(kind, source, target string, readOnly bool) string {
	text := strings.TrimPrefix(source+":"+target, ":")
	if kind == "tmpfs" {
		text += " (tmpfs)"
	}
	if readOnly {
		text += " (read-only)"
	}
	return text
}

func refsWanted(refs []mounted) (all []string) {
	for _, r := range refs {
		all = append(all, fmt.Sprintf("%s%s at %s (%.6s)", r.ConfigName, r.SecretName, r.FileName, r.ConfigID+r.SecretID))
	}
	return all
}

func configRefs(box *swarm.ContainerSpec) (all []string) {
	for _, r := range box.Configs {
		if r.File != nil {
			all = append(all, fmt.Sprintf("%s at %s (%.6s)", r.ConfigName, r.File.Name, r.ConfigID))
		}
	}
	return all
}

func secretRefs(box *swarm.ContainerSpec) (all []string) {
	for _, r := range box.Secrets {
		if r.File != nil {
			all = append(all, fmt.Sprintf("%s at %s (%.6s)", r.SecretName, r.File.Name, r.SecretID))
		}
	}
	return all
}

func (w serviceWanted) ports() (all []string) {
	for _, p := range w.EndpointSpec.Ports {
		all = append(all, portText(p.PublishedPort, p.TargetPort, p.Protocol, p.PublishMode))
	}
	return append(all, "mode "+w.EndpointSpec.Mode)
}

func portsOf(is *swarm.EndpointSpec) (all []string) {
	if is == nil {
		return nil
	}
	for _, p := range is.Ports {
		all = append(all, portText(p.PublishedPort, p.TargetPort, string(p.Protocol), string(p.PublishMode)))
	}
	return append(all, "mode "+string(is.Mode))
}

func portText(outer, inner uint32, protocol, mode string) string {
	return strconv.Itoa(int(outer)) + "→" + strconv.Itoa(int(inner)) + "/" + protocol + " (" + mode + ")"
}

// String is what tells one from another.
func (u updateWanted) String() string {
	return fmt.Sprintf("%d at a time, %s, on failure %s, after %s, watched for %s", u.Parallelism, u.Order, u.FailureAction, length(u.Delay), length(u.Monitor))
}

func updateOf(u *swarm.UpdateConfig) string {
	if u == nil {
		return "the engine's own"
	}
	return fmt.Sprintf("%d at a time, %s, on failure %s, after %s, watched for %s", u.Parallelism, u.Order, u.FailureAction, u.Delay, u.Monitor)
}
