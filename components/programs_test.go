package components

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/site"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// withServices has one service of each kind: of the backend's image, a ready one that the
// backend depends on, and one that is built and answers requests.
func withServices(c *config.Config) {
	of := func(change func(*config.Service)) config.Service {
		s := config.Service{}.Default().(config.Service)
		change(&s)
		return s
	}
	c.Services = map[string]config.Service{
		"worker": of(func(s *config.Service) {
			s.Command, s.Replicas, s.StopGrace = []string{"python", "worker.py"}, 2, 5*60e9
			s.Environment, s.SecretEnvironment, s.Egress = map[string]string{"QUEUE": "default"}, []string{"API_KEY"}, true
		}),
		"search": of(func(s *config.Service) {
			s.Image, s.User, s.Port, s.Volumes = "search:1", "1000:1000", 7700, map[string]string{"data": "/data"}
			s.Health.Path, s.Scrape.Port, s.Tmpfs, s.Secrets = "/health", 7700, []string{"/cache"}, []string{"API_KEY"}
		}),
		"second": of(func(s *config.Service) {
			s.Context, s.Port, s.Health.Path, s.DependsOn = "./second", 3000, "/ready", []string{"worker"}
			s.StopSignal = "SIGINT"
		}),
	}
	to := func(service, host, path string, changes ...func(*config.Route)) config.Route {
		r := config.Route{}.Default().(config.Route)
		r.Service, r.Host, r.Path = service, host, path
		for _, change := range changes {
			change(&r)
		}
		return r
	}
	c.Routes = map[string]config.Route{
		"shop":        to("second", "", "/shop", func(r *config.Route) { r.StripPath, r.Timeout, r.RequestRate, r.Burst = true, 300e9, 50, 20 }),
		"shop-orders": to("backend", "", "/shop/orders", func(r *config.Route) { r.MaxBody = 1 << 30 }),
		"admin":       to("second", "second.example", "/", func(r *config.Route) { r.Allow = []string{"10.0.0.0/8"} }),
		"find":        to("search", "shop.example", "/find"),
	}
	c.Backend.DependsOn = []string{"search"}
	if c.Secrets == nil {
		c.Secrets = map[string]string{}
	}
	c.Secrets["API_KEY"] = "own-api-key"
}

// place is where in what the engine was asked something begins so.
func place(t *testing.T, r *run, what string) int {
	t.Helper()
	index := slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, what) })
	if index < 0 {
		t.Fatalf("nobody asks for %s: %q", what, r.engine.asked)
	}
	return index
}

// What the backend depends on comes first. Services go out with it: where it is verified before
// it starts, they do in between.
func TestServicesStartInOrder(t *testing.T) {
	const container, service = "container tarot-test-%s-1 runs", "service tarot-test-%s runs"
	for name, test := range map[string]struct {
		form  string
		order []string
		first bool // nothing runs yet
	}{
		"prod as containers": {container, []string{"search", "MIGRATE", "backend", "worker", "second", "SWITCH"}, false},
		"prod":               {service, []string{"search", "MIGRATE", "CANARY", "worker", "second", "backend", "SWITCH"}, false},
		"prod, at first":     {service, []string{"search", "MIGRATE", "CANARY", "backend", "worker", "second", "SWITCH"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			name, _, _ := strings.Cut(name, ",")
			r := deploy(stack(t, name, withServices), &recorder{}, &fakeEngine{compared: engine.Comparison{Missing: test.first}})
			if r.err != nil {
				t.Fatal(r.err)
			}
			last := -1
			for _, what := range test.order {
				special := map[string]string{"MIGRATE": "job tarot-test-migrate ends", "CANARY": "scale tarot-test-backend-candidate", "SWITCH": "nginx runs its configuration"}[what]
				at := place(t, r, cmp.Or(special, fmt.Sprintf(test.form, what)))
				if at <= last {
					t.Errorf("%s is at %d, after %d: %q", what, at, last, r.engine.asked)
				}
				last = at
			}
		})
	}
}

