//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	sockets     = 3
	slowSeconds = 1
	usualRate   = 80
	requestTime = 30 * time.Second
	idleTime    = 55 * time.Second
)

// visits is what users ask an application for.
type visits struct {
	rate    int                                             // requests a second
	request func(n int64, post func() string) vegeta.Target // the n-th one; post gives what it stores a name
	stored  func(body []byte) (name string, err error)      // what the answer to a POST says is stored
	socket  string                                          // a web socket's address; empty: there is none
}

// traffic is users' requests while something is done to the stack.
type traffic struct {
	visits
	t        *testing.T
	run      string // begins the name of all that is stored
	stop     context.CancelFunc
	all      sync.WaitGroup
	sent     atomic.Int64 // posts
	asked    atomic.Int64 // all
	attacker []*vegeta.Attacker

	mu           sync.Mutex
	results      []vegeta.Result
	acknowledged map[string]bool // what is said to be stored
	closed       []string        // how web sockets ended that should not have
	cleanly      int
}

// number is a setting of the environment.
func number(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		t.Fatalf("%s is %q; allowed: a whole number from 1", name, text)
	}
	return value
}

// startTraffic begins to ask the sample application; end has to be called. Static is the
// address of a static file; empty: none is asked for.
func startTraffic(t *testing.T, id, api, static string) *traffic {
	return startVisits(t, id, sampleVisits(number(t, "ROLLOUT_RATE", usualRate), api, static))
}

// startVisits begins; stopped, or end, has to be called.
func startVisits(t *testing.T, id string, v visits) *traffic {
	ctx, stop := context.WithCancel(context.Background())
	rate := v.rate
	tr := &traffic{visits: v, t: t, run: fmt.Sprintf("load-%s-%d", id, time.Now().UnixNano()), stop: stop, acknowledged: map[string]bool{}}
	// They are sent whether or not earlier ones are answered (open loop). Three
	// quarters keep their connections, the others make one for each request.
	for _, part := range []struct {
		rate int
		kept bool
	}{{rate - rate/4, true}, {rate / 4, false}} {
		attacker := vegeta.NewAttacker(vegeta.Client(user(part.kept)))
		tr.attacker = append(tr.attacker, attacker)
		tr.all.Go(func() {
			for result := range attacker.Attack(tr.targets(), vegeta.ConstantPacer{Freq: part.rate, Per: time.Second}, 0, "") {
				tr.take(result)
			}
		})
	}
	for range sockets {
		if v.socket != "" {
			tr.all.Go(func() { tr.holdSocket(ctx) })
		}
	}
	time.Sleep(time.Second)
	return tr
}

// user is a client as libraries are that are used with care: it gives an idle connection
// up before the server does (nginx says after how long, in Keep-Alive). One that waits
// for longer may send a POST just as the connection is closed, with or without a release.
func user(kept bool) *http.Client {
	return &http.Client{
		Timeout: requestTime,
		Transport: &http.Transport{
			DisableKeepAlives: !kept, MaxIdleConnsPerHost: vegeta.DefaultConnections, IdleConnTimeout: idleTime,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // self-signed
		},
	}
}

// sampleVisits mixes reads, writes with an id each, and slow reads.
func sampleVisits(rate int, api, static string) visits {
	return visits{
		rate: rate, socket: strings.Replace(api, "https://", "wss://", 1) + "/ws/daily",
		request: func(n int64, post func() string) vegeta.Target {
			switch {
			case n%10 < 4:
				return posting(api+"/readings", map[string]string{"question": post(), "spread": "single"})
			case n%10 == 4:
				return getting(fmt.Sprintf("%s/debug/slow?seconds=%d", api, slowSeconds))
			case n%10 == 5 && static != "":
				return getting(static)
			}
			return getting(api + "/cards/the-fool")
		},
		stored: func(body []byte) (string, error) {
			var reading struct{ Question string }
			err := json.Unmarshal(body, &reading)
			return reading.Question, err
		},
	}
}

func getting(address string) vegeta.Target {
	return vegeta.Target{Method: http.MethodGet, URL: address}
}

