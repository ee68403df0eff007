package grafana

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// panel is what is held against rules of ours: Grafana takes far more.
type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  struct{ Type, UID string }
	GridPos     struct{ X, Y, W, H int }
	Targets     []json.RawMessage
	FieldConfig json.RawMessage
}

func (p panel) String() string { return fmt.Sprintf("%q (%d)", p.Title, p.ID) }

func panels(t *testing.T, text string) []panel {
	t.Helper()
	var d struct{ Panels []panel }
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("no panels")
	}
	return d.Panels
}

// dashboards calls check for each one, with and without nginx, and for those that parts bring
// along.
func dashboards(t *testing.T, check func(t *testing.T, name, text string)) {
	t.Helper()
	without := example
	without.Edge = false
	for _, c := range []Config{example, without} {
		for name, text := range rendered(t, c) {
			if stem, is := strings.CutSuffix(name, ".json"); is {
				t.Run(fmt.Sprintf("%s, nginx %v", stem, c.Edge), func(t *testing.T) { check(t, stem, text) })
			}
		}
	}
	files, err := filepath.Glob("../../components/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stem := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(stem, func(t *testing.T) { check(t, stem, string(text)) })
	}
}

// Every key is one that Grafana knows, of the type that it wants. The SDK reads
// queries and field configurations less strictly when they are within a panel.
func TestGrafanaKnowsEveryKey(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	dashboards(t, func(t *testing.T, _, text string) {
		//lint:ignore SA1019 the second schema is not what Grafana 12 takes files for
		var d dashboard.Dashboard
		must(t, "dashboard", d.UnmarshalJSONStrict([]byte(text)))
		must(t, "dashboard", d.Validate())
		for _, p := range panels(t, text) {
			for _, target := range p.Targets {
				var q prometheus.Dataquery
				must(t, p.String(), q.UnmarshalJSONStrict(target))
				must(t, p.String(), q.Validate())
			}
			if p.FieldConfig != nil {
				var f dashboard.FieldConfigSource
				must(t, p.String(), f.UnmarshalJSONStrict(p.FieldConfig))
				must(t, p.String(), f.Validate())
			}
		}
	})
}

// must takes the SDK's errors, of which an empty list is none.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && err.Error() != "" {
		t.Errorf("%s: %v", what, err)
	}
}

func TestDashboardsAreOfOneKind(t *testing.T) {
	dashboards(t, func(t *testing.T, name, text string) {
		var d struct {
			UID, Title, Description, Refresh string
			Tags                             []string
			SchemaVersion                    int
			Time                             struct{ From, To string }
			Links                            []struct {
				Type string
				Tags []string
			}
			Annotations struct {
				List []struct {
					Name, Expr              string
					UseValueForTime, Enable bool
					Datasource              struct{ UID string }
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		if d.UID != "platform-"+name || d.Title == "" || d.Description == "" || d.SchemaVersion != 41 {
			t.Errorf("uid %q, title %q, description %q, schema %d", d.UID, d.Title, d.Description, d.SchemaVersion)
		}
		if d.Refresh != "30s" || d.Time.From != "now-6h" || d.Time.To != "now" {
			t.Errorf("%s from %s to %s", d.Refresh, d.Time.From, d.Time.To)
		}
		// A link to all that have the tag.
		if len(d.Links) != 1 || d.Links[0].Type != "dashboards" || !slices.Equal(d.Links[0].Tags, d.Tags) || !slices.Equal(d.Tags, []string{"platform"}) {
			t.Errorf("links %+v, tags %v", d.Links, d.Tags)
		}
		if a := d.Annotations.List; len(a) != 1 || !a[0].Enable || !a[0].UseValueForTime || a[0].Datasource.UID != "prometheus" || !strings.Contains(a[0].Expr, "platform_deployed_timestamp_seconds") {
			t.Errorf("releases are not marked: %+v", a)
		}
	})
}

const columns, inRow = 24, 4

func TestPanelsHaveTheirPlace(t *testing.T) {
	dashboards(t, func(t *testing.T, _, text string) {
		taken := map[[2]int]panel{}
		ids, titles, rows := map[int]bool{}, map[string]bool{}, map[int]int{}
		for _, p := range panels(t, text) {
			if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
				t.Errorf("%s: the id or the title is missing, or another one's", p)
			}
			ids[p.ID], titles[p.Title] = true, true
			g := p.GridPos
			if g.W <= 0 || g.H <= 0 || g.X < 0 || g.Y < 0 || g.X+g.W > columns {
				t.Errorf("%s is at %+v, of %d columns", p, g, columns)
				continue
			}
			rows[g.Y]++
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, is := taken[[2]int{x, y}]; is {
						t.Fatalf("%s lies on %s", p, other)
					}
					taken[[2]int{x, y}] = p
				}
			}
		}
		for y, count := range rows {
			if count > inRow {
				t.Errorf("%d panels beside each other at %d", count, y)
			}
		}
		// Grafana moves panels up into a gap: what is written would not be what is seen.
		for at := range taken {
			for x := range columns {
				if _, is := taken[[2]int{x, at[1]}]; !is {
					t.Fatalf("a gap at column %d, line %d", x, at[1])
				}
			}
		}
	})
}

