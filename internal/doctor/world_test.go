package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-connections/nat"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/state"
)

// world is a stack of two replicas and nginx on an engine that answers with what a test has made of it.
type world struct {
	Engine // a question that a test gives no answer for panics

	t          *testing.T
	stack      Stack
	bodies     []container.InspectResponse
	served     []engine.Served
	networks   []network.Summary
	volumes    map[string]string
	images     map[string]image.InspectResponse
	usage      engine.Usage
	off        time.Duration
	inside     map[string]string // by container, what the shell prints
	python     map[string]string
	end        string // of what the shell prints
	noPython   error
	kills      int
	taken      []error
	held       *engine.Held
	claimed    bool
	history    map[string]json.RawMessage
	whole      state.Whole
	unreadable error
	failure    error // of every question
	hangs      bool
	server     *httptest.Server
	codes      map[string]int // by path
}

const (
	nginxID, firstID, secondID, jobID = "n0000000000000", "b1111111111111", "b2222222222222", "j3333333333333"
	edgeNet, backNet                  = "netedge00000000", "netback00000000"
)

// goodStack is one that nothing is wrong with.
func goodStack(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, codes: map[string]int{}, end: "end\n"}
	w.serve(certificateOf(t, "example.org", time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)))
	cfg := config.Defaults()
	cfg.Nginx.Enabled, cfg.Nginx.ServerNames, cfg.Nginx.TLS.Mode, cfg.Database.Kind = true, []string{"example.org"}, "selfSigned", config.SQLite
	cfg.Backend.User, cfg.Volumes.Data, cfg.Backend.Context = "10001:10001", "data", "../../app"
	w.stack = Stack{Name: "prod", Prefix: "tarot-prod", Engine: w, Config: cfg, Uplink: 1500, Resolver: "192.0.2.53",
		About: About{Version: "20.10.24+dfsg1", API: "1.41", Platform: "linux/amd64", Root: "/nowhere", Local: true, Host: "localhost", Manager: true, Swarm: "active", Forwards: true},
		State: func(context.Context) (state.Whole, error) { return w.whole, w.unreadable },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, ":443") {
				return new(net.Dialer).DialContext(ctx, network, w.server.Listener.Addr().String())
			}
			return nil, errors.New("connection refused")
		}}
	w.networks = []network.Summary{{ID: edgeNet, Name: "tarot-prod-edge"}, {ID: backNet, Name: "tarot-prod-backend", Internal: true}}
	w.volumes = map[string]string{"data": "/volumes/data", "static": "/volumes/static"}
	w.images = map[string]image.InspectResponse{}
	for _, name := range []string{"nginx:1.30", "tarot-backend:abc"} {
		w.images[name] = image.InspectResponse{Os: "linux", Architecture: "amd64"}
	}
	first, second := w.container(firstID, "backend", "tarot-prod-backend-1-aaaaaaa", "data", "/app/data"), w.container(secondID, "backend", "tarot-prod-backend-2-bbbbbbb", "data", "/app/data")
	nginx := w.container(nginxID, "nginx", "tarot-prod-nginx-1", "static", staticFolder)
	nginx.NetworkSettings.Networks["tarot-prod-edge"] = &network.EndpointSettings{NetworkID: edgeNet, Aliases: []string{"nginx"}}
	nginx.NetworkSettings.Ports = nat.PortMap{"8443/tcp": {{HostIP: "0.0.0.0", HostPort: "443"}}}
	job := w.container(jobID, "migrate", "tarot-prod-migrate-ccccccc", "data", "/app/data")
	job.Config.Labels[engine.AttemptLabel] = "0"
	job.State = &container.State{Status: container.StateExited, StartedAt: job.State.StartedAt}
	earlier := w.container("e5555555555555", "migrate", "tarot-prod-migrate-eeeeeee", "data", "/app/data") // of a deploy that failed: not in the state
	earlier.Created = time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339Nano)
	earlier.Config.Labels[engine.AttemptLabel] = "0"
	earlier.State = job.State
	w.bodies = []container.InspectResponse{first, second, nginx, job, earlier}
	w.inside = map[string]string{
		nginxID: "room\t/\t1000\t500\t500\ninodes\t/\t1000\t500\t500\nroute\tyes\nmtu\teth0\t1500\nkilled\t0\nname\tbackend\t10.0.0.2\nconfiguration\tc0ffee\nupstream\ttarot-prod-backend-1-aaaaaaa\n" +
			"name\ttarot-prod-backend-1-aaaaaaa\t10.0.0.2\nupstream\ttarot-prod-backend-2-bbbbbbb\nname\ttarot-prod-backend-2-bbbbbbb\t10.0.0.3\n" +
			"serves\tc0ffee tarot-prod-backend-1-aaaaaaa tarot-prod-backend-2-bbbbbbb\t\nstatic\tr/abc/style.css\n",
	}
	w.python = map[string]string{}
	for _, id := range []string{firstID, secondID} {
		w.inside[id] = "room\t/\t1000\t500\t500\ninodes\t/\t1000\t500\t500\nroom\t/app/data\t1000\t500\t500\ninodes\t/app/data\t1000\t500\t500\nwrite\t/app/data\t\nwrite\t/app/data/prod.db\t\nroute\tno\nmtu\teth0\t1500\nkilled\t0\nname\tnginx\t10.0.0.4\n"
		w.python[id] = `{"name": "DATABASE_URL", "scheme": "sqlite", "to": "./data/prod.db", "error": ""}` + "\n" + `{"name": "CACHE_URL", "scheme": "redis", "to": "cache:6379", "error": ""}` + "\n"
	}
	w.deployed(history.Entry{Operation: "up", Result: history.Succeeded, At: time.Now().Add(-time.Hour)})
	w.whole.Outputs = json.RawMessage(`{"runtime": "containers", "release": "r1", "image": "tarot-backend:abc", "url": "https://example.org", "healthUrl": "https://example.org/health",
		"staticUrl": "https://example.org/static", "adminPassword": {"ciphertext": "v1:x"}, "volumes": {"data": "data", "static": "static"},
		"services": {"backend": {"replicas": 2, "image": "tarot-backend:abc", "names": ["tarot-prod-backend-1-aaaaaaa", "tarot-prod-backend-2-bbbbbbb"], "writes": ["/app/data", "/app/data/prod.db"]},
		"nginx": {"replicas": 1, "image": "nginx:1.30", "names": ["tarot-prod-nginx-1"]}}}`)
	w.whole.Resources = []state.Declared{
		{Kind: "container", Name: "tarot-prod-backend-1", ID: firstID, Networks: map[string][]string{backNet: {"backend"}}},
		{Kind: "container", Name: "tarot-prod-backend-2", ID: secondID, Networks: map[string][]string{backNet: {"backend"}}},
		{Kind: "container", Name: "tarot-prod-nginx-1", ID: nginxID, Networks: map[string][]string{backNet: {"nginx"}, edgeNet: {"nginx"}}},
		{Kind: "container", Name: "tarot-prod-migrate", ID: jobID, Job: true}, {Kind: "network", Name: "edge", ID: edgeNet}, {Kind: "network", Name: "backend", ID: backNet},
		{Kind: "volume", Name: "storage-data", ID: "data"},
	}
	return w
}

