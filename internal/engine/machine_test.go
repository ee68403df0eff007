package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
)

func TestTheEnginesClockIsOfSomeTimeBetweenQuestionAndAnswer(t *testing.T) {
	asked := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for said, want := range map[string]time.Duration{
		"2026-11-28T12:00:01.5Z":      0,
		"2026-11-28T12:00:12Z":        10 * time.Second,
		"2026-11-28T12:59:50+01:00":   -10 * time.Second,
		"2026-11-28T12:00:02.0000+00": -1, // no time
		"":                            -1,
	} {
		e := &Engine{Info: system.Info{SystemTime: said}, opened: asked, answered: asked.Add(2 * time.Second)}
		ahead, known := e.ahead()
		if known != (want != -1) || known && ahead != want {
			t.Errorf("%q: %s, %v; want %s", said, ahead, known, want)
		}
	}
}

func TestMemoryOfThisMachineAlone(t *testing.T) {
	proc := t.TempDir()
	if err := os.WriteFile(filepath.Join(proc, "meminfo"), []byte("MemTotal:        1024 kB\nMemFree:  1 kB\nMemAvailable:     512 kB\nHugePages_Total:       0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for total, want := range map[int64]int64{1 << 20: 512 << 10, 2 << 20: 0, 0: 0} {
		if got := available(proc, total); got != want {
			t.Errorf("of an engine with %d: %d, want %d", total, got, want)
		}
	}
	if got := available(t.TempDir(), 1<<20); got != 0 {
		t.Errorf("where nobody says: %d", got)
	}
}

func TestDf(t *testing.T) {
	d, err := readDisk("Filesystem     1024-blocks     Used Available Capacity Mounted on\noverlay          263174212 50145248  45632232      53% /\n", "/var/lib/docker")
	if want := (Disk{Folder: "/var/lib/docker", Size: 263174212 << 10, Free: 45632232 << 10}); err != nil || d != want {
		t.Errorf("%+v, %v; want %+v", d, err, want)
	}
	for _, said := range []string{"", "df: no such thing", "a b c d e"} {
		if _, err := readDisk(said, ""); err == nil {
			t.Errorf("%q is read", said)
		}
	}
}

// The disk of an engine elsewhere is nobody's to see where nothing of the stack runs.
func TestTheDiskOfAnEngineElsewhere(t *testing.T) {
	e := &Engine{Address: "tcp://10.0.0.5:2376", api: &fakeAPI{}, Info: system.Info{DockerRootDir: t.TempDir()}}
	if _, err := e.disk(t.Context(), mine); err == nil || !strings.Contains(err.Error(), "of which none runs") {
		t.Errorf("%v", err)
	}
	e.Address = "unix:///x"
	if d, err := e.disk(t.Context(), mine); err != nil || d.Size == 0 || d.Folder != e.Info.DockerRootDir {
		t.Errorf("here: %+v, %v", d, err)
	}
}

// registries answers for them, and for what containers use.
type registries struct {
	*fakeAPI
	says error
}

func (r registries) DistributionInspect(context.Context, string, string) (registry.DistributionInspect, error) {
	return registry.DistributionInspect{}, r.says
}

func (r registries) ContainerStatsOneShot(context.Context, string) (container.StatsResponseReader, error) {
	return container.StatsResponseReader{Body: io.NopCloser(strings.NewReader(`{"memory_stats": {"usage": 300, "stats": {"inactive_file": 100}}}`))}, nil
}

func TestAnImageThatItsRegistryHasNot(t *testing.T) {
	api := &fakeAPI{images: map[string]image.InspectResponse{"nginx:1.30": {Size: 7}}}
	for _, test := range []struct {
		image   string
		says    error
		here    bool
		refused bool
		unknown bool
	}{
		{"nginx:1.30", errors.New("not asked"), true, false, false},
		{"redis:8", nil, false, false, false},
		{"redis:80", fmt.Errorf("manifest unknown: %w", errdefs.ErrNotFound), false, true, false},
		{"shop:1", fmt.Errorf("unauthorized: %w", errdefs.ErrUnauthenticated), false, true, false},
		{"shop:2", fmt.Errorf("denied: %w", errdefs.ErrPermissionDenied), false, true, false},
		{"redis:8", errors.New("dial tcp: no such host"), false, false, true},
	} {
		e := &Engine{api: registries{api, test.says}}
		here, refused, err := e.Obtainable(t.Context(), test.image)
		if here != test.here || (refused != "") != test.refused || (err != nil) != test.unknown {
			t.Errorf("%s: here %v, refused %q, %v", test.image, here, refused, err)
		}
	}
	if sum := (&Engine{api: api}).SizeOf(t.Context(), []string{"nginx:1.30", "redis:8", "nginx:1.30"}); sum != 14 {
		t.Errorf("they take %d", sum)
	}
}

func TestWhatAReplicaUses(t *testing.T) {
	api := registries{&fakeAPI{containers: []container.Summary{{ID: "one"}}}, nil}
	if got := (&Engine{api: api}).uses(t.Context(), mine, []string{"backend", "worker"}); got["backend"] != 200 || got["worker"] != 200 {
		t.Errorf("%v", got)
	}
	api.containers = nil
	if got := (&Engine{api: api}).uses(t.Context(), mine, []string{"backend"}); len(got) > 0 {
		t.Errorf("what does not run: %v", got)
	}
}

// That a port is free says nothing of whether a rootless engine may have it.
func TestPortsThatARootlessEngineMayNotHave(t *testing.T) {
	proc := t.TempDir()
	rootless := &Engine{Address: "unix:///x", api: &fakeAPI{}, Info: system.Info{SecurityOptions: []string{"name=seccomp,profile=default", "name=rootless"}}}
	if got := rootless.privileged(proc); got != 1024 {
		t.Errorf("without the setting: %d", got)
	}
	if err := os.MkdirAll(filepath.Join(proc, "sys/net/ipv4"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(proc, "sys/net/ipv4/ip_unprivileged_port_start"), []byte("80\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := rootless.privileged(proc); got != 80 {
		t.Errorf("with the setting: %d", got)
	}
	if got := (&Engine{}).privileged(proc); got != 0 {
		t.Errorf("of root's engine: %d", got)
	}
	from := rootless.privileged("/proc")
	if from == 0 {
		t.Skip("everybody may have every port here")
	}
	free := 0
	for port := from - 1; port > 0 && free == 0; port-- {
		if takenBy("127.0.0.1", port) == "" {
			free = port
		}
	}
	wanted := []Port{{Key: "nginx.httpPort", Address: "127.0.0.1", Number: free}, {Key: "nginx.httpsPort", Address: "127.0.0.1", Number: freePort(t)}}
	taken, forbidden, err := rootless.checkPorts(t.Context(), wanted, mine)
	if err != nil || len(taken) > 0 || len(forbidden) != 1 || !strings.Contains(forbidden[0].Error(), fmt.Sprintf(`tarot:nginx.httpPort: "%d" is free, and the user of this engine, which is rootless, is not allowed to have a port below %d`, free, from)) {
		t.Errorf("taken %v, forbidden %v, %v", taken, forbidden, err)
	}
	rootless.Info.SecurityOptions = slices.DeleteFunc(rootless.Info.SecurityOptions, func(o string) bool { return o == "name=rootless" })
	if _, forbidden, _ := rootless.checkPorts(t.Context(), wanted, mine); len(forbidden) > 0 {
		t.Errorf("root's engine: %v", forbidden)
	}
}
