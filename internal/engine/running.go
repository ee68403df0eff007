package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"
)

// Replica is one of a stack's containers that are meant to run for ever.
type Replica struct {
	// ID is the container's, and empty where another node has it.
	ID string
	// Name is short: what is the same for all of the stack is left out.
	Name     string
	Workload string
	Image    string
	// Node is the engine that it runs on.
	Node string
	// State is "healthy", "unhealthy" or "starting" for what runs, "running" where it has no
	// health check, and otherwise what the engine calls it ("exited", "restarting").
	State string
	// Since is when it began to run.
	Since time.Time
	// Restarts are those by the engine, in Swarm the earlier tasks of the slot that
	// have failed and are still remembered.
	Restarts int
	// OutOfMemory is true where the kernel has killed it.
	OutOfMemory bool
	// Check is what its health check says where that fails.
	Check string
	// CPU is the share of one core, Memory and Limit are in bytes. All are 0 where
	// another node has it.
	CPU           float64
	Memory, Limit uint64
}

// Well is true where nothing says that it isn't.
func (r Replica) Well() bool { return r.State == "healthy" || r.State == "running" }

// Replicas are a stack's long-running containers, and what they use at the moment:
// it takes the engine a second or two to measure that. Tasks on other nodes are
// listed without it.
func (e *Engine) Replicas(ctx context.Context, prefix string) ([]Replica, error) {
	found, err := e.containers(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := make([]Replica, len(found))
	failures := make([]error, len(found))
	var group sync.WaitGroup
	for i, c := range found {
		group.Go(func() { all[i], failures[i] = e.replica(ctx, prefix, c) })
	}
	group.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	if all, err = e.withTasks(ctx, prefix, all); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Replica) int { return strings.Compare(a.Workload+" "+a.Name, b.Workload+" "+b.Name) })
	return all, nil
}

// containers are those of the stack that are meant to run for ever: not the
// jobs, and not what a release has left to its end.
func (e *Engine) containers(ctx context.Context, prefix string) ([]container.Summary, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", WorkloadLabel))})
	return slices.DeleteFunc(found, func(c container.Summary) bool {
		_, once := c.Labels[AttemptLabel]
		_, task := c.Labels[taskLabel]
		return once || task && c.State != container.StateRunning
	}), err
}

func (e *Engine) replica(ctx context.Context, prefix string, summary container.Summary) (Replica, error) {
	c, err := e.api.ContainerInspect(ctx, summary.ID)
	if err != nil {
		return Replica{}, err
	}
	r := Replica{
		ID: c.ID, Name: short(strings.TrimPrefix(c.Name, "/"), prefix), Workload: summary.Labels[WorkloadLabel], Image: c.Config.Image,
		Node: e.Info.Name, State: string(c.State.Status), Restarts: c.RestartCount, OutOfMemory: c.State.OOMKilled,
		Limit: uint64(c.HostConfig.Memory),
	}
	if r.Since, err = time.Parse(time.RFC3339Nano, c.State.StartedAt); err != nil {
		return r, fmt.Errorf("container %s: %w", r.Name, err)
	}
	if !c.State.Running || c.State.Restarting {
		return r, nil
	}
	if c.State.Health != nil && !c.State.Paused {
		r.State, r.Check = string(c.State.Health.Status), saidByCheck(c.State)
	}
	r.CPU, r.Memory = e.usage(ctx, c.ID)
	return r, nil
}

// short leaves out the stack, and the random end of a name that Pulumi or Swarm
// has made.
func short(name, prefix string) string {
	name = strings.TrimPrefix(name, prefix+"-")
	if at := strings.LastIndex(name, "."); at > 0 { // a task: backend.1.ID
		return name[:at]
	}
	if at := strings.LastIndex(name, "-"); at > 0 && len(name)-at == 8 {
		return name[:at]
	}
	return name
}

// usage is nothing where the container has just ended: whoever asks has its state.
func (e *Engine) usage(ctx context.Context, id string) (cpu float64, memory uint64) {
	answer, err := e.api.ContainerStats(ctx, id, false)
	if err != nil {
		return 0, 0
	}
	defer answer.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return 0, 0
	}
	if took := s.Read.Sub(s.PreRead).Nanoseconds(); took > 0 && s.CPUStats.CPUUsage.TotalUsage > s.PreCPUStats.CPUUsage.TotalUsage {
		cpu = float64(s.CPUStats.CPUUsage.TotalUsage-s.PreCPUStats.CPUUsage.TotalUsage) / float64(took)
	}
	return cpu, used(s)
}

