package testalert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
)

const (
	silent = "receivers:\n- name: tarot-prod\n"
	two    = silent + "  webhook_configs:\n  - send_resolved: true\n    url_file: /run/secrets/alert_webhook_url\n  - url_file: /run/secrets/alert_feishu_url\n"
	mail   = "  email_configs:\n  - to: ops@example.org\n    smarthost: mail:465\n"
)

// counts are what the metrics say at a time: webhooks made and failed, mails made and failed.
type counts [4]int

func (c counts) String() string {
	return fmt.Sprintf(`# HELP alertmanager_notification_requests_total The total number of attempted notification requests.
# TYPE alertmanager_notification_requests_total counter
alertmanager_notification_requests_total{integration="webhook"} %d
alertmanager_notification_requests_total{integration="email"} %d
alertmanager_notification_requests_total{integration="slack"} 77
# TYPE alertmanager_notification_requests_failed_total counter
alertmanager_notification_requests_failed_total{integration="webhook"} %d
alertmanager_notification_requests_failed_total{integration="email"} %d
alertmanager_notification_requests_failed_total{integration="slack"} 77
# TYPE alertmanager_notifications_failed_total counter
alertmanager_notifications_failed_total{integration="webhook",reason="other"} 77
`, c[0], c[2], c[1], c[3])
}

// fakeEngine runs an Alertmanager with a configuration, metrics from second to second, of
// which the last stay, and a log.
type fakeEngine struct {
	t      *testing.T
	config string
	counts []counts
	log    []string
	none   bool  // it runs none
	mute   error // the metrics can not be asked for

	began time.Time
	since string   // when the log is asked from
	added []string // the alert
}

func (f *fakeEngine) LogSources(_ context.Context, prefix string) ([]engine.LogSource, error) {
	if prefix != "tarot-prod" {
		f.t.Errorf("%s was asked for", prefix)
	}
	all := []engine.LogSource{{ID: "earlier", Workload: "alertmanager"}, {ID: "another", Workload: "nginx", Running: true}}
	if !f.none {
		all = append(all, engine.LogSource{ID: "0123456789abcdef", Workload: "alertmanager", Running: true})
	}
	return all, nil
}

func (f *fakeEngine) Exec(_ context.Context, prefix, workload string, command ...string) (string, error) {
	line := strings.Join(command, " ")
	switch {
	case prefix != "tarot-prod" || workload != "alertmanager":
		f.t.Errorf("%s-%s was asked for", prefix, workload)
	case line == "/bin/amtool --alertmanager.url=http://127.0.0.1:9093 config show":
		return f.config, nil
	case line == "wget -q -O - http://127.0.0.1:9093/metrics":
		if f.mute != nil && f.added != nil {
			return "", f.mute
		}
		at := 0
		if f.added != nil { // the first is what was before
			at = 1 + int(time.Since(f.began)/time.Second)
		}
		return f.counts[min(at, len(f.counts)-1)].String(), nil
	case strings.HasPrefix(line, "/bin/amtool --alertmanager.url=http://127.0.0.1:9093 alert add "):
		f.began, f.added = time.Now(), command[2:]
		return "", nil
	default:
		f.t.Errorf("%q was run", line)
	}
	return "", errors.New("what was that?")
}

func (f *fakeEngine) Follow(_ context.Context, source engine.LogSource, since string, follow bool, each func(engine.Line)) error {
	if source.ID != "0123456789abcdef" || follow {
		f.t.Errorf("the log of %s is followed: %t", source.ID, follow)
	}
	f.since = since
	for _, line := range f.log {
		each(engine.Line{Text: line})
	}
	return nil
}

// send sends an alert in a time of its own, and returns how long that took.
func send(t *testing.T, f *fakeEngine) (said string, took time.Duration, err error) {
	t.Helper()
	f.t = t
	var heard bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err = Send(t.Context(), "prod", "tarot-prod", f, console.Console{To: &heard})
		took = time.Since(began)
	})
	return heard.String(), took, err
}

