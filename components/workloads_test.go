package components

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// roots have no capabilities, as all others, but for one that gives volumes away: the volumes that the tasks write to, and
// the engine's socket, are root's.
var roots = []any{"nginx-configuration", "monitoring-facts", "cadvisor", "own-volumes"}

func TestEverythingThatRunsIsHardened(t *testing.T) {
	forEveryStack(t, func(t *testing.T, cfg config.Config, r *run) {
		ran := 0
		for _, u := range r.units() {
			if user, _ := u.user.(string); !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(user) && !slices.Contains(roots, u.labels["tarot.workload"]) {
				t.Errorf("%s runs as %v", u.name, u.user)
			}
			for _, m := range u.mounts {
				source := fmt.Sprint(at(m, "source"))
				if u.labels["tarot.workload"] == "cadvisor" && at(m, "readOnly") == true && slices.Contains([]string{"/sys/fs/cgroup", "/var/run/docker.sock", "/var/lib/docker/image/overlay2/layerdb/mounts"}, source) {
					continue // it alone: ADR 8
				}
				if strings.Contains(source, "docker.sock") || source == "/" {
					t.Errorf("%s mounts %s", u.name, source)
				}
				if at(m, "type") == "bind" && !cfg.Backend.MountCode {
					t.Errorf("%s mounts the host's %v", u.name, at(m, "source"))
				}
			}
			for _, key := range []string{"privileged", "pidMode", "ipcMode", "usernsMode", "devices", "volumes", "groupAdds", "gpus"} {
				if value := u.at(key); value != nil {
					t.Errorf("%s: %s %v", u.name, key, value)
				}
			}
			if mode := u.at("networkMode"); mode != nil && mode != "none" {
				t.Errorf("%s has the network mode %v", u.name, mode)
			}
			if u.labels["tarot.stack"] != "tarot-test" {
				t.Errorf("%s has the labels %v", u.name, u.labels)
			}
			if !u.runs {
				if u.at("networkMode") != "none" || u.at("mustRun") != false {
					t.Errorf("%s holds files only: %v", u.name, u.In)
				}
				continue
			}
			ran++
			gives := u.labels["tarot.workload"] == "own-volumes" && u.task() && slices.Equal(u.list("capabilities", "adds"), []any{"CAP_CHOWN"})
			if !slices.Equal(u.drops, []any{"ALL"}) || !gives && u.at("capabilities", "adds") != nil || u.at("taskSpec", "containerSpec", "capAdds") != nil {
				t.Errorf("%s drops the capabilities %v", u.name, u.drops)
			}
			if u.readOnly != true && !(u.task() && len(u.list("uploads")) > 0) {
				t.Errorf("%s: read-only %v", u.name, u.readOnly)
			}
			if u.memory < 6<<20 {
				t.Errorf("%s has the memory %v", u.name, u.memory)
			}
			if strings.HasSuffix(u.Type, ":Service") {
				continue // has neither
			}
			if !slices.Equal(u.list("securityOpts"), []any{"no-new-privileges"}) || u.at("memorySwap") != u.at("memory") {
				t.Errorf("%s: security options %v, memory and swap %v", u.name, u.list("securityOpts"), u.at("memorySwap"))
			}
		}
		if ran == 0 {
			t.Error("nothing runs")
		}
	})
}

