package components

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// Names are part of a stack's state: one that changes replaces a resource.
func TestPlatformDeclaresTheseResourcesAndNoOther(t *testing.T) {
	common := []string{
		"docker:index/container:Container tarot-test-own-volumes",
		"docker:index/network:Network tarot-test-backend",
		"docker:index/remoteImage:RemoteImage backend-image",
		"docker:index/volume:Volume release",
		"docker:index/volume:Volume storage-data",
		"random:index/randomPassword:RandomPassword credentials-admin-password",
		"random:index/randomPassword:RandomPassword credentials-jwt-secret-key",
		"tarot:index:Backend backend",
		"tarot:index:Credentials credentials",
		"tarot:index:Image backend-image",
		"tarot:index:Platform platform",
		"tarot:index:Storage storage",
	}
	nginx := []string{
		"docker:index/container:Container tarot-test-nginx-configuration",
		"docker:index/remoteImage:RemoteImage nginx-image",
		"docker:index/volume:Volume nginx-configuration",
		"random:index/randomPassword:RandomPassword edge-token",
		"tarot:index:Image nginx-image",
		"tarot:index:Nginx nginx",
	}
	isolated := []string{
		"docker:index/container:Container tarot-test-activate-static",
		"docker:index/container:Container tarot-test-migrate",
		"docker:index/container:Container tarot-test-publish-static",
		"docker:index/network:Network tarot-test-edge",
		"docker:index/volume:Volume storage-logs",
		"docker:index/volume:Volume storage-static",
		"random:index/randomBytes:RandomBytes nginx-tls-seed",
	}
	backendFiles := []string{
		"docker:index/container:Container tarot-test-backend-files",
		"docker:index/volume:Volume tarot-test-backend-files-secrets",
		"random:index/randomId:RandomId tarot-test-backend-files",
	}
	swarm := []string{
		"docker:index/secret:Secret tarot-test-backend-admin_password",
		"docker:index/secret:Secret tarot-test-backend-jwt_secret_key",
		"docker:index/service:Service tarot-test-backend",
		"docker:index/service:Service tarot-test-backend-candidate",
		"docker:index/service:Service tarot-test-nginx",
		"docker:index/serviceConfig:ServiceConfig tarot-test-backend-environment",
	}
	const container = "docker:index/container:Container tarot-test-"
	sqlite := []string{container + "check-sqlite"} // where the database is known to be a file
	for name, want := range map[string][]string{
		"dev":              slices.Concat(common, sqlite, backendFiles, []string{container + "backend-1"}),
		"dev behind nginx": slices.Concat(common, sqlite, backendFiles, nginx, []string{container + "backend-1", container + "nginx-1"}),
		"prod":             slices.Concat(common, sqlite, nginx, isolated, swarm),
		"prod as containers": slices.Concat(common, sqlite, nginx, isolated, backendFiles, []string{
			container + "backend-1", container + "backend-2", container + "backend-3", container + "nginx-1"}),
		"prod with own secrets": slices.Concat(common, nginx, isolated, swarm, []string{"docker:index/secret:Secret tarot-test-backend-api_key", "docker:index/secret:Secret tarot-test-backend-database_url"}),
	} {
		slices.Sort(want)
		for _, s := range []stage{up, preview, unchanged} {
			t.Run(name+"/"+s.String(), func(t *testing.T) {
				inProject(t)
				var got []string
				for _, x := range succeed(t, stack(t, name), s).all {
					got = append(got, x.Type+" "+x.Name)
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				}
			})
		}
	}
}

func TestOnlyThePlatformIsAChildOfTheStack(t *testing.T) {
	forEveryStack(t, func(t *testing.T, _ config.Config, r *run) {
		for _, x := range r.all {
			ofStack := strings.Contains(x.RPC.GetParent(), "pulumi:pulumi:Stack")
			if x.RPC.GetParent() == "" || ofStack != (x.Type == "tarot:index:Platform") {
				t.Errorf("%s %s has the parent %q", x.Type, x.Name, x.RPC.GetParent())
			}
			if len(x.RPC.GetAliases()) > 0 || x.RPC.GetProtect() {
				t.Errorf("%s %s has options of its parent", x.Type, x.Name)
			}
		}
	})
}

