package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/certificate"
)

// pair is a certificate for where the tests' servers are.
func pair(t *testing.T, seed string) certificate.Pair {
	t.Helper()
	p, err := certificate.SelfSigned([]byte(seed), []string{"shop.example", "127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shows is a server with a certificate, and what it was asked with.
func shows(t *testing.T, p certificate.Pair) (address string, tokens *[]string) {
	t.Helper()
	tokens = new([]string)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*tokens = append(*tokens, r.Header.Get(Header))
		fmt.Fprintln(w, "c0ffee one")
	}))
	loaded, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{loaded}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, tokens
}

// The token goes to whoever has the certificate that nginx has, and to nobody else, were it that their
// certificate is for the same names.
func TestTheTokenIsForNginxAlone(t *testing.T) {
	mine, theirs := pair(t, "mine"), pair(t, "theirs")
	address, tokens := shows(t, mine)
	between, stolen := shows(t, theirs)
	has, times := "", 0
	own := &Own{Read: func(context.Context) (string, error) {
		times++
		if has == "" {
			return "", errors.New("no engine")
		}
		return has, nil
	}}
	state := func(base string) error {
		_, err := Client{Base: base, Token: "t0ken", TLS: own.TLS(t.Context())}.State(t.Context())
		return err
	}
	stranger := new(Stranger)
	if err := state(address); err == nil || errors.As(err, &stranger) || !strings.Contains(err.Error(), "can not be told: no engine") || len(*tokens) > 0 {
		t.Errorf("unknown: %v, sent %q", err, *tokens)
	}
	has = "no certificate"
	if err := state(address); !errors.Is(err, ErrNone) || len(*tokens) > 0 {
		t.Errorf("none: %v, sent %q", err, *tokens)
	}
	has, times = pair(t, "earlier").Certificate+mine.Certificate, 0
	for range 3 {
		if err := state(address); err != nil {
			t.Error(err)
		}
	}
	if times != 1 || len(*tokens) != 3 {
		t.Errorf("the engine was asked %d times, nginx %d times", times, len(*tokens))
	}
	err := state(between)
	if !errors.As(err, &stranger) || !strings.Contains(err.Error(), `one for "shop.example", by "shop.example": somebody else answers`) {
		t.Errorf("between: %v", err)
	}
	if len(*stolen) > 0 {
		t.Errorf("it has %q", *stolen)
	}
	// nginx has got another one meanwhile.
	has = theirs.Certificate
	if err := state(between); err != nil || len(*stolen) != 1 {
		t.Errorf("another one: %v", err)
	}
	if err := state(address); !errors.As(err, &stranger) {
		t.Errorf("one that it has no more: %v", err)
	}
}
