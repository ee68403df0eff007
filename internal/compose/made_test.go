package compose

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config"
)

// pythonImage is a Dockerfile that most tests do with.
const pythonImage = "FROM python:3.13\nWORKDIR /srv\nCMD [\"gunicorn\", \"shop:app\"]\n"

// project makes files in a folder of its own, where the test is then. A service web that is
// built is there where the Compose file does not begin with "services:".
func project(t *testing.T, compose string, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if !strings.HasPrefix(compose, "services:") {
		compose = "name: shop\nservices:\n  web:\n    build: ./web\n    ports: [\"8000:8000\"]\n" + compose
	}
	all := map[string]string{"compose.yaml": compose, "web/Dockerfile": pythonImage}
	maps.Copy(all, files)
	for name, text := range all {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lines are those that begin with a key.
func lines(r Result, key string) []string {
	var all []string
	for _, line := range r.Missed {
		if line.Key == key {
			all = append(all, line.Why+"; "+line.Mend)
		}
	}
	return all
}

// told is true where a line with the key has all of the words.
func told(r Result, key string, words ...string) bool {
	return slices.ContainsFunc(lines(r, key), func(line string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
	})
}

// Each row is a piece of a Compose file, what a stack file says of it, and what is told: a key,
// and words that are in its line.
func TestEachKeyHasItsPlaceOrItsLine(t *testing.T) {
	const backend = "    " // further keys of web's
	for _, test := range []struct {
		name, compose string
		files         map[string]string
		want          func(config.Config) string // empty: all is well
		told          map[string]string
		quiet         []string // keys that no line has
	}{
		{name: "nothing that nobody asked for", compose: "", want: func(c config.Config) string {
			return differs(c.Backend.DatabaseURL+c.Volumes.Data+c.Volumes.Logs, "", c.Backend.Replicas, 1, c.Backend.Workers, 1, c.Cache.Enabled, false, c.Monitoring.Enabled, false,
				c.Backend.Context, "./web", c.Volumes.Static, "tarot-shop-static", c.Networks.EdgeSubnet, "10.213.9.0/24")
		}},
		{name: "a ready image", compose: "services:\n  web: {image: registry.example/shop:1, ports: [\"80:8000\"]}\n", want: func(c config.Config) string {
			return differs(c.Backend.Image, "registry.example/shop:1", c.Nginx.HTTPPort, 80)
		}},
		{name: "an address of the host's", compose: backend + "hostname: web\n", want: func(c config.Config) string {
			return differs(c.Nginx.Address, "", c.Nginx.HTTPPort, 8000, c.Nginx.TLS.Mode, "off")
		},
			told: map[string]string{"services.web.hostname": "by its service's name"}, quiet: []string{"services.web.ports.8000"}},
		{name: "a port of the host's own address", compose: "services:\n  web: {build: ./web, ports: [\"127.0.0.1:9000:8000\"]}\n",
			want: func(c config.Config) string {
				return differs(c.Nginx.Address, "127.0.0.1", c.Nginx.HTTPPort, 9000, c.Backend.Port, 8000)
			},
			told: map[string]string{"services.web.ports.9000": "tarot:nginx.trustedProxies[0]' 10.213.9.1/32"}},
		{name: "a port that only root has", compose: "services:\n  web: {build: ./web, ports: [\"80:80\"]}\n",
			want: func(c config.Config) string { return differs(c.Backend.Port, 80, c.Nginx.HTTPPort, 80) }},
		{name: "a port in the command, another published one", compose: "services:\n  web: {build: ./web, command: uvicorn shop:app --port 9999, ports: [\"80:9999\", \"5678:5678\"]}\n",
			want: func(c config.Config) string { return differs(c.Backend.Port, 9999, c.Nginx.HTTPPort, 80) }, told: map[string]string{"services.web.ports.5678": "debuggerPort"}},
		{name: "a Dockerfile outside of its folder", compose: "services:\n  web: {build: {context: ./web, dockerfile: ../compose.yaml}, ports: [\"80:80\"]}\n",
			want: func(c config.Config) string { return differs(filepath.Base(c.Backend.Dockerfile), "compose.yaml") }},
		{name: "stop", compose: backend + "stop_grace_period: 1500ms\n", want: func(c config.Config) string {
			return differs(c.Backend.StopGrace, 2*time.Second, c.Backend.Drain, time.Second)
		}},
		{name: "a signal that is the usual one", compose: backend + "stop_signal: TERM\n", quiet: []string{"services.web.stop_signal"}},
		{name: "limits, the short form", compose: backend + "cpus: 0.3\n    mem_limit: 200m\n", want: func(c config.Config) string { return differs(c.Backend.CPUs, 0.3, c.Backend.Memory.String(), "200m") }},
		{name: "limits, the long form", compose: backend + "deploy: {replicas: 3, resources: {limits: {cpus: '1.5', memory: 1G}, reservations: {memory: 64M}}}\n",
			want: func(c config.Config) string {
				return differs(c.Backend.CPUs, 1.5, c.Backend.Memory.String(), "1g", c.Backend.Replicas, 3)
			},
			told: map[string]string{"services.web.deploy.resources.reservations": "nothing is reserved"}},
		{name: "less than a container needs", compose: backend + "mem_limit: 1m\n", want: func(c config.Config) string { return differs(c.Backend.Memory.String(), "512m") },
			told: map[string]string{"services.web.deploy.resources.limits.memory": "at least 6m"}},
		{name: "a user by numbers", compose: backend + "user: \"1234:5678\"\n", want: func(c config.Config) string { return differs(c.Backend.User, "1234:5678") }},
		{name: "a user without its group", compose: backend + "user: \"1234\"\n", want: func(c config.Config) string { return differs(c.Backend.User, "1234:1234") }},
		{name: "root", compose: backend + "user: root\n", want: func(c config.Config) string { return differs(c.Backend.User, "10001:10001") }, told: map[string]string{"services.web.user": "nothing runs as root"}},
		{name: "a user by name", compose: backend + "user: app\n", told: map[string]string{"services.web.user": "app is a name"}},
		{name: "the Dockerfile's user", compose: "", files: map[string]string{"web/Dockerfile": pythonImage + "USER 1001:1002\n"}, want: func(c config.Config) string { return differs(c.Backend.User, "1001:1002") }},
		{name: "the working folder of the image", compose: "", want: func(c config.Config) string { return differs(c.Backend.WorkingDir, "/srv") }},
		{name: "another working folder", compose: backend + "working_dir: /code\n", want: func(c config.Config) string { return differs(c.Backend.WorkingDir, "/code") },
			told: map[string]string{"services.web.working_dir": "WORKDIR /code"}},
		{name: "a folder of the system's", compose: backend + "working_dir: /etc\n", want: func(c config.Config) string { return differs(c.Backend.WorkingDir, "/app") },
			told: map[string]string{"services.web.working_dir": "none of the system's"}},
		{name: "a command before the image's entrypoint", compose: backend + "command: serve it\n", files: map[string]string{"web/Dockerfile": pythonImage + "ENTRYPOINT [\"/start\", \"-v\"]\n"},
			want: func(c config.Config) string {
				return differs(c.Backend.Command, []string{"/start", "-v", "serve", "it"})
			}},
		{name: "an entrypoint of its own", compose: backend + "entrypoint: [\"/mine\"]\n    command: [\"x y\"]\n", files: map[string]string{"web/Dockerfile": pythonImage + "ENTRYPOINT /start\n"},
			want: func(c config.Config) string { return differs(c.Backend.Command, []string{"/mine", "x y"}) }},
		{name: "a password in a command", compose: backend + "command: serve --password=hunter2\n", want: func(c config.Config) string { return differs(len(c.Backend.Command), 0) },
			told: map[string]string{"services.web.command": "a password in it"}},
		{name: "a check by curl is a path", compose: backend + "healthcheck: {test: [CMD-SHELL, \"curl -fsS http://127.0.0.1:8000/up || exit 1\"], interval: 1m, retries: 9}\n",
			want: func(c config.Config) string {
				return differs(c.Backend.Health.Path, "/up", c.Backend.Health.Interval, 2*time.Second, c.Backend.Health.Retries, 9)
			}},
		{name: "a check that asks for more is a command", compose: backend + "healthcheck: {test: \"curl -f http://localhost:8000/up | grep ok\", start_interval: 4s}\n",
			want: func(c config.Config) string {
				return differs(c.Backend.Health.Command, []string{"/bin/sh", "-c", "curl -f http://localhost:8000/up | grep ok"}, c.Backend.Health.Path, "", c.Backend.Health.Interval, 4*time.Second)
			},
			told: map[string]string{"services.web.healthcheck": "no page is known"}},
		{name: "a check at another port is a command", compose: backend + "healthcheck: {test: [CMD, curl, \"http://localhost:9000/up\"]}\n",
			want: func(c config.Config) string {
				return differs(c.Backend.Health.Command, []string{"curl", "http://localhost:9000/up"})
			}},
		{name: "no check", compose: "", want: func(c config.Config) string { return differs(c.Backend.Health.Port, 8000) }, told: map[string]string{"services.web.healthcheck": "there is none"}},
		{name: "the image's own check", compose: "", files: map[string]string{"web/Dockerfile": pythonImage + "HEALTHCHECK --interval=1m CMD wget -q http://localhost:8000/live\n"},
			want: func(c config.Config) string {
				return differs(c.Backend.Health.Port, 0, c.Backend.Health.Path, "", c.Backend.Paths.Health, "/live")
			},
			quiet: []string{"services.web.healthcheck"}},
		{name: "a check with a password", compose: backend + "healthcheck: {test: \"check --token=hunter2\"}\n", want: func(c config.Config) string { return differs(len(c.Backend.Health.Command), 0) },
			told: map[string]string{"services.web.healthcheck": "a password in it"}},
		{name: "hosts", compose: backend + "extra_hosts: [\"a.example:10.0.0.1\", \"b.example:host-gateway\"]\n",
			want: func(c config.Config) string {
				return differs(c.Backend.ExtraHosts, map[string]string{"a.example": "10.0.0.1"})
			},
			told: map[string]string{"services.web.extra_hosts.b.example": "host-gateway is none"}},
		{name: "networks that are internal", compose: backend + "networks: [inner]\nnetworks: {inner: {internal: true}}\n", want: func(c config.Config) string { return differs(c.Networks.BackendEgress, false) },
			told: map[string]string{"networks": "inner"}},
		{name: "a network with a way out", compose: "", want: func(c config.Config) string { return differs(c.Networks.BackendEgress, true) }, quiet: []string{"networks"}},
		{name: "an alias", compose: backend + "networks: {default: {aliases: [shop]}}\n", told: map[string]string{"services.web.networks.default": "name backend where"}},
		{name: "logging", compose: backend + "logging: {driver: local, options: {max-size: 5m}}\n",
			want: func(c config.Config) string {
				return differs(c.Logging.Driver, "local", c.Logging.Options, map[string]string{"max-size": "5m"})
			}},
		{name: "a platform", compose: backend + "platform: linux/arm64\n", want: func(c config.Config) string { return differs(c.Build.Platform, "linux/arm64") }},
		{name: "arguments of a build", compose: "services:\n  web: {build: {context: web, args: {VERSION: \"3\", NPM_TOKEN: hunter2, EMPTY: }}, expose: [8000]}\n",
			want: func(c config.Config) string { return differs(c.Build.Args, map[string]string{"VERSION": "3"}) },
			told: map[string]string{"services.web.build.args.NPM_TOKEN": "docker history"}},
		{name: "restart", compose: backend + "restart: on-failure:3\n", told: map[string]string{"services.web.restart": "on-failure:3"}},
		{name: "restart as it is here", compose: backend + "restart: always\n", quiet: []string{"services.web.restart"}},
		{name: "what every container is anyway", compose: backend + "cap_drop: [ALL]\n    read_only: true\n", quiet: []string{"services.web.cap_drop", "services.web.read_only"}},
		{name: "what nobody can have", compose: backend + "privileged: true\n    devices: [\"/dev/snd\"]\n    ulimits: {nofile: 9}\n    network_mode: host\n    cap_add: [NET_ADMIN]\n    gpus: all\n    shm_size: 1g\n    init: true\n    pid: host\n    container_name: xx\n",
			told: map[string]string{"services.web.privileged": "no capabilities", "services.web.devices": "devices of the host", "services.web.ulimits": "no key for it", "services.web.network_mode": "networks of the stack's",
				"services.web.cap_add": "no capabilities", "services.web.gpus": "devices", "services.web.shm_size": "64 MB", "services.web.init": "tini", "services.web.pid": "has its own", "services.web.container_name": "named by the stack"}},
		{name: "a build's further keys", compose: "services:\n  web: {build: {context: web, ssh: [default], cache_from: [x]}, expose: [8000]}\n",
			told: map[string]string{"services.web.build.ssh": "context, Dockerfile, stage and arguments", "services.web.build.cache_from": "context, Dockerfile"}},
		{name: "extensions are nobody's", compose: backend + "x-note: y\nx-top: z\n", quiet: []string{"services.web.x-note", "x-top"}},
		{name: "configs and jobs", compose: backend + "configs: [c]\nconfigs: {c: {content: x}}\njobs: {nightly: {image: busybox, triggers: {schedule: [{cron: '0 3 * * *'}]}}}\n",
			told: map[string]string{"services.web.configs": "belongs into the release", "configs": "belongs into the release", "jobs": "tarot:schedules"}},
		{name: "labels", compose: backend + "labels: {a: b}\n", told: map[string]string{"services.web.labels": "nobody here reads a"}},
		{name: "a variable that nobody has set", compose: backend + "command: serve $NOT_SET_ANYWHERE\n", told: map[string]string{"compose": "NOT_SET_ANYWHERE"}},
		{name: "a profile that is off", compose: "  debug: {image: busybox, profiles: [tools]}\n", told: map[string]string{"services.debug": "tools"}},
		{name: "a migration", compose: "    depends_on: {prepare: {condition: service_completed_successfully}}\n  prepare: {build: ./web, command: alembic upgrade head, environment: {ONLY: here}}\n",
			want: func(c config.Config) string {
				return differs(c.Backend.Migrate, []string{"alembic", "upgrade", "head"}, len(c.Services), 0)
			},
			told: map[string]string{"services.prepare.environment.ONLY": "the backend's variables"}},
		{name: "a worker is a replica with another command", compose: "    environment: {A: \"1\", B: \"2\"}\n  worker: {build: ./web, command: rq worker, environment: {A: \"1\", B: \"3\", C: \"4\"}, stop_signal: INT}\n",
			want: func(c config.Config) string {
				w := c.Services["worker"]
				return differs(w.Image+w.Context, "", w.Port, 0, w.Command, []string{"rq", "worker"}, w.Environment, map[string]string{"B": "3", "C": "4"}, w.Egress, false, w.StopSignal, "SIGINT", w.Port, 0, w.Update, "")
			}, quiet: []string{"services.worker.environment"}, files: map[string]string{"web/Dockerfile": pythonImage + "EXPOSE 8000\n"}},
		{name: "a worker of a ready image", compose: "services:\n  web: {image: \"shop:1\", ports: [\"80:8000\"]}\n  worker: {image: \"shop:1\", command: rq worker}\n",
			want: func(c config.Config) string {
				return differs(c.Backend.Image, "shop:1", c.Services["worker"].Image, "")
			}},
		{name: "lines of a Dockerfile that go on", compose: backend + "command: serve\n", files: map[string]string{"web/Dockerfile": "FROM python:3.13\nWORKDIR /srv\nENTRYPOINT [\"/a\", \\\n  # why\n  \"/b\"]\n"},
			want: func(c config.Config) string { return differs(c.Backend.Command, []string{"/a", "/b", "serve"}) }},
		{name: "a debugger's port is no web server's", compose: "services:\n  web: {build: ./web, ports: [\"5678:5678\", \"80:9999\"]}\n", want: func(c config.Config) string { return differs(c.Backend.Port, 9999, c.Nginx.HTTPPort, 80) }},
		{name: "a scheduler runs once", compose: "  beat: {build: ./web, command: celery beat}\n", want: func(c config.Config) string { return differs(c.Services["beat"].Update, "stopFirst") }},
		{name: "what a worker has not had", compose: "    environment: {A: \"1\"}\n  worker: {build: ./web, command: rq worker}\n", told: map[string]string{"services.worker.environment": "A, too"}},
		{name: "a database", compose: "    depends_on: [db]\n  db: {image: \"mirror.example/library/postgres:17-alpine\", command: postgres -c fsync=on, environment: {POSTGRES_PASSWORD: hunter2, SECRET_KEY: other}, ports: [\"5432:5432\"], volumes: [\"pg:/var/lib/postgresql/data\"]}\nvolumes: {pg: }\n",
			want: func(c config.Config) string {
				d := c.Services["db"]
				return differs(d.Command, []string{"docker-entrypoint.sh", "postgres", "-c", "fsync=on"}, d.User, "70:70", d.Tmpfs, []string{"/var/run/postgresql"}, d.Volumes, map[string]string{"pg": "/var/lib/postgresql/data"},
					d.SecretEnvironment, []string{"POSTGRES_PASSWORD"}, d.Health.Port, 5432, c.Backend.DependsOn, []string{"db"}, d.Egress, false)
			},
			told: map[string]string{"services.db.ports": "nothing but nginx", "services.db.environment": "reads none of SECRET_KEY"}},
		{name: "RabbitMQ keeps its name", compose: "  mq: {image: rabbitmq}\n", want: func(c config.Config) string {
			return differs(c.Services["mq"].Environment["RABBITMQ_NODENAME"], "rabbit@mq")
		},
			told: map[string]string{"services.mq.hostname": "rabbit@mq"}},
		{name: "a service's name", compose: "  My_Search.1: {image: search, expose: [7700]}\n  alertmanager_: {image: alerts}\n    \n", want: func(c config.Config) string {
			return differs(c.Services["my-search-1"].Port, 7700, c.Services["alertmanager-service"].Image, "alerts")
		}, told: map[string]string{"services.My_Search.1": "it is called my-search-1"}},
		{name: "nginx and what it published", compose: "services:\n  web: {build: ./web, expose: [8000]}\n  proxy: {image: nginx, ports: [\"8080:80\", \"8443:443\"]}\n",
			want: func(c config.Config) string {
				return differs(c.Nginx.HTTPPort, 8080, c.Nginx.HTTPSPort, 8443, c.Nginx.TLS.Mode, "selfSigned", len(c.Services), 0)
			},
			told: map[string]string{"services.proxy": "tarot:routes", "services.proxy.ports.8443": "tlsCertificate"}},
		{name: "a front end on nginx is a service", compose: "  front: {build: ./front, ports: [\"80:80\"]}\n", files: map[string]string{"front/Dockerfile": "FROM node AS made\nRUN npm ci\nFROM nginx\nCOPY --from=made /dist /usr/share/nginx/html\n"},
			want: func(c config.Config) string {
				return differs(c.Services["front"].Port, 80, c.Services["front"].Tmpfs, []string{"/run", "/var/cache/nginx"}, c.Nginx.HTTPPort, 8000)
			},
			told: map[string]string{"services.front.ports": "a route of nginx"}},
		{name: "traefik's rules", compose: "    labels: {\"traefik.http.routers.w.rule\": \"Host(`shop.example`)\", \"traefik.http.routers.w.tls\": \"true\"}\n  api:\n    image: other\n    labels:\n      traefik.http.routers.a.rule: Host(`shop.example`) && PathPrefix(`/v2`)\n      traefik.http.services.a.loadbalancer.server.port: \"9000\"\n      traefik.http.routers.b.rule: HostRegexp(`x`)\n",
			want: func(c config.Config) string {
				return differs(c.Nginx.ServerNames, []string{"shop.example"}, c.Routes["api"], config.Route{Service: "api", Host: "shop.example", Path: "/v2"}, c.Nginx.TLS.Mode, "selfSigned", c.Services["api"].Port, 9000)
			},
			told: map[string]string{"services.api.labels.traefik.http.routers.b.rule": "another one", "services.web.labels.traefik.http.routers.w.tls": "in traefik's place"}},
		{name: "monitoring", compose: "  metrics: {image: prom/prometheus}\n", want: func(c config.Config) string { return differs(c.Monitoring.Enabled, true, len(c.Services), 0) }, told: map[string]string{"services.metrics": "own rules"}},
		{name: "what ends is left out", compose: "  once: {image: busybox, restart: \"no\"}\n", want: func(c config.Config) string { return differs(len(c.Services), 0) }, told: map[string]string{"services.once": "tarot:schedules"}},
		{name: "neither image nor folder, and a Dockerfile in the Compose file", compose: "  x: {build: {context: ., dockerfile_inline: FROM scratch}}\n", want: func(c config.Config) string { return differs(len(c.Services), 0) },
			told: map[string]string{"services.x.build.dockerfile_inline": "write it into"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			project(t, test.compose, test.files)
			r := imported(t, []string{"compose.yaml"})
			if test.want != nil {
				if wrong := test.want(r.Config); wrong != "" {
					t.Error(wrong)
				}
			}
			for key, words := range test.told {
				if !told(r, key, words) {
					t.Errorf("%s: no line with %q: %q", key, words, r.Missed)
				}
			}
			for _, key := range test.quiet {
				if found := lines(r, key); len(found) > 0 {
					t.Errorf("%s is told of: %q", key, found)
				}
			}
			accept(t, r)
			for _, line := range r.Missed {
				if strings.Contains(line.Key+line.Why+line.Mend, "hunter2") {
					t.Errorf("a password is shown: %+v", line)
				}
			}
		})
	}
}

// differs compares values with what they should be, pair by pair.
func differs(pairs ...any) string {
	var wrong []string
	for i := 0; i < len(pairs); i += 2 {
		if !reflect.DeepEqual(pairs[i], pairs[i+1]) {
			wrong = append(wrong, fmt.Sprintf("value %d is %#v, want %#v", i/2+1, pairs[i], pairs[i+1]))
		}
	}
	return strings.Join(wrong, "\n")
}

func TestWhichServiceIsTheBackend(t *testing.T) {
	node := map[string]string{"node/Dockerfile": "FROM node\nEXPOSE 3000\n", "other/Dockerfile": pythonImage}
	for _, test := range []struct{ name, compose, wish, want, fault string }{
		{"the only one that is built", "services: {a: {build: ./web}, b: {image: busybox, ports: [\"1:1\"]}}", "", "a", ""},
		{"not the worker", "services: {a: {build: ./web, command: celery worker}, b: {build: ./web, command: gunicorn --workers 2 x}}", "", "b", ""},
		{"not the worker by its name", "services: {web: {build: ./web, expose: [1]}, my_worker: {build: ./web, expose: [1]}}", "", "web", ""},
		{"the one that listens", "services: {a: {build: ./web}, b: {build: ./other, expose: [\"80\"]}}", "", "b", ""},
		{"the Python one", "services: {a: {build: ./node, ports: [\"80:3000\"]}, b: {build: ./web, ports: [\"81:8000\"]}}", "", "b", ""},
		{"the one that is published", "services: {a: {build: ./web, expose: [\"1\"]}, b: {build: ./other, ports: [\"81:8000\"]}}", "", "b", ""},
		{"never what the platform has a part for", "services: {redis: {image: redis, ports: [\"6379:6379\"]}, db: {image: postgres, ports: [\"1:1\"]}, app: {image: shop, ports: [\"80:80\"]}}", "", "app", ""},
		{"two are as good", "services: {a: {build: ./web, ports: [\"80:8000\"]}, b: {build: ./other, ports: [\"81:8000\"]}}", "", "", "a (publishes 80, builds web), b (publishes 81, builds other); say which one"},
		{"said", "services: {a: {build: ./web, ports: [\"80:8000\"]}, b: {build: ./other, ports: [\"81:8000\"]}}", "a", "a", ""},
		{"said wrongly", "services: {a: {build: ./web}}", "c", "", `there is no service "c" in the project; there are: a`},
		{"none", "services: {db: {image: postgres}, w: {image: x, command: celery worker}}", "", "", "no service of the project is a web application"},
	} {
		t.Run(test.name, func(t *testing.T) {
			project(t, test.compose, node)
			p, err := Load(t.Context(), Source{Files: []string{"compose.yaml"}})
			if err != nil {
				t.Fatal(err)
			}
			root, _ := os.Getwd()
			o := options(root)
			o.Backend = test.wish
			r, err := Import(p, o)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("%v", err)
				}
				var unsure AmbiguousError
				if test.wish == "" && !errors.As(err, &unsure) {
					t.Errorf("%T", err)
				}
				return
			}
			if err != nil || !slices.Contains(r.Became, Became{test.want, "tarot:backend"}) {
				t.Errorf("%v, %v", r.Became, err)
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, test := range []struct{ name, compose, fault string }{
		{"a folder that is not there", "services: {a: {build: ./nowhere}}", "services.a, the backend: tarot:backend.context"},
		{"a Dockerfile that is not there", "services: {a: {build: {context: ./web, dockerfile: ../Dockerfile.web}}}", "tarot:backend.dockerfile"},
		{"a repository", "services: {a: {build: \"https://git.example/shop.git\"}}", "tarot:backend.context"},
	} {
		t.Run(test.name, func(t *testing.T) {
			project(t, test.compose, nil)
			p, err := Load(t.Context(), Source{Files: []string{"compose.yaml"}})
			if err != nil {
				t.Fatal(err)
			}
			root, _ := os.Getwd()
			if _, err := Import(p, options(root)); err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%v", err)
			}
		})
	}
	project(t, "services: {a: {image: x}}", nil)
	p, err := Load(t.Context(), Source{Files: []string{"compose.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Import(p, Options{Stack: "shop", Keep: []string{"cache"}}); err == nil || !strings.Contains(err.Error(), `no service "cache" to keep`) {
		t.Errorf("%v", err)
	}
	for compose, fault := range map[string]string{
		"services: {a: {image: \"${NEVER_SET?give it}\"}}": "give it",
		"services: {a: {imagee: x}}":                       "imagee",
		"services: {a: {image: x, depends_on: [b]}}":       `depends on undefined service "b"`,
	} {
		project(t, compose, nil)
		if _, err := Load(t.Context(), Source{Files: []string{"compose.yaml"}}); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", compose, err)
		}
	}
}
