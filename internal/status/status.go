// Package status is what an operator wants to know of a stack at a glance.
package status

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
)

// Certificates that end sooner are a problem; of those that are good for a few weeks, with less than a quarter of their
// time left.
const leastCertificate = 14 * 24 * time.Hour

// Outputs are those of the stack that the status is made of.
type Outputs struct {
	Runtime, Release, Image string
	URL, HealthURL          string
	APIURL, AdminURL        string
	GrafanaURL, StaticURL   string
	DocsURL                 string
	Services                map[string]Service
	Pinned, Maintenance     bool
	// ProxyProtocol is not empty where nginx wants that: so does whoever asks it without a balancer between.
	ProxyProtocol string
}

// ways are how its addresses may have to be asked.
func (o Outputs) ways() (proxied []bool) {
	if o.ProxyProtocol == "" {
		return []bool{false}
	}
	return []bool{false, true}
}

// Service is a workload, as the stack's outputs tell of it. Job is what Prometheus calls its
// metrics; empty: there are none.
type Service struct {
	Replicas int
	Job      string
	// Writes are the places that it has to be able to write. nil: the stack is of before it
	// told.
	Writes []string
}

// Status of a stack.
type Status struct {
	Stack       string       `json:"stack"`
	Runtime     string       `json:"runtime"`
	Release     string       `json:"release"`
	Image       string       `json:"image"`
	Pinned      bool         `json:"pinned"`
	Maintenance bool         `json:"maintenance"`
	Workloads   []Workload   `json:"workloads"`
	Endpoints   []Endpoint   `json:"endpoints"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Database    *Database    `json:"database,omitempty"`
	// Alerts are what the stack's monitoring says, where it has one. Backups are the platform's
	// own, and those that the monitoring has heard of.
	Alerts  []Alert  `json:"alerts,omitempty"`
	Backups []Backup `json:"backups,omitempty"`
	// Notes are what may stay as it is.
	Notes []string `json:"notes,omitempty"`
	// Problems are what somebody should look at. Empty: all is well.
	Problems []string `json:"problems"`
}

// Workload is one that is meant to run.
type Workload struct {
	Name     string    `json:"name"`
	Wanted   int       `json:"wanted"`
	Healthy  int       `json:"healthy"`
	Replicas []Replica `json:"replicas"`

	job string // of its metrics; empty: there are none
}

// Replica is a container.
type Replica struct {
	Name     string `json:"name"`
	Image    string `json:"image"`
	Node     string `json:"node"`
	State    string `json:"state"`
	Seconds  int64  `json:"seconds"` // in that state, or since its start
	Restarts int    `json:"restarts"`
	// CPU is in cores, Memory and Limit in bytes; 0: not known here.
	CPU         float64 `json:"cpu"`
	Memory      uint64  `json:"memory"`
	Limit       uint64  `json:"limit"`
	OutOfMemory bool    `json:"outOfMemory"`
}

// Endpoint is an address that users know.
type Endpoint struct {
	Name         string `json:"name"`
	URL          string `json:"url"`
	Code         int    `json:"code"` // 0: no answer
	Milliseconds int64  `json:"milliseconds"`
	Error        string `json:"error,omitempty"`
}

// Certificate is what the edge shows.
type Certificate struct {
	Until      time.Time `json:"until"`
	Days       int       `json:"days"`
	SelfSigned bool      `json:"selfSigned"`
}

// Engine is what is asked of the Docker engine.
type Engine interface {
	Replicas(ctx context.Context, prefix string) ([]engine.Replica, error)
	Wanted(ctx context.Context, prefix string) (map[string]int, error)
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	CheckWritable(ctx context.Context, prefix, workload string, places ...string) error
	Operating(ctx context.Context, prefix string) (engine.Held, bool, error)
}

// Of looks at a stack. An error means that it can't be told; what is wrong with
// the stack is in Problems.
func Of(ctx context.Context, stack, prefix string, out Outputs, docker Engine, now time.Time) (Status, error) {
	s := Status{Stack: stack, Runtime: out.Runtime, Release: out.Release, Image: out.Image, Pinned: out.Pinned, Maintenance: out.Maintenance, Problems: []string{}}
	replicas, err := docker.Replicas(ctx, prefix)
	if err != nil {
		return s, err
	}
	wanted, err := docker.Wanted(ctx, prefix)
	if err != nil {
		return s, err
	}
	held, open, err := docker.Operating(ctx, prefix)
	if err != nil {
		return s, err
	}
	switch {
	case open && held.Passing() && !held.Gone() && held.Silent < engine.Dead:
		s.Notes = append(s.Notes, fmt.Sprintf("%s is going on: %s", held.Operation.Title(), held.Whose()))
	case open && held.Passing():
		s.problem("%s is not finished: %s. %s", held.Operation.Title(), held.Whose(), held.Advice(stack))
	case open: // first, as what else is wrong may follow from it
		s.problem("%s", held.Unfinished(stack))
	}
	s.workloads(out, wanted, replicas, now)
	s.writes(ctx, prefix, docker, out.Services["backend"].Writes)
	checked := s.checked(ctx, prefix, docker)
	s.endpoints(ctx, out, checked)
	s.certificate(ctx, out, checked, now)
	s.asksDatabase(ctx, prefix, out, docker)
	s.backedUp(ctx, prefix, out, docker, now)
	s.watched(ctx, prefix, out, docker, now)
	return s, nil
}

func (s *Status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (s *Status) workloads(out Outputs, wanted map[string]int, replicas []engine.Replica, now time.Time) {
	byName := map[string]*Workload{}
	for name, service := range out.Services {
		byName[name] = &Workload{Name: name, Wanted: service.Replicas, job: service.Job}
	}
	for name, count := range wanted {
		if w := byName[name]; w != nil {
			w.Wanted = count // as it is now, by whoever
		}
	}
	for _, r := range replicas {
		w := byName[r.Workload]
		if w == nil {
			w = &Workload{Name: r.Workload}
			byName[r.Workload] = w
		}
		if r.Well() {
			w.Healthy++
		}
		w.Replicas = append(w.Replicas, Replica{r.Name, r.Image, r.Node, r.State, int64(now.Sub(r.Since).Seconds()), r.Restarts, r.CPU, r.Memory, r.Limit, r.OutOfMemory})
		switch {
		case r.State == "unhealthy":
			s.problem("%s is unhealthy%s", r.Name, strings.Replace(r.Check, "\n", "; ", 1))
		case r.OutOfMemory:
			s.problem("%s was killed for want of memory", r.Name)
		case r.Limit > 0 && r.Memory > r.Limit/10*9:
			s.problem("%s uses %d %% of its memory", r.Name, 100*r.Memory/r.Limit)
		}
		if r.Workload == "backend" && out.Image != "" && r.Image != out.Image {
			s.problem("%s runs %s, not %s", r.Name, r.Image, out.Image)
		}
	}
	for _, w := range byName {
		if w.Healthy != w.Wanted {
			s.problem("%s: %d of %d replicas are healthy", w.Name, w.Healthy, w.Wanted)
		}
		s.Workloads = append(s.Workloads, *w)
	}
	slices.SortFunc(s.Workloads, func(a, b Workload) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(s.Problems)
}

// dataFolder is where the application contract has the application write, if its stack says
// nothing.
const dataFolder = "/app/data"

// writes has a healthy replica try to write its data: a health check need not.
func (s *Status) writes(ctx context.Context, prefix string, docker Engine, places []string) {
	if places == nil {
		places = []string{dataFolder}
	}
	if len(places) == 0 {
		return
	}
	if !slices.ContainsFunc(s.Workloads, func(w Workload) bool { return w.Name == "backend" && w.Healthy > 0 }) {
		return
	}
	if err := docker.CheckWritable(ctx, prefix, "backend", places...); err != nil {
		s.problem("backend: %v", err)
	}
}

// checked is TLS with this stack's nginx, or with whoever this machine trusts. Where that can't be told, it takes any, and says so.
func (s *Status) checked(ctx context.Context, prefix string, docker Engine) *tls.Config {
	own := edge.Own{Read: func(context.Context) (string, error) {
		return docker.Exec(ctx, prefix, "nginx", edge.CertificatesCommand...)
	}}
	var told sync.Once
	return own.OrTrusted(ctx, func(_ tls.ConnectionState, err error) error {
		told.Do(func() { s.Notes = append(s.Notes, fmt.Sprintf("who shows the certificate: %v", err)) })
		return nil
	})
}

// endpoints asks those that users know. Health has to be 200; of the others any
// answer of the application will do, were it that a password is missing.
func (s *Status) endpoints(ctx context.Context, out Outputs, checked *tls.Config) {
	ask := func(request *http.Request) (answer *http.Response, err error) {
		for _, proxied := range out.ways() {
			visitor := &http.Client{
				Timeout:       10 * time.Second,
				Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: checked, DialContext: edge.Dialer(proxied)},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			if answer, err = visitor.Do(request); err == nil {
				break
			}
		}
		return answer, err
	}
	for _, e := range []Endpoint{{Name: "health", URL: out.HealthURL}, {Name: "api", URL: out.APIURL}, {Name: "admin", URL: out.AdminURL}, {Name: "grafana", URL: out.GrafanaURL}} {
		if e.URL == "" {
			continue
		}
		begin := time.Now()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL, nil)
		if err == nil {
			var answer *http.Response
			if answer, err = ask(request); err == nil {
				_ = answer.Body.Close()
				e.Code = answer.StatusCode
			}
		}
		e.Milliseconds = time.Since(begin).Milliseconds()
		switch {
		case err != nil:
			e.Error = err.Error()
			s.problem("%s does not answer: %v", e.URL, err)
		case e.Code >= 500 && s.Maintenance:
		case e.Code >= 500 || e.Name == "health" && e.Code != http.StatusOK:
			s.problem("%s answers %d", e.URL, e.Code)
		}
		s.Endpoints = append(s.Endpoints, e)
	}
}

func (s *Status) certificate(ctx context.Context, out Outputs, checked *tls.Config, now time.Time) {
	u, err := url.Parse(out.URL)
	if err != nil || u.Scheme != "https" {
		return
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	named := checked.Clone()
	named.ServerName = u.Hostname()
	var leaf *x509.Certificate
	for _, proxied := range out.ways() {
		if leaf, err = shown(ctx, host, proxied, named); err == nil {
			break
		}
	}
	if err != nil {
		s.problem("the certificate can't be seen: %v", err)
		return
	}
	s.Certificate = &Certificate{leaf.NotAfter, int(leaf.NotAfter.Sub(now).Hours() / 24), leaf.CheckSignatureFrom(leaf) == nil || leaf.Issuer.String() == leaf.Subject.String()}
	if leaf.NotAfter.Sub(now) < min(leastCertificate, leaf.NotAfter.Sub(leaf.NotBefore)/4) {
		s.problem("the certificate ends on %s, in %d days", leaf.NotAfter.Format(time.DateOnly), s.Certificate.Days)
	}
}

// shown is the certificate that is shown at an address.
func shown(ctx context.Context, address string, proxied bool, named *tls.Config) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	plain, err := edge.Dialer(proxied)(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	connection := tls.Client(plain, named)
	defer connection.Close()
	if err := connection.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return connection.ConnectionState().PeerCertificates[0], nil
}
