package components

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/assets/alertmanager"
	"tarot-platform/assets/prometheus"
	"tarot-platform/components/workload"
)

const prometheusPort = 9090

// prometheus keeps the metrics and evaluates the rules.
func (m *monitoring) prometheus() (part, error) {
	cfg := m.Config.Monitoring
	settings := m.prometheusConfig()
	text, err := prometheus.Settings(settings)
	if err != nil {
		return part{}, err
	}
	rules, err := prometheus.Rules(settings)
	if err != nil {
		return part{}, err
	}
	w := workload.Workload{
		Name: "prometheus",
		Command: []string{
			"/bin/prometheus", "--config.file=" + workload.ConfigDir + "/prometheus.yml", "--storage.tsdb.path=/prometheus",
			"--storage.tsdb.retention.time=" + strconv.Itoa(int(cfg.Prometheus.Retention/time.Hour)) + "h",
			"--storage.tsdb.retention.size=" + strconv.FormatInt(int64(cfg.Prometheus.RetentionSize), 10) + "B",
			"--log.format=json",
		},
		Files:     []workload.File{{Name: "prometheus.yml", Content: pulumi.String(text)}, {Name: "rules.yml", Content: pulumi.String(rules)}},
		Networks:  distinct(m.Own, m.Watched),
		Health:    answers("http://127.0.0.1:9090/-/healthy"),
		Limits:    workload.Limits{CPUs: cfg.Prometheus.CPUs, Memory: int64(cfg.Prometheus.Memory)},
		User:      nobody,
		StopGrace: 30 * time.Second, // it writes its head block down
	}
	if cfg.Prometheus.Port != 0 {
		w.Networks = distinct(m.Own, m.Watched, m.Edge) // an internal network publishes nothing
		w.Ports = []workload.Port{{Address: cfg.Prometheus.Address, Host: cfg.Prometheus.Port, Container: prometheusPort}}
	}
	return part{Workload: w, image: cfg.Images.Prometheus, volume: "prometheus", at: "/prometheus"}, nil
}

func (m *monitoring) prometheusConfig() prometheus.Config {
	cfg, backend := m.Config.Monitoring, m.Config.Backend
	c := prometheus.Config{
		Interval: cfg.Interval, Edge: m.Config.Nginx.Enabled, TLS: m.Config.Nginx.TLS.Mode != "off",
		BackendPort: backend.Port, MetricsPath: backend.Paths.Metrics, HealthPath: backend.Paths.Health,
		Stack:        m.Stack.Prefix,
		Availability: cfg.Objectives.Availability, LatencyObjective: cfg.Objectives.Latency, LatencyThreshold: cfg.Objectives.LatencyThreshold,
		CertificateDays: cfg.Alerts.CertificateDays, BackupMaxAge: cfg.Alerts.BackupMaxAge, DiskFreePercent: cfg.Alerts.DiskFree,
		TimeScale: cfg.Alerts.TimeScale, Runbooks: cfg.Alerts.Runbooks,
	}
	if names := m.Config.Nginx.ServerNames; len(names) > 0 && c.Edge {
		c.ProbeHost = firstName(names)
	}
	switch {
	case !c.Edge:
	case c.TLS:
		c.Probe = fmt.Sprintf("https://nginx:%d%s", nginxHTTPS, backend.Paths.Health)
	default:
		c.Probe = fmt.Sprintf("http://nginx:%d%s", nginxHTTP, backend.Paths.Health)
	}
	return c
}

// Alerts are collected for a first message, and for the next ones of a group.
const (
	groupWait     = 10 * time.Second
	groupInterval = time.Minute
)

// receivers are the secrets that turn a receiver on, and the file that each is in.
var receivers = map[string]string{
	"alertWebhookUrl": "alert_webhook_url", "alertWecomUrl": "alert_wecom_url", "alertDingtalkUrl": "alert_dingtalk_url",
	"alertFeishuUrl": "alert_feishu_url", "alertEmailPassword": "alert_email_password",
}

// alertmanager tells people. It alone needs a way out.
func (m *monitoring) alertmanager() (part, error) {
	cfg, set := m.Config.Monitoring.Alerts, m.Config.Secrets
	c := alertmanager.Config{
		Stack: m.Stack.Prefix, Grafana: m.GrafanaURL,
		Webhook: set["alertWebhookUrl"] != "", WeCom: set["alertWecomUrl"] != "", DingTalk: set["alertDingtalkUrl"] != "", Feishu: set["alertFeishuUrl"] != "",
		GroupWait: groupWait, GroupInterval: groupInterval, RepeatInterval: cfg.Repeat,
	}
	if len(cfg.Email.To) > 0 {
		c.Email = &alertmanager.Email{To: cfg.Email.To, From: cfg.Email.From, Smarthost: cfg.Email.Smarthost, Username: cfg.Email.Username,
			Password: set["alertEmailPassword"] != ""}
	}
	text, err := alertmanager.Settings(c)
	if err != nil {
		return part{}, err
	}
	w := workload.Workload{
		Name: "alertmanager",
		Command: []string{
			"/bin/alertmanager", "--config.file=" + workload.ConfigDir + "/alertmanager.yml", "--storage.path=/alertmanager",
			"--cluster.listen-address=", "--log.format=json",
		},
		Files: []workload.File{
			{Name: "alertmanager.yml", Content: pulumi.String(text)},
			{Name: "messages.tmpl", Content: pulumi.String(alertmanager.Messages())},
		},
		Networks: distinct(m.Own, m.Edge),
		Health:   answers("http://127.0.0.1:9093/-/healthy"),
		Limits:   workload.Limits{CPUs: 0.25, Memory: 96 << 20},
		User:     nobody,
	}
	for _, key := range slices.Sorted(maps.Keys(receivers)) {
		if value := set[key]; value != "" {
			w.Secrets = append(w.Secrets, workload.Secret{Name: receivers[key], Value: own(value)})
		}
	}
	return part{Workload: w, image: m.Config.Monitoring.Images.Alertmanager, volume: "alertmanager", at: "/alertmanager"}, nil
}
