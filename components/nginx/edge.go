package nginx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/part"
	"tarot-platform/components/site"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/smoke"
)

const (
	// answerTime is how long a stack whose workloads are all healthy may take to
	// answer from outside: nginx looks addresses up once a second.
	answerTime = 30 * time.Second
	reloadTime = 15 * time.Second
	// settle is how long the earlier replicas go on after a reload: connections in
	// use come over to the new ones with their next request.
	settle = 1500 * time.Millisecond
)

// Engine is what is asked of the engine.
type Engine interface {
	// Condition is how a workload does, whatever it answers itself, and Revive restarts
	// what is unhealthy of it.
	Condition(ctx context.Context, prefix, workload string) (engine.Condition, error)
	Revive(ctx context.Context, prefix, workload string) error
	// Published are where a workload's ports are reached on the host, by the port in
	// the container.
	Published(ctx context.Context, prefix, workload string) (map[int]engine.Published, error)
	// Runs is how many containers of a workload run.
	Runs(ctx context.Context, prefix, workload string) (int, error)
	// Exec runs a command in one of a workload's containers, and ExecWith one that reads.
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	ExecWith(ctx context.Context, prefix, workload, input string, command ...string) (string, error)
	// Signal sends a signal to a workload's containers.
	Signal(ctx context.Context, prefix, workload, signal string) error
	// Tail are the last log lines of a workload's containers, for an error.
	Tail(ctx context.Context, prefix, workload string) string
}

// Client asks the running nginx.
type Client interface {
	State(ctx context.Context) (edge.State, error)
	Await(ctx context.Context, configuration string, within time.Duration) error
}

// Edge is nginx as a deploy sees the one that runs: whom it sends requests to, and what it
// is asked and told. Not for previews.
type Edge struct {
	Site site.Site
	// Stack begins the names of everything in the engine.
	Stack  string
	Engine Engine
	// Token is what the deploy's own requests show, and Earlier what the nginx that ran before
	// this deploy knows, where that is another one; empty: it is not known.
	Token, Earlier string
	// Static is the path of the release's static files.
	Static string
	// Dial returns what asks a nginx, and Check runs a smoke test.
	Dial  func(edge.Client) Client
	Check func(ctx context.Context, test smoke.Test, within time.Duration) error
	Sleep func(time.Duration)
	Log   pulumi.Log

	// current is true once nginx has answered to Token.
	current bool
	// own knows the certificates of the nginx that runs.
	own     *edge.Own
	knowing sync.Once
	// proxied is true where it wants the PROXY protocol.
	proxied atomic.Bool
	// none is true once the engine has said that no nginx runs that could be asked.
	none bool
	// configuration is what Apply has applied, and drained when requests on connections
	// that were kept open go to the earlier hosts no more.
	configuration string
	drained       time.Time
}

// Verify asks the host, past the upstreams, what a release has to answer.
func (e *Edge) Verify(ctx context.Context, host string) error {
	base, by, err := e.running(ctx) // which is not yet where it will be
	if err == nil && base == "" {
		err = errors.New("nginx has stopped: the release can not be checked")
	}
	if err != nil {
		return err
	}
	test := e.smoke()
	test.Transport = by
	if test.Base, test.Connect, err = e.Site.Named(base); err != nil {
		return err
	}
	if err := e.probe(ctx, test, fmt.Sprintf("%s:%d", host, e.Site.Backend.Port)); err != nil {
		return fmt.Errorf("%s, before it got users' requests: %w", host, err)
	}
	return nil
}

// Behind is the edge of a service that has to answer something else than the site has.
type Behind struct {
	*Edge
	Answer part.Answer
}

// Verify asks the host, past the upstreams, what the service has to answer.
func (b Behind) Verify(ctx context.Context, host string) error {
	base, by, err := b.running(ctx)
	if err == nil && base == "" {
		err = errors.New("nginx has stopped: the release can not be checked")
	}
	if err != nil {
		return err
	}
	test := smoke.Test{Health: b.Answer.Path, Transport: by}
	if test.Base, test.Connect, err = b.named(base, b.Answer.Host); err != nil {
		return err
	}
	if err := b.probe(ctx, test, fmt.Sprintf("%s:%d", host, b.Answer.Port)); err != nil {
		return fmt.Errorf("%s, before it got users' requests: %w", host, err)
	}
	return nil
}

