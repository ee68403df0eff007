package drift

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"tarot-platform/internal/engine"
)

// difference is one of something that is there.
type difference struct {
	kind, wanted, found string
	// network is the one that it is about; empty: none.
	network string
}

// containers compares those that run for ever. Those of jobs come and go, and those that hold files may
// be pruned: what they hold is in volumes.
func (c *comparison) containers() {
	for _, w := range c.wanted.containers {
		if !w.kept() {
			continue
		}
		c.counts["container"]++
		there, is := c.actual.Inspected[w.id]
		if !is {
			c.gone(w)
			continue
		}
		if name := there.Name[1:]; name != w.Name {
			c.add(finding{kind: "container-name", subject: w.Name, wanted: "it is called so", found: "it is called " + name, mend: fmt.Sprintf("docker rename %s %s", name, w.Name)})
		}
		c.state(w, there)
		for _, d := range append(limits(w, there, c.actual.Can), c.attached(w, there)...) {
			c.add(finding{kind: "container-" + d.kind, subject: w.Name, wanted: d.wanted, found: d.found, mend: w.joined(d)})
		}
	}
}

// gone is a container that is no more, or in whose place is another one.
func (c *comparison) gone(w containerWanted) {
	for id, other := range c.actual.Inspected {
		if other.Name[1:] != w.Name {
			continue
		}
		found := "another one has its name"
		if differs := c.unlike(w, other); len(differs) > 0 {
			found += ", with " + strings.Join(differs, "; ")
		}
		c.add(finding{kind: "container-replaced", subject: w.Name, wanted: fmt.Sprintf("the container %.12s of %s", w.id, w.Image), found: found, since: engineTime(other.Created),
			mend: fmt.Sprintf("docker rm -f %.12s && pulumi up --refresh -s %s", id, c.Name)})
		return
	}
	c.add(finding{kind: "container-removed", subject: w.Name, wanted: "it is there", found: "it is not"})
}

func engineTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t
}

// state is whether it runs. One that crashes again and again was not changed by anybody.
func (c *comparison) state(w containerWanted, there container.InspectResponse) {
	state := there.State
	if state == nil || state.Restarting {
		return
	}
	switch {
	case state.Paused:
		c.add(finding{kind: "container-stopped", subject: w.Name, wanted: "it runs", found: "it is paused", mend: "docker unpause " + w.Name})
	case !state.Running:
		c.add(finding{kind: "container-stopped", subject: w.Name, wanted: "it runs", found: fmt.Sprintf("it is %s, with exit code %d", state.Status, state.ExitCode),
			since: engineTime(state.FinishedAt), mend: fmt.Sprintf("docker start %s, or pulumi up --refresh -s %s", w.Name, c.Name), own: true})
	}
}

// limits are what the engine changes in a container that is there (`docker update`).
func limits(w containerWanted, there container.InspectResponse, can system.Info) (all []difference) {
	h := there.HostConfig
	if h == nil {
		return nil
	}
	if restart := string(h.RestartPolicy.Name); restart != w.Restart && w.Restart != "" {
		all = append(all, difference{kind: "restart", wanted: "restart policy " + w.Restart, found: "it is " + restart})
	}
	if can.MemoryLimit && w.Memory > 0 && h.Memory != w.Memory<<20 {
		all = append(all, difference{kind: "memory", wanted: "at most " + mebibytes(w.Memory<<20), found: "it may use " + mebibytes(h.Memory)})
	} else if can.SwapLimit && w.MemorySwap > 0 && h.MemorySwap != w.MemorySwap<<20 {
		all = append(all, difference{kind: "memory", wanted: "at most " + mebibytes(w.MemorySwap<<20) + " with swap", found: "it may use " + mebibytes(h.MemorySwap)})
	}
	if can.CPUCfsQuota && w.Cpus != "" {
		if cores, err := strconv.ParseFloat(w.Cpus, 64); err == nil && h.NanoCPUs != int64(math.Round(cores*1e9)) {
			all = append(all, difference{kind: "cpus", wanted: "at most " + w.Cpus + " cores", found: fmt.Sprintf("it may use %g", float64(h.NanoCPUs)/1e9)})
		}
	}
	return all
}

