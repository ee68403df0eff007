package config

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

// Monitoring describes what watches the stack: docs/monitoring.md.
type Monitoring struct {
	// Run Prometheus, Alertmanager, the exporters and Grafana.
	Enabled bool `key:"enabled" allowed:"true or false"`
	// The time between two scrapes of a target, and between two evaluations of
	// the rules.
	Interval time.Duration `key:"interval" allowed:"a duration of whole seconds, from 1s to 1m"`
	// The storage of metrics.
	Prometheus Prometheus `key:"prometheus"`
	// The dashboards.
	Grafana Grafana `key:"grafana"`
	// What the stack promises its users. Alerts fire when the month's error budget
	// is used up too fast.
	Objectives Objectives `key:"objectives"`
	// When somebody is told, and how.
	Alerts Alerts `key:"alerts"`
	// What is run. Where a registry is out of reach, docs/offline.md.
	Images MonitoringImages `key:"images"`
}

// Prometheus keeps the metrics in a volume of its own.
type Prometheus struct {
	// How long metrics are kept.
	Retention time.Duration `key:"retention" allowed:"a duration of whole hours, at least 1h"`
	// How much disk they may take; what is older goes first.
	RetentionSize Bytes `key:"retentionSize" allowed:"a size with a unit, at least 64m, such as 2g"`
	// The most CPU that it gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that it gets. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 64m"`
	// The host port of its own pages, which have no password. 0: not published.
	Port int `key:"port" allowed:"0, or a whole number from 1 to 65535 (containers runtime only)"`
	// The host address that the port is bound to.
	Address string `key:"address" allowed:"an IP address of the engine's host"`
}

// Grafana is reached through nginx below `path`, or on a port of its own.
type Grafana struct {
	// Run Grafana.
	Enabled bool `key:"enabled" allowed:"true or false"`
	// Where nginx serves it. Empty: it doesn't.
	Path string `key:"path" allowed:"empty, or a path that begins with / and does not end in one"`
	// The host port. 0: not published.
	Port int `key:"port" allowed:"0, or a whole number from 1 to 65535 (containers runtime only)"`
	// The host address that the port is bound to.
	Address string `key:"address" allowed:"an IP address of the engine's host"`
	// The most CPU that it gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that it gets. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 64m"`
}

// Objectives are of 30 days, as in the SRE Workbook, chapter 5. Below 94 % an alert
// that wants 14.4 times the errors would never come.
type Objectives struct {
	// The share of requests that are not answered with 5xx, in percent.
	Availability float64 `key:"availability" allowed:"a number from 94 to 99.99"`
	// The share of requests that are answered within `latencyThreshold`, in percent.
	Latency float64 `key:"latency" allowed:"a number from 94 to 99.99"`
	// How long a request may take.
	LatencyThreshold time.Duration `key:"latencyThreshold" allowed:"5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2.5s, 5s or 10s"`
}

// Alerts are in docs/alerts.md, with their receivers.
type Alerts struct {
	// How many days before its end a certificate is a problem.
	CertificateDays int `key:"certificateDays" allowed:"a whole number from 2 to 90"`
	// How old the newest backup may be, once there is one.
	BackupMaxAge time.Duration `key:"backupMaxAge" allowed:"a duration of at least 1m"`
	// How much of the disk has to be free, in percent.
	DiskFree int `key:"diskFree" allowed:"a whole number from 1 to 99"`
	// How soon an alert that goes on is told again.
	Repeat time.Duration `key:"repeat" allowed:"a duration of at least 1m"`
	// What links to the pages of docs/runbooks begin with.
	Runbooks string `key:"runbooks" allowed:"a folder or a URL that ends in /"`
	// All waits and windows of the rules are multiplied by it. Less than 1 is for
	// rehearsals: with 0.05, what takes 5 minutes takes 15 seconds.
	TimeScale float64 `key:"timeScale" allowed:"a number from 0.01 to 1, large enough that 5 minutes of it hold 4 times monitoring.interval"`
	// Tell the receivers, too, what was done with the stack: who, which release and commit, what became of it.
	DeployNotices bool `key:"deployNotices" allowed:"true or false; true only where monitoring.enabled is true"`
	// Mail, where `to` is not empty.
	Email Email `key:"email"`
}

