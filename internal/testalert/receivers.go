package testalert

import (
	"context"
	"fmt"
	"path"
	"strings"

	"gopkg.in/yaml.v3"

	assets "tarot-platform/assets/alertmanager"
)

// receivers are whom an Alertmanager tells.
type receivers struct {
	// webhooks are their names, in the order in which the log counts them.
	webhooks []string
	emails   int
}

// receivers are asked of the Alertmanager that runs: what the stack file says may not have
// been brought up.
func (a alertmanager) receivers(ctx context.Context) (receivers, error) {
	text, err := a.amtool(ctx, "config", "show")
	if err != nil {
		return receivers{}, err
	}
	r, err := receiversOf(text)
	if err != nil {
		return r, fmt.Errorf("amtool config show: %w", err)
	}
	return r, nil
}

func receiversOf(text string) (receivers, error) {
	var file struct {
		Receivers []struct {
			Name     string
			Webhooks []struct {
				URLFile string `yaml:"url_file"`
			} `yaml:"webhook_configs"`
			Emails []any `yaml:"email_configs"`
		}
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return receivers{}, err
	}
	if len(file.Receivers) == 0 {
		return receivers{}, fmt.Errorf("there are no receivers, without which Alertmanager does not start")
	}
	var all receivers
	for _, r := range file.Receivers {
		if assets.IsNoticeReceiver(r.Name) {
			continue // the same people again, who get no alert by it
		}
		for _, w := range r.Webhooks {
			all.webhooks = append(all.webhooks, nameOf(w.URLFile))
		}
		all.emails += len(r.Emails)
	}
	return all, nil
}

// nameOf is what docs/alerts.md calls the receiver whose address is in the file:
// /run/secrets/alert_feishu_url is that of feishu.
func nameOf(file string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "alert_"), "_url")
}

// told is true where everybody has taken it.
func (r receivers) told(answers requests) bool {
	return answers.webhook.taken() >= len(r.webhooks) && answers.email.taken() >= r.emails
}
