package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"tarot-platform/internal/backup/results"
)

// listen answers inside of the container by a socket, and outside by an address. What is
// outside is the stack's own network: nothing there is secret, and nothing changes anything.
func (r *replicator) listen() (close func(), err error) {
	_ = os.Remove(r.socket()) // of a container that was killed
	inside, err := net.Listen("unix", r.socket())
	if err != nil {
		return nil, err
	}
	outside, err := net.Listen("tcp", r.Listen)
	if err != nil {
		inside.Close()
		return nil, err
	}
	words, others := http.NewServeMux(), http.NewServeMux()
	words.HandleFunc("GET /health", r.answerHealth)
	words.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, r.status(), nil) })
	words.HandleFunc("POST /adopt", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, r.status(), r.adopt()) })
	for _, mux := range []*http.ServeMux{words, others} {
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, question *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, r.metrics(question.Context()))
		})
		mux.HandleFunc("POST /mark", r.answerMark)
		mux.HandleFunc("GET /rows", func(w http.ResponseWriter, question *http.Request) {
			content, err := r.content(question.Context())
			answerJSON(w, content, err)
		})
	}
	go func() { _ = http.Serve(inside, words) }()
	go func() { _ = (&http.Server{Handler: others, ReadHeaderTimeout: 10 * time.Second}).Serve(outside) }()
	return func() { inside.Close(); outside.Close() }, nil
}

// answerHealth is whether the guard lives and keeps others out, and not whether the target
// answers: starting it again would not mend that.
func (r *replicator) answerHealth(w http.ResponseWriter, _ *http.Request) {
	if r.Database != "" && r.lock.Load() == nil {
		http.Error(w, "another one replicates the database", http.StatusServiceUnavailable)
	}
}

func answerJSON(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// inside asks the guard of this container.
func inside(ctx context.Context, args []string, method, path string) (string, error) {
	set := flag.NewFlagSet(path, flag.ContinueOnError)
	work := set.String("work", "/tmp", "the guard's folder")
	if err := set.Parse(args); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://guard"+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := newControl(guardOptions{Work: *work}.socket(), "").client.Do(request)
	if err != nil {
		return "", fmt.Errorf("no guard answers here: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", strings.TrimSpace(string(text)))
	}
	return string(text), err
}

// health ends well where the guard of this container lives and keeps others out.
func health(ctx context.Context, args []string) error {
	_, err := inside(ctx, args, http.MethodGet, "/health")
	return err
}

// status prints results.Status as JSON.
func status(ctx context.Context, args []string) error {
	text, err := inside(ctx, args, http.MethodGet, "/status")
	fmt.Print(text)
	return err
}

// adopt begins a history beside those of another database.
func adopt(ctx context.Context, args []string) error {
	text, err := inside(ctx, args, http.MethodPost, "/adopt")
	if err != nil {
		return err
	}
	var s results.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	fmt.Println("a new history begins beside them; make status shows it")
	return nil
}
