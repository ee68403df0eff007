package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const quarter = 90 * 24 * time.Hour

// The first one: for all names, with what leads to the CA, and nginx's group may read it.
func TestTheFirstCertificate(t *testing.T) {
	port := free(t)
	p := newPebble(t, "first", port, quarter, "")
	m := newMachine(t, port, p)
	m.shows(t, "acme_certificate_expiry_timestamp_seconds 0\n", `acme_failures{ca="first"} 0`)
	if wait := m.step(t.Context()); wait != time.Second {
		t.Errorf("looks again in %s\n%s", wait, m.log)
	}
	has := m.mustHave(t)
	if !slices.Equal(sorted(has.leaf.DNSNames), sorted(m.Domains)) || has.CA != "first" {
		t.Errorf("of %s for %v", has.CA, has.leaf.DNSNames)
	}
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(p.ca.GetRootCert(0).Cert)
	middle.AppendCertsFromPEM(has.Certificate)
	if _, err := has.leaf.Verify(x509.VerifyOptions{DNSName: "www.shop.example", Roots: roots, Intermediates: middle}); err != nil {
		t.Errorf("with what is sent along, browsers say: %v", err)
	}
	for name, want := range map[string]os.FileMode{"current/tls_key": 0o440, "current/tls_certificate": 0o440, "current/.": 0o750 | os.ModeDir, "accounts": 0o700 | os.ModeDir} {
		if info, err := os.Stat(filepath.Join(m.Folder, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, err, info.Mode(), want)
		}
	}
	if len(m.solver.answers) > 0 {
		t.Errorf("answers stay: %v", m.solver.answers)
	}
	m.clock = m.clock.Add(time.Minute)
	if m.step(t.Context()); len(p.asked()) != 1 {
		t.Errorf("asked %d times", len(p.asked()))
	}
	m.shows(t, "acme_certificates_total 1\n", `acme_certificate_info{ca="first"} 1`, "acme_certificate_lifetime_seconds 7.77")
	// A new container, of what the old one left.
	m.manager = again(t, m.Settings, m)
	if m.step(t.Context()); len(p.asked()) != 1 {
		t.Errorf("a restart asks: %d times", len(p.asked()))
	}
	m.shows(t, "acme_certificates_total 1\n")
}

// A CA that wants a certificate renewed has it renewed, and is told which one.
func TestRenewsWhenTheCASaysSo(t *testing.T) {
	port := free(t)
	p := newPebble(t, "first", port, quarter, "")
	m := newMachine(t, port, p)
	m.step(t.Context())
	before := m.mustHave(t)
	if err := p.db.SetARIResponse(before.leaf.SerialNumber, `{"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}}`); err != nil {
		t.Fatal(err)
	}
	m.clock = before.leaf.NotBefore.Add(5 * time.Hour) // a CA that always says so gets few requests
	if m.step(t.Context()); len(p.asked()) != 1 {
		t.Errorf("asked %d times after five hours\n%s", len(p.asked()), m.log)
	}
	m.clock = m.clock.Add(2 * time.Hour)
	m.step(t.Context())
	after := m.mustHave(t)
	if after.leaf.SerialNumber.Cmp(before.leaf.SerialNumber) == 0 {
		t.Fatalf("not renewed\n%s", m.log)
	}
	if orders := p.asked(); !strings.Contains(orders[len(orders)-1], `"replaces":"`) {
		t.Errorf("does not say what it replaces: %s", orders)
	}
	if !strings.Contains(m.log.String(), "its CA says so") {
		t.Errorf("the log says\n%s", m.log)
	}
}

// When, of a certificate of any length.
func TestWhenToRenew(t *testing.T) {
	port := free(t)
	for name, test := range map[string]struct {
		lifetime         time.Duration
		window           string // in shares of the lifetime
		early, late, due time.Duration
	}{
		"a third of 90 days": {quarter, "", 0, 0, 60 * 24 * time.Hour},
		"a third of 6 days":  {6 * 24 * time.Hour, "", 0, 0, 4 * 24 * time.Hour},
		"the CA's word":      {quarter, "said", 20 * 24 * time.Hour, 20*24*time.Hour + time.Second, 20 * 24 * time.Hour},
		"too late a word":    {quarter, "said", 89 * 24 * time.Hour, 89*24*time.Hour + time.Second, 81 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPebble(t, "first", port, test.lifetime, "")
			if test.window == "" {
				p.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
					if r.URL.Path != "/dir" {
						return false
					}
					recorded := httptest.NewRecorder()
					p.handler.ServeHTTP(recorded, r)
					var all map[string]any
					_ = json.Unmarshal(recorded.Body.Bytes(), &all)
					delete(all, "renewalInfo")
					_ = json.NewEncoder(w).Encode(all)
					return true
				})
			}
			m := newMachine(t, port, p)
			m.step(t.Context())
			has := m.mustHave(t)
			if test.window != "" {
				at := func(d time.Duration) string { return has.leaf.NotBefore.Add(d).Format(time.RFC3339) }
				if err := p.db.SetARIResponse(has.leaf.SerialNumber, `{"suggestedWindow": {"start": "`+at(test.early)+`", "end": "`+at(test.late)+`"}}`); err != nil {
					t.Fatal(err)
				}
			}
			for offset, want := range map[time.Duration]bool{-5 * time.Minute: false, 5 * time.Minute: true} {
				m.clock, m.told = has.leaf.NotBefore.Add(test.due+offset), nil
				if reason, _ := m.due(t.Context()); (reason != "") != want {
					t.Errorf("%s beside it: %q", offset, reason)
				}
			}
		})
	}
}