// A release that is not found good touches no worker, and one whose workers are no good
// reaches nobody.
func TestARunOfWorkersIsAllOrNothing(t *testing.T) {
	runs := func(r *run, what string) bool {
		return slices.ContainsFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, what) })
	}
	for name, test := range map[string]struct{ stack, broken, untouched string }{
		"the canary":           {"prod", "smoke candidate", "service tarot-test-worker"},
		"a worker":             {"prod", "tarot-test-worker", "service tarot-test-backend "},
		"a replica":            {"prod as containers", "smoke tarot-test-backend-1-1a2b3c4", "container tarot-test-worker"},
		"a container's worker": {"prod as containers", "tarot-test-worker-1", "nginx runs its configuration"},
	} {
		inProject(t)
		docker := running("earlier")
		docker.compared = engine.Comparison{Difference: "ContainerSpec.Image"}
		docker.failures = map[string]error{test.broken: errors.New("it broke")}
		r := deploy(stack(t, test.stack, withServices), &recorder{}, docker)
		if r.err == nil || !strings.Contains(r.err.Error(), "it broke") || runs(r, test.untouched) {
			t.Errorf("%s: %v, asked %q", name, r.err, docker.asked)
		}
	}
}

// What has the backend's image is what the backend is, but for what its keys say.
func TestAWorkerIsAReplicaWithAnotherCommand(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod as containers", withServices, func(c *config.Config) { c.Backend.Secrets = []string{"API_KEY"} })
	r := succeed(t, cfg, up)
	worker, backend := r.get(t, "Container", "tarot-test-worker-2"), r.get(t, "Container", "tarot-test-backend-1")
	if worker.at("image") != backend.at("image") || worker.at("user") != backend.at("user") || worker.RPC.GetDeleteBeforeReplace() {
		t.Errorf("%v", worker.In)
	}
	// A secret is in a variable, so what starts it loads them.
	if !reflect.DeepEqual(worker.at("command"), []any{"python", "worker.py"}) || worker.at("destroyGraceSeconds") != 300.0 || worker.at("stopTimeout") != 300.0 {
		t.Errorf("%v for %v", worker.at("command"), worker.at("destroyGraceSeconds"))
	}
	envs := worker.list("envs")
	for _, want := range []string{"DATABASE_URL=sqlite:///./data/prod.db", "QUEUE=default", "GRACEFUL_TIMEOUT=225", "JWT_SECRET_KEY_FILE=/run/secrets/jwt_secret_key", "API_KEY_FILE=/run/secrets/api_key"} {
		if !slices.Contains(envs, any(want)) {
			t.Errorf("%s is not in %v", want, envs)
		}
	}
	for _, e := range envs {
		if name, _, _ := strings.Cut(fmt.Sprint(e), "="); slices.Contains([]string{"PORT", "HOST", "WORKERS", "API_KEY"}, name) {
			t.Errorf("it has %v", e)
		}
	}
	if !slices.ContainsFunc(worker.list("mounts"), func(m any) bool { return at(m, "target") == "/app/data" && at(m, "source") == "tarot_db_data" }) {
		t.Errorf("it has not the database's volume: %v", worker.list("mounts"))
	}
	if !reflect.DeepEqual(worker.at("healthcheck", "tests"), []any{"NONE"}) {
		t.Errorf("what does not listen is asked %v", worker.at("healthcheck", "tests"))
	}
	if slices.ContainsFunc(r.engine.wanted, func(w engine.Wanted) bool { return w.Steady != 0 && w.Steady != 5e9 }) || !slices.ContainsFunc(r.engine.wanted, func(w engine.Wanted) bool { return w.Steady == 5e9 }) {
		t.Errorf("nobody waits for it to run: %+v", r.engine.wanted)
	}
	var loaded string
	for _, upload := range r.get(t, "Container", "tarot-test-worker-files").list("uploads") {
		if at(upload, "file") == "/run/config/environment" {
			loaded = fmt.Sprint(at(upload, "content"))
		}
	}
	if !strings.Contains(loaded, "API_KEY=$(cat '/run/secrets/api_key') && export API_KEY") {
		t.Errorf("the secret is in no variable: %s", loaded)
	}
}

func TestAnotherImageHasWhatItsKeysSayAlone(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers", withServices), up)
	search, second := r.get(t, "Container", "tarot-test-search-1"), r.get(t, "Container", "tarot-test-second-1")
	if got := search.list("envs"); !reflect.DeepEqual(got, []any{"API_KEY_FILE=/run/secrets/api_key", "PORT=7700"}) {
		t.Errorf("%v", got)
	}
	if search.at("image") != "search:1" || search.at("user") != "1000:1000" || !search.RPC.GetDeleteBeforeReplace() || search.at("name") != "tarot-test-search-1" {
		t.Errorf("it has a volume, and its next container starts beside it: %v", search.In)
	}
	if got, _ := second.at("image").(string); !strings.HasPrefix(got, "tarot-second:") || len(got) != len("tarot-second:")+16 || second.at("user") != "10001:10001" || second.at("stopSignal") != "SIGINT" {
		t.Errorf("%v", second.In)
	}
	if v := r.get(t, "Volume", "service-volume-search-data"); v.at("name") != "tarot-test-search-data" || !v.RPC.GetRetainOnDelete() {
		t.Errorf("%v", v.In)
	}
	if !slices.Contains(r.engine.written, "search /data") {
		t.Errorf("nobody tries to write its volume: %v", r.engine.written)
	}
	for _, x := range r.find("RemoteImage") {
		if x.Name == "second-image" && x.at("build", "context") != "./second" {
			t.Errorf("built from %v", x.at("build"))
		}
	}
}

