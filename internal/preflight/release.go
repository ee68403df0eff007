package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/checks"
)

// littleTime is when a certificate that is given is worth a word: renewing it takes people.
const littleTime = 14 * 24 * time.Hour

// Certificate is whether the certificate that is given is good for the names.
func Certificate(pair certificate.Pair, err error, names []string, now time.Time) checks.Check {
	c := checks.Check{ID: "certificate", Checked: "the certificate is valid, and for each of the names", Result: checks.Pass}
	const mend = "a certificate with these names in nginx.tls.certificate, or others in nginx.serverNames (docs/tls.md)"
	var until time.Time
	var missing []string
	if err == nil {
		if until, err = pair.Until(); err == nil {
			missing, err = pair.Uncovered(names)
		}
	}
	c.Found = fmt.Sprintf("for %s, until %s", cmp.Or(strings.Join(names, ", "), "whichever name: nginx.serverNames is empty"), until.UTC().Format(time.DateOnly))
	switch {
	case err != nil:
		c.Result, c.Found, c.Mend = checks.Fail, "the certificate can't be read: "+err.Error(), "docs/tls.md"
	case len(missing) > 0:
		c.Result, c.Mend = checks.Fail, mend
		c.Found = fmt.Sprintf("the certificate of tarot:nginx.tls.certificate is not for %s, which tarot:nginx.serverNames has: browsers would refuse the site", strings.Join(missing, ", "))
	case until.Sub(now) < littleTime:
		c.Result, c.Mend = checks.Warn, "a new one in nginx.tls.certificate (docs/tls.md)"
		c.Found = fmt.Sprintf("the certificate of tarot:nginx.tls.certificate is good until %s only", until.UTC().Format(time.DateOnly))
	}
	return c
}

// Migration is what a deploy does with the database.
type Migration struct {
	// Command is what brings it up to date; empty: the platform runs nothing.
	Command []string
	// Pinned is true on a way back, which leaves the schema as it is.
	Pinned bool
	// Before is the release that runs, and Same true where its image is the one to be deployed.
	Before string
	Same   bool
}

// Pending is true where what the database looks like may change.
func (m Migration) Pending() bool {
	return len(m.Command) > 0 && !m.Pinned && m.Before != "" && !m.Same
}

// Check is whether it is there.
func (m Migration) Check() checks.Check {
	c := checks.Check{ID: "migrations", Checked: "what migrates the database is there, and fits what runs", Result: checks.Pass}
	command := strings.Join(m.Command, " ")
	switch {
	case len(m.Command) == 0:
		c.Result, c.Found = checks.Skip, "neither backend.migrate nor deploy.yaml has a command: replicas migrate when they start, or nobody does"
	case m.Pinned:
		c.Found = "a release that has run before: the schema stays as it is"
	case m.Before == "":
		c.Found = fmt.Sprintf("`%s` makes the tables, before the first replica starts", command)
	case m.Same:
		c.Found = fmt.Sprintf("the image is that of %s, which runs: there is nothing new", m.Before)
	default:
		c.Found = fmt.Sprintf("`%s` runs while %s serves users: what it changes has to suit that, too (docs/migrations.md)", command, m.Before)
	}
	return c
}

// Copies are the stack's backups as they are asked for.
type Copies struct {
	// None says why nobody is asked; empty: somebody is.
	None string
	// Status is what they say, and Err why they don't.
	Status results.Status
	Err    error
	// Every is the time between two that are scheduled, at the most.
	Every time.Duration
	// Since is when the stack's first release ran that is known.
	Since time.Time
	// Server is true for a database that is no file: scheduled ones are all that there are of it.
	Server bool
}

// silent is how long the continuous backup of a database may have sent nothing: it sends a mark each few
// seconds, whether or not somebody writes.
const silent = 10 * time.Minute

// Backup is whether the backups are recent: what stops an `up` is an old one of a database that is about to be
// migrated. "None yet" of a young stack is no old one.
func Backup(b Copies, m Migration, now time.Time) checks.Check {
	c := checks.Check{ID: "backup", Checked: "the backups are recent", Result: checks.Pass}
	if b.None != "" {
		c.Result, c.Found = checks.Skip, b.None
		return c
	}
	if b.Err != nil {
		c.Result, c.Found, c.Mend = checks.Unknown, b.Err.Error(), "make status"
		return c
	}
	database, files := b.database(now), b.run(results.Files, now)
	if b.Server {
		if slices.ContainsFunc(b.Status.Results, func(r results.Result) bool { return r.Of == results.Archive }) {
			database = b.run(results.Archive, now)
		} else {
			database = files
		}
	}
	old := slices.Compact(slices.DeleteFunc([]string{database, files}, func(text string) bool { return text == "" }))
	c.Found = "none is older than twice the time between two"
	switch {
	case database != "" && m.Pending() && b.settled(now):
		c.Result, c.Mend = checks.Fail, "make backup-verify and make status say what is wrong; `make run SCHEDULE=backup-files` backs up now"
		c.Found = fmt.Sprintf("the release may migrate the database, and its backup is not recent: %s", strings.Join(old, "; "))
	case len(old) > 0:
		c.Result, c.Mend = checks.Warn, "`make run SCHEDULE=backup-files` backs up now; make status"
		c.Found = strings.Join(old, "; ")
		if !b.settled(now) {
			c.Result, c.Mend, c.Found = checks.Pass, "", "the stack is young: "+c.Found
		}
	}
	return c
}

