package prometheus

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"time"
)

//go:embed jobs.yml.tmpl
var jobs string

var parsedJobs = parse("jobs.yml", jobs)

// Job is what Prometheus asks for metrics. What it keeps of them is what a rule, a runbook
// or a dashboard asks for: all else would cost memory for nobody.
type Job struct {
	// Name is the label job of its metrics.
	Name string
	// YAML is the scrape configuration.
	YAML string
}

// Static is a job with one target, host:port. keep is the form of the names of those of its
// metrics that are kept; empty: all.
func Static(name, target, keep string) Job {
	return job(name, "static", struct{ Name, Target, Keep string }{name, target, keep})
}

// Replicas is the job of a service's replicas, each on its own: they answer at a path
// of a port, and are looked for once in an interval.
func Replicas(name, path string, port int, interval time.Duration) Job {
	return job(name, "replicas", struct {
		Name, Path string
		Port       int
		Interval   time.Duration
	}{name, path, port, interval})
}

// Containers is cAdvisor's, of the containers of a stack.
func Containers(name, stack string) Job {
	return job(name, "containers", struct{ Pattern string }{regexp.QuoteMeta(stack)})
}

// Probe is the question for a URL, by blackbox. host is the name that it is asked by: an
// application may answer to no other. Empty: the one in the URL.
func Probe(name, url, host string) Job {
	return job(name, "probe", struct{ URL, Host string }{url, host})
}

func job(name, template string, of any) Job {
	var text strings.Builder
	if err := parsedJobs.ExecuteTemplate(&text, template, of); err != nil {
		panic(fmt.Sprintf("prometheus: job %s: %v", name, err)) // a mistake of ours, found by the first test
	}
	return Job{name, text.String()}
}

// NodeMetrics is what is kept of node-exporter's.
const NodeMetrics = `platform_.+|backup_.+|node_(load1|cpu_seconds_total|vmstat_oom_kill|textfile_scrape_error)|node_memory_(MemTotal|MemAvailable|MemFree|Buffers|Cached|SwapTotal|SwapFree)_bytes|node_filesystem_(avail|size)_bytes|node_disk_(read_bytes|written_bytes|reads_completed|writes_completed|io_time_seconds)_total`
