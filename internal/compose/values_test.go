package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"tarot-platform/internal/config"
)

func TestSecretsAreToldApart(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"POSTGRES_PASSWORD", "x", true}, {"POSTGRES_PASSWORD", "12345", true}, {"POSTGRES_PASSWORD", "", false}, {"DB_PASS", "x", true}, {"MYSQL_PWD", "x", true},
		{"SECRET_KEY", "x", true}, {"STRIPE_API_KEY", "x", true}, {"stripe_api_key", "x", true}, {"GITHUB_TOKEN", "x", true}, {"SENTRY_DSN", "https://k@sentry.example/1", true},
		{"AWS_ACCESS_KEY_ID", "AKIA", true}, {"JWT_SECRET_BASE", "x", true}, {"TOKEN", "x", true}, {"KEY", "x", true},
		{"DATABASE_URL", "postgres://a:b@c/d", true}, {"DATABASE_URL", "postgres://c/d", false}, {"DATABASE_URL", "postgres://a@c/d", false},
		{"BROKER", "amqp://guest:guest@mq//", true}, {"LIST", "redis://a:6379,redis://:pw@b:6379", true}, {"DSN", "host=a password=b", true}, {"X", "sqlite:////data/x.db", false},
		{"KEYFILE", "-----BEGIN PRIVATE KEY-----\nx", true}, {"CERT", "-----BEGIN CERTIFICATE-----\nx", false},
		{"SECURE_SSL", "True", false}, {"USE_TOKEN", "true", false}, {"PASSWORD_MIN_LENGTH", "8", false}, {"ACCESS_TOKEN_EXPIRE_MINUTES", "60", false},
		{"STRIPE_PUBLISHABLE_KEY", "pk", false}, {"VAPID_PUBLIC_KEY", "x", false}, {"DB_PASSWORD_FILE", "/run/secrets/x", false}, {"MONKEY", "x", false}, {"KEY_PREFIX", "shop", false},
		{"CHECK", "mysqladmin ping --password=$MYSQL_PASSWORD", false}, {"CHECK", "mysqladmin ping --password 'x'", true}, {"ARGS", "--requirepass x", true}, {"NOTE", "enter your password here", false},
		{"ALLOWED_HOSTS", "shop.example", false}, {"TZ", "Asia/Shanghai", false}, {"COMPASS", "north", false},
	} {
		if got := isSecret(test.name, test.value); got != test.want {
			t.Errorf("%s=%s: %v", test.name, test.value, got)
		}
	}
}

func TestVariablesHaveTheirPlaces(t *testing.T) {
	project(t, `    env_file: [some.env]
    environment:
      PLAIN: a
      PORT: "8000"
      WEB_CONCURRENCY: "3"
      DATABASE_URL: postgresql://shop:hunter2hunter2@db/shop
      JWT_SECRET_KEY: hunter2-hunter2-hunter2-hunter2-hunter2
      ADMIN_PASSWORD: short
      JWT_SECRET_KEY_FILE: /x
      lower_password: hunter2
      REDIS_URL: redis://queue:6379/2
      CELERY_BROKER_URL: redis://:hunter2@queue:6379/0
      QUEUE_HOST: queue
      QUEUE: queue
      API: http://my_api:9000/x,http://other/my_api
      SELF_HOST: web
      MODE: web
      PARTS: web,queue,my_api
      PEERS: "web:80,x@my_api"
      EMPTY_TOKEN: ""
      UNSET:
    depends_on: [queue]
  queue: {image: redis, command: redis-server --requirepass hunter2, deploy: {resources: {limits: {memory: 128M}}}}
  my_api: {image: api, expose: [9000], environment: {FRONT: "http://web:8000", BROKER_URL: "redis://queue/0", STRIPE_KEY: other}}
  worker: {build: ./web, command: celery worker, environment: {CELERY_BROKER_URL: "redis://:hunter2@queue:6379/0", RESULT_BACKEND: "redis://queue/1"}}
`, map[string]string{"some.env": "STRIPE_KEY=hunter2\nFROM_FILE=${PLAIN_OF_DOTENV}-x\n", ".env": "PLAIN_OF_DOTENV=y\n"})
	r := imported(t, []string{"compose.yaml"})
	b := r.Config.Backend
	if wrong := differs(
		b.Environment, map[string]string{"PLAIN": "a", "QUEUE": "queue", "API": "http://my-api:9000/x,http://other/my_api", "SELF_HOST": "backend", "MODE": "web", "PARTS": "web,queue,my_api", "PEERS": "backend:80,x@my-api", "EMPTY_TOKEN": "", "FROM_FILE": "y-x"},
		b.SecretEnvironment, []string{"STRIPE_KEY"}, b.Workers, 3, b.Port, 8000, b.DatabaseURL, "",
		b.Aliases, map[string]string{"CELERY_BROKER_URL": "REDIS_URL", "RESULT_BACKEND": "REDIS_URL", "JWT_SECRET_KEY": "JWT_SECRET_KEY", "ADMIN_PASSWORD": "ADMIN_PASSWORD"},
		r.Config.Cache.Enabled, true, r.Config.Cache.Profile, "queue", r.Config.Cache.Memory.String(), "128m",
		r.Config.Services["my-api"].Environment, map[string]string{"FRONT": "http://backend:8000"}, len(r.Config.Services["worker"].Environment), 0,
	); wrong != "" {
		t.Error(wrong)
	}
	values := map[string]string{}
	for _, s := range r.Secrets {
		values[s.Name] = s.Value()
	}
	if wrong := differs(values, map[string]string{"databaseUrl": "postgresql://shop:hunter2hunter2@db/shop", "jwtSecretKey": "hunter2-hunter2-hunter2-hunter2-hunter2", "STRIPE_KEY": "hunter2"}); wrong != "" {
		t.Error(wrong)
	}
	for key, words := range map[string]string{
		"services.web.environment.ADMIN_PASSWORD": "at least 8 bytes", "services.web.environment.JWT_SECRET_KEY_FILE": "the platform sets it", "services.web.environment.lower_password": "upper case",
		"services.web.environment.REDIS_URL": "this was 2", "services.worker.environment.RESULT_BACKEND": "this was 1", "services.web.environment.QUEUE_HOST": "--keep queue", "services.web.environment.UNSET": "has no value",
		"services.my_api.environment.STRIPE_KEY": "another value", "services.my_api.environment.BROKER_URL": "tells the backend alone", "services.web.env_file": "written into the stack file", "services.queue.command": "password of its own",
	} {
		if !told(r, key, words) {
			t.Errorf("%s: no line with %q: %q", key, words, lines(r, key))
		}
	}
}

