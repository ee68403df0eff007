package alertmanager

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"tarot-platform/internal/golden"
)

func config(change func(*Config)) Config {
	c := Config{Stack: "tarot-prod", GroupWait: 30 * time.Second, GroupInterval: 5 * time.Minute, RepeatInterval: 4 * time.Hour}
	change(&c)
	return c
}

func everything(c *Config) {
	c.Webhook, c.WeCom, c.DingTalk, c.Feishu = true, true, true, true
	c.Grafana = "https://example.org/grafana"
	c.Email = &Email{To: []string{"ops@example.org", `"On call" <oncall@example.org>`}, From: "alerts@example.org", Smarthost: "smtp.example.org:587", Username: "alerts", Password: true}
}

// The real amtool checks the golden files: test/e2e.
func TestSettings(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"silent":     func(*Config) {},
		"webhook":    func(c *Config) { c.Webhook = true },
		"everything": everything,
		"notices":    func(c *Config) { everything(c); c.DeployNotices = true },
		"mail without a password, and a rehearsal's times": func(c *Config) {
			c.Email = &Email{To: []string{"ops@example.org"}, From: "alerts@example.org", Smarthost: "mail:465"}
			c.GroupWait, c.GroupInterval, c.RepeatInterval = 0, 1500*time.Millisecond, 90*time.Minute
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Settings(config(change))
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(got), new(any)); err != nil {
				t.Errorf("%v\n%s", err, got)
			}
			golden.Check(t, filepath.Join("testdata", strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(name)+".yml"), got)
		})
	}
}

func TestWhatWouldNotBeValidIsRefused(t *testing.T) {
	for part, change := range map[string]func(*Config){
		"stack":  func(c *Config) { c.Stack = `a" b` },
		"waits":  func(c *Config) { c.RepeatInterval = 0 },
		"e-mail": func(c *Config) { c.Email = &Email{To: []string{"a@example.org"}, From: "b@example.org"} },
		"grafana": func(c *Config) {
			everything(c)
			c.Grafana = `https://example.org/'"`
		},
	} {
		if text, err := Settings(config(change)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v\n%s", part, err, text)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 30 * time.Second: "30s", 4 * time.Hour: "4h", 90 * time.Minute: "1h30m", 1500 * time.Millisecond: "1s500ms", 1500 * time.Microsecond: "1ms",
	} {
		if got := duration(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
