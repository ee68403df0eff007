//go:build e2e && peers

package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/certificate"
)

// TestPeers releases the same application by this project and by its peers, one
// after the other in one run, under the same load: `make bench-rollout`, which has
// PEERS_KAMAL_PROXY and PEERS_COMPOSE made first. PEERS_RELEASES is how many (5).
//
// All build the same image, have two replicas with the same limits and health
// checks, TLS in front, and end when the new release serves: so the time of a
// release is from the changed source to the last word of the command.
//
//suite:peers
func TestPeers(t *testing.T) {
	releases := number(t, "PEERS_RELEASES", 5)
	var table []string
	for _, p := range []peer{
		{"this project, containers", ours("containers")},
		{"kamal-proxy, two targets", kamal},
		{"docker compose up", compose},
		{"this project, swarm", ours("swarm")},
		{"docker service update", service},
	} {
		t.Run(p.name, func(t *testing.T) {
			site := p.start(t)
			tr := startTraffic(t, site.id, site.api, "")
			time.Sleep(3 * time.Second)
			quiet := tr.p99(time.Now().Add(-3 * time.Second))
			begin := time.Now()
			var took []time.Duration
			for i := range releases {
				started := time.Now()
				site.release(i + 1)
				took = append(took, time.Since(started))
				time.Sleep(time.Second)
			}
			lost, count := tr.lost(begin)
			p99 := tr.p99(begin)
			tr.end(site.volume, site.image)
			slices.Sort(took)
			line := fmt.Sprintf("| %s | %.1f s (%.1f–%.1f) | %d of %d | %d | %d ms (%d ms) |", p.name, took[len(took)/2].Seconds(), took[0].Seconds(), took[len(took)-1].Seconds(),
				len(lost), count, len(tr.closed), p99.Milliseconds(), quiet.Milliseconds())
			t.Log(line, strings.Join(lost[:min(3, len(lost))], "; "))
			table = append(table, line)
		})
	}
	t.Logf("\n| | a release (median, least–most of %d) | lost | WebSockets cut | p99 meanwhile (before) |\n|---|---|---|---|---|\n%s", releases, strings.Join(table, "\n"))
	if len(table) != 5 {
		t.Errorf("%d of 5 have figures", len(table))
	}
}

type peer struct {
	name  string
	start func(*testing.T) site
}

// site is an application that is served.
type site struct {
	id, api, volume, image string
	release                func(number int)
}

func ours(runtime string) func(*testing.T) site {
	return func(t *testing.T) site {
		s := rolloutStack(t, runtime, false)
		s.up()
		out := s.outputs()
		return site{s.id, fmt.Sprint(out["apiUrl"]), s.volume("data"), fmt.Sprint(out["image"]), func(n int) {
			s.edit("tarot/__init__.py", func(code string) string { return fmt.Sprintf("%s# release %d\n", code, n) })
			s.up()
		}}
	}
}

// rival is what the peers share.
type rival struct {
	t      *testing.T
	id     string
	dir    string
	port   int
	subnet string
}

