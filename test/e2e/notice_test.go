//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	assets "tarot-platform/assets/alertmanager"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/notice"
)

// TestDeployNoticesReachTheirReceivers has a real Alertmanager tell what looks like each receiver of a deploy,
// once, and of no end of it.
//
//suite:thorough
func TestDeployNoticesReachTheirReceivers(t *testing.T) {
	var mails *mailbox
	s := newStation(t, func(s *station, c *assets.Config) {
		c.DeployNotices, c.Webhook, c.WeCom, c.DingTalk, c.Feishu = true, true, true, true, true
		mails = newMailbox(t, s.gateway)
		c.Email = &assets.Email{To: []string{"ops@example.org"}, From: "alerts@example.org", Smarthost: mails.address, Username: mailUser, Password: true}
	})
	docker, err := engine.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var says []string
	tell := notice.Teller(docker, s.prefix(), func(text string) { says = append(says, text) })
	entry := history.Entry{At: time.Now().Add(-time.Minute), Seconds: 61.5, Operation: "up", Result: history.Succeeded, From: "old1", To: "new2",
		Author: history.Author{Who: `Jo "<at user_id=all>" {{ .x }}`, Login: "jo", Host: "desk", Commit: "0123456789ab"}}
	tell(t.Context(), entry)
	if len(says) > 0 {
		t.Fatal(says)
	}
	robots := []string{"webhook", "wecom", "dingtalk", "feishu"}
	all := func(count int) bool {
		return !slices.ContainsFunc(robots, func(name string) bool { return len(s.got(name)) < count }) && len(mails.all()) >= count
	}
	within(t, 20*time.Second, "everybody is told", func() bool { return all(1) })
	for _, name := range robots {
		for _, body := range s.got(name) {
			for _, want := range []string{"UpSucceeded", "up succeeded 成功", "61.5 s", "old1 → new2", "0123456789ab"} {
				if !strings.Contains(body, want) {
					t.Errorf("%s is told nothing of %q: %s", name, want, body)
				}
			}
		}
	}
	// A second deploy is another notice; the first one's end is none, and nothing is told twice.
	first := notice.Of(entry)
	s.post([]postedAlert{{Labels: first.Labels, Annotations: first.Annotations, StartsAt: time.Now().Add(-time.Minute), EndsAt: time.Now().Add(-time.Second)}})
	entry.At, entry.Result = entry.At.Add(time.Second), history.Failed
	tell(t.Context(), entry)
	within(t, 20*time.Second, "everybody is told of the second one", func() bool { return all(2) })
	time.Sleep(5 * time.Second) // five times the interval in which more would be told
	for _, name := range robots {
		got := s.got(name)
		if len(got) != 2 || !strings.Contains(got[1], "UpFailed") || strings.Contains(strings.Join(got, ""), "RESOLVED") {
			t.Errorf("%s was told %q", name, got)
		}
	}
	if count := len(mails.all()); count != 2 {
		t.Errorf("%d mails", count)
	}

	// Where Alertmanager is away, that is said, and soon.
	dockerLine(t, "pause", s.container)
	began := time.Now()
	tell(t.Context(), entry)
	dockerLine(t, "unpause", s.container)
	if took := time.Since(began); len(says) != 1 || took > 20*time.Second {
		t.Errorf("after %s: %q", took, says)
	}
}

// TestAnUpIsToldToPeople has a stack's own Alertmanager tell of what is done with it.
//
//suite:thorough
func TestAnUpIsToldToPeople(t *testing.T) {
	s := prodStack(t, map[string]any{"runtime": "containers", "monitoring.enabled": true, "monitoring.grafana.enabled": false, "monitoring.alerts.deployNotices": true})
	s.up() // whoever is told has no address yet
	gateway := dockerLine(t, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", s.prefix()+"-edge")
	listener, err := net.Listen("tcp", net.JoinHostPort(gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	type told struct {
		Receiver, Status string
		Alerts           []struct{ Labels, Annotations map[string]string }
	}
	var mutex sync.Mutex
	var all []told
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var one told
		if err := json.Unmarshal(body, &one); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		mutex.Lock()
		defer mutex.Unlock()
		if len(one.Alerts) > 0 && one.Alerts[0].Labels["notice"] == "deploy" {
			all = append(all, one)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	s.mustRun("config", "set", "--secret", "tarot:alertWebhookUrl", "http://"+listener.Addr().String())
	tells := func(what string, result string) {
		t.Helper()
		seen := func() []string {
			mutex.Lock()
			defer mutex.Unlock()
			var found []string
			for _, one := range all {
				found = append(found, one.Alerts[0].Labels["operation"]+" "+one.Alerts[0].Labels["result"])
				if one.Receiver != s.prefix()+"/deploys" || one.Status != "firing" || len(one.Alerts) != 1 {
					t.Errorf("%+v", one)
				}
			}
			return found
		}
		within(t, 30*time.Second, "people are told of the "+what, func() bool { found := seen(); return len(found) > 0 && found[len(found)-1] == what+" "+result })
		t.Logf("told: %q", seen())
	}
	s.up()
	tells("up", history.Succeeded)
	s.edit("tarot/__init__.py", func(code string) string { return code + "# another release\n" })
	s.up()
	tells("up", history.Succeeded)
	mutex.Lock()
	if summary := all[len(all)-1].Alerts[0].Annotations["summary"]; !strings.Contains(summary, " → ") {
		t.Errorf("two releases, and the notice is %q", summary)
	}
	mutex.Unlock()
	mend := s.breaks(badReleases[0])
	s.fails(badReleases[0])
	mend()
	tells("up", history.Failed)
	s.moves("rollback")
	tells("rollback", history.Succeeded)
	mutex.Lock()
	if len(all) != 4 {
		t.Errorf("%d notices of 4 operations", len(all))
	}
	mutex.Unlock()
}
