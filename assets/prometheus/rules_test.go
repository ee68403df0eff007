package prometheus

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/drift"
	"tarot-platform/internal/testalert"
)

const runbooks = "../../docs/runbooks"

// rule is one of a rules file.
type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

// name tells a page and a ticket of the same name apart.
func (r rule) name() string {
	return strings.TrimSpace(r.Record + r.Alert + " " + r.Labels["severity"])
}

func rulesOf(t *testing.T, c Config) []rule {
	t.Helper()
	c.Groups = groupsOf(t, c)
	text, err := Rules(c)
	if err != nil {
		t.Fatal(err)
	}
	all := decoded(t, text)
	if len(all) < 20 {
		t.Fatalf("%d rules", len(all))
	}
	return all
}

func decoded(t *testing.T, text string) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// partsRules are those that parts bring along, by the golden files beside them.
func partsRules(t *testing.T) map[string][]rule {
	t.Helper()
	files, err := filepath.Glob("../../components/*/testdata/*.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]rule{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if all[file] = decoded(t, string(text)); len(all[file]) == 0 {
			t.Errorf("%s has no rules", file)
		}
	}
	return all
}

// testFile is a file of promtool's tests.
type testFile struct {
	RuleFiles []string `yaml:"rule_files"`
	Tests     []testCase
}