// Email is how alerts are mailed.
type Email struct {
	// Who gets it.
	To []string `key:"to" allowed:"a list of addresses"`
	// Who sends it.
	From string `key:"from" allowed:"an address, where monitoring.alerts.email.to is set"`
	// The mail server.
	Smarthost string `key:"smarthost" allowed:"host:port, where monitoring.alerts.email.to is set"`
	// Its user; the password is the secret `alertEmailPassword`. Empty: none.
	Username string `key:"username" allowed:"a user name, or empty"`
}

// MonitoringImages are image references.
type MonitoringImages struct {
	// Prometheus 3.
	Prometheus string `key:"prometheus" allowed:"an image reference"`
	// Alertmanager 0.32 or later: it fills in the messages of group robots.
	Alertmanager string `key:"alertmanager" allowed:"an image reference"`
	// Metrics of the host.
	NodeExporter string `key:"nodeExporter" allowed:"an image reference"`
	// Metrics of the containers.
	Cadvisor string `key:"cadvisor" allowed:"an image reference"`
	// Asks the site what users ask.
	BlackboxExporter string `key:"blackboxExporter" allowed:"an image reference"`
	// Grafana 12.
	Grafana string `key:"grafana" allowed:"an image reference"`
}

// latencyBuckets are the bounds of the histograms of nginx and of the contract.
var latencyBuckets = []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second}

func monitoringDefaults() Monitoring {
	return Monitoring{
		Interval:   15 * time.Second,
		Prometheus: Prometheus{Retention: 15 * 24 * time.Hour, RetentionSize: 2 << 30, CPUs: 0.5, Memory: 512 << 20, Address: "127.0.0.1"},
		Grafana:    Grafana{Enabled: true, Path: "/grafana", Address: "127.0.0.1", CPUs: 0.5, Memory: 512 << 20},
		Objectives: Objectives{Availability: 99.9, Latency: 99, LatencyThreshold: 500 * time.Millisecond},
		Alerts:     Alerts{CertificateDays: 14, BackupMaxAge: 26 * time.Hour, DiskFree: 10, Repeat: 4 * time.Hour, Runbooks: "docs/runbooks/", TimeScale: 1},
		Images: MonitoringImages{
			Prometheus: "prom/prometheus:v3.5.3", Alertmanager: "prom/alertmanager:v0.33.1", NodeExporter: "prom/node-exporter:v1.11.1",
			Cadvisor: "ghcr.io/google/cadvisor:v0.60.6", BlackboxExporter: "prom/blackbox-exporter:v0.28.0", Grafana: "grafana/grafana:12.4.12",
		},
	}
}

func (m Monitoring) check(c *checker, cfg Config) {
	c.wholeSeconds("monitoring.interval", m.Interval, time.Second)
	c.want(m.Interval <= time.Minute, "monitoring.interval", m.Interval)
	m.Prometheus.check(c, cfg)
	m.Grafana.check(c, cfg)
	o := m.Objectives
	c.want(o.Availability >= 94 && o.Availability <= 99.99, "monitoring.objectives.availability", o.Availability)
	c.want(o.Latency >= 94 && o.Latency <= 99.99, "monitoring.objectives.latency", o.Latency)
	c.want(slices.Contains(latencyBuckets, o.LatencyThreshold), "monitoring.objectives.latencyThreshold", o.LatencyThreshold)
	m.Alerts.check(c)
	// A rate needs as many scrapes.
	shortest := time.Duration(m.Alerts.TimeScale * float64(5*time.Minute))
	c.want(m.Alerts.TimeScale >= 0.01 && m.Alerts.TimeScale <= 1 && shortest >= 4*m.Interval, "monitoring.alerts.timeScale", m.Alerts.TimeScale)
	i := m.Images
	for key, image := range map[string]string{
		"prometheus": i.Prometheus, "alertmanager": i.Alertmanager, "nodeExporter": i.NodeExporter,
		"cadvisor": i.Cadvisor, "blackboxExporter": i.BlackboxExporter, "grafana": i.Grafana,
	} {
		c.matches("monitoring.images."+key, image, imageName)
	}
}

