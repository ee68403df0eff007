package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
)

// wholeAPI is an engine with a little of everything.
type wholeAPI struct {
	fakeAPI
	gone string // a container that is listed, and no more there
}

func (w *wholeAPI) ContainerList(context.Context, container.ListOptions) ([]container.Summary, error) {
	return w.containers, w.failure
}

func (w *wholeAPI) ContainerInspect(_ context.Context, id string) (container.InspectResponse, error) {
	if id == w.gone {
		return container.InspectResponse{}, errdefs.ErrNotFound
	}
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: id}}, nil
}

func (w *wholeAPI) ImageInspect(_ context.Context, name string, _ ...client.ImageInspectOption) (image.InspectResponse, error) {
	if name == "missing" {
		return image.InspectResponse{}, errdefs.ErrNotFound
	}
	return image.InspectResponse{ID: "id of " + name}, nil
}

func (w *wholeAPI) ConfigList(context.Context, swarm.ConfigListOptions) ([]swarm.Config, error) {
	return []swarm.Config{{ID: "config"}}, nil
}

func (w *wholeAPI) SecretList(context.Context, swarm.SecretListOptions) ([]swarm.Secret, error) {
	return []swarm.Secret{{ID: "secret"}}, w.inspect
}

func TestWhatAnEngineHas(t *testing.T) {
	w := &wholeAPI{gone: "e", fakeAPI: fakeAPI{services: []swarm.Service{{ID: "s"}}, containers: []container.Summary{
		{ID: "a", Names: []string{"/a"}, Labels: map[string]string{StackLabel: "p"}, State: "running", Mounts: []container.MountPoint{{Name: "v", Destination: "/a"}}},
		{ID: "b", Names: []string{"/wanted"}}, {ID: "c", Names: []string{"/c"}, State: "exited", Mounts: []container.MountPoint{{Name: "v", Destination: "/c"}}},
		{ID: "d", Names: []string{"/d"}}, {ID: "e", Labels: map[string]string{StackLabel: "p"}}}}}
	e := &Engine{api: w, Info: system.Info{Swarm: swarm.Info{ControlAvailable: true}}}
	a, err := e.Actual(t.Context(), "p", Asked{Containers: []string{"c", "wanted"}, Images: []string{"app:1", "missing"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(a.Inspected)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v are inspected", got)
	}
	if _, config := a.Configs["config"]; !config || len(a.Containers) != 5 || len(a.Services) != 1 || len(a.Secrets) != 1 || len(a.Images) != 1 || a.Images["app:1"].ID != "id of app:1" {
		t.Errorf("%+v", a)
	}
	if id, folder, there := a.Mounting("v"); id != "c" || folder != "/c" || !there {
		t.Errorf("%s at %s, %t: what does not run comes first", id, folder, there)
	}
	if _, _, there := a.Mounting("x"); there {
		t.Error("somebody has a volume that nobody has")
	}
	e.Info.Swarm.ControlAvailable = false
	if a, err := e.Actual(t.Context(), "p", Asked{}); err != nil || len(a.Services)+len(a.Configs) > 0 {
		t.Errorf("without Swarm: %v, %+v", err, a)
	}
	e.Info.Swarm.ControlAvailable, w.inspect = true, errors.New("no answer")
	if _, err := e.Actual(t.Context(), "p", Asked{}); err == nil {
		t.Error("secrets that could not be listed are taken for none")
	}
}

func TestLabelsOfWhatPasses(t *testing.T) {
	for _, label := range []string{OnceLabel, oneOffLabel, AttemptLabel} {
		if !Passing(map[string]string{label: ""}) {
			t.Error(label)
		}
	}
	if Passing(map[string]string{StackLabel: "p", WorkloadLabel: "backend"}) {
		t.Error("a replica passes")
	}
	if service, is := Task(map[string]string{taskLabel: "t", serviceLabel: "s"}); service != "s" || !is {
		t.Error(service, is)
	}
}

func TestFilesAreKnownByTheirHashes(t *testing.T) {
	var packed bytes.Buffer
	to := tar.NewWriter(&packed)
	for _, f := range []struct {
		tar.Header
		content string
	}{
		{tar.Header{Name: "nginx/", Typeflag: tar.TypeDir}, ""}, {tar.Header{Name: "nginx/current", Typeflag: tar.TypeSymlink, Linkname: "abc"}, ""},
		{tar.Header{Name: "nginx/abc/nginx.conf", Typeflag: tar.TypeReg}, "closed;"},
	} {
		f.Size = int64(len(f.content))
		if err := to.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(to, f.content)
	}
	_ = to.Close()
	got, err := sums(&packed, "nginx", func(name string, content []byte) []byte {
		if name != "abc/nginx.conf" {
			t.Error(name)
		}
		return []byte(strings.ReplaceAll(string(content), "closed", "open"))
	})
	if err != nil || len(got) != 2 || got["current"].Link != "abc" || got["abc/nginx.conf"].Sum != Sum([]byte("open;")) {
		t.Errorf("%v, %+v", err, got)
	}
	if _, err := sums(strings.NewReader("half an archive"), "x", nil); err == nil {
		t.Error("half an archive is whole")
	}
}