func TestPanelsExplainThemselves(t *testing.T) {
	declared := datasources(t)
	dashboards(t, func(t *testing.T, _, text string) {
		for _, p := range panels(t, text) {
			if p.Type == "row" {
				continue
			}
			if len(p.Title) > 30 || len(p.Description) < 15 {
				t.Errorf("%s: a short title and a description, please: %q", p, p.Description)
			}
			if kind := declared[p.Datasource.UID]; kind == "" || kind != p.Datasource.Type {
				t.Errorf("%s: no data source of type %q has the uid %q", p, p.Datasource.Type, p.Datasource.UID)
			}
			var f struct {
				Defaults struct {
					Unit, NoValue string
					Thresholds    struct{ Steps []struct{ Value *float64 } }
				}
				Overrides []struct {
					Matcher    struct{ ID, Options string }
					Properties []struct {
						ID    string
						Value json.RawMessage
					}
				}
			}
			if err := json.Unmarshal(p.FieldConfig, &f); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			if f.Defaults.Unit == "" || f.Defaults.NoValue == "" {
				t.Errorf("%s: unit %q, without a value %q", p, f.Defaults.Unit, f.Defaults.NoValue)
			}
			for i, s := range f.Defaults.Thresholds.Steps {
				if (s.Value == nil) != (i == 0) || i > 1 && *s.Value < *f.Defaults.Thresholds.Steps[i-1].Value {
					t.Errorf("%s: thresholds begin with null, and rise", p)
				}
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s asks nothing", p)
			}
			names := map[string]bool{}
			for i, target := range p.Targets {
				var q struct{ RefID, LegendFormat, Expr string }
				if err := json.Unmarshal(target, &q); err != nil {
					t.Fatal(err)
				}
				if q.RefID != string(rune('A'+i)) {
					t.Errorf("%s: query %d is called %q", p, i, q.RefID)
				}
				if p.Type != "table" && len(p.Targets) > 1 && q.LegendFormat == "" {
					t.Errorf("%s: %s has no name", p, q.RefID)
				}
				names[q.LegendFormat] = true
				for _, label := range inLegend.FindAllStringSubmatch(q.LegendFormat, -1) {
					if !regexp.MustCompile(`\b` + label[1] + `\b`).MatchString(q.Expr) {
						t.Errorf("%s: no series of %s keeps the label %s", p, q.RefID, label[1])
					}
				}
			}
			// An override of a series that there is not colours nothing.
			for _, o := range f.Overrides {
				if p.Type == "table" || o.Matcher.ID != "byName" || slices.ContainsFunc(p.Targets, fromLabel) {
					continue
				}
				if !names[o.Matcher.Options] {
					t.Errorf("%s: no series is called %q", p, o.Matcher.Options)
				}
			}
		}
	})
}

var inLegend = regexp.MustCompile(`\{\{(\w+)\}\}`)

// fromLabel is true where series have the names of a label's values.
func fromLabel(target json.RawMessage) bool { return strings.Contains(string(target), "{{") }

// A table's columns are those of its queries, renamed.
func TestTablesNameTheirColumns(t *testing.T) {
	dashboards(t, func(t *testing.T, _, text string) {
		var d struct {
			Panels []struct {
				Type, Title     string
				Targets         []struct{ RefID, Expr, Format string }
				Transformations []struct {
					ID      string
					Options struct{ RenameByName map[string]string }
				}
				FieldConfig struct {
					Overrides []struct{ Matcher struct{ Options string } }
				}
				Options struct {
					SortBy []struct{ DisplayName string }
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			if p.Type != "table" {
				continue
			}
			renamed, shown := map[string]string{}, map[string]bool{}
			for _, transformation := range p.Transformations {
				for from, to := range transformation.Options.RenameByName {
					renamed[from], shown[to] = to, true
				}
			}
			for _, q := range p.Targets {
				value := "Value #" + q.RefID
				if len(p.Targets) == 1 {
					value = "Value"
				}
				if renamed[value] == "" || q.Format != "table" {
					t.Errorf("%s: %s is no column: %v", p.Title, value, renamed)
				}
			}
			for from := range renamed {
				if !strings.HasPrefix(from, "Value") && !regexp.MustCompile(`\b`+from+`\b`).MatchString(p.Targets[0].Expr) {
					t.Errorf("%s: no query has the label %s", p.Title, from)
				}
			}
			for _, o := range p.FieldConfig.Overrides {
				if !shown[o.Matcher.Options] {
					t.Errorf("%s: no column is called %q", p.Title, o.Matcher.Options)
				}
			}
			for _, s := range p.Options.SortBy {
				if !shown[s.DisplayName] {
					t.Errorf("%s is sorted by %q, which it has not", p.Title, s.DisplayName)
				}
			}
		}
	})
}

// Nothing of an instance, and no value that Grafana has anyway.
func TestNoExportedNoise(t *testing.T) {
	entries, err := sources.ReadDir("dashboards")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := sources.ReadFile(path.Join("dashboards", entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"pluginVersion", "fiscalYearStartMonth", "version", "iteration", "gnetId", "__inputs", "__requires", "editorMode", "hideFrom", "builtIn"} {
			if strings.Contains(string(text), `"`+key+`"`) {
				t.Errorf("%s has %s", entry.Name(), key)
			}
		}
	}
}
