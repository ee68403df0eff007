package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// engineWith is a Docker engine that has these volumes and nothing else.
func engineWith(t *testing.T, volumes string) *engine.Engine {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/volumes"):
			fmt.Fprintf(w, `{"Volumes":[%s]}`, volumes)
		case strings.Contains(r.URL.Path, "00000000000000bb"): // an image
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"no such image"}`)
		default:
			fmt.Fprint(w, `{}`)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("DOCKER_CONTEXT", "")
	t.Setenv("DOCKER_HOST", "tcp://"+server.Listener.Addr().String())
	docker, err := engine.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return docker
}

// recorded is the record of a release.
func recorded(t *testing.T, name string, configuration map[string]string, application string) string {
	t.Helper()
	source, err := json.Marshal(configuration)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Name": "tarot-dev-release-" + name, "CreatedAt": "2026-01-01T00:00:00Z", "Labels": map[string]string{
		engine.ReleaseLabel: name, engine.ImageLabel: "tarot-backend:00000000000000aa",
		engine.ConfigurationLabel: string(source), engine.ApplicationLabel: application,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAPinTakesTheReleasesConfigurationAndTodaysSecrets(t *testing.T) {
	// Its folder may be gone: nothing is built.
	then := map[string]string{"tarot:backend": `{"replicas":2,"context":"./renamed"}`, "tarot:secretVersions": `{"adminPassword":1}`}
	good := recorded(t, "r00000000aa", then, `{"migrate":["./then"]}`)
	for _, test := range []struct{ name, volumes, want string }{
		{"the release", good, ""},
		{"another one", recorded(t, "r00000000bb", then, "{}"),
			`tarot:releases.pin: "r00000000aa" is not allowed; allowed: empty, or a release that can be returned to: r00000000bb`},
		{"none at all", "", `tarot:releases.pin: "r00000000aa" is not allowed; allowed: empty, or a release that can be returned to: (there is none)`},
		{"a configuration that is not valid any more", recorded(t, "r00000000aa", map[string]string{"tarot:backend": `{"replica":2}`}, "{}"),
			"release r00000000aa: tarot:backend.replica: there is no such key"},
		{"an image that is gone", strings.ReplaceAll(good, "00000000000000aa\"", "00000000000000bb\""),
			"release r00000000aa can not be returned to: its image tarot-backend:00000000000000bb was removed"},
		{"an application that can not be read", recorded(t, "r00000000aa", then, "{"), "release r00000000aa: unexpected end of JSON input"},
	} {
		t.Run(test.name, func(t *testing.T) {
			docker := engineWith(t, test.volumes)
			err := pulumi.RunErr(func(ctx *pulumi.Context) error {
				now := config.Defaults()
				now.SecretVersions.AdminPassword = 3
				now.Releases.Pin, now.Releases.Keep, now.Maintenance = "r00000000aa", 7, true
				cfg, open, application, err := earlier(ctx, docker, "tarot-dev", now, values{secret: map[string]string{
					"tarot:adminPassword": "password of today", "tarot:LATER_KEY": "the release does not know it"}})
				if err != nil {
					return err
				}
				if cfg.Backend.Replicas != 2 || cfg.Backend.Image != "tarot-backend:00000000000000aa" || cfg.Secrets["adminPassword"] != "password of today" {
					t.Errorf("%+v", cfg)
				}
				if cfg.Releases.Keep != 7 || !cfg.Maintenance || cfg.SecretVersions.AdminPassword != 3 {
					t.Errorf("what is no part of a release: %+v, %v, %+v", cfg.Releases, cfg.Maintenance, cfg.SecretVersions)
				}
				if len(open) != 2 || open["tarot:backend"] != then["tarot:backend"] || len(application.Migrate) != 1 || application.Migrate[0] != "./then" {
					t.Errorf("source %v, application %+v", open, application)
				}
				return nil
			}, pulumi.WithMocks("tarot", "dev", nothing{t}))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
