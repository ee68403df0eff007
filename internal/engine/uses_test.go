package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/config"
)

// ofDev are the uses of a dev stack of the sample, with changes to the one of its data.
func ofDev(changes ...func(*Use)) []Use {
	cfg := config.Defaults()
	cfg.Backend.DatabaseURL, cfg.Volumes.Logs = "sqlite:///./data/dev.db", ""
	uses := Uses(cfg, config.Application{Name: "tarot"}, "tarot-dev", "tarot")
	for _, change := range changes {
		for i := range uses {
			change(&uses[i])
		}
	}
	return uses
}

func TestUses(t *testing.T) {
	got := ofDev()
	want := []Use{
		{"tarot_db_data", "data", "tarot-dev", "tarot", "tarot", "folder app", "/app/data/dev.db"},
		{"tarot_static_data", "static", "tarot-dev", "tarot", "tarot", "folder app", "/app/data/dev.db"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for image, want := range map[string]string{"shop:1.2": "shop", "registry:5000/shop": "registry:5000/shop", "a/b:1@sha256:00": "a/b", "a@sha256:00": "a"} {
		cfg := config.Defaults()
		cfg.Backend.Image = image
		if got := Uses(cfg, config.Application{}, "p", "p")[0].Place; got != "image "+want {
			t.Errorf("%s: %s", image, got)
		}
	}
}

func named(names ...string) (all []*volume.Volume) {
	for _, n := range names {
		all = append(all, &volume.Volume{Name: n})
	}
	return all
}

func mounts(stack, workload, volume, target string) container.Summary {
	return container.Summary{ID: "0123456789abcdef", Names: []string{"/" + stack}, Labels: map[string]string{StackLabel: stack, WorkloadLabel: workload},
		Mounts: []container.MountPoint{{Type: mount.TypeVolume, Name: volume, Destination: target}}}
}

func TestVolumesOfOthersAreRefused(t *testing.T) {
	marked := func(u Use) *volume.Volume { return &volume.Volume{Name: u.mark(), Labels: u.labels()} }
	of := func(stack, project, volume, kind, database string) *volume.Volume {
		return marked(Use{volume, kind, stack, project, "tarot", "folder app", database})
	}
	there := []network.Summary{{Name: "tarot-prod-edge", Labels: map[string]string{StackLabel: "tarot-prod"}}, {Name: "shop-prod-edge", Labels: map[string]string{StackLabel: "shop-prod"}}}
	const static, data = `tarot:volumes.static: "tarot_static_data" is used by the stack `, `tarot:volumes.data: "tarot_db_data" is used by the stack `
	for _, test := range []struct {
		name    string
		change  func(*Engine, *fakeAPI)
		want    []string
		warning string
	}{
		{"nothing is known", func(*Engine, *fakeAPI) {}, nil, ""},
		{"its own", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("tarot-dev", "backend", "tarot_static_data", "/app/static")}
			f.volumes = append(f.volumes, of("tarot-dev", "tarot", "tarot_static_data", "static", ""))
		}, nil, ""},
		{"somebody's container", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("", "", "tarot_static_data", "/x")}
		}, nil, ""},
		{"static files that a container of another stack has", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("tarot-prod", "nginx", "tarot_static_data", "/srv/static")}
		}, []string{static + "tarot-prod"}, ""},
		{"static files that a service of another stack has", func(e *Engine, f *fakeAPI) {
			e.Info.Swarm.ControlAvailable = true
			s := swarm.Service{}
			s.Spec.Labels = map[string]string{StackLabel: "tarot-prod"}
			s.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Labels: map[string]string{StackLabel: "tarot-prod", WorkloadLabel: "backend"},
				Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "tarot_static_data", Target: "/app/static"}}}
			f.services = []swarm.Service{s}
		}, []string{static + "tarot-prod"}, ""},
		{"static files of a stack that does not run", func(_ *Engine, f *fakeAPI) {
			f.networks = there
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_static_data", "static", ""))
		}, []string{static + "tarot-prod"}, ""},
		{"static files of a stack that is gone", func(_ *Engine, f *fakeAPI) {
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_static_data", "static", ""))
		}, nil, ""},
		{"data of another stack of the project, in another file", func(_ *Engine, f *fakeAPI) {
			f.networks = there
			f.containers = []container.Summary{mounts("tarot-prod", "migrate", "tarot_db_data", "/app/data"), mounts("tarot-prod", "backend", "tarot_db_data", "/app/data")}
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_db_data", "data", "/app/data/prod.db"))
		}, nil, ""},
		{"the same, without a mark", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("tarot-prod", "migrate", "tarot_db_data", "/app/data")}
		}, nil, ""},
		{"in the same file", func(_ *Engine, f *fakeAPI) {
			f.networks = there
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_db_data", "data", "/app/data/dev.db"))
		}, []string{data + "tarot-prod, which has its database in the same file, /app/data/dev.db: each would migrate and write it unaware of the other; allowed: another file"}, ""},
		{"in the same file, which another working folder has", func(_ *Engine, f *fakeAPI) {
			f.networks = there
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_db_data", "data", "/code/data/dev.db"))
		}, []string{data + "tarot-prod, which has its database in the same file"}, ""},
		{"in a file of the same name in another folder", func(_ *Engine, f *fakeAPI) {
			f.networks = there
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_db_data", "data", "/app/data/other/dev.db"))
		}, nil, ""},
		{"in the same file, of a stack that is gone", func(_ *Engine, f *fakeAPI) {
			f.volumes = append(f.volumes, of("tarot-prod", "tarot", "tarot_db_data", "data", "/app/data/dev.db"))
		}, nil, ""},
		{"data of another project", func(_ *Engine, f *fakeAPI) {
			f.networks = there
			f.volumes = append(f.volumes, of("shop-prod", "shop", "tarot_db_data", "data", "/app/data/prod.db"))
		}, []string{data + "shop-prod, which is another project's"}, ""},
		{"data of another project, without a mark", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("shop-prod", "backend", "tarot_db_data", "/app/data")}
		}, []string{data + "shop-prod, which is another project's"}, ""},
		{"static files as data", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("tarot-prod", "publish-static", "tarot_db_data", "/app/data")}
		}, []string{data + "tarot-prod"}, ""},
		{"names of another project's stack", func(_ *Engine, f *fakeAPI) {
			f.containers = []container.Summary{mounts("tarot-dev", "backend", "other", "/app/data")}
			f.volumes = append(f.volumes, of("tarot-dev", "ta", "other", "data", ""))
		}, []string{"a stack of the project ta has the same names as this one of the project tarot, as both begin with tarot-dev"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{volumes: named("tarot_db_data", "tarot_static_data")}
			e := &Engine{api: api, Info: system.Info{}}
			test.change(e, api)
			warnings, faults, err := e.CheckUses(t.Context(), ofDev())
			if err != nil || len(faults) != len(test.want) || (test.warning == "") != (len(warnings) == 0) || !strings.Contains(strings.Join(warnings, "\n"), test.warning) {
				t.Fatalf("%v, %q, %v", faults, warnings, err)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(faults[i].Error(), want) {
					t.Errorf("%v, want %s", faults[i], want)
				}
			}
		})
	}
	api := &fakeAPI{failure: errors.New("gone")}
	if _, _, err := (&Engine{api: api}).CheckUses(t.Context(), ofDev()); err == nil {
		t.Error("what can't be asked is nothing")
	}
}

