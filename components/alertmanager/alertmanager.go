// Package alertmanager is the part that tells people of alerts.
package alertmanager

import (
	"maps"
	"slices"
	"time"

	assets "tarot-platform/assets/alertmanager"
	"tarot-platform/components/grafana"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const name = "alertmanager"

// Alerts are collected for a first message, and for the next ones of a group.
const (
	groupWait     = 10 * time.Second
	groupInterval = time.Minute
)

// Receivers are the secrets that turn a receiver on, and the file that each is in.
var Receivers = map[string]string{
	"alertWebhookUrl": "alert_webhook_url", "alertWecomUrl": "alert_wecom_url", "alertDingtalkUrl": "alert_dingtalk_url",
	"alertFeishuUrl": "alert_feishu_url", "alertEmailPassword": "alert_email_password",
}

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part. It alone of the monitoring needs a way out.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.Monitoring.Enabled {
		return monitoring.Unused(c, name, monitoring.Off), nil
	}
	text, err := assets.Settings(configuration(c))
	if err != nil {
		return part.Spec{}, err
	}
	service := part.Service{
		Program: workload.Program{
			Name: name,
			Command: []string{
				"/bin/alertmanager", "--config.file=" + workload.ConfigDir + "/alertmanager.yml", "--storage.path=/alertmanager",
				"--cluster.listen-address=", "--log.format=json",
			},
			Health: monitoring.Answers("http://127.0.0.1:9093/-/healthy"),
			Limits: workload.Limits{CPUs: 0.25, Memory: 96 << 20},
			User:   monitoring.Nobody,
		},
		Files:    []part.File{{Name: "alertmanager.yml", Text: part.Plain(text)}, {Name: "messages.tmpl", Text: part.Plain(assets.Messages())}},
		Networks: []string{part.Watch, part.Edge},
		Job:      name,
	}
	var secrets []part.Secret
	for _, key := range slices.Sorted(maps.Keys(Receivers)) {
		if value := c.Secrets[key]; value != "" {
			secrets = append(secrets, part.Secret{Name: key, Given: value})
			service.Secrets = append(service.Secrets, part.SecretFile{Name: Receivers[key], Secret: key})
		}
	}
	s := monitoring.Owns(c, monitoring.Spec(c, service, "monitoring.images.alertmanager", c.Monitoring.Images.Alertmanager), "/alertmanager")
	s.Secrets = secrets
	return s, nil
}

func configuration(c part.Context) assets.Config {
	cfg, set := c.Monitoring.Alerts, c.Secrets
	settings := assets.Config{
		Stack: c.Stack, Grafana: grafana.URL(c),
		Webhook: set["alertWebhookUrl"] != "", WeCom: set["alertWecomUrl"] != "", DingTalk: set["alertDingtalkUrl"] != "", Feishu: set["alertFeishuUrl"] != "",
		GroupWait: groupWait, GroupInterval: groupInterval, RepeatInterval: cfg.Repeat, DeployNotices: cfg.DeployNotices,
	}
	if len(cfg.Email.To) > 0 {
		settings.Email = &assets.Email{To: cfg.Email.To, From: cfg.Email.From, Smarthost: cfg.Email.Smarthost, Username: cfg.Email.Username,
			Password: set["alertEmailPassword"] != ""}
	}
	return settings
}
