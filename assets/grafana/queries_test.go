package grafana

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"

	"tarot-platform/assets/prometheus"
)

// contract are the metrics of the application's contract, of nginx, and Prometheus'
// own. Those of the exporters are what prometheus.yml keeps.
var contract = []string{
	"http_requests_total", "http_request_duration_seconds_bucket", "http_request_duration_seconds_sum", "http_request_duration_seconds_count",
	"http_requests_in_progress", "websockets_open",
	"db_pool_size", "db_pool_checked_out", "db_errors_total", "db_file_bytes",
	"db_lock_wait_seconds_bucket", "db_lock_wait_seconds_sum", "db_lock_wait_seconds_count",
	"nginx_http_requests_total", "nginx_http_request_duration_seconds_bucket", "nginx_http_request_duration_seconds_sum", "nginx_http_request_duration_seconds_count",
	"nginx_connections_active", "nginx_connections_reading", "nginx_connections_writing", "nginx_connections_waiting",
	"up", "ALERTS", "ALERTS_FOR_STATE",
}

// facts are written by the deploy and by the backup job.
var facts = []string{
	"platform_replicas_wanted", "platform_release_info", "platform_deployed_timestamp_seconds", "platform_updated_timestamp_seconds", "platform_maintenance", "backup_last_success_timestamp_seconds",
}

var known = []string{
	"job", "instance", "method", "route", "status", "le", "kind", "file", "mode", "mountpoint", "device", "phase",
	"workload", "container", "image", "release", "name", "alertname", "alertstate", "severity",
	"replica", // made of container, by label_replace
}

// kept tells which metrics there are, by what is rendered for Prometheus.
func kept(t *testing.T) func(metric string) bool {
	t.Helper()
	c := prometheus.Config{
		Interval: time.Second, Edge: true, TLS: true, MetricsPath: "/metrics", HealthPath: "/health", Probe: "https://nginx:8443/health",
		Stack: "stack", Availability: 99.9, LatencyObjective: 99, LatencyThreshold: time.Second, CertificateDays: 14, BackupMaxAge: time.Hour,
		DiskFreePercent: 10, TimeScale: 1, Runbooks: "docs/",
		Jobs: []prometheus.Job{prometheus.Replicas("backend", "/metrics", 8000, time.Second), prometheus.Static("nginx", "nginx:8082", ""),
			prometheus.Static("node", "node-exporter:9100", prometheus.NodeMetrics), prometheus.Containers("cadvisor", "stack"), prometheus.Probe("probe", "https://nginx:8443/health", "")},
	}
	text, err := prometheus.Settings(c)
	if err != nil {
		t.Fatal(err)
	}
	var settings struct {
		ScrapeConfigs []struct {
			JobName string `yaml:"job_name"`
			Relabel []struct {
				From   []string `yaml:"source_labels"`
				Regex  string
				Action string
			} `yaml:"metric_relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatal(err)
	}
	keep := map[string]*regexp.Regexp{}
	for _, job := range settings.ScrapeConfigs {
		for _, r := range job.Relabel {
			if r.Action == "keep" && slices.Equal(r.From, []string{"__name__"}) {
				keep[job.JobName] = regexp.MustCompile("^(" + r.Regex + ")$")
			}
		}
	}
	watching, err := prometheus.Watching(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Groups = []prometheus.Group{watching}
	rules, err := prometheus.Rules(c)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Concat(contract, facts)
	for _, m := range regexp.MustCompile(`(?m)^ *- record: (\S+)$`).FindAllStringSubmatch(rules, -1) {
		names = append(names, m[1])
	}
	exporters := map[string]string{"node": "node_", "cadvisor": "container_", "probe": "probe_"}
	for job := range exporters {
		if keep[job] == nil {
			t.Fatalf("prometheus.yml keeps everything of %s", job)
		}
	}
	return func(metric string) bool {
		for job, prefix := range exporters {
			if strings.HasPrefix(metric, prefix) {
				return keep[job].MatchString(metric)
			}
		}
		return slices.Contains(names, metric) && (!slices.Contains(facts, metric) || keep["node"].MatchString(metric))
	}
}

func allQueries(t *testing.T) []Query {
	t.Helper()
	without := example
	without.Edge = false
	var all []Query
	for _, c := range []Config{example, without} {
		found, err := queries(c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func TestQueriesAskForWhatThereIs(t *testing.T) {
	is := kept(t)
	metrics := 0
	for _, q := range allQueries(t) {
		where := fmt.Sprintf("%s, %s: %s", q.Dashboard, q.Panel, q.Expression)
		if strings.Contains(q.Expression, "$__") {
			t.Errorf("%s: a variable has no value", where)
			continue
		}
		expression, err := parser.ParseExpr(q.Expression)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		label := func(name string) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: no metric has the label %s", where, name)
			}
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			switch n := node.(type) {
			case *parser.VectorSelector:
				metrics++
				if !is(n.Name) {
					t.Errorf("%s: there is no %s", where, n.Name)
				}
				for _, m := range n.LabelMatchers {
					if m.Name != labels.MetricName {
						label(m.Name)
					}
				}
			case *parser.AggregateExpr:
				for _, name := range n.Grouping {
					label(name)
				}
			case *parser.BinaryExpr:
				if n.VectorMatching != nil {
					for _, name := range n.VectorMatching.MatchingLabels {
						label(name)
					}
				}
			case *parser.Call:
				counts := map[string]bool{"rate": true, "increase": true, "resets": true}
				if counts[n.Func.Name] && !isCounter(n) {
					t.Errorf("%s: %s is for counters", where, n.Func.Name)
				}
			}
			return nil
		})
	}
	if metrics < 100 {
		t.Errorf("only %d metrics were looked at", metrics)
	}
}

func isCounter(call *parser.Call) bool {
	matrix, is := call.Args[0].(*parser.MatrixSelector)
	if !is {
		return false
	}
	name := matrix.VectorSelector.(*parser.VectorSelector).Name
	return name == "node_vmstat_oom_kill" || slices.ContainsFunc([]string{"_total", "_bucket", "_count", "_sum"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

func TestSilentPanelsExist(t *testing.T) {
	found := map[[2]string]bool{}
	all, err := Queries()
	if err != nil {
		t.Fatal(err)
	}
	quiet := 0
	for _, q := range all {
		found[[2]string{q.Dashboard, q.Panel}] = true
		if reason, is := Silent(q); is {
			quiet++
			if reason == "" {
				t.Errorf("%s, %s is silent without a reason", q.Dashboard, q.Panel)
			}
		}
	}
	for panel := range silent {
		if !found[panel] {
			t.Errorf("%v is said to be silent, and asks nothing", panel)
		}
	}
	if quiet == 0 || quiet > 5 || len(all) < 80 {
		t.Errorf("%d of %d queries are silent", quiet, len(all))
	}
}

// The last value of a range is shown when its source is long gone; a table of a range
// has a line for each point.
func TestSingleValuesAreOfNow(t *testing.T) {
	dashboards(t, func(t *testing.T, _, text string) {
		for _, p := range panels(t, text) {
			for _, target := range p.Targets {
				instant := strings.Contains(string(target), `"instant": true`)
				if want := p.Type == "stat" || p.Type == "table"; instant != want {
					t.Errorf("%s, a %s: instant %v", p, p.Type, instant)
				}
			}
		}
	})
}
