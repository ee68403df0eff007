package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
)

// challengePath is below which a CA asks (RFC 8555, 8.3).
const challengePath = "/.well-known/acme-challenge/"

// solver answers a CA's question by HTTP. There is one, to which every nginx sends them: a CA asks
// from several places at once.
type solver struct {
	mu      sync.Mutex
	answers map[string]string // by the token
}

// Present implements challenge.Provider.
func (s *solver) Present(_ context.Context, _, token, answer string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = map[string]string{}
	}
	s.answers[token] = answer
	return nil
}

// CleanUp implements challenge.Provider.
func (s *solver) CleanUp(_ context.Context, _, token, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.answers, token)
	return nil
}

func (s *solver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, asked := strings.CutPrefix(r.URL.Path, challengePath)
	s.mu.Lock()
	answer, known := s.answers[token]
	s.mu.Unlock()
	if !asked || !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(answer))
}
