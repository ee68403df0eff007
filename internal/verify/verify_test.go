package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/status"
)

// site answers as the application does, and logs as nginx does.
type site struct {
	mu      sync.Mutex
	lines   []string
	silent  bool // its log is lost
	refuses error
	answers map[string]int // by path; else as it should
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.silent {
		s.lines = append(s.lines, `{"level":"info","request_id":"`+r.Header.Get("X-Request-ID")+`"}`)
	}
	code := http.StatusOK
	switch {
	case s.answers[r.URL.Path] != 0:
		code = s.answers[r.URL.Path]
	case r.URL.Path == "/admin":
		code = http.StatusUnauthorized
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/read")
		code = http.StatusCreated
	}
	w.WriteHeader(code)
}

func (s *site) LogSources(context.Context, string) ([]engine.LogSource, error) {
	return []engine.LogSource{{Workload: "backend"}, {Workload: "nginx"}}, s.refuses
}

func (s *site) Follow(_ context.Context, source engine.LogSource, _ string, _ bool, each func(engine.Line)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if source.Workload == "nginx" {
			each(engine.Line{Text: line})
		}
	}
	return nil
}

func (s *site) CheckWritable(context.Context, string, string, ...string) error { return nil }

func stack(address string) Stack {
	return Stack{
		Status: status.Status{Stack: "prod", Release: "r1", Image: "app:1", Database: &status.Database{Version: "18.6"}, Workloads: []status.Workload{
			{Name: "backend", Wanted: 1, Healthy: 1, Replicas: []status.Replica{{Name: "backend-1", Image: "app:1", State: "healthy"}}},
			{Name: "nginx", Wanted: 1, Healthy: 1, Replicas: []status.Replica{{Name: "nginx-1", State: "healthy"}}},
		}},
		Prefix: "tarot-prod", Nginx: true, Own: true, Database: "postgres", Names: []string{"example.com"}, At: strings.TrimPrefix(address, "https://"),
		Test: smoke.Test{Base: address, Health: "/health", Read: "/read", Write: "/write", Body: "{}", Static: "/s.css", Admin: "/admin", TLS: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // of the test
	}
}

// results are those that do not pass.
func results(r checks.Report) string {
	var all []string
	for _, c := range r.Checks {
		if c.Result != checks.Pass {
			all = append(all, c.ID+" "+c.Result)
		}
		if c.Result == checks.Fail && c.Mend == "" {
			all = append(all, "without a word of what to do")
		}
	}
	return strings.Join(all, ", ")
}

func TestEachFaultIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		breaks func(*Stack, *site)
		want   string
	}{
		"all is well":              {func(*Stack, *site) {}, ""},
		"a replica is missing":     {func(s *Stack, _ *site) { s.Status.Workloads[0].Healthy = 0 }, "services fail"},
		"nothing runs":             {func(s *Stack, _ *site) { s.Status.Workloads = nil }, "services fail"},
		"one is unhealthy":         {func(s *Stack, _ *site) { s.Status.Workloads[1].Replicas[0].State = "unhealthy" }, "health-checks fail"},
		"another image":            {func(s *Stack, _ *site) { s.Status.Workloads[0].Replicas[0].Image = "app:0" }, "release fail"},
		"the API":                  {func(_ *Stack, w *site) { w.answers["/read"] = 500 }, "api fail, api-write fail"},
		"the application":          {func(s *Stack, w *site) { w.answers["/health"] = 503 }, "health fail, api skip, api-write skip, static skip, admin skip"},
		"the static files":         {func(_ *Stack, w *site) { w.answers["/s.css"] = 404 }, "static fail"},
		"the admin pages are open": {func(_ *Stack, w *site) { w.answers["/admin"] = 200 }, "admin fail"},
		"nobody says which page":   {func(s *Stack, _ *site) { s.Test.Read = "" }, "api skip"},
		"nothing that is logged": {func(s *Stack, w *site) { s.Test.Read, s.Test.Write, s.Test.Admin, w.silent = "", "", "", true },
			"api skip, api-write skip, admin skip, logs skip"},
		"the database":                  {func(s *Stack, _ *site) { s.Status.Database = nil }, "database fail"},
		"the log is lost":               {func(_ *Stack, w *site) { w.silent = true }, "logs fail"},
		"the log can't be read":         {func(_ *Stack, w *site) { w.refuses = errors.New("configured logging driver does not support reading") }, "logs unknown"},
		"the certificate's name":        {func(s *Stack, _ *site) { s.Names = append(s.Names, "other.example") }, "certificate fail"},
		"a certificate that is foreign": {func(s *Stack, _ *site) { s.Own = false }, "certificate fail"},
		"no TLS":                        {func(s *Stack, _ *site) { s.At = "" }, "certificate skip"},
		"the maintenance page":          {func(s *Stack, _ *site) { s.Status.Maintenance = true }, "health skip, api skip, api-write skip, static skip, admin skip, logs skip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &site{answers: map[string]int{}}
			server := httptest.NewTLSServer(w)
			t.Cleanup(server.Close)
			s := stack(server.URL)
			test.breaks(&s, w)
			r := Of(t.Context(), s, w, time.Now())
			if got := results(r); got != test.want {
				t.Errorf("%s\n%+v", got, r.Checks)
			}
			var text strings.Builder
			if err := r.Write(&text); err != nil || strings.Count(text.String(), "certificate") == 0 {
				t.Errorf("%v\n%s", err, &text)
			}
		})
	}
}

func TestAnExpiredCertificateIsFound(t *testing.T) {
	w := &site{answers: map[string]int{}}
	server := httptest.NewUnstartedServer(w)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	s := stack(server.URL)
	c := s.certificate(t.Context(), server.Certificate().NotAfter.Add(time.Hour))
	if c.Result != checks.Fail || !strings.Contains(c.Found, "it is good from") {
		t.Errorf("%+v", c)
	}
}
