package testalert

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Alert is one that a command of ours tells by the stack's Alertmanager, and so by the same receivers as
// those that Prometheus finds.
type Alert struct{ Name, Severity, Summary, Impact, Runbook string }

// longest is how much of a text Alertmanager's messages show.
const longest = 240

// Keep has the alert be told while it fires, and its end once it does not. It ends by itself after a
// time in which no other run has found it again.
func Keep(ctx context.Context, stack, prefix string, docker Engine, alert Alert, fires bool, now time.Time, lasts time.Duration) error {
	a := alertmanager{docker, prefix}
	container, err := a.container(ctx)
	if err != nil {
		return err
	}
	if container == nil {
		return failure(stack+" runs no Alertmanager here", "tarot:monitoring.enabled turns it on; for a Swarm of several nodes, ask the engine that runs it")
	}
	ends := now.Add(lasts)
	if !fires {
		told, err := a.fires(ctx, alert.Name)
		if err != nil || !told {
			return err
		}
		ends = now
	}
	_, err = a.amtool(ctx, "alert", "add", "alertname="+alert.Name, "severity="+alert.Severity,
		"--end="+ends.UTC().Format(time.RFC3339),
		"--annotation=summary="+quoted(alert.Summary), "--annotation=impact="+quoted(alert.Impact), "--annotation=runbook="+quoted(alert.Runbook))
	return err
}

// fires is true while Alertmanager has an alert of that name.
func (a alertmanager) fires(ctx context.Context, name string) (bool, error) {
	said, err := a.amtool(ctx, "alert", "query", "alertname="+name, "--output=json")
	if err != nil {
		return false, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal([]byte(said), &all); err != nil {
		return false, fmt.Errorf("amtool alert query: %w", err)
	}
	return len(all) > 0, nil
}

// quoted is a text as amtool takes a value: without what would end it.
func quoted(text string) string {
	text = strings.NewReplacer(`"`, "'", `\`, "/", "\n", " ").Replace(text)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest-len("…")], "") + "…"
	}
	return `"` + text + `"`
}
