package engine

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/release"
)

func record(prefix, name, image, created string) *volume.Volume {
	return &volume.Volume{Name: prefix + "-release-" + name, CreatedAt: created, Labels: map[string]string{
		StackLabel: prefix, ReleaseLabel: name, ImageLabel: image, ConfigurationLabel: `{"tarot:runtime":"swarm"}`}}
}

const (
	one, two, three = "app:0000000000000001", "app:0000000000000002", "app:0000000000000003"
	other           = "app:00000000000000ff"
)

func recorded() []*volume.Volume {
	return []*volume.Volume{
		record("tarot-prod", "r1", one, "2026-01-01T00:00:00Z"),
		record("tarot-prod", "r3", three, "2026-01-03T00:00:00+01:00"),
		record("tarot-prod", "r2", two, "2026-01-02T00:00:00Z"),
		record("tarot-dev", "r9", other, "2020-01-01T00:00:00Z"),
		{Name: "somebody's"},
	}
}

func TestReleasesAreTheStacksTheNewestFirst(t *testing.T) {
	found, err := (&Engine{api: &fakeAPI{volumes: recorded()}}).Releases(t.Context(), "tarot-prod")
	var names []string
	for _, r := range found {
		names = append(names, r.Name)
	}
	if err != nil || !slices.Equal(names, []string{"r3", "r2", "r1"}) || found[0].Image != three || found[0].Configuration["tarot:runtime"] != "swarm" {
		t.Errorf("%+v, %v", found, err)
	}
	bad := record("tarot-prod", "r1", one, "2026-01-01T00:00:00Z")
	bad.Labels[ConfigurationLabel] = "{"
	if _, err := (&Engine{api: &fakeAPI{volumes: []*volume.Volume{bad}}}).Releases(t.Context(), "tarot-prod"); err == nil {
		t.Error("a record that can not be read is none")
	}
}

// again is a later record of a release that has one.
func again(v *volume.Volume, sequence int, before string) *volume.Volume {
	v.Name = RecordName(v.Labels[StackLabel], v.Labels[ReleaseLabel], sequence)
	v.Labels[SequenceLabel], v.Labels[BeforeLabel] = strconv.Itoa(sequence), before
	return v
}

func TestAReleaseThatRanAgainIsTheLatest(t *testing.T) {
	api := &fakeAPI{volumes: append(recorded(), again(record("tarot-prod", "r1", one, "2025-01-01T00:00:00Z"), 1, "r3"),
		again(record("tarot-dev", "r1", one, "2026-01-01T00:00:00Z"), 2, ""))}
	e := &Engine{api: api}
	found, err := e.Releases(t.Context(), "tarot-prod")
	var names []string
	for _, r := range found {
		names = append(names, r.Name)
	}
	if err != nil || !slices.Equal(names, []string{"r1", "r3", "r2"}) || found[0].Sequence != 1 || found[0].Before != "r3" || found[0].Record != "tarot-prod-release-r1-1" {
		t.Errorf("%+v, %v", found, err)
	}
	if all, err := e.Releases(t.Context(), ""); err != nil || len(all) != 5 {
		t.Errorf("of all stacks: %+v, %v", all, err)
	}
	// Its earlier record has served its time.
	keep := Prune{Prefix: "tarot-prod", Current: "r1", Repository: "app", Keep: 2}
	if _, err := e.PruneReleases(t.Context(), keep); err != nil || !slices.Equal(removals(api.done), []string{"remove tarot-prod-release-r1", "remove " + lockName}) {
		t.Errorf("%v, %v", api.done, err)
	}
	bad := record("tarot-prod", "r1", one, "2026-01-01T00:00:00Z")
	bad.Labels[SequenceLabel] = "first"
	if _, err := (&Engine{api: &fakeAPI{volumes: []*volume.Volume{bad}}}).Releases(t.Context(), "tarot-prod"); err == nil {
		t.Error("a sequence that is no number")
	}
}

func TestAReleaseWhoseImageIsGoneCanNotBeReturnedTo(t *testing.T) {
	e := &Engine{api: &fakeAPI{images: map[string]image.InspectResponse{one: {}}}}
	for reference, want := range map[string]string{one: "", "registry.example/app:2": "", two: "its image " + two + " was removed"} {
		err := e.CheckRelease(t.Context(), release.Release{Name: "r1", Image: reference, Complete: true})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reference, err)
		}
	}
}

// What was read is what was written; what older programs have written can be read, too.
func TestARecordSaysAllOfARelease(t *testing.T) {
	r := release.New("app:1", map[string]string{"worker": "tarot-worker:1"}, map[string]string{"tarot:backend": "{}"}, []string{"API_KEY"}, "tarot")
	r.ImageID, r.Application, r.Before, r.PinnedBy, r.Unfinished, r.Sequence, r.Stack = "sha256:1", "{}", "r0", "ann@example", true, 3, "tarot-prod"
	labels, err := RecordLabels(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(&volume.Volume{Name: "it", CreatedAt: "2026-01-01T00:00:00Z", Labels: labels})
	r.Record, r.Labels, r.Created = "it", labels, got.Created
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, want %+v; %v", got, r, err)
	}
	for _, name := range []string{ImageIDLabel, SecretsLabel, PinnedLabel, UnfinishedLabel} {
		delete(labels, name)
	}
	labels[ConfigurationLabel] = `{"tarot:backend":"{\"secrets\":[\"OLD_KEY\"]}"}`
	if got, err := readRecord(&volume.Volume{CreatedAt: "2026-01-01T00:00:00Z", Labels: labels}); err != nil || got.Complete || !slices.Equal(got.Secrets, []string{"OLD_KEY"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAReleaseNeedsTheImagesOfItsServices(t *testing.T) {
	e := &Engine{api: &fakeAPI{images: map[string]image.InspectResponse{one: {}}}}
	r := release.Release{Name: "r1", Image: one, Complete: true, Images: map[string]string{"search": "search:1", "worker": "tarot-worker:00000000000000b1"}}
	if err := e.CheckRelease(t.Context(), r); err == nil || !strings.Contains(err.Error(), "its image tarot-worker:00000000000000b1 was removed") {
		t.Error(err)
	}
	delete(r.Images, "worker")
	if err := e.CheckRelease(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestAReleaseWhoseRecordLostItsConfigurationCanNotBeReturnedTo(t *testing.T) {
	e := &Engine{api: &fakeAPI{images: map[string]image.InspectResponse{one: {}}}}
	lost := release.Release{Name: "r1", Image: one, Configuration: map[string]string{"tarot:runtime": "swarm"}}
	if err := e.CheckRelease(t.Context(), lost); err == nil || !strings.Contains(err.Error(), "says nothing of tarot:backend") {
		t.Error(err)
	}
	lost.Complete = true // all keys had their default values
	if err := e.CheckRelease(t.Context(), lost); err != nil {
		t.Error(err)
	}
}
