package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestPickTakesOneThatIsWell(t *testing.T) {
	api := &fakeAPI{containers: []container.Summary{
		{ID: "b", State: "running", Names: []string{"/tarot-prod-backend-2-1a2b3c4"}, Status: "Up 1 minute (healthy)"},
		{ID: "a", State: "running", Names: []string{"/tarot-prod-backend-1-1a2b3c4"}, Status: "Up 1 minute (unhealthy)"},
		{ID: "j", State: "running", Names: []string{"/tarot-prod-backend-3"}, Labels: map[string]string{AttemptLabel: "1"}},
	}}
	e := &Engine{api: api}
	if p, err := e.Pick(t.Context(), "tarot-prod", "backend", 0); err != nil || p.ID != "b" || p.Number != 2 || p.Name != "backend-2" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := e.Pick(t.Context(), "tarot-prod", "backend", 1); err != nil || p.ID != "a" || p.Well {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := e.Pick(t.Context(), "tarot-prod", "backend", 7); err == nil || !strings.Contains(err.Error(), "replica is 7; of backend there are here: 1, 2") {
		t.Error(err)
	}
	if _, err := (&Engine{api: &fakeAPI{}}).Pick(t.Context(), "tarot-prod", "backend", 0); !errors.Is(err, ErrNoReplica) {
		t.Error(err)
	}
}

// A task on another node is named, and not taken for none.
func TestPickNamesTheNodeOfATaskThatIsElsewhere(t *testing.T) {
	running := swarm.TaskStatus{State: swarm.TaskStateRunning}
	api := &manager{fakeAPI: &fakeAPI{
		services: []swarm.Service{{Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "tarot-prod-backend", Labels: map[string]string{StackLabel: "tarot-prod"}}}}},
		tasks: []swarm.Task{
			{NodeID: "n2", Slot: 1, DesiredState: swarm.TaskStateRunning, Status: running},
			{NodeID: "n1", Slot: 2, DesiredState: swarm.TaskStateRunning, Status: running},
			{NodeID: "n2", Slot: 3, DesiredState: swarm.TaskStateShutdown, Status: swarm.TaskStatus{State: swarm.TaskStateFailed}},
		},
		nodes: []swarm.Node{{ID: "n2", Description: swarm.NodeDescription{Hostname: "worker-two"}}},
	}}
	e := &Engine{api: api, Info: system.Info{Name: "manager-one", Swarm: swarm.Info{NodeID: "n1", LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}}}
	const there = "backend.1 runs on the node worker-two, and a container is entered on its own node only; this one is manager-one"
	if _, err := e.Pick(t.Context(), "tarot-prod", "backend", 0); err == nil || !strings.Contains(err.Error(), there) || !strings.Contains(err.Error(), "DOCKER_HOST=ssh://worker-two") {
		t.Error(err)
	}
	api.containers = []container.Summary{{ID: "here", State: "running", Names: []string{"/tarot-prod-backend.2.abc"}, Labels: map[string]string{swarmService: "tarot-prod-backend"}, Status: "Up (healthy)"}}
	if p, err := e.Pick(t.Context(), "tarot-prod", "backend", 0); err != nil || p.ID != "here" || p.Number != 2 || p.Node != "manager-one" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := e.Pick(t.Context(), "tarot-prod", "backend", 1); err == nil || !strings.Contains(err.Error(), there) {
		t.Error(err)
	}
}

// manager is an engine that is one of a Swarm.
type manager struct {
	*fakeAPI
	created *swarm.ServiceSpec
	gone    []string
}

func (m *manager) ServiceList(_ context.Context, o swarm.ServiceListOptions) ([]swarm.Service, error) {
	var found []swarm.Service
	for _, s := range m.services {
		if matches(o.Filters, s.Spec.Labels) {
			found = append(found, s)
		}
	}
	return found, nil
}

func matches(f filters.Args, labels map[string]string) bool {
	for _, want := range f.Get("label") {
		name, value, _ := strings.Cut(want, "=")
		if labels[name] != value {
			return false
		}
	}
	return true
}

func (m *manager) NodeList(context.Context, swarm.NodeListOptions) ([]swarm.Node, error) {
	return m.nodes, nil
}

func (m *manager) ServiceCreate(_ context.Context, spec swarm.ServiceSpec, _ swarm.ServiceCreateOptions) (swarm.ServiceCreateResponse, error) {
	m.created = &spec
	return swarm.ServiceCreateResponse{ID: "made"}, nil
}

func (m *manager) ServiceRemove(_ context.Context, id string) error {
	m.gone = append(m.gone, id)
	return nil
}

