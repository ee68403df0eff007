// Package edge asks the running nginx, as no user can, what it does: requests
// with the stack's token pass the upstreams and the maintenance page.
package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// Header holds the token and a host, as token.host: the host that this one
	// request is for.
	Header = "X-Release-Candidate"
	// Upstreams is the host that stands for all of them.
	Upstreams = "backend"
	// servedHeader tells, in the answer to a request with the token, the configuration's
	// name and the addresses of the replicas that were tried, the last one at the end.
	servedHeader = "X-Release-Served"
	// Path answers with the configuration's name and the upstreams.
	Path = "/-/rotation"

	timeout  = 5 * time.Second
	interval = 50 * time.Millisecond
)

// Client asks one nginx.
type Client struct {
	// Base is its address.
	Base string
	// Token is the stack's.
	Token string
	// Proxied is true where nginx wants the PROXY protocol, as far as is known.
	Proxied bool
	// TLS knows nginx's certificate (Own); nil: one that this machine trusts is wanted.
	TLS *tls.Config
	// By asks in place of HTTP at that address, where nobody listens; nil: it is HTTP.
	By http.RoundTripper
}

// State is what nginx runs.
type State struct {
	// Configuration names its configuration.
	Configuration string
	// Upstreams are the hosts that users' requests go to.
	Upstreams []string
	// Closed is true while a file in its container has it show the maintenance page.
	Closed bool
	// Proxied is true where it wants the PROXY protocol.
	Proxied bool
}

// For is the header of a request for the host.
func For(token, host string) http.Header { return http.Header{Header: {token + "." + host}} }

// Served is who gave an answer to a request with the token.
type Served struct {
	// Configuration names the one that nginx gave it with. Empty: it does not say.
	Configuration string
	// Replica is the address of the replica. Empty: nginx answered itself.
	Replica string
}

// ServedBy reads it from an answer's header.
func ServedBy(header http.Header) Served {
	configuration, tried, _ := strings.Cut(header.Get(servedHeader), " ")
	replica := ""
	if all := strings.FieldsFunc(tried, func(r rune) bool { return r == ',' || r == ' ' }); len(all) > 0 {
		replica = all[len(all)-1]
	}
	if host, _, err := net.SplitHostPort(replica); err == nil {
		replica = host
	}
	return Served{configuration, replica}
}

// State asks what it runs. Whether nginx wants the PROXY protocol may be about to change: where it
// gives no answer, it is asked the other way.
func (c Client) State(ctx context.Context) (State, error) {
	state, err := c.ask(ctx)
	var stranger *Stranger
	if err == nil || c.By != nil || errors.As(err, &stranger) {
		return state, err
	}
	other := c
	other.Proxied = !c.Proxied
	otherwise, failed := other.ask(ctx)
	if failed == nil || errors.As(failed, &stranger) {
		return otherwise, failed
	}
	return state, err
}

func (c Client) ask(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+Path, nil)
	if err != nil {
		return State{}, err
	}
	request.Header = For(c.Token, Upstreams)
	client := http.Client{
		// A worker process that is ending keeps its connections.
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: c.TLS, DialContext: Dialer(c.Proxied)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if c.By != nil {
		client.Transport = c.By
	}
	response, err := client.Do(request)
	if err != nil {
		return State{}, fmt.Errorf("nginx: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return State{}, fmt.Errorf("nginx: %w", err)
	}
	first, second, _ := strings.Cut(string(body), "\n")
	words := strings.Fields(first)
	if response.StatusCode != http.StatusOK || len(words) == 0 {
		return State{}, fmt.Errorf("nginx: %s%s answers %s", c.Base, Path, response.Status)
	}
	return State{words[0], words[1:], strings.TrimSpace(second) == "closed", c.Proxied}, nil
}

// Await returns when nginx runs the configuration.
func (c Client) Await(ctx context.Context, configuration string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := fmt.Errorf("nginx: no answer")
	for {
		state, err := c.State(ctx)
		switch {
		case err == nil && state.Configuration == configuration:
			return nil
		case err == nil:
			last = fmt.Errorf("nginx runs the configuration %s, not %s", state.Configuration, configuration)
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", within, last)
		case <-ticker.C:
		}
	}
}
