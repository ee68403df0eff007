//go:build e2e && engines

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestEngine is what differs from engine to engine, on one stack: images are built, both
// runtimes run it, and it is watched. test/engines/current-engine.sh gives it an engine
// beside the machine's own.
//
//suite:engines
func TestEngine(t *testing.T) {
	t.Logf("engine: %s", docker(t, "info", "--format", "{{.ServerVersion}}, {{.Driver}}, {{.DriverStatus}}, containerd {{.Containerd}}"))
	s := prodStack(t, map[string]any{
		"runtime": "swarm", "backend.replicas": 2, "backend.workers": 1,
		"monitoring.enabled": true, "monitoring.interval": "5s", "monitoring.grafana.enabled": false,
		"nginx.ipv6": true, "networks.encrypted": true,
	})
	s.up()
	s.unchanged()
	encrypted := func() string {
		return strings.TrimSpace(s.docker("network", "inspect", s.prefix()+"-backend", "--format", `{{.ID}} {{index .Options "encrypted"}}`))
	}
	before := encrypted()
	if !strings.HasSuffix(before, " true") {
		t.Errorf("the network is not encrypted: %s", before)
	}
	s.run("refresh", "--yes", "--skip-preview")
	s.up()
	if now := encrypted(); now != before {
		t.Errorf("a refresh makes the network anew: %s, was %s", now, before)
	}
	s.config("networks.encrypted", false)
	s.up()
	if now := encrypted(); strings.HasSuffix(now, "true") {
		t.Errorf("the network is still encrypted: %s", now)
	}
	user := newMachine(t)
	s.checkIPv6(user)
	get(t, fmt.Sprint(s.outputs()["healthUrl"])).want(t, "health", 200)
	s.checkWatched()
	s.config("runtime", "containers")
	s.up()
	s.unchanged()
	s.checkIPv6(user)
	s.checkWatched()

	// It is healthy by its own word, and Prometheus gets nothing of it.
	t.Run("the status tells of a target without data", func(t *testing.T) {
		defer s.in(t)()
		s.docker("network", "disconnect", "--force", s.prefix()+"-monitoring", s.one("cadvisor"))
		s.says("no metrics of cadvisor")
	})
}

// checkWatched has every part's containers seen, and the status say that all is well.
func (s *stack) checkWatched() {
	s.t.Helper()
	for _, w := range []string{"backend", "nginx", "prometheus", "alertmanager", "node-exporter", "blackbox", "cadvisor"} {
		want := float64(len(s.containers(w)))
		s.eventually("the memory of all containers of "+w, func() bool {
			// Of now: a Prometheus that starts anew goes on for a minute with what it had last.
			return s.value(fmt.Sprintf(`count(container_memory_working_set_bytes{workload=%[1]q} > 1e6 and time() - timestamp(container_memory_working_set_bytes{workload=%[1]q}) < 30)`, w)) == want
		})
	}
	said, code := s.operator()("status", s.name, "--json")
	var told struct{ Problems []string }
	if err := json.Unmarshal([]byte(said), &told); err != nil || code != 0 || len(told.Problems) > 0 {
		s.t.Errorf("status: exit code %d, %v\n%s", code, err, said)
	}
}

// says waits until the status says so, and that it is a problem.
func (s *stack) says(what string) {
	s.t.Helper()
	look := s.operator()
	var said string
	var code int
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(time.Second) {
		if said, code = look("status", s.name); code == 1 && strings.Contains(strings.Join(strings.Fields(said), " "), what) {
			return
		}
	}
	s.t.Errorf("status: exit code %d, and nothing of %q\n%s", code, what, said)
}

// checkIPv6 has a user come from another machine by IPv4 and by IPv6, who is known by an own address each time.
func (s *stack) checkIPv6(user machine) {
	s.t.Helper()
	page, err := url.Parse(fmt.Sprint(s.outputs()["url"]))
	if err != nil {
		s.t.Fatal(err)
	}
	for host, own := range map[string]string{user.host4: user.own4, user.host6: user.own6} {
		page.Host = net.JoinHostPort(host, cmp.Or(page.Port(), "443"))
		id := "six-" + freeID(s.t)
		said, err := root("ip", "netns", "exec", user.name, "curl", "-gsSk", "--max-time", "10", "-H", "X-Request-ID: "+id, page.String()).CombinedOutput()
		if err != nil {
			s.t.Errorf("%s: %v: %s", page, err, said)
			continue
		}
		s.eventually("nginx knows the user of "+host+" by "+own, func() bool {
			return strings.Contains(s.docker("logs", s.one("nginx")), `"request_id":"`+id+`","client":"`+own+`"`)
		})
	}
}
