// Package alertmanager renders Alertmanager's configuration.
package alertmanager

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"
)

//go:embed alertmanager.yml.tmpl
var source string

// messages are Alertmanager's own templates, so they are not rendered here.
//
//go:embed messages.tmpl
var messages string

// The delimiters are not Alertmanager's. JSON's strings are YAML's, too.
var parsed = template.Must(template.New("alertmanager.yml").Delims("[[", "]]").Option("missingkey=error").
	Funcs(template.FuncMap{"duration": duration, "quote": strconv.Quote, "join": strings.Join}).Parse(source))

// Config is what the configuration depends on.
type Config struct {
	// Stack is shown in every message.
	Stack string
	// Webhook and the group robots WeCom, DingTalk and Feishu are the receivers
	// that are on. Their URLs are files: /run/secrets/alert_webhook_url and so on.
	Webhook, WeCom, DingTalk, Feishu bool
	// Email is nil where nobody gets mail.
	Email *Email
	// Grafana is linked in messages. Empty: it is not.
	Grafana string
	// DeployNotices: the receivers are told what was done with the stack, too.
	DeployNotices bool
	// GroupWait is how long alerts are collected for a first message,
	// GroupInterval for a next one of the same group. A page that goes on is told
	// again after RepeatInterval, a ticket after six times as long, a note after 42 times.
	GroupWait, GroupInterval, RepeatInterval time.Duration
}

// Email is sent through Smarthost, host:port. Password: it is in
// /run/secrets/alert_email_password.
type Email struct {
	To                        []string
	From, Smarthost, Username string
	Password                  bool
}

// Settings returns the text of alertmanager.yml.
func Settings(c Config) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("alertmanager configuration: %w", err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, c); err != nil {
		return "", fmt.Errorf("alertmanager configuration: %w", err)
	}
	return text.String(), nil
}

// Messages returns the text of messages.tmpl.
func Messages() string { return messages }

// What stands in a Go string inside a quoted YAML scalar, and in a message that
// has a limit.
var (
	stackName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	link      = regexp.MustCompile(`^(https?://[^\s"'\\(){}<>]{1,200})?$`)
)

func (c Config) check() error {
	var errs []error
	if !stackName.MatchString(c.Stack) {
		errs = append(errs, fmt.Errorf("stack %q: letters, digits, _, . and - only", c.Stack))
	}
	if !link.MatchString(c.Grafana) {
		errs = append(errs, fmt.Errorf("grafana %q: an http or https URL of at most 200 characters, or nothing", c.Grafana))
	}
	if c.GroupWait < 0 || c.GroupInterval < time.Millisecond || c.RepeatInterval < time.Millisecond {
		errs = append(errs, fmt.Errorf("waits of %s, %s and %s", c.GroupWait, c.GroupInterval, c.RepeatInterval))
	}
	if c.Email != nil && (len(c.Email.To) == 0 || c.Email.From == "" || c.Email.Smarthost == "") {
		errs = append(errs, errors.New("e-mail needs to, from and smarthost"))
	}
	return errors.Join(errs...)
}

// Receiver is a list of those who are told, of the same people. Once: nobody is told of an end.
type Receiver struct {
	Config
	Name string
	Once bool
}

// Receivers are for the template: those of alerts, and those of notices.
func (c Config) Receivers() []Receiver {
	all := []Receiver{{c, c.Stack, false}}
	if c.DeployNotices {
		all = append(all, Receiver{c, c.NoticeReceiver(), true})
	}
	return all
}

// NoticeReceiver is for the template.
func (c Config) NoticeReceiver() string { return NoticeReceiver(c.Stack) }

// notices has a character that no stack's name has.
const notices = "/deploys"

// NoticeReceiver is who is told what was done with a stack.
func NoticeReceiver(stack string) string { return stack + notices }

// IsNoticeReceiver tells those of notices from those of alerts.
func IsNoticeReceiver(name string) bool { return strings.HasSuffix(name, notices) }

// TicketRepeat is for the template. Four hours become a day.
func (c Config) TicketRepeat() time.Duration { return 6 * c.RepeatInterval }

// NoteRepeat is for the template. Four hours become a week.
func (c Config) NoteRepeat() time.Duration { return 42 * c.RepeatInterval }

// Arguments are for the template: what the messages' templates are given.
func (c Config) Arguments() string { return c.arguments(`\n`) }

// ParagraphArguments are those for a robot that wants an empty line between lines.
func (c Config) ParagraphArguments() string { return c.arguments(`\n\n`) }

func (c Config) arguments(lineEnd string) string {
	return fmt.Sprintf(`(dict "stack" %q "grafana" %q "end" "%s" "data" .)`, c.Stack, c.Grafana, lineEnd)
}

// duration is in Prometheus' form, which has no fractions.
func duration(d time.Duration) string { return model.Duration(d).String() }
