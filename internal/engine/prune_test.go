package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
)

// stored is an image of these names.
func stored(id string, tags ...string) image.InspectResponse {
	return image.InspectResponse{ID: "sha256:" + id, RepoTags: tags, Created: "2026-01-01T00:00:00Z"}
}

const retired = "tarot-prod-release-r1"

func TestRetain(t *testing.T) {
	service := func(current, previous string) swarm.Service {
		spec := func(reference string) swarm.ServiceSpec {
			return swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: reference}}}
		}
		was := spec(previous)
		return swarm.Service{Spec: spec(current), PreviousSpec: &was}
	}
	for _, test := range []struct {
		name    string
		current string
		keep    int
		change  func(f *fakeAPI)
		want    []string
	}{
		{"enough kept", "r3", 2, nil, nil},
		{"too many", "r3", 1, nil, []string{one, retired}},
		{"the current one is the oldest", "r1", 1, nil, []string{two, "tarot-prod-release-r2"}},
		{"its image is gone already", "r3", 1, func(f *fakeAPI) { f.stored = f.stored[1:] }, []string{retired}},
		{"another stack has recorded it", "r3", 1, func(f *fakeAPI) {
			f.volumes = append(f.volumes, record("tarot-dev", "r8", one, "2026-01-01T00:00:00Z"))
		}, []string{retired}},
		{"another stack deploys it", "r3", 1, func(f *fakeAPI) {
			f.volumes = append(f.volumes, &volume.Volume{Name: "tarot-dev-claim", CreatedAt: time.Now().Format(time.RFC3339), Labels: map[string]string{claimLabel: one}})
		}, nil},
		{"another stack wanted to deploy it a week ago", "r3", 1, func(f *fakeAPI) {
			f.volumes = append(f.volumes, &volume.Volume{Name: "tarot-dev-claim", CreatedAt: "2026-01-01T00:00:00Z", Labels: map[string]string{claimLabel: one}})
		}, []string{one, retired}},
		{"a container that has ended is of it", "r3", 1, func(f *fakeAPI) {
			f.containers = []container.Summary{{Image: one, ImageID: "sha256:1"}}
		}, nil},
		{"a container knows it by its ID alone", "r3", 1, func(f *fakeAPI) {
			f.containers = []container.Summary{{Image: "sha256:1", ImageID: "sha256:1"}}
		}, nil},
		{"a container runs it by another name", "r3", 1, func(f *fakeAPI) {
			f.stored[0].RepoTags = append(f.stored[0].RepoTags, "theirs:latest")
			f.containers = []container.Summary{{Image: "theirs:latest", ImageID: "sha256:1"}}
		}, []string{one, retired}},
		{"the release that runs has the same image by another tag", "r3", 1, func(f *fakeAPI) {
			f.stored = []image.InspectResponse{stored("1", one, three), stored("2", two)}
			f.containers = []container.Summary{{Image: three, ImageID: "sha256:1"}}
		}, []string{one, retired}},
		{"a service without tasks is of it", "r3", 1, func(f *fakeAPI) { f.services = []swarm.Service{service(one+"@sha256:"+strings.Repeat("a", 64), two)} }, nil},
		{"a service would roll back to it", "r3", 1, func(f *fakeAPI) { f.services = []swarm.Service{service(two, one)} }, nil},
		{"a service knows it by its ID", "r3", 1, func(f *fakeAPI) { f.services = []swarm.Service{service("sha256:1", two)} }, nil},
		{"it was tagged lately", "r3", 1, func(f *fakeAPI) { f.stored[0].Metadata.LastTagTime = time.Now() }, nil},
		{"it is of another project", "r3", 1, func(f *fakeAPI) {
			f.volumes[0] = record("tarot-prod", "r1", "theirs:0000000000000001", "2026-01-01T00:00:00Z")
			f.stored[0].RepoTags = []string{"theirs:0000000000000001"}
		}, []string{retired}},
		{"it was not built here", "r3", 1, func(f *fakeAPI) {
			f.volumes[0] = record("tarot-prod", "r1", "app:1.2", "2026-01-01T00:00:00Z")
			f.stored[0].RepoTags = []string{"app:1.2"}
		}, []string{retired}},
		{"a service's image goes with it", "r3", 1, func(f *fakeAPI) { withService(f, "tarot-worker:00000000000000b1") }, []string{one, "tarot-worker:00000000000000b1", retired}},
		{"a release that stays has the same service", "r3", 1, func(f *fakeAPI) {
			withService(f, "tarot-worker:00000000000000b1")
			f.volumes[2].Labels[ImagesLabel] = f.volumes[0].Labels[ImagesLabel]
		}, []string{one, retired}},
		{"a service's image is used", "r3", 1, func(f *fakeAPI) {
			withService(f, "tarot-worker:00000000000000b1")
			f.containers = []container.Summary{{Image: "tarot-worker:00000000000000b1", ImageID: "sha256:b1"}}
		}, nil},
		{"a service's image was not built here", "r3", 1, func(f *fakeAPI) { withService(f, "search:1") }, []string{one, retired}},
		{"a service's image is another project's", "r3", 1, func(f *fakeAPI) { withService(f, "theirs-worker:00000000000000b1") }, []string{one, retired}},
		{"a container of this moment is of it", "r3", 1, func(f *fakeAPI) { f.inUse = one }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{volumes: recorded(), stored: []image.InspectResponse{stored("1", one), stored("2", two), stored("3", three),
				stored("f", other), stored("a", "app:00000000000000aa"), stored("b", "app:mine")}}
			if test.change != nil {
				test.change(api)
			}
			e := &Engine{api: api}
			e.Info.Swarm.ControlAvailable = true
			removed, err := e.PruneReleases(t.Context(), Prune{Prefix: "tarot-prod", Current: test.current, Repository: "app", Project: "tarot", Keep: test.keep, Young: time.Hour})
			var got []string
			for _, done := range removals(api.done) {
				got = append(got, strings.TrimPrefix(done, "remove "))
			}
			if err != nil || !slices.Equal(got, append(slices.Clone(test.want), lockName)) || len(removed) != len(test.want) {
				t.Errorf("removed %v, want %v; says %v, %v", got, test.want, removed, err)
			}
		})
	}
}