// The first one is down: the second gives the certificate, and the next time the first is asked again.
func TestTheSecondCA(t *testing.T) {
	port := free(t)
	first, second := newPebble(t, "first", port, quarter, ""), newPebble(t, "second", port, quarter, "")
	m := newMachine(t, port, first, second)
	first.server.Listener.Close() //nolint:errcheck,gosec // nobody listens there any more
	first.server.CloseClientConnections()
	m.step(t.Context())
	if has := m.mustHave(t); has.CA != "second" {
		t.Errorf("of %s", has.CA)
	}
	m.shows(t, `acme_failures{ca="first"} 1`, `acme_failures{ca="second"} 0`, `acme_last_error_info{ca="first",error="unreachable"} 1`)
}

// A CA that can't see the answer: it is told, and the CA left alone for longer and longer.
func TestARefusedChallenge(t *testing.T) {
	port := free(t)
	p := newPebble(t, "first", port, quarter, "")
	m := newMachine(t, 0, p)
	m.step(t.Context())
	if has, err := m.store.current(); has != nil || err != nil {
		t.Fatalf("%v, %v", has, err)
	}
	m.shows(t, `acme_failures{ca="first"} 1`, `error="connection"`)
	for _, test := range []struct {
		after    time.Duration
		attempts int
	}{{50 * time.Second, 1}, {20 * time.Second, 2}, {4 * time.Minute, 2}, {2 * time.Minute, 3}} {
		m.clock = m.clock.Add(test.after)
		m.step(t.Context())
		if got := len(p.asked()); got != test.attempts {
			t.Errorf("%s later it was asked %d times, want %d", test.after, got, test.attempts)
		}
	}
	if folders, err := filepath.Glob(filepath.Join(m.Folder, accountsName, "*refused*")); err != nil || len(folders) > 0 {
		t.Errorf("the account was no good, either: %v", folders)
	}
	// Somebody has mended it, and asks.
	if err := m.attempt(t.Context(), "asked", true); err == nil || len(p.asked()) != 4 {
		t.Errorf("%v, %d", err, len(p.asked()))
	}
}

