package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"tarot-platform/internal/config"
)

// Difference is what is known against one of two images alone.
type Difference struct{ Mended, New []Finding }

// Between asks grype about two images as their registry has them, for a platform such as linux/amd64. An
// error is that it can't be told, and is never the same as no difference.
func Between(ctx context.Context, before, after, platform string, settings config.Scan) (Difference, error) {
	program, there := Program()
	if !there {
		return Difference{}, errors.New("there is no grype on this machine: `make scanner` builds one")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*timeout)
	defer cancel()
	var known [2][]Finding
	for i, image := range []string{before, after} {
		folder, err := os.MkdirTemp("", "tarot-scan-")
		if err != nil {
			return Difference{}, err
		}
		found, err := look(ctx, program, folder, settings, "registry:"+image, "--platform", platform)
		if err := errors.Join(err, os.RemoveAll(folder)); err != nil {
			return Difference{}, fmt.Errorf("%s: %w", image, err)
		}
		known[i] = found.findings()
	}
	return Difference{without(known[0], known[1]), without(known[1], known[0])}, nil
}

// without are the findings whose vulnerability the others do not have in that package, the worst first.
func without(all, others []Finding) []Finding {
	left := slices.DeleteFunc(slices.Clone(all), func(f Finding) bool {
		return slices.ContainsFunc(others, func(o Finding) bool { return o.ID == f.ID && o.Package == f.Package })
	})
	slices.SortStableFunc(left, func(a, b Finding) int { return cmp.Compare(rank(b.Severity), rank(a.Severity)) })
	return left
}

// Lines are the difference in words.
func (d Difference) Lines() []string {
	if len(d.Mended)+len(d.New) == 0 {
		return []string{"no vulnerability more or less is known"}
	}
	var lines []string
	for _, kind := range []struct {
		verb string
		all  []Finding
	}{{"mends", d.Mended}, {"brings", d.New}} {
		var names []string
		for _, f := range kind.all[:min(shown, len(kind.all))] {
			names = append(names, fmt.Sprintf("%s (%s) in %s", f.ID, strings.ToLower(f.Severity), f.Package))
		}
		if more := len(kind.all) - shown; more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		if len(names) > 0 {
			lines = append(lines, kind.verb+" "+strings.Join(names, ", "))
		}
	}
	return lines
}
