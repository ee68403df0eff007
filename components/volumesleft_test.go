package components

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// change is what an update makes of the volume tarot_db_data, of the driver local.
type change struct {
	name   string
	change func(*config.Config)
	// wants is what the engine has to have by then for the update to be a wish; nil: nothing.
	wants *engine.Volume
	// key is the one that is refused otherwise; empty: it is not.
	key string
}

var volumeChanges = []change{
	{"nothing", func(*config.Config) {}, nil, ""},
	{"another name", func(c *config.Config) { c.Volumes.Data = "new" }, &engine.Volume{Name: "new", Driver: "local"}, `tarot:volumes.data: "new"`},
	{"another driver", func(c *config.Config) { c.Volumes.Driver = "other" }, &engine.Volume{Name: "tarot_db_data", Driver: "other:latest"}, `tarot:volumes.driver: "other"`},
	{"another name and driver", func(c *config.Config) { c.Volumes.Data, c.Volumes.Driver = "new", "other" }, &engine.Volume{Name: "new", Driver: "other"}, `tarot:volumes.data: "new"`},
	{"none", func(c *config.Config) {
		c.Volumes.Data, c.Backend.DatabaseURL, c.Backend.Migrate = "", "", nil
	}, nil, ""},
	{"the part off", func(c *config.Config) { c.Monitoring.Enabled = false }, nil, ""},
}

// Whatever changes together, in whatever order: no update takes data away, and none leaves them
// behind that was not told to begin anew.
func TestNoUpdateLeavesDataBehindUnaware(t *testing.T) {
	inProject(t)
	for _, c := range volumeChanges {
		for combination := range 1 << 4 {
			is := func(bit int) bool { return combination&(1<<bit) != 0 }
			retained, retain, made, gone := is(0), is(1), is(2), is(3)
			t.Run(fmt.Sprintf("%s, retained %v then %v, made %v, gone %v", c.name, retained, retain, made, gone), func(t *testing.T) {
				cfg := stack(t, "dev", func(cfg *config.Config) {
					cfg.Volumes.Retain = retain
					c.change(cfg)
				})
				docker := &fakeEngine{}
				if !gone {
					docker.volumes = []engine.Volume{{Name: "tarot_db_data", Driver: "local"}, {Name: "p", Driver: "local"}}
				}
				if made && c.wants != nil {
					docker.volumes = append(slices.DeleteFunc(docker.volumes, func(v engine.Volume) bool { return v.Name == c.wants.Name }), *c.wants)
				}
				before := map[string]state.Volume{"storage-data": {Name: "tarot_db_data", Driver: "local", Retained: retained}, "monitoring-prometheus": {Name: "p", Driver: "local", Retained: retained}}
				r := deploy(cfg, &recorder{before: before}, docker)
				refused := r.err != nil && c.key != "" && strings.Contains(r.err.Error(), c.key)
				if want := c.key != "" && !made && !gone; refused != want || r.err != nil && !refused {
					t.Fatalf("refused %v, want %v: %v", refused, want, r.err)
				}
				if refused {
					if len(r.find("Volume"))+len(r.find("Container")) > 0 {
						t.Error("something was declared")
					}
					return
				}
				for resource, had := range before {
					if retained {
						continue // Pulumi leaves it alone, whatever the program says
					}
					if !r.has("Volume " + resource) {
						t.Errorf("Pulumi would remove %s", resource)
						continue
					}
					v := r.get(t, "Volume", resource)
					if kept := slices.Contains(v.RPC.GetIgnoreChanges(), "name") && slices.Contains(v.RPC.GetIgnoreChanges(), "driver"); !kept && (v.at("name") != had.Name || v.at("driver") != had.Driver) {
						t.Errorf("Pulumi would replace %s", resource)
					}
				}
			})
		}
	}
}

func TestWhatIsRefusedSaysTheWayOn(t *testing.T) {
	inProject(t)
	local := func(names ...string) (all []engine.Volume) {
		for _, n := range names {
			all = append(all, engine.Volume{Name: n, Driver: "local"})
		}
		return all
	}
	had := func(resource, name string) map[string]state.Volume {
		return map[string]state.Volume{resource: {Name: name, Driver: "local", Retained: true}}
	}
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		had    map[string]state.Volume
		there  []engine.Volume
		want   string
	}{
		{"a name", func(c *config.Config) { c.Volumes.Data = "new" }, had("storage-data", "tarot_db_data"), local("tarot_db_data"),
			`tarot:volumes.data: "new" would leave behind what is in the volume tarot_db_data; allowed: tarot_db_data; or first ` +
				"`make volume-copy STACK=test FROM=tarot_db_data TO=new`, which brings it along, or `docker volume create new`, to begin empty"},
		{"a name and a driver", func(c *config.Config) { c.Volumes.Data, c.Volumes.Driver = "new", "other" }, had("storage-data", "tarot_db_data"), local("tarot_db_data"),
			"`docker volume create --driver other new`"},
		{"a driver", func(c *config.Config) { c.Volumes.Driver = "other" }, nil, local("tarot_db_data"),
			`tarot:volumes.driver: "other" is not that of the volume tarot_db_data, and a volume keeps its driver; allowed: local; or a new volume: another name in tarot:volumes.data, to which`},
		{"a driver, where the name follows from the stack's", func(c *config.Config) { c.Volumes.Driver, c.Volumes.Data = "other", "fresh"; watched(c) }, nil, local("tarot-test-prometheus"),
			"`docker volume rm tarot-test-prometheus`, which takes away what is in it"},
		{"a further volume", func(c *config.Config) { c.Backend.Volumes = map[string]string{"media": "new:/srv/media"} }, had("storage-media", "old"), local("old"),
			`tarot:backend.volumes.media: "new" would leave behind what is in the volume old; allowed: old; or first`},
		{"the stack", watched, had("monitoring-prometheus", "tarot-prod-prometheus"), local("tarot-prod-prometheus"),
			`the name "tarot-test" of the stack would leave behind what is in the volume tarot-prod-prometheus; allowed: tarot-prod; or first ` +
				"`make volume-copy STACK=test FROM=tarot-prod-prometheus TO=tarot-test-prometheus`"},
		{"SQLite on another machine", func(*config.Config) {}, nil, []engine.Volume{{Name: "tarot_db_data", Driver: "local", Options: map[string]string{"type": "nfs", "o": "addr=10.0.0.9"}}},
			`tarot:volumes.data: "tarot_db_data" is on another machine (type=nfs), where SQLite's locks and shared memory do not hold: /app/data/prod.db would be corrupted sooner or later; allowed: a volume on a disk`},
		{"another database on another machine", func(c *config.Config) { c.Backend.DatabaseURL, c.Backend.Migrate = "", nil }, nil,
			[]engine.Volume{{Name: "tarot_db_data", Driver: "local", Options: map[string]string{"type": "nfs"}}}, ""},
		{"static files on another machine", func(*config.Config) {}, nil, []engine.Volume{{Name: "tarot_static_data", Driver: "local", Options: map[string]string{"type": "nfs"}}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := deploy(stack(t, "prod", test.change), &recorder{before: test.had}, &fakeEngine{volumes: test.there})
			if test.want == "" && r.err != nil || test.want != "" && (r.err == nil || !strings.Contains(r.err.Error(), test.want)) {
				t.Errorf("%v\nwant %s", r.err, test.want)
			}
		})
	}
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{failures: map[string]error{"volume": errors.New("no answer")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "no answer") {
		t.Errorf("what can't be asked is not there: %v", r.err)
	}
}

