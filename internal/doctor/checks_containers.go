package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// why containers do not run, in the order in which that is looked for.
var whyNotRun = []string{"configuration", "unfinished", "swarm", "disk", "inodes", "architecture", "image", "volumes", "port", "out-of-memory", "tasks", "networks"}

// containerChecks are of the containers by themselves.
var containerChecks = []check{
	{id: "image", checked: "the images of what runs are on the engine", do: imagesThere},
	{id: "architecture", checked: "the images are for this machine", do: architecture},
	{id: "port", checked: "the stack's ports are its own", do: ports},
	{id: "tasks", checked: "Swarm has taken all tasks", after: []string{"swarm", "image", "architecture", "port", "disk"}, do: tasks},
	{id: "jobs", checked: "the jobs of the last deploy have ended well", after: []string{"image", "architecture", "disk", "inodes", "volumes", "data-writable"}, do: jobs},
	{id: "out-of-memory", checked: "nothing was killed for want of memory", do: outOfMemory},
	{id: "containers", checked: "all containers run", after: append(slices.Clone(whyNotRun), "state"), do: containersRun},
	{id: "restarts", checked: "nothing starts again and again", after: append(slices.Clone(whyNotRun), "connection", "data-writable"), do: restarts},
	{id: "health-runs", checked: "the health checks can run", after: []string{"disk"}, do: healthRuns},
	{id: "health", checked: "what runs is healthy", after: append(slices.Clone(whyNotRun), "health-runs", "data-writable", "database-file", "connection", "networks", "names"), do: health},
}

// images are those of what is to run: the names that are asked for, and whose they are.
func (p *patient) images(ctx context.Context) (map[string]string, error) {
	living, err := p.living(ctx)
	served, err2 := p.served.get(ctx)
	if err := together(err, err2); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for name, s := range p.outputs(ctx).Services {
		if s.Image != "" {
			all[s.Image] = name
		}
	}
	for _, b := range living {
		all[b.Config.Image] = b.Workload.Name
	}
	for _, s := range served {
		if spec := s.Spec.TaskTemplate.ContainerSpec; spec != nil {
			all[spec.Image] = s.Spec.Name
		}
	}
	return all, nil
}

func imagesThere(ctx context.Context, p *patient) finding {
	all, err := p.images(ctx)
	if err != nil {
		return unknown(err)
	}
	var gone []string
	for name, whose := range all {
		_, there, err := p.Engine.Described(ctx, name)
		if err != nil {
			return unknown(err)
		}
		if !there {
			gone = append(gone, name+" of "+whose)
		}
	}
	if len(gone) > 0 {
		slices.Sort(gone)
		return finding{result: checks.Fail, found: "the engine has no image " + strings.Join(gone, ", "),
			cause: "somebody has removed it: what runs goes on, and can't be started again", mend: "pulumi up --refresh --yes -s {stack}"}
	}
	return pass("all %d are", len(all))
}

