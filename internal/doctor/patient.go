package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// patient is a stack with what is known of it. Each thing is asked once, whoever needs it, and the checks wait.
type patient struct {
	Stack
	bodies   fact[[]body]
	served   fact[[]engine.Served]
	networks fact[[]network.Summary]
	volumes  fact[map[string]string]
	state    fact[known]
	insides  fact[map[string]inside]
	usage    fact[engine.Usage]
}

// known is Pulumi's state, with its outputs read.
type known struct {
	state.Whole
	Out outputs
}

// outputs are those that something is asked of.
type outputs struct {
	Runtime, Release, Image   string
	URL, HealthURL, StaticURL string
	ProxyProtocol             string
	Services                  map[string]struct {
		Replicas int
		Image    string
		Names    []string
		Writes   []string
	}
	Volumes map[string]string
}

// body is a container of the stack.
type body struct {
	container.InspectResponse
	engine.Workload
	// stray is true for one that has the stack's label, and that Pulumi's state does not know: it is told of by
	// orphans, and no part of the stack otherwise.
	stray bool
}

// lives is true for one that is to run for ever: no job, and nothing that only holds files.
func (b body) lives() bool { return b.Of != "" && !b.Job && !b.stray }

// running is true where it runs, and is neither paused nor about to start again.
func (b body) running() bool {
	return b.State != nil && b.State.Running && !b.State.Restarting && !b.State.Paused
}

// well is true where it runs, and its health check, if it has one, says so.
func (b body) well() bool {
	return b.running() && (b.State.Health == nil || b.State.Health.Status == container.Healthy || b.State.Health.Status == container.NoHealthcheck)
}

// fact is an answer that several wait for.
type fact[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func ask[T any](ctx context.Context, f *fact[T], limit time.Duration, question func(context.Context) (T, error)) {
	f.done = make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		f.value, f.err = question(ctx)
		close(f.done)
	}()
}

func (f *fact[T]) get(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, errors.New("no answer in its time")
	}
}

// facts asks for all of them at once.
func (p *patient) facts(ctx context.Context, limit time.Duration) {
	ask(ctx, &p.state, limit, p.readState)
	ask(ctx, &p.bodies, limit, func(ctx context.Context) ([]body, error) {
		return asked(p, func(e Engine) ([]body, error) {
			found, err := e.Inspected(ctx, p.Prefix)
			declared := p.declared(ctx)
			var all []body
			for _, c := range found {
				w := engine.WorkloadOf(c)
				all = append(all, body{c, w, declared != nil && !declared[c.ID] && !w.Task})
			}
			slices.SortFunc(all, func(a, b body) int { return strings.Compare(a.Workload.Name, b.Workload.Name) })
			return all, err
		})
	})
	ask(ctx, &p.served, limit, func(ctx context.Context) ([]engine.Served, error) {
		return asked(p, func(e Engine) ([]engine.Served, error) { return e.ServedOf(ctx, p.Prefix) })
	})
	ask(ctx, &p.networks, limit, func(ctx context.Context) ([]network.Summary, error) {
		return asked(p, func(e Engine) ([]network.Summary, error) { return e.NetworksOf(ctx, p.Prefix) })
	})
	ask(ctx, &p.volumes, limit, func(ctx context.Context) (map[string]string, error) {
		return asked(p, func(e Engine) (map[string]string, error) { return e.VolumePlaces(ctx) })
	})
	ask(ctx, &p.insides, limit, p.lookInside)
	ask(ctx, &p.usage, limit, func(ctx context.Context) (engine.Usage, error) {
		return asked(p, func(e Engine) (engine.Usage, error) { return e.DiskUsage(ctx) })
	})
}

// together is what several questions have failed of, each reason once.
func together(failures ...error) error {
	var reasons []string
	for _, err := range failures {
		if err != nil && !slices.Contains(reasons, err.Error()) {
			reasons = append(reasons, err.Error())
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return errors.New(strings.Join(reasons, "; "))
}

// asked is nothing but the reason where there is no engine.
func asked[T any](p *patient, question func(Engine) (T, error)) (T, error) {
	if p.Engine == nil {
		var none T
		return none, errNoEngine
	}
	return question(p.Engine)
}

func (p *patient) readState(ctx context.Context) (known, error) {
	if p.Stack.State == nil {
		return known{}, errors.New("nobody has looked for the state")
	}
	w, err := p.Stack.State(ctx)
	if err != nil {
		return known{}, err
	}
	s := known{Whole: w}
	if len(w.Outputs) == 0 {
		return s, nil
	}
	// One that is secret, or of another form, is left out, and the others are read.
	var each map[string]json.RawMessage
	if err := json.Unmarshal(w.Outputs, &each); err != nil {
		return s, fmt.Errorf("the outputs in Pulumi's state: %w", err)
	}
	for name, text := range each {
		one, err := json.Marshal(map[string]json.RawMessage{name: text})
		if err == nil {
			_ = json.Unmarshal(one, &s.Out)
		}
	}
	return s, nil
}

// declared are the ids that Pulumi's state has; nil where it has none, or can't be read in time.
func (p *patient) declared(ctx context.Context) map[string]bool {
	waiting, cancel := context.WithTimeout(ctx, stateTime)
	defer cancel()
	s, err := p.state.get(waiting)
	if err != nil || len(s.Resources) == 0 {
		return nil
	}
	all := map[string]bool{}
	for _, r := range s.Resources {
		all[r.ID] = true
	}
	return all
}

// release is the one that Pulumi's state has; empty where that has not been read.
func (p *patient) release() string {
	select {
	case <-p.state.done:
		return p.state.value.Out.Release
	default:
		return ""
	}
}

// outputs are the stack's; empty ones where the state can't be read, for what goes without them.
func (p *patient) outputs(ctx context.Context) outputs {
	s, _ := p.state.get(ctx)
	return s.Out
}

// living are the containers that are to run for ever, those of Swarm that have ended left out.
func (p *patient) living(ctx context.Context) ([]body, error) {
	all, err := p.bodies.get(ctx)
	return slices.DeleteFunc(slices.Clone(all), func(b body) bool { return !b.lives() || b.Task && !b.running() }), err
}

// words are the last lines of a container's log, for a finding: what the application itself says.
func (p *patient) words(ctx context.Context, id string) string {
	const shown = 6
	lines := strings.Split(strings.TrimSpace(p.Engine.LastWords(ctx, id)), "\n")
	if len(lines) > shown {
		lines = lines[len(lines)-shown:]
	}
	for i, line := range lines {
		if runes := []rune(line); len(runes) > 300 {
			lines[i] = string(runes[:300]) + " …"
		}
	}
	if text := strings.Join(lines, "\n"); text != "" {
		return "\nits last log lines:\n" + text
	}
	return ""
}

// many does something for each of what is needed, all at once.
func many[T any](all []T, do func(T)) {
	var group sync.WaitGroup
	for _, one := range all {
		group.Go(func() { do(one) })
	}
	group.Wait()
}
