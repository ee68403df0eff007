package alertmanager

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"
	"text/template"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// What Alertmanager gives a template, as far as ours use it. Real deliveries are
// in test/e2e.
type labels map[string]string

func (l labels) String() string {
	var pairs []string
	for name, value := range l {
		pairs = append(pairs, name+"="+value)
	}
	sort.Strings(pairs)
	return strings.Join(pairs, ", ")
}

type alert struct {
	Status              string
	Labels, Annotations labels
	StartsAt, EndsAt    time.Time
}

type alerts []alert

func (a alerts) with(status string) (found []alert) {
	for _, one := range a {
		if one.Status == status {
			found = append(found, one)
		}
	}
	return found
}

func (a alerts) Firing() []alert   { return a.with("firing") }
func (a alerts) Resolved() []alert { return a.with("resolved") }

type data struct {
	Status      string
	GroupLabels labels
	Alerts      alerts
}

var functions = template.FuncMap{
	"trimSpace":    strings.TrimSpace,
	"reReplaceAll": func(pattern, by, text string) string { return regexp.MustCompile(pattern).ReplaceAllString(text, by) },
	"dict": func(pairs ...any) map[string]any {
		made := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			made[pairs[i].(string)] = pairs[i+1]
		}
		return made
	},
}

// fill returns what a template of messages.tmpl makes.
func fill(t *testing.T, name string, with any) string {
	t.Helper()
	all, err := template.New("").Option("missingkey=zero").Funcs(functions).Parse(Messages())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := all.ExecuteTemplate(&text, name, with); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func arguments(d data) map[string]any {
	return map[string]any{"stack": "tarot-prod", "grafana": "https://example.org/grafana", "end": "\n", "data": d}
}

func group(name, severity string, list ...alert) data {
	d := data{Status: "resolved", GroupLabels: labels{"alertname": name, "severity": severity}, Alerts: list}
	if len(d.Alerts.Firing()) > 0 {
		d.Status = "firing"
	}
	return d
}

func one(status, summary string) alert {
	return alert{
		Status: status, Labels: labels{"alertname": "BackendDown", "severity": "page"},
		Annotations: labels{"summary": summary, "impact": "Every request fails.", "runbook": "docs/runbooks/BackendDown.md"},
		StartsAt:    time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC), EndsAt: time.Date(2026, 1, 2, 15, 20, 0, 0, time.UTC),
	}
}

