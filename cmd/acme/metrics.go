package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// metrics answers Prometheus.
func (m *manager) metrics() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(m.text())) })
	return mux
}

// control answers what is asked in this container.
func (m *manager) control() http.Handler {
	mux := http.NewServeMux()
	// Not whether a CA gives certificates: another container would get none, either.
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /renew", func(w http.ResponseWriter, r *http.Request) {
		answer := make(chan error, 1)
		select {
		case <-r.Context().Done():
			return
		case m.asked <- answer:
		}
		select {
		case <-r.Context().Done():
		case err := <-answer:
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			_, _ = fmt.Fprintf(w, "a certificate of %s, until %s\n", m.has.CA, m.has.leaf.NotAfter.Format(time.RFC3339))
		}
	})
	return mux
}

// text is what Prometheus is told. All series of a CA are there from the start.
func (m *manager) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var text strings.Builder
	add := func(name, kind, help string) {
		fmt.Fprintf(&text, "# HELP acme_%s %s\n# TYPE acme_%[1]s %[3]s\n", name, help, kind)
	}
	value := func(name string, v float64, labels ...string) {
		if len(labels) > 0 {
			name += "{" + strings.Join(labels, ",") + "}"
		}
		fmt.Fprintf(&text, "acme_%s %v\n", name, v)
	}
	var end, renew, lifetime float64
	if m.has != nil {
		end, renew, lifetime = unix(m.has.leaf.NotAfter), unix(m.renewAt), m.has.lifetime().Seconds()
		add("certificate_info", "gauge", "Whose certificate it is.")
		value("certificate_info", 1, fmt.Sprintf("ca=%q", m.has.CA))
	}
	for _, gauge := range []struct {
		name, help string
		value      float64
	}{
		{"certificate_expiry_timestamp_seconds", "When the certificate ends; 0: there is none.", end},
		{"certificate_lifetime_seconds", "For how long it is good in all; 0: there is none.", lifetime},
		{"renewal_timestamp_seconds", "When it is renewed; 0: that is not known.", renew},
		{"last_attempt_timestamp_seconds", "When a CA was asked last; 0: not yet.", unix(m.state.Attempt)},
		{"last_success_timestamp_seconds", "When one gave a certificate; 0: not yet.", unix(m.state.Success)},
	} {
		add(gauge.name, "gauge", gauge.help)
		value(gauge.name, gauge.value)
	}
	add("certificates_total", "counter", "How many were obtained.")
	value("certificates_total", float64(m.state.Renewals))
	add("failures", "gauge", "How often a CA has failed in a row.")
	for _, ca := range m.CAs {
		value("failures", float64(m.standing(ca).Failures), fmt.Sprintf("ca=%q", ca.Name))
	}
	add("last_error_timestamp_seconds", "gauge", "When a CA failed last, since it has succeeded; 0: it has not.")
	for _, ca := range m.CAs {
		value("last_error_timestamp_seconds", unix(m.standing(ca).Failed), fmt.Sprintf("ca=%q", ca.Name))
	}
	add("last_error_info", "gauge", "What that was; the log has all of it.")
	for _, ca := range m.CAs {
		if s := m.standing(ca); s.Failures > 0 {
			value("last_error_info", 1, fmt.Sprintf("ca=%q", ca.Name), fmt.Sprintf("error=%q", s.Kind))
		}
	}
	return text.String()
}

func (m *manager) standing(ca CA) standing {
	if s := m.state.CAs[ca.Directory]; s != nil {
		return *s
	}
	return standing{}
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
