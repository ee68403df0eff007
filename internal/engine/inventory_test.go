package engine

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const imageID = "sha256:0123456789abcdef0123456789abcdef"

func TestWhatAnImageIsMadeOfIsKept(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api}
	document := []byte(strings.Repeat(`{"bomFormat":"CycloneDX"}`, 1000))
	if _, there, err := e.Inventory(t.Context(), "tarot-prod", imageID); there || err != nil {
		t.Fatalf("%v, %v", there, err)
	}
	if err := e.KeepInventory(t.Context(), "tarot-prod", one, imageID, document); err != nil {
		t.Fatal(err)
	}
	got, there, err := e.Inventory(t.Context(), "tarot-prod", imageID)
	if err != nil || !there || !bytes.Equal(got, document) {
		t.Errorf("%d bytes, %v, %v", len(got), there, err)
	}
	if len(api.volumes[0].Labels[inventoryData]) > len(document)/10 {
		t.Error("it is kept as it is")
	}
	if _, there, _ := e.Inventory(t.Context(), "tarot-dev", imageID); there {
		t.Error("another stack's is this one's")
	}
	api.volumes[0].Labels[inventoryData] = "?"
	if _, _, err := e.Inventory(t.Context(), "tarot-prod", imageID); err == nil {
		t.Error("one that can't be read is none")
	}
}

func TestAScanTakesThePlaceOfTheLast(t *testing.T) {
	e := &Engine{api: &fakeAPI{}}
	for _, result := range []string{`{"outcome":"clean"}`, `{"outcome":"found"}`} {
		if err := e.KeepScan(t.Context(), "tarot-prod", one, imageID, []byte(result)); err != nil {
			t.Fatal(err)
		}
		if got, there, err := e.Scanned(t.Context(), "tarot-prod", imageID); string(got) != result || !there || err != nil {
			t.Errorf("%s, %v, %v", got, there, err)
		}
	}
	if _, there, err := e.Scanned(t.Context(), "tarot-prod", "sha256:ff"); there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
}

// They go with the records of their images, and no other stack's do.
func TestInventoriesGoWithTheReleases(t *testing.T) {
	api := &fakeAPI{volumes: recorded()}
	e := &Engine{api: api}
	for prefix, images := range map[string][]string{"tarot-prod": {one, two, "app:00000000000000cc"}, "tarot-dev": {"app:00000000000000dd"}} {
		for i, image := range images {
			id := "sha256:" + strings.Repeat(string(rune('a'+i)), 32)
			if err := e.KeepInventory(t.Context(), prefix, image, id, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			if err := e.KeepScan(t.Context(), prefix, image, id, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
	}
	api.done = nil
	if err := e.pruneInventories(t.Context(), "tarot-prod"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(api.done)
	if want := []string{"remove tarot-prod-sbom-cccccccccccccccc", "remove tarot-prod-scan-cccccccccccccccc"}; !slices.Equal(api.done, want) {
		t.Errorf("%v, want %v", api.done, want)
	}
}

// filesAPI has an image with files in it.
type filesAPI struct{ fakeAPI }

func (f *filesAPI) ContainerCreate(_ context.Context, c *container.Config, _ *container.HostConfig, _ *network.NetworkingConfig, _ *ocispec.Platform, _ string) (container.CreateResponse, error) {
	f.done = append(f.done, "create of "+c.Image)
	return container.CreateResponse{ID: "helper"}, nil
}

func (f *filesAPI) ContainerExport(_ context.Context, id string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("files of " + id)), nil
}

func TestAnImageIsReadWithoutBeingStarted(t *testing.T) {
	api := &filesAPI{}
	var got []byte
	err := (&Engine{api: api}).Files(t.Context(), "tarot-prod", one, func(r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	if err != nil || string(got) != "files of helper" {
		t.Fatalf("%s, %v", got, err)
	}
	if want := []string{"create of " + one, "remove helper"}; !slices.Equal(api.done, want) {
		t.Errorf("%v, want %v", api.done, want)
	}
}