func TestMessagesOfGroups(t *testing.T) {
	for name, c := range map[string]struct {
		of   data
		want string
	}{
		"firing": {group("BackendDown", "page", one("firing", "No backend is up.")), `**🔴 FIRING 告警 · tarot-prod · BackendDown · page**
No backend is up. (2026-01-02 15:04 UTC)
Impact 影响: Every request fails.
Runbook 手册: docs/runbooks/BackendDown.md
[Grafana](https://example.org/grafana)`},
		"one fires on": {group("WalTooLarge", "ticket", one("resolved", "replica 1"), one("firing", "replica 2")), `**🟡 FIRING 告警 · tarot-prod · WalTooLarge · ticket**
replica 2 (2026-01-02 15:04 UTC)
🟢 replica 1 (2026-01-02 15:04 – 2026-01-02 15:20 UTC)
Impact 影响: Every request fails.
Runbook 手册: docs/runbooks/BackendDown.md
[Grafana](https://example.org/grafana)`},
		"a note": {group("BackupOnSameDisk", "note", one("firing", "The backups are on the disk that serves.")), `**🔵 NOTE 提示 · tarot-prod · BackupOnSameDisk · note**
The backups are on the disk that serves. (2026-01-02 15:04 UTC)
Impact 影响: Every request fails.
Runbook 手册: docs/runbooks/BackendDown.md
[Grafana](https://example.org/grafana)`},
		"resolved, with labels only": {group("Odd", "", alert{Status: "resolved", Labels: labels{"alertname": "Odd", "a": "b"}}), `**🟢 RESOLVED 恢复 · tarot-prod · Odd**
a=b, alertname=Odd (0001-01-01 00:00 – 0001-01-01 00:00 UTC)
[Grafana](https://example.org/grafana)`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fill(t, "stack.markdown", arguments(c.of)); got != c.want {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestMail(t *testing.T) {
	list := []alert{one("resolved", "replica 1"), one("firing", "replica 2")}
	got := fill(t, "stack.mail", arguments(group("BackendDown", "page", list...)))
	want := `🔴 FIRING 告警 · tarot-prod · BackendDown · page

replica 1 (2026-01-02 15:04 – 2026-01-02 15:20 UTC)
Labels: alertname=BackendDown, severity=page

replica 2 (2026-01-02 15:04 UTC)
Impact 影响: Every request fails.
Runbook 手册: docs/runbooks/BackendDown.md
Labels: alertname=BackendDown, severity=page

https://example.org/grafana
`
	if got != want {
		t.Errorf("%s", got)
	}
}

// nasty is text that robots, JSON, YAML, Markdown or a template could stumble on.
var nasty = []string{
	`"quoted" 'single' \back\slash`, "two\nlines\tand a tab\r\n", "note: {{ .Labels }} {{ template", "ends in a colon:", "- a list", "? key",
	`{"json": [1, 2]}`, "[1, 2]", "123", "true", "null", "~", "2026-01-02", "", " ", "& *alias !tag |\n>", "a: &a [*a]", "%YAML 1.1", "--- x",
	"中文,全角:告警。", "🔥🔥", "<@all> <at user_id=\"all\">all</at> a < 5", "# heading", "``` code", "\x00\x1b\u0085\u2028", "x #y: z",
}

// taken is what Alertmanager makes of a filled in payload: its string, unless
// YAML sees something else in it.
func isTakenAsIs(text string) bool {
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return true
	}
	_, ok := value.(string)
	return ok
}

func TestMessagesStayStrings(t *testing.T) {
	for _, status := range []string{"firing", "resolved"} {
		for _, text := range nasty {
			a := one(status, text)
			a.Annotations["impact"], a.Annotations["runbook"] = text, text
			d := arguments(group(text, text, a))
			for _, name := range []string{"stack.markdown", "stack.title"} {
				if got := fill(t, name, d); !isTakenAsIs(got) {
					t.Errorf("%s of %q: %s", name, text, got)
				}
			}
			if got := fill(t, "stack.markdown", d); strings.Contains(got, "<@") || strings.Contains(got, "<at") {
				t.Errorf("mentions people: %s", got)
			}
			if got := fill(t, "stack.title", d); strings.ContainsAny(got, "\r\n") {
				t.Errorf("more than a line: %q", got)
			}
		}
	}
	for _, want := range []string{"red", "green", "orange"} {
		if !isTakenAsIs(want) {
			t.Error(want)
		}
	}
}

func TestMessagesHaveALimit(t *testing.T) {
	for width, letter := range []string{"x", "é", "中", "🔥"} {
		// A shift, so that a cut falls on each of the bytes of a letter.
		for shift := range width + 1 {
			long := strings.Repeat("y", shift) + strings.Repeat(letter, 5000)
			var list []alert
			for i := range 60 {
				for _, status := range []string{"firing", "resolved"} {
					a := one(status, fmt.Sprint(i)+long)
					a.Annotations["impact"], a.Annotations["runbook"] = long, "https://example.org/"+long
					list = append(list, a)
				}
			}
			d := arguments(group(long, long, list...))
			d["stack"], d["grafana"], d["end"] = strings.Repeat("s", 100), "https://"+strings.Repeat("g", 200), "\n\n"
			for name, limit := range map[string]int{"stack.markdown": 4096, "stack.title": 700, "stack.mail": 200000} {
				got := fill(t, name, d)
				if len(got) > limit {
					t.Errorf("%s: %d bytes", name, len(got))
				}
				if !utf8.ValidString(got) || strings.ContainsRune(got, utf8.RuneError) {
					t.Errorf("%s has half a letter: %s", name, got)
				}
			}
			if got := fill(t, "stack.markdown", d); strings.Count(got, "… 60 in all") != 2 {
				t.Errorf("does not tell how many there are: %s", got)
			}
		}
	}
}
