package smoke

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// site is an application that does everything right, but for what a test breaks.
func site(t *testing.T, broken map[string]http.HandlerFunc) (*httptest.Server, *[]string) {
	t.Helper()
	var asked []string
	right := map[string]http.HandlerFunc{
		"GET /health": func(http.ResponseWriter, *http.Request) {},
		"GET /cards":  func(http.ResponseWriter, *http.Request) {},
		"POST /readings": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if string(body) != `{"q":1}` || r.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(r.Header.Get("Idempotency-Key"), "smoke-") {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			// An application behind a proxy may know itself by another name.
			w.Header().Set("Location", "http://internal:8000/readings/7")
			w.WriteHeader(http.StatusCreated)
		},
		"GET /readings/7":    func(http.ResponseWriter, *http.Request) {},
		"DELETE /readings/7": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"GET /static/a.css":  func(http.ResponseWriter, *http.Request) {},
		"GET /admin":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Method + " " + r.URL.Path
		asked = append(asked, key)
		handler := right[key]
		if other, ok := broken[key]; ok {
			handler = other
		}
		if handler == nil || r.Header.Get("X-Token") != "t" || r.Header.Get("X-Smoke-Test") != "true" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server, &asked
}

// knows is TLS that takes the server's certificate.
func knows(server *httptest.Server) *tls.Config {
	c := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.ServerName = "example.com"
	return c
}

func TestACertificateIsChecked(t *testing.T) {
	server, asked := site(t, nil)
	test := Test{Base: server.URL, Header: http.Header{"X-Token": {"t"}}, Health: "/health"}
	if err := test.Run(t.Context(), 2*time.Second); err == nil || !strings.Contains(err.Error(), "certificate") || len(*asked) > 0 {
		t.Errorf("%v, asked %v", err, *asked)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, "because") }
}

func TestItAsksWhoeverIsToAnswer(t *testing.T) {
	server, asked := site(t, nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	test := Test{Base: "https://no.such.host.invalid:" + port, Connect: "127.0.0.1", TLS: knows(server), Header: http.Header{"X-Token": {"t"}}, Health: "/health"}
	if err := test.Run(t.Context(), time.Second); err != nil || len(*asked) != 1 {
		t.Errorf("%v, asked %v", err, *asked)
	}
	test.Connect = ""
	if err := test.Run(t.Context(), time.Second); err == nil {
		t.Error("a name that leads nowhere answers")
	}
}

func TestEveryAnswerCounts(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken map[string]http.HandlerFunc
		want   string
	}{
		{"all is right", nil, ""},
		{"nothing can be deleted", map[string]http.HandlerFunc{"DELETE /readings/7": status(405)}, ""},
		{"not healthy", map[string]http.HandlerFunc{"GET /health": status(503)}, "smoke test: not within 300ms: GET URL/health answers 503 Service Unavailable, want 200: because"},
		{"no read", map[string]http.HandlerFunc{"GET /cards": status(500)}, "smoke test: GET URL/cards answers 500 Internal Server Error, want 200: because"},
		{"a redirect", map[string]http.HandlerFunc{"GET /cards": http.RedirectHandler("/health", http.StatusFound).ServeHTTP}, "smoke test: GET URL/cards answers 302 Found, want 200"},
		{"no write", map[string]http.HandlerFunc{"POST /readings": status(500)}, "smoke test: POST URL/readings answers 500"},
		{"a write that stores nothing", map[string]http.HandlerFunc{"POST /readings": status(200)}, "smoke test: POST URL/readings answers 200 OK, want 201"},
		{"a write to nowhere", map[string]http.HandlerFunc{"POST /readings": status(201)}, "smoke test: POST URL/readings: the answer does not say where it can be read (Location)"},
		{"a write that is lost", map[string]http.HandlerFunc{"GET /readings/7": status(404)}, "smoke test: what was stored can not be read back: GET URL/readings/7 answers 404"},
		{"a delete that breaks", map[string]http.HandlerFunc{"DELETE /readings/7": status(500)}, "smoke test: DELETE URL/readings/7 answers 500"},
		{"no static file", map[string]http.HandlerFunc{"GET /static/a.css": status(404)}, "smoke test: GET URL/static/a.css answers 404"},
		{"an open admin page", map[string]http.HandlerFunc{"GET /admin": status(200)}, "smoke test: GET URL/admin answers 200 OK, want 401"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, asked := site(t, test.broken)
			err := Test{Base: server.URL, TLS: knows(server), Header: http.Header{"X-Token": {"t"}}, Health: "/health", Read: "/cards", Write: "/readings", Body: `{"q":1}`,
				Static: "/static/a.css", Admin: "/admin"}.Run(t.Context(), 300*time.Millisecond)
			want := strings.ReplaceAll(test.want, "URL", server.URL)
			if want == "" && (err != nil || len(*asked) != 7) || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Errorf("%v, want %s; asked %v", err, want, *asked)
			}
		})
	}
}