// withService gives the oldest release a service with an image of its own.
func withService(f *fakeAPI, image string) {
	f.volumes[0].Labels[ImagesLabel] = `{"worker":"` + image + `"}`
	f.stored = append(f.stored, stored("b1", image))
}

// Two tags of one image that is used by its ID: the last one stays.
func TestTheLastTagOfAUsedImageStays(t *testing.T) {
	api := &fakeAPI{volumes: recorded(), stored: []image.InspectResponse{stored("1", one, two), stored("3", three)},
		containers: []container.Summary{{Image: "sha256:1", ImageID: "sha256:1"}}}
	api.volumes = append(api.volumes, record("tarot-prod", "r4", three, "2026-01-04T00:00:00Z"))
	if _, err := (&Engine{api: api}).PruneReleases(t.Context(), Prune{Prefix: "tarot-prod", Current: "r4", Repository: "app", Keep: 1}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"remove " + two, "remove tarot-prod-release-r2", "remove " + lockName}; !slices.Equal(removals(api.done), want) {
		t.Errorf("%v, want %v", api.done, want)
	}
}

// What can not be asked is not taken for unused.
func TestNothingIsRemovedWithoutAnAnswer(t *testing.T) {
	api := &fakeAPI{volumes: recorded(), stored: []image.InspectResponse{stored("1", one)}, failure: errNoAnswer}
	if removed, err := (&Engine{api: api}).PruneReleases(t.Context(), Prune{Prefix: "tarot-prod", Current: "r3", Repository: "app", Keep: 1}); err == nil || len(removed) > 0 {
		t.Errorf("%v, %v", removed, err)
	}
}

// A tool is of no release: what nobody has a use for is of none.
func TestEarlierToolsGo(t *testing.T) {
	const now, earlier, used, young, theirs = "tarot-scheduler:00000000000000c1", "tarot-scheduler:00000000000000c2", "tarot-scheduler:00000000000000c3",
		"tarot-scheduler:00000000000000c4", "tarot-scheduler:mine"
	lately := stored("c4", young)
	lately.Metadata.LastTagTime = time.Now()
	for name, test := range map[string]struct {
		tools, inUse, want []string
	}{
		"the current one stays":   {[]string{"tarot-scheduler"}, []string{now}, []string{earlier}},
		"nothing is scheduled":    {[]string{"tarot-scheduler"}, nil, []string{now, earlier}},
		"there are no such tools": {nil, nil, nil},
	} {
		api := &fakeAPI{volumes: recorded(), stored: []image.InspectResponse{stored("1", one), stored("2", two), stored("3", three),
			stored("c1", now), stored("c2", earlier, theirs, "other-scheduler:00000000000000c2"), stored("c3", used), lately},
			containers: []container.Summary{{Image: used, ImageID: "sha256:c3"}}}
		removed, err := (&Engine{api: api}).PruneReleases(t.Context(), Prune{Prefix: "tarot-prod", Current: "r3", Repository: "app", Project: "tarot", Keep: 2, Young: time.Hour, Tools: test.tools, InUse: test.inUse})
		var want []string
		for _, image := range test.want {
			want = append(want, "remove "+image)
		}
		if got := removals(api.done); err != nil || !slices.Equal(got, append(want, "remove "+lockName)) || len(removed) != len(test.want) {
			t.Errorf("%s: %v, %v, says %v", name, got, err, removed)
		}
	}
}
