//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/checks"
)

// list is the checklist before a deploy, and the exit code of who asked for it.
func (s *stack) list(look func(...string) (string, int)) (r checks.Report, code int) {
	s.t.Helper()
	began := time.Now()
	said, code := look("preflight", s.name, "--json")
	s.t.Logf("the checklist, with Pulumi's start: %s", time.Since(began).Round(10*time.Millisecond))
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		s.t.Fatalf("preflight: exit code %d, %v\n%s", code, err, said)
	}
	return r, code
}

// those are the checks of a result.
func those(r checks.Report, result string) (ids []string) {
	for _, c := range r.Checks {
		if c.Result == result {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// preflighted goes through the checklist of a stack that is well: all can be told, and nothing is wrong.
func (s *stack) preflighted() {
	s.t.Helper()
	r, code := s.list(s.operator())
	if code != 0 || r.Has(checks.Fail) || r.Has(checks.Unknown) || r.Has(checks.Warn) || len(r.Checks) < 20 || r.Release == "" {
		s.t.Errorf("preflight: exit code %d\n%+v", code, r)
	}
}

// A stack that runs, and whatever may be in the way of its next deploy: each is refused in its own words before
// anything is touched, and accepted where somebody may know better.
//
//suite:thorough
func TestPreflight(t *testing.T) {
	t.Parallel() // it waits more than it works
	s := releasing(t, "containers")
	look := s.operator()
	if r, code := s.list(look); code != 0 || r.Release != "" || r.Has(checks.Fail) {
		t.Fatalf("before the first up: exit code %d\n%+v", code, r)
	}
	s.up()
	s.preflighted()
	before := s.containers("backend")
	s.certificates()

	stranger, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	port := stranger.Addr().(*net.TCPAddr).Port
	docker(t, "network", "create", "--subnet", s.subnet(219), "e2e-"+s.id+"-stranger")
	defer docker(t, "network", "rm", "e2e-"+s.id+"-stranger")
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0"); r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}`))
		}
	}))
	defer registry.Close()
	low := privilegedPort(t)

	for name, bad := range map[string]struct {
		set    map[string]any
		engine func(info map[string]any)
		id     string
		says   string
		stays  bool // nobody may know better
	}{
		"a port of a stranger's": {set: map[string]any{"nginx.httpPort": port}, id: "ports", stays: true,
			says: fmt.Sprintf(`tarot:nginx.httpPort: "%d" is taken by another process on this machine`, port)},
		"a port that the engine's user may not have": {set: map[string]any{"nginx.httpPort": low}, id: "privileged-ports",
			engine: func(info map[string]any) {
				info["SecurityOptions"] = []string{"name=seccomp,profile=default", "name=rootless"}
			},
			says: fmt.Sprintf(`tarot:nginx.httpPort: "%d" is free, and the user of this engine, which is rootless, is not allowed to have a port below`, low)},
		"a subnet of a stranger's": {set: map[string]any{"networks.edgeSubnet": s.subnet(219)}, id: "subnets", stays: true,
			says: fmt.Sprintf("overlaps with %s of the network e2e-%s-stranger", s.subnet(219), s.id)},
		"a clock": {engine: func(info map[string]any) {
			info["SystemTime"] = time.Now().Add(time.Hour).Format(time.RFC3339Nano)
		}, id: "clock", says: "the engine's clock is 1h0m0s ahead of this machine's"},
		"memory": {set: map[string]any{"backend.memory": "900g"}, id: "memory", says: "the limit of backend is 900GiB, and the engine's machine has"},
		// A file system without any room.
		"disk":         {engine: func(info map[string]any) { info["DockerRootDir"] = "/proc" }, id: "disk", says: "0B is free at /proc of the engine's machine"},
		"an engine":    {engine: func(info map[string]any) { info["ServerVersion"] = "19.03.15" }, id: "engine-version", says: "Docker 19.03.15 is older than 20.10"},
		"a secret":     {set: map[string]any{"backend.secrets": []string{"PAYMENT_KEY"}}, id: "environment", stays: true, says: "pulumi config set --secret tarot:PAYMENT_KEY"},
		"another name": {set: map[string]any{"nginx.tls.mode": "given", "nginx.tls.certificate": "good.crt", "nginx.tls.key": "good.key", "nginx.serverNames": []string{"shop.example"}}, id: "certificate", says: "is not for shop.example, which tarot:nginx.serverNames has"},
		"an image": {set: map[string]any{"nginx.image": registry.Listener.Addr().String() + "/nginx:1.30"}, id: "images",
			says: "/nginx:1.30 is not on the engine, and its registry says:"},
	} {
		t.Run(name, func(t *testing.T) {
			env := s.env
			defer s.in(t)()
			defer func() { s.env = env; s.reset() }()
			if bad.engine != nil {
				s.env = append(slices.Clone(env), "DOCKER_HOST="+engineSaying(t, bad.engine))
			}
			s.change(bad.set)
			r, code := s.list(look)
			failed := those(r, checks.Fail)
			if code != 1 || !slices.Equal(failed, []string{bad.id}) {
				t.Fatalf("preflight: exit code %d, %q fail\n%+v", code, failed, r)
			}
			at := slices.IndexFunc(r.Checks, func(c checks.Check) bool { return c.ID == bad.id })
			if c := r.Checks[at]; !strings.Contains(c.Found, bad.says) || !bad.stays && !strings.Contains(c.Mend, "accept[0]' "+bad.id) {
				t.Errorf("%+v", c)
			}
			if said, err := s.run("up", "--yes", "--skip-preview"); err == nil || strings.Count(said, bad.says) != 1 {
				t.Errorf("up: %v\n%s", err, said)
			}
			same(t, before, s.containers("backend"), len(before))
			if bad.stays {
				return
			}
			s.writeConfig(filepath.Base(s.configFile()), map[string]any{"preflight.accept": []string{bad.id}})
			r, code = s.list(look)
			if code == 1 || !slices.Contains(those(r, checks.Warn), bad.id) {
				t.Errorf("accepted: exit code %d\n%+v", code, r)
			}
			if bad.id != "certificate" { // one preview says as much as all
				return
			}
			if said := s.mustRun("preview"); !strings.Contains(said, bad.says) || !strings.Contains(said, "preflight.accept says to go on") {
				t.Errorf("a preview does not say so:\n%s", said)
			}
		})
	}

	t.Run("backups", func(t *testing.T) {
		defer s.in(t)()
		backup := func() checks.Check {
			r, _ := s.list(look)
			return r.Checks[slices.IndexFunc(r.Checks, func(c checks.Check) bool { return c.ID == "backup" })]
		}
		if c := backup(); c.Result != checks.Skip || !strings.Contains(c.Found, "backup.enabled is false") {
			t.Errorf("without any: %+v", c)
		}
		s.config("backup.enabled", true)
		s.up()
		if c := backup(); c.Result != checks.Pass || !strings.Contains(c.Found, "of the kind files there is none yet") {
			t.Errorf("of a young stack: %+v", c)
		}
		for id := range s.containers("backup-replicator") {
			docker(t, "stop", id)
		}
		if c := backup(); c.Result != checks.Unknown || !strings.Contains(c.Found, "nothing that knows of the backups runs") {
			t.Errorf("where it does not run: %+v", c)
		}
	})

	t.Run("no engine", func(t *testing.T) {
		env := s.env
		defer s.in(t)()
		defer func() { s.env = env }()
		s.env = append(slices.Clone(env), "DOCKER_HOST=tcp://127.0.0.1:1")
		if r, code := s.list(look); code != 1 || !slices.Equal(those(r, checks.Fail), []string{"engine"}) {
			t.Errorf("exit code %d\n%+v", code, r)
		}
	})

	t.Run("an up goes on after what is accepted", func(t *testing.T) {
		defer s.in(t)()
		s.change(map[string]any{"nginx.tls.mode": "given", "nginx.tls.certificate": "good.crt", "nginx.tls.key": "good.key", "nginx.serverNames": []string{"shop.example"},
			"preflight.accept": []string{"certificate"}})
		defer s.reset()
		if said := s.up(); !strings.Contains(said, "is not for shop.example") {
			t.Errorf("nobody is told:\n%s", said)
		}
	})
}

// privilegedPort is one below 1024 that nobody has.
func privilegedPort(t *testing.T) int {
	t.Helper()
	for port := 1023; port > 512; port-- {
		connection, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err != nil {
			return port
		}
		_ = connection.Close()
	}
	t.Fatal("none is free")
	return 0
}
