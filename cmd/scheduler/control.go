package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// socket is where the scheduler takes words from within its container alone; metricsAddress is
// where Prometheus asks it.
const (
	socket         = "/tmp/scheduler.sock"
	metricsAddress = ":9746"
)

// exitCode is the trailer that a run's answer ends with.
const exitCode = "Exit-Code"

// listen answers on both.
func (s *scheduler) listen(path, address string) (close func(), err error) {
	_ = os.Remove(path) // of a container that was killed
	inside, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	outside, err := net.Listen("tcp", address)
	if err != nil {
		inside.Close()
		return nil, err
	}
	words, metrics := http.NewServeMux(), http.NewServeMux()
	words.HandleFunc("POST /now", s.answerNow)
	words.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	metrics.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, s.metrics())
	})
	go func() { _ = http.Serve(inside, words) }()
	go func() { _ = http.Serve(outside, metrics) }()
	return func() { inside.Close(); outside.Close() }, nil
}

// answerNow runs the command for somebody who reads what it prints. It goes on where they go.
func (s *scheduler) answerNow(w http.ResponseWriter, _ *http.Request) {
	if s.isStopping() {
		http.Error(w, "the scheduler is about to end", http.StatusServiceUnavailable)
		return
	}
	if !s.running.TryLock() {
		http.Error(w, "it runs already, since "+s.runningSince().UTC().Format(time.RFC3339), http.StatusConflict)
		return
	}
	defer s.running.Unlock()
	w.Header().Set("Trailer", exitCode)
	w.WriteHeader(http.StatusOK)
	e := s.run(s.now(), &flushed{w: w}, 0)
	code := e.code
	if code <= 0 && e.outcome != succeeded { // a signal, or no such program
		code = 128
	}
	if e.outcome == timedOut {
		fmt.Fprintf(w, "it was stopped after %s, its limit\n", s.Limit)
		code = 124 // as of timeout(1)
	} else if e.code == -1 && e.err != nil {
		fmt.Fprintln(w, e.err)
	}
	w.Header().Set(exitCode, strconv.Itoa(code))
}

// flushed writes at once, and goes on where nobody reads any more.
type flushed struct{ w http.ResponseWriter }

func (f *flushed) Write(text []byte) (int, error) {
	if _, err := f.w.Write(text); err == nil {
		f.w.(http.Flusher).Flush()
	}
	return len(text), nil
}

func client(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

// runNow has the scheduler run its command, and returns the exit code of that.
func runNow(path string, out io.Writer) (int, error) {
	answer, err := client(path).Post("http://scheduler/now", "", nil)
	if err != nil {
		return 0, fmt.Errorf("no scheduler answers: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		fmt.Fprintln(os.Stderr, strings.TrimSpace(string(text)))
		return busy, nil
	}
	if _, err := io.Copy(out, answer.Body); err != nil {
		return 0, err
	}
	code, err := strconv.Atoi(answer.Trailer.Get(exitCode))
	if err != nil {
		return 0, fmt.Errorf("the scheduler has ended before the command")
	}
	return code, nil
}

func healthy(path string) error {
	c := client(path)
	c.Timeout = 5 * time.Second
	answer, err := c.Get("http://scheduler/health")
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
