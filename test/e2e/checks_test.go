//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// checkSite asks every address of the outputs, until all replicas have answered.
func (s *stack) checkSite(out map[string]any, replicas int) {
	t := s.t
	t.Helper()
	url := func(name string) string { return fmt.Sprint(out[name]) }
	seen := map[string]bool{}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		health := get(t, url("healthUrl")).want(t, "health", http.StatusOK).json(t)
		seen[fmt.Sprint(health["instance"])] = true
		if health["release"] != out["image"] {
			t.Fatalf("release %v, want %v", health["release"], out["image"])
		}
		if len(seen) == replicas {
			break
		}
	}
	if len(seen) != replicas {
		t.Errorf("%d replicas have answered, want %d", len(seen), replicas)
	}
	if n := len(s.containers("backend")); n != replicas || fmt.Sprint(out["replicas"]) != fmt.Sprint(replicas) {
		t.Errorf("%d containers, output %v, want %d", n, out["replicas"], replicas)
	}
	get(t, url("url")).want(t, "url", http.StatusOK)
	s.checkDocs(url("url"), url("docsUrl"))
	var cards []map[string]any
	if err := json.Unmarshal(get(t, url("apiUrl")+"/cards").want(t, "cards", http.StatusOK).body, &cards); err != nil {
		t.Fatal(err)
	}
	if n := len(cards); n != 78 {
		t.Errorf("%d cards, want 78", n)
	}
	picture := get(t, url("staticUrl")+"/cards/the-fool.svg").want(t, "a picture", http.StatusOK)
	if kind := picture.header.Get("Content-Type"); kind != "image/svg+xml" {
		t.Errorf("content type of a picture: %q", kind)
	}
	password := fmt.Sprint(out["adminPassword"])
	asked := get(t, url("adminUrl")).want(t, "admin without a password", http.StatusUnauthorized)
	if !strings.HasPrefix(asked.header.Get("WWW-Authenticate"), "Basic") {
		t.Error("admin does not ask for the password")
	}
	get(t, url("adminUrl"), basic("admin", password+"x")).want(t, "admin with a wrong password", http.StatusUnauthorized)
	get(t, url("adminUrl"), basic("admin", password)).want(t, "admin", http.StatusOK)
	login := url("apiUrl") + "/auth/login"
	ask(t, http.MethodPost, login, map[string]string{"username": "admin", "password": "wrong"}).want(t, "login with a wrong password", http.StatusUnauthorized)
	token := ask(t, http.MethodPost, login, map[string]string{"username": "admin", "password": password}).want(t, "login", http.StatusOK).json(t)
	list := url("apiUrl") + "/readings"
	get(t, list).want(t, "readings without a token", http.StatusUnauthorized)
	get(t, list, header("Authorization", fmt.Sprintf("Bearer %v", token["access_token"]))).want(t, "readings", http.StatusOK)
}

// reference is what a page loads, by an attribute or in Swagger UI's settings.
var reference = regexp.MustCompile(`(?:src|href)=["']([^"']+)["']|\burl: ["']([^"']+)["']`)

// checkDocs fails where the page of the documentation needs anything from elsewhere.
func (s *stack) checkDocs(site, page string) {
	t := s.t
	t.Helper()
	found := reference.FindAllStringSubmatch(string(get(t, page).want(t, "docs", http.StatusOK).body), -1)
	if len(found) < 3 {
		t.Errorf("the documentation refers to %v", found)
	}
	for _, match := range found {
		address := match[1] + match[2]
		if !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") {
			t.Errorf("the documentation needs %s", address)
			continue
		}
		get(t, site+address).want(t, address, http.StatusOK)
	}
}