func TestOnlyDeclaredPortsArePublished(t *testing.T) {
	for name, want := range map[string]map[string][]string{
		"dev": {"tarot-test-backend-1": {"127.0.0.1:8000->8000", "127.0.0.1:5678->5678"}},
		"dev behind nginx": {"tarot-test-backend-1": {"127.0.0.1:8000->8000", "127.0.0.1:5678->5678"},
			"tarot-test-nginx-1": {"127.0.0.1:8080->8080"}},
		"prod":                  {"tarot-test-nginx": {"host:80->8080", "host:443->8443"}},
		"prod with own secrets": {"tarot-test-nginx": {"host:80->8080", "host:443->8443"}},
		"prod as containers":    {"tarot-test-nginx-1": {"0.0.0.0:80->8080", "0.0.0.0:443->8443"}},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			got := map[string][]string{}
			for _, u := range succeed(t, stack(t, name), up).units() {
				if len(u.ports) > 0 {
					got[u.name] = u.ports
				}
				if u.at("publishAllPorts") != nil {
					t.Errorf("%s publishes all ports", u.name)
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestLimitsAreThoseOfTheConfiguration(t *testing.T) {
	inProject(t)
	change := func(c *config.Config) {
		c.Backend.Memory, c.Backend.CPUs, c.Nginx.Memory, c.Nginx.CPUs = 300<<20, 1.5, 70<<20, 0.25
	}
	for name, keys := range map[string][2][]any{
		"prod as containers": {{"memory", 300.0, 70.0}, {"cpus", "1.5", "0.25"}},
		"prod": {{"taskSpec/resources/limits/memoryBytes", 300.0 * (1 << 20), 70.0 * (1 << 20)},
			{"taskSpec/resources/limits/nanoCpus", 1.5e9, 0.25e9}},
	} {
		for _, u := range succeed(t, stack(t, name, change), up).units() {
			if !u.runs || u.task() {
				continue
			}
			column := 1
			if u.labels["tarot.workload"] == "nginx" {
				column = 2
			}
			for _, key := range keys {
				var path []any
				for step := range strings.SplitSeq(key[0].(string), "/") {
					path = append(path, step)
				}
				if got := u.at(path...); got != key[column] {
					t.Errorf("%s: %s is %v, want %v", u.name, key[0], got, key[column])
				}
			}
		}
	}
}

func TestReplicas(t *testing.T) {
	inProject(t)
	five := func(c *config.Config) { c.Backend.Replicas = 5 }
	service := succeed(t, stack(t, "prod", five), preview).get(t, "Service", "tarot-test-backend")
	if got := service.at("mode", "replicated", "replicas"); got != 5.0 {
		t.Errorf("the service has %v replicas", got)
	}
	if got := len(succeed(t, stack(t, "prod as containers", five), preview).units()); got != 5+1+6+1 {
		t.Errorf("%d containers, want 5 replicas, nginx, 6 tasks and the one that holds files", got)
	}
}

// Scaling must not restart what runs already.
func TestReplicasChangeNothingElse(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod", "prod as containers"} {
		two := succeed(t, stack(t, name, func(c *config.Config) { c.Backend.Replicas = 2 }), up)
		three := succeed(t, stack(t, name, func(c *config.Config) { c.Backend.Replicas = 3 }), up)
		for _, x := range two.all {
			kind := x.Type[strings.LastIndex(x.Type, ":")+1:]
			was, is := maps.Clone(x.In), maps.Clone(three.get(t, kind, x.Name).In)
			// nginx is told of them, and reloads; and it is another release.
			if x.Name == "tarot-test-nginx-configuration" || x.Name == "nginx" || x.Name == "release" {
				continue
			}
			if x.Name == "tarot-test-backend" && kind == "Service" {
				delete(was, "mode")
				delete(is, "mode")
			}
			if !reflect.DeepEqual(was, is) {
				t.Errorf("%s: %s differs:\n%v\n%v", name, x.Name, was, is)
			}
		}
	}
}

func TestLogOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		want   map[string]any // of the backend
	}{
		{"as committed", func(*config.Config) {}, map[string]any{"max-size": "100m", "max-file": "5", "tag": "backend"}},
		{"no options", func(c *config.Config) { c.Logging.Options = nil }, map[string]any{"tag": "backend"}},
		{"an own tag", func(c *config.Config) { c.Logging.Options = map[string]string{"tag": "{{.ID}}"} }, map[string]any{"tag": "{{.ID}}"}},
		{"a driver without tags", func(c *config.Config) { c.Logging.Driver = "local" }, map[string]any{"max-size": "100m", "max-file": "5"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			for _, name := range []string{"prod", "prod as containers"} {
				cfg := stack(t, name, test.change)
				for _, u := range succeed(t, cfg, up).units() {
					if !u.runs {
						continue
					}
					want := maps.Clone(test.want)
					if want["tag"] == "backend" {
						want["tag"] = u.labels["tarot.workload"]
						if want["tag"] == "candidate" {
							want["tag"] = "backend" // it is one for a moment
						}
					}
					if u.logging["driver"] != cfg.Logging.Driver || !reflect.DeepEqual(u.logging["options"], want) {
						t.Errorf("%s: %s logs to %v, want %v", name, u.name, u.logging, want)
					}
				}
			}
		})
	}
}

func TestNetworks(t *testing.T) {
	const inner, edge = "tarot-test-backend-id", "tarot-test-edge-id"
	egress := func(c *config.Config) { c.Networks.BackendEgress = true }
	for _, test := range []struct {
		name, stack    string
		changes        []func(*config.Config)
		driver         string
		internal       bool
		backend, nginx []string // what each is on; the first is where requests come from
	}{
		{"dev", "dev", nil, "bridge", false, []string{inner}, nil},
		{"dev behind nginx", "dev behind nginx", nil, "bridge", false, []string{inner}, []string{inner}},
		{"prod", "prod", nil, "overlay", true, []string{inner}, []string{edge, inner}},
		{"prod as containers", "prod as containers", nil, "bridge", true, []string{inner}, []string{edge, inner}},
		{"a way out", "prod", []func(*config.Config){egress}, "overlay", true, []string{inner, edge}, []string{edge, inner}},
		{"a way out is there anyway", "dev", []func(*config.Config){egress}, "bridge", false, []string{inner}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			cfg := stack(t, test.stack, test.changes...)
			r := succeed(t, cfg, up)
			for _, n := range r.find("Network") {
				if want := test.internal && n.Name == "tarot-test-backend"; n.at("internal") != want || n.at("driver") != test.driver {
					t.Errorf("%s: internal %v, driver %v", n.Name, n.at("internal"), n.at("driver"))
				}
				if !n.RPC.GetDeleteBeforeReplace() || labels(n.list("labels"))["tarot.stack"] != "tarot-test" {
					t.Errorf("%s: %v", n.Name, n.In)
				}
			}
			addresses := r.get(t, "Network", "tarot-test-backend").list("ipamConfigs")
			if len(addresses) != 1 || at(addresses[0], "subnet") != cfg.Networks.BackendSubnet {
				t.Errorf("addresses %v", addresses)
			}
			for _, u := range r.units() {
				want := map[any][]string{"backend": test.backend, "candidate": test.backend, "migrate": test.backend, "nginx": test.nginx}[u.labels["tarot.workload"]]
				var got []string
				for _, n := range u.networks {
					got = append(got, at(n, "name").(string))
					if aliases := at(n, "aliases"); !u.task() && !reflect.DeepEqual(aliases, []any{u.labels["tarot.workload"]}) {
						t.Errorf("%s is called %v", u.name, aliases)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s is on %v, want %v", u.name, got, want)
				}
			}
		})
	}
}

// The state must be what the engine was asked for: of these, the provider says
// "updated" and does nothing.
func TestContainersAreReplacedForWhatTheProviderOnlyWritesDown(t *testing.T) {
	inProject(t)
	for _, x := range succeed(t, stack(t, "prod as containers"), up).find("Container") {
		if fixed := x.at("name") != nil; fixed && !x.RPC.GetDeleteBeforeReplace() || !x.RPC.GetDeleteBeforeReplaceDefined() {
			t.Errorf("%s: its name is not free when the next one is made", x.Name)
		}
		if x.at("healthcheck") == nil {
			continue // it does not keep running
		}
		for _, key := range []string{"cpus", "healthcheck", "init", "tmpfs"} {
			if !slices.Contains(x.RPC.GetReplaceOnChanges(), key) {
				t.Errorf("%s: a change of %s has no effect", x.Name, key)
			}
		}
		if x.at("wait") != nil || x.at("mustRun") != false || x.at("init") != true || x.at("restart") != "always" {
			t.Errorf("%s: %v", x.Name, x.In)
		}
		grace := map[bool]any{true: 10.0, false: 40.0}[x.Name == "tarot-test-nginx-1"]
		if x.at("stopTimeout") != grace || x.at("destroyGraceSeconds") != grace {
			t.Errorf("%s: killed after %v, %v when removed", x.Name, x.at("stopTimeout"), x.at("destroyGraceSeconds"))
		}
	}
}

func TestWorkloadsWaitForTheirImageAndTheStaticFiles(t *testing.T) {
	forEveryStack(t, func(t *testing.T, cfg config.Config, r *run) {
		for _, u := range r.units() {
			waits := func(suffix string) bool {
				return slices.ContainsFunc(u.RPC.GetDependencies(), func(urn string) bool { return strings.HasSuffix(urn, suffix) })
			}
			image := "RemoteImage::backend-image"
			name := fmt.Sprint(u.labels["tarot.workload"])
			if _, watches := watchers[name]; watches {
				image = "RemoteImage::" + name + "-image"
			}
			if name == "monitoring-facts" {
				image = "RemoteImage::node-exporter-image"
			}
			if strings.HasPrefix(u.name, "tarot-test-nginx") {
				image = "RemoteImage::nginx-image"
			}
			if u.labels["tarot.workload"] != nil && !waits(image) {
				t.Errorf("%s does not wait for %s", u.name, image)
			}
			replica := u.labels["tarot.workload"] == "backend"
			if cfg.Volumes.Static != "" && replica && !waits("::tarot-test-publish-static") {
				t.Errorf("%s does not wait for the static files", u.name)
			}
			if len(cfg.Backend.Migrate) > 0 && replica && !waits("::tarot-test-migrate") {
				t.Errorf("%s does not wait for the migration", u.name)
			}
			if strings.HasPrefix(u.name, "tarot-test-nginx-1") && !waits("::tarot-test-nginx-configuration") {
				t.Errorf("%s does not wait for its configuration", u.name)
			}
		}
	})
}

func TestBackendEnvironmentIsTheContracts(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "dev", func(c *config.Config) { c.Backend.Environment = map[string]string{"GREETING": "hi"} }), up)
	want := []any{"ADMIN_PASSWORD_FILE=/run/secrets/admin_password", "DATABASE_URL=sqlite:///./data/dev.db",
		"DEBUG=true", "DEBUGGER_PORT=5678", "FORWARDED_ALLOW_IPS=10.213.11.0/24", "GRACEFUL_TIMEOUT=5", "GREETING=hi",
		"HOST=0.0.0.0", "JWT_SECRET_KEY_FILE=/run/secrets/jwt_secret_key", "PORT=8000",
		fmt.Sprint("RELEASE=", r.outputs["image"].Value), "STATIC_DIR=/app/static", "STATIC_URL=/static", "WEB_CONCURRENCY=1", "WORKERS=1"}
	if got := r.get(t, "Container", "tarot-test-backend-1").list("envs"); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestAReleaseHasStaticFilesOfItsOwn(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers"), up)
	_, tag, _ := strings.Cut(fmt.Sprint(r.outputs["image"].Value), ":")
	envs := r.get(t, "Container", "tarot-test-backend-1").list("envs")
	for _, want := range []string{"STATIC_DIR=/app/static/r/" + tag, "STATIC_URL=/static/r/" + tag, "MIGRATE_ON_START=false"} {
		if !slices.Contains(envs, any(want)) {
			t.Errorf("no %s in %v", want, envs)
		}
	}
	if words := r.get(t, "Container", "tarot-test-publish-static").list("entrypoints"); words[len(words)-1] != "r/"+tag {
		t.Errorf("published to %v", words[len(words)-1])
	}
}

func TestMountsAreWhereTheContractSays(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod", "prod as containers"} {
		r := succeed(t, stack(t, name), up)
		for workload, want := range map[string][]string{
			"backend":        {"tarot_db_data:/app/data", "tarot_static_data:/app/static", "tarot_logs:/app/logs"},
			"nginx":          {"tarot_static_data:/srv/static:ro"},
			"publish-static": {"tarot_static_data:/run/volumes/static"},
			"own-volumes":    {"tarot_db_data:/run/volumes/data", "tarot_static_data:/run/volumes/static", "tarot_logs:/run/volumes/logs"},
		} {
			for _, u := range r.units() {
				var got []string
				for _, m := range u.mounts {
					if source, _ := at(m, "source").(string); strings.HasPrefix(source, "tarot_") {
						got = append(got, source+":"+at(m, "target").(string)+map[any]string{true: ":ro"}[at(m, "readOnly")])
					}
				}
				if u.runs && u.labels["tarot.workload"] == workload && !slices.Equal(got, want) {
					t.Errorf("%s: %s mounts %v, want %v", name, u.name, got, want)
				}
			}
		}
	}
}
