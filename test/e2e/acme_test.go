//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
)

// A CA gives the certificate, by itself and again and again: nginx takes each without a deploy,
// a restart or a lost request.
//
//suite:thorough
func TestCertificateByACME(t *testing.T) { acme(t, "containers") }

// TestCertificateByACMEInSwarm is the same there.
//
//suite:thorough
func TestCertificateByACMEInSwarm(t *testing.T) { acme(t, "swarm") }

func acme(t *testing.T, runtime string) {
	s := rolloutStack(t, runtime, false)
	s.up() // so that there is a network
	if runtime == "containers" {
		s.intercepted("a certificate of its own")
	}
	pair, err := certificate.SelfSigned([]byte("the CA's own"), []string{"testca"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.write("testca.pem", pair.Certificate)
	// Long enough for each to be seen; the CA has them renewed at any time in that.
	const lifetime = 40 * time.Second
	ca := s.testCA(pair, lifetime)
	for path, value := range map[string]any{
		"mode": "acme", "acme.domains": []string{"shop.e2e.example"}, "acme.ca": []string{"https://testca:14000/dir"}, "acme.caRoot": "testca.pem", "acme.email": "me@shop.e2e.example",
	} {
		s.config("nginx.tls."+path, value)
	}
	s.config("maintenance", "true") // which is in no CA's way
	said, begun := s.up(), time.Now()
	if !strings.Contains(said, "CAs ask at port 80") {
		t.Errorf("nobody is told of the port:\n%s", said)
	}
	first := s.served(func(c *x509.Certificate) bool { return strings.HasPrefix(c.Issuer.CommonName, "Pebble") }, time.Minute)
	if first == nil {
		t.Fatalf("no certificate; the CA says\n%s\nand acme\n%s", s.docker("logs", "--tail", "40", ca), s.docker("logs", s.one("acme")))
	}
	started, err := time.Parse(time.RFC3339Nano, s.containers("acme")[s.one("acme")].State.StartedAt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the first certificate is served %.1f s after acme has started, %.1f s after the deploy's end", time.Since(started).Seconds(), time.Since(begun).Seconds())
	if len(first.DNSNames) != 1 || first.DNSNames[0] != "shop.e2e.example" {
		t.Errorf("for %v", first.DNSNames)
	}
	s.checkHardening("acme", true)
	s.audited()
	s.checkHardening("nginx", true)
	s.config("maintenance", "false")
	s.up()
	out := s.outputs()
	if answer := get(t, fmt.Sprint(out["url"])+"/health"); answer.header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS with a CA that no browser knows")
	}
	s.unchanged()
	s.intercepted("one of a CA")

	nginx, acme := s.containers("nginx"), s.containers("acme")
	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), fmt.Sprint(out["staticUrl"])+"/style.css")
	before := first
	tr.phase("three renewals", func() {
		for i := range 3 {
			if i == 2 { // and one that somebody asks for
				if said := s.docker("exec", s.one("acme"), "/acme", "renew"); !strings.Contains(said, "until ") {
					t.Errorf("it says %s", said)
				}
			}
			after := s.served(func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(before.SerialNumber) != 0 }, 2*lifetime)
			if after == nil {
				t.Fatalf("no other certificate within %s\n%s", 2*lifetime, s.docker("logs", s.one("acme")))
			}
			before = after
		}
	})
	same(t, nginx, s.containers("nginx"), 1)
	same(t, acme, s.containers("acme"), 1)
	metrics := s.docker("exec", s.one("nginx"), "curl", "-fsS", "http://acme:9747/metrics")
	expiry := 0.0
	for line := range strings.Lines(metrics) {
		if text, is := strings.CutPrefix(line, "acme_certificate_expiry_timestamp_seconds "); is {
			expiry, _ = strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	if left := time.Until(time.Unix(int64(expiry), 0)); left < -lifetime || left > lifetime {
		t.Errorf("the metrics say that it ends in %s:\n%s", left, metrics)
	}
	// A CA that is gone takes nothing away, and no deploy with it.
	s.docker("stop", "--time", "1", ca)
	tr.phase("a deploy without a CA", func() { s.config("nginx.maxBody", "12m"); s.up() })
	same(t, nginx, s.containers("nginx"), 1)
	tr.end(s.volume("data"), fmt.Sprint(out["image"]))
}

// intercepted has somebody else end TLS where the deploy asks nginx, for the same names: an `up` fails, and they are asked nothing.
func (s *stack) intercepted(nginxHas string) {
	t := s.t
	t.Helper()
	pair, err := certificate.SelfSigned([]byte("between"), []string{"localhost", "127.0.0.1", "shop.e2e.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key))
	if err != nil {
		t.Fatal(err)
	}
	var came, asked atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	server.Listener.Close()
	if server.Listener, err = net.Listen("tcp", ":0"); err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{loaded}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { came.Add(1); return nil, nil }}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // that it was refused
	server.StartTLS()
	defer server.Close()
	between := func(change string) {
		for _, program := range []string{"iptables", "ip6tables"} {
			rule := root(program, "-w", "-t", "nat", change, "OUTPUT", "-o", "lo", "-p", "tcp", "--dport", strconv.Itoa(s.https), "-j", "REDIRECT",
				"--to-ports", strconv.Itoa(server.Listener.Addr().(*net.TCPAddr).Port))
			if said, err := rule.CombinedOutput(); err != nil && program == "iptables" { // of IPv6, there may be nothing
				t.Errorf("%v: %v: %s", rule, err, said)
			}
		}
	}
	between("-I")
	said := s.refused("the certificate there is none that nginx has", "somebody else answers, and was sent nothing")
	between("-D")
	t.Logf("while nginx has %s:\n%s", nginxHas, said)
	if came.Load() == 0 || asked.Load() > 0 {
		t.Errorf("while nginx has %s: %d connections, %d of them were sent something", nginxHas, came.Load(), asked.Load())
	}
	s.up()
}

// testCA is a container with a CA on the network that nginx is on, where it finds any name.
func (s *stack) testCA(own certificate.Pair, lifetime time.Duration) (name string) {
	t := s.t
	t.Helper()
	program := filepath.Join(t.TempDir(), "testca")
	build := exec.Command("go", "build", "-C", "../../cmd/acme", "-trimpath", "-buildvcs=false", "-o", program, "./testca")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	name = "e2e-" + s.id + "-testca"
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", name).Run() })
	s.docker("create", "--name", name, "--network", s.prefix()+"-edge", "--network-alias", "testca", "--env", "CERTIFICATE="+own.Certificate, "--env", "KEY="+own.Key,
		"--env", "PEBBLE_VA_NOSLEEP=1", "--env", "PEBBLE_AUTHZREUSE=0", "--entrypoint", "/testca", config.Defaults().Nginx.Image, "8080", "nginx", lifetime.String())
	s.docker("cp", program, name+":/testca")
	s.docker("start", name)
	return name
}

// served is the first certificate that nginx shows which is as wanted; nil: none within that time.
func (s *stack) served(wanted func(*x509.Certificate) bool, within time.Duration) *x509.Certificate {
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		conn, err := tls.Dial("tcp", "localhost:"+strconv.Itoa(s.https), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at
		if err != nil {
			continue
		}
		shown := conn.ConnectionState().PeerCertificates[0]
		_ = conn.Close()
		if wanted(shown) {
			return shown
		}
	}
	return nil
}