// checkEdge checks what only nginx does.
func (s *stack) checkEdge(out map[string]any) {
	t := s.t
	t.Helper()
	url := fmt.Sprint(out["url"])
	plain := get(t, fmt.Sprintf("http://localhost:%d/docs?a=1", s.http)).want(t, "plain HTTP", http.StatusPermanentRedirect)
	if to := plain.header.Get("Location"); to != url+"/docs?a=1" {
		t.Errorf("redirect to %q", to)
	}
	get(t, url+"/metrics").want(t, "metrics from outside", http.StatusNotFound)
	picture := get(t, fmt.Sprint(out["staticUrl"])+"/cards/the-fool.svg", header("Accept-Encoding", "gzip")).want(t, "a picture", http.StatusOK)
	if kept := picture.header.Get("Cache-Control"); kept != "no-cache" {
		t.Errorf("cache control %q of a file that the next release may change", kept)
	}
	_, tag, _ := strings.Cut(fmt.Sprint(out["image"]), ":")
	own := get(t, fmt.Sprint(out["staticUrl"])+"/r/"+tag+"/cards/the-fool.svg", header("Accept-Encoding", "gzip")).want(t, "a release's picture", http.StatusOK)
	if kept := own.header.Get("Cache-Control"); kept != "max-age=2592000" || !bytes.Equal(own.body, picture.body) {
		t.Errorf("cache control %q, want 30 days; the same picture: %v", kept, bytes.Equal(own.body, picture.body))
	}
	zipped, err := gzip.NewReader(bytes.NewReader(picture.body))
	if err != nil {
		t.Fatalf("a picture is not compressed: %v", err)
	}
	if text, err := io.ReadAll(zipped); err != nil || !bytes.Contains(text, []byte("<svg")) {
		t.Errorf("a picture does not unpack: %v", err)
	}
	answer := get(t, fmt.Sprint(out["apiUrl"])+"/cards", header("X-Request-ID", "e2e-"+s.id))
	if id := answer.header.Get("X-Request-ID"); id != "e2e-"+s.id {
		t.Errorf("request id %q is not passed on", id)
	}
	large := strings.Repeat("x", 11<<20)
	ask(t, http.MethodPost, fmt.Sprint(out["apiUrl"])+"/readings", large).want(t, "a body over the limit", http.StatusRequestEntityTooLarge)
	if first := s.webSocket(fmt.Sprintf("localhost:%d", s.https), "/api/v1/ws/daily"); !strings.Contains(first, "card") {
		t.Errorf("web socket says %q", first)
	}
}

// store makes a reading, twice with one key, and returns its id.
func (s *stack) store(out map[string]any) string {
	t := s.t
	t.Helper()
	post := func() map[string]any {
		return ask(t, http.MethodPost, fmt.Sprint(out["apiUrl"])+"/readings", map[string]string{"question": "e2e?"},
			header("Idempotency-Key", "e2e-"+s.id)).want(t, "a reading", http.StatusCreated).json(t)
	}
	first, second := post(), post()
	if first["id"] != second["id"] {
		t.Errorf("one key made two readings: %v and %v", first["id"], second["id"])
	}
	id := fmt.Sprint(first["id"])
	s.read(out, id)
	return id
}

func (s *stack) read(out map[string]any, id string) {
	s.t.Helper()
	found := get(s.t, fmt.Sprint(out["apiUrl"])+"/readings/"+id).want(s.t, "the stored reading", http.StatusOK).json(s.t)
	if found["question"] != "e2e?" {
		s.t.Errorf("the stored reading is another one: %v", found)
	}
}