func (w *world) container(id, workload, name, volume, at string) container.InspectResponse {
	picture := map[bool]string{true: "nginx:1.30", false: "tarot-backend:abc"}[workload == "nginx"]
	return container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{ID: id, Name: "/" + name, Created: time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano),
			State:      &container.State{Status: container.StateRunning, Running: true, StartedAt: time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano), Health: &container.Health{Status: container.Healthy}},
			HostConfig: &container.HostConfig{LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "100m"}}, Resources: container.Resources{Memory: 512 << 20}}},
		Config: &container.Config{Image: picture, User: "10001:10001", Labels: map[string]string{engine.StackLabel: "tarot-prod", engine.WorkloadLabel: workload}},
		Mounts: []container.MountPoint{{Type: "volume", Name: volume, Source: "/volumes/" + volume, Destination: at, RW: true}},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{
			"tarot-prod-backend": {NetworkID: backNet, Aliases: []string{workload, id[:12]}}}},
	}
}

// of is a container to be changed.
func (w *world) of(id string) *container.InspectResponse {
	for i := range w.bodies {
		if w.bodies[i].ID == id {
			return &w.bodies[i]
		}
	}
	w.t.Fatalf("there is no container %s", id)
	return nil
}

// without removes a container.
func (w *world) without(id string) {
	for i := range w.bodies {
		if w.bodies[i].ID == id {
			w.bodies = append(w.bodies[:i], w.bodies[i+1:]...)
			return
		}
	}
}