// A container's creation gives an empty volume to whom its image says, so the job comes before.
func TestNewVolumesOfAServiceAreGivenAwayFirst(t *testing.T) {
	inProject(t)
	for name, container := range map[string]string{"prod as containers": "Container tarot-test-search-1", "prod": "Service tarot-test-search"} {
		r := succeed(t, stack(t, name, withServices), up)
		job := r.get(t, "Container", "tarot-test-own-volumes-search")
		if words := job.list("entrypoints"); job.at("image") != "search:1" || !reflect.DeepEqual(words[4:], []any{"1000:1000", "service-volume-search-data", "/data"}) {
			t.Errorf("%s: %v in %v", name, words[4:], job.at("image"))
		}
		if m := job.list("mounts"); len(m) != 1 || at(m[0], "source") != "tarot-test-search-data" || at(m[0], "target") != "/run/volumes/service-volume-search-data" {
			t.Errorf("%s: %v", name, m)
		}
		r = deploy(stack(t, name, withServices), &recorder{}, &fakeEngine{failures: map[string]error{"tarot-test-own-volumes-search": errors.New("it broke")}})
		if r.err == nil || !strings.Contains(r.err.Error(), "it broke") || r.has(container) {
			t.Errorf("%s: %v, and it runs: %v", name, r.err, r.has(container))
		}
	}
}

// The backend's own check is the configuration's, and a worker has none: the image need not
// have one.
func TestAWorkerNeedsNoCheckOfItsImage(t *testing.T) {
	inProject(t)
	asked := func(c *config.Config) { c.Backend.Health.Path = "/healthz/" }
	for _, name := range []string{"prod as containers", "prod"} {
		if r := deploy(stack(t, name, withServices, asked), &recorder{}, &fakeEngine{unchecked: "tarot-backend:"}); r.err != nil {
			t.Errorf("%s: %v", name, r.err)
		}
	}
	unasked := func(c *config.Config) {
		s := c.Services["search"]
		s.Health.Path = ""
		c.Services["search"] = s
	}
	r := deploy(stack(t, "prod", withServices, unasked), &recorder{}, &fakeEngine{unchecked: "search:1"})
	if r.err == nil || !strings.Contains(r.err.Error(), "set one of tarot:services.search.health.path, .port and .command; or tarot:services.search.health.none to true") ||
		r.has("Service tarot-test-search") {
		t.Errorf("%v", r.err)
	}
}

func TestAnErrorOfAServiceNamesItsKeys(t *testing.T) {
	for what, test := range map[string]struct {
		service string
		err     error
		want    string
	}{
		"no check": {"second", fmt.Errorf("image x: %w", workload.ErrNoHealthCheck), "set one of tarot:services.second.health.path, .port and .command; or tarot:services.second.health.none to true"},
		"a volume": {"search", fmt.Errorf("%w: /data/.write-test: Permission denied", engine.ErrNotWritable),
			"docker run --rm --user 0:0 --network none --volume tarot-test-search-data:/data --entrypoint chown search:1 -R 1000:1000 /data"},
		"another error": {"second", errors.New("it broke"), ""},
	} {
		inProject(t)
		key := "tarot-test-" + test.service + "-1"
		if what == "a volume" {
			key = "write in search"
		}
		r := deploy(stack(t, "prod as containers", withServices), &recorder{}, &fakeEngine{failures: map[string]error{key: test.err}})
		if r.err == nil || !strings.Contains(r.err.Error(), test.want) || test.want == "" && strings.Contains(r.err.Error(), "tarot:services") {
			t.Errorf("%s: %v", what, r.err)
		}
	}
}

