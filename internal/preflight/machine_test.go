package preflight

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// is fails where a check ends otherwise, or says nothing of what it found.
func is(t *testing.T, name string, c checks.Check, result string, says ...string) {
	t.Helper()
	if c.Result != result {
		t.Errorf("%s: %s, want %s: %+v", name, c.Result, result, c)
	}
	for _, word := range says {
		if !strings.Contains(c.Found, word) {
			t.Errorf("%s: it does not say %q: %s", name, word, c.Found)
		}
	}
	if mends := result != checks.Pass && result != checks.Skip; mends && c.Mend == "" && c.ID != "clock" && c.ID != "memory" {
		t.Errorf("%s: nobody says what to do: %+v", name, c)
	}
	if c.Result == checks.Pass && c.Mend != "" {
		t.Errorf("%s: it passes, and there is something to do: %+v", name, c)
	}
}

func TestEnginesThatWork(t *testing.T) {
	for version, want := range map[string]string{
		"20.10.24+dfsg1": checks.Pass, "28.5.2": checks.Pass, "29.0.0": checks.Pass, "19.03.15": checks.Fail, "20.9": checks.Fail,
		"1.13.1": checks.Fail, "31.0.1": checks.Warn, "dev": checks.Unknown, "": checks.Unknown,
	} {
		is(t, version, Version(version), want, version)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	for _, test := range []struct {
		name   string
		ahead  time.Duration
		known  bool
		newest time.Time
		want   string
		says   string
	}{
		{"the same", 0, true, now.Add(-time.Hour), checks.Pass, ""},
		{"before anything ran", time.Second, true, time.Time{}, checks.Pass, ""},
		{"a little ahead", 6 * time.Second, true, now, checks.Warn, "6s ahead of"},
		{"a little behind", -30 * time.Second, true, now.Add(-time.Hour), checks.Warn, "30s behind"},
		{"an hour behind", -time.Hour, true, now.Add(-2 * time.Hour), checks.Fail, "1h0m0s behind"},
		{"an hour ahead", time.Hour, true, now, checks.Fail, "1h0m0s ahead of"},
		{"both wrong", 0, true, now.Add(24 * time.Hour), checks.Fail, "which is in 24h0m0s"},
		{"no answer", 0, false, now, checks.Unknown, "does not say"},
	} {
		is(t, test.name, Clock(test.ahead, test.known, test.newest, now), test.want, test.says)
	}
}

func machine() engine.Machine {
	return engine.Machine{Memory: 4 << 30, Available: 1 << 30, Uses: map[string]int64{"backend": 100 << 20}}
}

// wants are replicas of half a gibibyte, in plain containers.
func wants(replicas int) engine.Needs {
	return engine.Needs{Limits: []engine.Limits{{Workload: "backend", Replicas: replicas, Beside: replicas, Memory: 512 << 20}, {Workload: "postgres", Replicas: 1, Memory: 512 << 20}}}
}

func TestMemoryForTheOldAndTheNew(t *testing.T) {
	for _, test := range []struct {
		name     string
		replicas int
		change   func(*engine.Machine)
		want     string
		says     string
	}{
		{"enough", 2, func(*engine.Machine) {}, checks.Pass, "limits of 1.5GiB in all, and 1GiB more"},
		{"more than the machine, together", 4, func(*engine.Machine) {}, checks.Warn, "come to 2.5GiB, and to 2GiB more while a release goes out, and the engine's machine has 4GiB"},
		{"none is free for the new", 2, func(m *engine.Machine) { m.Available = 150 << 20 }, checks.Fail, "use 200MiB at the moment, and 150MiB is free"},
		{"the same, and nobody sees it", 2, func(m *engine.Machine) { m.Available = 0 }, checks.Pass, "the machine has 4GiB"},
		{"the same, before anything runs", 2, func(m *engine.Machine) { m.Available, m.Uses = 150<<20, nil }, checks.Pass, ""},
		{"a limit that is none", 1, func(m *engine.Machine) { m.Memory = 256 << 20 }, checks.Fail, "the limit of backend is 512MiB, the limit of postgres is 512MiB, and the engine's machine has 256MiB"},
		{"the engine does not say", 1, func(m *engine.Machine) { m.Memory = 0 }, checks.Unknown, "does not say"},
	} {
		m := machine()
		test.change(&m)
		is(t, test.name, Memory(m, wants(test.replicas)), test.want, test.says)
	}
}

func roomy() engine.Disk {
	return engine.Disk{Folder: "/var/lib/docker", Free: 50 << 30, Size: 100 << 30, Files: 1 << 20, CountsFiles: true}
}

func TestRoomOnTheEnginesDisk(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*engine.Disk)
		image  int64
		want   string
		says   string
	}{
		{"room", func(*engine.Disk) {}, 1 << 30, checks.Pass, "50GiB of 100GiB free at /var/lib/docker"},
		{"little", func(d *engine.Disk) { d.Free = 9 << 30 }, 1 << 30, checks.Warn, "less than 10 %"},
		{"not for an image like this", func(d *engine.Disk) { d.Free = 9 << 30 }, 9 << 30, checks.Fail, "9GiB is free at /var/lib/docker of the engine's machine, and a release may take 9.5GiB"},
		{"full", func(d *engine.Disk) { d.Free = 0 }, 0, checks.Fail, "0B is free"},
		{"no inodes", func(d *engine.Disk) { d.Files = 100 }, 0, checks.Fail, "room for 100 files"},
		{"inodes that nobody counts", func(d *engine.Disk) { d.Files, d.CountsFiles = 0, false }, 0, checks.Pass, ""},
	} {
		d := roomy()
		test.change(&d)
		is(t, test.name, Disk(d, nil, test.image), test.want, test.says)
	}
	is(t, "on another machine", Disk(engine.Disk{}, errors.New("none runs"), 0), checks.Unknown, "none runs")
}
