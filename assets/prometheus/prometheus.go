// Package prometheus renders Prometheus' configuration and its rules.
package prometheus

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"
)

//go:embed prometheus.yml.tmpl
var settings string

//go:embed rules.yml.tmpl
var rules string

// The delimiters are not those of the annotations. JSON's strings are YAML's, too.
func parse(name, source string) *template.Template {
	return template.Must(template.New(name).Delims("[[", "]]").Option("missingkey=error").
		Funcs(template.FuncMap{"duration": duration, "quote": strconv.Quote, "list": list, "windows": windows, "burn": burn}).Parse(source))
}

var parsedSettings, parsedRules = parse("prometheus.yml", settings), parse("rules.yml", rules)

// Config is what the configuration and the rules depend on.
type Config struct {
	// Interval is the time between two scrapes, and two evaluations of the rules.
	Interval time.Duration
	// Edge: nginx is in front, counts the requests, and is probed.
	Edge bool
	// TLS: what is probed shows a certificate.
	TLS bool
	// Renewed: whatever renews the certificate by itself has rules of its own about its end.
	Renewed bool
	// MetricsPath and HealthPath are the application's.
	MetricsPath, HealthPath string
	// Jobs are what is asked for metrics, beside Prometheus and Alertmanager.
	Jobs []Job
	// Groups are further rules.
	Groups []Group
	// Probe is the URL that blackbox asks for. Empty: there is no blackbox, and so
	// no Edge.
	Probe string
	// Stack is what the containers' label tarot.stack says, and what their names
	// begin with.
	Stack string
	// Availability is the objective: the percentage of requests without a server's
	// error.
	Availability float64
	// LatencyObjective is the percentage of requests that are answered within
	// LatencyThreshold, one of Buckets.
	LatencyObjective float64
	LatencyThreshold time.Duration
	// CertificateDays are left when a certificate's end is told.
	CertificateDays int
	// BackupMaxAge is the age of the last backup that is told. 0: there are no
	// backups.
	BackupMaxAge time.Duration
	// OwnBackups are the platform's, which have alerts of their own.
	OwnBackups bool
	// DiskFreePercent is what has to be free.
	DiskFreePercent int
	// TimeScale is 1. Rehearsals have less: every wait and every window is
	// multiplied by it. The shortest window is Shortest, and must hold Scrapes
	// scrapes: TimeScale 0.05 makes 15s of it, and needs an Interval of 3s or less.
	TimeScale float64
	// Runbooks is what links to runbooks begin with: a folder or a URL that ends
	// in /.
	Runbooks string
}

const (
	// Shortest is the shortest window of a rate before it is scaled.
	Shortest = 5 * time.Minute
	// Scrapes are what a rate needs to bear the loss of one or two.
	Scrapes = 4
	// LeastObjective is what can be missed 14.4 times over: below it an alert would
	// wait for more than all requests to fail.
	LeastObjective = 94
)

// Buckets are those of nginx's histogram; the application's has to have
// LatencyThreshold's where there is no nginx.
var Buckets = []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second}

// Settings returns the text of prometheus.yml.
func Settings(c Config) (string, error) { return c.render(parsedSettings) }

// Rules returns the text of rules.yml.
func Rules(c Config) (string, error) { return c.render(parsedRules) }

func (c Config) render(from *template.Template) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("%s: %w", from.Name(), err)
	}
	var text strings.Builder
	if err := from.Execute(&text, c); err != nil {
		return "", fmt.Errorf("%s: %w", from.Name(), err)
	}
	return text.String(), nil
}

var stackName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// check refuses above all what would make an alert that can not fire.
func (c Config) check() error {
	var errs []error
	refuse := func(wrong bool, format string, values ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	refuse(!stackName.MatchString(c.Stack), "stack %q: letters, digits, _, . and - only", c.Stack)
	refuse(c.Interval < time.Second, "interval %s: at least 1s", c.Interval)
	refuse(c.TimeScale <= 0 || c.TimeScale > 1, "time scale %v: above 0, at most 1", c.TimeScale)
	refuse(c.scaled(Shortest) < Scrapes*c.Interval, "interval %s at time scale %v: a window of %s must hold %d scrapes", c.Interval, c.TimeScale, c.scaled(Shortest), Scrapes)
	refuse(c.Edge != (c.Probe != ""), "nginx is probed, and nothing else: nginx %v, probe %q", c.Edge, c.Probe)
	refuse(c.TLS != strings.HasPrefix(c.Probe, "https://"), "a certificate is seen by an https probe: TLS %v, probe %q", c.TLS, c.Probe)
	for what, objective := range map[string]float64{"availability": c.Availability, "latency": c.LatencyObjective} {
		refuse(objective < LeastObjective || objective >= 100, "objective of %s %v%%: from %d to less than 100", what, objective, LeastObjective)
	}
	refuse(!slices.Contains(Buckets, c.LatencyThreshold), "latency threshold %s: one of %v", c.LatencyThreshold, Buckets)
	refuse(c.CertificateDays < 2, "certificate days %d: at least 2", c.CertificateDays)
	refuse(c.BackupMaxAge < 0, "age of a backup %s: not negative", c.BackupMaxAge)
	refuse(c.DiskFreePercent < 1 || c.DiskFreePercent > 99, "free disk %d%%: from 1 to 99", c.DiskFreePercent)
	for what, path := range map[string]string{"metrics": c.MetricsPath, "health": c.HealthPath} {
		refuse(!strings.HasPrefix(path, "/"), "path of %s %q: begins with /", what, path)
	}
	return errors.Join(errs...)
}

func (c Config) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.TimeScale).Round(time.Millisecond)
}

// windows are those of the budgets' rules.
func windows() []string { return []string{"5m", "30m", "1h", "6h"} }

// For is for the template: a wait.
func (c Config) For(wait string) (string, error) {
	d, err := time.ParseDuration(wait)
	return duration(c.scaled(d)), err
}

// Over is for the template: a window, with its brackets.
func (c Config) Over(window string) (string, error) {
	text, err := c.For(window)
	return "[" + text + "]", err
}

// Monitoring is for the template: the routes that nobody's requests go to, as a
// quoted expression.
func (c Config) Monitoring() string {
	return strconv.Quote(regexp.QuoteMeta(c.HealthPath) + "|" + regexp.QuoteMeta(c.MetricsPath))
}

// StackPattern is for the template.
func (c Config) StackPattern() string { return regexp.QuoteMeta(c.Stack) }

// Bucket is for the template. Prometheus 3 writes whole numbers as 1.0.
func (c Config) Bucket() string {
	text := number(c.LatencyThreshold.Seconds())
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return strconv.Quote(text)
}

// burn is for the template: the share of bad requests that spends the budget so
// many times too fast.
func burn(times, objective float64) string { return number(times * (100 - objective) / 100) }

// BackupWindow is for the template: not scaled, as backups are not either.
func (c Config) BackupWindow() string { return "[" + duration(2*c.BackupMaxAge) + "]" }

// number leaves out what is only binary fractions' noise.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

func list(items ...string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = strconv.Quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// duration is in Prometheus' form, which has no fractions.
func duration(d time.Duration) string { return model.Duration(d).String() }