func TestRedisStaysAServiceWhereItIsKept(t *testing.T) {
	project(t, "    environment: {REDIS_HOST: redis, REDIS_URL: \"redis://redis/3\"}\n    depends_on: [redis]\n  redis: {image: redis:7, volumes: [\"kept:/data\"]}\nvolumes: {kept: }\n", nil)
	r := imported(t, []string{"compose.yaml"}, func(o *Options) { o.Keep = []string{"redis"} })
	if wrong := differs(r.Config.Cache.Enabled, false, r.Config.Backend.Environment, map[string]string{"REDIS_HOST": "redis", "REDIS_URL": "redis://redis/3"},
		r.Config.Backend.DependsOn, []string{"redis"}, r.Config.Services["redis"].Volumes, map[string]string{"kept": "/data"}, r.Config.Services["redis"].Health.Port, 6379); wrong != "" {
		t.Error(wrong)
	}
}

func TestSecretsOfFiles(t *testing.T) {
	project(t, `    environment: {DB_PASSWORD_FILE: /run/secrets/pg, PLAIN_FILE: /etc/x}
    secrets: [pg, api_key, {source: odd, target: /etc/odd}, outside]
secrets: {pg: {file: ./pg.txt}, api_key: {environment: THE_API_KEY}, odd: {file: ./pg.txt}, outside: {external: true}}
`, map[string]string{"pg.txt": "hunter2\n", ".env": "THE_API_KEY=hunter3\n"})
	r := imported(t, []string{"compose.yaml"})
	if wrong := differs(r.Config.Backend.Secrets, []string{"DB_PASSWORD", "API_KEY", "ODD"}, r.Config.Backend.Environment, map[string]string{"PLAIN_FILE": "/etc/x"}); wrong != "" {
		t.Error(wrong)
	}
	for _, want := range []Secret{{"API_KEY", "services.web.secrets.api_key", "hunter3"}, {"DB_PASSWORD", "services.web.secrets.pg", "hunter2"}} {
		if !slices.Contains(r.Secrets, want) {
			t.Errorf("no %v in %v", want, r.Secrets)
		}
	}
	if !told(r, "services.web.secrets.odd", "/run/secrets/odd here") || !told(r, "services.web.secrets.outside", "the engine's own") || len(lines(r, "services.web.secrets.api_key")) > 0 {
		t.Errorf("%q", r.Missed)
	}
}