func TestNobodyEntersAsRoot(t *testing.T) {
	for user, root := range map[string]bool{"": true, "0": true, "0:0": true, "root": true, "root:app": true, "00": true, "10001:10001": false, "nobody": false, "101": false} {
		api := &executing{fakeAPI: &fakeAPI{container: []container.InspectResponse{{ContainerJSONBase: &container.ContainerJSONBase{ID: "one"}, Config: &container.Config{User: user}}}}}
		var out, errs bytes.Buffer
		err := (&Engine{api: api}).Enter(t.Context(), "one", Entry{Command: []string{"id"}, Out: &out, Errs: &errs})
		if errors.Is(err, ErrRoot) != root || root == (len(api.ran) > 0) {
			t.Errorf("%q: %v, ran %q", user, err, api.ran)
		}
	}
}

// listening is an engine whose command prints when it has read.
type listening struct {
	*executing
	heard string
	asked bool
}

func (l *listening) ContainerExecAttach(ctx context.Context, id string, o container.ExecAttachOptions) (types.HijackedResponse, error) {
	l.asked, l.stdin = l.stdin, false // its own reads to an end, and a pipe has none
	answer, err := l.executing.ContainerExecAttach(ctx, id, o)
	conn, far := net.Pipe()
	answer.Conn = conn
	prints := answer.Reader
	answer.Reader = bufio.NewReader(readFunc(func(b []byte) (int, error) {
		if l.heard == "" {
			heard := make([]byte, len("asked"))
			if _, err := io.ReadFull(far, heard); err != nil {
				return 0, err
			}
			l.heard = string(heard)
		}
		return prints.Read(b)
	}))
	return answer, err
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

func TestEnterPassesEverythingOn(t *testing.T) {
	api := &listening{executing: &executing{fakeAPI: &fakeAPI{container: []container.InspectResponse{{ContainerJSONBase: &container.ContainerJSONBase{ID: "one"}, Config: &container.Config{User: "10001"}}}},
		out: "said\n", errs: "warned\n", code: 3}}
	var out, errs bytes.Buffer
	err := (&Engine{api: api}).Enter(t.Context(), "one", Entry{Command: []string{"cat"}, In: strings.NewReader("asked"), Out: &out, Errs: &errs})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || out.String() != "said\n" || errs.String() != "warned\n" || api.heard != "asked" || !api.asked {
		t.Errorf("%v, %q, %q, read %q", err, out.String(), errs.String(), api.heard)
	}
}

// making is an engine that containers are made on.
type making struct {
	*fakeAPI
	config    *container.Config
	host      *container.HostConfig
	first     *network.NetworkingConfig
	connected []string
}

func (m *making) ContainerCreate(_ context.Context, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig, _ *v1.Platform, _ string) (container.CreateResponse, error) {
	m.config, m.host, m.first = c, h, n
	return container.CreateResponse{ID: "fresh"}, nil
}

func (m *making) NetworkConnect(_ context.Context, n, _ string, s *network.EndpointSettings) error {
	m.connected = append(m.connected, n+strings.Join(s.Aliases, ","))
	return nil
}

func (m *making) ContainerRemove(_ context.Context, id string, o container.RemoveOptions) error {
	m.done = append(m.done, "remove "+id)
	return nil
}

func replica() container.InspectResponse {
	limit := int64(64)
	return container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{ID: "one", Image: "sha256:1", HostConfig: &container.HostConfig{
			CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}, ReadonlyRootfs: true, Tmpfs: map[string]string{"/tmp": "noexec"},
			RestartPolicy: container.RestartPolicy{Name: "always"},
			Resources:     container.Resources{Memory: 1 << 28, MemorySwap: 1 << 28, NanoCPUs: 5e8, PidsLimit: &limit}}},
		Config:          &container.Config{User: "10001:10001", Env: []string{"A=1"}, Labels: map[string]string{StackLabel: "tarot-prod", WorkloadLabel: "backend"}},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{"inner": {Aliases: []string{"backend"}}, "out": {}}},
	}
}

