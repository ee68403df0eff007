package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// fakeAPI answers with what a test gives it. A call that a test gives nothing
// for panics in the interface that is nil.
type fakeAPI struct {
	client.APIClient

	images     map[string]image.InspectResponse
	containers []container.Summary
	networks   []network.Summary
	logs       map[string]string // by container
	killed     map[string]int    // in a container, for want of memory
	volumes    []*volume.Volume
	stored     []image.InspectResponse
	services   []swarm.Service
	nodes      []swarm.Node // nil: this one
	inUse      string       // an image that can not be removed
	failure    error
	inspect    error    // of a container alone
	outages    []error  // of the next questions for a container or a service
	done       []string // what was changed
	mu         sync.Mutex

	// What the engine says over time: each question takes the next answer, and
	// the last one stays.
	container []container.InspectResponse
	service   []moment
	tasks     []swarm.Task // of the last answer
}

// moment is a service and its tasks at one time.
type moment struct {
	service swarm.Service
	tasks   []swarm.Task
}

func next[T any](all *[]T) T {
	first := (*all)[0]
	if len(*all) > 1 {
		*all = (*all)[1:]
	}
	return first
}

func (f *fakeAPI) outage() error {
	if len(f.outages) == 0 {
		return nil
	}
	err := f.outages[0]
	f.outages = f.outages[1:]
	return err
}

func (f *fakeAPI) ContainerUpdate(_ context.Context, id string, config container.UpdateConfig) (container.UpdateResponse, error) {
	if config.PidsLimit != nil {
		f.done = append(f.done, fmt.Sprintf("processes of %s: %d", id, *config.PidsLimit))
		return container.UpdateResponse{}, nil
	}
	f.done = append(f.done, fmt.Sprintf("restart policy of %s: %s", id, config.RestartPolicy.Name))
	return container.UpdateResponse{}, nil
}

func (f *fakeAPI) ImageInspect(_ context.Context, name string, _ ...client.ImageInspectOption) (image.InspectResponse, error) {
	found, ok := f.images[name]
	if !ok && f.failure == nil {
		for _, i := range f.stored {
			if i.ID == name || slices.Contains(i.RepoTags, name) {
				return i, nil
			}
		}
		return found, errdefs.ErrNotFound
	}
	return found, f.failure
}

// VolumeCreate gives whoever comes second what is there, as the engine does.
func (f *fakeAPI) VolumeCreate(_ context.Context, o volume.CreateOptions) (volume.Volume, error) {
	for _, v := range f.volumes {
		if v.Name == o.Name {
			return *v, f.failure
		}
	}
	f.done = append(f.done, "create "+o.Name)
	v := &volume.Volume{Name: o.Name, Labels: o.Labels, CreatedAt: time.Now().Format(time.RFC3339)}
	f.volumes = append(f.volumes, v)
	return *v, f.failure
}

func (f *fakeAPI) VolumeInspect(_ context.Context, name string) (volume.Volume, error) {
	for _, v := range f.volumes {
		if v.Name == name {
			return *v, f.failure
		}
	}
	return volume.Volume{}, errdefs.ErrNotFound
}

func (f *fakeAPI) ContainerList(context.Context, container.ListOptions) ([]container.Summary, error) {
	return f.containers, f.failure
}

func (f *fakeAPI) ContainerStart(_ context.Context, id string, _ container.StartOptions) error {
	f.done = append(f.done, "start "+id)
	return nil
}

func (f *fakeAPI) ContainerRestart(_ context.Context, id string, _ container.StopOptions) error {
	f.done = append(f.done, "restart "+id)
	return nil
}

func (f *fakeAPI) ContainerStop(ctx context.Context, id string, o container.StopOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.Timeout == nil {
		f.done = append(f.done, "stop "+id)
	} else {
		f.done = append(f.done, fmt.Sprintf("stop %s in %d s", id, *o.Timeout))
	}
	return ctx.Err()
}

func (f *fakeAPI) ContainerKill(_ context.Context, id, signal string) error {
	f.done = append(f.done, signal+" to "+id)
	return nil
}

func (f *fakeAPI) ServiceUpdate(_ context.Context, id string, _ swarm.Version, spec swarm.ServiceSpec, _ swarm.ServiceUpdateOptions) (swarm.ServiceUpdateResponse, error) {
	f.done = append(f.done, fmt.Sprintf("scale %s to %d", id, *spec.Mode.Replicated.Replicas))
	return swarm.ServiceUpdateResponse{}, nil
}

func (f *fakeAPI) VolumeList(_ context.Context, o volume.ListOptions) (volume.ListResponse, error) {
	var found []*volume.Volume
	for _, v := range f.volumes {
		mine := true
		for _, want := range o.Filters.Get("label") {
			name, value, exact := strings.Cut(want, "=")
			has, ok := v.Labels[name]
			mine = mine && ok && (!exact || has == value)
		}
		if mine {
			found = append(found, v)
		}
	}
	return volume.ListResponse{Volumes: found}, f.failure
}