// A volume knows whose data it holds.
func TestAnotherApplicationIsToldOfTheDataThatAreThere(t *testing.T) {
	as := func(name, place string) func(*Use) {
		return func(u *Use) { u.Application, u.Place = name, place }
	}
	const refused, warned, fine = "refused", "warned", "fine"
	for _, test := range []struct {
		had, has [2]string
		want     string
	}{
		{[2]string{"tarot", "folder app"}, [2]string{"", "folder ../mine"}, refused}, // the sample first, then one's own
		{[2]string{"tarot", "folder app"}, [2]string{"", "folder app"}, refused},     // in its place
		{[2]string{"tarot", "folder app"}, [2]string{"shop", "folder app"}, refused},
		{[2]string{"tarot", "folder app"}, [2]string{"tarot", "folder ../moved"}, fine},
		{[2]string{"tarot", "folder app"}, [2]string{"tarot", "folder app"}, fine},
		{[2]string{"tarot", "folder app"}, [2]string{"", "image registry/tarot"}, warned}, // an image can't say
		{[2]string{"", "folder app"}, [2]string{"", "folder ../moved"}, warned},
		{[2]string{"", "folder app"}, [2]string{"shop", "folder app"}, fine}, // has been given a name
		{[2]string{"", "folder app"}, [2]string{"", "folder app"}, fine},
		{[2]string{"", ""}, [2]string{"", "folder app"}, fine},
		{[2]string{"tarot", "folder app"}, [2]string{"", ""}, fine}, // a release that is returned to
	} {
		api := &fakeAPI{volumes: named("tarot_db_data")}
		e := &Engine{api: api}
		if err := e.MarkUses(t.Context(), ofDev(as(test.had[0], test.had[1])), false); err != nil {
			t.Fatal(err)
		}
		warnings, faults, err := e.CheckUses(t.Context(), ofDev(as(test.has[0], test.has[1])))
		got := fine
		if len(warnings) > 0 {
			got = warned
		}
		if len(faults) > 0 {
			got = refused
		}
		if err != nil || got != test.want {
			t.Errorf("%v then %v: %s, want %s: %v %v %v", test.had, test.has, got, test.want, warnings, faults, err)
		}
		if got == refused && !strings.Contains(faults[0].Error(), "docker volume rm tarot-dev-uses-tarot_db_data") {
			t.Errorf("no way on: %v", faults)
		}
		// Another file of the same volume is nobody's business, and a volume that is gone
		// holds nothing.
		other := ofDev(as("other", "folder other"), func(u *Use) { u.Database = "/app/data/prod.db" })
		if warnings, faults, err := e.CheckUses(t.Context(), other); err != nil || len(warnings)+len(faults) > 0 {
			t.Errorf("another file: %v %v %v", warnings, faults, err)
		}
		api.volumes = slices.DeleteFunc(api.volumes, func(v *volume.Volume) bool { return v.Name == "tarot_db_data" })
		if warnings, faults, err := e.CheckUses(t.Context(), ofDev(as("other", "folder other"))); err != nil || len(warnings)+len(faults) > 0 {
			t.Errorf("a volume that is gone: %v %v %v", warnings, faults, err)
		}
	}
}

