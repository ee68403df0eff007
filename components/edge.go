package components

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/runtime"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/smoke"
)

const (
	// answerTime is how long a stack whose workloads are all healthy may take to
	// answer from outside: nginx looks addresses up once a second.
	answerTime = 30 * time.Second
	reloadTime = 15 * time.Second
)

// edgeToken declares what the deploy's own requests to nginx show.
func (p *platform) edgeToken() (pulumi.StringOutput, error) {
	token, err := random.NewRandomPassword(p.ctx, "edge-token", &random.RandomPasswordArgs{
		Length: pulumi.Int(32), Special: pulumi.Bool(false),
	}, p.child(), pulumi.AdditionalSecretOutputs([]string{"result"}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return token.Result, nil
}

// NginxClient asks the running nginx.
type NginxClient interface {
	State(ctx context.Context) (edge.State, error)
	Await(ctx context.Context, configuration string, within time.Duration) error
}

// proxy is nginx as a rollout sees it.
type proxy struct {
	p     *platform
	token pulumi.StringOutput
	// static is the path of the release's static file that is asked for.
	static string
	// lingers is until when requests on connections that were kept open still go
	// to the earlier hosts.
	lingers time.Time
	// backend is what it sends users' requests to, and configuration names the one with
	// which it does so, once both are there.
	backend       *runtime.Running
	configuration string
	// none is true once the engine has said that no nginx runs that could be asked.
	none bool
}

var _ runtime.Edge = (*proxy)(nil)

// client asks the nginx at an address.
func (e *proxy) client(base string) (NginxClient, error) {
	token, err := runtime.Text(e.p.ctx, e.token)
	if err != nil {
		return nil, err
	}
	return e.p.Dial(base, token), nil
}

// Prove implements runtime.Edge.
func (e *proxy) Prove(ctx context.Context, host string) error {
	base, err := e.running(ctx) // which is not yet where it will be
	if err == nil && base == "" {
		err = errors.New("nginx has stopped: the release can not be checked")
	}
	if err != nil {
		return err
	}
	test := e.p.smoke(e.static)
	if test.Base, test.Connect, err = e.p.named(base); err != nil {
		return err
	}
	if err := e.past(ctx, test, fmt.Sprintf("%s:%d", host, e.p.Config.Backend.Port)); err != nil {
		return fmt.Errorf("%s, before it got users' requests: %w", host, err)
	}
	return nil
}

// past asks a target past the rotation and the maintenance page.
func (e *proxy) past(ctx context.Context, test smoke.Test, target string) error {
	token, err := runtime.Text(e.p.ctx, e.token)
	if err != nil {
		return err
	}
	test.Header = edge.For(token, target)
	return e.p.Check(ctx, test, answerTime)
}

// check asks what users ask, and counts the answers of this release: for a moment after
// the switch, one of the release before may come. Behind the maintenance page, it passes that.
func (e *proxy) check(ctx context.Context) error {
	test := e.p.smoke(e.static)
	if !e.p.Config.Nginx.Enabled {
		return e.p.Check(ctx, test, answerTime)
	}
	if !e.p.Config.Maintenance {
		users := smoke.Test{Base: test.Base, Connect: test.Connect, Health: test.Health}
		if err := e.p.Check(ctx, users, answerTime); err != nil {
			return err
		}
	}
	test.From = func(answer http.Header) error { return e.another(ctx, edge.ServedBy(answer)) }
	return e.past(ctx, test, edge.Rotated)
}

// another says why an answer is not this release's, if so.
func (e *proxy) another(ctx context.Context, by edge.Served) error {
	if by.Configuration != e.configuration {
		return fmt.Errorf("answered by nginx with the configuration %q, not %s", by.Configuration, e.configuration)
	}
	if by.Replica == "" {
		return nil // nginx itself: a static file, or a fault
	}
	replicas, err := e.backend.Reached(ctx)
	if err == nil && !slices.Contains(replicas, by.Replica) {
		err = fmt.Errorf("answered by a replica of another release: %s is none of %s", by.Replica, strings.Join(replicas, ", "))
	}
	return err
}

// close has the nginx that runs show the maintenance page before anything else is
// done: what is to be mended may not let the deploy go on.
func (e *proxy) close(ctx context.Context) error {
	runs, err := e.p.Engine.Runs(ctx, e.p.Prefix, "nginx")
	if err != nil || runs == 0 {
		return err
	}
	if _, err = e.p.Engine.Exec(ctx, e.p.Prefix, "nginx", "touch", assets.ClosedFile); err == nil {
		return nil
	}
	if condition, unknown := e.p.Engine.Condition(ctx, e.p.Prefix, "nginx"); unknown != nil || !condition.Broken {
		return err
	}
	// Nobody sees anything else, and this `up` is what mends it.
	return e.p.ctx.Log.Warn(fmt.Sprintf("nginx does not run well, and does not show the maintenance page yet: %v", err), nil)
}

// turn has nginx take its new configuration, if it doesn't run it, and open again if
// it was closed.
func (e *proxy) turn(ctx context.Context, configuration string) error {
	client, err := e.client(e.p.urlOf(e.p.host()))
	if err != nil {
		return err
	}
	e.configuration = configuration
	told := func(err error) error { return fmt.Errorf("%w%s", err, e.p.Engine.Tail(ctx, e.p.Prefix, "nginx")) }
	state, err := client.State(ctx)
	if err != nil { // one that has just been started may not listen yet, and has read it
		e.lingers = time.Now().Add(settle)
		awaited := client.Await(ctx, configuration, reloadTime)
		if state, err = client.State(ctx); err != nil {
			return told(errors.Join(awaited, err))
		}
	}
	if state.Configuration != configuration {
		if err := e.p.Engine.Signal(ctx, e.p.Prefix, "nginx", "SIGHUP"); err != nil {
			return err
		}
		if err := client.Await(ctx, configuration, reloadTime); err != nil {
			return told(err)
		}
		e.lingers = time.Now().Add(settle)
	}
	if state.Closed && !e.p.Config.Maintenance {
		_, err := e.p.Engine.Exec(ctx, e.p.Prefix, "nginx", "rm", "-f", assets.ClosedFile)
		return err
	}
	return nil
}

// named is an address with the site's own name, and the host that it is to be asked
// of: an application may refuse every other name, and the name may not lead here yet.
func (p *platform) named(base string) (named, connect string, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", "", err
	}
	connect = u.Hostname()
	name := p.siteName()
	if port := u.Port(); port != "" {
		u.Host = net.JoinHostPort(name, port)
	} else if u.Host = name; strings.Contains(name, ":") {
		u.Host = "[" + name + "]"
	}
	return u.String(), connect, nil
}

// smoke is what a release has to answer, asked by the site's own name.
func (p *platform) smoke(static string) smoke.Test {
	asked := p.Config.Backend.Smoke
	test := smoke.Test{
		Base: p.urlOf(p.siteName()), Connect: p.host(), Health: p.Config.Backend.Paths.Health,
		Read: asked.Read, Write: asked.Write, Body: asked.Body, Admin: asked.Admin,
	}
	if asked.Static != "" {
		test.Static = static + "/" + asked.Static
	}
	return test
}
