package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
)

// stackChecks are of what is known of the stack, and of who is at work on it.
var stackChecks = []check{
	{id: "configuration", checked: "the stack's file can be read", do: configuration},
	{id: "pulumi", checked: "Pulumi's state can be read", do: readable},
	{id: "lock", checked: "nobody dead has the stack", do: lock},
	{id: "unfinished", checked: "no move, restore or upgrade was interrupted", do: unfinished},
	{id: "last-deploy", checked: "the last deploy has ended well", after: []string{"unfinished"}, do: lastDeploy},
	{id: "state", checked: "what Pulumi has made is there", after: []string{"unfinished"}, do: disagree},
	{id: "orphans", checked: "nothing runs that nobody has declared", after: []string{"unfinished"}, do: orphans},
}

func configuration(_ context.Context, p *patient) finding {
	if p.ConfigError != nil {
		return finding{result: checks.Fail, found: p.ConfigError.Error(), cause: "a key, or a value, that is not allowed", mend: "docs/configuration.md"}
	}
	if err := p.Config.Validate(); err != nil {
		return finding{result: checks.Fail, found: err.Error(), cause: "a value that is not allowed: the next `pulumi up` refuses it", mend: "docs/configuration.md"}
	}
	return pass("Pulumi.%s.yaml", p.Name)
}

func readable(ctx context.Context, p *patient) finding {
	s, err := p.state.get(ctx)
	if err != nil && strings.Contains(err.Error(), "no stack named") {
		return finding{result: checks.Fail, found: "there is no stack " + p.Name + " in it", cause: "it was never made, or it is in another state: `pulumi stack ls`", mend: "pulumi stack init {stack}"}
	}
	if err != nil {
		return finding{result: checks.Fail, found: err.Error(),
			cause: "it is in another place than `pulumi login` or PULUMI_BACKEND_URL says, or its folder, its lock or its key is not yours", mend: "pulumi stack ls"}
	}
	if len(s.Resources) == 0 {
		return pass("it is empty: the stack is not up")
	}
	return pass("%d resources of Docker's", len(s.Resources))
}

var errNoState = errors.New("the state can not be read")

// operating is who is at work on the stack.
func (p *patient) operating(ctx context.Context) (engine.Held, bool, error) {
	if p.Engine == nil {
		return engine.Held{}, false, errNoEngine
	}
	return p.Engine.Operating(ctx, p.Prefix)
}

func lock(ctx context.Context, p *patient) finding {
	held, open, err := p.operating(ctx)
	if err != nil {
		return unknown(err)
	}
	if !open {
		claimed, err := p.Engine.Claimed(ctx, p.Prefix)
		if err != nil {
			return unknown(err)
		}
		if claimed {
			return finding{result: checks.Warn, found: "an `up` has not taken back its claim on its images", cause: "it was killed", mend: "pulumi up -s {stack}"}
		}
		return pass("nobody changes it")
	}
	if !held.Passing() {
		return skip("told by unfinished")
	}
	f := finding{found: held.Operation.Title() + " " + held.Whose(), mend: "make lock-release STACK=" + p.Name}
	switch {
	case held.Gone():
		f.result, f.cause = checks.Fail, "that process has ended on this machine without a word"
	case held.Silent >= engine.Dead:
		f.result, f.cause = checks.Fail, fmt.Sprintf("nothing was heard of it for %s, so it is dead, most likely", held.Silent.Truncate(time.Second))
	default:
		f.result, f.cause, f.mend = checks.Warn, "it is at work, and what else is told here may be over when it is", "make lock STACK="+p.Name
	}
	return f
}

func unfinished(ctx context.Context, p *patient) finding {
	held, open, err := p.operating(ctx)
	switch {
	case err != nil:
		return unknown(err)
	case !open || held.Passing():
		return pass("none is open")
	}
	return finding{result: checks.Fail, found: fmt.Sprintf("%s by %s, begun %s", held.Operation.Title(), held.Who, held.Since.UTC().Format(time.RFC3339)),
		cause: "its command has ended before its last step, and nothing else is done with the stack until it is finished, or taken back (BACK=yes)",
		mend:  fmt.Sprintf("make %s STACK=%s CONTINUE=yes", held.Operation.Target(), p.Name)}
}