func TestWhatIsStoredComesAlong(t *testing.T) {
	project(t, `    environment: {DATABASE_URL: "sqlite:////srv/data/shop.db"}
    volumes:
      - data:/srv/data
      - media:/srv/media
      - static:/srv/static
      - ./uploads:/srv/uploads
      - ./my logs:/srv/logs
      - ./web:/srv
      - ./nginx.conf:/etc/x.conf:ro
      - /var/run/docker.sock:/var/run/docker.sock
      - /srv/anonymous
      - odd:/etc
      - {type: tmpfs, target: /srv/cache, tmpfs: {size: 1m}}
      - nfs:/srv/nfs
    tmpfs: [/tmp, "/srv/more:mode=700"]
  worker: {build: ./web, command: rq worker, volumes: ["media:/srv/media", "other:/srv/other"]}
  db: {image: "postgres:17", volumes: ["./pg:/var/lib/postgresql/data"]}
  peer: {image: peer, volumes: ["media:/media", "own:/own:ro"]}
volumes: {data: , media: {name: the-media}, static: , odd: , other: , own: {driver_opts: {type: tmpfs, device: x}}, nfs: {driver: netshare}}
`, map[string]string{"uploads/x": "", "my logs/x": "", "nginx.conf": "", "pg/x": ""})
	r := imported(t, []string{"compose.yaml"})
	b, c := r.Config.Backend, r.Config
	if wrong := differs(c.Volumes.Data, "shop_data", c.Volumes.Logs, "tarot-shop-logs", c.Volumes.Static, "tarot-shop-static", b.DatabaseURL, "sqlite:////srv/data/shop.db",
		b.Volumes, map[string]string{"media": "the-media:/srv/media", "uploads": "/srv/uploads"}, b.Tmpfs, []string{"/srv/cache", "/srv/more"},
		c.Services["worker"].Volumes, map[string]string{"other": "/srv/other"}, c.Services["db"].Volumes, map[string]string{"pg": "/var/lib/postgresql/data"}, c.Services["peer"].Volumes, map[string]string{"own": "/own"},
		r.Data, []Data{
			{"./my logs", "tarot-shop-logs", "tarot:backend", "/srv/logs", "10001:10001"},
			{"./pg", "tarot-shop-db-pg", "tarot:services.db", "/var/lib/postgresql/data", "999:999"},
			{"./uploads", config.VolumeName("tarot-shop", "uploads"), "tarot:backend", "/srv/uploads", "10001:10001"},
			{"shop_data", "shop_data", "tarot:backend", "/srv/data", "10001:10001"},
			{"shop_other", "tarot-shop-worker-other", "tarot:services.worker", "/srv/other", "10001:10001"},
			{"shop_own", "tarot-shop-peer-own", "tarot:services.peer", "/own", "10001:10001"},
			{"the-media", "the-media", "tarot:backend", "/srv/media", "10001:10001"},
		}); wrong != "" {
		t.Error(wrong)
	}
	for key, words := range map[string]string{
		"services.web.volumes./srv/static": "nginx serves the static files", "services.web.volumes./srv": "the image has the code", "services.web.volumes./etc/x.conf": "COPY it", "services.web.volumes./var/run/docker.sock": "root on the host",
		"services.web.volumes./srv/anonymous": "without a name", "services.web.volumes./etc": "backend.volumes", "services.web.volumes./srv/cache": "no size of its own", "services.web.tmpfs./srv/more": "mode=700",
		"services.peer.volumes./media": "web", "services.peer.volumes./own": "can be written", "volumes.own.driver_opts": "shop_own", "volumes.nfs.driver": "netshare",
	} {
		if !told(r, key, words) {
			t.Errorf("%s: no line with %q: %q", key, words, lines(r, key))
		}
	}
	if got, want := r.Data[0].Copy(), `docker run --rm -v "$PWD"/'my logs':/from:ro -v tarot-shop-logs:/to alpine sh -c 'cp -a /from/. /to/ && chown -R 10001:10001 /to'`; got != want {
		t.Errorf("%s", got)
	}
}

func TestNamesThatAreAlikeStayApart(t *testing.T) {
	project(t, "    environment: {OWN_PASSWORD: hunter2, OWN_PASSWORD_FILE: /x}\n    volumes: [\"a_very_long_name_of_a_volume_number_1:/srv/1\", \"a_very_long_name_of_a_volume_number_2:/srv/2\", \"data:/srv/3\"]\n"+
		"  peer: {image: peer, expose: [1], volumes: [\"p_q:/1\", \"p-q:/2\"]}\n"+
		"volumes: {a_very_long_name_of_a_volume_number_1: , a_very_long_name_of_a_volume_number_2: , data: , p_q: , p-q: }\n", nil)
	r := imported(t, []string{"compose.yaml"})
	if wrong := differs(r.Config.Backend.Volumes, map[string]string{
		"a-very-long-name-of-a-volume-n": "shop_a_very_long_name_of_a_volume_number_1:/srv/1", "a-very-long-name-of-a-volum-2": "shop_a_very_long_name_of_a_volume_number_2:/srv/2", "backend-data": "shop_data:/srv/3",
	}, r.Config.Services["peer"].Volumes, map[string]string{"p-q": "/1", "p-q-2": "/2"}, len(r.Data), 5); wrong != "" {
		t.Error(wrong)
	}
	// A secret that no key lists would be refused as one that nobody knows.
	if len(r.Secrets) > 0 || !told(r, "services.web.environment.OWN_PASSWORD", "docker inspect") {
		t.Errorf("%v, %q", r.Secrets, r.Missed)
	}
	accept(t, r)
}

