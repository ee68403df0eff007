package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	var asked atomic.Int32
	t.Cleanup(func() {
		if asked.Load() != 3 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	mux.HandleFunc("/draining", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.Handle("/moved", http.RedirectHandler("/ok", http.StatusPermanentRedirect))
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	const briefly = time.Second
	for _, test := range []struct {
		name, url string
		within    time.Duration
		want      string
	}{
		{"at once", plain.URL + "/ok", time.Minute, ""},
		{"with a certificate that nobody trusts", secure.URL + "/ok", time.Minute, ""},
		{"after some time", plain.URL + "/late", time.Minute, ""},
		{"never well", plain.URL + "/draining", briefly, "it answers 503 Service Unavailable"},
		{"with a redirect", plain.URL + "/moved", briefly, "it answers 308 Permanent Redirect"},
		{"not found", plain.URL + "/nowhere", briefly, "it answers 404 Not Found"},
		{"nobody", "http://" + closed.Addr().String(), briefly, "connection refused"},
		{"no address", "http://[", briefly, "missing ']' in host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := Answers(t.Context(), test.url, test.within)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.url) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