// named is an address by a name, where there is one, and else by the site's own.
func (e *Edge) named(base, name string) (named, connect string, err error) {
	s := e.Site
	if name != "" {
		s.Nginx.ServerNames = []string{name}
	}
	return s.Named(base)
}

// CheckRoutes asks each route what is known of it, the way that users ask.
func (e *Edge) CheckRoutes(ctx context.Context, routes []part.Route) error {
	for _, r := range routes {
		if r.Probe == "" {
			continue
		}
		test := smoke.Test{Health: r.Probe, Transport: e.by()}
		var err error
		if test.Base, test.Connect, err = e.named(e.Site.At(e.Site.Address()), r.Host); err == nil {
			err = e.probe(ctx, test, edge.Upstreams) // also behind the maintenance page
		}
		if err != nil {
			return fmt.Errorf("route %s to %s: %w%s", r.Name, r.Service, err, e.Engine.Tail(ctx, e.Stack, r.Service))
		}
	}
	return nil
}

// probe asks a target, bypassing the upstreams and the maintenance page.
func (e *Edge) probe(ctx context.Context, test smoke.Test, target string) error {
	test.Header = edge.For(e.shown(), target)
	return e.check(ctx, test)
}

// check says where another health path is set, where there is nothing at this one.
func (e *Edge) check(ctx context.Context, test smoke.Test) error {
	test.TLS, test.Dial = e.tls(ctx), edge.Dialer(e.proxied.Load())
	err := e.Check(ctx, test, answerTime)
	var answer *smoke.Unwanted
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound && answer.Path == test.Health {
		err = fmt.Errorf("%w\nwhich path has to answer with 200 is set by %s:backend.paths.health", err, config.Namespace)
	}
	return err
}

// CheckSite asks what users ask, and counts the answers of this release: for a moment after
// the switch, one of the release before may come. Behind the maintenance page, it passes
// that. Reached are the addresses of the replicas that run.
func (e *Edge) CheckSite(ctx context.Context, reached func(context.Context) ([]string, error)) error {
	test := e.smoke()
	if !e.Site.Nginx.Enabled {
		return e.check(ctx, test)
	}
	if !e.Site.Maintenance {
		users := smoke.Test{Base: test.Base, Connect: test.Connect, Health: test.Health, Transport: test.Transport}
		if err := e.check(ctx, users); err != nil {
			return err
		}
	}
	test.From = func(answer http.Header) error { return e.another(ctx, edge.ServedBy(answer), reached) }
	return e.probe(ctx, test, edge.Upstreams)
}

// another says why an answer is not this release's, if so.
func (e *Edge) another(ctx context.Context, by edge.Served, reached func(context.Context) ([]string, error)) error {
	if by.Configuration != e.configuration {
		return fmt.Errorf("answered by nginx with the configuration %q, not %s", by.Configuration, e.configuration)
	}
	if by.Replica == "" {
		return nil // nginx itself: a static file, or a fault
	}
	replicas, err := reached(ctx)
	if err == nil && !slices.Contains(replicas, by.Replica) {
		err = fmt.Errorf("answered by a replica of another release: %s is none of %s", by.Replica, strings.Join(replicas, ", "))
	}
	return err
}

// EnableMaintenance has the nginx that runs show the maintenance page before anything else
// is done: what is to be mended may not let the deploy go on.
func (e *Edge) EnableMaintenance(ctx context.Context) error {
	runs, err := e.Engine.Runs(ctx, e.Stack, name)
	if err != nil || runs == 0 {
		return err
	}
	if _, err = e.Engine.Exec(ctx, e.Stack, name, "touch", assets.ClosedFile); err == nil {
		return nil
	}
	if condition, unknown := e.Engine.Condition(ctx, e.Stack, name); unknown != nil || !condition.Broken {
		return fmt.Errorf("maintenance page: %w", err)
	}
	// Nobody sees anything else, and this `up` is what mends it.
	return e.Log.Warn(fmt.Sprintf("nginx does not run well, and does not show the maintenance page yet: %v", err), nil)
}

