package status

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tarot-platform/internal/certificate"
	"tarot-platform/internal/engine"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type docker struct {
	replicas []engine.Replica
	wanted   map[string]int
	err      error
	says     map[string]string // what a command in a workload prints
	shut     error             // what writing ends with
	writes   []string          // where that is tried; nil: as ever
	held     engine.Held       // what is not finished
	dumb     bool              // nginx's container
}

func (d docker) Exec(_ context.Context, _, workload string, command ...string) (string, error) {
	if text, there := d.says[workload]; there {
		if slices.Contains(command, seenQuery) {
			return allSeen, nil
		}
		return text, nil
	}
	if workload == "nginx" && !d.dumb {
		return "", nil // it has no certificate
	}
	return "", errors.New(command[0] + " does not answer")
}

func (d docker) Operating(context.Context, string) (engine.Held, bool, error) {
	return d.held, d.held.Run != "", nil
}

func (d docker) CheckWritable(_ context.Context, _, workload string, places ...string) error {
	want := d.writes
	if want == nil {
		want = []string{"/app/data"}
	}
	if workload != "backend" || !slices.Equal(places, want) {
		return fmt.Errorf("%q is asked", places)
	}
	return d.shut
}

func (d docker) Replicas(context.Context, string) ([]engine.Replica, error) { return d.replicas, d.err }
func (d docker) Wanted(context.Context, string) (map[string]int, error)     { return d.wanted, nil }

func replica(name, workload, image, state string) engine.Replica {
	return engine.Replica{ID: name, Name: name, Workload: workload, Image: image, State: state, Since: now.Add(-90 * time.Minute), Node: "here", CPU: 0.25, Memory: 80 << 20, Limit: 512 << 20}
}

// stack has an edge that answers with the code.
func stack(t *testing.T, code int) Outputs {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	t.Cleanup(server.Close)
	return Outputs{
		Runtime: "containers", Release: "r0123456789", Image: "tarot-backend:1", URL: server.URL, HealthURL: server.URL + "/health", APIURL: server.URL + "/api", AdminURL: server.URL + "/admin",
		Services: map[string]Service{"backend": {Replicas: 2}, "nginx": {Replicas: 1}},
	}
}

func running() docker {
	return docker{replicas: []engine.Replica{
		replica("backend-1", "backend", "tarot-backend:1", "healthy"), replica("backend-2", "backend", "tarot-backend:1", "healthy"), replica("nginx-1", "nginx", "nginx:1.30", "healthy"),
	}}
}

