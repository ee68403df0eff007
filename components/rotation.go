package components

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tarot-platform/internal/edge"
)

const (
	// askPause is between two questions to a nginx that does not answer.
	askPause = time.Second
	// silence is how long a nginx that runs is asked again. It is longer than the engine's
	// health check takes to find one that hangs, after which it is restarted: 15 s to the
	// next check, then three that take 5 s each, with 2 s between.
	silence = 45 * time.Second
)

// Rotation implements runtime.Edge.
func (e *proxy) Rotation(ctx context.Context) ([]string, error) {
	state, err := e.state(ctx)
	return state.Rotation, err
}

// state is what the nginx that runs does; nothing where the engine says that there is
// none, or that it is broken: users get nothing then, and this `up` is to mend it.
//
// A nginx that runs and does not answer is asked again, and then is an error: a release
// that is not checked must not reach the users that it may well serve.
func (e *proxy) state(ctx context.Context) (edge.State, error) {
	if e.none {
		return edge.State{}, nil
	}
	begun, revived := time.Now(), false
	for try := 1; ; try++ {
		condition, err := e.p.Engine.Condition(ctx, e.p.Prefix, "nginx")
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
		if condition.Broken && !revived {
			revived = true
			if err := e.p.Engine.Revive(ctx, e.p.Prefix, "nginx"); err != nil {
				silent = errors.Join(silent, err)
			}
			begun, try = time.Now(), 1 // to start
		}
		over := time.Since(begun) > silence || try > int(silence/askPause)
		switch {
		case condition.Stopped || condition.Broken && over:
			e.none = true
			return edge.State{}, e.p.ctx.Log.Warn(fmt.Sprintf("nginx does not run well (%s), and users get no answer: "+
				"the release is checked when this `up` has mended nginx, and not before%s", condition.Says, e.p.Engine.Tail(ctx, e.p.Prefix, "nginx")), nil)
		case over:
			return edge.State{}, fmt.Errorf("nginx runs (%s), and can not be asked which release it serves: %w. "+
				"A release is checked through nginx before users see it, so nothing was changed for them. %s%s",
				condition.Says, silent, e.wayOn(), e.p.Engine.Tail(ctx, e.p.Prefix, "nginx"))
		}
		e.p.Sleep(askPause)
	}
}

// wayOn is what helps where nginx runs and does not answer.
func (e *proxy) wayOn() string {
	again, away := "docker restart "+e.p.Prefix+"-nginx-1", "docker rm -f "+e.p.Prefix+"-nginx-1"
	if e.p.Config.Runtime == "swarm" {
		again, away = "docker service update --force "+e.p.Prefix+"-nginx", "docker service rm "+e.p.Prefix+"-nginx"
	}
	return fmt.Sprintf("`%s` starts it anew; where that does not help, `%s` and then `pulumi up --refresh` make a new one, and the release is checked only after users have it", again, away)
}

// ask is one question.
func (e *proxy) ask(ctx context.Context) (edge.State, error) {
	base, err := e.running(ctx)
	if err != nil {
		return edge.State{}, err
	}
	if base == "" {
		return edge.State{}, errors.New("nginx: it has no port on the host")
	}
	client, err := e.client(base)
	if err != nil {
		return edge.State{}, err
	}
	return client.State(ctx)
}

// running is where the nginx that runs is reached, and nothing where none does. It
// may have other ports than the one that is wanted.
func (e *proxy) running(ctx context.Context) (string, error) {
	ports, err := e.p.Engine.Published(ctx, e.p.Prefix, "nginx")
	if err != nil {
		return "", err
	}
	if at, ok := ports[nginxHTTPS]; ok {
		return address("https", e.p.reached(at.Address), at.Port), nil
	}
	if at, ok := ports[nginxHTTP]; ok {
		return address("http", e.p.reached(at.Address), at.Port), nil
	}
	return "", nil
}
