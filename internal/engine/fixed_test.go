package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/opencontainers/go-digest"
)

// anyRegistry says what it is given.
type anyRegistry struct {
	*fakeAPI
	digest digest.Digest
	err    error
}

func (a anyRegistry) DistributionInspect(context.Context, string, string) (registry.DistributionInspect, error) {
	var found registry.DistributionInspect
	found.Descriptor.Digest = a.digest
	return found, a.err
}

func TestATagIsFixedToWhatItMeans(t *testing.T) {
	old, moved := digest.FromString("old"), digest.FromString("new")
	built := image.InspectResponse{ID: "sha256:0123456789abcdef0123"}
	pulled := image.InspectResponse{ID: "sha256:01", RepoDigests: []string{"other/app@" + string(moved), "registry.example/app@" + string(old)}}
	for _, test := range []struct {
		name, image string
		found       image.InspectResponse
		digest      digest.Digest
		err         error
		want        string
		tag         bool
		warning     string
	}{
		{"ours", one, built, "", nil, one, false, ""},
		{"a digest", "app@" + string(old), built, "", nil, "app@" + string(old), false, ""},
		{"built here", "app:latest", built, "", errNoAnswer, "tarot-backend:0123456789abcdef", true, ""},
		{"built here, without a tag", "app", built, "", errNoAnswer, "tarot-backend:0123456789abcdef", true, ""},
		{"built here, where the engine gives every image a digest", "app:latest", image.InspectResponse{ID: built.ID, RepoDigests: []string{"app@" + string(old)}}, moved, nil, "tarot-backend:0123456789abcdef", true, ""},
		{"as the registry has it", "registry.example/app:1", pulled, old, nil, "registry.example/app@" + string(old), false, ""},
		{"pushed anew", "registry.example/app:1", pulled, moved, nil, "registry.example/app@" + string(moved), false, ""},
		{"no answer", "registry.example/app:1", pulled, "", errNoAnswer, "registry.example/app@" + string(old), false, "did not say"},
		{"not here yet", "registry.example/app:2", image.InspectResponse{}, moved, nil, "registry.example/app@" + string(moved), false, ""},
		{"not here, and no answer", "registry.example/app:2", image.InspectResponse{}, "", errNoAnswer, "registry.example/app:2", false, "did not say"},
	} {
		api := anyRegistry{&fakeAPI{images: map[string]image.InspectResponse{}}, test.digest, test.err}
		if test.found.ID != "" {
			api.images[test.image] = test.found
		}
		got, err := (&Engine{api: api}).Fix(t.Context(), test.image, "tarot-backend")
		if err != nil || got.Name != test.want || got.Tag != test.tag || (got.Warning == "") != (test.warning == "") || !strings.Contains(got.Warning, test.warning) {
			t.Errorf("%s: %+v, %v; want %s", test.name, got, err, test.want)
		}
	}
	if _, err := (&Engine{api: anyRegistry{fakeAPI: &fakeAPI{failure: errNoAnswer}}}).Fix(t.Context(), "app:1", "tarot-backend"); err == nil {
		t.Error("an engine that does not answer has the image")
	}
}

func TestADigestThatNobodyNamedIsAnError(t *testing.T) {
	sum := digest.FromString("x")
	if got, err := (&Engine{api: anyRegistry{&fakeAPI{}, sum, nil}}).Digest(t.Context(), "app:1"); err != nil || got != string(sum) {
		t.Errorf("%s, %v", got, err)
	}
	for _, api := range []anyRegistry{{&fakeAPI{}, "", nil}, {&fakeAPI{}, "", errNoAnswer}} {
		if got, err := (&Engine{api: api}).Digest(t.Context(), "app:1"); err == nil {
			t.Errorf("it is %q", got)
		}
	}
}