func posting(address string, body any) vegeta.Target {
	data, _ := json.Marshal(body) // texts
	return vegeta.Target{Method: http.MethodPost, URL: address, Header: http.Header{"Content-Type": {"application/json"}}, Body: data}
}

func (tr *traffic) targets() vegeta.Targeter {
	var count atomic.Int64
	post := func() string { return fmt.Sprintf("%s-%d", tr.run, tr.sent.Add(1)) }
	return func(target *vegeta.Target) error {
		tr.asked.Add(1)
		*target = tr.request(count.Add(1), post)
		return nil
	}
}

func (tr *traffic) take(result *vegeta.Result) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if result.Method == http.MethodPost && result.Code == http.StatusCreated {
		if name, err := tr.stored(result.Body); err == nil {
			tr.acknowledged[name] = true
		}
	}
	result.Body, result.Headers = nil, nil
	tr.results = append(tr.results, *result)
}

// holdSocket holds a web socket, and opens the next one when it is closed.
func (tr *traffic) holdSocket(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // self-signed
	for ctx.Err() == nil {
		conn, _, err := websocket.Dial(ctx, tr.socket, &websocket.DialOptions{HTTPClient: client})
		for err == nil {
			if err = conn.Write(ctx, websocket.MessageText, []byte("ping")); err == nil {
				_, _, err = conn.Read(ctx)
			}
			if err == nil {
				select {
				case <-ctx.Done():
					_ = conn.CloseNow()
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		}
		if ctx.Err() != nil {
			return
		}
		tr.mu.Lock()
		// 1012, service restart, and 1001, going away, are what a client is told to
		// come again by.
		if status := websocket.CloseStatus(err); status == websocket.StatusServiceRestart || status == websocket.StatusGoingAway {
			tr.cleanly++
		} else {
			tr.closed = append(tr.closed, err.Error())
			time.Sleep(10 * time.Millisecond)
		}
		tr.mu.Unlock()
	}
}

// phase does something, and fails where a request that was sent meanwhile was
// lost.
func (tr *traffic) phase(name string, do func()) {
	tr.t.Helper()
	begin := time.Now()
	do()
	took := time.Since(begin)
	tr.settled()
	lost, count := tr.lost(begin)
	tr.t.Logf("%-28s %5.1f s  lost %d of %d  p99 %d ms", name, took.Seconds(), len(lost), count, tr.p99(begin).Milliseconds())
	if len(lost) > 0 {
		tr.t.Errorf("%s: lost %d of %d requests: %s", name, len(lost), count, strings.Join(lost[:min(len(lost), 5)], "; "))
	}
}

// settled waits until all that was sent by now is answered, or given up.
func (tr *traffic) settled() {
	tr.t.Helper()
	now := time.Now()
	asked := int(tr.asked.Load())
	answered := func() (count int) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for _, r := range tr.results {
			if !r.Timestamp.After(now) {
				count++
			}
		}
		return count
	}
	for range 2 * requestTime / time.Second {
		if answered() >= asked {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	tr.t.Errorf("%d of %d requests have no answer", asked-answered(), asked)
}

// incident does something that may cost requests, and returns how many.
func (tr *traffic) incident(name string, do func()) int {
	tr.t.Helper()
	begin := time.Now()
	do()
	took := time.Since(begin)
	tr.settled()
	lost, count := tr.lost(begin)
	writes := 0
	for _, l := range lost {
		if strings.Contains(l, http.MethodPost) {
			writes++
		}
	}
	tr.t.Logf("%-28s %5.1f s  lost %d of %d, %d of them writes  p99 %d ms  %s", name, took.Seconds(), len(lost), count, writes, tr.p99(begin).Milliseconds(),
		strings.Join(lost[:min(len(lost), 8)], "; "))
	return len(lost)
}

// gap is the time from the first to the last connection since then that nobody
// took.
func (tr *traffic) gap(since time.Time) time.Duration {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var first, last time.Time
	for _, r := range tr.results {
		if r.Timestamp.Before(since) || r.Code != 0 {
			continue
		}
		if first.IsZero() || r.Timestamp.Before(first) {
			first = r.Timestamp
		}
		if r.Timestamp.After(last) {
			last = r.Timestamp
		}
	}
	return last.Sub(first)
}

// lost are the requests that were sent since then, and not answered with 2xx.
func (tr *traffic) lost(since time.Time) (lost []string, count int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, r := range tr.results {
		if r.Timestamp.Before(since) {
			continue
		}
		count++
		if r.Code < 200 || r.Code > 299 {
			lost = append(lost, fmt.Sprintf("%s %s %d %s", r.Timestamp.Format("05.000"), r.Method, r.Code, r.Error))
		}
	}
	return lost, count
}

// p99 is of the requests since then that are not slow on purpose.
func (tr *traffic) p99(since time.Time) time.Duration {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var took []time.Duration
	for _, r := range tr.results {
		if r.Timestamp.After(since) && !strings.Contains(r.URL, "/slow") {
			took = append(took, r.Latency)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// report is what has become of all requests so far, and fails where one was lost: also
// one that was sent between two phases, or answered long after its own.
func (tr *traffic) report() {
	tr.t.Helper()
	lost, count := tr.lost(time.Time{})
	tr.t.Logf("in all: lost %d of %d requests (0 of them is less than %.4f %%, with 95 %% confidence); web sockets closed cleanly %d, otherwise %d",
		len(lost), count, 300/float64(count), tr.cleanly, len(tr.closed))
	if len(lost) > 0 {
		tr.t.Errorf("lost %d of %d requests: %s", len(lost), count, strings.Join(lost[:min(len(lost), 8)], "; "))
	}
	if len(tr.closed) > 0 || tr.socket != "" && tr.cleanly == 0 {
		tr.t.Errorf("web sockets closed cleanly: %d; otherwise: %s", tr.cleanly, strings.Join(tr.closed, "; "))
	}
}

// end stops, and reconciles with the sample's database. Image is the application's, and
// volume has its data.
func (tr *traffic) end(volume, image string) {
	tr.t.Helper()
	tr.stopped()
	tr.reconcile(tr.inDatabase(volume, image))
}

// inDatabase are the names that the sample's database has of what was posted.
func (tr *traffic) inDatabase(volume, image string) (names []string) {
	tr.t.Helper()
	// In the application's own image, on the volume that the replicas write to.
	const script = `import json, sqlite3, sys
rows = sqlite3.connect("/app/data/prod.db").execute("SELECT question FROM readings WHERE question LIKE ?", [sys.argv[1] + "-%"])
print(json.dumps([question for (question,) in rows]))`
	text := docker(tr.t, "run", "--rm", "--network", "none", "--user", "10001:10001", "--volume", volume+":/app/data",
		image, "python", "-c", script, tr.run)
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		tr.t.Fatalf("the database: %v: %s", err, text)
	}
	return names
}

// said is what was acknowledged by now.
func (tr *traffic) said() (names []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Collect(maps.Keys(tr.acknowledged))
}

// stopped ends when nobody asks for anything any more.
func (tr *traffic) stopped() {
	for _, a := range tr.attacker {
		a.Stop()
	}
	tr.stop()
	tr.all.Wait()
}

// reconcile holds what was acknowledged against what is stored: each of it, and once.
func (tr *traffic) reconcile(stored []string) {
	tr.t.Helper()
	found := map[string]int{}
	for _, name := range stored {
		if strings.HasPrefix(name, tr.run+"-") {
			found[name]++
		}
	}
	missing, twice := 0, 0
	for name := range tr.acknowledged {
		if found[name] == 0 {
			missing++
		}
	}
	for _, count := range found {
		if count > 1 {
			twice++
		}
	}
	tr.t.Logf("posts sent %d, acknowledged %d, stored %d, missing %d, twice %d", tr.sent.Load(), len(tr.acknowledged), len(stored), missing, twice)
	if missing > 0 || twice > 0 || len(tr.acknowledged) == 0 {
		tr.t.Errorf("acknowledged and missing: %d, stored twice: %d, acknowledged %d, stored %d", missing, twice, len(tr.acknowledged), len(stored))
	}
}
