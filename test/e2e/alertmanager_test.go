//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	assets "tarot-platform/assets/alertmanager"
	"tarot-platform/internal/config"
)

// TestAlertmanagerAcceptsItsConfiguration runs the real amtool on every golden file.
//
//suite:core
func TestAlertmanagerAcceptsItsConfiguration(t *testing.T) {
	files, err := filepath.Glob("../../assets/alertmanager/testdata/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			id := created(t, map[string]string{"/run/config/alertmanager.yml": string(text), "/run/config/messages.tmpl": assets.Messages()},
				"--network", "none", "--entrypoint", "/bin/amtool", config.Defaults().Monitoring.Images.Alertmanager, "check-config", "/run/config/alertmanager.yml")
			out, err := exec.Command("docker", "start", "--attach", id).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "1 templates") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// station is a running Alertmanager and what it sends to, on a network of their own.
type station struct {
	t         *testing.T
	stack     string
	container string
	api       string
	gateway   string

	mutex  sync.Mutex
	bodies map[string][]string // by receiver
	refuse string              // the receiver that answers 503
}

// newStation starts it with the receivers that change turns on. Messages come within
// a second or two.
func newStation(t *testing.T, change func(*station, *assets.Config)) *station {
	t.Helper()
	network := newNetwork(t)
	s := &station{t: t, stack: network.name, gateway: network.gateway, bodies: map[string][]string{}}
	url := s.listen()
	files := map[string]string{"/run/config/messages.tmpl": assets.Messages()}
	for _, receiver := range []string{"webhook", "wecom", "dingtalk", "feishu"} {
		files["/run/secrets/alert_"+receiver+"_url"] = url + "/" + receiver + "?key=secret%2B1"
	}
	// The times of the deploy are 10 s and 1 min.
	c := assets.Config{Stack: s.prefix(), Grafana: "https://example.org/grafana", GroupWait: 200 * time.Millisecond, GroupInterval: time.Second, RepeatInterval: time.Hour}
	change(s, &c)
	if c.Email != nil {
		files["/run/secrets/alert_email_password"] = mailPassword
		files["/run/config/ca.pem"] = mailCertificate(t, s.gateway).Certificate
	}
	text, err := assets.Settings(c)
	if err != nil {
		t.Fatal(err)
	}
	files["/run/config/alertmanager.yml"] = text
	s.container = created(t, files, "--network", network.name, "--publish", "127.0.0.1::9093", "--user", "65534:65534", "--cap-drop", "ALL",
		"--label", "tarot.stack="+s.prefix(), "--label", "tarot.workload=alertmanager", "--env", "SSL_CERT_FILE=/run/config/ca.pem",
		"--tmpfs", "/data:mode=1777", "--entrypoint", "/bin/alertmanager", config.Defaults().Monitoring.Images.Alertmanager,
		"--config.file=/run/config/alertmanager.yml", "--storage.path=/data", "--cluster.listen-address=", "--log.format=json")
	docker(t, "start", s.container)
	s.api = published(t, s.container, 9093)
	within(t, 30*time.Second, "Alertmanager is ready", func() bool { return answers(s.api + "/-/ready") })
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("docker", "logs", s.container).CombinedOutput()
			t.Log(string(out))
		}
	})
	return s
}

func (s *station) prefix() string { return "tarot-" + s.stack }