func TestEverybodyWasTold(t *testing.T) {
	for name, test := range map[string]struct {
		fakeEngine
		step string
		took time.Duration
		want []string
	}{
		"webhooks":         {fakeEngine{config: two, counts: []counts{{5, 2, 9, 9}, {5, 2, 9, 9}, {6, 2, 9, 9}, {7, 2, 9, 9}}}, "webhook feishu", 2 * time.Second, []string{"2 of 2 webhooks answered with 2xx"}},
		"mail":             {fakeEngine{config: silent + mail, counts: []counts{{}, {}, {0, 0, 1, 0}}}, "email", time.Second, []string{"the mail server took the mail"}},
		"both, mail last":  {fakeEngine{config: two + mail, counts: []counts{{}, {2, 0, 0, 0}, {2, 0, 0, 0}, {2, 0, 0, 0}, {2, 0, 1, 0}}}, "webhook feishu email", 3 * time.Second, []string{"2 of 2 webhooks", "the mail server"}},
		"both, mail first": {fakeEngine{config: two + mail, counts: []counts{{}, {0, 0, 1, 0}, {2, 0, 1, 0}}}, "webhook feishu email", time.Second, []string{"2 of 2 webhooks", "the mail server"}},
		"in two minutes":   {fakeEngine{config: two, counts: append(make([]counts, 121), counts{2})}, "webhook feishu", 2 * time.Minute, []string{"2 of 2 webhooks"}},
	} {
		t.Run(name, func(t *testing.T) {
			said, took, err := send(t, &test.fakeEngine)
			if err != nil || took != test.took || !strings.HasPrefix(said, "==> an alert to "+test.step+"\n") {
				t.Errorf("%v after %s\n%s", err, took, said)
			}
			for _, want := range append(test.want, "Now look for TestAlert in each group") {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in\n%s", want, said)
				}
			}
			if got := strings.Count(said, "  ok  "); got != len(test.want) {
				t.Errorf("%d are well\n%s", got, said)
			}
		})
	}
}

func TestTheAlertIsAPageThatEndsByItself(t *testing.T) {
	f := &fakeEngine{config: two, counts: []counts{{}, {2}}}
	if _, _, err := send(t, f); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"alert", "add", "alertname=TestAlert", "severity=page", "run=946684800", "--start=2000-01-01T00:00:00Z", "--end=2000-01-01T00:01:00Z",
		`--annotation=summary="A test of the alerts of prod. It ends by itself."`, `--annotation=impact="None. 测试,请忽略。"`, `--annotation=runbook="docs/alerts.md"`,
	}
	if !slices.Equal(f.added, want) {
		t.Errorf("%q, want %q", f.added, want)
	}
}

