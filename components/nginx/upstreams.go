package nginx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/site"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
)

const (
	// askPause is between two questions to a nginx that does not answer.
	askPause = time.Second
	// silence is how long a nginx that runs is asked again. It is longer than the engine's
	// health check takes to find one that hangs, after which it is restarted: 15 s to the
	// next check, then three that take 5 s each, with 2 s between.
	silence = 45 * time.Second
)

// Upstreams lists the hosts that users' requests go to. Empty: the engine says that nginx
// does not run. One that runs and does not answer is an error.
func (e *Edge) Upstreams(ctx context.Context) ([]string, error) {
	state, err := e.state(ctx)
	return state.Upstreams, err
}

// state is what the nginx that runs does; nothing where the engine says that there is
// none, or that it is broken: users get nothing then, and this `up` is to mend it.
//
// A nginx that runs and does not answer is asked again, and then is an error: a release
// that is not checked must not reach the users that it may well serve.
func (e *Edge) state(ctx context.Context) (edge.State, error) {
	if e.none {
		return edge.State{}, nil
	}
	begun, revived := time.Now(), false
	for try := 1; ; try++ {
		condition, err := e.Engine.Condition(ctx, e.Stack, name)
		if err != nil {
			return edge.State{}, err
		}
		if !condition.There {
			e.none = true
			return edge.State{}, nil
		}
		state, silent := e.ask(ctx)
		if silent == nil {
			return state, nil
		}
		if stranger(silent) {
			return edge.State{}, e.intercepted(silent)
		}
		if condition.Broken && !revived {
			revived = true
			if err := e.Engine.Revive(ctx, e.Stack, name); err != nil {
				silent = errors.Join(silent, err)
			}
			begun, try = time.Now(), 1 // to start
		}
		over := time.Since(begun) > silence || try > int(silence/askPause)
		switch {
		case condition.Stopped || condition.Broken && over:
			e.none = true
			return edge.State{}, e.Log.Warn(fmt.Sprintf("nginx does not run well (%s), and users get no answer: "+
				"the release is checked when this `up` has mended nginx, and not before%s", condition.Says, e.Engine.Tail(ctx, e.Stack, name)), nil)
		case over:
			return edge.State{}, fmt.Errorf("nginx runs (%s), and can not be asked which release it serves: %w. "+
				"A release is checked through nginx before users see it, so nothing was changed for them. %s%s",
				condition.Says, silent, e.wayOn(), e.Engine.Tail(ctx, e.Stack, name))
		}
		e.Sleep(askPause)
	}
}

// wayOn is what helps where nginx runs and does not answer.
func (e *Edge) wayOn() string {
	again, away := "docker restart "+e.Stack+"-nginx-1", "docker rm -f "+e.Stack+"-nginx-1"
	if e.Site.Runtime == "swarm" {
		again, away = "docker service update --force "+e.Stack+"-nginx", "docker service rm "+e.Stack+"-nginx"
	}
	return fmt.Sprintf("`%s` starts it anew; where that does not help, `%s` and then `pulumi up --refresh` make a new one, and the release is checked only after users have it", again, away)
}

// ask is one question.
func (e *Edge) ask(ctx context.Context) (edge.State, error) {
	base, by, err := e.running(ctx)
	if err != nil {
		return edge.State{}, err
	}
	if base == "" {
		return edge.State{}, errors.New("nginx: it has no port on the host")
	}
	return e.stateOf(ctx, base, by)
}

// stateOf asks with the token, and with the earlier one while nginx may know that alone: the token is
// rotated as the configuration is that has it.
func (e *Edge) stateOf(ctx context.Context, base string, by http.RoundTripper) (edge.State, error) {
	ask := func(token string) (edge.State, error) {
		state, err := e.Dial(edge.Client{Base: base, Token: token, Proxied: e.proxied.Load(), TLS: e.tls(ctx), By: by}).State(ctx)
		if err == nil {
			e.proxied.Store(state.Proxied)
		}
		return state, err
	}
	state, err := ask(e.Token)
	if err == nil {
		e.current = true
		return state, nil
	}
	if e.Earlier == "" || e.current || stranger(err) {
		return state, err
	}
	return ask(e.Earlier)
}

// shown is the token that nginx knows.
func (e *Edge) shown() string {
	if e.current || e.Earlier == "" {
		return e.Token
	}
	return e.Earlier
}

// FindEarlier looks up the token of the nginx that runs. One that can't be asked is to be mended by
// this deploy, or found out when it is asked for what it serves.
func (e *Edge) FindEarlier(ctx context.Context) {
	runs, err := e.Engine.Runs(ctx, e.Stack, name)
	if err != nil || runs == 0 {
		return
	}
	text, err := e.Engine.Exec(ctx, e.Stack, name, "cat", folder+"/current/"+assets.CandidateFile)
	if token, found := assets.TokenIn(text); err == nil && found && token != e.Token {
		e.Earlier = token
	}
}

// running is where the nginx that runs is reached, and by what; nothing where none does. It
// may have other ports than the one that is wanted, or none.
func (e *Edge) running(ctx context.Context) (base string, by http.RoundTripper, err error) {
	ports, err := e.Engine.Published(ctx, e.Stack, name)
	if err != nil {
		return "", nil, err
	}
	if at, ok := ports[httpsPort]; ok {
		return site.URL("https", e.Site.Reached(at.Address), at.Port), nil, nil
	}
	if at, ok := ports[httpPort]; ok {
		return site.URL("http", e.Site.Reached(at.Address), at.Port), nil, nil
	}
	runs, err := e.Engine.Runs(ctx, e.Stack, name)
	if err != nil || runs == 0 {
		return "", nil, err
	}
	return e.Site.At(e.Site.Address()), fromInside{e.Engine, e.Stack}, nil
}

// Front is where users come to an edge whose nginx has these ports.
func Front(ports map[int]engine.Published) site.Front {
	if at, ok := ports[httpsPort]; ok {
		return site.Front{Scheme: "https", Port: at.Port}
	}
	if at, ok := ports[httpPort]; ok {
		return site.Front{Scheme: "http", Port: at.Port}
	}
	return site.Front{}
}

// Sends is true where the nginx of an edge sends users to a stack.
func Sends(ctx context.Context, docker Engine, edge, stack string) (bool, error) {
	text, err := docker.Exec(ctx, edge, name, "cat", folder+"/current/nginx.conf")
	return strings.Contains(text, fmt.Sprintf("server %s:%d ", stack, httpPort)), err
}

// Replicas are the upstreams where each is one replica: it is an error where nginx knows all
// by one name, or does not say right away.
func (e *Edge) Replicas(ctx context.Context) ([]string, error) {
	state, err := e.ask(ctx)
	if err == nil && slices.Contains(state.Upstreams, edge.Upstreams) {
		err = errors.New("nginx: it knows all replicas by one name")
	}
	return state.Upstreams, err
}
