// Package scan looks for known vulnerabilities in what an image is made of, by grype. What it
// could not look for is a result of its own, and never a clean one.
package scan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/config"
)

// Outcome is one of three.
type Outcome string

// The outcomes. Found is worse than the third: something is known.
const (
	Clean      Outcome = "clean"
	Found      Outcome = "found"
	NotScanned Outcome = "not scanned"
)

// Result is what is known of an image.
type Result struct {
	Image   string  `json:"image"`
	Outcome Outcome `json:"outcome"`
	// Reason is why it was not scanned, and Scanned when it was.
	Reason  string    `json:"reason,omitempty"`
	Scanned time.Time `json:"scanned"`
	// Scanner and Database are by what, and of when that knew.
	Scanner  string    `json:"scanner,omitempty"`
	Database time.Time `json:"database,omitzero"`
	// FailOn and Unfixed are what counted.
	FailOn  string `json:"failOn"`
	Unfixed bool   `json:"unfixed"`
	// Packages are how many were looked at.
	Packages int `json:"packages"`
	// Findings count, Accepted would but for an exception, and Others are how many there are
	// besides, by severity.
	Findings []Finding      `json:"findings"`
	Accepted []Finding      `json:"accepted"`
	Others   map[string]int `json:"others"`
	// Notes are what to do about exceptions.
	Notes []string `json:"notes,omitempty"`
}

// Finding is a vulnerability in a package.
type Finding struct {
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases,omitempty"`
	Severity string   `json:"severity"`
	Package  string   `json:"package"`
	Version  string   `json:"version"`
	Type     string   `json:"type"`
	Fixed    []string `json:"fixed"`
	// Reason and Until are of the exception, which counts no more once it has ended.
	Reason string `json:"reason,omitempty"`
	Until  string `json:"until,omitempty"`
}

func notScanned(r Result, format string, args ...any) Result {
	r.Outcome, r.Reason = NotScanned, fmt.Sprintf(format, args...)
	return r
}

// rank orders severities; what is none of these is least.
func rank(severity string) int {
	i := slices.Index(config.Severities, strings.ToLower(severity))
	if i < 0 {
		return 0
	}
	return len(config.Severities) - i
}

// judge sorts what was found by what counts.
func judge(r Result, all []Finding, settings config.Scan, now time.Time) Result {
	r.Outcome, r.Findings, r.Accepted, r.Others = Clean, []Finding{}, []Finding{}, map[string]int{}
	used := map[string]bool{}
	for _, f := range all {
		if settings.FailOn == config.ScanOff || rank(f.Severity) < rank(settings.FailOn) || len(f.Fixed) == 0 && !settings.Unfixed {
			r.Others[strings.ToLower(f.Severity)]++
			if id := exception(f, settings.Ignore); id != "" {
				used[id] = true
			}
			continue
		}
		id := exception(f, settings.Ignore)
		if id == "" {
			r.Findings = append(r.Findings, f)
			continue
		}
		used[id] = true
		accepted := settings.Ignore[id]
		f.Reason, f.Until = accepted.Reason, accepted.Until
		if accepted.Ended(now) {
			r.Findings = append(r.Findings, f)
		} else {
			r.Accepted = append(r.Accepted, f)
		}
	}
	for _, findings := range [][]Finding{r.Findings, r.Accepted} {
		slices.SortFunc(findings, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(rank(b.Severity), rank(a.Severity)), strings.Compare(a.Package, b.Package), strings.Compare(a.ID, b.ID))
		})
	}
	for _, id := range slices.Sorted(maps.Keys(settings.Ignore)) {
		if !used[id] {
			r.Notes = append(r.Notes, fmt.Sprintf("%s:build.scan.ignore.%s is in this image no more, or by another name", config.Namespace, id))
		}
	}
	if len(r.Findings) > 0 {
		r.Outcome = Found
	}
	return r
}

// exception is the identifier by which a finding is accepted, whichever of its names that is.
func exception(f Finding, all map[string]config.Accepted) string {
	for _, id := range append([]string{f.ID}, f.Aliases...) {
		if a, there := all[id]; there && (a.Package == "" || a.Package == f.Package) {
			return id
		}
	}
	return ""
}

// Worst is the outcome of several images together.
func Worst(all []Result) Outcome {
	worst := Clean
	for _, r := range all {
		switch {
		case r.Outcome == Found:
			return Found
		case r.Outcome == NotScanned:
			worst = NotScanned
		}
	}
	if len(all) == 0 {
		return NotScanned
	}
	return worst
}

// Counted is what counts, in words.
func (r Result) Counted() string {
	of := r.FailOn + " or worse"
	if r.FailOn == config.Severities[0] {
		of = r.FailOn
	}
	if !r.Unfixed {
		of += " that there is a fix for"
	}
	return of
}

// Line is the result in one line.
func (r Result) Line() string {
	switch r.Outcome {
	case NotScanned:
		return "not scanned for vulnerabilities: " + r.Reason
	case Found:
		return fmt.Sprintf("%d known %s, %s (database of %s): %s", len(r.Findings), plural(len(r.Findings), "vulnerability", "vulnerabilities"), r.Counted(), r.Database.Format(time.DateOnly), r.named())
	}
	line := fmt.Sprintf("no known vulnerability, %s (database of %s)", r.Counted(), r.Database.Format(time.DateOnly))
	if r.FailOn == config.ScanOff {
		line = fmt.Sprintf("scanned (database of %s)", r.Database.Format(time.DateOnly))
	}
	if len(r.Accepted) > 0 {
		line += fmt.Sprintf(", %d accepted", len(r.Accepted))
	}
	if others := r.others(); others != "" {
		line += "; others: " + others
	}
	return line
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (r Result) others() string {
	var words []string
	for _, severity := range append(slices.Clone(config.Severities), "negligible", "unknown") {
		if n := r.Others[severity]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, severity))
		}
	}
	return strings.Join(words, ", ")
}

// shown is how many findings a line names.
const shown = 3

func (r Result) named() string {
	var words []string
	for _, f := range r.Findings[:min(len(r.Findings), shown)] {
		words = append(words, f.Text())
	}
	if more := len(r.Findings) - shown; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, "; ")
}

// Text is a finding, and what mends it.
func (f Finding) Text() string {
	text := fmt.Sprintf("%s (%s) in %s %s", f.ID, strings.ToLower(f.Severity), f.Package, f.Version)
	if len(f.Aliases) > 0 {
		text = fmt.Sprintf("%s, %s (%s) in %s %s", f.ID, strings.Join(f.Aliases, ", "), strings.ToLower(f.Severity), f.Package, f.Version)
	}
	if len(f.Fixed) > 0 {
		text += ", mended in " + strings.Join(f.Fixed, " or ")
	} else {
		text += ", nothing mends it yet"
	}
	if f.Until != "" {
		text += fmt.Sprintf(" (accepted until %s: %s)", f.Until, f.Reason)
	}
	return text
}
