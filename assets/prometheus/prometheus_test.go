package prometheus

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/golden"
)

// prod is nginx with TLS in front; dev is the backend alone; a rehearsal is prod in
// a twentieth of the time.
func prod() Config {
	return Config{
		Interval: 15 * time.Second, Edge: true, TLS: true, MetricsPath: "/metrics", HealthPath: "/health",
		Probe: "https://nginx:8443/health", Stack: "tarot-prod", Availability: 99.9, LatencyObjective: 99, LatencyThreshold: 500 * time.Millisecond,
		CertificateDays: 14, BackupMaxAge: 26 * time.Hour, DiskFreePercent: 10, TimeScale: 1, Runbooks: "docs/runbooks/",
	}
}

// jobs are those of the stack files.
func jobsOf(c Config) []Job {
	all := []Job{Replicas("backend", c.MetricsPath, 8000, c.Interval)}
	if c.Edge {
		all = append(all, Static("nginx", "nginx:8082", ""))
	}
	all = append(all, Static("node", "node-exporter:9100", NodeMetrics), Containers("cadvisor", c.Stack))
	if c.Probe != "" {
		all = append(all, Probe("probe", c.Probe, ""))
	}
	return all
}

func groupsOf(t *testing.T, c Config) []Group {
	t.Helper()
	watching, err := Watching(c)
	if err != nil {
		t.Fatal(err)
	}
	return []Group{watching}
}

func dev() Config {
	c := prod()
	c.Edge, c.TLS, c.Probe, c.Stack, c.LatencyThreshold, c.BackupMaxAge = false, false, "", "tarot-dev", time.Second, 0
	return c
}

func rehearsal() Config {
	c := prod()
	c.Interval, c.TimeScale = time.Second, 0.05
	return c
}

var stacks = map[string]func() Config{"prod": prod, "dev": dev, "rehearsal": rehearsal}

// Whatever is in a golden file is also given to the real promtool by the
// end-to-end tests.
func TestGoldenFiles(t *testing.T) {
	for name, c := range stacks {
		for kind, render := range map[string]func(Config) (string, error){"prometheus": Settings, "rules": Rules} {
			file := filepath.Join("testdata", name+"."+kind+".yml")
			t.Run(filepath.Base(file), func(t *testing.T) {
				cfg := c()
				cfg.Jobs, cfg.Groups = jobsOf(cfg), groupsOf(t, cfg)
				got, err := render(cfg)
				if err != nil {
					t.Fatal(err)
				}
				golden.Check(t, file, got)
			})
		}
	}
}

func TestWhatCannotWorkIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"stack":                       {func(c *Config) { c.Stack = `a"b` }, `stack "a\"b"`},
		"interval":                    {func(c *Config) { c.Interval = time.Millisecond }, "at least 1s"},
		"interval for the windows":    {func(c *Config) { c.Interval = 76 * time.Second }, "a window of 5m0s must hold 4 scrapes"},
		"interval in a rehearsal":     {func(c *Config) { c.Interval, c.TimeScale = 4*time.Second, 0.05 }, "a window of 15s must hold 4 scrapes"},
		"no time":                     {func(c *Config) { c.TimeScale = 0 }, "time scale 0"},
		"more time":                   {func(c *Config) { c.TimeScale = 2 }, "time scale 2"},
		"nginx that nobody probes":    {func(c *Config) { c.Probe, c.TLS = "", false }, "nginx true, probe \"\""},
		"a probe without nginx":       {func(c *Config) { c.Edge = false }, "nginx false"},
		"a certificate without https": {func(c *Config) { c.Probe = "http://nginx:8080/health" }, "TLS true"},
		"https without a certificate": {func(c *Config) { c.TLS = false }, "TLS false"},
		"low availability":            {func(c *Config) { c.Availability = 93 }, "availability 93%"},
		"all of them":                 {func(c *Config) { c.Availability = 100 }, "availability 100%"},
		"low latency objective":       {func(c *Config) { c.LatencyObjective = 90 }, "latency 90%"},
		"not a bucket":                {func(c *Config) { c.LatencyThreshold = 300 * time.Millisecond }, "latency threshold 300ms"},
		"certificate":                 {func(c *Config) { c.CertificateDays = 1 }, "certificate days 1"},
		"backup":                      {func(c *Config) { c.BackupMaxAge = -1 }, "age of a backup"},
		"disk":                        {func(c *Config) { c.DiskFreePercent = 100 }, "free disk 100%"},
		"metrics":                     {func(c *Config) { c.MetricsPath = "" }, "path of metrics"},
		"health":                      {func(c *Config) { c.HealthPath = "health" }, "path of health"},
	} {
		t.Run(name, func(t *testing.T) {
			c := prod()
			test.change(&c)
			for _, render := range []func(Config) (string, error){Settings, Rules} {
				if _, err := render(c); err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v, want %q", err, test.says)
				}
			}
		})
	}
	c := prod()
	c.Interval = 75 * time.Second
	c.Availability = LeastObjective
	if _, err := Rules(c); err != nil {
		t.Error(err)
	}
}

func TestValuesAreWrittenAsPrometheusReadsThem(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 15 * time.Second: "15s", 90 * time.Second: "1m30s", 52 * time.Hour: "2d4h", 7500 * time.Millisecond: "7s500ms"} {
		if got := duration(d); got != want {
			t.Errorf("%s is written %s, want %s", d, got, want)
		}
	}
	for _, b := range Buckets {
		c := Config{LatencyThreshold: b}
		if got := c.Bucket(); !strings.Contains(got, ".") || strings.Contains(got, "e") {
			t.Errorf("le=%s", got)
		}
	}
	if got := burn(14.4, 99.9); got != "0.0144" {
		t.Errorf("14.4 times a thousandth is %s", got)
	}
	c := Config{HealthPath: "/health.z", MetricsPath: "/metrics"}
	if got := c.Monitoring(); got != `"/health\\.z|/metrics"` {
		t.Errorf("route!~%s", got)
	}
	c.Stack = "a.b-c"
	if got := c.StackPattern(); got != `a\.b-c` {
		t.Errorf("%s", got)
	}
}

func TestTheSiteIsProbedByItsName(t *testing.T) {
	c := prod()
	c.Jobs = []Job{Probe("probe", c.Probe, "tarot.example")}
	text, err := Settings(c)
	if want := "replacement: blackbox:9115\n      - target_label: __param_hostname\n        replacement: \"tarot.example\"\n    metric_relabel_configs:"; err != nil || !strings.Contains(text, want) {
		t.Errorf("%v\n%s", err, text)
	}
}