func TestAOneOffIsLikeAReplicaThatNobodyFinds(t *testing.T) {
	api := &making{fakeAPI: &fakeAPI{container: []container.InspectResponse{replica()}}}
	begun, err := (&Engine{api: api}).BeginOneOff(t.Context(), OneOff{Prefix: "tarot-prod", Workload: "backend", Like: "one", Within: time.Hour})
	if err != nil || begun.ID != "fresh" {
		t.Fatal(err)
	}
	c, h := api.config, api.host
	if c.Image != "sha256:1" || c.User != "10001:10001" || !slices.Equal(c.Env, []string{"A=1"}) || !slices.Equal([]string(c.Entrypoint), []string{"sleep", "3600"}) ||
		c.Labels[StackLabel] != "" || c.Labels[WorkloadLabel] != "" || c.Labels[oneOffLabel] != "tarot-prod" {
		t.Errorf("%+v", c)
	}
	if !h.ReadonlyRootfs || h.Memory != 1<<28 || h.NanoCPUs != 5e8 || *h.PidsLimit != 64 || !slices.Equal([]string(h.CapDrop), []string{"ALL"}) || h.Tmpfs["/tmp"] != "noexec" ||
		!h.AutoRemove || h.RestartPolicy.Name != container.RestartPolicyDisabled || *h.Init || len(h.PortBindings) > 0 {
		t.Errorf("%+v", h)
	}
	if h.NetworkMode != "inner" || len(api.first.EndpointsConfig["inner"].Aliases) > 0 || !slices.Equal(api.connected, []string{"out"}) {
		t.Errorf("%s, %+v, %q", h.NetworkMode, api.first, api.connected)
	}
	if err := begun.End(t.Context()); err != nil || !slices.Contains(api.done, "remove fresh") {
		t.Errorf("%v, %q", err, api.done)
	}
	alone := &making{fakeAPI: &fakeAPI{container: []container.InspectResponse{replica()}}}
	if _, err := (&Engine{api: alone}).BeginOneOff(t.Context(), OneOff{Prefix: "tarot-prod", Like: "one", Within: time.Hour, Isolated: true}); err != nil || alone.host.NetworkMode != "none" || alone.first != nil || len(alone.connected) > 0 {
		t.Errorf("%v: %s, %q", err, alone.host.NetworkMode, alone.connected)
	}
}

func TestAOneOffOfSwarmIsATaskThatNobodyFinds(t *testing.T) {
	replicas := uint64(2)
	spec := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: "tarot-prod-backend", Labels: map[string]string{StackLabel: "tarot-prod"}},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{Image: "tarot-backend:1", User: "10001:10001", ReadOnly: true, CapabilityDrop: []string{"ALL"},
				Labels: map[string]string{StackLabel: "tarot-prod", WorkloadLabel: "backend"}, Secrets: []*swarm.SecretReference{{SecretName: "jwt"}}},
			Resources: &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 1 << 28}},
			Networks:  []swarm.NetworkAttachmentConfig{{Target: "inner", Aliases: []string{"backend"}}},
			Placement: &swarm.Placement{Constraints: []string{"node.role==manager"}},
		},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		EndpointSpec: &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80}}},
	}
	got := OneOff{Prefix: "tarot-prod", Workload: "backend", Within: time.Hour}.service(spec, "tarot-prod-run-x", "sha256:1", "n1")
	c := got.TaskTemplate.ContainerSpec
	if c.Image != "sha256:1" || c.User != "10001:10001" || !c.ReadOnly || len(c.Secrets) != 1 || c.Labels[StackLabel] != "" || c.Labels[WorkloadLabel] != "" ||
		!slices.Equal(append(c.Command, c.Args...), []string{"sleep", "3600"}) || got.Labels[StackLabel] != "" || got.Labels[oneOffLabel] != "tarot-prod" {
		t.Errorf("%+v", c)
	}
	if got.TaskTemplate.Networks[0].Target != "inner" || got.TaskTemplate.Networks[0].Aliases != nil || len(got.EndpointSpec.Ports) > 0 || got.Mode.Replicated == nil || *got.Mode.Replicated.Replicas != 1 || got.TaskTemplate.RestartPolicy.Condition != swarm.RestartPolicyConditionNone ||
		!slices.Equal(got.TaskTemplate.Placement.Constraints, []string{"node.role==manager", "node.id==n1"}) || got.TaskTemplate.Resources.Limits.MemoryBytes != 1<<28 {
		t.Errorf("%+v", got)
	}
	// The service itself is what it was.
	if spec.TaskTemplate.Networks[0].Aliases == nil || spec.TaskTemplate.ContainerSpec.Image != "tarot-backend:1" || len(spec.TaskTemplate.Placement.Constraints) != 1 {
		t.Errorf("%+v", spec.TaskTemplate)
	}
}

// What a killed command has left is removed by the next, once its time is up.
func TestOneOffsThatHaveEndedAreRemoved(t *testing.T) {
	for state, gone := range map[swarm.TaskState]bool{swarm.TaskStateComplete: true, swarm.TaskStateFailed: true, swarm.TaskStateRunning: false, swarm.TaskStatePreparing: false} {
		api := &manager{fakeAPI: &fakeAPI{
			services: []swarm.Service{{ID: "left", Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "tarot-prod-run-y", Labels: map[string]string{oneOffLabel: "tarot-prod"}}}},
				{ID: "others", Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "tarot-shop-run-z", Labels: map[string]string{oneOffLabel: "tarot-shop"}}}}},
			tasks: []swarm.Task{{Status: swarm.TaskStatus{State: state}}},
		}}
		if err := (&Engine{api: api}).clearOneOffs(t.Context(), "tarot-prod"); err != nil || slices.Equal(api.gone, []string{"left"}) != gone || !gone && len(api.gone) > 0 {
			t.Errorf("%s: %v, %q", state, err, api.gone)
		}
	}
}
