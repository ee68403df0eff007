package testalert

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// kept is an engine whose Alertmanager has alerts.
type kept struct {
	fakeEngine
	alerts string
	said   []string
}

func (k *kept) Exec(_ context.Context, prefix, workload string, command ...string) (string, error) {
	if prefix != "tarot-prod" || workload != "alertmanager" || command[0] != "/bin/amtool" {
		return "", errors.New("what was that?")
	}
	if slices.Contains(command, "query") {
		return k.alerts, nil
	}
	k.said = command[2:]
	return "", nil
}

func TestAnAlertIsKeptAndEnded(t *testing.T) {
	now := time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)
	alert := Alert{Name: "StackDrift", Severity: "ticket", Summary: `a "b" \c` + "\n" + strings.Repeat("é", 200), Impact: "i", Runbook: "r.md"}
	for name, test := range map[string]struct {
		kept
		fires bool
		ends  string // empty: nothing is said
		err   bool
	}{
		"fires":             {kept{}, true, "2026-11-28T03:02:03Z", false},
		"has ended":         {kept{alerts: `[{"labels": {}}]`}, false, "2026-11-28T01:02:03Z", false},
		"was never":         {kept{alerts: `[]`}, false, "", false},
		"no answer":         {kept{alerts: `oops`}, false, "", true},
		"nobody is to tell": {kept{fakeEngine: fakeEngine{none: true}}, true, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			k := test.kept
			k.t = t
			err := Keep(t.Context(), "prod", "tarot-prod", &k, alert, test.fires, now, 2*time.Hour)
			if (err != nil) != test.err {
				t.Fatal(err)
			}
			if test.ends == "" {
				if k.said != nil {
					t.Errorf("%q", k.said)
				}
				return
			}
			if len(k.said) != 8 || k.said[4] != "--end="+test.ends || !slices.Equal(k.said[:4], []string{"alert", "add", "alertname=StackDrift", "severity=ticket"}) || k.said[7] != `--annotation=runbook="r.md"` {
				t.Errorf("%q", k.said)
			}
			if summary := k.said[5]; !strings.HasPrefix(summary, `--annotation=summary="a 'b' /c é`) || !strings.HasSuffix(summary, `é…"`) || len(summary) > len(`--annotation=summary=""`)+longest {
				t.Errorf("%q", summary)
			}
		})
	}
}
