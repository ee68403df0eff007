package nginx

import (
	"context"
	"errors"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/smoke"
)

// rotating is a nginx that knows one token until it has got a HUP, and then the installed one.
type rotating struct {
	Engine
	knows, installed, configuration string
	asked                           []string
}

func (r *rotating) Runs(context.Context, string, string) (int, error) { return 1, nil }

func (r *rotating) Exec(context.Context, string, string, ...string) (string, error) {
	return assets.Candidate(r.installed), nil
}

func (r *rotating) Published(context.Context, string, string) (map[int]engine.Published, error) {
	return map[int]engine.Published{httpsPort: {Address: "127.0.0.1", Port: 443}}, nil
}

func (r *rotating) Condition(context.Context, string, string) (engine.Condition, error) {
	return engine.Condition{There: true}, nil
}

func (r *rotating) Signal(context.Context, string, string, string) error {
	r.knows, r.configuration = r.installed, "next"
	return nil
}

type asking struct {
	nginx *rotating
	token string
}

func (a asking) State(context.Context) (edge.State, error) {
	a.nginx.asked = append(a.nginx.asked, a.token)
	if a.token != a.nginx.knows {
		return edge.State{}, errors.New("404")
	}
	return edge.State{Configuration: a.nginx.configuration}, nil
}

func (a asking) Await(ctx context.Context, configuration string, _ time.Duration) error {
	state, err := a.State(ctx)
	if err == nil && state.Configuration != configuration {
		err = errors.New("another one")
	}
	return err
}

// While its token is rotated, nginx is asked with the one that it knows.
func TestTheTokenIsRotatedAsNginxReloads(t *testing.T) {
	n := &rotating{knows: "old", installed: "old", configuration: "earlier"}
	shown := ""
	e := &Edge{Engine: n, Token: "new", Sleep: func(time.Duration) {},
		Dial: func(c edge.Client) Client { return asking{n, c.Token} },
		Check: func(_ context.Context, test smoke.Test, _ time.Duration) error {
			shown = test.Header.Get(edge.Header)
			return nil
		}}
	e.Site.Nginx.Enabled = true
	e.FindEarlier(t.Context())
	if err := e.Verify(t.Context(), "backend-2"); err != nil || shown[:4] != "old." {
		t.Errorf("before: %v, %q", err, shown)
	}
	if _, err := e.Upstreams(t.Context()); err != nil {
		t.Errorf("before: %v", err)
	}
	n.installed = "new"
	if err := e.Apply(t.Context(), "next"); err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(t.Context(), "backend-2"); err != nil || shown[:4] != "new." {
		t.Errorf("after: %v, %q", err, shown)
	}

	// Nothing is rotated: nobody else's token is tried.
	n = &rotating{knows: "new", installed: "new", configuration: "earlier"}
	e.Earlier, e.current, e.Engine = "", false, n
	e.FindEarlier(t.Context())
	n.knows = "neither"
	if _, err := e.ask(t.Context()); err == nil || len(n.asked) != 1 {
		t.Errorf("%v, asked with %q", err, n.asked)
	}
}
