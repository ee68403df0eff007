// Package grafana is the part that shows the dashboards of assets/grafana.
package grafana

import (
	"maps"
	"slices"
	"strconv"
	"time"

	assets "tarot-platform/assets/grafana"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const (
	name = "grafana"
	user = "472:472" // of the official image, whose data folder anybody may write to
	port = 3000
	// passwordLength is in characters of 62: 142 bits.
	passwordLength = 24
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	cfg := c.Monitoring.Grafana
	switch {
	case !c.Monitoring.Enabled:
		return monitoring.Unused(c, name, monitoring.Off), nil
	case !cfg.Enabled:
		return monitoring.Unused(c, name, "monitoring.grafana.enabled is false"), nil
	}
	files, err := assets.Files(dashboards(c))
	if err != nil {
		return part.Spec{}, err
	}
	maps.Copy(files, c.Offered.Dashboards)
	service := part.Service{
		Program: workload.Program{
			Name:        name,
			Command:     []string{"/bin/sh", "-c", assets.Start},
			Environment: assets.Environment(assets.EnvironmentConfig{RootURL: URL(c) + "/", SubPath: behindNginx(c), TLS: behindNginx(c) && c.Nginx.TLS.Mode != "off"}),
			Health:      health(),
			Limits:      workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: "monitoring.grafana"},
			User:        user,
		},
		Secrets:  []part.SecretFile{{Name: "grafana_admin_password", Variable: "GF_SECURITY_ADMIN_PASSWORD__FILE", Secret: "grafanaPassword"}},
		Networks: []string{part.Watch, part.Edge},
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		service.Files = append(service.Files, part.File{Name: file, Text: part.Plain(files[file])})
	}
	if cfg.Port != 0 {
		service.Ports = []workload.Port{{Address: cfg.Address, Host: cfg.Port, Container: port, Key: "monitoring.grafana.port", AddressKey: "monitoring.grafana.address"}}
	}
	s := monitoring.Owns(c, monitoring.Spec(c, service, "monitoring.images.grafana", c.Monitoring.Images.Grafana), "/var/lib/grafana")
	s.Secrets = []part.Secret{{Name: "grafanaPassword", Given: c.Secrets["grafanaPassword"], Length: passwordLength, Version: c.SecretVersions.GrafanaPassword, Rotates: "grafanaPassword"}}
	s.Outputs = map[string]part.Output{"grafanaUrl": {Text: URL(c)}, "grafanaPassword": {Secret: "grafanaPassword"}}
	if behindNginx(c) {
		s.Pages = []part.Page{{Path: cfg.Path, Host: name, Port: port}}
	}
	return s, nil
}

func dashboards(c part.Context) assets.Config {
	cfg, paths := c.Monitoring, c.Backend.Paths
	return assets.Config{
		Interval: cfg.Interval, Edge: c.Nginx.Enabled, HealthPath: c.Backend.HealthPath(), MetricsPath: paths.Metrics,
		Availability: cfg.Objectives.Availability, LatencyObjective: cfg.Objectives.Latency, LatencyThreshold: cfg.Objectives.LatencyThreshold,
		CertificateDays: cfg.Alerts.CertificateDays, BackupMaxAge: cfg.Alerts.BackupMaxAge, DiskFreePercent: cfg.Alerts.DiskFree,
	}
}

// health has room for the first start, in which it makes its database.
func health() workload.Health {
	h := monitoring.Answers("http://127.0.0.1:3000/api/health")
	h.StartPeriod = 2 * time.Minute
	return h
}

func behindNginx(c part.Context) bool { return c.Nginx.Enabled && c.Monitoring.Grafana.Path != "" }

// URL is where people find Grafana; empty: there is none.
func URL(c part.Context) string {
	switch cfg := c.Monitoring.Grafana; {
	case !c.Monitoring.Enabled || !cfg.Enabled:
		return ""
	case behindNginx(c):
		return c.Site.URL + cfg.Path
	default:
		return "http://" + cfg.Address + ":" + strconv.Itoa(cfg.Port)
	}
}
