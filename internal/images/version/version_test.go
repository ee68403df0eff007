package version

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestAVersionIsWhatTheImageSays(t *testing.T) {
	for _, test := range []struct {
		repository string
		config     v1.Config
		want       string
	}{
		{"library/nginx", v1.Config{Env: []string{"PATH=/bin", "NGINX_VERSION=1.30.2", "NJS_VERSION=0.9"}}, "1.30.2"},
		{"library/postgres", v1.Config{Env: []string{"PG_MAJOR=18", "PG_VERSION=18.6-1.pgdg13+1"}}, "18.6-1.pgdg13+1"},
		{"prom/node-exporter", v1.Config{Labels: map[string]string{"org.opencontainers.image.version": "1.11.1 of May"}}, "1.11.1-of-May"},
		{"some/thing", v1.Config{Env: []string{"OTHER_VERSION=1"}}, ""},
	} {
		if got := in(test.repository, test.config); got != test.want {
			t.Errorf("%s: %q, want %q", test.repository, got, test.want)
		}
	}
}

func TestAVersionIsAskedOfTheRegistry(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	at, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/library/nginx:1.30")
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Config(empty.Image, v1.Config{Env: []string{"NGINX_VERSION=1.30.2"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(at, image); err != nil {
		t.Fatal(err)
	}
	sum, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ask := On("")
	if got := ask(t.Context(), at.Name()+"@"+sum.String()); got != "1.30.2" {
		t.Errorf("%q", got)
	}
	for _, unknown := range []string{at.Context().Name() + "@sha256:" + strings.Repeat("0", 64), "127.0.0.1:1/x@" + sum.String(), "no name"} {
		if got := ask(t.Context(), unknown); got != "" {
			t.Errorf("%s: %q", unknown, got)
		}
	}
}