func TestSomebodyWasNotTold(t *testing.T) {
	for name, test := range map[string]struct {
		fakeEngine
		took time.Duration
		want console.Failure
	}{
		"a webhook refuses": {
			fakeEngine{config: two, counts: []counts{{5, 2, 0, 0}, {6, 2, 0, 0}, {7, 3, 0, 0}}, log: []string{
				`{"level":"WARN","msg":"Notify attempt failed, will retry later","integration":"webhook[1]","attempts":1,"err":"unexpected status code 503: \u003credacted\u003e: not\nnow\n"}`,
				`{"level":"WARN","msg":"Notify attempt failed, will retry later","integration":"webhook[1]","attempts":2,"err":"unexpected status code 503: \u003credacted\u003e: not\nnow\n"}`,
				`{"level":"ERROR","msg":"Notify for alerts failed","err":"tarot-prod/webhook[1]: notify retry canceled"}`,
				`{"level":"INFO","msg":"Completed loading of configuration file","integration":"webhook[0]"}`,
				`panic: no JSON`, ``, `17`,
			}}, 4 * time.Second,
			console.Failure{What: "not every receiver took it", More: []string{"feishu: unexpected status code 503: <redacted>: not now"}},
		},
		"both": {
			fakeEngine{config: two + mail, counts: []counts{{}, {1, 1, 1, 1}}, log: []string{
				`{"integration":"webhook[0]","err":"no route"}`, `{"integration":"email[0]","err":"535 no"}`, `{"integration":"webhook[9]","err":"who?"}`,
			}}, 3 * time.Second,
			console.Failure{What: "not every receiver took it", More: []string{"email: 535 no", "webhook: no route", "webhook: who?"}},
		},
		"mail alone": {
			fakeEngine{config: two + mail, counts: []counts{{}, {2, 0, 1, 1}}, log: []string{`{"integration":"email[0]","err":"535 no"}`}}, 3 * time.Second,
			console.Failure{What: "not every receiver took it", More: []string{"email: 535 no"}},
		},
		"nothing was tried": {
			fakeEngine{config: two + mail, counts: []counts{{3, 1, 0, 0}, {4, 1, 0, 0}}}, 2 * time.Minute,
			console.Failure{What: "not every receiver has been tried", More: []string{"webhooks 1 of 2, email 0 of 1; docker logs 0123456789ab"}},
		},
		"nobody is configured": {
			fakeEngine{config: silent}, 0, console.Failure{What: "prod tells nobody: no receiver is configured", More: []string{"docs/alerts.md says how to set one"}},
		},
		"no Alertmanager": {
			fakeEngine{none: true}, 0, console.Failure{What: "prod runs no Alertmanager here", More: []string{"tarot:monitoring.enabled turns it on; for a Swarm of several nodes, ask the engine that runs it"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			said, took, err := send(t, &test.fakeEngine)
			var failure console.Failure
			if !errors.As(err, &failure) || failure.Error() != test.want.Error() || took != test.took {
				t.Errorf("%v after %s, want %v after %s", err, took, test.want, test.took)
			}
			if strings.Contains(said, "  ok  ") {
				t.Errorf("something is well\n%s", said)
			}
			if test.since != "" && test.since != "1999-12-31T23:59:59Z" {
				t.Errorf("the log was asked from %s on: earlier failures are no answer", test.since)
			}
		})
	}
}

// What could not be asked is no answer of a receiver.
func TestWhatCanNotBeAsked(t *testing.T) {
	for name, f := range map[string]*fakeEngine{
		"the metrics":       {config: two, counts: []counts{{}}, mute: errors.New("wget in it: no answer")},
		"the configuration": {config: "receivers: ["},
		"no configuration":  {config: ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, took, err := send(t, f)
			var failure console.Failure
			if err == nil || errors.As(err, &failure) || took != 0 {
				t.Errorf("%v after %s", err, took)
			}
		})
	}
}

func TestItEndsWhenItIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := Send(ctx, "prod", "tarot-prod", &fakeEngine{t: t, config: two, counts: []counts{{}}}, console.Console{To: &bytes.Buffer{}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestReceiversAreInTheOrderOfTheLog(t *testing.T) {
	got, err := receiversOf("global:\n  smtp_smarthost: mail:25\n" + two + mail + "- name: tarot-prod/deploys\n  webhook_configs:\n  - url_file: /run/secrets/alert_webhook_url\n")
	if err != nil || !slices.Equal(got.webhooks, []string{"webhook", "feishu"}) || got.emails != 1 || got.String() != "webhook feishu email" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRequestsAreCountedByTheirKind(t *testing.T) {
	got, err := requestsOf(counts{5, 2, 4, 1}.String())
	if want := (requests{tally{5, 2}, tally{4, 1}}); err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if taken := got.webhook.since(tally{1, 1}).taken(); taken != 3 {
		t.Errorf("of 4 requests since then, 1 of which failed, %d were taken", taken)
	}
	// One kind may have several lines, and lines other labels.
	some := strings.Replace(counts{5, 2, 4, 1}.String(), `requests_total{integration="webhook"} 5`,
		"requests_total{integration=\"webhook\",receiver_name=\"one\"} 3\nalertmanager_notification_requests_total{integration=\"webhook\",receiver_name=\"two\"} 1", 1)
	if got, err := requestsOf(some); err != nil || got.webhook.made != 4 {
		t.Errorf("%v, %v", got, err)
	}
	for _, wrong := range []string{"", "oops", "<html>\n", strings.ReplaceAll(counts{}.String(), "requests_failed", "requests_lost")} {
		if got, err := requestsOf(wrong); err == nil {
			t.Errorf("%q: %v", wrong, got)
		}
	}
}
