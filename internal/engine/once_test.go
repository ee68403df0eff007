package engine

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// onceAPI is an engine that has what a Once asks for.
type onceAPI struct {
	*fakeAPI
	there    bool // an earlier run
	states   []container.State
	created  *container.Config
	host     *container.HostConfig
	files    map[string]string
	out, err string
}

func (a *onceAPI) ContainerInspect(_ context.Context, id string) (container.InspectResponse, error) {
	if id == "p-s-step" && !a.there {
		return container.InspectResponse{}, errdefs.ErrNotFound
	}
	s := next(&a.states)
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: "earlier", State: &s},
		Config: &container.Config{Labels: map[string]string{StackLabel: "p-s", OnceLabel: "step"}}}, nil
}

func (a *onceAPI) ContainerCreate(_ context.Context, c *container.Config, h *container.HostConfig, _ *network.NetworkingConfig, _ *ocispec.Platform, name string) (container.CreateResponse, error) {
	a.done = append(a.done, "create "+name)
	a.created, a.host = c, h
	return container.CreateResponse{ID: "new"}, nil
}

func (a *onceAPI) CopyToContainer(_ context.Context, _, _ string, content io.Reader, _ container.CopyToContainerOptions) error {
	a.files = map[string]string{}
	for from := tar.NewReader(content); ; {
		header, err := from.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(from)
		a.files[header.Name] = string(text)
	}
}

func (a *onceAPI) ContainerLogs(context.Context, string, container.LogsOptions) (io.ReadCloser, error) {
	var framed strings.Builder
	for kind, text := range map[stdcopy.StdType]string{stdcopy.Stdout: a.out, stdcopy.Stderr: a.err} {
		if _, err := stdcopy.NewStdWriter(&framed, kind).Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(strings.NewReader(framed.String())), nil
}

var once = Once{Name: "step", Image: "i", User: "0:0", Command: []string{"/x", "switch"}, Capabilities: []string{"CHOWN"}, Memory: 1 << 20,
	Mounts: []OnceMount{{Source: "v", Target: "/v"}}, Files: map[string][]byte{"/run/restore/request.json": []byte("{}")}}

func TestRunOnce(t *testing.T) {
	api := &onceAPI{fakeAPI: &fakeAPI{}, states: []container.State{{Status: container.StateRunning, Running: true}, {Status: container.StateExited}}, out: "answer", err: "a word"}
	var out strings.Builder
	if err := (&Engine{api: api}).RunOnce(t.Context(), "p-s", once, &out); err != nil {
		t.Fatal(err)
	}
	if want := []string{"create p-s-step", "start new", "remove new"}; !slices.Equal(api.done, want) || out.String() != "answer" {
		t.Errorf("%q, %q", api.done, out.String())
	}
	if api.created.Labels[StackLabel] != "p-s" || api.created.Labels[WorkloadLabel] != "" || api.host.NetworkMode != "none" || !slices.Equal(api.host.CapDrop, []string{"ALL"}) {
		t.Errorf("%+v %+v", api.created, api.host)
	}
	if text, there := api.files["run/restore/request.json"]; !there || text != "{}" {
		t.Errorf("%v", api.files)
	}
}

func TestRunOnceThatFails(t *testing.T) {
	api := &onceAPI{fakeAPI: &fakeAPI{}, states: []container.State{{Status: container.StateExited, ExitCode: 3}}, err: "no room\n"}
	err := (&Engine{api: api}).RunOnce(t.Context(), "p-s", once, io.Discard)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Said != "no room" {
		t.Errorf("%v", err)
	}
	if api.done[len(api.done)-1] != "remove new" {
		t.Errorf("%q", api.done)
	}
}

// What a command that was killed has left at work moves files: the next one waits for its end.
func TestRunOnceAwaitsAnEarlierRun(t *testing.T) {
	for again, want := range map[bool]int{false: 3, true: 1} {
		running, ended := container.State{Status: container.StateRunning, Running: true}, container.State{Status: container.StateExited}
		api := &onceAPI{fakeAPI: &fakeAPI{}, there: true, states: []container.State{running, running, ended}}
		o := once
		o.Again = again
		if again {
			api.states = []container.State{running, ended}
		}
		if err := (&Engine{api: api}).RunOnce(t.Context(), "p-s", o, io.Discard); err != nil {
			t.Fatal(err)
		}
		if api.done[0] != "remove earlier" || want == 3 && len(api.states) != 1 {
			t.Errorf("again %v: %q", again, api.done)
		}
	}
}