// Apply has nginx take its new configuration, if it doesn't run it, and open again if
// it was closed. That is the switch from the release before to this one.
func (e *Edge) Apply(ctx context.Context, configuration string) error {
	client := e.Dial(edge.Client{Base: e.Site.At(e.Site.Address()), Token: e.Token, Proxied: e.Site.Nginx.ProxyProtocol, TLS: e.tls(ctx), By: e.by()})
	e.configuration = configuration
	withLog := func(err error) error { return fmt.Errorf("%w%s", err, e.Engine.Tail(ctx, e.Stack, name)) }
	state, err := e.stateOf(ctx, e.Site.At(e.Site.Address()), e.by())
	if stranger(err) {
		return e.intercepted(err)
	}
	if err != nil { // one that has just been started may not listen yet, and has read it
		e.drained = time.Now().Add(settle)
		awaited := client.Await(ctx, configuration, reloadTime)
		if state, err = client.State(ctx); stranger(err) {
			return e.intercepted(err)
		}
		if err != nil {
			return withLog(errors.Join(awaited, err))
		}
	}
	if state.Configuration != configuration {
		if err := e.Engine.Signal(ctx, e.Stack, name, "SIGHUP"); err != nil {
			return err
		}
		if err := client.Await(ctx, configuration, reloadTime); err != nil {
			return withLog(err)
		}
		e.drained = time.Now().Add(settle)
	}
	e.current = true
	e.proxied.Store(e.Site.Nginx.ProxyProtocol)
	if state.Closed && !e.Site.Maintenance {
		_, err := e.Engine.Exec(ctx, e.Stack, name, "rm", "-f", assets.ClosedFile)
		return err
	}
	return nil
}

// AwaitDrain returns when no request goes to the earlier replicas any more.
func (e *Edge) AwaitDrain() { e.Sleep(time.Until(e.drained)) }

// tls is for a nginx that has one of the certificates that the one of this stack has: the engine says which
// they are, so the address may be anybody's. That holds also while it has another one than is wanted, and with one that it has
// got from a CA since.
func (e *Edge) tls(ctx context.Context) *tls.Config {
	e.knowing.Do(func() {
		e.own = &edge.Own{Read: func(ctx context.Context) (string, error) {
			return e.Engine.Exec(ctx, e.Stack, name, edge.CertificatesCommand...)
		}}
	})
	return e.own.TLS(ctx)
}

// stranger is true for an answer of somebody else than nginx.
func stranger(err error) bool {
	var s *edge.Stranger
	return errors.As(err, &s)
}

// intercepted says so of the way to nginx.
func (e *Edge) intercepted(err error) error {
	return fmt.Errorf("%w. What a deploy asks has a password, so it went no further. It asks nginx at %s, where nobody may be in between who ends TLS, "+
		"such as a proxy or a balancer", err, e.Site.Address())
}

// by is what asks the nginx that is wanted; nil: HTTP, at its ports.
func (e *Edge) by() http.RoundTripper {
	if e.Site.BehindEdge() {
		return fromInside{e.Engine, e.Stack}
	}
	return nil
}

// smoke is what a release has to answer, asked by the site's own name.
func (e *Edge) smoke() smoke.Test {
	asked := e.Site.Backend.Smoke
	test := smoke.Test{
		Base: e.Site.At(e.Site.Name()), Connect: e.Site.Address(), Health: e.Site.Backend.HealthPath(), Transport: e.by(),
		Read: asked.Read, Write: asked.Write, Body: asked.Body, Admin: asked.Admin,
	}
	if asked.Static != "" {
		test.Static = e.Static + "/" + asked.Static
	}
	return test
}
