package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
)

// jobs are those that a deploy waits for, as the migration: the last run of each.
func jobs(ctx context.Context, p *patient) finding {
	bodies, err := p.bodies.get(ctx)
	if err != nil {
		return unknown(err)
	}
	last := map[string]body{}
	for _, b := range bodies {
		if _, attempt := b.Config.Labels[engine.AttemptLabel]; attempt && b.Of != "" && b.Created > last[b.Of].created() {
			last[b.Of] = b
		}
	}
	var failed []string
	for _, of := range slices.Sorted(maps.Keys(last)) {
		if b := last[of]; b.State.Status == container.StateExited && b.State.ExitCode != 0 || b.State.Error != "" {
			failed = append(failed, fmt.Sprintf("%s ended with exit code %d %s", b.Workload.Name, b.State.ExitCode, b.State.Error)+p.words(ctx, b.ID))
		}
	}
	f := finding{result: checks.Fail, found: strings.Join(failed, "\n"), cause: "a deploy goes no further: what runs is of the release before", mend: "pulumi up --yes -s {stack}"}
	switch {
	case len(failed) > 0 && p.deployed(ctx):
		f.result, f.cause = checks.Warn, "the deploy went on all the same, and has told why that matters"
		return f
	case len(failed) > 0:
		return f
	case len(last) == 0:
		return skip("none is here")
	}
	return pass("all %d have ended well, or are at work", len(last))
}

// created is when it was made, in a form that can be compared; nothing of none.
func (b body) created() string {
	if b.ContainerJSONBase == nil {
		return ""
	}
	return b.Created
}

// deployed is true where the history says that the last deploy has succeeded.
func (p *patient) deployed(ctx context.Context) bool {
	entries, err := history.Read(ctx, p.Engine, p.Prefix)
	if err != nil {
		return false
	}
	last := slices.IndexFunc(entries, func(e history.Entry) bool { return slices.Contains(deploys, e.Operation) })
	return last >= 0 && entries[last].Result == history.Succeeded
}