// accept writes the stack file, and reads it as the platform does.
func accept(t *testing.T, r Result) {
	t.Helper()
	if err := r.Write("Pulumi.shop.yaml", nil); err != nil {
		t.Fatal(err)
	}
	accepted(t, r, "Pulumi.shop.yaml")
}

func TestADatabaseThatNoVolumeKeepsIsTold(t *testing.T) {
	project(t, "    environment: {DATABASE_URL: \"sqlite:////srv/shop.db\"}\n", nil)
	r := imported(t, []string{"compose.yaml"})
	if r.Config.Backend.DatabaseURL != "" || !told(r, "services.web.environment.DATABASE_URL", "keep the file in a volume") {
		t.Errorf("%q %q", r.Config.Backend.DatabaseURL, r.Missed)
	}
}

func TestComposesOwnWaysAreFollowed(t *testing.T) {
	project(t, "services:\n  web: {extends: {file: base.yaml, service: base}, environment: {A: \"${A:-none}\"}}\ninclude: [more.yaml]\n", map[string]string{
		"base.yaml": "services: {base: {build: ./web, ports: [\"8000:8000\"], environment: {B: \"2\"}}}\n", "more.yaml": "services: {extra: {image: x, expose: [1], profiles: [more]}}\n",
		"over.yaml": "services: {web: {environment: {B: \"3\"}, ports: !reset []}}\n", "my.env": "A=mine\n", "compose.override.yaml": "services: {web: {environment: {B: \"4\"}}}\n"})
	load := func(s Source) Result {
		p, err := Load(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		root, _ := os.Getwd()
		r, err := Import(p, options(root))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	plain := load(Source{Files: []string{"compose.yaml"}})
	if wrong := differs(plain.Config.Backend.Environment, map[string]string{"A": "none", "B": "2"}, len(plain.Config.Services), 0, told(plain, "compose", "compose.override.yaml is beside it"), true); wrong != "" {
		t.Error(wrong)
	}
	all := load(Source{Files: []string{"compose.yaml", "over.yaml"}, Profiles: []string{"more"}, EnvFiles: []string{"my.env"}})
	if wrong := differs(all.Config.Backend.Environment, map[string]string{"A": "mine", "B": "3"}, all.Config.Services["extra"].Image, "x", all.Config.Nginx.HTTPPort, 80); wrong != "" {
		t.Error(wrong)
	}
}

func TestAStackFileIsWrittenAtOnceOrNotAtAll(t *testing.T) {
	project(t, "", nil)
	r := imported(t, []string{"compose.yaml"})
	if err := r.Write("Pulumi.shop.yaml", []string{"compose.yaml"}); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile("Pulumi.shop.yaml")
	if err := r.Write("Pulumi.shop.yaml", []string{"another.yaml"}); err == nil || !strings.Contains(err.Error(), "is there, and is not written over") {
		t.Errorf("%v", err)
	}
	if second, _ := os.ReadFile("Pulumi.shop.yaml"); string(second) != string(first) {
		t.Error("it was written over")
	}
	if err := r.Write("nowhere/Pulumi.shop.yaml", nil); err == nil {
		t.Error("a folder that is not there")
	}
	if left, _ := filepath.Glob(".import-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Every `pulumi config set` writes the whole file as Pulumi writes YAML: what is not so already
// would be in the difference.
func TestAStackFileIsAsPulumiWritesIt(t *testing.T) {
	for _, name := range []string{"fastapi", "django", "flask", "node"} {
		path := filepath.Join("testdata", name, "Pulumi.shop.yaml")
		stack, err := workspace.LoadProjectStack(nil, &workspace.Project{Name: tokens.PackageName("tarot"), Runtime: workspace.NewProjectRuntimeInfo("go", nil)}, path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "Pulumi.shop.yaml")
		if err := stack.Save(copied); err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(copied)
		want, _ := os.ReadFile(path)
		if string(got) != string(want) {
			t.Errorf("%s: Pulumi writes\n%s", name, got)
		}
	}
}

func TestSubnetsAreThoseOfNoOtherStack(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := Subnets("."); err != nil || got != [3]string{"10.213.3.0/24", "10.213.4.0/24", "10.213.5.0/24"} {
		t.Errorf("%v, %v", got, err)
	}
	if err := os.WriteFile("Pulumi.a.yaml", []byte("x: 10.213.3.0/24\ny: 10.213.5.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Subnets("."); err != nil || got != [3]string{"10.213.4.0/24", "10.213.6.0/24", "10.213.7.0/24"} {
		t.Errorf("%v, %v", got, err)
	}
}
