package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestOnlyWhatSomebodyMayKnowBetterOfIsAccepted(t *testing.T) {
	for _, test := range []struct {
		accept []string
		wrong  string
	}{
		{nil, ""},
		{Acceptable, ""},
		{[]string{"ports"}, "ports"},
		{[]string{"backup", "disk", "backup"}, "backup"},
		{[]string{""}, ""},
	} {
		cfg := Defaults()
		cfg.Preflight.Accept = test.accept
		c := &checker{}
		cfg.Preflight.check(c)
		said := fmt.Sprint(c.err())
		want := "<nil>"
		if len(test.accept) > 0 && (test.wrong != "" || test.accept[0] == "") {
			want = fmt.Sprintf(`tarot:preflight.accept: %q is not allowed; allowed: a list of backup, `, test.wrong)
		}
		if !strings.HasPrefix(said, want) {
			t.Errorf("%q: %s, want %s", test.accept, said, want)
		}
	}
	// The words that the reference has are those that are taken.
	for _, id := range Acceptable {
		if !strings.Contains(allowed("preflight.accept"), id) {
			t.Errorf("the reference does not name %s", id)
		}
	}
}
