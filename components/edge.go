package components

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

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
}

var _ runtime.Edge = (*proxy)(nil)

func (e *proxy) client() (NginxClient, error) {
	token, err := runtime.Text(e.p.ctx, e.token)
	if err != nil {
		return nil, err
	}
	return e.p.Dial(e.p.baseURL(), token), nil
}

// state is what nginx runs; nothing where it doesn't, or can not be asked: one of
// an earlier version of this program, or with another port than the new one.
func (e *proxy) state(ctx context.Context) (edge.State, error) {
	if runs, err := e.p.Engine.Runs(ctx, e.p.Prefix, "nginx"); err != nil || runs == 0 {
		return edge.State{}, err
	}
	client, err := e.client()
	if err != nil {
		return edge.State{}, err
	}
	state, err := client.State(ctx)
	if err != nil { // it is about to be replaced, or to be repaired; users can't be worse off
		_ = e.p.ctx.Log.Warn(fmt.Sprintf("the nginx that runs can not be asked what it does (%v): the release is not proven before users see it", err), nil)
		return edge.State{}, nil
	}
	return state, nil
}

// Rotation implements runtime.Edge.
func (e *proxy) Rotation(ctx context.Context) ([]string, error) {
	state, err := e.state(ctx)
	return state.Rotation, err
}

// Prove implements runtime.Edge.
func (e *proxy) Prove(ctx context.Context, host string) error {
	token, err := runtime.Text(e.p.ctx, e.token)
	if err != nil {
		return err
	}
	test := e.p.smoke(e.static)
	test.Header = edge.For(token, host)
	if err := e.p.Check(ctx, test, answerTime); err != nil {
		return fmt.Errorf("%s, before it got users' requests: %w", host, err)
	}
	return nil
}

// check asks what users ask, behind the maintenance page where that is shown.
func (e *proxy) check(ctx context.Context) error {
	if e.p.Config.Maintenance && e.p.Config.Nginx.Enabled {
		return e.Prove(ctx, edge.Rotated)
	}
	return e.p.Check(ctx, e.p.smoke(e.static), answerTime)
}

// turn has nginx take its new configuration, if it doesn't run it.
func (e *proxy) turn(ctx context.Context, configuration string) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	// A nginx that has just been started may not listen yet.
	state, err := client.State(ctx)
	if err == nil && state.Configuration == configuration {
		return nil
	}
	if err == nil {
		if err := e.p.Engine.Signal(ctx, e.p.Prefix, "nginx", "SIGHUP"); err != nil {
			return err
		}
	}
	if err := client.Await(ctx, configuration, reloadTime); err != nil {
		return fmt.Errorf("%w%s", err, e.p.Engine.Tail(ctx, e.p.Prefix, "nginx"))
	}
	e.lingers = time.Now().Add(settle)
	return nil
}

// smoke is what a release has to answer.
func (p *platform) smoke(static string) smoke.Test {
	asked := p.Config.Backend.Smoke
	test := smoke.Test{
		Base: p.baseURL(), Health: p.Config.Backend.Paths.Health,
		Read: asked.Read, Write: asked.Write, Body: asked.Body, Admin: asked.Admin,
	}
	if asked.Static != "" {
		test.Static = static + "/" + asked.Static
	}
	return test
}