func TestProblems(t *testing.T) {
	year := now // the server's certificate is good for long
	for _, test := range []struct {
		name   string
		code   int
		now    time.Time
		change func(*docker, *Outputs)
		want   string
	}{
		{"none", 200, year, func(*docker, *Outputs) {}, ""},
		{"one is missing", 200, year, func(d *docker, _ *Outputs) { d.replicas = d.replicas[1:] }, "backend: 1 of 2 replicas are healthy"},
		{"all are missing", 200, year, func(d *docker, _ *Outputs) { d.replicas = d.replicas[:2] }, "nginx: 0 of 1 replicas are healthy"},
		{"one too many", 200, year, func(d *docker, _ *Outputs) {
			d.replicas = append(d.replicas, replica("backend-3", "backend", "tarot-backend:1", "healthy"))
		}, "backend: 3 of 2 replicas are healthy"},
		{"unhealthy", 200, year, func(d *docker, _ *Outputs) { d.replicas[0].State = "unhealthy" }, "backend-1 is unhealthy"},
		{"unhealthy, by its check", 200, year, func(d *docker, _ *Outputs) {
			d.replicas[0].State, d.replicas[0].Check = "unhealthy", "\nits health check says:\nexit code 1: locked"
		}, "backend-1 is unhealthy; its health check says:\nexit code 1: locked"},
		{"it has no health check", 200, year, func(d *docker, _ *Outputs) { d.replicas[0].State = "running" }, ""},
		{"it is restarted again and again", 200, year, func(d *docker, _ *Outputs) { d.replicas[0].State = "restarting" }, "backend: 1 of 2 replicas are healthy"},
		{"a service with a similar name has another image", 200, year, func(d *docker, o *Outputs) {
			d.replicas = append(d.replicas, replica("backend-admin-1", "backend-admin", "other:1", "healthy"))
			o.Services["backend-admin"] = Service{Replicas: 1}
		}, ""},
		{"it can't write", 200, year, func(d *docker, _ *Outputs) { d.shut = engine.ErrNotWritable }, "backend: it can't write its data"},
		{"it writes elsewhere", 200, year, func(d *docker, o *Outputs) {
			d.writes = []string{"/code/data", "/code/media"}
			o.Services["backend"] = Service{Replicas: 2, Writes: d.writes}
		}, ""},
		{"it writes nowhere", 200, year, func(d *docker, o *Outputs) {
			d.shut, d.writes = errors.New("asked all the same"), []string{}
			o.Services["backend"] = Service{Replicas: 2, Writes: d.writes}
		}, ""},
		{"another image", 200, year, func(d *docker, _ *Outputs) { d.replicas[1].Image = "tarot-backend:0" }, "backend-2 runs tarot-backend:0, not tarot-backend:1"},
		{"out of memory", 200, year, func(d *docker, _ *Outputs) { d.replicas[1].OutOfMemory = true }, "backend-2 was killed for want of memory"},
		{"nearly", 200, year, func(d *docker, _ *Outputs) { d.replicas[1].Memory = 500 << 20 }, "backend-2 uses 97 % of its memory"},
		{"scaled by hand", 200, year, func(d *docker, _ *Outputs) { d.wanted = map[string]int{"backend": 5} }, "backend: 2 of 5 replicas are healthy"},
		{"errors", 500, year, func(*docker, *Outputs) {}, "/health answers 500"},
		{"not healthy", 404, year, func(*docker, *Outputs) {}, "/health answers 404"},
		{"nobody", 200, year, func(_ *docker, o *Outputs) { o.HealthURL = "https://127.0.0.1:1/health" }, "does not answer"},
		{"no certificate", 200, year, func(_ *docker, o *Outputs) { o.URL = "https://127.0.0.1:1" }, "the certificate can't be seen"},
		{"an old certificate", 200, time.Date(2084, 1, 20, 0, 0, 0, 0, time.UTC), func(*docker, *Outputs) {}, "the certificate ends on"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, out := running(), stack(t, test.code)
			test.change(&d, &out)
			s, err := Of(t.Context(), "prod", "tarot-prod", out, d, test.now)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(s.Problems, "; ")
			if test.want == "" && all != "" || !strings.Contains(all, test.want) {
				t.Errorf("problems %q, want %q", all, test.want)
			}
			var text bytes.Buffer
			if err := s.Write(&text); err != nil {
				t.Fatal(err)
			}
			if said := strings.Contains(text.String(), "all is well"); said != (test.want == "") {
				t.Errorf("it says\n%s", text.String())
			}
		})
	}
}

func TestMaintenanceIsNoProblem(t *testing.T) {
	out := stack(t, 503)
	out.Maintenance = true
	s, err := Of(t.Context(), "prod", "tarot-prod", out, running(), now)
	if err != nil || len(s.Problems) > 0 {
		t.Errorf("%v %v", s.Problems, err)
	}
}

func TestWhatCanNotBeTold(t *testing.T) {
	if _, err := Of(t.Context(), "prod", "tarot-prod", stack(t, 200), docker{err: errors.New("no engine")}, now); err == nil {
		t.Error("it is told")
	}
}

