//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// edgeTime is how long nginx waits for an answer here.
const edgeTime = 2

// TestEdge asks the same application what browsers and programs ask, without nginx and
// behind it, and compares. What only nginx does is asked in both runtimes.
//
//suite:core
func TestEdge(t *testing.T) {
	folder, err := filepath.Abs("testdata/edge")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	dev := newStack(t, "Pulumi.dev.yaml", map[string]any{"backend.context": folder, "backend.target": "", "backend.publishPort": port,
		"backend.debuggerPort": 0})
	dev.up()
	prod := prodStack(t, map[string]any{"runtime": "containers", "backend.context": folder, "backend.replicas": 2, "backend.memory": "128m",
		"backend.health.retries": 20, "nginx.proxyTimeout": fmt.Sprint(edgeTime, "s"), "nginx.maxBody": "500m"})
	prod.up()
	devURL, prodURL := fmt.Sprintf("http://localhost:%d", port), fmt.Sprintf("https://localhost:%d", prod.https)

	t.Run("dev and prod answer alike", func(t *testing.T) { alike(t, devURL, prodURL) })
	t.Run("dev and prod stream alike", func(t *testing.T) {
		for _, site := range []string{devURL, prodURL} {
			streams(t, site)
		}
	})
	t.Run("what nobody may claim", func(t *testing.T) { claims(t, prodURL) })
	t.Run("an answer is compressed", func(t *testing.T) {
		large := get(t, prodURL+"/large?bytes=20000", header("Accept-Encoding", "gzip")).want(t, "large", http.StatusOK)
		if large.header.Get("Content-Encoding") != "gzip" || len(large.body) > 2000 {
			t.Errorf("%d bytes, %v", len(large.body), large.header)
		}
	})
	onlyNginx := func(runtime string) {
		t.Run("slow requests, "+runtime, func(t *testing.T) { slow(t, prodURL) })
		t.Run("large requests and answers, "+runtime, func(t *testing.T) { defer prod.in(t)(); prod.transfers(prodURL) })
	}
	onlyNginx("containers")
	t.Run("behind a balancer that ends TLS", func(t *testing.T) { defer prod.in(t)(); prod.balanced() })
	t.Run("behind one that speaks the PROXY protocol", func(t *testing.T) { defer prod.in(t)(); prod.proxied() })
	prod.config("nginx.proxyProtocol", false)
	prod.config("runtime", "swarm")
	prod.up()
	onlyNginx("swarm")
}

// claims are headers of a client that an application would take for nginx's.
func claims(t *testing.T, site string) {
	t.Helper()
	got := get(t, site+"/echo?all=1", header("X-Forwarded-For", "203.0.113.9"), header("X-Forwarded-Proto", "gopher"), header("X_Forwarded_For", "203.0.113.9"),
		header("X_Forwarded-Proto", "gopher"), header("Forwarded", "for=203.0.113.9"), header("SCRIPT_NAME", "/203.0.113.9"), header("X-Forwarded-Ssl", "gopher"))
	if said := string(got.body); got.status != http.StatusOK || strings.Contains(said, "203.0.113.9") || strings.Contains(said, "gopher") ||
		!strings.Contains(said, `"X-Forwarded-Proto": "https"`) {
		t.Errorf("status %d: %s", got.status, said)
	}
}

// balanced asks through a balancer on this machine that ends TLS: the client has asked
// for https, and nginx is asked for http.
func (s *stack) balanced() {
	t := s.t
	origin, _ := url.Parse(fmt.Sprintf("http://localhost:%d", s.http))
	balancer := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(origin)
		r.Out.Host = "shop.example.test"
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.7")
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}, Transport: &http.Transport{DisableKeepAlives: true}} // one that is kept has one answer more of nginx's earlier process
	front := startServer(t, balancer)
	get(t, front+"/echo?all=1").want(t, "a balancer that nobody has named", http.StatusPermanentRedirect)

	// As nginx sees this machine: the gateway of its network.
	s.mustRun("config", "set", "--path", "tarot:nginx.trustedProxies[0]", strings.TrimSuffix(s.subnet(214), "0/24")+"1/32")
	s.up()
	got := get(t, front+"/echo?all=1").want(t, "through the balancer", http.StatusOK).json(t)
	headers := got["headers"].(map[string]any)
	for name, want := range map[string]string{"Host": "shop.example.test", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7",
		"X-Real-IP": "203.0.113.7", "X-Forwarded-Host": "shop.example.test"} {
		if headers[name] != want {
			t.Errorf("%s is %v, want %s", name, headers[name], want)
		}
	}
	get(t, origin.String()+"/health").want(t, "the balancer's own question", http.StatusOK)
	again := get(t, origin.String()+"/quick?a=1", header("X-Forwarded-Proto", "http")).want(t, "a client without TLS", http.StatusPermanentRedirect)
	if to := again.header.Get("Location"); to != fmt.Sprintf("https://localhost:%d/quick?a=1", s.https) {
		t.Errorf("to %s", to)
	}
}
