package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestHostAndLocal(t *testing.T) {
	for address, want := range map[string]struct {
		host  string
		local bool
	}{
		"unix:///var/run/docker.sock":    {"localhost", true},
		"npipe:////./pipe/docker_engine": {"localhost", true},
		"tcp://127.0.0.1:2375":           {"127.0.0.1", true},
		"tcp://localhost:2375":           {"localhost", true},
		"tcp://[::1]:2375":               {"::1", true},
		"tcp://10.0.0.5:2376":            {"10.0.0.5", false},
		"tcp://docker.example:2376":      {"docker.example", false},
		"ssh://deploy@docker.example":    {"docker.example", false},
		"https://docker.example":         {"docker.example", false},
	} {
		e := &Engine{Address: address}
		if e.Host() != want.host || e.Local() != want.local {
			t.Errorf("%s: host %s, local %v; want %v", address, e.Host(), e.Local(), want)
		}
	}
}

func TestPlatformIsNamedAsImagesNameIt(t *testing.T) {
	for architecture, want := range map[string]string{
		"x86_64": "linux/amd64", "aarch64": "linux/arm64", "amd64": "linux/amd64", "riscv64": "linux/riscv64",
	} {
		e := &Engine{Info: system.Info{OSType: "linux", Architecture: architecture}}
		if got := e.Platform(); got != want {
			t.Errorf("%s is %s, want %s", architecture, got, want)
		}
	}
}