// listen answers as robots do, on the network's gateway: only what is on that
// network, and this machine, reaches it.
func (s *station) listen() (url string) {
	s.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(s.gateway, "0"))
	if err != nil {
		s.t.Fatalf("the engine is on another machine, or does not show its networks here: %v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		receiver := strings.TrimPrefix(r.URL.Path, "/")
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if receiver == s.refuse {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		if err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "key=secret%2B1" || r.Header.Get("Content-Type") != "application/json" {
			s.t.Errorf("%s %s as %s, %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		s.bodies[receiver] = append(s.bodies[receiver], string(body))
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","code":0,"msg":"success"}`)
	})}
	go func() { _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

func (s *station) got(receiver string) []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.bodies[receiver])
}

// postedAlert is an alert as Prometheus posts it.
type postedAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

func (s *station) post(alerts []postedAlert) {
	s.t.Helper()
	body, err := json.Marshal(alerts)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.Post(s.api+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s", answer.Status, text)
	}
}

func ended(alerts []postedAlert) []postedAlert {
	after := slices.Clone(alerts)
	for i := range after {
		after[i].EndsAt = time.Now()
	}
	return after
}

// said is a message of a robot, without its shape.
type said struct{ title, text, colour string }

// The shapes that the robots take, to the letter.
var shapes = map[string]func(body string) (said, error){
	"wecom": func(body string) (said, error) {
		var m struct {
			Msgtype  string
			Markdown struct{ Content string }
		}
		err := strictly(body, &m)
		return said{text: m.Markdown.Content}, is(err, m.Msgtype == "markdown" && len(m.Markdown.Content) <= 4096)
	},
	"dingtalk": func(body string) (said, error) {
		var m struct {
			Msgtype  string
			Markdown struct{ Title, Text string }
		}
		err := strictly(body, &m)
		return said{title: m.Markdown.Title, text: strings.ReplaceAll(m.Markdown.Text, "\n\n", "\n")}, is(err, m.Msgtype == "markdown" && len(body) <= 20000)
	},
	"feishu": func(body string) (said, error) {
		type text struct{ Tag, Content string }
		var m struct {
			Type string `json:"msg_type"`
			Card struct {
				Config struct {
					Wide bool `json:"wide_screen_mode"`
				}
				Header struct {
					Template string
					Title    text
				}
				Elements []struct {
					Tag  string
					Text text
				}
			}
		}
		err := strictly(body, &m)
		c := m.Card
		if err = is(err, m.Type == "interactive" && c.Config.Wide && len(c.Elements) == 1 && len(body) <= 20000); err != nil {
			return said{}, err
		}
		return said{c.Header.Title.Content, c.Elements[0].Text.Content, c.Header.Template},
			is(nil, c.Header.Title.Tag == "plain_text" && c.Elements[0].Tag == "div" && c.Elements[0].Text.Tag == "lark_md")
	},
}

func strictly(body string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func is(err error, right bool) error {
	if err == nil && !right {
		return fmt.Errorf("has another shape, or is too long")
	}
	return err
}

// nasty is what robots, JSON, YAML, Markdown or a template could stumble on, and what
// people are to see of it.
var nasty = []struct{ text, seen string }{
	{`"quoted" 'single' \back\slash \n`, `"quoted" 'single' \back\slash \n`},
	{"two\nlines\r\n\tand a tab", "two lines and a tab"},
	{`note: {{ .Labels }} {{ template "none" }}`, `note: {{ .Labels }} {{ template "none" }}`},
	{"{{ unclosed", "{{ unclosed"},
	{"ends in a colon:", "ends in a colon:"},
	{`{"json": [1, 2]}`, `{"json": [1, 2]}`},
	{"[1, 2]", "[1, 2]"},
	{"- 123", "- 123"},
	{"true", "true"},
	{"a: &a [*a, !!binary x]", "a: &a [*a, !!binary x]"},
	{"后端全部不可用:没有副本,用户看到维护页。", "后端全部不可用:没有副本,用户看到维护页。"},
	{`<@all> <at id=all></at> a < 5 & b > 6`, `‹@all> ‹at id=all>‹/at> a < 5 & b > 6`},
	{"# heading ``` 🔥", "# heading ``` 🔥"},
}

// TestMessagesReachTheirReceivers sends alerts through a real Alertmanager to
// something that looks like each receiver.
//
//suite:long
func TestMessagesReachTheirReceivers(t *testing.T) {
	var mails *mailbox
	s := newStation(t, func(s *station, c *assets.Config) {
		c.Webhook, c.WeCom, c.DingTalk, c.Feishu = true, true, true, true
		mails = newMailbox(t, s.gateway)
		c.Email = &assets.Email{To: []string{"ops@example.org", `"On call" <oncall@example.org>`}, From: "alerts@example.org", Smarthost: mails.address, Username: mailUser, Password: true}
	})
	alerts := badAlerts()
	// Of each group, what a message's title ends in.
	groups := []string{"Long · ticket", "Odd .x a - b · Odd .x a - b"}
	for i := range nasty {
		groups = append(groups, nastyName(i)+" · page")
	}
	for _, state := range []struct {
		name, page, ticket string
		alerts             []postedAlert
	}{
		{"firing", "🔴 FIRING 告警", "🟡 FIRING 告警", alerts},
		{"resolved", "🟢 RESOLVED 恢复", "🟢 RESOLVED 恢复", ended(alerts)},
	} {
		s.forget()
		mails.forget()
		s.post(state.alerts)
		titles := map[string]string{} // and the group
		for _, group := range groups {
			word := state.page
			if strings.HasSuffix(group, "ticket") {
				word = state.ticket
			}
			titles[word+" · "+s.prefix()+" · "+group] = group
		}
		for receiver, shape := range shapes {
			t.Run(receiver+" "+state.name, func(t *testing.T) { s.checkRobot(t, receiver, shape, titles) })
		}
		t.Run("webhook "+state.name, func(t *testing.T) { s.checkWebhook(t, state.name, len(groups)) })
		t.Run("mail "+state.name, func(t *testing.T) { s.checkMail(t, mails, titles) })
	}
}

func nastyName(i int) string { return fmt.Sprintf("Nasty%02d", i) }

// badAlerts are one for each nasty text, too many that are too long, and one with
// odd labels: those may be any text, even a name.
func badAlerts() []postedAlert {
	var alerts []postedAlert
	add := func(labels, annotations map[string]string) {
		alerts = append(alerts, postedAlert{Labels: labels, Annotations: annotations, StartsAt: time.Now()})
	}
	for i, n := range nasty {
		add(map[string]string{"alertname": nastyName(i), "severity": "page", "route": n.text},
			map[string]string{"summary": n.text, "impact": "So: " + n.text, "runbook": "https://example.org/" + nastyName(i)})
	}
	for i := range 60 {
		add(map[string]string{"alertname": "Long", "severity": "ticket", "instance": fmt.Sprint(i)},
			map[string]string{"summary": fmt.Sprint(i) + strings.Repeat("长🔥", 3000), "impact": strings.Repeat("长", 5000), "runbook": strings.Repeat("长", 5000)})
	}
	odd := "Odd: {{ .x }} [\"a\"]\n- b:"
	add(map[string]string{"alertname": odd, "severity": odd}, map[string]string{"summary": "odd"})
	return alerts
}

// lines are those that a message has to have besides its title.
func lines(title string, i int) []string {
	if strings.HasPrefix(title, "🟢") {
		return []string{"\n" + nasty[i].seen + " ("}
	}
	return []string{"\n" + nasty[i].seen + " (", "\nImpact 影响: So: " + nasty[i].seen + "\n", "\nRunbook 手册: https://example.org/" + nastyName(i) + "\n"}
}

// checkLines compares the text of a group that has a nasty one.
func checkLines(t *testing.T, group, title, text string) {
	t.Helper()
	var i int
	if n, _ := fmt.Sscanf(group, "Nasty%d", &i); n == 0 {
		return
	}
	for _, want := range lines(title, i) {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if strings.HasPrefix(title, "🟢") && strings.Contains(text, "Impact") {
		t.Errorf("still tells of an impact: %s", text)
	}
}

func (s *station) checkRobot(t *testing.T, receiver string, shape func(string) (said, error), titles map[string]string) {
	within(t, 20*time.Second, receiver+" has got all messages", func() bool { return len(s.got(receiver)) >= len(titles) })
	count := map[string]int{}
	for _, body := range s.got(receiver) {
		m, err := shape(body)
		if err != nil {
			t.Errorf("%v: %s", err, body)
			continue
		}
		first, rest, _ := strings.Cut(m.text, "\n")
		title := strings.Trim(first, "*")
		count[title]++
		if first != "**"+title+"**" || m.title != "" && m.title != title {
			t.Errorf("%+v", m)
		}
		colours := map[string]string{"🔴": "red", "🟡": "orange", "🟢": "green"}
		if emoji, _, _ := strings.Cut(title, " "); m.colour != "" && m.colour != colours[emoji] {
			t.Errorf("%s for %s", m.colour, title)
		}
		if !strings.HasSuffix(rest, "\n[Grafana](https://example.org/grafana)") || strings.ContainsRune(rest, utf8.RuneError) {
			t.Errorf("ends in something else, or has half a letter: %q", rest)
		}
		checkLines(t, titles[title], title, "\n"+rest)
	}
	checkCount(t, count, titles)
}

func checkCount(t *testing.T, count map[string]int, titles map[string]string) {
	t.Helper()
	want := map[string]int{}
	for title := range titles {
		want[title] = 1
	}
	if !maps.Equal(count, want) {
		t.Errorf("messages by title: %v\nwant %v", count, want)
	}
}

func (s *station) checkWebhook(t *testing.T, status string, groups int) {
	within(t, 20*time.Second, "the webhook has got all messages", func() bool { return len(s.got("webhook")) >= groups })
	texts := map[string]bool{}
	for _, body := range s.got("webhook") {
		var m struct {
			Receiver, Status string
			Alerts           []postedAlert
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil || m.Receiver != s.prefix() || m.Status != status || len(m.Alerts) == 0 {
			t.Fatalf("%v: %s", err, body)
		}
		texts[m.Alerts[0].Annotations["summary"]] = true
	}
	for _, n := range nasty {
		if !texts[n.text] {
			t.Errorf("no %q", n.text)
		}
	}
}

func (s *station) checkMail(t *testing.T, mails *mailbox, titles map[string]string) {
	within(t, 20*time.Second, "all mails have come", func() bool { return len(mails.all()) >= len(titles) })
	count := map[string]int{}
	for _, m := range mails.all() {
		if !slices.Equal(m.to, []string{"ops@example.org", "oncall@example.org"}) || m.from != "alerts@example.org" {
			t.Errorf("from %s to %q", m.from, m.to)
		}
		if !strings.HasPrefix(m.text, m.subject+"\n") {
			t.Errorf("%q begins with %q", m.subject, m.text)
		}
		count[m.subject]++
		checkLines(t, titles[m.subject], m.subject, m.text)
	}
	checkCount(t, count, titles)
}

func (s *station) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	clear(s.bodies)
}

// TestOneFaultIsOneAlert asks Alertmanager what is left when others explain it.
//
//suite:long
func TestOneFaultIsOneAlert(t *testing.T) {
	s := newStation(t, func(*station, *assets.Config) {})
	var alerts []postedAlert
	for _, name := range []string{"BackendDown/page", "ReplicasMissing/ticket", "EdgeDown/page", "LatencyBudgetBurn/ticket", "ErrorBudgetBurn/page", "DatabaseLocked/ticket"} {
		name, severity, _ := strings.Cut(name, "/")
		alerts = append(alerts, postedAlert{Labels: map[string]string{"alertname": name, "severity": severity}, StartsAt: time.Now()})
	}
	s.post(alerts)
	within(t, 10*time.Second, "BackendDown explains the others", func() bool {
		return slices.Equal(s.active(), []string{"BackendDown page", "DatabaseLocked ticket"})
	})
	more := []postedAlert{{Labels: map[string]string{"alertname": "ErrorBudgetBurn", "severity": "ticket"}, StartsAt: time.Now()}}
	s.post(append(more, ended(alerts[:1])...))
	within(t, 10*time.Second, "a fast burn explains a slow one, and nothing else", func() bool {
		return slices.Equal(s.active(), []string{"DatabaseLocked ticket", "EdgeDown page", "ErrorBudgetBurn page", "LatencyBudgetBurn ticket", "ReplicasMissing ticket"})
	})
	if t.Failed() {
		t.Log(s.active())
	}
}

func (s *station) active() []string {
	s.t.Helper()
	answer, err := http.Get(s.api + "/api/v2/alerts?inhibited=false&active=true")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var alerts []postedAlert
	if err := json.NewDecoder(answer.Body).Decode(&alerts); err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, a := range alerts {
		names = append(names, a.Labels["alertname"]+" "+a.Labels["severity"])
	}
	slices.Sort(names)
	return names
}

// TestTestAlert runs `stack test-alert` with receivers that take it, with one that
// does not, and with none.
//
//suite:long
func TestTestAlert(t *testing.T) {
	run := func(s *station) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", "run", "./cmd/stack", "test-alert", s.stack)
		cmd.Dir = "../.."
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	two := func(_ *station, c *assets.Config) { c.Webhook, c.Feishu = true, true }
	t.Run("taken", func(t *testing.T) {
		s := newStation(t, two)
		out, err := run(s)
		if err != nil || !strings.Contains(out, "2 of 2 webhooks") {
			t.Errorf("%v\n%s", err, out)
		}
		for _, receiver := range []string{"webhook", "feishu"} {
			if got := s.got(receiver); len(got) != 1 || !strings.Contains(got[0], "TestAlert") {
				t.Errorf("%s got %q", receiver, got)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		s := newStation(t, two)
		s.mutex.Lock()
		s.refuse = "feishu"
		s.mutex.Unlock()
		out, err := run(s)
		if err == nil || !strings.Contains(out, "feishu: ") || !strings.Contains(out, "503") || strings.Contains(out, "webhook: ") || strings.Contains(out, "secret%2B1") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("no receiver", func(t *testing.T) {
		out, err := run(newStation(t, func(*station, *assets.Config) {}))
		if err == nil || !strings.Contains(out, "no receiver") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