func TestTextIsEightyColumnsWide(t *testing.T) {
	d, out := running(), stack(t, 200)
	for i := range d.replicas {
		r := &d.replicas[i]
		r.Name, r.Workload, r.Node, r.State = strings.Repeat("n", 70), strings.Repeat("w", 70), strings.Repeat("o", 70), "restarting"
		r.Restarts, r.CPU, r.Memory, r.Limit = 12345, 12.34, 1023<<20, 1023<<20
	}
	out.Image, out.APIURL = strings.Repeat("i", 100), out.APIURL+"/"+strings.Repeat("u", 100)
	s, err := Of(t.Context(), "prod", "tarot-prod", out, d, now)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.Write(&text); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width && !strings.Contains(line, "nnnnnnnnnnnnnnnnnnnnnnn") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestAge(t *testing.T) {
	for seconds, want := range map[int64]string{45: "45s", 300: "5m", 5400: "90m", 10800: "3h", 864000: "10d"} {
		if got := age(seconds); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
}

// Whatever else is wrong may follow from it.
func TestAnOperationThatIsOpen(t *testing.T) {
	d := running()
	d.held = engine.Held{Run: "r", Who: "ann@host", Since: now, Operation: engine.Upgrade}
	s, err := Of(t.Context(), "prod", "tarot-prod", stack(t, 200), d, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Problems) == 0 || !strings.Contains(s.Problems[0], "the upgrade of the database's PostgreSQL of prod by ann@host") || !strings.Contains(s.Problems[0], "make database-upgrade STACK=prod CONTINUE=yes") {
		t.Errorf("%q", s.Problems)
	}
}

// What answers for the stack is its nginx, or somebody whom this machine trusts.
func TestSomebodyElseAnswers(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	own := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	other, err := certificate.SelfSigned([]byte("other"), []string{"127.0.0.1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		says          map[string]string
		problem, note string
	}{
		"its own":          {map[string]string{"nginx": other.Certificate + own}, "", ""},
		"another's":        {map[string]string{"nginx": other.Certificate}, "somebody else answers, and was sent nothing, nor is it one that this machine trusts", ""},
		"it has none":      {map[string]string{"nginx": ""}, "", ""},
		"it can't be told": {nil, "", "who shows the certificate: which certificate nginx has can not be told"},
	} {
		d, out := running(), stack(t, 200)
		d.says, d.dumb = test.says, test.says == nil
		out.URL, out.HealthURL, out.APIURL, out.AdminURL = server.URL, server.URL+"/health", "", ""
		s, err := Of(t.Context(), "prod", "tarot-prod", out, d, now)
		if err != nil {
			t.Fatal(err)
		}
		problems, notes := strings.Join(s.Problems, "; "), strings.Join(s.Notes, "; ")
		if (problems == "") != (test.problem == "") || !strings.Contains(problems, test.problem) || (notes == "") != (test.note == "") || !strings.Contains(notes, test.note) {
			t.Errorf("%s: problems %q, notes %q", name, problems, notes)
		}
		if test.problem != "" && (s.Certificate != nil || !strings.Contains(problems, "the certificate can't be seen")) {
			t.Errorf("%s: %+v", name, s.Certificate)
		}
	}
}

// wantsProxy are connections that begin with a word on whom they are for, and else end.
type wantsProxy struct{ net.Listener }

func (w wantsProxy) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err == nil {
		word := make([]byte, len("PROXY UNKNOWN\r\n"))
		if _, _ = io.ReadFull(c, word); !strings.HasPrefix(string(word), "PROXY ") {
			_ = c.Close()
		}
	}
	return c, err
}

// Without a balancer between, nginx is asked as that would ask; where the name leads to one, it is not.
func TestTheProxyProtocol(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if wanted {
			server.Listener = wantsProxy{server.Listener}
		}
		server.StartTLS()
		defer server.Close()
		out := stack(t, 200)
		out.URL, out.HealthURL, out.APIURL, out.AdminURL, out.ProxyProtocol = server.URL, server.URL+"/health", "", "", "true"
		s, err := Of(t.Context(), "prod", "tarot-prod", out, running(), now)
		if err != nil || len(s.Problems) > 0 || s.Certificate == nil {
			t.Errorf("wanted %v: %v, %v, %+v", wanted, err, s.Problems, s.Certificate)
		}
		if out.ProxyProtocol = ""; wanted {
			if s, err = Of(t.Context(), "prod", "tarot-prod", out, running(), now); err != nil || len(s.Problems) != 2 {
				t.Errorf("without a word: %v, %v", err, s.Problems)
			}
		}
	}
}
