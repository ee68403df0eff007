// Package testalert sends an alert through a stack's Alertmanager to every receiver, and
// fails where one of them was not reached. The alert is called TestAlert, is a page, and ends
// by itself after a minute, which is told as well.
package testalert

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
)

const (
	workload = "alertmanager"
	address  = "http://127.0.0.1:9093" // in its container: the port is not published
	lasts    = time.Minute
	// A group that has told something waits for its interval: a second test within two
	// minutes takes longer than the first one.
	timeout  = 2 * time.Minute
	interval = time.Second
	// others is what the rest of the receivers, and the log, are given after a failure.
	others = 3 * time.Second
)

// Engine is what is asked of the Docker engine.
type Engine interface {
	LogSources(ctx context.Context, prefix string) ([]engine.LogSource, error)
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	Follow(ctx context.Context, source engine.LogSource, since string, follow bool, each func(engine.Line)) error
}

// Send sends the alert, and waits for what the receivers of the stack answer, two minutes at
// most. Prefix is how the engine knows the stack. It is a console.Failure where nobody would
// be told, or somebody was not; any other error is one of asking.
func Send(ctx context.Context, stack, prefix string, docker Engine, say console.Console) error {
	a := alertmanager{docker, prefix}
	container, err := a.container(ctx)
	if err != nil {
		return err
	}
	if container == nil {
		return failure(stack+" runs no Alertmanager here", "tarot:monitoring.enabled turns it on; for a Swarm of several nodes, ask the engine that runs it")
	}
	to, err := a.receivers(ctx)
	if err != nil {
		return err
	}
	if len(to.webhooks)+to.emails == 0 {
		return failure(stack+" tells nobody: no receiver is configured", "docs/alerts.md says how to set one")
	}
	say.Step("an alert to %s", to)
	before, err := a.requests(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := a.add(ctx, stack, began); err != nil {
		return err
	}
	say.Note("waiting for the first message, and for the answers; at most two minutes")
	answers, err := a.await(ctx, to, before)
	if err != nil {
		return err
	}
	switch {
	case answers.webhook.failed+answers.email.failed > 0:
		if err := pause(ctx, others); err != nil {
			return err
		}
		said, err := a.failures(ctx, *container, to, began.Add(-time.Second))
		if err != nil {
			return err
		}
		return failure("not every receiver took it", said...)
	case !to.told(answers):
		return failure("not every receiver has been tried", fmt.Sprintf("webhooks %d of %d, email %d of %d; docker logs %.12s",
			answers.webhook.taken(), len(to.webhooks), answers.email.taken(), to.emails, container.ID))
	}
	if len(to.webhooks) > 0 {
		say.OK("%d of %d webhooks answered with 2xx", answers.webhook.taken(), len(to.webhooks))
	}
	if to.emails > 0 {
		say.OK("the mail server took the mail")
	}
	say.Note("Now look for TestAlert in each group, and in a minute for its end. A robot that")
	say.Note("refuses (keyword, signature, address list, too many messages) answers 200 all the")
	say.Note("same: its group then shows nothing.")
	return nil
}

func failure(what string, more ...string) error { return console.Failure{What: what, More: more} }

// alertmanager is a stack's, asked by what is in its own image.
type alertmanager struct {
	docker Engine
	prefix string
}

// container is the one that runs; nil where none does.
func (a alertmanager) container(ctx context.Context) (*engine.LogSource, error) {
	all, err := a.docker.LogSources(ctx, a.prefix)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Workload == workload && c.Running {
			return &c, nil
		}
	}
	return nil, nil
}

func (a alertmanager) amtool(ctx context.Context, args ...string) (string, error) {
	return a.docker.Exec(ctx, a.prefix, workload, append([]string{"/bin/amtool", "--alertmanager.url=" + address}, args...)...)
}

func (a alertmanager) add(ctx context.Context, stack string, now time.Time) error {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	_, err := a.amtool(ctx, "alert", "add", "alertname=TestAlert", "severity=page", fmt.Sprintf("run=%d", now.Unix()),
		"--start="+at(now), "--end="+at(now.Add(lasts)),
		`--annotation=summary="A test of the alerts of `+stack+`. It ends by itself."`,
		`--annotation=impact="None. 测试,请忽略。"`, `--annotation=runbook="docs/alerts.md"`)
	return err
}

// await returns when all receivers have taken the alert, one of them has not, or the time is
// over: the answers since then say which.
func (a alertmanager) await(ctx context.Context, to receivers, before requests) (requests, error) {
	for deadline := time.Now().Add(timeout); ; {
		now, err := a.requests(ctx)
		if err != nil {
			return requests{}, err
		}
		answers := requests{now.webhook.since(before.webhook), now.email.since(before.email)}
		if answers.webhook.failed+answers.email.failed > 0 || to.told(answers) || !time.Now().Before(deadline) {
			return answers, nil
		}
		if err := pause(ctx, interval); err != nil {
			return requests{}, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// String names the receivers, as docs/alerts.md does.
func (r receivers) String() string {
	names := r.webhooks
	if r.emails > 0 {
		names = append(names[:len(names):len(names)], "email")
	}
	return strings.Join(names, " ")
}