func TestEveryComponentRegistersOutputs(t *testing.T) {
	forEveryStack(t, func(t *testing.T, _ config.Config, r *run) {
		want := 1 // the stack's own
		for _, x := range r.all {
			if !x.RPC.GetCustom() {
				want++
			}
		}
		if r.done != want {
			t.Errorf("%d resources registered outputs, want %d", r.done, want)
		}
	})
}

func TestOutputs(t *testing.T) {
	// What is known before anything exists. The services are where they have
	// names of their own.
	early := []string{"image", "release", "pinned", "maintenance", "replicas", "runtime", "volumes", "url", "apiUrl", "docsUrl", "adminUrl", "healthUrl", "staticUrl"}
	late := []string{"adminPassword", "services", "standIns"}
	forEveryStack(t, func(t *testing.T, cfg config.Config, r *run) {
		early, late := slices.Clone(early), slices.Clone(late)
		if cfg.Monitoring.Enabled {
			early, late = append(early, "grafanaUrl"), append(late, "grafanaPassword")
		}
		if got, want := slices.Sorted(maps.Keys(r.outputs)), slices.Sorted(slices.Values(slices.Concat(early, late))); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for name, out := range r.outputs {
			own := name == "adminPassword" && cfg.Secrets[name] != ""
			named := name == "services" && (cfg.Runtime == "swarm" || !cfg.Networks.Isolated && !cfg.Monitoring.Enabled)
			if want := r.stage != preview || own || named || slices.Contains(early, name); out.Known != want {
				t.Errorf("%s: known %v, want %v", name, out.Known, want)
			}
			// What a mock does not answer yet has no mark.
			if want := (name == "adminPassword" || name == "grafanaPassword") && (r.stage != preview || own); out.Secret != want {
				t.Errorf("%s: secret %v, want %v", name, out.Secret, want)
			}
		}
	})
}

func TestOutputsHoldTheAddressesByWhichTheStackIsReached(t *testing.T) {
	for _, test := range []struct {
		name, stack string
		change      func(*config.Config)
		remote      bool
		want        string
	}{
		{"dev", "dev", nil, false, "http://localhost:8000"},
		{"dev on port 80", "dev", func(c *config.Config) { c.Backend.PublishPort = 80 }, false, "http://localhost"},
		{"dev on another machine", "dev", nil, true, "http://docker.example:8000"},
		{"nginx without TLS", "dev behind nginx", nil, false, "http://localhost:8080"},
		{"prod", "prod", nil, false, "https://localhost"},
		{"prod on another port", "prod", func(c *config.Config) { c.Nginx.HTTPSPort = 8443 }, false, "https://localhost:8443"},
		{"prod on another machine", "prod", nil, true, "https://docker.example"},
		{"a name that resolves", "prod", func(c *config.Config) { c.Nginx.ServerNames = []string{"localhost"} }, true, "https://localhost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			cfg := stack(t, test.stack)
			if test.change != nil {
				test.change(&cfg)
			}
			cfg.Backend.Paths.Admin = "/secret-place"
			r := deploy(cfg, &recorder{}, &fakeEngine{remote: test.remote})
			if r.err != nil {
				t.Fatal(r.err)
			}
			for name, path := range map[string]string{"url": "", "apiUrl": "/api/v1", "docsUrl": "/docs",
				"adminUrl": "/secret-place", "healthUrl": "/health", "staticUrl": "/static"} {
				if got := r.outputs[name].Value; got != test.want+path {
					t.Errorf("%s: %v, want %s", name, got, test.want+path)
				}
			}
		})
	}
}

