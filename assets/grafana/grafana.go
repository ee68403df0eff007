// Package grafana has the dashboards, and what Grafana is started with.
//
// The dashboards are for Grafana 12, and ask Prometheus. What depends on the
// configuration is [[name]] in them: alone in a string it becomes a number, within
// one it becomes a part of the text, so that the files are JSON as they are.
//
// A single value is an instant query: the last value of a range would go on being
// shown when its source is gone.
//
// Each deploy is an annotation. It is at the value of
// platform_deployed_timestamp_seconds (useValueForTime), and so at the second of the
// deploy, once, however far apart the points of a graph are; changes() could not see
// another label, and would find a restart of Prometheus.
package grafana

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed provisioning/*.yml dashboards/*.json
var sources embed.FS

// edge is the dashboard of nginx.
const edge = "edge.json"

// Config is what the dashboards depend on.
type Config struct {
	// Interval is between two scrapes.
	Interval time.Duration
	// Edge: nginx is in front. Otherwise the application itself counts the requests.
	Edge bool
	// HealthPath and MetricsPath are not asked for by users.
	HealthPath, MetricsPath string
	// Availability and LatencyObjective are percentages of requests: those without a
	// server's error, and those within LatencyThreshold.
	Availability, LatencyObjective float64
	LatencyThreshold               time.Duration
	// CertificateDays, BackupMaxAge and DiskFreePercent are where alerts fire.
	CertificateDays int
	BackupMaxAge    time.Duration
	DiskFreePercent int
}

// Files returns all files by name, for one folder.
func Files(c Config) (map[string]string, error) {
	files := map[string]string{}
	filled := c.filled()
	err := fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !c.Edge && path.Base(name) == edge {
			return err
		}
		text, err := sources.ReadFile(name)
		if err != nil {
			return err
		}
		file := filled.Replace(string(text))
		if at := placeholder.FindString(file); at != "" {
			return fmt.Errorf("%s: nothing is known as %s", name, at)
		}
		if path.Ext(name) == ".json" && !json.Valid([]byte(file)) {
			return fmt.Errorf("%s: no JSON with %+v", name, c)
		}
		files[path.Base(name)] = file
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("grafana: %w", err)
	}
	return files, nil
}

var placeholder = regexp.MustCompile(`\[\[[a-z_]*\]\]`)

func (c Config) filled() *strings.Replacer {
	requests, users := "http_requests_total", c.routes()+","
	if c.Edge { // nginx does not count health checks
		requests, users = "nginx_http_requests_total", ""
	}
	texts := map[string]string{
		"interval":             strconv.Itoa(int(c.Interval.Seconds())) + "s",
		"requests":             requests,
		"users":                users,
		"routes":               c.routes(),
		"availability_percent": number(c.Availability) + " %",
		"latency_percent":      number(c.LatencyObjective) + " %",
		"latency_text":         c.LatencyThreshold.String(),
	}
	numbers := map[string]float64{
		"availability":         c.Availability / 100,
		"error_budget":         1 - c.Availability/100,
		"latency_budget":       1 - c.LatencyObjective/100,
		"latency_threshold":    c.LatencyThreshold.Seconds(),
		"certificate_days":     float64(c.CertificateDays),
		"backup_max_age":       c.BackupMaxAge.Seconds(),
		"backup_max_age_twice": 2 * c.BackupMaxAge.Seconds(),
		"disk_free":            float64(c.DiskFreePercent) / 100,
		"disk_free_critical":   float64(c.DiskFreePercent) / 400,
	}
	var pairs []string // of the strings that begin at one place, the first wins
	for name, n := range numbers {
		pairs = append(pairs, `"[[`+name+`]]"`, number(n))
		texts[name] = number(n)
	}
	for name, text := range texts {
		pairs = append(pairs, "[["+name+"]]", escaped(text))
	}
	return strings.NewReplacer(pairs...)
}

// routes selects what users ask for.
func (c Config) routes() string {
	return "route!~" + strconv.Quote(regexp.QuoteMeta(c.HealthPath)+"|"+regexp.QuoteMeta(c.MetricsPath))
}

// number leaves out what 1 - 0.999 is off by.
func number(n float64) string { return strconv.FormatFloat(n, 'g', 10, 64) }

// escaped is what stands between the quotes of a string.
func escaped(text string) string {
	quoted, _ := json.Marshal(text) // of a string, always
	return string(quoted[1 : len(quoted)-1])
}