// A CA says for how long it is not to be asked. That holds after a restart, and whoever asks.
func TestTooMany(t *testing.T) {
	port := free(t)
	p := newPebble(t, "first", port, quarter, "")
	m := newMachine(t, port, p)
	p.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path != "/order-plz" {
			return false
		}
		w.Header().Set("Retry-After", "10800")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}`))
		return true
	})
	if wait := m.step(t.Context()); wait != sleep {
		t.Errorf("looks again in %s", wait)
	}
	m.shows(t, `acme_last_error_info{ca="first",error="rateLimited"} 1`)
	m.clock = m.clock.Add(2*time.Hour + 59*time.Minute)
	m.manager = again(t, m.Settings, m)
	m.step(t.Context())
	if err := m.attempt(t.Context(), "asked", true); err == nil || !strings.Contains(err.Error(), "not asked before") || len(p.asked()) != 1 {
		t.Errorf("%v, asked %d times", err, len(p.asked()))
	}
	p.answers(nil)
	m.clock = m.clock.Add(2 * time.Minute)
	m.step(t.Context())
	m.mustHave(t)
}

// An account that the CA doesn't take any more is put away, and a new one made.
func TestAnAccountThatIsGone(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, m *machine, p *pebble, port int){
		"deactivated": func(t *testing.T, m *machine, p *pebble, _ int) {
			client, _, err := m.client(t.Context(), p.CA)
			if err == nil {
				err = client.Registration.DeleteRegistration(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"unknown": func(t *testing.T, _ *machine, p *pebble, port int) { p.begin(t, port, "", quarter, "") },
	} {
		t.Run(name, func(t *testing.T) {
			port := free(t)
			p := newPebble(t, "first", port, quarter, "")
			m := newMachine(t, port, p)
			m.Domains = []string{"localhost"} // which the machine's own resolver knows, too
			m.step(t.Context())
			before := m.mustHave(t)
			end(t, m, p, port)
			if err := m.attempt(t.Context(), "asked", true); err != nil {
				t.Fatalf("%v\n%s", err, m.log)
			}
			if m.mustHave(t).leaf.SerialNumber.Cmp(before.leaf.SerialNumber) == 0 {
				t.Error("the same certificate")
			}
			if folders, _ := filepath.Glob(filepath.Join(m.Folder, accountsName, "*-refused-*")); len(folders) != 1 {
				t.Errorf("put away: %v", folders)
			}
		})
	}
}

// A CA that wants accounts bound gets that, and otherwise it is said what is missing.
func TestAnAccountThatIsBound(t *testing.T) {
	port := free(t)
	p := newPebble(t, "bound", port, quarter, "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
	m := newMachine(t, port, p)
	secretDir = t.TempDir()
	t.Cleanup(func() { secretDir = "/run/secrets" })
	m.CAs[0].EAB = false
	if err := m.attempt(t.Context(), "first", false); err == nil || !strings.Contains(err.Error(), "acmeEabKeyId") {
		t.Errorf("%v", err)
	}
	for name, value := range map[string]string{"acmeEabKeyId": "me\n", "acmeEabHmac": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n"} {
		if err := os.WriteFile(filepath.Join(secretDir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.CAs[0].EAB = true
	if err := m.attempt(t.Context(), "first", true); err != nil {
		t.Fatal(err)
	}
	m.mustHave(t)
}

// Other names, or a CA that isn't wanted any more, such as a staging one: there is a new one at once.
func TestAnotherCertificateIsWanted(t *testing.T) {
	port := free(t)
	first, second := newPebble(t, "first", port, quarter, ""), newPebble(t, "second", port, quarter, "")
	m := newMachine(t, port, first, second)
	m.step(t.Context())
	m.Domains = []string{"other.example"}
	m.step(t.Context())
	if len(first.asked()) != 2 {
		t.Errorf("refused as what it replaces: %s", first.asked())
	}
	if has := m.mustHave(t); !slices.Equal(has.leaf.DNSNames, []string{"other.example"}) {
		t.Errorf("for %v\n%s", has.leaf.DNSNames, m.log)
	}
	m.CAs = m.CAs[1:]
	m.step(t.Context())
	if has := m.mustHave(t); has.CA != "second" {
		t.Errorf("of %s", has.CA)
	}
}

// What was cut off is in nobody's way, and nginx never sees half a pair.
func TestWhatWasCutOff(t *testing.T) {
	port := free(t)
	m := newMachine(t, port, newPebble(t, "first", port, quarter, ""))
	for _, folder := range []string{"certificate-1", "certificate-2"} {
		if err := os.Mkdir(filepath.Join(m.Folder, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"current": "certificate-1", "current.new": "certificate-2"} {
		if err := os.Symlink(to, filepath.Join(m.Folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	m.step(t.Context())
	first, _ := os.Readlink(filepath.Join(m.Folder, currentName))
	m.mustHave(t)
	m.clock = m.clock.Add(time.Hour)
	if err := m.attempt(t.Context(), "asked", true); err != nil {
		t.Fatal(err)
	}
	second, _ := os.Readlink(filepath.Join(m.Folder, currentName))
	entries, err := os.ReadDir(m.Folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := sorted([]string{first, second, "accounts", "current", "state.json"}); !slices.Equal(sorted(names), want) {
		t.Errorf("%v, want %v", names, want)
	}
}

// It is asked from inside the container: whether it serves, and for a new certificate.
func TestTheControl(t *testing.T) {
	port := free(t)
	p := newPebble(t, "first", port, quarter, "")
	m := newMachine(t, port, p)
	m.step(t.Context())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { m.run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	server := httptest.NewServer(m.control())
	defer server.Close()
	answer, err := http.Post(server.URL+"/renew", "", nil)
	if err != nil || answer.StatusCode != http.StatusOK || len(p.asked()) != 2 {
		t.Errorf("%v, %v, asked %d times\n%s", err, answer, len(p.asked()), m.log)
	}
	p.answers(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		http.Error(w, "{}", http.StatusServiceUnavailable)
		return true
	})
	if answer, err = http.Post(server.URL+"/renew", "", nil); err != nil || answer.StatusCode != http.StatusBadGateway {
		t.Errorf("%v, %v", err, answer)
	}
	if answer, err = http.Get(server.URL + "/health"); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("a CA that is down is no reason for another container: %v, %v", err, answer)
	}
	if _, err := m.store.current(); errors.Is(err, os.ErrNotExist) {
		t.Error("the certificate is gone")
	}
}