func TestMarksFollowWhatIsUsed(t *testing.T) {
	api := &fakeAPI{volumes: named("tarot_db_data", "tarot_static_data", "renamed")}
	e := &Engine{api: api}
	mark := func(claim bool, uses []Use, want ...string) {
		t.Helper()
		api.done = nil
		if err := e.MarkUses(t.Context(), uses, claim); err != nil || !slices.Equal(api.done, want) {
			t.Errorf("did %q, want %q; %v", api.done, want, err)
		}
	}
	const data, static = "tarot-dev-uses-tarot_db_data", "tarot-dev-uses-tarot_static_data"
	mark(true, ofDev(), "create "+data, "create "+static)
	mark(true, ofDev(func(u *Use) { u.Application = "other" }))
	mark(false, ofDev())
	mark(false, ofDev(func(u *Use) { u.Application = "other" }), "remove "+data, "create "+data, "remove "+static, "create "+static)
	// Renamed: the data are still there.
	renamed := ofDev(func(u *Use) { u.Application, u.Volume = "other", "renamed" })[:1]
	mark(true, renamed, "create tarot-dev-uses-renamed")
	api.done = nil
	if err := e.MarkUses(t.Context(), renamed, false); err != nil || len(api.done) != 3 {
		t.Errorf("did %q, %v", api.done, err)
	}
	if _, marks, _ := e.marks(t.Context()); len(marks) != 2 || marks[1].Kind != kindLeft || marks[1].mark() != data {
		t.Errorf("%+v", marks)
	}
	if _, faults, err := e.CheckUses(t.Context(), ofDev()); err != nil || len(faults) != 1 {
		t.Errorf("the data that were left are anybody's: %v, %v", faults, err)
	}
	api.volumes = slices.DeleteFunc(api.volumes, func(v *volume.Volume) bool { return v.Name == "tarot_db_data" })
	mark(false, renamed, "remove "+data)
}

// What users upload is theirs after the stack has forgotten it, and nobody else's meanwhile.
func TestFurtherVolumesAreMarked(t *testing.T) {
	cfg := config.Defaults()
	cfg.Backend.Volumes = map[string]string{"uploads": "/app/uploads", "shared": "files:/srv"}
	uses := Uses(cfg, config.Application{Name: "tarot"}, "tarot-dev", "tarot")
	api := &fakeAPI{volumes: named("tarot-dev-volume-uploads", "files")}
	e := &Engine{api: api}
	if err := e.MarkUses(t.Context(), uses, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"create tarot-dev-uses-tarot-dev-volume-uploads", "create tarot-dev-uses-files"} {
		if !slices.Contains(api.done, want) {
			t.Errorf("did %q", api.done)
		}
	}
	cfg.Backend.Volumes = nil
	if err := e.MarkUses(t.Context(), Uses(cfg, config.Application{Name: "tarot"}, "tarot-dev", "tarot"), false); err != nil {
		t.Fatal(err)
	}
	_, marks, _ := e.marks(t.Context())
	left := 0
	for _, m := range marks {
		if m.Kind == kindLeft && (m.Volume == "files" || m.Volume == "tarot-dev-volume-uploads") {
			left++
		}
	}
	if left != 2 {
		t.Errorf("%+v", marks)
	}
	api.containers = []container.Summary{mounts("shop-prod", "backend", "files", "/srv")}
	_, faults, err := e.CheckUses(t.Context(), uses)
	if err != nil || len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), `tarot:backend.volumes.shared: "files" is used by the stack shop-prod`) {
		t.Errorf("%v, %v", faults, err)
	}
}
