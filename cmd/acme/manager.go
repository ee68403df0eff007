package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
	"github.com/go-acme/lego/v5/certcrypto"
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/lego"
)

const (
	// attemptTime is how long a CA may take in all, and with DNS records have to spread.
	attemptTime = 10 * time.Minute
	// advice is asked for as often as its CA says, within these, and where it says nothing.
	leastAdvice, mostAdvice, usualAdvice = time.Minute, 24 * time.Hour, 6 * time.Hour
	// sleep is the longest: a clock that was set is noticed.
	sleep = time.Hour
	// unsure is when what can't be read, or asked, is tried again.
	unsure = time.Minute
)

// manager has a certificate, always.
type manager struct {
	Settings
	solver *solver
	store  store
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex // of what the metrics show
	state   state
	has     *issued
	renewAt time.Time
	told    *advice

	asked chan chan error // for a new one, now
}

// state is what is remembered.
type state struct {
	Attempt  time.Time            `json:"attempt"`
	Success  time.Time            `json:"success"`
	Renewals int                  `json:"renewals"`
	CAs      map[string]*standing `json:"cas"` // by their addresses
}

// standing is how it stands with a CA.
type standing struct {
	// Failures are those in a row, and Error is the last one's text, and Kind its type.
	Failures int       `json:"failures"`
	Error    string    `json:"error,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	Failed   time.Time `json:"failed"`
	// Until is when it may be asked again.
	Until time.Time `json:"until"`
}

// advice is what the CA says of when to renew a certificate (ARI, RFC 9773).
type advice struct {
	serial     string
	start, end time.Time
	// at is a moment in the window; zero: it gives none.
	at time.Time
	// again is when to ask again.
	again time.Time
}

func newManager(settings Settings, log *slog.Logger) (*manager, error) {
	m := &manager{Settings: settings, solver: &solver{}, store: store{settings.Folder}, log: log, now: time.Now, asked: make(chan chan error)}
	if err := os.MkdirAll(filepath.Join(settings.Folder, accountsName), 0o700); err != nil {
		return nil, err
	}
	if settings.Challenge == byDNS {
		if _, err := dnsProvider(settings.DNS); err != nil {
			return nil, err
		}
	}
	if err := m.store.recall(stateName, &m.state); err != nil {
		// It may only be asked a bit too early.
		log.Warn("what is known of the CAs can't be read", "error", err.Error())
		m.state = state{}
	}
	if m.state.CAs == nil {
		m.state.CAs = map[string]*standing{}
	}
	m.look()
	return m, nil
}

// look reads the certificate that there is. One that can't be read is none: it will be replaced.
func (m *manager) look() {
	has, err := m.store.current()
	if err != nil {
		m.log.Error("the certificate can't be read, and is replaced", "error", err.Error())
		has = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has = has
}

func (m *manager) run(ctx context.Context) {
	for ctx.Err() == nil {
		timer := time.NewTimer(m.step(ctx))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case answer := <-m.asked:
			answer <- m.attempt(ctx, "somebody has asked for it", true)
		}
		timer.Stop()
	}
}

// step does what is due, and returns for how long nothing is.
func (m *manager) step(ctx context.Context) time.Duration {
	reason, at := m.due(ctx)
	if reason != "" {
		if err := m.attempt(ctx, reason, false); err == nil {
			return time.Second
		}
		at = m.may()
	}
	return min(max(at.Sub(m.now()), time.Second), sleep)
}

// due says why there has to be a new certificate now; "": there hasn't, until then.
func (m *manager) due(ctx context.Context) (string, time.Time) {
	m.look()
	has, now := m.has, m.now()
	switch {
	case has == nil:
		return "there is none", now
	case !slices.ContainsFunc(m.CAs, func(ca CA) bool { return ca.Directory == has.Directory }):
		return "it is of " + has.CA + ", which the stack file doesn't name any more", now
	case !m.fits(*has):
		return "it is for other names: " + strings.Join(has.leaf.DNSNames, ", "), now
	}
	at, again, why := m.renewal(ctx, *has)
	m.mu.Lock()
	m.renewAt = at
	m.mu.Unlock()
	if !now.Before(at) {
		return why, at
	}
	if again.Before(at) && again.After(now) {
		at = again
	}
	return "", at
}

// fits is true for a certificate for the names that are wanted, and no others.
func (m *manager) fits(has issued) bool {
	return slices.Equal(sorted(has.leaf.DNSNames), sorted(m.Domains))
}

func sorted(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strings.ToLower(name)
	}
	return slices.Sorted(slices.Values(all))
}

// renewal is when to renew a certificate, when to ask that again, and why then: when its CA says,
// or with a third of its lifetime left; but with a tenth left, whatever the CA says.
func (m *manager) renewal(ctx context.Context, has issued) (at, again time.Time, why string) {
	end, lifetime := has.leaf.NotAfter, has.lifetime()
	at, why = end.Add(-lifetime/3), "a third of its time is left"
	a := m.advice(ctx, has)
	if !a.at.IsZero() {
		at, why = a.at, "its CA says so"
		if last := end.Add(-lifetime / 10); at.After(last) {
			at, why = last, "a tenth of its time is left"
		}
		// A CA that always says so would get its limits used up.
		if first := has.leaf.NotBefore.Add(min(lifetime/20, 6*time.Hour)); at.Before(first) {
			at = first
		}
	}
	return at, a.again, why
}

// advice is what the CA says. That it says nothing, or can't be asked, is no reason to wait.
func (m *manager) advice(ctx context.Context, has issued) advice {
	now, serial := m.now(), has.leaf.SerialNumber.String()
	if m.told != nil && m.told.serial == serial && now.Before(m.told.again) {
		return *m.told
	}
	a := advice{serial: serial, again: now.Add(usualAdvice)}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	ca := m.CAs[slices.IndexFunc(m.CAs, func(ca CA) bool { return ca.Directory == has.Directory })]
	client, _, err := m.client(ctx, ca)
	var info *certificate.RenewalInfo
	if err == nil {
		info, err = client.Certificate.GetRenewalInfo(ctx, has.leaf)
	}
	switch {
	case errors.Is(err, api.ErrNoARI):
	case err != nil:
		m.log.Warn("the CA does not say when to renew", "ca", ca.Name, "error", err.Error())
		a.again = now.Add(time.Hour)
		if m.told != nil && m.told.serial == serial { // what it said before holds
			a.start, a.end, a.at = m.told.start, m.told.end, m.told.at
		}
	default:
		a.start, a.end = info.SuggestedWindow.Start, info.SuggestedWindow.End
		if m.told != nil && m.told.serial == serial && m.told.start.Equal(a.start) && m.told.end.Equal(a.end) {
			a.at = m.told.at // it is drawn once
		} else if at := info.ShouldRenewAt(now, 1<<62); at != nil {
			a.at = *at
		}
		if info.RetryAfter > 0 {
			a.again = now.Add(min(max(info.RetryAfter, leastAdvice), mostAdvice))
		}
	}
	m.told = &a
	return a
}

// may is when the first of the CAs may be asked again.
func (m *manager) may() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first time.Time
	for _, ca := range m.CAs {
		until := m.now().Add(unsure)
		if s := m.state.CAs[ca.Directory]; s != nil {
			until = s.Until
		}
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	return first
}

// pause is how long a CA is left alone after so many failures in a row: a few at once, as
// something may just have been mended, and then fewer than the five an hour that Let's Encrypt takes.
func pause(failures int) time.Duration {
	steps := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour}
	return steps[min(max(failures, 1), len(steps))-1]
}

// attempt asks the CAs one after the other, until one gives a certificate. One that has failed is
// left alone for a while, unless somebody wants it now.
func (m *manager) attempt(ctx context.Context, reason string, now bool) error {
	var failures []error
	for _, ca := range m.CAs {
		m.mu.Lock()
		known := m.state.CAs[ca.Directory]
		m.mu.Unlock()
		if known != nil && m.now().Before(known.Until) && (!now || known.Kind == "rateLimited") {
			failures = append(failures, fmt.Errorf("%s has failed, and is not asked before %s: %s", ca.Name, known.Until.UTC().Format(time.RFC3339), known.Error))
			continue
		}
		m.log.Info("a certificate is asked for", "ca", ca.Name, "domains", m.Domains, "reason", reason)
		got, err := m.obtain(ctx, ca)
		if err == nil {
			err = m.store.save(got, m.now())
		}
		if ctx.Err() != nil {
			return ctx.Err() // it is to end: nobody's fault
		}
		m.note(ca, err)
		if err == nil {
			m.look()
			m.log.Info("there is a certificate", "ca", ca.Name, "domains", m.Domains, "until", got.leaf.NotAfter)
			return nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", ca.Name, err))
	}
	return errors.Join(failures...)
}

// note writes down how an attempt has ended.
func (m *manager) note(ca CA, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.state.Attempt = now
	if err == nil {
		m.state.Success = now
		m.state.Renewals++
		delete(m.state.CAs, ca.Directory)
	} else {
		s := m.state.CAs[ca.Directory]
		if s == nil {
			s = &standing{}
			m.state.CAs[ca.Directory] = s
		}
		s.Failures++
		s.Error, s.Kind, s.Failed = err.Error(), kind(err), now
		s.Until = now.Add(max(pause(s.Failures), retryAfter(err)))
		m.log.Error("there is no certificate of this CA", "ca", ca.Name, "error", s.Error, "failures", s.Failures, "again", s.Until)
	}
	if err := m.store.keep(stateName, m.state); err != nil {
		m.log.Error("what happened can't be written down", "error", err.Error())
	}
}

// kind is an error's type as CAs name it, or what is known of it.
func kind(err error) string {
	var limited *acme.RateLimitedError
	var problem *acme.ProblemDetails
	switch {
	case errors.As(err, &limited):
		return "rateLimited"
	case errors.As(err, &problem) && problem.Type != "":
		return strings.TrimPrefix(problem.Type, "urn:ietf:params:acme:error:")
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}

// retryAfter is for how long a CA wants to be left alone.
func retryAfter(err error) time.Duration {
	var limited *acme.RateLimitedError
	if errors.As(err, &limited) {
		return max(limited.RetryAfter, time.Hour)
	}
	return 0
}

// obtain gets a certificate of a CA. Where that doesn't know its account any more, with a new one.
func (m *manager) obtain(ctx context.Context, ca CA) (issued, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	client, a, err := m.client(ctx, ca)
	if err != nil {
		return issued{}, err
	}
	got, err := m.order(ctx, client, ca)
	if err == nil || !gone(ctx, client, err) {
		return got, err
	}
	m.log.Warn("the CA does not take the account any more: it gets a new one", "ca", ca.Name, "error", err.Error())
	if err := a.forget(m.now()); err != nil {
		return issued{}, err
	}
	if client, _, err = m.client(ctx, ca); err != nil {
		return issued{}, err
	}
	return m.order(ctx, client, ca)
}

func (m *manager) order(ctx context.Context, client *lego.Client, ca CA) (issued, error) {
	var err error
	if m.Challenge == byDNS {
		provider, failed := dnsProvider(m.DNS)
		if failed != nil {
			return issued{}, failed
		}
		err = client.Challenge.SetDNS01Provider(provider, dnsOptions...)
	} else {
		err = client.Challenge.SetHTTP01Provider(m.solver)
	}
	if err != nil {
		return issued{}, err
	}
	request := certificate.ObtainRequest{Domains: m.Domains, KeyType: certcrypto.EC256, Bundle: true}
	if m.has != nil && m.has.Directory == ca.Directory && m.fits(*m.has) { // which its limits don't count
		if request.ReplacesCertID, err = api.MakeARICertID(m.has.leaf); err != nil {
			return issued{}, err
		}
	}
	got, err := client.Certificate.Obtain(ctx, request)
	if err != nil && request.ReplacesCertID != "" && refused(err) {
		// It may be what it replaces: another account's, one that has been replaced, or of a CA
		// that has begun anew.
		request.ReplacesCertID = ""
		got, err = client.Certificate.Obtain(ctx, request)
	}
	if err != nil {
		return issued{}, err
	}
	i := issued{Certificate: got.Certificate, Key: got.PrivateKey, Directory: ca.Directory, CA: ca.Name}
	if err := i.check(); err != nil {
		return issued{}, fmt.Errorf("what it has sent is no certificate with its key: %w", err)
	}
	return i, nil
}

// refused is true where a CA has refused a request as such, and not what it was shown.
func refused(err error) bool {
	var replaced *acme.AlreadyReplacedError
	var problem *acme.ProblemDetails
	return errors.As(err, &replaced) || kind(err) != "rateLimited" && errors.As(err, &problem) && problem.URL != "" && problem.HTTPStatus < http.StatusInternalServerError
}
