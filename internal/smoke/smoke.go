// Package smoke asks a release what it has to answer: health, a read, a write
// that is read back, a static file, and a page that wants a password. What is
// asked is configuration; the application's contract is docs/application.md.
package smoke

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// interval is the time between two questions about health.
	interval = 100 * time.Millisecond
	// single is how long one answer may take.
	single = 10 * time.Second
	// shown is how much of an unwanted answer an error shows, in bytes.
	shown = 300
)

// Test is what is asked. An empty value leaves its question out.
type Test struct {
	// Base is the address that the paths are added to.
	Base string
	// Connect is the host that answers, where the name in Base may (still) lead
	// somewhere else. Empty: the one in Base.
	Connect string
	// Dial connects; nil: as ever.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Transport asks in place of HTTP at that address, where nobody listens; nil: it is HTTP.
	Transport http.RoundTripper
	// TLS is how a certificate is checked; nil: it is one that this machine trusts, for the name in Base.
	TLS *tls.Config
	// Header is sent along with every question.
	Header http.Header
	// From says of an answer's header why the answer is not from what is tested, if so: it
	// doesn't count then, and the question is asked again within the time. nil: all count.
	From func(http.Header) error
	// Health answers 200 in the end; the other questions are asked once.
	Health string
	// Read answers 200.
	Read string
	// Write answers a POST of Body with 201 and where it can be read back.
	Write, Body string
	// Static answers 200.
	Static string
	// Admin answers 401.
	Admin string
}

// client follows no redirect.
func (t Test) client() *http.Client {
	dial := t.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	transport := &http.Transport{TLSClientConfig: t.TLS, DialContext: dial}
	if t.Connect != "" {
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dial(ctx, network, net.JoinHostPort(t.Connect, port))
		}
	}
	by := t.Transport
	if by == nil {
		by = transport
	}
	return &http.Client{
		Timeout:       single,
		Transport:     by,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Run asks everything, and returns the first answer that is not as wanted as an
// error. Health is asked again and again within the time.
func (t Test) Run(ctx context.Context, within time.Duration) error {
	r := &run{Test: t, client: t.client()}
	defer r.client.CloseIdleConnections()
	if err := repeat(ctx, within, func(error) bool { return true }, func(ctx context.Context) error {
		return r.mine(ctx, r.get(http.StatusOK), t.Health)
	}); err != nil {
		return fmt.Errorf("smoke test: %w", err)
	}
	for _, question := range []struct {
		path string
		ask  func(context.Context, string) error
	}{
		{t.Read, r.get(http.StatusOK)}, {t.Write, r.write},
		{t.Static, r.get(http.StatusOK)}, {t.Admin, r.get(http.StatusUnauthorized)},
	} {
		if question.path == "" {
			continue
		}
		// The time is for other answers: the one that counts has its own.
		if err := repeat(ctx, within, another, func(context.Context) error {
			return r.mine(ctx, question.ask, question.path)
		}); err != nil {
			return fmt.Errorf("smoke test: %w", err)
		}
	}
	return nil
}

type run struct {
	Test
	client *http.Client
	// other is why one of a question's answers does not count.
	other error
}

// notMine is an answer that was not from what is tested.
type notMine struct{ error }

func another(err error) bool { return errors.As(err, &notMine{}) }

// mine asks a question, and tells where what is tested was not the one that answered.
func (r *run) mine(ctx context.Context, ask func(context.Context, string) error, path string) error {
	r.other = nil
	err := ask(ctx, path)
	if r.other == nil {
		return err
	}
	r.client.CloseIdleConnections() // which lead to what answered
	return notMine{errors.Join(r.other, err)}
}

// repeat asks until the answer is as wanted, or none after which it is asked again, or
// the time is over.
func repeat(ctx context.Context, within time.Duration, again func(error) bool, ask func(context.Context) error) error {
	over, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		err := ask(over)
		if err == nil || !again(err) {
			return err
		}
		if last == nil || over.Err() == nil { // that the time is over says less than what was seen before
			last = err
		}
		select {
		case <-over.Done():
			return fmt.Errorf("not within %s: %w", within, last)
		case <-ticker.C:
		}
	}
}

func (r *run) get(want int) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		_, err := r.ask(ctx, http.MethodGet, r.Base+path, "", want)
		return err
	}
}

// write stores something, reads it back, and removes it again where the
// application can. The key keeps a proxy's second try from storing it twice.
func (r *run) write(ctx context.Context, path string) error {
	answer, err := r.ask(ctx, http.MethodPost, r.Base+path, r.Body, http.StatusCreated)
	if err != nil {
		return err
	}
	place, err := answer.Location()
	if err != nil {
		return fmt.Errorf("POST %s: the answer does not say where it can be read (Location): %w", r.Base+path, err)
	}
	// On the way that was asked, whatever host the application believes to be.
	base, err := url.Parse(r.Base)
	if err != nil {
		return err
	}
	place.Scheme, place.Host = base.Scheme, base.Host
	if _, err := r.ask(ctx, http.MethodGet, place.String(), "", http.StatusOK); err != nil {
		return fmt.Errorf("what was stored can not be read back: %w", err)
	}
	_, err = r.ask(ctx, http.MethodDelete, place.String(), "", http.StatusOK, http.StatusAccepted, http.StatusNoContent, http.StatusNotFound, http.StatusMethodNotAllowed)
	return err
}

// Unwanted is an answer with another status than the one that is wanted.
type Unwanted struct {
	Status int
	Path   string
	text   string
}

func (u *Unwanted) Error() string { return u.text }

func (r *run) ask(ctx context.Context, method, address, body string, want ...int) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		request.Header[name] = values
	}
	request.Header.Set("X-Smoke-Test", "true")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", "smoke-"+rand.Text())
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, address, err)
	}
	if r.From != nil {
		if other := r.From(response.Header); other != nil {
			r.other = fmt.Errorf("%s %s: %w", method, address, other)
		}
	}
	for _, status := range want {
		if response.StatusCode == status {
			return response, nil
		}
	}
	return nil, &Unwanted{response.StatusCode, request.URL.Path,
		fmt.Sprintf("%s %s answers %s, want %d: %.*s", method, address, response.Status, want[0], shown, strings.TrimSpace(string(said)))}
}
