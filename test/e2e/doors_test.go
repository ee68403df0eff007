//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
)

// door is a nginx of the real image, with an application that this test plays.
type door struct {
	// http and https are its addresses, which nothing else can reach.
	http, https string
}

// from is a client of another address: what stands in front says so.
func from(address string) option { return header("X-Forwarded-For", address) }

func host(name string) option { return func(r *http.Request) { r.Host = name } }

// newDoor starts a nginx with the configuration; what it has no value for is as in a stack.
func newDoor(t *testing.T, app http.Handler, change func(*assets.Config)) door {
	t.Helper()
	pair, err := certificate.SelfSigned([]byte("e2e"), []string{"shop.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return newDoorWith(t, app, pair, change, func(text string) string { return text })
}

// newDoorWith is one with another certificate, and what is edited in the configuration.
func newDoorWith(t *testing.T, app http.Handler, pair certificate.Pair, change func(*assets.Config), edit func(text string) string) door {
	t.Helper()
	network := newNetwork(t)
	listener, err := net.Listen("tcp", network.gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: app}}
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	c := assets.Config{Workers: 1, Name: "c0ffee", BackendPort: listener.Addr().(*net.TCPAddr).Port, Replicas: assets.Replicas{Hosts: []string{network.gateway}},
		TLS: true, TrustedProxies: []string{network.gateway + "/32"}, MaxBody: 20 << 20, KeptBodies: 32, RequestRate: 2000, Burst: 4000, Connections: 1000, LoginRate: 10,
		LoginPaths: []string{"/login"}, ProxyTimeout: "1s", HealthPath: "/health", MetricsPath: "/metrics", StaticPath: "/static", StaticFolder: "/run/nginx/static",
		StaticMaxAge: 60, WorkerConnections: 14000, Pages: []assets.Page{{Path: "/grafana", Host: "grafana", Port: 3000}}}
	change(&c)
	text, err := assets.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	id := dockerLine(t, "create", "--interactive", "--network", network.name, "--ulimit", "nofile=1024:16384", "--memory", "128m", "--cpus", "0.5", "--read-only", "--user", "101:101", "--cap-drop", "ALL",
		"--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/nginx:mode=1777", "--entrypoint", "/bin/sh", config.Defaults().Nginx.Image, "-s")
	cmd := exec.Command("docker", "start", "--interactive", id)
	cmd.Stdin = strings.NewReader(written(edit(text), pair) + "mkdir -p /run/nginx/static/r/1 /run/nginx/static/current\necho x >/run/nginx/static/r/1/a.css\necho x >/run/nginx/static/current/a.css\n" +
		"exec nginx -c /run/nginx/nginx.conf -g 'daemon off;'\n")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("docker", "rm", "--force", "--volumes", id).Run()
		if _ = cmd.Wait(); t.Failed() || strings.Contains(said.String(), "[emerg]") || strings.Contains(said.String(), "[alert]") {
			t.Errorf("nginx says %.3000s", said.String())
		}
	})
	address := ""
	within(t, time.Minute, "nginx answers", func() bool {
		if address == "" {
			address = dockerLine(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id)
			return false
		}
		port := 8080
		if c.ProxyProtocol {
			port = assets.InsidePort
		}
		asked, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s:%d%s", address, port, edge.Path), nil)
		if err != nil {
			t.Fatal(err)
		}
		asked.Host, asked.Header = "shop.example", edge.For("token", edge.Upstreams)
		asked.Header.Set("X-Forwarded-Proto", "https")
		answer, err := visitor.Do(asked)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil && answer.StatusCode == http.StatusOK
	})
	return door{"http://" + address + ":8080", "https://" + address + ":8443"}
}

// played answers what is asked of it: /STATUS, with the headers of the query.
func played(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.URL.Query() {
		w.Header().Set(name, values[0])
	}
	switch status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); {
	case r.URL.Path == "/slow":
		time.Sleep(1500 * time.Millisecond)
	case r.URL.Path == "/upgrade":
		fmt.Fprintf(w, "%s,%s", r.Header.Get("Upgrade"), r.Header.Get("Connection"))
	case r.URL.Path == "/body":
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	case status != 0:
		w.WriteHeader(status)
	default:
		fmt.Fprint(w, r.Header.Get("X-Real-IP"))
	}
}