// Each image is spared, named and recorded as the backend's is.
func TestAReleaseHasTheImagesOfItsServices(t *testing.T) {
	inProject(t)
	docker := &fakeEngine{}
	moving := func(c *config.Config) {
		s := c.Services["search"]
		s.Image = "search:moving"
		c.Services["search"] = s
	}
	r := deploy(stack(t, "prod", withServices, moving), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	labels := labelsOf(r.get(t, "Volume", "release"))
	second := r.get(t, "RemoteImage", "second-image").at("name").(string)
	if want := `{"search":"tarot-search:00000000000000cc","second":"` + second + `"}`; labels["tarot.images"] != want {
		t.Errorf("recorded is %v, want %v", labels["tarot.images"], want)
	}
	if claim := docker.claims[0]; !strings.HasPrefix(claim, fmt.Sprintf("%v tarot-search:00000000000000cc %s for tarot-test", r.outputs["image"].Value, second)) {
		t.Errorf("spared are %s", claim)
	}
	if !slices.Contains(docker.asked, "tag search:moving as tarot-search:00000000000000cc") {
		t.Errorf("asked %q", docker.asked)
	}
	if other := succeed(t, stack(t, "prod", withServices), up); other.outputs["release"].Value == r.outputs["release"].Value {
		t.Error("another image of a service makes the same release")
	}
	without := labelsOf(succeed(t, stack(t, "prod"), up).get(t, "Volume", "release"))
	if _, there := without["tarot.images"]; there {
		t.Errorf("without services: %v", without)
	}
}

func TestAPinnedReleaseHasItsOwnImages(t *testing.T) {
	inProject(t)
	pinned := func(c *config.Config) {
		for name, image := range map[string]string{"search": "search:moving", "second": "tarot-second:00000000000000dd"} {
			s := c.Services[name]
			s.Image, s.Context = image, ""
			c.Services[name] = s
		}
		c.Backend.Image = "tarot-backend:00000000000000aa"
	}
	r := deployAs(stack(t, "prod", withServices, pinned), &recorder{}, &fakeEngine{}, true)
	if r.err != nil {
		t.Fatal(r.err)
	}
	for name, want := range map[string]string{"search-image": "search:moving", "second-image": "tarot-second:00000000000000dd"} {
		if x := r.get(t, "RemoteImage", name); x.at("name") != want || x.at("build") != nil {
			t.Errorf("%s: %v", name, x.In)
		}
	}
}

// Nothing that a service has stored goes because the service does.
func TestAVolumeOfAServiceThatIsGoneStays(t *testing.T) {
	const resource = "service-volume-search-data"
	before := func(retained bool) map[string]state.Volume {
		return map[string]state.Volume{resource: {Name: "tarot-test-search-data", Driver: "local", Retained: retained}}
	}
	for what, test := range map[string]struct {
		retained bool
		changes  []func(*config.Config)
		want     bool
	}{
		"Pulumi would remove it":  {false, nil, true},
		"Pulumi leaves it alone":  {true, nil, false},
		"it is wanted":            {true, []func(*config.Config){withServices}, true},
		"the service has no more": {false, []func(*config.Config){withServices, func(c *config.Config) { s := c.Services["search"]; s.Volumes = nil; c.Services["search"] = s }}, true},
	} {
		inProject(t)
		r := deploy(stack(t, "prod", test.changes...), &recorder{before: before(test.retained)}, &fakeEngine{})
		if r.err != nil || r.has("Volume "+resource) != test.want {
			t.Errorf("%s: %v, it is declared: %v", what, r.err, !test.want)
		}
		if told := strings.Join(r.warnings.texts, "\n"); !test.retained && !strings.Contains(told, "tarot:services has no such volume any more") {
			t.Errorf("%s: nobody is told: %s", what, told)
		}
	}
}

func TestServicesAreWatchedWhereTheySay(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "containers, watched", withServices), up)
	var asked string
	for _, upload := range r.get(t, "Container", "tarot-test-prometheus-files").list("uploads") {
		if at(upload, "file") == "/run/config/prometheus.yml" {
			asked, _ = at(upload, "content").(string)
		}
	}
	if !strings.Contains(asked, "- job_name: search\n    metrics_path: \"/metrics\"\n    dns_sd_configs:\n      - names: [search]\n        type: A\n        port: 7700\n") {
		t.Errorf("%s", asked)
	}
	services, _ := r.outputs["services"].Value.(map[string]any)
	if search, _ := services["search"].(map[string]any); search["job"] != "search" || services["worker"] == nil {
		t.Errorf("status: %v", services)
	}
	if needs := fmt.Sprint(r.engine.needs.Limits); !strings.Contains(needs, "worker 2 0.5 services.worker.cpus 268435456") {
		t.Errorf("nobody looks whether there is room: %s", needs)
	}
}