func (p Prometheus) check(c *checker, cfg Config) {
	c.want(p.Retention >= time.Hour && p.Retention%time.Hour == 0, "monitoring.prometheus.retention", p.Retention)
	c.want(p.RetentionSize >= 64<<20, "monitoring.prometheus.retentionSize", p.RetentionSize)
	c.want(p.CPUs >= 0.01, "monitoring.prometheus.cpus", p.CPUs)
	c.want(p.Memory >= 64<<20, "monitoring.prometheus.memory", p.Memory)
	c.published("monitoring.prometheus", p.Port, p.Address, cfg)
}

func (g Grafana) check(c *checker, cfg Config) {
	c.want(g.Path == "" || g.Path != "/" && urlPath.MatchString(g.Path), "monitoring.grafana.path", g.Path)
	c.published("monitoring.grafana", g.Port, g.Address, cfg)
	c.want(g.CPUs >= 0.01, "monitoring.grafana.cpus", g.CPUs)
	c.want(g.Memory >= 64<<20, "monitoring.grafana.memory", g.Memory)
}

// published checks a port that Swarm could bind to all addresses only.
func (c *checker) published(key string, port int, address string, cfg Config) {
	c.want(port >= 0 && port <= 65535 && (port == 0 || cfg.Runtime != "swarm"), key+".port", port)
	_, err := netip.ParseAddr(address)
	c.want(err == nil, key+".address", address)
}

func (a Alerts) check(c *checker) {
	c.between("monitoring.alerts.certificateDays", a.CertificateDays, 2, 90)
	c.want(a.BackupMaxAge >= time.Minute, "monitoring.alerts.backupMaxAge", a.BackupMaxAge)
	c.between("monitoring.alerts.diskFree", a.DiskFree, 1, 99)
	c.want(a.Repeat >= time.Minute, "monitoring.alerts.repeat", a.Repeat)
	c.want(strings.HasSuffix(a.Runbooks, "/"), "monitoring.alerts.runbooks", a.Runbooks)
	if len(a.Email.To) == 0 {
		return
	}
	for _, to := range a.Email.To {
		c.want(strings.Contains(to, "@"), "monitoring.alerts.email.to", to)
	}
	c.want(strings.Contains(a.Email.From, "@"), "monitoring.alerts.email.from", a.Email.From)
	host, port, err := net.SplitHostPort(a.Email.Smarthost)
	c.want(err == nil && host != "" && port != "", "monitoring.alerts.email.smarthost", a.Email.Smarthost)
}

// underneath is true where one path is the other, or below it.
func underneath(a, b string) bool {
	within := func(inner, outer string) bool {
		return inner == outer || strings.HasPrefix(inner, path.Clean(outer)+"/")
	}
	return within(a, b) || within(b, a)
}

// monitoringTogether finds values that are wrong together.
func (cfg Config) monitoringTogether(conflict func(key, value, rule string)) {
	m := cfg.Monitoring
	if m.Alerts.DeployNotices && !m.Enabled {
		conflict("monitoring.alerts.deployNotices", "true", "false where monitoring.enabled is false, as nothing would tell them")
	}
	if !m.Enabled || !m.Grafana.Enabled {
		return
	}
	if m.Grafana.Port == 0 && (m.Grafana.Path == "" || !cfg.Nginx.Enabled) {
		conflict("monitoring.grafana.port", "0", "a port, as nothing else would reach Grafana (monitoring.grafana.path with nginx.enabled would)")
	}
	if !cfg.Nginx.Enabled {
		return
	}
	p := cfg.Backend.Paths
	for key, taken := range map[string]string{"api": p.API, "docs": p.Docs, "admin": p.Admin, "health": p.Health, "metrics": p.Metrics, "static": p.Static} {
		if m.Grafana.Path != "" && underneath(m.Grafana.Path, taken) {
			conflict("monitoring.grafana.path", m.Grafana.Path, fmt.Sprintf("another path than backend.paths.%s (%s)", key, taken))
		}
	}
}