// settled is false for a stack that is younger than its first backup can be expected to be.
func (b Copies) settled(now time.Time) bool {
	return !b.Since.IsZero() && now.Sub(b.Since) > 2*b.Every
}

// database is what is wrong with the continuous backup of a database in a file; empty: nothing.
func (b Copies) database(now time.Time) string {
	s := b.Status
	switch {
	case s.Database == "":
		return ""
	case s.State != results.Replicating && s.State != results.Waiting:
		return strings.TrimSuffix("the database's is "+s.State+": "+s.Why, ": ")
	case s.Mark.At.IsZero():
		return "of the database there is none yet"
	case now.Sub(s.Mark.At) > silent:
		return fmt.Sprintf("the database's is %s old", now.Sub(s.Mark.At).Round(time.Second))
	}
	return ""
}

// run is what is wrong with a scheduled one; empty: nothing.
func (b Copies) run(of string, now time.Time) string {
	at := slices.IndexFunc(b.Status.Results, func(r results.Result) bool { return r.Of == of })
	switch {
	case at < 0 || b.Status.Results[at].Succeeded.IsZero():
		return fmt.Sprintf("of the kind %s there is none yet", of)
	case now.Sub(b.Status.Results[at].Succeeded) > 2*b.Every:
		return fmt.Sprintf("of the kind %s the last good one is %s old", of, now.Sub(b.Status.Results[at].Succeeded).Round(time.Minute))
	}
	return ""
}

// Image is what became of the question for one.
type Image struct {
	Name string
	// Here is true where the engine has it. Refused is why its registry has it not, and Err why that
	// did not say.
	Here    bool
	Refused string
	Err     error
}

// Images is whether those that are not built can be had.
func Images(all []Image) checks.Check {
	c := checks.Check{ID: "images", Checked: "the images are on the engine, or their registry has them", Result: checks.Pass}
	var refused, silent []string
	here := 0
	for _, i := range all {
		switch {
		case i.Here:
			here++
		case i.Refused != "":
			refused = append(refused, fmt.Sprintf("%s is not on the engine, and its registry says: %s", i.Name, i.Refused))
		case i.Err != nil:
			silent = append(silent, fmt.Sprintf("%s is not on the engine, and its registry did not say whether it has it: %v", i.Name, i.Err))
		}
	}
	c.Found = fmt.Sprintf("%d of %d are on the engine, and the others can be pulled", here, len(all))
	switch {
	case len(refused) > 0:
		c.Result, c.Found, c.Mend = checks.Fail, strings.Join(refused, "; "), "another tag, docker login, or make base-images"
	case len(silent) > 0:
		c.Result, c.Found, c.Mend = checks.Unknown, strings.Join(silent, "; "), "make base-images (docs/offline.md)"
	case here == len(all):
		c.Found = fmt.Sprintf("all %d are on the engine", here)
	}
	return c
}

// Guarded is what a machine says of its firewall.
type Guarded struct {
	// Wanted is true where nginx.allowFrom names anybody.
	Wanted bool
	Faults []string
	Err    error
}

// Firewall is whether the machine refuses whom the stack's file does not name.
func Firewall(g Guarded, stack string) checks.Check {
	c := checks.Check{ID: "firewall", Checked: "the machine refuses whoever nginx.allowFrom does not name", Result: checks.Pass, Found: "its rules are as they are declared"}
	switch {
	case !g.Wanted:
		c.Result, c.Found = checks.Skip, "nginx.allowFrom is empty: everybody may ask"
	case g.Err != nil:
		c.Result, c.Found, c.Mend = checks.Unknown, g.Err.Error(), "make firewall STACK="+stack+" sees to it"
	case len(g.Faults) > 0:
		c.Result, c.Found, c.Mend = checks.Warn, "nginx.allowFrom is not enforced: "+strings.Join(g.Faults, "; "), "make firewall STACK="+stack
	}
	return c
}
