// Package verify is the checklist after a deploy: what users get is asked as they ask for it, by whoever
// has deployed it.
package verify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/logs"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/status"
)

// Stack is what is checked.
type Stack struct {
	Status status.Status
	Prefix string
	// Test is what a release has to answer, asked through nginx, or of the backend where there is none. Its parts are asked one by one.
	Test smoke.Test
	// Dial connects to nginx; nil: as ever.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Names are those that the certificate has to be good for, and At where it is shown (host:port); empty: no TLS.
	Names []string
	At    string
	// Own is true where the certificate need not be one that a browser trusts.
	Own bool
	// Database is sqlite, postgres or external, and Writes where the application stores something.
	Database string
	Writes   []string
	// Nginx is true where requests come by nginx.
	Nginx bool
}

// Engine is what is asked of the Docker engine.
type Engine interface {
	LogSources(ctx context.Context, prefix string) ([]engine.LogSource, error)
	Follow(ctx context.Context, source engine.LogSource, since string, follow bool, each func(engine.Line)) error
	CheckWritable(ctx context.Context, prefix, workload string, places ...string) error
}

// How long an answer, and a line of a log, may take.
const (
	within = 10 * time.Second
	logged = 5 * time.Second
)

// Of goes through the list.
func Of(ctx context.Context, s Stack, docker Engine, now time.Time) checks.Report {
	id := "verify-" + random()
	r := checks.Report{Stack: s.Status.Stack, Release: s.Status.Release}
	r.Checks = append(r.Checks, s.services(), s.health(), s.release())
	r.Checks = append(r.Checks, s.answers(ctx, id)...)
	r.Checks = append(r.Checks, s.database(ctx, docker), s.logs(ctx, docker, id, now), s.certificate(ctx, now))
	return r
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// command is one of this stack's.
func (s Stack) command(words string) string { return "make " + words + " STACK=" + s.Status.Stack }

func (s Stack) services() checks.Check {
	c := checks.Check{ID: "services", Checked: "as many replicas of each workload run as are wanted", Result: checks.Pass}
	var missing []string
	total := 0
	for _, w := range s.Status.Workloads {
		total += w.Wanted
		if w.Healthy != w.Wanted {
			missing = append(missing, fmt.Sprintf("%s %d of %d", w.Name, w.Healthy, w.Wanted))
			c.Mend = s.command("logs SERVICE=" + w.Name)
		}
	}
	c.Found = fmt.Sprintf("all %d replicas of %d workloads", total, len(s.Status.Workloads))
	switch {
	case len(s.Status.Workloads) == 0:
		c.Result, c.Found, c.Mend = checks.Fail, "nothing runs", "pulumi up -s "+s.Status.Stack
	case len(missing) > 0:
		c.Result, c.Found = checks.Fail, strings.Join(missing, ", ")
	}
	return c
}

func (s Stack) health() checks.Check {
	c := checks.Check{ID: "health-checks", Checked: "what runs is healthy by its own check", Result: checks.Pass}
	var unwell, unchecked []string
	n := 0
	for _, w := range s.Status.Workloads {
		for _, r := range w.Replicas {
			switch r.State {
			case "healthy":
				n++
			case "running":
				unchecked = append(unchecked, r.Name)
			default:
				unwell = append(unwell, r.Name+" is "+r.State)
				c.Mend = s.command("logs SERVICE=" + w.Name)
			}
		}
	}
	c.Found = fmt.Sprintf("%d replicas are healthy", n)
	if len(unchecked) > 0 {
		c.Found += ", and run without a check: " + strings.Join(unchecked, ", ")
	}
	if len(unwell) > 0 {
		c.Result, c.Found = checks.Fail, strings.Join(unwell, ", ")
	}
	return c
}

func (s Stack) release() checks.Check {
	c := checks.Check{ID: "release", Checked: "the replicas of the backend run the release's image", Result: checks.Pass, Found: s.Status.Release + ", " + s.Status.Image}
	if s.Status.Image == "" {
		c.Result, c.Found = checks.Skip, "the stack's outputs name no image"
	}
	for _, w := range s.Status.Workloads {
		for _, r := range w.Replicas {
			if w.Name == "backend" && s.Status.Image != "" && r.Image != s.Status.Image {
				c.Result, c.Found, c.Mend = checks.Fail, fmt.Sprintf("%s runs %s, not %s", r.Name, r.Image, s.Status.Image), "pulumi up --refresh -s "+s.Status.Stack
			}
		}
	}
	return c
}

// answers asks what the smoke test of a deploy asks, each thing apart.
func (s Stack) answers(ctx context.Context, id string) (all []checks.Check) {
	whole := s.Test
	whole.Header = whole.Header.Clone()
	if whole.Header == nil {
		whole.Header = http.Header{}
	}
	whole.Header.Set("X-Request-ID", id)
	bare := whole
	bare.Read, bare.Write, bare.Body, bare.Static, bare.Admin = "", "", "", "", ""
	read, write, static, admin := bare, bare, bare, bare
	read.Read, write.Write, write.Body, static.Static, admin.Admin = whole.Read, whole.Write, whole.Body, whole.Static, whole.Admin
	for _, one := range []struct {
		id, checked, key, path string
		test                   smoke.Test
	}{
		{"health", "the health path answers 200", "backend.health.path", bare.Health, bare},
		{"api", "a page of the API answers 200", "backend.smoke.read", whole.Read, read},
		{"api-write", "what is stored is read back", "backend.smoke.write", whole.Write, write},
		{"static", "a static file answers 200", "backend.smoke.static", whole.Static, static},
		{"admin", "the admin pages are there, and want a password (401)", "backend.smoke.admin", whole.Admin, admin},
	} {
		c := checks.Check{ID: one.id, Checked: one.checked, Result: checks.Pass, Found: one.path + " at " + one.test.Base}
		switch {
		case one.path == "":
			c.Result, c.Found, c.Mend = checks.Skip, "nobody says which one that is", "tarot:"+one.key+", or smoke in deploy.yaml"
		case s.Status.Maintenance:
			c.Result, c.Found = checks.Skip, "users see the maintenance page"
		case len(all) > 0 && all[0].Result == checks.Fail:
			c.Result, c.Found = checks.Skip, "not asked, as the health path does not answer"
		default:
			if err := one.test.Run(ctx, within); err != nil {
				c.Result, c.Found, c.Mend = checks.Fail, err.Error(), s.command("logs SERVICE=backend LEVEL=error")
			}
		}
		all = append(all, c)
	}
	return all
}

func (s Stack) database(ctx context.Context, docker Engine) checks.Check {
	c := checks.Check{ID: "database", Checked: "the database is there, and can be written", Result: checks.Pass}
	switch s.Database {
	case "postgres":
		if s.Status.Database == nil {
			c.Result, c.Found, c.Mend = checks.Fail, "PostgreSQL does not answer", s.command("logs SERVICE=postgres")
			return c
		}
		c.Found = s.Status.Database.String()
	case "external":
		c.Result, c.Found = checks.Skip, "it is somebody else's: health and api-write ask the application, which asks it"
	default:
		if len(s.Writes) == 0 {
			c.Result, c.Found = checks.Skip, "the application stores nothing here"
			return c
		}
		err := docker.CheckWritable(ctx, s.Prefix, "backend", s.Writes...)
		c.Found = strings.Join(s.Writes, " and ") + " can be written by the application's user"
		if err != nil {
			c.Result, c.Found, c.Mend = checks.Fail, err.Error(), "docs/operating.md: who owns a volume's files"
		}
	}
	return c
}

// logs looks for what the questions have left in nginx's log, or for anything in the backend's.
func (s Stack) logs(ctx context.Context, docker Engine, id string, now time.Time) checks.Check {
	workload, filter := "nginx", logs.Filter{Request: id}
	c := checks.Check{ID: "logs", Checked: "a request is in the log a moment later", Result: checks.Pass}
	if s.Status.Maintenance {
		c.Result, c.Found = checks.Skip, "nothing was asked: users see the maintenance page"
		return c
	}
	if s.Nginx && s.Test.Read+s.Test.Write+s.Test.Admin == "" {
		c.Result, c.Found, c.Mend = checks.Skip, "nginx writes no line of a health check, nor of a static file, and nothing else was asked", "tarot:backend.smoke.read, or smoke in deploy.yaml"
		return c
	}
	if !s.Nginx {
		workload, filter, c.Checked = "backend", logs.Filter{}, "the backend's log can be read"
	}
	for end := time.Now().Add(logged); ; {
		n, err := found(ctx, docker, s.Prefix, workload, filter, now)
		switch {
		case err != nil:
			c.Result, c.Found, c.Mend = checks.Unknown, err.Error(), "tarot:logging: a driver whose lines the engine can read back"
			return c
		case n > 0:
			c.Found = fmt.Sprintf("%d lines of %s: %s", n, workload, s.command("logs REQUEST="+id))
			return c
		case time.Now().After(end):
			c.Result, c.Found, c.Mend = checks.Fail, fmt.Sprintf("nothing of request %s in the log of %s after %s", id, workload, logged), s.command("logs SERVICE="+workload)
			return c
		}
		select {
		case <-ctx.Done():
			end = time.Time{}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func found(ctx context.Context, docker Engine, prefix, workload string, filter logs.Filter, now time.Time) (n int, err error) {
	sources, err := docker.LogSources(ctx, prefix)
	if err != nil {
		return 0, err
	}
	since := now.Add(-time.Minute).Format(time.RFC3339Nano)
	if filter == (logs.Filter{}) {
		since = ""
	}
	for _, source := range sources {
		if source.Workload != workload {
			continue
		}
		if err := docker.Follow(ctx, source, since, false, func(line engine.Line) {
			if filter.Wants(line.Text) {
				n++
			}
		}); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s Stack) certificate(ctx context.Context, now time.Time) checks.Check {
	c := checks.Check{ID: "certificate", Checked: "the certificate is good, for each name", Result: checks.Pass}
	if s.At == "" {
		c.Result, c.Found = checks.Skip, "users come without TLS, or by another stack's nginx"
		return c
	}
	shown, err := s.shown(ctx)
	if err != nil {
		c.Result, c.Found, c.Mend = checks.Fail, err.Error(), s.command("logs SERVICE=nginx")
		return c
	}
	c.Found = "until " + shown[0].NotAfter.UTC().Format(time.DateOnly) + ", by " + shown[0].Issuer.String()
	var faults []string
	if now.After(shown[0].NotAfter) || now.Before(shown[0].NotBefore) {
		faults = append(faults, fmt.Sprintf("it is good from %s to %s", shown[0].NotBefore.UTC().Format(time.DateOnly), shown[0].NotAfter.UTC().Format(time.DateOnly)))
	}
	for _, name := range s.Names {
		if err := shown[0].VerifyHostname(name); err != nil {
			faults = append(faults, err.Error())
		}
	}
	if err := edge.Vouched(shown, x509.VerifyOptions{CurrentTime: now}); err != nil && !s.Own {
		faults = append(faults, err.Error())
	} else if err != nil {
		c.Found += ", which browsers do not trust"
	}
	if len(faults) > 0 {
		c.Result, c.Found, c.Mend = checks.Fail, strings.Join(faults, "; "), "docs/tls.md"
	}
	return c
}

// shown are the certificates that are shown to who asks for the first name.
func (s Stack) shown(ctx context.Context) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	dial := s.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	plain, err := dial(ctx, "tcp", s.At)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, ServerName: first(s.Names)}) //nolint:gosec // it is looked at by who asked for it
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates, nil
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}
