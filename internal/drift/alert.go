package drift

import (
	"fmt"
	"strings"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/testalert"
)

// AlertName is what the alert is called, and AlertLasts how long it stays without another run that
// finds something: a night that is left out does not end it.
const (
	AlertName  = "StackDrift"
	AlertLasts = 50 * time.Hour
)

// Alert tells people of it. It says what differs by names alone.
func Alert(r checks.Report) testalert.Alert {
	var kinds []string
	for _, c := range r.Checks {
		if c.Result == checks.Fail {
			subject, _, _ := strings.Cut(c.Checked, ":")
			kinds = append(kinds, c.ID+" "+subject)
		}
	}
	return testalert.Alert{Name: AlertName, Severity: "ticket",
		Summary: fmt.Sprintf("%s was changed by hand, %d times: %s", r.Stack, len(kinds), strings.Join(kinds, ", ")),
		Impact:  "What runs is not what is written down: the next `up` may undo it, or stumble over it.",
		Runbook: "docs/runbooks/" + AlertName + ".md"}
}