// deploys are those operations by which a stack becomes what it is.
var deploys = []string{string(engine.Up), string(engine.Rollback), string(engine.Forward), string(engine.Rotate)}

func lastDeploy(ctx context.Context, p *patient) finding {
	if p.Engine == nil {
		return unknown(errNoEngine)
	}
	entries, err := history.Read(ctx, p.Engine, p.Prefix)
	if err != nil {
		return unknown(err)
	}
	last := slices.IndexFunc(entries, func(e history.Entry) bool { return slices.Contains(deploys, e.Operation) })
	if last < 0 {
		return skip("the history of the stack has none")
	}
	e := entries[last]
	text := fmt.Sprintf("%s of %s by %s: %s", e.Operation, e.At.UTC().Format("2006-01-02 15:04:05"), e.Name(), e.Result)
	if e.Result == history.Succeeded {
		return pass("%s", text)
	}
	if e.Why != "" {
		text += ": " + e.Why
	}
	return finding{result: checks.Warn, found: text, cause: "the stack may be half of the release before, and half of that one", mend: "pulumi up -s {stack}"}
}

// atWork is true while somebody changes the stack, when nothing agrees with anything.
func (p *patient) atWork(ctx context.Context) bool {
	held, open, err := p.operating(ctx)
	return err == nil && open && held.Passing() && !held.Gone()
}

func disagree(ctx context.Context, p *patient) finding {
	s, err := p.state.get(ctx)
	if err != nil {
		return unknown(errNoState)
	}
	there, err := p.ids(ctx)
	if err != nil {
		return unknown(err)
	}
	if p.atWork(ctx) {
		return skip("an operation is going on")
	}
	var gone []string
	n := 0
	for _, r := range s.Resources {
		// Volumes are told of by volumes: what is lost with one is another matter.
		if r.Job || !slices.Contains([]string{"container", "service", "network"}, r.Kind) {
			continue
		}
		if n++; !there[r.ID] {
			gone = append(gone, r.Kind+" "+r.Name)
		}
	}
	switch {
	case len(s.Resources) == 0 && len(there) == 0:
		return skip("the stack is not up")
	case len(gone) > 0:
		return finding{result: checks.Fail, found: "the engine has no more: " + strings.Join(gone, ", "), cause: "somebody has removed it by hand, or this is another engine than the one that Pulumi has used", mend: "pulumi up --refresh --yes -s {stack}"}
	}
	return pass("all %d are", n)
}

// ids are those of all that the engine has of the stack.
func (p *patient) ids(ctx context.Context) (map[string]bool, error) {
	bodies, err := p.bodies.get(ctx)
	served, err2 := p.served.get(ctx)
	networks, err3 := p.networks.get(ctx)
	if err := together(err, err2, err3); err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, b := range bodies {
		all[b.ID] = true
	}
	for _, s := range served {
		all[s.ID] = true
	}
	for _, n := range networks {
		all[n.ID] = true
	}
	return all, nil
}

func orphans(ctx context.Context, p *patient) finding {
	s, err := p.state.get(ctx)
	if err != nil {
		return unknown(errNoState)
	}
	bodies, err := p.bodies.get(ctx)
	if err != nil {
		return unknown(err)
	}
	if p.atWork(ctx) {
		return skip("an operation is going on")
	}
	declared := p.declared(ctx)
	var left []string
	for _, b := range bodies {
		if _, once := b.Config.Labels[engine.OnceLabel]; once && b.running() {
			continue // a command of somebody's is at work
		}
		if _, attempt := b.Config.Labels[engine.AttemptLabel]; attempt && !b.running() {
			continue // a job that has ended, of a deploy that has not: the next one takes it away
		}
		// What was never started is how some commands look into an image or a volume, for a moment.
		if b.Task || declared[b.ID] || b.Of == "" && b.State.Status == container.StateCreated {
			continue
		}
		left = append(left, b.Workload.Name)
	}
	if len(left) == 0 {
		return pass("all %d containers are declared", len(bodies))
	}
	result := checks.Fail
	if len(s.Resources) == 0 {
		result = checks.Warn
	}
	return finding{result: result, found: "labelled as the stack's, and not in its state: " + strings.Join(left, ", "),
		cause: "an `up` was killed, or somebody has started it by hand: it takes memory, and may answer users in place of a replica", mend: "docker rm -f " + strings.Join(left, " ")}
}
