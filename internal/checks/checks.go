// Package checks is the form of a list of checks: what was checked, what was found, and what to do
// about it. The checklists before and after a deploy, and the doctor, are such lists.
package checks

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// What becomes of a check.
const (
	Pass = "pass"
	// Warn is worth knowing, and stops nothing.
	Warn = "warn"
	Fail = "fail"
	// Skip is a check of something that the stack has not, or that is not asked for.
	Skip = "skip"
	// Unknown is one that could not be made: never as good as one that passes.
	Unknown = "unknown"
)

// Check is one line of a list.
type Check struct {
	ID      string `json:"id"`
	Checked string `json:"checked"`
	Result  string `json:"result"`
	// Found is the evidence, in the words of whoever was asked.
	Found string `json:"found"`
	// Cause is what that comes from, where Found does not say it by itself.
	Cause string `json:"cause,omitempty"`
	// Mend is what to do about it: a command, or a page of the documents; empty where it passes.
	Mend string `json:"mend,omitempty"`
}

// Report is a list.
type Report struct {
	Stack string `json:"stack"`
	// Release is the one that runs; empty before the first.
	Release string  `json:"release"`
	Checks  []Check `json:"checks"`
}

// IDs are the checks that have that result.
func (r Report) IDs(result string) (ids []string) {
	for _, c := range r.Checks {
		if c.Result == result {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Has is true where a check has that result.
func (r Report) Has(result string) bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Result == result })
}

// Write is the list for people, with the counts in its last line.
func (r Report) Write(to io.Writer) error { return r.write(to, Pass, Warn, Fail, Skip, Unknown) }

// WriteBrief is the same for who is called in the night: what is well is counted alone, and what can't be told for
// the same reason is one line.
func (r Report) WriteBrief(to io.Writer) error { return r.write(to, Warn, Fail, Unknown) }

// write writes those with one of these results; all are counted.
func (r Report) write(to io.Writer, results ...string) error {
	alike := map[string][]string{}
	if !slices.Contains(results, Pass) {
		for _, c := range r.Checks {
			if c.Result == Unknown {
				alike[c.Found] = append(alike[c.Found], c.ID)
			}
		}
	}
	counts := map[string]int{}
	width := 13
	for _, c := range r.Checks {
		width = max(width, len(c.ID))
	}
	var b strings.Builder
	// What has lines, as a log has, stands below its first one.
	lines := func(text string) string { return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", width+13)) }
	for _, c := range r.Checks {
		counts[c.Result]++
		if !slices.Contains(results, c.Result) {
			continue
		}
		if ids := alike[c.Found]; c.Result == Unknown && len(ids) > 1 {
			if ids[0] == c.ID {
				fmt.Fprintf(&b, "  %-7s %-*s %s: %s\n", c.Result, width, fmt.Sprintf("%d checks", len(ids)), lines(c.Found), strings.Join(ids, ", "))
			}
			continue
		}
		fmt.Fprintf(&b, "  %-7s %-*s %s: %s\n", c.Result, width, c.ID, c.Checked, lines(cmp.Or(c.Found, "as it should be")))
		if c.Cause != "" {
			fmt.Fprintf(&b, "  %-7s %-*s because %s\n", "", width, "", lines(c.Cause))
		}
		if c.Mend != "" {
			fmt.Fprintf(&b, "  %-7s %-*s → %s\n", "", width, "", lines(c.Mend))
		}
	}
	fmt.Fprintf(&b, "%s: %d pass, ", r.Stack, counts[Pass])
	if counts[Warn] > 0 {
		fmt.Fprintf(&b, "%d warn, ", counts[Warn])
	}
	fmt.Fprintf(&b, "%d fail, %d unknown, %d skipped\n", counts[Fail], counts[Unknown], counts[Skip])
	_, err := io.WriteString(to, b.String())
	return err
}
