//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/assets/alertmanager"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/drift"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/testalert"
)

// The alert reaches the receivers, and so does its end.
//
//suite:thorough
func TestDriftIsTold(t *testing.T) {
	s := newStation(t, func(_ *station, c *alertmanager.Config) { c.Webhook = true })
	docker, err := engine.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	alert := drift.Alert(checks.Report{Stack: "prod", Checks: []checks.Check{{ID: "container-memory", Checked: `a "quoted" one: 512 MiB`, Result: checks.Fail}}})
	keep := func(fires bool) {
		t.Helper()
		if err := testalert.Keep(t.Context(), s.stack, s.prefix(), docker, alert, fires, time.Now(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	got := func(status string) func() bool {
		return func() bool {
			return slices.ContainsFunc(s.got("webhook"), func(body string) bool {
				return strings.Contains(body, `"alertname":"StackDrift"`) && strings.Contains(body, `"status":"`+status+`"`) &&
					strings.Contains(body, "prod was changed by hand, 1 times: container-memory a 'quoted' one") && strings.Contains(body, "docs/runbooks/StackDrift.md")
			})
		}
	}
	keep(false) // nobody is told of an end without a beginning
	keep(true)
	within(t, 20*time.Second, "it is told", got("firing"))
	keep(true) // another night
	keep(false)
	within(t, 20*time.Second, "its end is told", got("resolved"))
	if n := len(s.got("webhook")); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}
