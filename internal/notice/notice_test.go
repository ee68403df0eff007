package notice

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
)

// alertmanager is one in its container.
type alertmanager struct {
	receivers string
	failures  []error // of the first questions
	asked     int
	posted    []string
}

func (a *alertmanager) Exec(_ context.Context, _, workload string, command ...string) (string, error) {
	if workload != "alertmanager" {
		return "", errors.New(workload)
	}
	if i := slices.Index(command, "--post-data"); i > 0 {
		a.posted = append(a.posted, command[i+1])
		return "", nil
	}
	a.asked++
	if a.asked <= len(a.failures) {
		return "", a.failures[a.asked-1]
	}
	return a.receivers, nil
}

const both = `[{"name":"p-s"},{"name":"p-s/deploys"}]`

var done = history.Entry{
	At: time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC), Seconds: 42.1, Operation: "up", Result: history.Succeeded, From: "aaa", To: "bbb",
	Author: history.Author{Who: "Jo", Login: "jo", Host: "desk", Commit: "0123456789ab", Dirty: true},
}

func told(a *alertmanager, entry history.Entry) (says []string) {
	Teller(a, "p-s", func(text string) { says = append(says, text) })(context.Background(), entry)
	return says
}

func TestANotice(t *testing.T) {
	a := &alertmanager{receivers: both}
	if says := told(a, done); len(says) > 0 || len(a.posted) != 1 {
		t.Fatalf("%v, %v", says, a.posted)
	}
	var alerts []Alert
	if err := json.Unmarshal([]byte(a.posted[0]), &alerts); err != nil || len(alerts) != 1 {
		t.Fatalf("%v: %s", err, a.posted[0])
	}
	for name, want := range map[string]string{"alertname": "UpSucceeded", "severity": "note", "notice": "deploy", "run": "20261128-010203.000"} {
		if got := alerts[0].Labels[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got, want := alerts[0].Annotations["summary"], "up succeeded 成功 · 42.1 s · release 版本 aaa → bbb · commit 提交 0123456789ab+ · by 操作人 Jo (jo@desk)"; got != want {
		t.Errorf("%q, want\n%q", got, want)
	}
	if got := alerts[0].Annotations["impact"]; !strings.Contains(got, "bbb") {
		t.Error(got)
	}
}

func TestWhatFailedIsToldWithoutWhy(t *testing.T) {
	entry := done
	entry.Operation, entry.Detail, entry.Result, entry.Why, entry.To = "database-move", "to postgresql", history.Failed, "postgresql://u:secret@db", ""
	a := Of(entry)
	text, _ := json.Marshal(a)
	if strings.Contains(string(text), "secret") {
		t.Errorf("%s", text)
	}
	if a.Labels["alertname"] != "DatabaseMoveFailed" || !strings.HasPrefix(a.Annotations["summary"], "database-move to postgresql failed 失败 ·") {
		t.Errorf("%s", text)
	}
	if strings.Contains(a.Annotations["impact"], "same") {
		t.Errorf("what nobody knows is said: %s", text)
	}
}

// Nothing waits for long, and nobody is told by a receiver that would tell of an end, too.
func TestWhereNobodyCanBeToldThatIsSaid(t *testing.T) {
	refused := error(&engine.ExitError{Code: 1})
	for name, c := range map[string]struct {
		of   *alertmanager
		says string
		took time.Duration
	}{
		"no container":          {&alertmanager{failures: []error{errors.New("no container of p-s-alertmanager runs on this engine")}}, "no container", 0},
		"not there yet":         {&alertmanager{receivers: both, failures: []error{refused, refused}}, "", 2 * time.Second},
		"never there":           {&alertmanager{failures: slices.Repeat([]error{refused}, 100)}, "no answer", within},
		"of an earlier `up`":    {&alertmanager{receivers: `[{"name":"p-s"}]`}, "has no receivers for it", 0},
		"another stack's":       {&alertmanager{receivers: `[{"name":"p-other/deploys"}]`}, "has no receivers for it", 0},
		"no answer of its kind": {&alertmanager{receivers: "<html>"}, "receivers of Alertmanager", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				says := told(c.of, done)
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				if c.says == "" {
					if len(says) > 0 || len(c.of.posted) != 1 {
						t.Errorf("%v, %v", says, c.of.posted)
					}
					return
				}
				if len(says) != 1 || !strings.Contains(says[0], c.says) || !strings.Contains(says[0], "told of this up") || len(c.of.posted) > 0 {
					t.Errorf("%v, %v", says, c.of.posted)
				}
			})
		})
	}
}
