package components

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	assets "tarot-platform/assets/grafana"
	"tarot-platform/components/workload"
)

const (
	grafanaUser = "472:472" // of the official image, whose data folder anybody may write to
	grafanaPort = 3000
)

// grafana shows the dashboards of assets/grafana.
func (m *monitoring) grafana() (part, error) {
	cfg, all, paths := m.Config.Monitoring.Grafana, m.Config.Monitoring, m.Config.Backend.Paths
	files, err := assets.Files(assets.Config{
		Interval: all.Interval, Edge: m.Config.Nginx.Enabled, HealthPath: paths.Health, MetricsPath: paths.Metrics,
		Availability: all.Objectives.Availability, LatencyObjective: all.Objectives.Latency, LatencyThreshold: all.Objectives.LatencyThreshold,
		CertificateDays: all.Alerts.CertificateDays, BackupMaxAge: all.Alerts.BackupMaxAge, DiskFreePercent: all.Alerts.DiskFree,
	})
	if err != nil {
		return part{}, err
	}
	w := workload.Workload{
		Name:        "grafana",
		Command:     []string{"/bin/sh", "-c", assets.Start},
		Environment: assets.Environment(assets.EnvironmentConfig{RootURL: m.GrafanaURL + "/", SubPath: m.grafanaBehindNginx(), TLS: m.grafanaBehindNginx() && m.Config.Nginx.TLS.Mode != "off"}),
		Secrets:     []workload.Secret{{Name: "grafana_admin_password", Variable: "GF_SECURITY_ADMIN_PASSWORD__FILE", Value: m.GrafanaPassword}},
		Networks:    distinct(m.Own, m.Edge),
		Health:      grafanaHealth(),
		Limits:      workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory)},
		User:        grafanaUser,
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w.Files = append(w.Files, workload.File{Name: name, Content: pulumi.String(files[name])})
	}
	if cfg.Port != 0 {
		w.Ports = []workload.Port{{Address: cfg.Address, Host: cfg.Port, Container: grafanaPort}}
	}
	return part{Workload: w, image: all.Images.Grafana, volume: "grafana", at: "/var/lib/grafana"}, nil
}

// grafanaHealth has room for the first start, in which it makes its database.
func grafanaHealth() workload.Health {
	h := answers("http://127.0.0.1:3000/api/health")
	h.StartPeriod = 2 * time.Minute
	return h
}

func (m *monitoring) grafanaBehindNginx() bool {
	return m.Config.Nginx.Enabled && m.Config.Monitoring.Grafana.Path != ""
}

// grafanaURL is where people find it; empty: there is none.
func (m *monitoring) grafanaURL() string {
	switch cfg := m.Config.Monitoring.Grafana; {
	case !cfg.Enabled:
		return ""
	case m.grafanaBehindNginx():
		return m.BaseURL + cfg.Path
	default:
		return "http://" + cfg.Address + ":" + strconv.Itoa(cfg.Port)
	}
}
