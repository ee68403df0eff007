//go:build e2e

package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// slow fails unless a request that takes longer than nginx waits runs once, is told what
// happened, and costs nobody else anything.
func slow(t *testing.T, site string) {
	for _, test := range []struct{ method, accept, kind, says string }{
		{http.MethodGet, "*/*", "application/json", "took too long"},
		{http.MethodPost, "text/html", "text/html; charset=utf-8", "This took too long"},
	} {
		id := newID()
		path := fmt.Sprintf("%s/slow?seconds=%d&id=%s", site, 2*edgeTime, id)
		got := ask(t, test.method, path, nil, header("Accept", test.accept)).want(t, "a slow "+test.method, http.StatusGatewayTimeout)
		if kind := got.header.Get("Content-Type"); kind != test.kind || !strings.Contains(string(got.body), test.says) {
			t.Errorf("%s: %q: %s", test.method, kind, got.body)
		}
		if begun := get(t, site+"/begun?id="+id); string(begun.body) != "1" {
			t.Errorf("a slow %s has begun %s times", test.method, begun.body)
		}
	}
	var waiting sync.WaitGroup
	over := make(chan struct{})
	for range 9 { // so that every replica has some
		waiting.Go(func() {
			if answer, err := visitor.Get(fmt.Sprintf("%s/slow?seconds=%d&id=%s", site, 2*edgeTime, newID())); err == nil {
				_ = answer.Body.Close()
			}
		})
	}
	go func() { waiting.Wait(); close(over) }()
	// And a while after they have all timed out.
	asked, deadline := 0, time.Now().Add((edgeTime+2)*time.Second)
	for done := false; !done || time.Now().Before(deadline); asked++ {
		get(t, site+"/quick").want(t, "a quick GET meanwhile", http.StatusOK)
		ask(t, http.MethodPost, site+"/quick", "body").want(t, "a quick POST meanwhile", http.StatusOK)
		select {
		case <-over:
			done = true
		default:
		}
	}
	t.Logf("%d quick requests of each kind meanwhile", asked)
}

func newID() string {
	id := make([]byte, 4)
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}

// transfers are more than nginx's memory: none is cut, nobody else is hurt, and what an
// application cuts off is no success in the log.
func (s *stack) transfers(site string) {
	t := s.t
	before := s.containers("nginx")
	over := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			answer, err := visitor.Get(site + "/quick")
			if err != nil {
				t.Errorf("somebody else: %v", err)
				return
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("somebody else: %s", answer.Status)
			}
		}
	})
	patient := *visitor
	patient.Timeout = 5 * time.Minute

	// Slower than the application writes it.
	answer, err := patient.Get(site + "/export?mb=200")
	if err != nil {
		t.Fatal(err)
	}
	ticks := time.NewTicker(15 * time.Millisecond)
	defer ticks.Stop()
	size, block := 0, make([]byte, 1<<20)
	for err == nil {
		<-ticks.C
		var n int
		n, err = io.ReadFull(answer.Body, block)
		size += n
	}
	_ = answer.Body.Close()
	if size != 200<<20 {
		t.Errorf("%d bytes of 200 MB arrive: %v", size, err)
	}

	var uploads sync.WaitGroup
	for range 3 {
		uploads.Go(func() {
			const size = 150 << 20
			asked, err := http.NewRequest(http.MethodPost, site+"/quick", io.LimitReader(zeros{}, size))
			if err != nil {
				t.Error(err)
				return
			}
			asked.ContentLength = size
			answer, err := patient.Do(asked)
			if err != nil {
				t.Errorf("an upload: %v", err)
				return
			}
			defer answer.Body.Close()
			if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || string(text) != fmt.Sprintln(size) {
				t.Errorf("an upload of 150 MB: %s: %s", answer.Status, text)
			}
		})
	}
	uploads.Wait()
	close(over)
	others.Wait()

	if answer, err := visitor.Get(site + "/cut"); err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if err == nil {
			t.Error("half an answer is taken for a whole one")
		}
	}
	s.eventually("a cut answer in the log, not as info", func() bool {
		for line := range strings.SplitSeq(docker(t, "logs", s.one("nginx")), "\n") {
			var said struct {
				Path, Level string
				Complete    bool
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Path == "/cut" {
				return said.Level == "warning" && !said.Complete
			}
		}
		return false
	})
	same(t, before, s.containers("nginx"), 1)
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