func TestOutputsDescribeTheServices(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod as containers", func(c *config.Config) { c.Backend.Replicas = 2 })
	r := succeed(t, cfg, up)
	image := r.outputs["image"].Value
	want := map[string]any{
		"backend": map[string]any{"image": image, "replicas": 2, "names": []string{"tarot-test-backend-1-1a2b3c4", "tarot-test-backend-2-1a2b3c4"},
			"writes": []string{"/app/data", "/app/data/prod.db"}},
		"nginx": map[string]any{"image": "nginx:1.30", "replicas": 1, "names": []string{"tarot-test-nginx-1"}},
	}
	if got := r.outputs["services"].Value; !reflect.DeepEqual(got, want) {
		t.Errorf("services: %#v", got)
	}
	want = map[string]any{"data": "tarot_db_data", "static": "tarot_static_data", "logs": "tarot_logs"}
	if got := r.outputs["volumes"].Value; !reflect.DeepEqual(got, want) {
		t.Errorf("volumes: %v", got)
	}
	if r.outputs["replicas"].Value != 2 || r.outputs["runtime"].Value != "containers" {
		t.Errorf("replicas %v, runtime %v", r.outputs["replicas"].Value, r.outputs["runtime"].Value)
	}
}

func TestOutputsNameTheStandIns(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{standIn: "a stand-in"})
	image, _ := r.outputs["image"].Value.(string)
	want := map[string]string{"backend": "a stand-in for " + image, "nginx": "a stand-in for nginx:1.30"}
	if got := r.outputs["standIns"].Value; r.err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, r.err)
	}
	if got := succeed(t, stack(t, "prod"), up).outputs["standIns"].Value; !reflect.DeepEqual(got, map[string]string{}) {
		t.Errorf("of real images: %v", got)
	}
}

func TestRemoteEngineGetsNoMountedCodeAndAWarning(t *testing.T) {
	inProject(t)
	for _, remote := range []bool{false, true} {
		r := deploy(stack(t, "dev"), &recorder{}, &fakeEngine{remote: remote})
		if r.err != nil {
			t.Fatal(r.err)
		}
		binds := 0
		for _, m := range r.get(t, "Container", "tarot-test-backend-1").list("mounts") {
			if at(m, "type") == "bind" {
				binds++
				if folder, _ := os.Getwd(); at(m, "source") != folder+"/app" || at(m, "target") != "/app" {
					t.Errorf("mounts %v", m)
				}
			}
		}
		if remote == (binds == 1) || remote != (len(r.warnings.texts) == 1) {
			t.Errorf("remote %v: %d folders mounted, warnings %q", remote, binds, r.warnings.texts)
		}
		if remote && !strings.Contains(r.warnings.texts[0], "docker.example") {
			t.Errorf("the warning names no engine: %s", r.warnings.texts[0])
		}
	}
}

func TestMistakesEndBeforeAnythingIsDeclared(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"no such runtime", func(c *config.Config) { c.Runtime = "nomad" }, `runtime "nomad": want containers or swarm`},
		{"no subnet", func(c *config.Config) { c.Networks.BackendSubnet = "x" }, "network tarot-test-backend: "},
		{"no context", func(c *config.Config) { c.Backend.Context = "nowhere" }, `image "backend-image": build context`},
		{"root", func(c *config.Config) { c.Backend.User = "0:0" }, `backend "backend": workload "backend": user "0:0"`},
		{"unlimited nginx", func(c *config.Config) { c.Nginx.Memory = 0 }, `nginx "nginx": workload "nginx": no memory limit`},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			for _, name := range []string{"prod", "prod as containers"} {
				cfg := stack(t, name)
				test.change(&cfg)
				r := deploy(cfg, &recorder{stage: preview}, &fakeEngine{})
				if r.err == nil || !strings.Contains(r.err.Error(), test.want) {
					t.Errorf("%v, want %q", r.err, test.want)
				}
			}
		})
	}
}
