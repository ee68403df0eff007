//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestBadInput gives one stack every kind of bad input. Each has to end with one
// clear message and a non-zero exit, and nothing may be made in the engine.
//
//suite:core
func TestBadInput(t *testing.T) {
	t.Parallel() // with those that ask for little of the machine
	s := prodStack(t, nil)
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	takenPort, _ := strconv.Atoi(port)
	empty := t.TempDir()
	s.certificates()

	for name, bad := range map[string]struct {
		set  map[string]any
		env  []string
		want string // the message, or its beginning
	}{
		"unknown key":           {set: map[string]any{"backend.replica": 3}, want: "tarot:backend.replica: there is no such key; allowed: "},
		"unknown top-level key": {set: map[string]any{"replicas": 3}, want: "tarot:replicas: there is no such key; allowed: "},
		"wrong type":            {set: map[string]any{"backend.replicas": "many"}, want: `tarot:backend.replicas: "many" is not allowed; allowed: a whole number`},
		"no replicas":           {set: map[string]any{"backend.replicas": 0}, want: `tarot:backend.replicas: "0" is not allowed; allowed: a whole number from 1`},
		"negative replicas":     {set: map[string]any{"backend.replicas": -1}, want: `tarot:backend.replicas: "-1" is not allowed`},
		"port out of range":     {set: map[string]any{"nginx.httpPort": 70000}, want: `tarot:nginx.httpPort: "70000" is not allowed; allowed: a whole number from 1 to 65535`},
		"taken port":            {set: map[string]any{"nginx.httpPort": takenPort}, want: fmt.Sprintf(`tarot:nginx.httpPort: "%d" is taken by another process`, takenPort)},
		"memory without a unit": {set: map[string]any{"backend.memory": "512"}, want: `tarot:backend.memory: "512" is not allowed; allowed: a size with a unit`},
		"too little memory":     {set: map[string]any{"backend.memory": "4m"}, want: `tarot:backend.memory: "4m" is not allowed; allowed: a size with a unit, at least 6m`},
		"missing context":       {set: map[string]any{"backend.context": "./nowhere"}, want: `tarot:backend.context: "./nowhere" is not allowed; allowed: a folder that exists`},
		"missing Dockerfile":    {set: map[string]any{"backend.context": empty}, want: `tarot:backend.dockerfile: "Dockerfile" is not allowed; allowed: the path of a file that exists, relative to backend.context`},
		"TLS key of another certificate": {set: map[string]any{"nginx.tls.mode": "given", "nginx.tls.certificate": "good.crt", "nginx.tls.key": "other.key"},
			want: `tarot:nginx.tls.certificate: "good.crt" (tls: private key does not match public key) is not allowed`},
		"expired certificate": {set: map[string]any{"nginx.tls.mode": "given", "nginx.tls.certificate": "old.crt", "nginx.tls.key": "old.key"},
			want: `tarot:nginx.tls.certificate: "old.crt" (the certificate has expired on `},
		"database outside the volume": {set: map[string]any{"backend.databaseUrl": "sqlite:////tmp/x.db"}, want: `tarot:backend.databaseUrl: "sqlite:////tmp/x.db" is not allowed`},
		"no Swarm manager":            {env: []string{"DOCKER_HOST=" + engineThatIsNoManager(t)}, want: `tarot:runtime: "swarm" needs a Swarm manager`},
		"no engine":                   {env: []string{"DOCKER_HOST=tcp://127.0.0.1:1"}, want: "docker engine: no answer at tcp://127.0.0.1:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.env
			defer s.in(t)()
			defer func() { s.env = before; s.reset() }()
			s.env = append(append([]string{}, s.env...), bad.env...)
			s.change(bad.set)
			out, err := s.run("up", "--yes")
			if err == nil {
				t.Fatalf("up succeeded\n%s", out)
			}
			if n := strings.Count(out, bad.want); n != 1 {
				t.Errorf("the message is there %d times, want once: %s\n%s", n, bad.want, out)
			}
			if left := s.made(); len(left) > 0 {
				t.Errorf("made all the same: %s", strings.Join(left, ", "))
			}
		})
	}
}

//suite:core
func TestBuildThatFails(t *testing.T) {
	t.Parallel() // with those that ask for little of the machine
	s := newStack(t, "Pulumi.dev.yaml", map[string]any{"backend.publishPort": freePort(t), "backend.mountCode": false, "backend.target": ""})
	file := filepath.Join(s.dir, "app", "Dockerfile")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := string(text) + "\nUSER 0\nRUN echo the-reason-is-" + s.id + " && false\n"
	if err := os.WriteFile(file, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := s.run("up", "--yes", "--skip-preview")
	if err == nil {
		t.Fatalf("up succeeded\n%s", out)
	}
	// The instruction names the text too: the log's line has it after a time.
	if !strings.Contains(out, " the-reason-is-"+s.id+"\n") {
		t.Errorf("the build's log is not shown\n%s", out)
	}
	if containers := s.containers("backend"); len(containers) > 0 {
		t.Errorf("%d containers run", len(containers))
	}
}

// engineThatIsNoManager is the real engine, which says of itself that it is in
// no swarm.
func engineThatIsNoManager(t *testing.T) string {
	t.Helper()
	return engineSaying(t, func(info map[string]any) {
		info["Swarm"] = map[string]any{"LocalNodeState": "inactive", "ControlAvailable": false}
	})
}

// engineSaying is the real engine, which says something else of itself.
func engineSaying(t *testing.T, change func(info map[string]any)) string {
	t.Helper()
	docker := api(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, _ := http.NewRequestWithContext(r.Context(), r.Method, "http://engine"+r.URL.RequestURI(), r.Body)
		request.Header = r.Header.Clone()
		response, err := docker.HTTPClient().Do(request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.Header().Set("Api-Version", response.Header.Get("Api-Version"))
		if !strings.HasSuffix(r.URL.Path, "/info") {
			w.WriteHeader(response.StatusCode)
			_, _ = io.Copy(w, response.Body)
			return
		}
		var info map[string]any
		_ = json.NewDecoder(response.Body).Decode(&info)
		change(info)
		_ = json.NewEncoder(w).Encode(info)
	}))
	t.Cleanup(proxy.Close)
	return "tcp://" + proxy.Listener.Addr().String()
}

// change sets values in the stack's file; reset takes them back.
func (s *stack) change(values map[string]any) {
	s.t.Helper()
	data, err := os.ReadFile(s.configFile())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.configFile()+".good", data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.writeConfig(filepath.Base(s.configFile()), values)
}

func (s *stack) reset() {
	if err := os.Rename(s.configFile()+".good", s.configFile()); err != nil {
		s.t.Fatal(err)
	}
}

// made names what the engine has of the stack.
func (s *stack) made() []string {
	docker, ctx := api(s.t), context.Background()
	var found []string
	if services, err := docker.ServiceList(ctx, allServices); err == nil {
		for _, v := range services {
			if strings.HasPrefix(v.Spec.Name, s.prefix()) {
				found = append(found, "service "+v.Spec.Name)
			}
		}
	}
	networks, _ := docker.NetworkList(ctx, s.networks())
	for _, n := range networks {
		found = append(found, "network "+n.Name)
	}
	for _, kind := range []string{"data", "static", "logs"} {
		if s.hasVolume(s.volume(kind)) {
			found = append(found, "volume "+s.volume(kind))
		}
	}
	return found
}
