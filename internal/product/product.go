// Package product knows the versions of this project itself: the file VERSION, the sections of
// CHANGELOG.md, and the tags that have to agree with both.
package product

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// File is where the version is, and nowhere else.
const File = "VERSION"

var (
	number  = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`)
	section = regexp.MustCompile(`^## (.*)$`)
	dated   = regexp.MustCompile(`^(\S+) \((\d{4}-\d{2}-\d{2})\)$`)
)

// Parse reads what VERSION says.
func Parse(text string) (string, error) {
	version := strings.TrimSuffix(text, "\n")
	if !number.MatchString(version) {
		return "", fmt.Errorf("%s is %q; allowed: MAJOR.MINOR.PATCH, such as 1.4.0", File, version)
	}
	return version, nil
}

// Check finds what does not agree: VERSION, the sections of CHANGELOG.md (Unreleased, and then one for each
// release, the newest first, each with its day), and a tag, which is empty where none is to be made.
func Check(version, changelog, tag string) error {
	version, err := Parse(version)
	if err != nil {
		return err
	}
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	unreleased, releases := sections(changelog, add)
	for i := 1; i < len(releases); i++ {
		if !less(releases[i].version, releases[i-1].version) || releases[i].day > releases[i-1].day {
			add("CHANGELOG.md: %s (%s) comes after %s (%s); allowed: the newest first", releases[i].version, releases[i].day, releases[i-1].version, releases[i-1].day)
		}
	}
	switch {
	case tag == "":
		if len(releases) > 0 && less(version, releases[0].version) {
			add("%s is %s, and CHANGELOG.md has a release %s already; allowed: that one, or a later one", File, version, releases[0].version)
		}
	case tag != "v"+version:
		add("the tag is %q, and %s is %s; allowed: v%s", tag, File, version, version)
	case len(releases) == 0 || releases[0].version != version:
		add("CHANGELOG.md has no section \"## %s (YYYY-MM-DD)\" below Unreleased", version)
	case strings.TrimSpace(unreleased) != "":
		add("CHANGELOG.md: something is below Unreleased; allowed in a release: nothing, as it is in the section %s", version)
	}
	return errors.Join(faults...)
}

type release struct{ version, day string }

func sections(changelog string, add func(string, ...any)) (unreleased string, releases []release) {
	first := true
	inUnreleased := false
	for line := range strings.Lines(changelog) {
		found := section.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if found == nil {
			if inUnreleased {
				unreleased += line
			}
			continue
		}
		title := found[1]
		inUnreleased = title == "Unreleased"
		if first != inUnreleased {
			add("CHANGELOG.md: the section %q; allowed: Unreleased first, and once", title)
		}
		first = false
		if inUnreleased {
			continue
		}
		parts := dated.FindStringSubmatch(title)
		if parts == nil || !number.MatchString(parts[1]) {
			add("CHANGELOG.md: the section %q; allowed: such as 1.4.0 (2026-11-28)", title)
			continue
		}
		if _, err := time.Parse(time.DateOnly, parts[2]); err != nil {
			add("CHANGELOG.md: the section %q: there is no such day", title)
		}
		releases = append(releases, release{parts[1], parts[2]})
	}
	if first {
		add("CHANGELOG.md has no section Unreleased")
	}
	return unreleased, releases
}

// less is true where a version is an earlier one.
func less(a, b string) bool {
	x, y := number.FindStringSubmatch(a), number.FindStringSubmatch(b)
	for i := 1; x != nil && y != nil && i < len(x); i++ {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m < n
		}
	}
	return false
}
