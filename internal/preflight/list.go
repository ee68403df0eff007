// Package preflight is the checklist before a deploy: what each check makes of what was found out, and
// what of that stops an `up`. Whoever asks the engine is elsewhere (components/preflight.go).
package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
)

// List is one that is gone through.
type List struct {
	// Accepted are the checks that somebody has said to go on after: tarot:preflight.accept.
	Accepted []string
	// Back is true on the way back to a release that has run here: it builds nothing, and who takes it has
	// no time for what somebody may know better of.
	Back bool

	checks   []checks.Check
	stops    []error
	warnings []string
}

// Add adds a check. One that fails stops the `up`; one that could not be made is told, and stops nothing.
func (l *List) Add(c checks.Check) {
	accepted := slices.Contains(l.Accepted, c.ID)
	switch {
	case c.Result == checks.Fail && accepted:
		c.Result = checks.Warn
		c.Found += fmt.Sprintf(" (it would stop an `up`, and %s:preflight.accept says to go on)", config.Namespace)
	case c.Result == checks.Fail && l.Back && slices.Contains(config.Acceptable, c.ID):
		c.Result = checks.Warn
		c.Found += " (it would stop an `up` that goes forward)"
	case c.Result == checks.Fail:
		if slices.Contains(config.Acceptable, c.ID) {
			c.Mend = strings.TrimPrefix(c.Mend+"; or, ", "; or, ") + "to go on all the same: " + l.accept(c.ID)
		}
		l.stops = append(l.stops, errors.New(text(c)))
	case c.Result == checks.Pass && accepted:
		c.Found = strings.TrimPrefix(c.Found+fmt.Sprintf("; %s:preflight.accept names it needlessly", config.Namespace), "; ")
	}
	switch c.Result {
	case checks.Warn:
		l.warnings = append(l.warnings, text(c))
	case checks.Unknown:
		l.warnings = append(l.warnings, fmt.Sprintf("whether %s can't be told: %s", c.Checked, text(c)))
	}
	l.checks = append(l.checks, c)
}

// accept is the command that has an `up` go on after a check.
func (l *List) accept(id string) string {
	return fmt.Sprintf("`pulumi config set --path '%s:preflight.accept[%d]' %s`", config.Namespace, len(l.Accepted), id)
}

// Refuse adds a check that finds faults, each of which says what to do about it; none: it passes, and found
// says how things are.
func (l *List) Refuse(id, checked, found string, faults ...error) {
	faults = slices.DeleteFunc(slices.Clone(faults), func(err error) bool { return err == nil })
	if len(faults) == 0 {
		l.Add(checks.Check{ID: id, Checked: checked, Result: checks.Pass, Found: found})
		return
	}
	if slices.Contains(l.Accepted, id) || slices.Contains(config.Acceptable, id) {
		var all []string
		for _, err := range faults {
			all = append(all, err.Error())
		}
		l.Add(checks.Check{ID: id, Checked: checked, Result: checks.Fail, Found: strings.Join(all, "\n")})
		return
	}
	l.stops = append(l.stops, faults...)
	l.checks = append(l.checks, checks.Check{ID: id, Checked: checked, Result: checks.Fail, Found: errors.Join(faults...).Error()})
}

// Warn adds a check that is passed with warnings, each of which an `up` tells by itself; empty ones are none.
func (l *List) Warn(id, checked, found string, warnings ...string) {
	warnings = slices.DeleteFunc(slices.Clone(warnings), func(text string) bool { return text == "" })
	if len(warnings) == 0 {
		l.Add(checks.Check{ID: id, Checked: checked, Result: checks.Pass, Found: found})
		return
	}
	l.warnings = append(l.warnings, warnings...)
	l.checks = append(l.checks, checks.Check{ID: id, Checked: checked, Result: checks.Warn, Found: strings.Join(warnings, "\n")})
}

// Stops is why an `up` can't go on; nil: it can.
func (l *List) Stops() error { return errors.Join(l.stops...) }

// Warnings are what an `up` says, and goes on.
func (l *List) Warnings() []string { return l.warnings }

// Report is the list.
func (l *List) Report(stack, release string) checks.Report {
	return checks.Report{Stack: stack, Release: release, Checks: l.checks}
}

// text is a check as an `up` tells of it.
func text(c checks.Check) string {
	said := c.Found
	if c.Cause != "" {
		said += ", because " + c.Cause
	}
	if c.Mend != "" {
		said += ": " + c.Mend
	}
	return said
}