func architecture(ctx context.Context, p *patient) finding {
	all, err := p.images(ctx)
	if err != nil {
		return unknown(err)
	}
	var wrong []string
	for name, whose := range all {
		found, there, err := p.Engine.Described(ctx, name)
		if err != nil {
			return unknown(err)
		}
		if platform := found.Os + "/" + found.Architecture; there && found.Architecture != "" && platform != p.About.Platform {
			wrong = append(wrong, fmt.Sprintf("%s of %s is for %s", name, whose, platform))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return finding{result: checks.Fail, found: strings.Join(wrong, ", ") + "; the engine is " + p.About.Platform, cause: "it was built, or pulled, for another machine: its program ends with \"exec format error\"",
			mend: "pulumi config set --path tarot:build.platform " + p.About.Platform + " -s {stack} && pulumi up -s {stack}"}
	}
	return pass("%s", p.About.Platform)
}

var portTaken = regexp.MustCompile(`(?i)(port is already allocated|address already in use|host-mode port already in use|bind for [^ ]* failed)`)

func ports(ctx context.Context, p *patient) finding {
	bodies, err := p.bodies.get(ctx)
	if err != nil {
		return unknown(err)
	}
	wanted := map[int]engine.Port{}
	want := func(key string, number int, address string) {
		if number > 0 {
			wanted[number] = engine.Port{Key: key, AddressKey: key, Number: number, Address: address}
		}
	}
	c := p.Config
	if p.ConfigError == nil {
		if c.Nginx.Enabled && !c.BehindEdge() {
			want("nginx.httpPort", c.Nginx.HTTPPort, c.Nginx.Address)
			if c.Nginx.TLS.Mode != "off" {
				want("nginx.httpsPort", c.Nginx.HTTPSPort, c.Nginx.Address)
			}
		}
		want("backend.publishPort", c.Backend.PublishPort, c.Backend.PublishAddress)
	}
	f := finding{result: checks.Fail, cause: "a port of this machine has one owner", mend: "ss -ltnp"}
	for _, b := range bodies {
		if b.HostConfig != nil && b.lives() {
			for _, all := range b.HostConfig.PortBindings {
				for _, one := range all {
					if number, err := strconv.Atoi(one.HostPort); err == nil && wanted[number].Number == 0 {
						want("ports of "+b.Workload.Name, number, one.HostIP)
					}
				}
			}
		}
	}
	taken, err := p.Engine.PortsTaken(ctx, p.Prefix, slices.Collect(maps.Values(wanted)))
	if err != nil {
		return unknown(err)
	}
	if len(taken) > 0 {
		f.found = strings.Join(strings.Split(errors.Join(taken...).Error(), "\n"), "; ")
		return f
	}
	for _, b := range bodies {
		if b.lives() && !b.running() && portTaken.MatchString(b.State.Error) { // by whoever has gone since
			f.found, f.cause, f.mend = b.Workload.Name+": "+b.State.Error, "something had its port when it was to start", "docker start "+b.Workload.Name
			return f
		}
	}
	return pass("%d ports", len(wanted))
}

// newest are the latest tasks of a service, by their slots.
func newest(s engine.Served) map[int]swarm.Task {
	all := map[int]swarm.Task{}
	for _, t := range s.Tasks {
		if last, known := all[t.Slot]; !known || t.CreatedAt.After(last.CreatedAt) {
			all[t.Slot] = t
		}
	}
	return all
}

// replicas are how many tasks of a service are to run.
func replicas(s engine.Served) int {
	if mode := s.Spec.Mode.Replicated; mode != nil && mode.Replicas != nil {
		return int(*mode.Replicas)
	}
	return 0
}

func tasks(ctx context.Context, p *patient) finding {
	served, err := p.served.get(ctx)
	if err != nil {
		return unknown(err)
	}
	if len(served) == 0 {
		return skip("the stack has no services of a swarm")
	}
	var refused []string
	n := 0
	for _, s := range served {
		if replicas(s) == 0 {
			continue
		}
		for slot, t := range newest(s) {
			n++
			pending := t.Status.State == swarm.TaskStatePending && t.Status.Err != ""
			if t.Status.State == swarm.TaskStateRejected || pending {
				refused = append(refused, fmt.Sprintf("%s.%d is %s: %s", s.Spec.Name, slot, t.Status.State, cmp.Or(t.Status.Err, t.Status.Message)))
			}
		}
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		return finding{result: checks.Fail, found: strings.Join(refused, "; "), cause: "no node can take it as it is asked for: tarot:swarm.constraints, memory, a port, or a folder that is not there", mend: "pulumi up --refresh --yes -s {stack}"}
	}
	return pass("%d tasks", n)
}

// lately is how long ago a fault may be that is not over.
const lately = 15 * time.Minute

func outOfMemory(ctx context.Context, p *patient) finding {
	bodies, err := p.bodies.get(ctx)
	if err != nil {
		return unknown(err)
	}
	insides, err := p.insides.get(ctx)
	if err != nil {
		return unknown(err)
	}
	var now, before []string
	var workload string
	n := 0
	for _, b := range bodies {
		if b.Of == "" || b.State == nil {
			continue
		}
		n++
		worker := 0
		for _, line := range insides[b.ID].of("killed") {
			worker, _ = strconv.Atoi(line[0])
		}
		if !b.State.OOMKilled && worker == 0 {
			continue
		}
		text := fmt.Sprintf("%s, which may have %s", b.Workload.Name, bytes(uint64(b.HostConfig.Memory)))
		ended, err := time.Parse(time.RFC3339Nano, b.State.FinishedAt)
		kills, failed := p.Engine.Kills(ctx, b.ID, time.Now().Add(-lately))
		switch {
		case !b.running() && (!b.Task || err == nil && time.Since(ended) < lately), failed == nil && kills > 0:
			now = append(now, text+p.words(ctx, b.ID))
		case b.running():
			before = append(before, fmt.Sprintf("%s: a process in it", text))
		default:
			continue
		}
		workload = b.Of
	}
	f := finding{result: checks.Fail, found: strings.Join(now, "\n"), cause: "its limit is too small for what it does, or it leaks: docs/runbooks/OutOfMemoryKill.md",
		mend: "pulumi config set --path " + memoryKey(p, workload) + " 1g -s {stack} && pulumi up --yes -s {stack}"}
	switch {
	case len(now) > 0:
		return f
	case len(before) > 0:
		f.result, f.found = checks.Warn, "not in the last "+lately.String()+", but since its start: "+strings.Join(before, ", ")
		return f
	}
	if err := unheard(insides); err != nil {
		return unknown(err)
	}
	return pass("in %d containers", n)
}

// memoryKey is where a workload's limit is set.
func memoryKey(p *patient, workload string) string {
	if _, own := p.Config.Services[workload]; own {
		workload = "services." + workload
	}
	for name, key := range map[string]string{"postgres": "database", "valkey": "cache", "prometheus": "monitoring.prometheus", "grafana": "monitoring.grafana"} {
		if workload == name {
			workload = key
		}
	}
	return config.Namespace + ":" + workload + ".memory"
}

func containersRun(ctx context.Context, p *patient) finding {
	bodies, err := p.bodies.get(ctx)
	served, err2 := p.served.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	var down []string
	f := finding{result: checks.Fail, cause: "it has ended by itself, or somebody has stopped it", mend: "pulumi up --yes -s {stack}"}
	n := 0
	for _, b := range bodies {
		if !b.lives() || b.Task || b.State.Restarting {
			continue
		}
		if n++; b.running() {
			continue
		}
		text := fmt.Sprintf("%s is %s", b.Workload.Name, b.State.Status)
		if b.State.Status == container.StateExited {
			text += fmt.Sprintf(", exit code %d", b.State.ExitCode)
		}
		if b.State.Error != "" {
			text += ": " + b.State.Error
		}
		if len(down) == 0 {
			f.mend = "docker start " + b.Workload.Name
			if b.State.Paused {
				f.mend = "docker unpause " + b.Workload.Name
			}
		} else {
			f.mend += " " + b.Workload.Name
		}
		down = append(down, text+p.words(ctx, b.ID))
	}
	for _, s := range served {
		runs := 0
		var words string
		for _, t := range s.Tasks {
			if t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning {
				runs++
			} else if words == "" && t.Status.State == swarm.TaskStateFailed && t.Status.ContainerStatus != nil {
				words = p.words(ctx, t.Status.ContainerStatus.ContainerID)
			}
		}
		if n += replicas(s); runs < replicas(s) {
			down = append(down, fmt.Sprintf("%s: %d of %d tasks run", s.Spec.Name, runs, replicas(s))+words)
			f.mend = "docker service ps --no-trunc " + s.Spec.Name
		}
	}
	if len(down) > 0 {
		f.found = strings.Join(down, "\n")
		return f
	}
	if wanted := p.outputs(ctx).Services; n == 0 || len(bodies)+len(served) == 0 {
		f.found, f.cause = "nothing of the stack is on this engine", "it was never brought up, or it was destroyed"
		if len(wanted) > 0 {
			f.cause, f.mend = "it was removed by hand, or this is another engine than the one that Pulumi has used", "pulumi up --refresh --yes -s {stack}"
		}
		return f
	}
	return pass("all %d", n)
}
