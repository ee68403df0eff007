// Package prometheus is the part that keeps the metrics and evaluates the rules.
package prometheus

import (
	"fmt"
	"strconv"
	"time"

	assets "tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/nginx"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const (
	name = "prometheus"
	port = 9090
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.Monitoring.Enabled {
		return monitoring.Unused(c, name, monitoring.Off), nil
	}
	cfg := c.Monitoring.Prometheus
	settings := configuration(c)
	text, err := assets.Settings(settings)
	if err != nil {
		return part.Spec{}, err
	}
	rules, err := assets.Rules(settings)
	if err != nil {
		return part.Spec{}, err
	}
	watching, err := assets.Watching(settings)
	if err != nil {
		return part.Spec{}, err
	}
	service := part.Service{
		Program: workload.Program{
			Name: name,
			Command: []string{
				"/bin/prometheus", "--config.file=" + workload.ConfigDir + "/prometheus.yml", "--storage.tsdb.path=/prometheus",
				"--storage.tsdb.retention.time=" + strconv.Itoa(int(cfg.Retention/time.Hour)) + "h",
				"--storage.tsdb.retention.size=" + strconv.FormatInt(int64(cfg.RetentionSize), 10) + "B",
				"--query.lookback-delta=" + lookback(c.Monitoring.Interval).String(),
				"--log.format=json",
			},
			Health:    monitoring.Answers(fmt.Sprintf("http://127.0.0.1:%d/-/healthy", port)),
			Limits:    workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: "monitoring.prometheus"},
			User:      monitoring.Nobody,
			StopGrace: 30 * time.Second, // it writes its head block down
		},
		Files:    []part.File{{Name: "prometheus.yml", Text: part.Plain(text)}, {Name: "rules.yml", Text: part.Plain(rules)}},
		Networks: []string{part.Watch, part.Inner},
		Job:      name,
	}
	if cfg.Port != 0 {
		service.Networks = append(service.Networks, part.Edge) // an internal network publishes nothing
		service.Ports = []workload.Port{{Address: cfg.Address, Host: cfg.Port, Container: port, Key: "monitoring.prometheus.port", AddressKey: "monitoring.prometheus.address"}}
	}
	s := monitoring.Owns(c, monitoring.Spec(c, service, "monitoring.images.prometheus", c.Monitoring.Images.Prometheus), "/prometheus")
	s.Alerts = []assets.Group{watching}
	return s, nil
}

// lookback is how long a value counts that has no successor. Of what a Prometheus that was
// stopped had asked, nothing says that it is gone: after a restart the last answers of
// targets that are no more would be taken for today's for Prometheus' own five minutes.
func lookback(interval time.Duration) time.Duration { return max(time.Minute, 3*interval) }

func configuration(c part.Context) assets.Config {
	cfg, paths := c.Monitoring, c.Backend.Paths
	settings := assets.Config{
		Interval: cfg.Interval, Edge: c.Nginx.Enabled, TLS: c.Nginx.Enabled && c.Nginx.TLS.Mode != "off", Renewed: c.ACME(),
		MetricsPath: paths.Metrics, HealthPath: c.Backend.HealthPath(),
		Stack:        c.Stack,
		Jobs:         c.Offered.Scrapes,
		Groups:       c.Offered.Alerts,
		Availability: cfg.Objectives.Availability, LatencyObjective: cfg.Objectives.Latency, LatencyThreshold: cfg.Objectives.LatencyThreshold,
		CertificateDays: cfg.Alerts.CertificateDays, BackupMaxAge: cfg.Alerts.BackupMaxAge, OwnBackups: c.Backup.Enabled, DiskFreePercent: cfg.Alerts.DiskFree,
		TimeScale: cfg.Alerts.TimeScale, Runbooks: cfg.Alerts.Runbooks,
	}
	if settings.Edge {
		settings.Probe = nginx.Probe(c)
	}
	return settings
}