func TestWhatIsNotConfiguredIsNotAsked(t *testing.T) {
	server, asked := site(t, nil)
	err := Test{Base: server.URL, TLS: knows(server), Header: http.Header{"X-Token": {"t"}}, Health: "/health"}.Run(t.Context(), time.Minute)
	if err != nil || len(*asked) != 1 {
		t.Errorf("%v, %v", *asked, err)
	}
}

func TestHealthIsAskedUntilItAnswers(t *testing.T) {
	times := 0
	server, _ := site(t, map[string]http.HandlerFunc{"GET /health": func(w http.ResponseWriter, _ *http.Request) {
		if times++; times < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}})
	err := Test{Base: server.URL, TLS: knows(server), Header: http.Header{"X-Token": {"t"}}, Health: "/health"}.Run(t.Context(), time.Minute)
	if err != nil || times != 3 {
		t.Errorf("asked %d times, %v", times, err)
	}
	server.Close()
	if err := (Test{Base: server.URL, Health: "/health"}).Run(t.Context(), 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}

// Just after a switch, another release may answer; whatever it says is neither good nor bad.
func TestAnAnswerOfAnotherReleaseDoesNotCount(t *testing.T) {
	for name, test := range map[string]struct {
		others int // answers of another release to each question
		bad    string
		want   string
	}{
		"this one":                   {0, "", ""},
		"the other one first":        {2, "", ""},
		"the other one always":       {1000, "", "smoke test: not within 300ms: GET URL/health: it was the other"},
		"the other one can't write":  {2, "POST /readings", ""},
		"the other one answers 500":  {2, "GET /cards", ""},
		"the other one is not there": {1, "GET /readings/7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen, within := map[string]int{}, 10*time.Second
			if test.want != "" {
				within = 300 * time.Millisecond
			}
			good, _ := site(t, nil)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				key := r.Method + " " + r.URL.Path
				if seen[key]++; seen[key] <= test.others {
					w.Header().Set("Served", "the other")
					if key == test.bad {
						w.WriteHeader(http.StatusInternalServerError)
						return
					}
				}
				good.Config.Handler.ServeHTTP(w, r)
			}))
			defer server.Close()
			err := Test{Base: server.URL, Header: http.Header{"X-Token": {"t"}}, Health: "/health", Read: "/cards", Write: "/readings", Body: `{"q":1}`,
				Static: "/static/a.css", Admin: "/admin",
				From: func(h http.Header) error {
					if served := h.Get("Served"); served != "" {
						return errors.New("it was " + served)
					}
					return nil
				}}.Run(t.Context(), within)
			want := strings.ReplaceAll(test.want, "URL", server.URL)
			if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if want == "" && seen["GET /admin"] != test.others+1 {
				t.Errorf("asked %v", seen)
			}
		})
	}
}