// says replaces a part of what a container says.
func (w *world) says(id, before, now string) {
	if !strings.Contains(w.inside[id]+w.python[id], before) {
		w.t.Fatalf("%s does not say %q", id, before)
	}
	w.inside[id], w.python[id] = strings.ReplaceAll(w.inside[id], before, now), strings.ReplaceAll(w.python[id], before, now)
}

func (w *world) deployed(e history.Entry) {
	text, err := json.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.history = map[string]json.RawMessage{"1": text}
}

// swarmed has one service of the Swarm beside, with a task.
func (w *world) swarmed(tasks ...swarm.Task) {
	replicas := uint64(1)
	w.served = []engine.Served{{Service: swarm.Service{ID: "s1", Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "tarot-prod-worker"},
		Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}}, TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "tarot-backend:abc"}}}}, Tasks: tasks}}
	w.stack.Config.Runtime = "swarm"
}

func task(state swarm.TaskState, err string, ago time.Duration) swarm.Task {
	return swarm.Task{Meta: swarm.Meta{CreatedAt: time.Now().Add(-ago)}, Slot: 1, DesiredState: swarm.TaskStateRunning, Status: swarm.TaskStatus{State: state, Err: err, Timestamp: time.Now().Add(-ago)}}
}

func (w *world) serve(certificate tls.Certificate) {
	if w.server != nil {
		w.server.Close()
	}
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if code := w.codes[r.URL.Path]; code != 0 {
			rw.WriteHeader(code)
		}
	}))
	w.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	w.server.StartTLS()
	w.t.Cleanup(w.server.Close)
}

func certificateOf(t *testing.T, name string, from, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: until}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// look goes through the list, with time for a machine that has others to do.
func (w *world) look() checks.Report { return of(context.Background(), w.stack, all(), time.Minute) }

func (w *world) wait(ctx context.Context) error {
	if w.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return w.failure
}

func (w *world) Inspected(ctx context.Context, _ string) ([]container.InspectResponse, error) {
	return w.bodies, w.wait(ctx)
}
func (w *world) ServedOf(ctx context.Context, _ string) ([]engine.Served, error) {
	return w.served, w.wait(ctx)
}
func (w *world) NetworksOf(ctx context.Context, _ string) ([]network.Summary, error) {
	return w.networks, w.wait(ctx)
}
func (w *world) VolumePlaces(ctx context.Context) (map[string]string, error) {
	return maps.Clone(w.volumes), w.wait(ctx)
}
func (w *world) Described(ctx context.Context, name string) (image.InspectResponse, bool, error) {
	found, there := w.images[name]
	return found, there, w.wait(ctx)
}
func (w *world) DiskUsage(ctx context.Context) (engine.Usage, error) { return w.usage, w.wait(ctx) }
func (w *world) Now(ctx context.Context) (time.Time, time.Duration, error) {
	return time.Now().Add(w.off), time.Millisecond, w.wait(ctx)
}
func (w *world) Within(ctx context.Context, id, _ string, command ...string) (string, error) {
	if strings.Contains(command[2], "python") {
		return w.python[id], errors.Join(w.wait(ctx), w.noPython)
	}
	return w.inside[id] + w.end, w.wait(ctx)
}
func (w *world) LastWords(context.Context, string) string { return "first\nValueError: own words" }
func (w *world) Kills(ctx context.Context, _ string, _ time.Time) (int, error) {
	return w.kills, w.wait(ctx)
}
func (w *world) PortsTaken(ctx context.Context, _ string, _ []engine.Port) ([]error, error) {
	return w.taken, w.wait(ctx)
}
func (w *world) Operating(ctx context.Context, _ string) (engine.Held, bool, error) {
	if w.held == nil {
		return engine.Held{}, false, w.wait(ctx)
	}
	return *w.held, true, w.wait(ctx)
}
func (w *world) Claimed(ctx context.Context, _ string) (bool, error) { return w.claimed, w.wait(ctx) }
func (w *world) History(ctx context.Context, _ string) (map[string]json.RawMessage, error) {
	return w.history, w.wait(ctx)
}
