// Package notice tells a stack's alert receivers what was done with the stack: by whom, of which commit, with
// which release, what became of it and how long it took. Alertmanager tells them, so it is whoever gets alerts.
package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	assets "tarot-platform/assets/alertmanager"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
)

const (
	workload = "alertmanager"
	address  = "http://127.0.0.1:9093/api/v2/" // in its container: the port is not published
	// within is how long Alertmanager has: nobody waits longer for that, and nothing has failed for it.
	within = 10 * time.Second
)

// Engine is what is asked of the Docker engine.
type Engine interface {
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
}

// Alert is how Alertmanager gets it. It has no times: they are Alertmanager's, whatever clock is right here.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// Teller tells of what was done with the stack that the engine knows by this prefix. Where nobody could be told,
// that is said, and nothing has failed for it.
func Teller(e Engine, prefix string, say func(string)) func(context.Context, history.Entry) {
	return func(ctx context.Context, entry history.Entry) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if err := send(ctx, e, prefix, entry); err != nil {
			say(fmt.Sprintf("no receiver of alerts was told of this %s (monitoring.alerts.deployNotices): %v", entry.Operation, err))
		}
	}
}

func send(ctx context.Context, e Engine, prefix string, entry history.Entry) error {
	said, err := ask(ctx, e, prefix)
	if err != nil {
		return err
	}
	var receivers []struct{ Name string }
	if err := json.Unmarshal([]byte(said), &receivers); err != nil {
		return fmt.Errorf("the receivers of Alertmanager: %w", err)
	}
	// Without them it would be an alert as others, which has an end that is told, too.
	if !slices.ContainsFunc(receivers, func(r struct{ Name string }) bool { return r.Name == assets.NoticeReceiver(prefix) }) {
		return fmt.Errorf("the Alertmanager that runs has no receivers for it: the next `up` that succeeds brings them")
	}
	body, err := json.Marshal([]Alert{Of(entry)})
	if err != nil {
		return err
	}
	_, err = e.Exec(ctx, prefix, workload, "wget", "-q", "-O", "-", "--header", "Content-Type: application/json", "--post-data", string(body), address+"alerts")
	return err
}

// ask asks for the receivers, again each second where the container runs and nobody answers in it: this `up` may
// have started it.
func ask(ctx context.Context, e Engine, prefix string) (string, error) {
	for {
		said, err := e.Exec(ctx, prefix, workload, "wget", "-q", "-O", "-", address+"receivers")
		if exit := (*engine.ExitError)(nil); err == nil || !errors.As(err, &exit) {
			return said, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no answer within %s: %w", within, err)
		case <-time.After(time.Second):
		}
	}
}

// results are what became of it, in both languages of the messages.
var results = map[string]string{
	history.Succeeded: "succeeded 成功", history.Failed: "failed 失败", history.Interrupted: "was interrupted 中断", history.Killed: "was killed 被终止",
}

// Of is the notice of what was done. Why something has failed is not in it: an error may quote what is
// nobody's business, and goes to groups of people and over others' servers.
func Of(entry history.Entry) Alert {
	labels := map[string]string{
		"alertname": word(entry.Operation) + word(entry.Result), "severity": "note", "notice": "deploy",
		"operation": entry.Operation, "result": entry.Result,
		// Each is one of its own: without it a second would be taken for the first one, that goes on.
		"run": entry.At.UTC().Format("20060102-150405.000"),
	}
	return Alert{labels, map[string]string{"summary": summary(entry), "impact": impact(entry), "runbook": "docs/operating.md#a-team-on-one-stack"}}
}

// word is one of an alert's name: database-move is DatabaseMove.
func word(text string) string {
	var out strings.Builder
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return out.String()
}

// summary begins with what matters most: a message cuts it off at 240 bytes.
func summary(entry history.Entry) string {
	what := entry.Operation
	if entry.Detail != "" {
		what += " " + entry.Detail
	}
	result := results[entry.Result]
	if result == "" {
		result = entry.Result
	}
	parts := []string{what + " " + result}
	if entry.Seconds > 0 {
		parts = append(parts, fmt.Sprintf("%.1f s", entry.Seconds))
	}
	switch {
	case entry.To == "":
	case entry.From == "" || entry.From == entry.To:
		parts = append(parts, "release 版本 "+entry.To)
	default:
		parts = append(parts, "release 版本 "+entry.From+" → "+entry.To)
	}
	if entry.Commit != "" {
		parts = append(parts, "commit 提交 "+entry.Revision())
	}
	return strings.Join(append(parts, "by 操作人 "+entry.Name()), " · ")
}

// impact is what it means to users, as far as that is known.
func impact(entry history.Entry) string {
	switch {
	case entry.Result != history.Succeeded || entry.To == "":
		return "`make status` says what users see. 用户所见请运行 `make status`。"
	case entry.From == entry.To:
		return "The release is the same as before. 版本未变。"
	}
	return fmt.Sprintf("Users see the release %s. 用户现在看到版本 %s。", entry.To, entry.To)
}