// TestEveryAnswerHasSecurityHeaders asks for each kind of answer that there is: of the
// application, of nginx itself, and of what is in the place of both.
//
//suite:core
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	d := newDoor(t, http.HandlerFunc(played), func(c *assets.Config) {
		c.HSTS, c.Known, c.Behind = 63072000, []string{"shop.example"}, true // 421 has headers, too
		c.LoginRate, c.RequestRate = 1, 0
		c.Barred = []assets.Barred{{Path: "/admin", Allow: []string{"192.0.2.0/24"}, Name: "barred_1"}}
		c.Services = []assets.Service{{Name: "gone", Port: 1, Replicas: assets.Replicas{Hosts: []string{c.Hosts[0]}}}}
		c.Routes = []assets.Route{{Name: "gone", Path: "/gone", Service: "gone", MaxBody: 1, Timeout: "1s"}}
	})
	html := header("Accept", "text/html")
	kinds := []struct {
		what, method, path string
		status             int
		options            []option
	}{
		{"a page", "GET", "/?Content-Type=text/html", 200, nil}, {"JSON", "GET", "/?Content-Type=application/json", 200, nil}, {"nothing", "GET", "/204", 204, nil},
		{"the application's redirect", "GET", "/302?Location=/x", 302, nil}, {"not modified", "GET", "/304", 304, nil}, {"the application's 401", "GET", "/401", 401, nil},
		{"the application's 404", "GET", "/404", 404, nil}, {"the application's 429", "GET", "/429", 429, nil}, {"the application's 500", "GET", "/500", 500, nil},
		{"health", "GET", "/health", 200, nil}, {"the metrics", "GET", "/metrics", 404, nil}, {"what the deploy alone may ask", "GET", edge.Path, 404, nil},
		{"a static file", "GET", "/static/a.css", 200, nil}, {"a release's static file", "GET", "/static/r/1/a.css", 200, nil}, {"no static file", "GET", "/static/b.css", 404, nil},
		{"a service that is away, for people", "GET", "/gone", 503, []option{html}}, {"for programs", "GET", "/gone", 503, nil},
		{"too slow, for people", "GET", "/slow", 504, []option{html}}, {"for programs", "GET", "/slow", 504, nil},
		{"Grafana without its slash", "GET", "/grafana", 308, nil}, {"Grafana, which is away", "GET", "/grafana/", 503, nil},
		{"a name that is nobody's", "GET", "/", 421, []option{host("other.example")}}, {"who may not", "GET", "/admin/x", 403, nil},
		{"what is too long", "GET", "/", 400, []option{header("X-Long", strings.Repeat("x", 70000))}},
		{"no method", "TRACE", "/", 405, nil},
		{"a first guess", "POST", "/login", 200, nil}, {"a second", "POST", "/login", 200, nil}, {"too many", "POST", "/login", 429, nil},
	}
	for _, kind := range kinds {
		for _, base := range []string{d.https, d.http} {
			if base == d.http && kind.path == "/login" {
				continue // it would be counted, too
			}
			got := ask(t, kind.method, base+kind.path, nil, append([]option{host("shop.example")}, kind.options...)...)
			if base == d.https && got.status != kind.status {
				t.Errorf("%s: status %d, want %d", kind.what, got.status, kind.status)
			}
			want := map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin", "X-Frame-Options": "SAMEORIGIN"}
			if want["Strict-Transport-Security"] = ""; base == d.https {
				want["Strict-Transport-Security"] = "max-age=63072000"
			}
			for name, value := range want {
				if all := strings.Join(got.header.Values(name), " and "); all != value {
					t.Errorf("%s at %s: %s is %q, want %q", kind.what, base, name, all, value)
				}
			}
		}
	}
	// What the application says counts, and is said once.
	for query, want := range map[string]string{
		"X-Content-Type-Options=own": "own strict-origin-when-cross-origin SAMEORIGIN max-age=63072000", "Referrer-Policy=no-referrer": "nosniff no-referrer SAMEORIGIN max-age=63072000",
		"X-Frame-Options=DENY": "nosniff strict-origin-when-cross-origin DENY max-age=63072000", "Strict-Transport-Security=max-age%3D1": "nosniff strict-origin-when-cross-origin SAMEORIGIN max-age=1",
		"Content-Security-Policy=frame-ancestors+%2A": "nosniff strict-origin-when-cross-origin  max-age=63072000", "Content-Security-Policy=default-src+x": "nosniff strict-origin-when-cross-origin SAMEORIGIN max-age=63072000",
	} {
		got := get(t, d.https+"/?"+query, host("shop.example")).header
		var all []string
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Strict-Transport-Security"} {
			all = append(all, strings.Join(got.Values(name), " and "))
		}
		if said := strings.Join(all, " "); said != want {
			t.Errorf("%s: %q, want %q", query, said, want)
		}
	}
	own := get(t, d.https+"/429?Retry-After=77", host("shop.example")).header
	if wait, stored := own.Get("Retry-After"), own.Get("Cache-Control"); wait != "77" || stored != "" {
		t.Errorf("the application's own 429: %q, %q", wait, stored)
	}
	tooMany := ask(t, "POST", d.https+"/login", nil, host("shop.example")).want(t, "one more guess", 429).header
	if wait, stored := tooMany.Get("Retry-After"), tooMany.Get("Cache-Control"); wait != "60" || stored != "no-store" {
		t.Errorf("429: Retry-After %q, Cache-Control %q", wait, stored)
	}
}

