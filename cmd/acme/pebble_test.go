package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	legolog "github.com/go-acme/lego/v5/log"
	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// What the library says of each step would hide what a test says.
func TestMain(m *testing.M) {
	legolog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// pebble is a CA: Let's Encrypt's own for tests, in this process.
type pebble struct {
	CA
	server *httptest.Server
	db     *db.MemoryStore
	ca     *ca.CAImpl

	mu      sync.Mutex
	handler http.Handler
	// before may answer in place of it, and says whether it has. It gets what a request carries.
	before func(w http.ResponseWriter, r *http.Request, payload string) bool
	orders []string // what new orders said
}

// free is a port that nobody listens at.
func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// newPebble is a CA that asks at the port of this machine for any name; lifetime is its
// certificates', and key the base64 of what accounts are bound by; empty: they need not be.
func newPebble(t *testing.T, name string, port int, lifetime time.Duration, key string) *pebble {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_AUTHZREUSE", "0")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0") // what is asked again for that reason would count
	quiet := log.New(io.Discard, "", 0)
	resolver := "127.0.0.1:" + strconv.Itoa(free(t))
	names, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{resolver}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	names.SetDefaultDNSIPv4("127.0.0.1")
	names.SetDefaultDNSIPv6("")
	go names.Run()
	t.Cleanup(names.Shutdown)
	p := &pebble{}
	p.begin(t, port, resolver, lifetime, key)
	p.server = httptest.NewTLSServer(p)
	t.Cleanup(p.server.Close)
	p.CA = CA{Name: name, Directory: p.server.URL + wfe.DirectoryPath, EAB: key != ""}
	return p
}

// begin is a CA that knows nobody.
func (p *pebble) begin(t *testing.T, port int, resolver string, lifetime time.Duration, key string) {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	p.db = db.NewMemoryStore()
	if key != "" {
		if err := p.db.AddExternalAccountKeyByID("me", key); err != nil {
			t.Fatal(err)
		}
	}
	p.ca = ca.New(quiet, p.db, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: uint64(lifetime / time.Second)}})
	front := wfe.New(quiet, p.db, va.New(quiet, port, 1, false, resolver, p.db), p.ca, []string{"pebble"}, false, key != "", 0, 0)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = front.Handler()
}

func (p *pebble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var signed struct{ Payload string }
	_ = json.Unmarshal(body, &signed)
	payload, _ := base64.RawURLEncoding.DecodeString(signed.Payload)
	p.mu.Lock()
	before, handler := p.before, p.handler
	if r.URL.Path == "/order-plz" {
		p.orders = append(p.orders, string(payload))
	}
	p.mu.Unlock()
	if before == nil || !before(w, r, string(payload)) {
		handler.ServeHTTP(w, r)
	}
}

// answers has the CA answer otherwise.
func (p *pebble) answers(before func(w http.ResponseWriter, r *http.Request, payload string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = before
}

func (p *pebble) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.orders
}

// machine is a manager whose clock is the test's.
type machine struct {
	*manager
	clock time.Time
	log   *bytes.Buffer
}

// newMachine has a manager for CAs, and its solver at the port; 0: nobody reaches that.
func newMachine(t *testing.T, port int, all ...*pebble) *machine {
	t.Helper()
	folder := t.TempDir()
	s := Settings{Domains: []string{"shop.example", "www.shop.example"}, Email: "me@shop.example", Challenge: byHTTP, Folder: folder, Roots: filepath.Join(t.TempDir(), "roots.pem")}
	var roots []byte
	for _, p := range all {
		s.CAs = append(s.CAs, p.CA)
		roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})...)
	}
	if err := os.WriteFile(s.Roots, roots, 0o600); err != nil {
		t.Fatal(err)
	}
	m := &machine{clock: time.Now(), log: &bytes.Buffer{}}
	m.manager = again(t, s, m)
	if port != 0 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.solver.ServeHTTP(w, r) }), ReadHeaderTimeout: time.Second}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	return m
}

// again is one that starts with the same folder.
func again(t *testing.T, s Settings, m *machine) *manager {
	t.Helper()
	next, err := newManager(s, slog.New(slog.NewTextHandler(m.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	next.now = func() time.Time { return m.clock }
	return next
}

// has is the certificate that nginx would read.
func (m *machine) mustHave(t *testing.T) *issued {
	t.Helper()
	has, err := m.store.current()
	if err != nil || has == nil {
		t.Fatalf("%v, certificate %v\n%s", err, has, m.log)
	}
	return has
}

// shows looks for lines among the metrics.
func (m *machine) shows(t *testing.T, lines ...string) {
	t.Helper()
	text := m.text()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("no %q among\n%s", line, text)
		}
	}
}