func (f *fakeAPI) VolumeRemove(_ context.Context, name string, _ bool) error {
	f.done = append(f.done, "remove "+name)
	f.volumes = slices.DeleteFunc(f.volumes, func(v *volume.Volume) bool { return v.Name == name })
	return nil
}

func (f *fakeAPI) ImageRemove(_ context.Context, name string, _ image.RemoveOptions) ([]image.DeleteResponse, error) {
	if name == f.inUse {
		return nil, errdefs.ErrConflict
	}
	f.done = append(f.done, "remove "+name)
	for i := range f.stored {
		f.stored[i].RepoTags = slices.DeleteFunc(slices.Clone(f.stored[i].RepoTags), func(tag string) bool { return tag == name })
	}
	return nil, nil
}

func (f *fakeAPI) ImageList(_ context.Context, o image.ListOptions) (all []image.Summary, err error) {
	for _, i := range f.stored {
		tags := slices.DeleteFunc(slices.Clone(i.RepoTags), func(tag string) bool {
			repository, _, _ := strings.Cut(tag, ":")
			return !o.Filters.ExactMatch("reference", repository)
		})
		if len(tags) > 0 {
			all = append(all, image.Summary{ID: i.ID, RepoTags: i.RepoTags})
		}
	}
	return all, f.failure
}

func (f *fakeAPI) NetworkList(context.Context, network.ListOptions) ([]network.Summary, error) {
	return f.networks, f.failure
}

func (f *fakeAPI) ContainerInspect(context.Context, string) (container.InspectResponse, error) {
	if err := cmp.Or(f.inspect, f.failure); err != nil {
		return container.InspectResponse{}, err
	}
	if len(f.container) == 0 {
		return container.InspectResponse{}, errdefs.ErrNotFound
	}
	if err := f.outage(); err != nil {
		return container.InspectResponse{}, err
	}
	return next(&f.container), nil
}

func (f *fakeAPI) ServiceInspectWithRaw(context.Context, string, swarm.ServiceInspectOptions) (swarm.Service, []byte, error) {
	if f.failure != nil {
		return swarm.Service{}, nil, f.failure
	}
	if err := f.outage(); err != nil {
		return swarm.Service{}, nil, err
	}
	now := next(&f.service)
	f.tasks = now.tasks
	return now.service, nil, nil
}

func (f *fakeAPI) TaskList(context.Context, swarm.TaskListOptions) ([]swarm.Task, error) {
	return f.tasks, nil
}

func (f *fakeAPI) ContainerLogs(_ context.Context, name string, _ container.LogsOptions) (io.ReadCloser, error) {
	text, ok := f.logs[name]
	if !ok {
		return nil, errdefs.ErrNotFound
	}
	var framed bytes.Buffer
	_, err := stdcopy.NewStdWriter(&framed, stdcopy.Stderr).Write([]byte(text))
	return io.NopCloser(&framed), err
}

func (f *fakeAPI) Events(_ context.Context, asked events.ListOptions) (<-chan events.Message, <-chan error) {
	said, failed := make(chan events.Message), make(chan error)
	go func() {
		for _, id := range asked.Filters.Get("container") {
			for range f.killed[id] {
				said <- events.Message{Type: events.ContainerEventType, Action: events.ActionOOM}
			}
		}
		failed <- io.EOF
	}()
	return said, failed
}

func (f *fakeAPI) ContainerRemove(_ context.Context, id string, _ container.RemoveOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, "remove "+id)
	return f.failure
}

func (f *fakeAPI) ServiceRemove(_ context.Context, id string) error {
	f.done = append(f.done, "remove "+id)
	return nil
}

func (f *fakeAPI) NetworkInspect(context.Context, string, network.InspectOptions) (network.Inspect, error) {
	if len(f.networks) == 0 {
		return network.Inspect{}, errdefs.ErrNotFound
	}
	return f.networks[0], f.failure
}

func (f *fakeAPI) NetworkRemove(_ context.Context, id string) error {
	f.done = append(f.done, "remove "+id)
	return nil
}

func (f *fakeAPI) ServiceList(context.Context, swarm.ServiceListOptions) ([]swarm.Service, error) {
	return f.services, f.failure
}

func (f *fakeAPI) NodeList(context.Context, swarm.NodeListOptions) ([]swarm.Node, error) {
	if f.nodes == nil {
		return []swarm.Node{node("", "here")}, f.failure
	}
	return f.nodes, f.failure
}

// removals are what was done without what was created.
func removals(done []string) []string {
	return slices.DeleteFunc(slices.Clone(done), func(what string) bool { return strings.HasPrefix(what, "create ") })
}
