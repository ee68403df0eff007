package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
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

// A tag of a lock is the image of its digest, whatever the engine has by that tag.
func TestALockedTagIsLocated(t *testing.T) {
	right, wrong := digest.FromString("right"), digest.FromString("wrong")
	of := func(known ...string) image.InspectResponse {
		return image.InspectResponse{ID: "sha256:01", RepoDigests: known, Config: &dockerspec.DockerOCIImageConfig{}}
	}
	standIn := func(of string) image.InspectResponse {
		i := image.InspectResponse{ID: "sha256:02", RepoDigests: []string{"nginx@" + string(wrong)}, Config: &dockerspec.DockerOCIImageConfig{}}
		i.Config.Labels = map[string]string{standInFor: of, standInVersion: "nginx 1.30.6 (Debian forky)"}
		return i
	}
	exact, mirrored := "nginx:1.30@"+string(right), "mirror/library/nginx:1.30@"+string(right)
	for _, test := range []struct {
		name     string
		here     map[string]image.InspectResponse
		registry error
		want     string
		unpinned string
		fault    string
	}{
		{"not here", nil, errNoAnswer, mirrored, "", ""},
		{"here by its digest", map[string]image.InspectResponse{exact: of(), "nginx:1.30": of("nginx@" + string(wrong))}, errNoAnswer, exact, "", ""},
		{"here from the mirror", map[string]image.InspectResponse{mirrored: of()}, errNoAnswer, mirrored, "", ""},
		{"here from another mirror", map[string]image.InspectResponse{"nginx:1.30": of("a/nginx@"+string(wrong), "b:5000/nginx@"+string(right))}, errNoAnswer, "b:5000/nginx:1.30@" + string(right), "", ""},
		{"a stand-in", map[string]image.InspectResponse{"nginx:1.30": standIn("nginx:1.30")}, errNoAnswer, "nginx:1.30", "it is a stand-in (nginx 1.30.6 (Debian forky))", ""},
		{"built on a stand-in", map[string]image.InspectResponse{"nginx:1.30": standIn("python:3.11-slim")}, errNoAnswer, "", "", "the lock says " + string(right) + ", this engine has " + string(wrong)},
		{"loaded", map[string]image.InspectResponse{"nginx:1.30": of()}, errNoAnswer, "nginx:1.30", "was built or loaded here", ""},
		{"another one", map[string]image.InspectResponse{"nginx:1.30": of("nginx@" + string(wrong))}, nil, mirrored, "", ""},
		{"another one, and no registry", map[string]image.InspectResponse{"nginx:1.30": of("nginx@" + string(wrong))}, errNoAnswer, "", "", "can't be had"},
	} {
		api := anyRegistry{&fakeAPI{images: test.here}, right, test.registry}
		got, unpinned, err := (&Engine{api: api}).Locate(t.Context(), "nginx:1.30", string(right), "mirror/library/nginx:1.30")
		if got != test.want || (unpinned == "") != (test.unpinned == "") || !strings.Contains(unpinned, test.unpinned) ||
			(err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %q, %q, %v", test.name, got, unpinned, err)
		}
	}
	if got, _, err := (&Engine{api: anyRegistry{fakeAPI: &fakeAPI{failure: errNoAnswer}}}).Locate(t.Context(), "nginx:1.30", string(right), "nginx:1.30"); err == nil {
		t.Errorf("an engine that does not answer has %s", got)
	}
}
