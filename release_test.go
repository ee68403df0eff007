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
	"tarot-platform/internal/release"
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
	then := map[string]string{"tarot:backend": `{"replicas":2,"context":"./renamed"}`, "tarot:secretVersions": `{"adminPassword":1}`,
		"tarot:build": `{"args":{"A":"then"}}`, "tarot:nginx": `{"image":"nginx:of-then"}`, "tarot:volumes": `{"data":"of_then"}`}
	good := recorded(t, "r00000000aa", then, `{"migrate":["./then"]}`)
	for _, test := range []struct{ name, volumes, want string }{
		{"the release", good, ""},
		{"another one", recorded(t, "r00000000bb", then, "{}"),
			`tarot:releases.pin: "r00000000aa" is not allowed; allowed: empty, or a release that can be returned to: r00000000bb`},
		{"none at all", "", `tarot:releases.pin: "r00000000aa" is not allowed; allowed: empty, or a release that can be returned to: (there is none)`},
		{"a configuration that is not valid any more", recorded(t, "r00000000aa", map[string]string{"tarot:backend": `{"replica":2}`}, "{}"),
			"release r00000000aa can not be returned to with the rest of today's stack file: tarot:backend.replica: there is no such key"},
		{"a value that nobody would take today", recorded(t, "r00000000aa", map[string]string{"tarot:backend": `{"replicas":0}`}, "{}"),
			`can not be returned to with the rest of today's stack file: tarot:backend.replicas: "0" is not allowed`},
		{"a configuration and a platform that do not go together", recorded(t, "r00000000aa", map[string]string{"tarot:backend": `{"publishPort":8080}`}, "{}"),
			"tarot:networks.isolated"},
		{"a record that lost the application's configuration", recorded(t, "r00000000aa", map[string]string{"tarot:runtime": "swarm"}, "{}"),
			"release r00000000aa can not be returned to: its record says nothing of tarot:backend"},
		{"a secret that is not set any more", recorded(t, "r00000000aa", map[string]string{"tarot:backend": `{"secrets":["API_KEY"]}`}, "{}"),
			"release r00000000aa: it had the secret tarot:API_KEY, which is not set today; set it by `pulumi config set --secret tarot:API_KEY`"},
		{"an image that is gone", strings.ReplaceAll(good, "00000000000000aa\"", "00000000000000bb\""),
			"release r00000000aa can not be returned to: its image tarot-backend:00000000000000bb was removed"},
		{"an application that can not be read", recorded(t, "r00000000aa", then, "{"), "release r00000000aa: unexpected end of JSON input"},
	} {
		t.Run(test.name, func(t *testing.T) {
			docker := engineWith(t, test.volumes)
			err := pulumi.RunErr(func(ctx *pulumi.Context) error {
				source := values{all: map[string]string{
					"tarot:backend": `{"replicas":7}`, "tarot:build": `{"args":{"A":"now"},"scan":{"failOn":"high"}}`, "tarot:maintenance": "true", "tarot:nginx": `{"maxBody":"7m"}`, "tarot:releases": `{"keep":7,"pin":"r00000000aa"}`,
					"tarot:secretVersions": `{"adminPassword":3}`, "tarot:adminPassword": "password of today", "tarot:LATER_KEY": "the release does not know it"},
					secret: map[string]string{"tarot:adminPassword": "password of today", "tarot:LATER_KEY": "the release does not know it"}}
				now := config.Defaults()
				now.Releases.Pin = "r00000000aa"
				cfg, pinned, application, err := loadPinned(ctx, docker, "tarot-dev", now, source)
				if err != nil {
					return err
				}
				if cfg.Backend.Replicas != 2 || cfg.Backend.Image != "tarot-backend:00000000000000aa" || cfg.Secrets["adminPassword"] != "password of today" {
					t.Errorf("%+v", cfg)
				}
				if cfg.Releases.Keep != 7 || !cfg.Maintenance || cfg.SecretVersions.AdminPassword != 3 || cfg.Nginx.MaxBody != 7<<20 || cfg.Nginx.Image != "nginx:1.30" || cfg.Volumes.Data == "of_then" {
					t.Errorf("what is no part of a release: %+v", cfg)
				}
				if cfg.Build.Args["A"] != "then" || cfg.Build.Scan.FailOn != "high" {
					t.Errorf("what is accepted today: %+v", cfg.Build)
				}
				if pinned.Name != "r00000000aa" || pinned.Configuration["tarot:backend"] != then["tarot:backend"] || len(application.Migrate) != 1 || application.Migrate[0] != "./then" {
					t.Errorf("%+v, application %+v", pinned, application)
				}
				return nil
			}, pulumi.WithMocks("tarot", "dev", nothing{t}))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// Somebody has returned for a reason.
func TestNobodyGoesForwardOverARollbackInSilence(t *testing.T) {
	then := recorded(t, "r00000000aa", map[string]string{"tarot:backend": "{}"}, "{}")
	back := strings.Replace(then, `"Labels":{`, `"Labels":{"tarot.pinned":"ann@example",`, 1)
	for _, test := range []struct {
		name, volumes, forward string
		preview, refused       bool
	}{
		{"no release yet", "", "", false, false},
		{"a release as any", then, "", false, false},
		{"a rollback", back, "", false, true},
		{"a preview of a rollback", back, "", true, false},
		{"forward from it", back, "r00000000aa", false, false},
		{"forward from another one", back, "r00000000bb", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(forward, test.forward)
			docker := engineWith(t, test.volumes)
			err := pulumi.RunErr(func(ctx *pulumi.Context) error { return refuseOvertaking(ctx, docker, "tarot-dev") },
				pulumi.WithMocks("tarot", "dev", nothing{t}), func(info *pulumi.RunInfo) { info.DryRun = test.preview })
			if (err != nil) != test.refused {
				t.Fatal(err)
			}
			for _, want := range []string{"r00000000aa", "ann@example", "make forward STACK=dev", "TAROT_FORWARD=r00000000aa pulumi up", "make rollback STACK=dev TO=r00000000aa"} {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

// Before a password was refused there, a record had it: it is nothing to lose, and today's
// secret goes before it.
func TestAPasswordInAnEarlierRecordIsASecretToday(t *testing.T) {
	const then, today = "postgresql://shop:then@db/shop", "postgresql://shop:today@db/shop"
	r := release.Release{Name: "r1", Image: "app:1", Configuration: map[string]string{"tarot:backend": `{"databaseUrl":"` + then + `"}`}}
	for _, test := range []struct {
		name, set, want string
		release         release.Release
	}{
		{"none is set today", "", then, r},
		{"one is set today", today, today, r},
		{"a release that had none", today, "", release.New("app:1", nil, map[string]string{"tarot:backend": "{}"}, nil, "tarot")},
		{"a release that had one", today, today, release.New("app:1", nil, map[string]string{"tarot:backend": "{}"}, []string{"databaseUrl"}, "tarot")},
	} {
		source := values{all: map[string]string{}, secret: map[string]string{}}
		if test.set != "" {
			source.all["tarot:databaseUrl"], source.secret["tarot:databaseUrl"] = test.set, test.set
		}
		all, err := withRelease(source, test.release)
		if err != nil || all["tarot:databaseUrl"] != test.want || strings.Contains(all["tarot:backend"], "then") {
			t.Errorf("%s: %v, %v", test.name, all, err)
		}
	}
}

// Where the data are is no part of a release: one of before they were somebody else's gets that address.
func TestAnEarlierReleaseFindsTheDataElsewhere(t *testing.T) {
	const today = "postgresql://shop:today@db/shop"
	for kind, want := range map[string]string{"external": today, "sqlite": ""} {
		source := values{all: map[string]string{"tarot:databaseUrl": today, "tarot:database": `{"kind":"` + kind + `"}`}, secret: map[string]string{"tarot:databaseUrl": today}}
		all, err := withRelease(source, release.New("app:1", nil, map[string]string{"tarot:backend": "{}"}, nil, "tarot"))
		if err != nil || all["tarot:databaseUrl"] != want {
			t.Errorf("%s: %v, %v", kind, all, err)
		}
	}
}

// A release comes back with its services: each with the image that it had, and none that it
// did not have.
func TestAReleaseComesBackWithItsServices(t *testing.T) {
	today := map[string]string{"tarot:services": `{"later":{}}`}
	r := release.Release{Name: "r1", Image: "app:1", Configuration: map[string]string{"tarot:backend": "{}"}}
	if all, err := withRelease(values{all: today}, r); err != nil || all["tarot:services"] != "" {
		t.Errorf("one that had none: %v, %v", all, err)
	}
	r.Configuration["tarot:backend"] = `{"environment":{"N":0.10}}`
	r.Configuration["tarot:services"] = `{"second":{"context":"./second","dockerfile":"D","target":"x","port":80},"worker":{"environment":{"N":0.10},"replicas":2}}`
	r.Images = map[string]string{"second": "tarot-second:00000000000000aa"}
	all, err := withRelease(values{all: today}, r)
	if want := `{"second":{"image":"tarot-second:00000000000000aa","port":80},"worker":{"environment":{"N":0.10},"replicas":2}}`; err != nil || all["tarot:services"] != want {
		t.Errorf("%v, %v; want %s", all["tarot:services"], err, want)
	}
	if want := `{"environment":{"N":0.10},"image":"app:1"}`; all["tarot:backend"] != want {
		t.Errorf("a number is another one: %v", all["tarot:backend"])
	}
	r.Images["third"] = "x:1"
	if _, err := withRelease(values{all: today}, r); err == nil || !strings.Contains(err.Error(), "has the image x:1 of the service third") {
		t.Error(err)
	}
}

// Nothing is built, and they may be gone by now.
func TestAReleaseComesBackWithoutTheSecretsOfItsBuild(t *testing.T) {
	r := release.Release{Name: "r1", Image: "app:1", Complete: true, Configuration: map[string]string{"tarot:backend": "{}",
		"tarot:build": `{"args":{"N":0.10},"secrets":["TOKEN"]}`}}
	source := values{all: map[string]string{"tarot:TOKEN": "x"}, secret: map[string]string{"tarot:TOKEN": "x"}}
	all, err := withRelease(source, r)
	if err != nil || all["tarot:build"] != `{"args":{"N":0.10}}` || all["tarot:TOKEN"] != "" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := withRelease(values{all: map[string]string{}}, r); err != nil {
		t.Errorf("where it is gone: %v", err)
	}
}
