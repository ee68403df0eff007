package preflight

import (
	"errors"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/checks"
)

func pair(t *testing.T, names ...string) certificate.Pair {
	t.Helper()
	p, err := certificate.SelfSigned(make([]byte, 32), names, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACertificateForItsNames(t *testing.T) {
	p := pair(t, "shop.example", "*.shop.example")
	is(t, "for both", Certificate(p, nil, []string{"shop.example", "*.shop.example"}, now), checks.Pass, "for shop.example, *.shop.example, until 2028-")
	is(t, "for no name", Certificate(p, nil, nil, now), checks.Pass, "whichever name")
	is(t, "for another", Certificate(p, nil, []string{"shop.example", "mail.example"}, now), checks.Fail, "is not for mail.example, which")
	is(t, "for a week", Certificate(p, nil, []string{"shop.example"}, now.AddDate(0, 0, 760-330+1).AddDate(0, 0, 50)), checks.Warn, "good until 2028-")
	is(t, "not readable", Certificate(certificate.Pair{}, nil, nil, now), checks.Fail, "can't be read")
	is(t, "not there", Certificate(p, errors.New("no such file"), nil, now), checks.Fail, "no such file")
}

var migrate = []string{"python", "migrate.py"}

func TestWhatADeployDoesWithTheDatabase(t *testing.T) {
	for name, test := range map[string]struct {
		m       Migration
		result  string
		says    string
		pending bool
	}{
		"nothing":             {Migration{Before: "r1"}, checks.Skip, "neither backend.migrate nor deploy.yaml", false},
		"the first":           {Migration{Command: migrate}, checks.Pass, "`python migrate.py` makes the tables", false},
		"the same image":      {Migration{Command: migrate, Before: "r1", Same: true}, checks.Pass, "the image is that of r1", false},
		"another image":       {Migration{Command: migrate, Before: "r1"}, checks.Pass, "runs while r1 serves users", true},
		"a release of before": {Migration{Command: migrate, Before: "r2", Pinned: true}, checks.Pass, "the schema stays", false},
	} {
		is(t, name, test.m.Check(), test.result, test.says)
		if test.m.Pending() != test.pending {
			t.Errorf("%s: pending %v", name, test.m.Pending())
		}
	}
}

func TestOldBackups(t *testing.T) {
	const day = 24 * time.Hour
	pending, same := Migration{Command: migrate, Before: "r1"}, Migration{Command: migrate, Before: "r1", Same: true}
	good := func(of string, age time.Duration) results.Result {
		return results.Result{Of: of, Outcome: results.OK, Succeeded: now.Add(-age)}
	}
	sqlite := func(change func(*results.Status)) Copies {
		c := Copies{Every: day, Since: now.Add(-30 * day), Status: results.Status{Database: "/data/prod.db", State: results.Replicating,
			Mark: results.Mark{At: now.Add(-5 * time.Second)}, Results: []results.Result{good(results.Files, 10*time.Hour)}}}
		change(&c.Status)
		return c
	}
	server := func(age time.Duration, archive ...results.Result) Copies {
		return Copies{Server: true, Every: day, Since: now.Add(-30 * day), Status: results.Status{Results: append(archive, good(results.Files, age))}}
	}
	young := server(day)
	young.Status.Results, young.Since = nil, now.Add(-time.Hour)
	never := young
	never.Since = now.Add(-3 * day)
	for _, test := range []struct {
		name   string
		copies Copies
		m      Migration
		want   string
		says   string
	}{
		{"off", Copies{None: "backup.enabled is false"}, pending, checks.Skip, "is false"},
		{"nobody answers", Copies{Err: errors.New("it does not run")}, pending, checks.Unknown, "does not run"},
		{"recent, of a file", sqlite(func(*results.Status) {}), pending, checks.Pass, ""},
		{"failing, before a migration", sqlite(func(s *results.Status) { s.State, s.Why = results.Failing, "403 Forbidden" }), pending, checks.Fail, "is failing: 403 Forbidden"},
		{"failing, and nothing migrates", sqlite(func(s *results.Status) { s.State, s.Why = results.Failing, "403 Forbidden" }), same, checks.Warn, "is failing: 403 Forbidden"},
		{"silent for an hour", sqlite(func(s *results.Status) { s.Mark.At = now.Add(-time.Hour) }), pending, checks.Fail, "the database's is 1h0m0s old"},
		{"nothing of the database", sqlite(func(s *results.Status) { s.Mark = results.Mark{} }), pending, checks.Fail, "of the database there is none yet"},
		{"the files alone are old", sqlite(func(s *results.Status) { s.Results = []results.Result{good(results.Files, 3*day)} }), pending, checks.Warn, "of the kind files the last good one is 72h0m0s old"},
		{"of a server, yesterday's", server(30 * time.Hour), pending, checks.Pass, ""},
		{"of a server, of three days ago", server(3 * day), pending, checks.Fail, "72h0m0s old"},
		{"the same, and nothing migrates", server(3 * day), same, checks.Warn, "72h0m0s old"},
		{"an archive that is recent", server(3*day, good(results.Archive, time.Hour)), pending, checks.Warn, "files"},
		{"an archive that is not", server(time.Hour, good(results.Archive, 3*day)), pending, checks.Fail, "of the kind archive"},
		{"a young stack", young, pending, checks.Pass, "the stack is young"},
		{"none in three days", never, pending, checks.Fail, "of the kind files there is none yet"},
	} {
		is(t, test.name, Backup(test.copies, test.m, now), test.want, test.says)
	}
}

func TestImagesThatCanBeHad(t *testing.T) {
	here, pulled := Image{Name: "nginx:1.30", Here: true}, Image{Name: "redis:8"}
	is(t, "here", Images([]Image{here, here}), checks.Pass, "all 2 are on the engine")
	is(t, "elsewhere", Images([]Image{here, pulled}), checks.Pass, "1 of 2 are on the engine, and the others can be pulled")
	is(t, "nowhere", Images([]Image{here, {Name: "redis:80", Refused: "manifest unknown"}}), checks.Fail, "redis:80 is not on the engine, and its registry says: manifest unknown")
	is(t, "nobody says", Images([]Image{here, {Name: "redis:8", Err: errors.New("no such host")}}), checks.Unknown, "did not say", "no such host")
}

func TestTheMachinesFirewall(t *testing.T) {
	is(t, "everybody may ask", Firewall(Guarded{}, "prod"), checks.Skip)
	is(t, "as declared", Firewall(Guarded{Wanted: true}, "prod"), checks.Pass)
	is(t, "not there", Firewall(Guarded{Wanted: true, Faults: []string{"port 443 is open"}}, "prod"), checks.Warn, "port 443 is open")
	is(t, "not seen", Firewall(Guarded{Wanted: true, Err: errors.New("it takes root")}, "prod"), checks.Unknown, "it takes root")
}