// TestStrangersAtTheDoor are names, addresses, passwords, protocols and key exchanges that
// nobody is to get in by.
//
//suite:core
func TestStrangersAtTheDoor(t *testing.T) {
	d := newDoor(t, http.HandlerFunc(played), func(c *assets.Config) {
		c.Known = []string{"shop.example", "*.shop.example", "127.0.0.1"}
		c.Barred = []assets.Barred{{Path: "/admin", Allow: []string{"192.0.2.0/24", "2001:db8:5::/48"}, Name: "barred_1"}}
	})
	https := header("X-Forwarded-Proto", "https")
	shake := func(name string, groups ...tls.CurveID) (tls.ConnectionState, error) {
		u, _ := url.Parse(d.https)
		conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true, ServerName: name, CurvePreferences: groups}) //nolint:gosec // self-signed
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.ConnectionState(), nil
	}
	t.Run("names", func(t *testing.T) {
		for name, taken := range map[string]bool{"shop.example": true, "SHOP.example": true, "www.shop.example": true, "other.example": false, "shop.example.evil": false, "": true} {
			if _, err := shake(name); (err == nil) != taken {
				t.Errorf("TLS for %q: %v", name, err)
			}
		}
		answer := func(base, name, path string) int {
			request, _ := http.NewRequest(http.MethodGet, base+path, nil)
			request.Host = name
			https(request)
			got, err := visitor.Do(request) // no name in TLS, as the address is none
			if err != nil {
				return 0
			}
			_ = got.Body.Close()
			return got.StatusCode
		}
		for _, base := range []string{d.http, d.https} {
			for _, test := range []struct {
				name, path string
				want       int
			}{{"shop.example", "/", 200}, {"a.shop.example", "/", 200}, {"127.0.0.1", "/", 200}, {"other.example", "/", 0}, {"other.example", "/x?shop.example", 0}, {"10.0.0.9", "/", 0},
				{"10.0.0.9", "/health", 200}, {"[2001:db8::9]", "/health", 200}, {"[2001:db8::9]", "/", 0}} {
				if got := answer(base, test.name, test.path); got != test.want {
					t.Errorf("%s%s as %s: status %d, want %d", base, test.path, test.name, got, test.want)
				}
			}
		}
		if got := answer(d.http, "other.example", "/health"); got != 200 {
			t.Errorf("a balancer's question without TLS: %d", got)
		}
	})
	t.Run("key exchange", func(t *testing.T) {
		for group, taken := range map[tls.CurveID]bool{tls.X25519MLKEM768: true, tls.X25519: true, tls.CurveP256: true, tls.CurveP384: true, tls.CurveP521: false} {
			if state, err := shake("shop.example", group); (err == nil) != taken || taken && state.CurveID != group {
				t.Errorf("%s: %v, %s", group, err, state.CurveID)
			}
		}
	})
	t.Run("versions and ciphers", func(t *testing.T) {
		u, _ := url.Parse(d.https)
		taken := func(version, cipher uint16) bool {
			c := &tls.Config{InsecureSkipVerify: true, ServerName: "shop.example", MinVersion: version, MaxVersion: version} //nolint:gosec // self-signed
			if cipher != 0 {
				c.CipherSuites = []uint16{cipher}
			}
			conn, err := tls.Dial("tcp", u.Host, c)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		}
		for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			if taken(version, 0) != want {
				t.Errorf("%s: %v, want %v", tls.VersionName(version), !want, want)
			}
		}
		for cipher, want := range map[uint16]bool{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: true,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: true, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: false, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: false} {
			if taken(tls.VersionTLS12, cipher) != want {
				t.Errorf("%s: %v, want %v", tls.CipherSuiteName(cipher), !want, want)
			}
		}
	})
	t.Run("passwords", func(t *testing.T) {
		tries := func(n int, by, method, path string, options ...option) (refused int) {
			for range n {
				if ask(t, method, d.https+path, nil, append([]option{host("shop.example"), from(by), https}, options...)...).status == 429 {
					refused++
				}
			}
			return refused
		}
		for _, test := range []struct {
			what, from, method, path string
			options                  []option
			refused                  int
		}{
			{"as many as are allowed at once", "198.51.100.1", "POST", "/login", nil, 19}, {"in another spelling", "198.51.100.1", "POST", "//Login/../login/x", nil, 30},
			{"another client", "198.51.100.2", "GET", "/login", []option{basic("admin", "guess")}, 19}, {"who only looks", "198.51.100.2", "GET", "/login", nil, 0},
			{"a neighbour in one /64", "2001:db8:1:2::1", "POST", "/login", nil, 19}, {"is the same client", "2001:db8:1:2:ffff::9", "POST", "/login", nil, 30},
			{"and one in the next is not", "2001:db8:1:3::1", "POST", "/login", nil, 19}, {"Grafana's login", "198.51.100.3", "POST", "/grafana/login", nil, 19},
			{"its other pages", "198.51.100.3", "POST", "/grafana", nil, 0}, {"a password for them", "198.51.100.4", "GET", "/grafana", []option{basic("admin", "guess")}, 0},
			{"the deploy's own", "198.51.100.1", "POST", "/login", []option{func(r *http.Request) { r.Header.Set(edge.Header, "token."+edge.Upstreams) }}, 0},
			{"what is no password", "198.51.100.1", "POST", "/logins", nil, 0},
		} {
			if got := tries(30, test.from, test.method, test.path, test.options...); got != test.refused && got != test.refused-1 { // a second may pass
				t.Errorf("%s: %d of 30 were refused, want %d", test.what, got, test.refused)
			}
		}
	})
	t.Run("who may", func(t *testing.T) {
		for by, want := range map[string]int{"192.0.2.7": 200, "198.51.100.7": 403, "2001:db8:5::1": 200, "2001:db8:6::1": 403} {
			for _, path := range []string{"/admin", "/admin/x", "/%61dmin", "/x/../admin", "//admin", "/ADMIN", "/admin;x"} {
				get(t, d.https+path, host("shop.example"), from(by), https).want(t, by+path, want)
			}
			get(t, d.https+"/administer", host("shop.example"), from(by), https).want(t, "another path", 200)
		}
	})
	t.Run("protocols", func(t *testing.T) {
		for protocol, want := range map[string]string{"h2c": ",", "websocket": "websocket,upgrade", "WebSocket": "websocket,upgrade", "websocket, h2c": ",", "": ","} {
			got := get(t, d.https+"/upgrade", host("shop.example"), header("Upgrade", protocol), header("Connection", "Upgrade, HTTP2-Settings"), header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"))
			if said := string(got.body); said != want {
				t.Errorf("Upgrade: %s comes to the application as %q, want %q", protocol, said, want)
			}
		}
	})
}

