package preflight

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
)

func TestWhatFailsStopsUnlessItIsAccepted(t *testing.T) {
	l := &List{Accepted: []string{"backup", "ports", "clock"}}
	l.Add(checks.Check{ID: "disk", Checked: "there is room", Result: checks.Fail, Found: "it is full", Mend: "docker image prune"})
	l.Add(checks.Check{ID: "backup", Checked: "it is recent", Result: checks.Fail, Found: "it is old"})
	l.Add(checks.Check{ID: "clock", Checked: "they agree", Result: checks.Pass})
	l.Add(checks.Check{ID: "memory", Checked: "there is enough", Result: checks.Unknown, Found: "nobody says"})
	l.Refuse("names", "they are free", "", nil, errors.New("one"), errors.New("two"))
	l.Refuse("subnets", "they are free", "3 of them", nil)
	l.Refuse("privileged-ports", "they are allowed", "", errors.New("80 is not"))
	l.Warn("advice", "all is well", "", "first", "", "second")

	const accept = "`pulumi config set --path 'tarot:preflight.accept[3]' "
	want := "it is full: docker image prune; or, to go on all the same: " + accept + "disk`\none\ntwo\n80 is not: to go on all the same: " + accept + "privileged-ports`"
	if got := l.Stops(); got == nil || got.Error() != want {
		t.Errorf("it stops with\n%v\nwant\n%s", got, want)
	}
	warned := []string{"it is old (it would stop an `up`, and tarot:preflight.accept says to go on)", "whether there is enough can't be told: nobody says", "first", "second"}
	if !slices.Equal(l.Warnings(), warned) {
		t.Errorf("it warns %q", l.Warnings())
	}
	var results []string
	r := l.Report("prod", "r1")
	for _, c := range r.Checks {
		results = append(results, c.ID+" "+c.Result)
	}
	if got, want := strings.Join(results, ", "), "disk fail, backup warn, clock pass, memory unknown, names fail, subnets pass, privileged-ports fail, advice warn"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.Checks[2].Found != "tarot:preflight.accept names it needlessly" {
		t.Errorf("%+v", r.Checks[2])
	}
}

// A list without anything wrong lets an `up` go on, and one that accepts all that may be accepted, too.
func TestWhatMayBeAcceptedIsWhatIsAsked(t *testing.T) {
	l := &List{Accepted: config.Acceptable}
	for _, id := range config.Acceptable {
		l.Add(checks.Check{ID: id, Result: checks.Fail, Found: "it is wrong"})
	}
	if l.Stops() != nil || len(l.Warnings()) != len(config.Acceptable) {
		t.Errorf("%v, %q", l.Stops(), l.Warnings())
	}
	// A name that is not there could not be accepted.
	for _, c := range []checks.Check{Version(""), Clock(0, false, now, now), Memory(machine(), wants(1)), Disk(roomy(), nil, 0), Certificate(pair(t, "a.example"), nil, nil, now), Backup(Copies{}, Migration{}, now), Images(nil)} {
		if !slices.Contains(config.Acceptable, c.ID) {
			t.Errorf("%s can't be accepted", c.ID)
		}
	}
}

func TestWhatStoppedTheListIsItsOneLine(t *testing.T) {
	if c := Stopped(errors.New("no answer"), true); c.ID != "engine" || c.Result != checks.Fail || c.Found != "no answer" {
		t.Errorf("%+v", c)
	}
	if c := Stopped(errors.New("a secret is missing"), false); c.ID != "environment" || c.Result != checks.Fail {
		t.Errorf("%+v", c)
	}
}