// A name that some part of the platform has, or would have once it is switched on.
func TestReservedNamesAreThoseOfThePlatform(t *testing.T) {
	inProject(t)
	cfg := config.Everything()
	cfg.Services, cfg.Schedules, cfg.Backend.Migrate = nil, map[string]config.Schedule{"x": {Enabled: true, Service: config.BackendName}}, []string{"migrate"}
	names := []string{"candidate", "release", "uses", "volume"}
	for _, kind := range []string{config.SQLite, config.Postgres} {
		cfg.Database.Kind = kind
		c := part.Context{Config: cfg, Stack: "tarot-test", Site: part.Site{URL: "https://localhost"}, Release: part.Release{Name: "r1", Image: "app:1"}}
		all, err := part.Collect(parts.All, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			for _, s := range d.Services {
				names = append(names, s.Name)
			}
			for _, j := range d.Jobs {
				names = append(names, j.Name)
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == config.ScheduleWorkload("x") })
	slices.Sort(names)
	names = slices.Compact(names)
	reserved := slices.Sorted(slices.Values(config.Reserved))
	if !slices.Equal(names, reserved) {
		t.Errorf("the platform has\n%v, and reserved are\n%v", names, reserved)
	}
}

// As the backend is: by the nginx that runs, before it sends anybody there.
func TestARoutedServiceIsVerifiedBeforeUsersSeeIt(t *testing.T) {
	const host, switched = "tarot-test-second-1-1a2b3c4", "nginx runs its configuration within 15s"
	inProject(t)
	r := deploy(stack(t, "prod as containers", withServices), &recorder{}, running("earlier"))
	if r.err != nil {
		t.Fatal(r.err)
	}
	verified := place(t, r, "smoke test of https://localhost:4443/ready "+host+":3000 within 30s")
	known := place(t, r, "smoke test of https://localhost/shop/ready backend within 30s")
	if at := place(t, r, switched); verified > at || known < at {
		t.Errorf("verified at %d, switched at %d, asked by its route at %d: %q", verified, at, known, r.engine.asked)
	}
	docker := running("earlier")
	docker.failures = map[string]error{"smoke " + host: errors.New("it broke")}
	r = deploy(stack(t, "prod as containers", withServices), &recorder{}, docker)
	if r.err == nil || !strings.Contains(r.err.Error(), host+", before it got users' requests: it broke") || slices.Contains(docker.asked, switched) ||
		!slices.Contains(docker.asked, "stop tarot-test-second-1") {
		t.Errorf("%v, asked %q", r.err, docker.asked)
	}
}

func TestARoutedServiceHasACanaryInSwarm(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod", withServices), up)
	canary := r.get(t, "Service", "tarot-test-second-candidate")
	alias := canary.at("taskSpec", "networksAdvanceds", 0, "aliases", 0) // another one than the backend's, which may still end
	if canary.at("mode", "replicated", "replicas") != 0.0 || alias != "second-candidate" {
		t.Errorf("%v", canary.In)
	}
	for _, name := range []string{"worker", "search"} { // nobody asks the one, and the other owns data
		if r.has("Service tarot-test-" + name + "-candidate") {
			t.Errorf("%s has a canary", name)
		}
	}
	if names := fmt.Sprint(r.engine.needs.Names.Services); !strings.Contains(names, "second-candidate") {
		t.Errorf("nobody looks whether the name is free: %s", names)
	}
}

func TestNginxTurnsToTheHostsOfServices(t *testing.T) {
	for name, hosts := range map[string][]string{"prod": {"second", "search"}, "prod as containers": {"tarot-test-second-1-1a2b3c4", "tarot-test-search-1"}} {
		inProject(t)
		files := uploaded(t, succeed(t, stack(t, name, withServices), up))
		for i, port := range []string{"3000", "7700"} {
			if want := "server " + hosts[i] + ":" + port + " resolve max_fails=1"; !strings.Contains(files["nginx.conf"], want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		if !strings.Contains(files["nginx.conf"], hosts[0]+" "+hosts[1]+"\\n$shut") && !strings.Contains(files["nginx.conf"], hosts[1]+" "+hosts[0]+"\\n$shut") {
			t.Errorf("%s: the deploy is not told who is asked", name)
		}
	}
}

func TestACertificateIsForTheHostsOfRoutes(t *testing.T) {
	inProject(t)
	s := stack(t, "prod", withServices)
	if got := fmt.Sprint(site.Site{Config: s, Host: "localhost"}.Names()); !strings.Contains(got, "second.example shop.example") {
		t.Error(got)
	}
}