// Another key is another volume, although nothing but a word may have been changed.
func TestAVolumeThatBeginsEmptyBesideOneThatIsLeftIsToldOf(t *testing.T) {
	inProject(t)
	before := map[string]state.Volume{"storage-uploads": {Name: "tarot-test-volume-uploads", Driver: "local", Retained: true}}
	there := []engine.Volume{{Name: "tarot-test-volume-uploads", Driver: "local"}}
	media := func(c *config.Config) { c.Backend.Volumes = map[string]string{"media": "/app/media"} }
	known := []string{"data", "static", "logs"}
	for _, k := range known {
		before["storage-"+k] = state.Volume{Name: map[string]string{"data": "tarot_db_data", "static": "tarot_static_data", "logs": "tarot_logs"}[k], Driver: "local", Retained: true}
	}
	const want = "the volume tarot-test-volume-media begins empty, and tarot-test-volume-uploads is used no more: where that is to have another name only, " +
		"first `make volume-copy STACK=test FROM=tarot-test-volume-uploads TO=tarot-test-volume-media`"
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		there  []engine.Volume
		want   bool
	}{
		{"another key", media, there, true},
		{"the copy is made", media, append(slices.Clone(there), engine.Volume{Name: "tarot-test-volume-media", Driver: "local"}), false},
		{"it is gone", media, nil, false},
		{"no other", func(*config.Config) {}, there, false},
		{"both", func(c *config.Config) {
			c.Backend.Volumes = map[string]string{"media": "/app/media", "uploads": "/app/uploads"}
		}, there, false},
	} {
		r := deploy(stack(t, "prod", test.change), &recorder{before: before}, &fakeEngine{volumes: test.there})
		if r.err != nil || slices.Contains(r.warnings.texts, want) != test.want {
			t.Errorf("%s: %v, %q", test.name, r.err, r.warnings.texts)
		}
	}
}

func TestUploadsHaveAPlaceOfTheirOwn(t *testing.T) {
	inProject(t)
	uploads := func(c *config.Config) { c.Volumes.Uploads = "shop_uploads" }
	for _, name := range []string{"prod", "prod as containers"} {
		r := succeed(t, stack(t, name, uploads), up)
		if v := r.get(t, "Volume", "storage-uploads"); v.at("name") != "shop_uploads" || !v.RPC.GetRetainOnDelete() {
			t.Errorf("%s: %v", name, v.In)
		}
		if !slices.ContainsFunc(r.engine.written, func(s string) bool { return strings.HasPrefix(s, "backend ") && strings.HasSuffix(s, " /app/uploads") }) {
			t.Errorf("%s: nobody has tried to write: %q", name, r.engine.written)
		}
		for _, u := range r.units() {
			has := slices.ContainsFunc(u.mounts, func(m any) bool { return at(m, "source") == "shop_uploads" && at(m, "target") == "/app/uploads" })
			switch w := u.labels["tarot.workload"]; w {
			case "backend", "candidate", "migrate":
				if !has {
					t.Errorf("%s: %s has none", name, u.name)
				}
			default: // no release publishes there, and nginx serves nothing of it
				if has {
					t.Errorf("%s: %s has users' files", name, u.name)
				}
			}
		}
		if env := serviceOf(t, stack(t, name, uploads), "backend").Environment["UPLOADS_DIR"]; env != "/app/uploads" {
			t.Errorf("UPLOADS_DIR is %q", env)
		}
		if env, there := serviceOf(t, stack(t, name), "backend").Environment["UPLOADS_DIR"]; there {
			t.Errorf("without a volume UPLOADS_DIR is %q", env)
		}
	}
	moved := func(c *config.Config) { uploads(c); c.Backend.WorkingDir = "/code" }
	if env := serviceOf(t, stack(t, "prod", moved), "backend").Environment["UPLOADS_DIR"]; env != "/code/uploads" {
		t.Errorf("UPLOADS_DIR is %q", env)
	}
}