// used is the memory in use, without what the kernel gives back when it is needed, as `docker stats` has it.
func used(s container.StatsResponse) uint64 {
	memory := s.MemoryStats.Usage
	for _, key := range []string{"total_inactive_file", "inactive_file"} {
		if cache, ok := s.MemoryStats.Stats[key]; ok && cache < memory {
			return memory - cache
		}
	}
	return memory
}

// withTasks adds what Swarm knows: tasks on other nodes, those that do not run
// though they should, and how often a slot has failed.
func (e *Engine) withTasks(ctx context.Context, prefix string, all []Replica) ([]Replica, error) {
	services, err := e.stackServices(ctx, prefix)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		tasks, err := e.tasks(ctx, s.Spec.Name)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			if t.DesiredState == swarm.TaskStateRunning {
				all = merge(all, t, short(s.Spec.Name, prefix))
			}
		}
		for i := range all {
			for _, t := range tasks {
				if all[i].Name == fmt.Sprintf("%s.%d", short(s.Spec.Name, prefix), t.Slot) && t.Status.State == swarm.TaskStateFailed {
					all[i].Restarts++
				}
			}
		}
	}
	return all, nil
}

func merge(all []Replica, t swarm.Task, service string) []Replica {
	var id string
	if t.Status.ContainerStatus != nil {
		id = t.Status.ContainerStatus.ContainerID
	}
	if slices.ContainsFunc(all, func(r Replica) bool { return r.ID == id && id != "" }) {
		return all
	}
	r := Replica{
		Name: fmt.Sprintf("%s.%d", service, t.Slot), Workload: service, Node: t.NodeID, State: string(t.Status.State), Since: t.Status.Timestamp,
	}
	if spec := t.Spec.ContainerSpec; spec != nil {
		r.Image = withoutDigest(spec.Image)
	}
	if t.Status.State == swarm.TaskStateRunning {
		r.State = "healthy" // Swarm stops what isn't
	}
	return append(all, r)
}

// Wanted is how many replicas each workload of a stack is to have, where Swarm
// knows; plain containers are as many as Pulumi has made.
func (e *Engine) Wanted(ctx context.Context, prefix string) (map[string]int, error) {
	if e.Info.Swarm.LocalNodeState != swarm.LocalNodeStateActive || !e.Info.Swarm.ControlAvailable {
		return nil, nil
	}
	services, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix))})
	wanted := map[string]int{}
	for _, s := range services {
		if mode := s.Spec.Mode.Replicated; mode != nil && mode.Replicas != nil {
			wanted[short(s.Spec.Name, prefix)] = int(*mode.Replicas)
		}
	}
	return wanted, err
}

// Line is one of a log.
type Line struct {
	Container string // its short name
	Time      time.Time
	Text      string
}

// LogSource is a container whose log can be asked for.
type LogSource struct {
	ID, Name, Workload string
	Running            bool
}

// LogSources are the stack's containers, also those that have ended, and the
// jobs among them.
func (e *Engine) LogSources(ctx context.Context, prefix string) ([]LogSource, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", WorkloadLabel))})
	var all []LogSource
	for _, c := range found {
		all = append(all, LogSource{c.ID, short(name(c), prefix), c.Labels[WorkloadLabel], c.State == container.StateRunning})
	}
	return all, err
}

// Follow passes a container's log lines on, from a time on, and returns at its
// end; without follow, at the end of what there is.
func (e *Engine) Follow(ctx context.Context, source LogSource, since string, follow bool, each func(Line)) error {
	stream, err := e.api.ContainerLogs(ctx, source.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Since: since, Follow: follow})
	if err != nil {
		return fmt.Errorf("the log of %s: %w", source.Name, err)
	}
	defer stream.Close()
	lines := &lineWriter{each: func(text string) {
		stamp, rest, _ := strings.Cut(text, " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			at, rest = time.Time{}, text
		}
		each(Line{source.Name, at, rest})
	}}
	_, err = stdcopy.StdCopy(lines, lines, stream)
	lines.flush()
	if ctx.Err() != nil || err == io.EOF {
		return nil
	}
	return err
}

// lineWriter cuts what is written into lines.
type lineWriter struct {
	rest strings.Builder
	each func(string)
}

func (w *lineWriter) Write(data []byte) (int, error) {
	for part := range strings.SplitAfterSeq(string(data), "\n") {
		w.rest.WriteString(part)
		if strings.HasSuffix(part, "\n") {
			w.flush()
		}
	}
	return len(data), nil
}

func (w *lineWriter) flush() {
	if text := strings.TrimRight(w.rest.String(), "\r\n"); text != "" {
		w.each(text)
	}
	w.rest.Reset()
}