// checkSecrets looks for each generated secret wherever one could be read that should not: what the
// engine tells of containers, images, services, configs and volumes, logs, process lists, outputs, and the
// state as it is stored. What is looked for in vain proves nothing unless it can be found: a container under the
// stack's labels that is careless has to be.
func (s *stack) checkSecrets(out map[string]any) {
	t := s.t
	t.Helper()
	image := fmt.Sprint(out["image"])
	secrets := s.secrets()
	if !slices.Contains(secrets, fmt.Sprint(out["adminPassword"])) {
		t.Error("adminPassword is not the generated one")
	}
	for place, text := range s.readable(image) {
		if text == "" {
			t.Errorf("there is nothing in %s", place)
		}
		for _, secret := range secrets {
			if found(text, secret) {
				t.Errorf("a secret is in %s", place)
			}
		}
	}

	canary := "canary-" + s.id + "-of-a-careless-container"
	careless := dockerLine(t, "run", "--detach", "--label", "tarot.stack="+s.prefix(), "--label", "tarot.workload=careless", "--env", "PASSWORD="+canary,
		"--entrypoint", "sh", image, "-c", "echo "+canary+"; sleep 600; true")
	defer s.docker("rm", "--force", careless)
	want := []string{inspected, "the log of careless", "the processes of careless"}
	if fmt.Sprint(out["runtime"]) == "swarm" {
		name := s.prefix() + "-careless"
		file := filepath.Join(t.TempDir(), "careless.conf")
		if err := os.WriteFile(file, []byte("password = "+canary+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.docker("config", "create", name, file)
		defer s.docker("config", "rm", name)
		want = append(want, "Swarm's configs")
	}
	places := s.readable(image)
	for _, place := range want {
		if !found(places[place], canary) {
			t.Errorf("the canary is not found in %s, so nothing would be", place)
		}
	}
}

const inspected = "docker inspect or history"

// found is true where a text has a secret, as it is or in the form that JSON or base64 gives it.
func found(text, secret string) bool {
	quoted, _ := json.Marshal(secret)
	return strings.Contains(text, secret) || strings.Contains(text, strings.Trim(string(quoted), `"`)) ||
		strings.Contains(text, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="))
}

// processes are the command lines in a container: as its own shell reads them, as not every engine's
// host has a `ps`, and as that tells them where there is no shell.
func (s *stack) processes(id string) string {
	s.t.Helper()
	if said, err := exec.Command("docker", "exec", id, "sh", "-c", "cat /proc/[0-9]*/cmdline").Output(); err == nil {
		return strings.ReplaceAll(string(said), "\x00", " ")
	}
	top, err := api(s.t).ContainerTop(context.Background(), id, []string{"-ef"})
	if err != nil {
		s.t.Errorf("the processes of %s: %v", id, err)
	}
	return fmt.Sprint(top.Processes)
}

// readable is what can be read of a stack without its passphrase, by place.
func (s *stack) readable(image string) map[string]string {
	t := s.t
	t.Helper()
	docker, ctx := api(t), context.Background()
	places := map[string]string{inspected: s.inspections(image), "pulumi stack output": s.mustRun("stack", "output", "--json"), "pulumi stack export": s.mustRun("stack", "export")}
	if !strings.Contains(places[inspected], s.prefix()) {
		t.Fatal("the inspections are not this stack's")
	}
	list, err := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "tarot.stack="+s.prefix()))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		workload := c.Labels["tarot.workload"]
		stream, err := docker.ContainerLogs(ctx, c.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err == nil {
			text, _ := io.ReadAll(stream)
			_ = stream.Close()
			places["the log of "+workload] += c.ID + string(text)
		}
		if c.State != container.StateRunning {
			continue
		}
		places["the processes of "+workload] += s.processes(c.ID)
	}
	for _, w := range []string{"backend", "nginx"} {
		if len(s.containers(w)) > 0 && len(places["the log of "+w]) <= 64 {
			t.Errorf("%s has logged nothing", w)
		}
	}
	if configs, err := docker.ConfigList(ctx, swarm.ConfigListOptions{Filters: filters.NewArgs()}); err == nil {
		for _, c := range configs { // names begin with the stack's
			if strings.HasPrefix(c.Spec.Name, s.prefix()) {
				places["Swarm's configs"] += c.Spec.Name + string(c.Spec.Data)
			}
		}
	}
	return places
}

// checkHardening reads the settings of the CIS Docker Benchmark's section 5 off
// the real containers.
func (s *stack) checkHardening(workload string, readOnly bool) {
	t := s.t
	t.Helper()
	for _, c := range s.containers(workload) {
		bad := func(ok bool, what string, value any) {
			t.Helper()
			if !ok {
				t.Errorf("%s: %s: %v", c.Name, what, value)
			}
		}
		host := c.HostConfig
		bad(c.Config.User != "" && !strings.HasPrefix(c.Config.User, "0") && c.Config.User != "root", "user", c.Config.User)
		bad(c.State.Health != nil && c.State.Health.Status == container.Healthy, "health", c.State.Health)
		bad(slices.Equal(host.CapDrop, []string{"ALL"}) && len(host.CapAdd) == 0, "capabilities", host.CapDrop)
		bad(!host.Privileged && host.PidMode != "host" && host.IpcMode != "host" && host.NetworkMode != "host", "host namespaces", host.PidMode)
		bad(host.ReadonlyRootfs || !readOnly, "read-only root", host.ReadonlyRootfs)
		bad(host.Memory > 0 && host.NanoCPUs > 0, "limits", host.Memory)
		bad(host.LogConfig.Type == "json-file" && host.LogConfig.Config["max-size"] == "100m" && host.LogConfig.Config["max-file"] == "5" &&
			host.LogConfig.Config["tag"] == workload, "logging", host.LogConfig)
		for _, m := range c.Mounts {
			bad(m.Type != "bind" || !strings.Contains(m.Source, "docker.sock"), "mount", m.Source)
		}
		for port, bindings := range c.NetworkSettings.Ports {
			for _, b := range bindings {
				bad(workload == "nginx" || b.HostIP == "127.0.0.1", "published port", fmt.Sprint(port, b))
			}
		}
	}
}