func newRival(t *testing.T) *rival {
	t.Helper()
	id := make([]byte, 3)
	_, _ = rand.Read(id)
	r := &rival{t: t, id: "peer-" + hex.EncodeToString(id), dir: t.TempDir(), port: freePort(t), subnet: fmt.Sprintf("10.216.%d.0/24", id[0])}
	copyProject(t, r.dir)
	pair, err := certificate.SelfSigned(make([]byte, 32), []string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cert.pem": pair.Certificate, "key.pem": pair.Key,
		"Dockerfile.nginx": "FROM nginx:1.30\nCOPY nginx.conf cert.pem key.pem /etc/nginx/\n",
		"nginx.conf":       plainNginx,
		"build.yaml":       fmt.Sprintf("name: %s\nservices: {app: {image: \"${IMAGE}\", build: ./app}}\n", r.id),
		"environment":      strings.Join(r.environment(), "\n") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.build(0)
	docker(t, "volume", "create", r.id+"-data")
	t.Cleanup(func() {
		docker(t, "volume", "rm", r.id+"-data")
		for _, image := range strings.Fields(docker(t, "image", "ls", "--quiet", "--filter", "reference="+r.id+"*")) {
			docker(t, "image", "rm", "--force", image)
		}
	})
	return r
}

func (r *rival) environment() []string {
	return []string{
		"HOST=0.0.0.0", "PORT=8000", "WORKERS=2", "DATABASE_URL=sqlite:///./data/prod.db", "LOG_LEVEL=info", "GRACEFUL_TIMEOUT=10",
		"FORWARDED_ALLOW_IPS=" + r.subnet, "ENABLE_TEST_ENDPOINTS=true",
		"JWT_SECRET_KEY=a-key-of-thirty-two-bytes-or-more-for-a-test", "ADMIN_PASSWORD=a-password",
	}
}

// image is the release's. What is built differs in one line of its source.
func (r *rival) image(n int) string { return r.id + ":" + strconv.Itoa(n) }

func (r *rival) build(n int) {
	file := filepath.Join(r.dir, "app/tarot/__init__.py")
	code, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, fmt.Appendf(code, "# release %d\n", n), 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	// By BuildKit, as all do, which a client may have in Compose only.
	r.compose("build.yaml", n, "build", "--quiet")
}

// compose runs Docker Compose with a file of the release's image.
func (r *rival) compose(file string, n int, args ...string) {
	r.t.Helper()
	words := strings.Fields(os.Getenv("PEERS_COMPOSE"))
	if len(words) == 0 {
		r.t.Fatal("PEERS_COMPOSE names no program: make bench-rollout")
	}
	words = slices.Concat(words, []string{"--file", filepath.Join(r.dir, file)}, args)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "IMAGE="+r.image(n))
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

func (r *rival) site(release func(int)) site {
	api := fmt.Sprintf("https://localhost:%d/api/v1", r.port)
	for range 150 {
		request, _ := http.NewRequest(http.MethodGet, api+"/cards/the-fool", nil)
		if answer, err := visitor.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return site{r.id, api, r.id + "-data", r.image(0), release}
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	r.t.Fatal("it does not answer")
	return site{}
}

// The health check and the limits that the stack has.
var (
	peerHealth = []string{"--health-interval", "1s", "--health-timeout", "3s", "--health-start-period", "3s", "--health-retries", "3"}
	peerLimits = []string{"--cpus", "1", "--memory", "512m"}
)

// plainNginx is what one finds in a tutorial, with what HTTP/1.1 and a replaced
// backend need.
const plainNginx = `worker_processes 1;
events { worker_connections 1024; }
http {
  resolver 127.0.0.11 valid=1s;
  upstream backend { zone backend 64k; least_conn; server backend:8000 resolve; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 8443 ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
    }
  }
}
`

// kamal does what Kamal does on a host: start the new ones, have the proxy check
// and turn to them and drain the old ones, and stop these.
func kamal(t *testing.T) site {
	binary := os.Getenv("PEERS_KAMAL_PROXY")
	if binary == "" {
		t.Fatal("PEERS_KAMAL_PROXY names no program: make bench-rollout")
	}
	r := newRival(t)
	program, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, "kamal-proxy"), program, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, "Dockerfile.kamal"), []byte("FROM python:3.11-slim\nCOPY kamal-proxy cert.pem key.pem /\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	docker(t, "build", "--quiet", "--tag", r.id+"-proxy", "--file", filepath.Join(r.dir, "Dockerfile.kamal"), r.dir)
	docker(t, "network", "create", "--subnet", r.subnet, r.id)
	t.Cleanup(func() { docker(t, "network", "rm", r.id) })
	proxy := r.id + "-proxy"
	docker(t, slices.Concat([]string{"run", "--detach", "--name", proxy, "--network", r.id, "--env", "HOME=/tmp",
		"--publish", fmt.Sprintf("%d:8443", r.port), "--cpus", "0.5", "--memory", "128m", r.id + "-proxy", "/kamal-proxy", "run", "--http-port", "8080", "--https-port", "8443"})...)
	t.Cleanup(func() { docker(t, "rm", "--force", proxy) })
	name := func(n, i int) string { return fmt.Sprintf("%s-%d-%d", r.id, n, i) }
	release := func(n int) {
		deploy := []string{"exec", proxy, "/kamal-proxy", "deploy", "app", "--host", "localhost", "--tls", "--tls-certificate-path", "/cert.pem", "--tls-private-key-path", "/key.pem",
			"--health-check-path", "/health", "--health-check-interval", "1s", "--deploy-timeout", "30s", "--drain-timeout", "10s", "--target-timeout", "60s"}
		for i := range 2 {
			docker(t, slices.Concat([]string{"run", "--detach", "--name", name(n, i), "--network", r.id, "--env-file", filepath.Join(r.dir, "environment"),
				"--volume", r.id + "-data:/app/data", "--user", "10001:10001", "--init", "--stop-timeout", "15"}, peerHealth, peerLimits, []string{r.image(n)})...)
			deploy = append(deploy, "--target", name(n, i)+":8000")
		}
		docker(t, deploy...)
		if n > 0 {
			docker(t, "stop", name(n-1, 0), name(n-1, 1))
			docker(t, "rm", name(n-1, 0), name(n-1, 1))
		}
	}
	last := 0
	t.Cleanup(func() { docker(t, "rm", "--force", name(last, 0), name(last, 1)) })
	release(0)
	return r.site(func(n int) { r.build(n); last = n; release(n) })
}

// compose is `docker compose up`, which waits until the new ones are healthy.
func compose(t *testing.T) site {
	r := newRival(t)
	file := fmt.Sprintf(`name: %[1]s
services:
  backend:
    image: ${IMAGE}
    env_file: environment
    volumes: ["data:/app/data"]
    user: "10001:10001"
    init: true
    cpus: 1.0
    mem_limit: 512m
    stop_grace_period: 15s
    healthcheck: {interval: 1s, timeout: 3s, start_period: 3s, retries: 3}
    deploy: {replicas: 2}
  nginx:
    image: %[1]s-nginx
    ports: ["%[2]d:8443"]
    cpus: 0.5
    mem_limit: 128m
networks: {default: {ipam: {config: [{subnet: %[3]s}]}}}
volumes: {data: {name: %[1]s-data, external: true}}
`, r.id, r.port, r.subnet)
	if err := os.WriteFile(filepath.Join(r.dir, "compose.yaml"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	docker(t, "build", "--quiet", "--tag", r.id+"-nginx", "--file", filepath.Join(r.dir, "Dockerfile.nginx"), r.dir)
	do := func(n int, args ...string) { r.compose("compose.yaml", n, args...) }
	t.Cleanup(func() { do(0, "down") })
	do(0, "up", "--detach", "--wait")
	return r.site(func(n int) { r.build(n); do(n, "up", "--detach", "--wait") })
}

// service is `docker service update` with the order that loses the least.
func service(t *testing.T) site {
	r := newRival(t)
	docker(t, "build", "--quiet", "--tag", r.id+"-nginx", "--file", filepath.Join(r.dir, "Dockerfile.nginx"), r.dir)
	docker(t, "network", "create", "--driver", "overlay", "--subnet", r.subnet, r.id)
	t.Cleanup(func() { // a service's tasks hold on to it, and to the volume
		for range 60 {
			if exec.Command("docker", "network", "rm", r.id).Run() == nil {
				return
			}
			time.Sleep(time.Second)
		}
		t.Errorf("network %s stays", r.id)
	})
	backend, nginx := r.id+"-backend", r.id+"-nginx"
	t.Cleanup(func() {
		docker(t, "service", "rm", backend, nginx)
		for range 60 {
			if docker(t, "ps", "--all", "--quiet", "--filter", "name="+r.id) == "" {
				return
			}
			time.Sleep(time.Second)
		}
	})
	docker(t, slices.Concat([]string{"service", "create", "--detach=false", "--quiet", "--no-resolve-image", "--name", backend, "--replicas", "2", "--network", "name=" + r.id + ",alias=backend", "--endpoint-mode", "dnsrr",
		"--env-file", filepath.Join(r.dir, "environment"), "--mount", "type=volume,source=" + r.id + "-data,target=/app/data", "--user", "10001:10001", "--init",
		"--stop-grace-period", "15s", "--update-order", "start-first", "--limit-cpu", "1", "--limit-memory", "512m"}, peerHealth, []string{r.image(0)})...)
	docker(t, "service", "create", "--detach=false", "--quiet", "--no-resolve-image", "--name", nginx, "--network", r.id, "--endpoint-mode", "dnsrr", "--limit-cpu", "0.5", "--limit-memory", "128m",
		"--publish", fmt.Sprintf("mode=host,published=%d,target=8443", r.port), r.id+"-nginx")
	return r.site(func(n int) {
		r.build(n)
		docker(t, "service", "update", "--detach=false", "--quiet", "--no-resolve-image", "--image", r.image(n), backend)
	})
}