func TestPlacesOfWhatCadvisorHasToSee(t *testing.T) {
	folder := t.TempDir()
	socket := filepath.Join(folder, "containerd.sock")
	defer func(before []string) { containerdSockets = before }(containerdSockets)
	snapshotter := [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}
	tells := &system.ContainerdInfo{Address: "/run/docker/containerd/containerd.sock"}
	for name, test := range map[string]struct {
		info    system.Info
		there   []string // of the places where containerd may listen
		address string
		want    HostPaths
	}{
		"its own store":       {system.Info{Driver: "overlay2", Containerd: tells}, nil, "", HostPaths{Layers: "/data/image/overlay2/layerdb/mounts"}},
		"a driver's old name": {system.Info{Driver: "overlayfs", DriverStatus: [][2]string{{"Backing Filesystem", "extfs"}}}, nil, "", HostPaths{Layers: "/data/image/overlayfs/layerdb/mounts"}},
		"containerd's store":  {system.Info{Driver: "overlayfs", DriverStatus: snapshotter, Containerd: tells}, nil, "", HostPaths{Containerd: tells.Address}},
		"another snapshotter": {system.Info{Driver: "native", DriverStatus: snapshotter, Containerd: tells}, nil, "", HostPaths{Containerd: tells.Address}},
		"with a scheme": {system.Info{Driver: "overlayfs", DriverStatus: snapshotter, Containerd: &system.ContainerdInfo{Address: "unix:///run/c.sock"}}, nil, "",
			HostPaths{Containerd: "/run/c.sock"}},
		"one that doesn't tell":       {system.Info{Driver: "overlayfs", DriverStatus: snapshotter}, []string{socket}, "", HostPaths{Containerd: socket}},
		"neither, and it isn't there": {system.Info{Driver: "overlayfs", DriverStatus: snapshotter}, nil, "", HostPaths{Containerd: folder + "/first"}},
		"on another machine":          {system.Info{Driver: "overlayfs", DriverStatus: snapshotter}, []string{socket}, "tcp://10.0.0.5:2376", HostPaths{Containerd: folder + "/first"}},
	} {
		t.Run(name, func(t *testing.T) {
			containerdSockets = []string{folder + "/first", socket}
			for _, file := range test.there {
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(file)
			}
			e := &Engine{Address: "unix:///nowhere.sock", Info: test.info}
			test.want.Socket = "/nowhere.sock"
			if test.address != "" {
				e.Address, test.want.Socket = test.address, "/var/run/docker.sock"
			}
			e.Info.DockerRootDir = "/data"
			if got := e.HostPaths(); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestCheckSwarm(t *testing.T) {
	for _, test := range []struct {
		name  string
		swarm swarm.Info
		want  string
	}{
		{"manager", swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}, ""},
		{"worker", swarm.Info{LocalNodeState: swarm.LocalNodeStateActive}, "the engine at tcp://e is a worker"},
		{"none", swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}, "the engine at tcp://e is in no swarm (inactive)"},
		{"locked", swarm.Info{LocalNodeState: swarm.LocalNodeStateLocked, ControlAvailable: true},
			"the engine at tcp://e is in no swarm (locked)"},
		{"starting", swarm.Info{LocalNodeState: swarm.LocalNodeStatePending, ControlAvailable: true},
			"the engine at tcp://e is in no swarm (pending)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := (&Engine{Address: "tcp://e", Info: system.Info{Swarm: test.swarm}}).CheckSwarm()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if want := `tarot:runtime: "swarm" needs a Swarm manager, and ` + test.want; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestWithoutDigest(t *testing.T) {
	for reference, want := range map[string]string{
		"nginx:1.30": "nginx:1.30", "nginx:1.30@sha256:0123": "nginx:1.30", "host:5000/app@sha256:0123": "host:5000/app", "": "",
	} {
		if got := withoutDigest(reference); got != want {
			t.Errorf("%s is %s, want %s", reference, got, want)
		}
	}
}

func TestImage(t *testing.T) {
	config := func(labels map[string]string) *dockerspec.DockerOCIImageConfig {
		return &dockerspec.DockerOCIImageConfig{
			ImageConfig:             ocispec.ImageConfig{Entrypoint: []string{"/start"}, Cmd: []string{"it"}, Labels: labels},
			DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{Healthcheck: &container.HealthConfig{Test: []string{"CMD", "/healthy"}}},
		}
	}
	e := &Engine{api: &fakeAPI{images: map[string]image.InspectResponse{
		"real":     {Config: config(nil)},
		"stand-in": {Config: config(map[string]string{standInFor: "python:3.13", standInVersion: "Debian's 3.11"})},
		"bare":     {},
	}}}
	real := Image{Start: []string{"/start", "it"}, Health: []string{"CMD", "/healthy"}}
	standIn := real
	standIn.Labels = map[string]string{standInFor: "python:3.13", standInVersion: "Debian's 3.11"}
	standIn.StandIn = "python:3.13 is a stand-in: Debian's 3.11"
	for name, want := range map[string]Image{"real": real, "stand-in": standIn, "bare": {}} {
		if got, err := e.Image(t.Context(), name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for shell, want := range map[string][]string{"": {"CMD", "/bin/sh", "-c", "a || b"}, "/bin/bash": {"CMD", "/bin/bash", "-c", "a || b"}} {
		text := config(nil)
		text.Healthcheck.Test = []string{"CMD-SHELL", "a || b"}
		if shell != "" {
			text.Shell = []string{shell, "-c"}
		}
		e := &Engine{api: &fakeAPI{images: map[string]image.InspectResponse{"text": {Config: text}}}}
		if got, err := e.Image(t.Context(), "text"); err != nil || !reflect.DeepEqual(got.Health, want) {
			t.Errorf("a health check for the shell %q: %q, %v", shell, got.Health, err)
		}
	}
	const want = "image gone is in the stack's state, but no longer on the engine"
	if _, err := e.Image(t.Context(), "gone"); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("gone: %v", err)
	}
	broken := &Engine{api: &fakeAPI{failure: errors.New("no answer")}}
	if _, err := broken.Image(t.Context(), "any"); err == nil || err.Error() != "image any: no answer" {
		t.Errorf("broken: %v", err)
	}
}

// clientAt makes the Docker client go to an address, and read no configuration
// of the user's.
func clientAt(t *testing.T, address string, files map[string]string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	before := dockerconfig.Dir() // read from the environment only once
	dockerconfig.SetDir(folder)
	t.Cleanup(func() { dockerconfig.SetDir(before) })
	for _, name := range []string{"DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"} {
		t.Setenv(name, "")
	}
	t.Setenv("DOCKER_HOST", address)
}

func TestOpenNamesTheAddressWhereNothingListens(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"tcp://" + closed.Addr().String(), "unix://" + t.TempDir() + "/docker.sock"} {
		clientAt(t, address, nil)
		_, err := Open(t.Context())
		want := "docker engine: no answer at " + address + ": "
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "DOCKER_HOST") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOpenRefusesAContextThatTheProviderDoesNotRead(t *testing.T) {
	id := sha256.Sum256([]byte("elsewhere"))
	clientAt(t, "", map[string]string{
		"config.json": `{"currentContext":"elsewhere"}`,
		"contexts/meta/" + hex.EncodeToString(id[:]) + "/meta.json":// as the client stores it
		`{"Name":"elsewhere","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://127.0.0.1:1"}}}`,
	})
	_, err := Open(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), `docker engine: the Docker context "elsewhere" is selected (tcp://127.0.0.1:1)`) {
		t.Errorf("%v", err)
	}
	t.Setenv("DOCKER_CONTEXT", "elsewhere")
	_, err = Open(t.Context())
	if want := "docker engine: no answer at tcp://127.0.0.1:1: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestOpenReturnsAnEngineThatAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/info") {
			fmt.Fprint(w, `{"NCPU":2,"OSType":"linux","Architecture":"x86_64"}`)
		}
	}))
	defer server.Close()
	address := "tcp://" + server.Listener.Addr().String()
	clientAt(t, address, nil)
	e, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Address != address || e.Info.NCPU != 2 || e.Platform() != "linux/amd64" || !e.Local() {
		t.Errorf("%+v", e)
	}
}
