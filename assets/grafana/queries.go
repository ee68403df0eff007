package grafana

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Query is what a panel asks Prometheus.
type Query struct {
	// Dashboard and Panel are titles.
	Dashboard, Panel string
	// Expression is PromQL without Grafana's variables.
	Expression string
	// Instant: the panel shows what is now, and no range.
	Instant bool
}

// silent are the panels that have no data where all is as it should be, and why. All
// others have some: 0 is data.
var silent = map[[2]string]string{
	{"Overview", "Alerts"}:                         "nothing fires",
	{"Overview", "Last backup"}:                    "there was no backup yet",
	{"Data and backups", "Last backup"}:            "there was no backup yet",
	{"Data and backups", "Age of the last backup"}: "there was no backup yet",
}

// Silent returns why a query has no data.
func Silent(q Query) (reason string, is bool) {
	reason, is = silent[[2]string{q.Dashboard, q.Panel}]
	return reason, is
}

// variables are Grafana's, with values that any series of two minutes has data for.
var variables = strings.NewReplacer("$__rate_interval", "1m", "$__range", "6h", "$__interval", "15s")

// example is the configuration of a stack that has all dashboards.
var example = Config{
	Interval: 15 * time.Second, Edge: true, HealthPath: "/health", MetricsPath: "/metrics",
	Availability: 99.9, LatencyObjective: 99, LatencyThreshold: 500 * time.Millisecond,
	CertificateDays: 14, BackupMaxAge: 26 * time.Hour, DiskFreePercent: 10,
}

// Queries returns what all panels and annotations ask, of a stack behind nginx whose
// paths are the usual ones.
func Queries() ([]Query, error) { return queries(example) }

type target struct {
	Expr    string
	Instant bool
}

// board is of a dashboard what its queries are in.
type board struct {
	Title       string
	Annotations struct {
		List []struct {
			Name, Expr string
		}
	}
	Panels []struct {
		Title   string
		Targets []target
	}
}

func queries(c Config) ([]Query, error) {
	files, err := Files(c)
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".json" {
			continue
		}
		var b board
		if err := json.Unmarshal([]byte(files[name]), &b); err != nil {
			return nil, fmt.Errorf("grafana: %s: %w", name, err)
		}
		for _, a := range b.Annotations.List {
			all = append(all, Query{Dashboard: b.Title, Panel: a.Name, Expression: variables.Replace(a.Expr)})
		}
		for _, p := range b.Panels {
			for _, t := range p.Targets {
				all = append(all, Query{Dashboard: b.Title, Panel: p.Title, Expression: variables.Replace(t.Expr), Instant: t.Instant})
			}
		}
	}
	return all, nil
}
