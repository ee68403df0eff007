package components

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

func onMount(c *config.Config) { c.Volumes.Mount = "/srv/secure" }

// gocryptfs is what is mounted there.
func gocryptfs() engine.Mount {
	return engine.Mount{There: true, Mounted: true,
		Medium: engine.Medium{Filesystem: "fuse.gocryptfs", Source: "/srv/cipher", Options: []string{"rw", "allow_other"}, Encrypted: "encrypted by gocryptfs"}}
}

// All that users have stored, and all copies of it, lie below the mount, in folders that are made before.
func TestVolumesWithDataLieOnTheMount(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod", "prod as containers"} {
		r := deploy(stack(t, name, onMount, func(c *config.Config) { c.Backup.Enabled, c.Cache.Enabled = true, true }), &recorder{stage: up}, &fakeEngine{mount: gocryptfs()})
		if r.err != nil {
			t.Fatal(r.err)
		}
		placed := 0
		for _, v := range r.find("Volume") {
			called, _ := v.at("name").(string)
			device, _ := v.at("driverOpts", "device").(string)
			data := v.RPC.GetRetainOnDelete() && !strings.Contains(v.Name, "release") || v.Name == "backup-scratch"
			if data != (device != "") || device != "" && device != "/srv/secure/"+called {
				t.Errorf("%s: %s, %s, lies at %q", name, v.Name, called, device)
			}
			if device != "" {
				placed++
				if !slices.Contains(v.RPC.GetIgnoreChanges(), "driverOpts") {
					t.Errorf("%s: %s is replaced where its options change", name, called)
				}
			}
		}
		folders := slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, "folders below /srv/secure: [tarot_db_data ") })
		job := slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, "job ") })
		if placed < 6 || folders < 0 || folders > job {
			t.Errorf("%s: %d are placed; %q", name, placed, r.engine.asked)
		}
	}
	// In a preview nothing is made.
	r := deploy(stack(t, "prod", onMount), &recorder{stage: preview}, &fakeEngine{mount: gocryptfs()})
	if r.err != nil || slices.ContainsFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, "folders") }) {
		t.Errorf("%v, %q", r.err, r.engine.asked)
	}
}

func TestWhatIsNotMountedIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	inProject(t)
	change := func(by func(*engine.Mount)) engine.Mount {
		m := gocryptfs()
		by(&m)
		return m
	}
	encrypted := func(c *config.Config) { c.Volumes.Encrypted = true }
	both := func(c *config.Config) { onMount(c); encrypted(c) }
	for name, test := range map[string]struct {
		set   func(*config.Config)
		found engine.Mount
		want  string // empty: it goes on
	}{
		"mounted":            {both, gocryptfs(), ""},
		"no folder":          {onMount, engine.Mount{}, `tarot:volumes.mount: "/srv/secure" is no folder of the engine's machine; allowed: mount it`},
		"nothing mounted":    {onMount, change(func(m *engine.Mount) { m.Mounted = false }), `tarot:volumes.mount: "/srv/secure" has nothing mounted at it on the engine's machine: data would be on the disk beneath; allowed: mount it, and run the same again`},
		"nobody else's":      {onMount, change(func(m *engine.Mount) { m.Options = nil }), "allowed: mount it with allow_other"},
		"a folder beneath":   {onMount, change(func(m *engine.Mount) { m.Beneath = []string{"lost+found", "tarot_db_data"} }), "has a folder tarot_db_data beneath what is mounted"},
		"another's beneath":  {onMount, change(func(m *engine.Mount) { m.Beneath = []string{"lost+found"} }), ""},
		"in clear":           {both, change(func(m *engine.Mount) { m.Encrypted, m.Filesystem = "", "ext4" }), `tarot:volumes.encrypted: "true" and what is mounted at /srv/secure is not seen to be encrypted (ext4 on /srv/cipher)`},
		"in clear, as said":  {onMount, change(func(m *engine.Mount) { m.Encrypted, m.Filesystem = "", "ext4" }), ""},
		"on a network":       {onMount, change(func(m *engine.Mount) { m.Filesystem = "nfs4" }), "SQLite"},
		"the engine's disk":  {encrypted, change(func(m *engine.Mount) { m.Encrypted = "encrypted by dm-crypt" }), ""},
		"the engine's plain": {encrypted, change(func(m *engine.Mount) { m.Encrypted = "" }), `tarot:volumes.encrypted: "true" and the engine has its volumes on what is not seen to be encrypted`},
	} {
		for _, s := range []stage{up, preview} {
			r := deploy(stack(t, "prod", test.set), &recorder{stage: s}, &fakeEngine{mount: test.found})
			switch {
			case test.want == "":
				if r.err != nil {
					t.Errorf("%s: %v", name, r.err)
				}
			case r.err == nil || strings.Count(r.err.Error(), test.want) != 1 || len(r.all) > 0:
				t.Errorf("%s: %d resources, %v\nwant %s", name, len(r.all), r.err, test.want)
			}
		}
	}
	r := deploy(stack(t, "prod", onMount), &recorder{stage: up}, &fakeEngine{mount: gocryptfs(), failures: map[string]error{"look": errors.New("no answer")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "no answer") || len(r.all) > 0 {
		t.Errorf("not to be told is to be mounted: %v", r.err)
	}
}

// A volume keeps where it lies, and is never left behind.
func TestAVolumeThatLiesElsewhereIsRefused(t *testing.T) {
	inProject(t)
	at := func(device string) map[string]string {
		return map[string]string{"type": "none", "o": "bind", "device": device}
	}
	const move = "`make destroy STACK=test`, which keeps them where volumes.retain is true; `make volume-move STACK=test`"
	for name, test := range map[string]struct {
		set     func(*config.Config)
		options map[string]string
		want    string
	}{
		"where it is wanted":    {onMount, at("/srv/secure/tarot_db_data"), ""},
		"in the engine's":       {onMount, nil, `tarot:volumes.mount: "/srv/secure" is not where the volume tarot_db_data lies, and what is in it would be left behind; allowed: ` + move},
		"on another mount":      {onMount, at("/srv/other/tarot_db_data"), "is not where the volume tarot_db_data lies"},
		"the mount is dropped":  {func(*config.Config) {}, at("/srv/secure/tarot_db_data"), `tarot:volumes.mount: "" is not where the volume tarot_db_data lies; allowed: /srv/secure`},
		"the user's own folder": {func(*config.Config) {}, at("/mnt/disk"), ""},
		"other options": {func(c *config.Config) { c.Volumes.DriverOptions = map[string]string{"size": "2g"} }, map[string]string{"size": "1g"},
			`tarot:volumes.driverOptions.size: "2g" is not what the volume tarot_db_data was made with, and a volume keeps its options; allowed: "1g"`},
		"the same options": {func(c *config.Config) { c.Volumes.DriverOptions = map[string]string{"size": "1g"} }, map[string]string{"size": "1g"}, ""},
	} {
		docker := &fakeEngine{mount: gocryptfs(), volumes: []engine.Volume{{Name: "tarot_db_data", Driver: "local", Options: test.options}}}
		r := deploy(stack(t, "prod", test.set), &recorder{stage: up, before: map[string]state.Volume{"storage-data": {Name: "tarot_db_data", Driver: "local", Retained: true}}}, docker)
		switch {
		case test.want == "":
			if r.err != nil {
				t.Errorf("%s: %v", name, r.err)
			}
		case r.err == nil || !strings.Contains(r.err.Error(), test.want) || len(r.all) > 0:
			t.Errorf("%s: %v\nwant %s", name, r.err, test.want)
		}
	}
}

func TestTheOptionsOfADriverAreGiven(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", func(c *config.Config) {
		c.Volumes.Driver, c.Volumes.DriverOptions = "local", map[string]string{"type": "ext4", "device": "/dev/x"}
	}), up)
	if v := r.get(t, "Volume", "storage-data"); v.at("driverOpts", "device") != "/dev/x" || v.at("driverOpts", "type") != "ext4" {
		t.Errorf("%v", v.In)
	}
	if v := succeed(t, stack(t, "prod"), up).get(t, "Volume", "storage-data"); v.at("driverOpts") != nil {
		t.Errorf("options that nobody gave: %v", v.In)
	}
}