type testCase struct {
	Name        string
	InputSeries []struct{ Series string } `yaml:"input_series"`
	Alerts      []struct {
		Alertname string
		Expected  []expected `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
	Expressions []struct{ Expr string } `yaml:"promql_expr_test"`
}

type expected struct {
	Labels map[string]string `yaml:"exp_labels"`
}

var identifier = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

// feeds says whether one of the case's series is in the expression, or in what it
// is made of: an alert without data is silent for no reason.
func (c testCase) feeds(expr string, records map[string]string) bool {
	for _, word := range identifier.FindAllString(expr, -1) {
		if made, ok := records[word]; ok && c.feeds(made, records) {
			return true
		}
		for _, s := range c.InputSeries {
			if identifier.FindString(s.Series) == word {
				return true
			}
		}
	}
	return false
}

// covered are the rules of a file that the test files beside it try: alerts in a case where
// they fire and one where they don't.
func covered(t *testing.T, file string, rules []rule) map[string]map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.test.yml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	records := map[string]string{}
	for _, r := range rules {
		records[r.Record] = r.Expr
	}
	delete(records, "")
	tried := map[string]map[string]bool{}
	for _, r := range rules {
		tried[r.name()] = map[string]bool{}
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f testFile
		if err := yaml.Unmarshal(text, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(f.RuleFiles, []string{filepath.Base(file)}) {
			continue
		}
		for _, c := range f.Tests {
			for _, r := range rules {
				for _, e := range c.Expressions {
					if r.Record != "" && slices.Contains(identifier.FindAllString(e.Expr, -1), r.Record) {
						tried[r.name()]["recorded"] = true
					}
				}
				for _, a := range c.Alerts {
					if r.Alert == "" || a.Alertname != r.Alert || !c.feeds(r.Expr, records) {
						continue
					}
					fires := slices.ContainsFunc(a.Expected, func(e expected) bool { return e.Labels["severity"] == r.Labels["severity"] })
					tried[r.name()][map[bool]string{true: "firing", false: "silent"}[fires]] = true
				}
			}
		}
	}
	return tried
}

// dev has rules of its own only where it has no nginx to ask.
func TestEveryRuleIsTried(t *testing.T) {
	all := partsRules(t)
	for _, stack := range []string{"prod", "dev"} {
		all[filepath.Join("testdata", stack+".rules.yml")] = rulesOf(t, stacks[stack]())
	}
	expressions := map[string]string{}
	files := slices.Sorted(maps.Keys(all))
	slices.Reverse(files) // prod before dev
	for _, file := range files {
		tried := covered(t, file, all[file])
		for _, r := range all[file] {
			if expressions[r.name()] == r.Expr {
				continue
			}
			expressions[r.name()] = r.Expr
			needed := []string{"firing", "silent"}
			if r.Record != "" {
				needed = []string{"recorded"}
			}
			for _, kind := range needed {
				if !tried[r.name()][kind] {
					t.Errorf("%s: no %s case of %s in the *.test.yml beside it", file, kind, r.name())
				}
			}
		}
	}
}

func TestEveryAlertSaysWhatItMeansAndWhatToDo(t *testing.T) {
	pages := map[string]bool{}
	index, err := os.ReadFile(filepath.Join(runbooks, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := rulesOf(t, prod())
	for _, rules := range partsRules(t) {
		all = append(all, rules...)
	}
	for _, r := range all {
		if r.Alert == "" {
			continue
		}
		if s := r.Labels["severity"]; !slices.Contains([]string{"page", "ticket", "note"}, s) {
			t.Errorf("%s has the severity %q", r.name(), s)
		}
		for _, key := range []string{"summary", "impact", "runbook"} {
			// Alertmanager's messages cut off what is longer.
			if text := r.Annotations[key]; text == "" || len(text) > 240 {
				t.Errorf("%s: %s is %q", r.name(), key, text)
			}
		}
		if want := prod().Runbooks + r.Alert + ".md"; r.Annotations["runbook"] != want {
			t.Errorf("%s links to %s, not %s", r.name(), r.Annotations["runbook"], want)
		}
		pages[r.Alert+".md"] = true
		page, err := os.ReadFile(filepath.Join(runbooks, r.Alert+".md"))
		if err != nil || !strings.HasPrefix(string(page), "# "+r.Alert+"\n") {
			t.Errorf("%s has no page that begins with its name: %v", r.Alert, err)
		}
		if !strings.Contains(string(page), r.Labels["severity"]) {
			t.Errorf("%s.md does not say that it is a %s", r.Alert, r.Labels["severity"])
		}
		if !strings.Contains(string(index), "["+r.Alert+"]("+r.Alert+".md)") {
			t.Errorf("%s is not in the index", r.Alert)
		}
	}
	for _, a := range []testalert.Alert{drift.Alert(checks.Report{Stack: "prod"})} { // those that a command tells
		pages[a.Name+".md"] = true
		page, err := os.ReadFile(filepath.Join(runbooks, a.Name+".md"))
		if err != nil || !strings.HasPrefix(string(page), "# "+a.Name+"\n") || !strings.Contains(string(page), a.Severity) || !strings.Contains(string(index), "["+a.Name+"]("+a.Name+".md)") ||
			a.Runbook != prod().Runbooks+a.Name+".md" || a.Summary == "" || a.Impact == "" {
			t.Errorf("%+v: its page, or its line in the index, is wrong: %v", a, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(runbooks, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" && !pages[name] {
			t.Errorf("%s belongs to no alert", name)
		}
	}
}

func TestWithoutTLSNobodyLooksForACertificate(t *testing.T) {
	c := prod()
	c.TLS, c.Probe = false, "http://nginx:8080/health"
	renewed := prod()
	renewed.Renewed = true // by what has rules of its own
	for _, c := range []Config{c, renewed} {
		for _, r := range rulesOf(t, c) {
			if r.Alert == "CertificateExpiresSoon" {
				t.Error(r.Expr)
			}
		}
	}
}

// Every wait and every window is scaled, but for that of the backups; nothing else is.
func TestARehearsalDiffersInTimeOnly(t *testing.T) {
	times := regexp.MustCompile(`\[[0-9a-z]+\]|^[0-9a-z]+$`)
	scale := func(text string) string {
		return times.ReplaceAllStringFunc(text, func(found string) string {
			d, err := model.ParseDuration(strings.Trim(found, "[]"))
			if err != nil {
				t.Fatal(err)
			}
			if 2*prod().BackupMaxAge == time.Duration(d) {
				return found
			}
			return strings.Replace(found, strings.Trim(found, "[]"), (d / 20).String(), 1)
		})
	}
	got := rulesOf(t, rehearsal())
	for i, r := range rulesOf(t, prod()) {
		if got[i].Expr != scale(r.Expr) || got[i].For != scale(r.For) {
			t.Errorf("%s: for %s\n%s", r.name(), got[i].For, got[i].Expr)
		}
	}
}

// A part's rules are scaled as all others are, and know what it has to say of itself.
func TestPartsHaveRulesOfTheirOwn(t *testing.T) {
	const source = `  - name: moon
    rules:
      - alert: MoonDown
        expr: increase(moon_falls_total[[ .Over "5m" ]]) > [[ .Part.Most ]]
        for: [[ .For "10m" ]]
        annotations: {runbook: [[ .Runbooks ]]MoonDown.md}
`
	group, err := PartsGroup("moon", source, 0.05, "https://runbooks.example/", struct{ Most int }{3})
	if err != nil || group.Name != "moon" {
		t.Fatal(group, err)
	}
	c := prod()
	c.Groups = []Group{group}
	text, err := Rules(c)
	if err != nil {
		t.Fatal(err)
	}
	rules := decoded(t, text)
	last := rules[len(rules)-1]
	if last.Expr != "increase(moon_falls_total[15s]) > 3" || last.For != "30s" || last.Annotations["runbook"] != "https://runbooks.example/MoonDown.md" {
		t.Errorf("%+v", last)
	}
	if _, err := PartsGroup("moon", "[[ .Part.Least ]]", 1, "", struct{ Most int }{3}); err == nil {
		t.Error("what the part does not say is nothing")
	}
}
