// Package doctor looks for what is wrong with a stack whose users complain, or which does not come up. It is run
// when things are broken: each check is by itself, has its own time, and is unknown where it gets no answer.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/state"
)

// Page is what the documents say of each check, below a heading that is its id.
const Page = "docs/troubleshooting.md"

// limit is the time of one check. All begin together.
const limit = 4500 * time.Millisecond

// Engine is what is asked of the Docker engine. Nothing of it changes anything.
type Engine interface {
	history.Engine
	Inspected(ctx context.Context, prefix string) ([]container.InspectResponse, error)
	ServedOf(ctx context.Context, prefix string) ([]engine.Served, error)
	NetworksOf(ctx context.Context, prefix string) ([]network.Summary, error)
	VolumePlaces(ctx context.Context) (map[string]string, error)
	Described(ctx context.Context, reference string) (image.InspectResponse, bool, error)
	DiskUsage(ctx context.Context) (engine.Usage, error)
	Now(ctx context.Context) (now time.Time, within time.Duration, err error)
	Within(ctx context.Context, id, input string, command ...string) (string, error)
	LastWords(ctx context.Context, id string) string
	Kills(ctx context.Context, id string, since time.Time) (int, error)
	PortsTaken(ctx context.Context, prefix string, ports []engine.Port) ([]error, error)
	Operating(ctx context.Context, prefix string) (engine.Held, bool, error)
	Claimed(ctx context.Context, prefix string) (bool, error)
}

// About is what an engine has said of itself when it was opened.
type About struct {
	Version, API, Platform, Root string
	// Local is true where it shares this machine's files, and Host is where its ports are reached.
	Local bool
	Host  string
	// Manager is true for one that takes services, and Swarm is what it calls its place in one.
	Manager bool
	Swarm   string
	// Forwards is true where it lets containers out.
	Forwards bool
}

// Stack is who is looked at. What can't be had is an error in place of it, and the checks that need it are
// unknown for that reason.
type Stack struct {
	Name, Prefix string
	// Engine is nil where it does not answer, for the reason EngineError.
	Engine      Engine
	EngineError error
	About       About
	// State reads Pulumi's.
	State func(ctx context.Context) (state.Whole, error)
	// Config is the stack file's, without its secrets.
	Config      config.Config
	ConfigError error
	// Dial is how users come; nil: over the network. Resolver is a name server that this machine asks.
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Resolver string
	// Uplink is the MTU of this machine's way out; 0: it is not known.
	Uplink int
}

// check is one of the list.
type check struct {
	id, checked string
	// after are checks that this one's failure follows from: where one of them fails, it is left out.
	after []string
	do    func(ctx context.Context, p *patient) finding
}

// finding is what a check says.
type finding struct{ result, found, cause, mend string }

func pass(format string, args ...any) finding {
	return finding{result: checks.Pass, found: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) finding {
	return finding{result: checks.Skip, found: fmt.Sprintf(format, args...)}
}

func unknown(err error) finding { return finding{result: checks.Unknown, found: err.Error()} }

// all is the list, in the order of the ways that a fault takes: what is below comes first.
func all() []check {
	return slices.Concat(engineChecks, stackChecks, containerChecks, dataChecks, networkChecks, edgeChecks)
}

// IDs are those of the list.
func IDs() (ids []string) {
	for _, c := range all() {
		ids = append(ids, c.id)
	}
	return ids
}

// Of goes through the list. What fails comes first.
func Of(ctx context.Context, s Stack) checks.Report {
	return of(ctx, s, all(), limit)
}

func of(ctx context.Context, s Stack, list []check, limit time.Duration) checks.Report {
	p := &patient{Stack: s}
	p.facts(ctx, limit)
	found := make([]finding, len(list))
	var group sync.WaitGroup
	for i, c := range list {
		group.Go(func() { found[i] = within(ctx, limit, func(ctx context.Context) finding { return c.do(ctx, p) }) })
	}
	group.Wait()
	r := checks.Report{Stack: s.Name, Release: p.release()}
	for i, c := range list {
		r.Checks = append(r.Checks, told(s.Name, c, found[i]))
	}
	follow(r.Checks, list)
	slices.SortStableFunc(r.Checks, func(a, b checks.Check) int { return rank(a.Result) - rank(b.Result) })
	return r
}

// within is what a check says, or that it has said nothing in its time: it may hang at what does not end.
func within(ctx context.Context, limit time.Duration, do func(context.Context) finding) finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := make(chan finding, 1)
	go func() { said <- do(ctx) }()
	select {
	case f := <-said:
		return f
	case <-ctx.Done():
		return finding{result: checks.Unknown, found: fmt.Sprintf("no answer within %s", limit)}
	}
}

// told is a finding as it is shown. What is to be done ends with where it is explained.
func told(stack string, c check, f finding) checks.Check {
	shown := checks.Check{ID: c.id, Checked: c.checked, Result: f.result, Found: f.found}
	if f.result == checks.Fail || f.result == checks.Warn {
		shown.Cause = f.cause
		shown.Mend = strings.TrimPrefix(strings.ReplaceAll(f.mend, "{stack}", stack)+"\n"+Page+"#"+c.id, "\n")
	}
	return shown
}

// follow leaves out what follows from another failure: one fault is told once, where it can be mended.
func follow(all []checks.Check, list []check) {
	failed := map[string]bool{}
	for _, c := range all {
		failed[c.ID] = c.Result == checks.Fail
	}
	for i, c := range list {
		if all[i].Result != checks.Fail && all[i].Result != checks.Warn && all[i].Result != checks.Unknown {
			continue
		}
		for _, cause := range c.after {
			if failed[cause] {
				all[i] = checks.Check{ID: c.id, Checked: c.checked, Result: checks.Skip, Found: "looked at again once " + cause + " is mended, as that may be why: " + cmp.Or(all[i].Found, "no answer")}
				break
			}
		}
	}
}

func rank(result string) int {
	return slices.Index([]string{checks.Fail, checks.Warn, checks.Unknown, checks.Skip, checks.Pass}, result)
}