// TestNobodyNoticesWhoHolds holds connections and uploads, and asks meanwhile as somebody else.
//
//suite:core
func TestNobodyNoticesWhoHolds(t *testing.T) {
	d := newDoor(t, http.HandlerFunc(played), func(c *assets.Config) { c.TLS, c.Connections = false, 300 })
	hold := func(n int, text string) []net.Conn {
		t.Helper()
		var all []net.Conn
		t.Cleanup(func() {
			for _, c := range all {
				_ = c.Close()
			}
		})
		for range n {
			c, err := net.Dial("tcp", strings.TrimPrefix(d.http, "http://"))
			if err != nil {
				t.Fatalf("after %d: %v", len(all), err)
			}
			all = append(all, c)
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	// unnoticed asks what users ask, for whom nothing may be slow.
	unnoticed := func(what string) {
		t.Helper()
		var times []time.Duration
		for i := range 200 {
			begin := time.Now()
			method, size := []string{"GET", "POST"}[i%2], []int{0, 20000, 0, 2 << 20}[i%4]
			got := ask(t, method, d.http+"/body", strings.Repeat("x", size), from("198.51.100.9"))
			if times = append(times, time.Since(begin)); got.status != http.StatusOK {
				t.Fatalf("%s: another client gets %d", what, got.status)
			}
		}
		slices.Sort(times)
		t.Logf("%s: median %s, p99 %s", what, times[100], times[198])
		if times[198] > 500*time.Millisecond {
			t.Errorf("%s: p99 of others is %s", what, times[198])
		}
	}
	unnoticed("nobody holds")
	hold(200, "POST /body HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 198.51.100.8\r\nContent-Length: 10485760\r\n\r\n"+strings.Repeat("x", 4096))
	unnoticed("200 held uploads")
	// One more than a client may have under way.
	over := append(hold(100, "POST /body HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 198.51.100.8\r\nContent-Length: 10485760\r\n\r\n"),
		hold(1, "POST /body HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 198.51.100.8\r\nContent-Length: 500\r\n\r\nx")...)
	for _, c := range over[100:] {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "1" {
			t.Errorf("more requests than a client may have under way: %v, %v", answer, err)
		}
	}
	hold(10000, "GET / HTTP/1.1\r\nHost: idle")
	unnoticed("10,000 silent connections")
}
