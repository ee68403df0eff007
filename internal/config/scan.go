package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Scan says what is done about known vulnerabilities: docs/security.md.
type Scan struct {
	// A vulnerability of this severity or a worse one stops an `up` of a new release, before
	// anything of it runs. off: nothing is scanned.
	FailOn string `key:"failOn" allowed:"off, critical, high, medium or low"`
	// Count those that nothing has been released against, too.
	Unfixed bool `key:"unfixed" allowed:"true or false"`
	// Stop an `up` of a new release also where it could not be scanned: without grype, or
	// without a database that is young enough.
	Required bool `key:"required" allowed:"true or false; true where build.scan.failOn is not off"`
	// Where grype gets its database: the address of a mirror, or a folder that `grype db
	// import` has filled, which nothing is downloaded into. Empty: grype's own.
	Database string `key:"database" allowed:"empty, an absolute path, or a URL without a password that begins with https:// or http://"`
	// How old the database may be, in days, to be believed.
	DatabaseDays int `key:"databaseDays" allowed:"a whole number from 1 to 365"`
	// What is accepted for a time, by its identifier: `CVE-2025-43859` or `GHSA-vqfr-h8mv-ghfj`.
	Ignore map[string]Accepted `key:"ignore" allowed:"an object with reason and until for each identifier, such as CVE-2025-43859"`
}

// Accepted is a vulnerability that somebody has looked at.
type Accepted struct {
	// Why it does no harm here, for whoever reads this next.
	Reason string `key:"reason" allowed:"a text of at least 5 letters"`
	// The last day. From the next one on it counts again.
	Until string `key:"until" allowed:"a day such as 2027-01-31"`
	// The package alone that it is accepted in. Empty: in all.
	Package string `key:"package" allowed:"empty, or a package's name"`
}

// Default implements Entry.
func (Accepted) Default() any { return Accepted{} }

// ScanOff is the threshold of who wants no scan.
const ScanOff = "off"

// Severities are grype's, the worst first.
var Severities = []string{"critical", "high", "medium", "low"}

// vulnerabilityID is what databases call one.
var vulnerabilityID = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Za-z0-9:-]+$`)

// Named implements named.
func (Accepted) Named() (*regexp.Regexp, string) { return vulnerabilityID, "CVE-2025-0000" }

func (s Scan) check(c *checker) {
	c.oneOf("build.scan.failOn", s.FailOn, append([]string{ScanOff}, Severities...)...)
	c.want(!s.Required || s.FailOn != ScanOff, "build.scan.required", s.Required)
	c.want(s.Database == "" || strings.HasPrefix(s.Database, "/") || isMirror(s.Database), "build.scan.database", withoutPassword(s.Database))
	c.between("build.scan.databaseDays", s.DatabaseDays, 1, 365)
	for _, id := range slices.Sorted(maps.Keys(s.Ignore)) {
		a, key := s.Ignore[id], "build.scan.ignore."+id+"."
		c.want(len(strings.TrimSpace(a.Reason)) >= 5, key+"reason", a.Reason)
		_, err := time.Parse(time.DateOnly, a.Until)
		c.want(err == nil, key+"until", a.Until)
	}
}

func isMirror(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && parsed.User == nil
}

// Ended is true after the last day, by the clock of whoever asks.
func (a Accepted) Ended(now time.Time) bool {
	until, err := time.ParseInLocation(time.DateOnly, a.Until, now.Location())
	return err != nil || !now.Before(until.AddDate(0, 0, 1))
}