func mebibytes(bytes int64) string {
	if bytes <= 0 {
		return "as much as there is"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// attached are networks that it is not on, and others that it is on. What does not run may be on none.
func (c *comparison) attached(w containerWanted, there container.InspectResponse) (all []difference) {
	if there.State == nil || !there.State.Running || there.NetworkSettings == nil || w.NetworkMode == "none" || w.NetworkMode == "host" {
		return nil
	}
	var wants []string
	for _, n := range w.NetworksAdvanced {
		wants = append(wants, n.Name)
	}
	return c.onNetworks(wants, there)
}

func (c *comparison) onNetworks(wants []string, there container.InspectResponse) (all []difference) {
	has := map[string]string{}
	for name, n := range there.NetworkSettings.Networks {
		if n != nil {
			has[n.NetworkID] = name
		}
	}
	for _, id := range wants {
		if _, on := has[id]; !on {
			all = append(all, difference{kind: "disconnected", wanted: "on the network " + c.networkName(id), found: "it is not on it", network: c.networkName(id)})
		}
	}
	for id, name := range has {
		if !slices.Contains(wants, id) {
			all = append(all, difference{kind: "connected", wanted: "on no other network", found: "it is on the network " + name, network: name})
		}
	}
	return all
}

// joined mends a network: a refresh takes the one for what was wanted, and does not see the other.
func (w containerWanted) joined(d difference) string {
	switch d.kind {
	case "connected":
		return fmt.Sprintf("docker network disconnect %s %s", d.network, w.Name)
	case "disconnected":
		as := ""
		for _, n := range w.NetworksAdvanced {
			for _, alias := range n.Aliases {
				if !strings.Contains(as+" ", " "+alias+" ") {
					as += " --alias " + alias
				}
			}
		}
		return fmt.Sprintf("docker network connect%s %s %s", as, d.network, w.Name)
	}
	return ""
}

func (c *comparison) networkName(id string) string {
	for _, n := range c.wanted.networks {
		if n.id == id {
			return n.Name
		}
	}
	for _, n := range c.actual.Networks {
		if n.ID == id {
			return n.Name
		}
	}
	return id
}

// unlike says in what another container differs from the one that was made. Of variables, their names alone.
func (c *comparison) unlike(w containerWanted, other container.InspectResponse) (all []string) {
	if other.Config == nil || other.HostConfig == nil {
		return nil
	}
	if other.Config.Image != w.Image {
		all = append(all, "the image "+other.Config.Image)
	}
	own := c.actual.Images[other.Config.Image].Environment
	if names := variables(w.Envs, other.Config.Env, own); len(names) > 0 {
		all = append(all, "other variables: "+strings.Join(names, ", "))
	}
	for _, d := range append(limits(w, other, c.actual.Can), c.attached(w, other)...) {
		all = append(all, d.kind+": "+d.found)
	}
	for name, value := range labelsOf(w.Labels) {
		if other.Config.Labels[name] != value {
			all = append(all, "another label "+name)
		}
	}
	if other.Config.User != w.User {
		all = append(all, "the user "+other.Config.User)
	}
	if wants, has := publishedWanted(w), published(other); !slices.Equal(wants, has) {
		all = append(all, "the ports "+strings.Join(has, " "))
	}
	if wants, has := mountsWanted(w.Mounts), mountsOf(other); !slices.Equal(wants, has) {
		all = append(all, "the mounts "+strings.Join(has, " "))
	}
	if other.HostConfig.ReadonlyRootfs != w.ReadOnly {
		all = append(all, "a root that can be written")
	}
	slices.Sort(all)
	return all
}

// variables are the names of those that differ.
func variables(wants, has, image []string) []string {
	parse := func(all []string) map[string]string {
		found := map[string]string{}
		for _, pair := range all {
			name, value, _ := strings.Cut(pair, "=")
			found[name] = value
		}
		return found
	}
	is, names := parse(has), map[string]bool{}
	all := parse(image)
	maps.Copy(all, parse(wants))
	for name, value := range all {
		if got, there := is[name]; !there || got != value {
			names[name] = true
		}
	}
	for name := range is {
		if _, wanted := all[name]; !wanted {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func publishedWanted(w containerWanted) (all []string) {
	for _, p := range w.Ports {
		all = append(all, fmt.Sprintf("%d→%d", p.External, p.Internal))
	}
	slices.Sort(all)
	return all
}

func published(c container.InspectResponse) (all []string) {
	for inner, outer := range c.HostConfig.PortBindings {
		for _, o := range outer {
			all = append(all, o.HostPort+"→"+inner.Port())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func mountsWanted(mounts []mountWanted) (all []string) {
	for _, m := range mounts {
		all = append(all, m.Source+":"+m.Target)
	}
	slices.Sort(all)
	return all
}

func mountsOf(c container.InspectResponse) (all []string) {
	for _, m := range c.Mounts {
		source := m.Name
		if source == "" {
			source = m.Source
		}
		all = append(all, source+":"+m.Destination)
	}
	slices.Sort(all)
	return all
}

// tasks compares the containers of services' tasks with their services, as these are now: who changes one
// changes it until it ends.
func (c *comparison) tasks() {
	for id, there := range c.actual.Inspected {
		service, task := "", false
		if there.Config != nil {
			service, task = engine.Task(there.Config.Labels)
		}
		i := slices.IndexFunc(c.wanted.services, func(s serviceWanted) bool { return s.id == service })
		at := slices.IndexFunc(c.actual.Services, func(s serviceActual) bool { return s.ID == service })
		if !task || i < 0 || at < 0 || there.State == nil || !there.State.Running || there.HostConfig == nil || there.NetworkSettings == nil {
			continue
		}
		c.counts["container"]++
		if u := c.actual.Services[at].UpdateStatus; u != nil && u.State != swarm.UpdateStateCompleted && u.State != swarm.UpdateStateRollbackCompleted {
			continue // which of its tasks are of which specification is Swarm's to know
		}
		spec := c.actual.Services[at].Spec.TaskTemplate
		var all []difference
		if c.actual.Can.MemoryLimit && spec.Resources != nil && spec.Resources.Limits != nil && there.HostConfig.Memory != spec.Resources.Limits.MemoryBytes {
			all = append(all, difference{kind: "memory", wanted: "at most " + mebibytes(spec.Resources.Limits.MemoryBytes), found: "it may use " + mebibytes(there.HostConfig.Memory)})
		}
		var wants []string
		for _, n := range spec.Networks {
			wants = append(wants, n.Target)
		}
		all = append(all, c.onNetworks(wants, there)...)
		for _, d := range all {
			c.add(finding{kind: "container-" + d.kind, subject: "the task " + there.Name[1:], wanted: d.wanted, found: d.found, mend: fmt.Sprintf("docker rm -f %.12s: Swarm makes another one", id)})
		}
	}
}
