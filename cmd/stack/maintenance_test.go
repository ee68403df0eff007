package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
)

// paged is an engine with a nginx, which a server answers for.
type paged struct {
	held              *engine.Held
	operating         bool
	claimed           bool
	did               []string
	file, kept, loads bool // closed by its file, by its configuration, and by what it has loaded of that
	fails             string
}

func (p *paged) closed() bool { return p.file || p.loads }

func (p *paged) Maintained(context.Context, string) (engine.Held, bool, error) {
	if p.held == nil {
		return engine.Held{}, false, nil
	}
	return *p.held, true, nil
}

func (p *paged) Lock(_ context.Context, _, kind string, mine engine.Held) (engine.Held, error) {
	p.did = append(p.did, "mark "+kind)
	if p.held == nil {
		p.held = &mine
	}
	return *p.held, nil
}

func (p *paged) Unlock(_ context.Context, _, kind, run string) error {
	p.did = append(p.did, "unmark "+kind)
	if p.held != nil && p.held.Run != run {
		return errors.New("another run has it")
	}
	p.held = nil
	return nil
}

func (p *paged) Operating(context.Context, string) (engine.Held, bool, error) {
	return engine.Held{Who: "ada", Operation: engine.Restore}, p.operating, nil
}

func (p *paged) Claimed(context.Context, string) (bool, error) { return p.claimed, nil }

func (p *paged) Exec(_ context.Context, _, _ string, command ...string) (string, error) {
	page := nginx.PageOf("tarot-prod")
	p.did = append(p.did, "exec "+command[0])
	switch {
	case p.fails == command[0]:
		return "", errors.New("nginx does not run")
	case slices.Equal(command, page.Show):
		p.file = true
	case slices.Equal(command, page.Hide):
		p.file = false
	default:
		return map[bool]string{true: "closed\n", false: "open\n"}[p.file || p.kept], nil
	}
	return "", nil
}

func (p *paged) Signal(_ context.Context, _, _, signal string) error {
	p.did = append(p.did, signal)
	p.loads = p.kept
	return nil
}

func (p *paged) ImageOf(context.Context, string, string) (string, error) { return "sha256:1", nil }

func (p *paged) RunOnce(_ context.Context, _ string, o engine.Once, _ io.Writer) error {
	page := nginx.PageOf("tarot-prod")
	if o.Image != "sha256:1" || o.Mounts[0].Source != "tarot-prod-nginx-configuration" || o.Network != "" {
		return fmt.Errorf("%+v", o)
	}
	p.did = append(p.did, "edit")
	p.kept = slices.Equal(o.Command, page.Keep)
	return nil
}

// switchOf is a switch whose users are served by what the engine's nginx does.
func switchOf(t *testing.T, p *paged, file config.Config) (s pageSwitch, said *bytes.Buffer) {
	users := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if p.closed() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(users.Close)
	said = &bytes.Buffer{}
	return pageSwitch{docker: p, name: "prod", prefix: "tarot-prod", out: console.Console{To: said}, now: time.Now,
		file: func() (config.Config, error) { return file, nil },
		set: func(_ context.Context, path, value string) error {
			p.did = append(p.did, "set "+path+" "+value)
			return nil
		},
		address: func(context.Context) (string, error) { return users.URL, nil }}, said
}

func behindNginx() config.Config {
	cfg := config.Defaults()
	cfg.Nginx.Enabled = true
	return cfg
}

func TestThePageIsShownAndTakenAway(t *testing.T) {
	p := &paged{}
	s, said := switchOf(t, p, behindNginx())
	if err := s.turn(t.Context(), true); err != nil || p.held == nil || !p.file || !p.kept || !strings.Contains(said.String(), "users of prod get the maintenance page, after") {
		t.Fatalf("%v: %+v\n%s", err, p, said)
	}
	// The mark is there before anything else: where this is killed, the next `up` shows the page.
	if p.did[0] != "mark maintenance" {
		t.Errorf("%q", p.did)
	}
	p.loads = true // an `up` came by
	p.did = nil
	if err := s.turn(t.Context(), false); err != nil || p.held != nil || p.file || p.kept || p.loads {
		t.Fatalf("%v: %+v\n%s", err, p, said)
	}
	// And it is the last to go.
	if p.did[len(p.did)-1] != "unmark maintenance" {
		t.Errorf("%q", p.did)
	}
	if strings.Contains(strings.Join(p.did, " "), "set ") {
		t.Errorf("the stack's file is changed: %q", p.did)
	}
}

func TestWhatTheFileSaysIsTurnedOffToo(t *testing.T) {
	p := &paged{kept: true, loads: true}
	cfg := behindNginx()
	cfg.Maintenance = true
	s, _ := switchOf(t, p, cfg)
	if err := s.turn(t.Context(), false); err != nil || p.did[0] != "set tarot:maintenance false" || p.loads {
		t.Errorf("%v: %q", err, p.did)
	}
}

func TestThePageIsNotTurnedWhereSomethingElseHasIt(t *testing.T) {
	without := behindNginx()
	without.Nginx.Enabled = false
	for want, test := range map[string]struct {
		p   *paged
		cfg config.Config
	}{
		"nginx.enabled is false":     {&paged{}, without},
		"a restore of prod by ada":   {&paged{operating: true}, behindNginx()},
		"an `up` of prod is at work": {&paged{claimed: true}, behindNginx()},
		"nginx does not run":         {&paged{fails: "touch"}, behindNginx()},
	} {
		s, _ := switchOf(t, test.p, test.cfg)
		if err := s.turn(t.Context(), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if want != "nginx does not run" && len(test.p.did) > 0 {
			t.Errorf("%s, and it did %q", want, test.p.did)
		}
	}
}

// Where nobody here can ask as users do, it is not said that they see it.
func TestWhetherUsersSeeItIsNotGuessed(t *testing.T) {
	p := &paged{}
	s, said := switchOf(t, p, behindNginx())
	s.address = func(context.Context) (string, error) { return "", errors.New("no passphrase") }
	clock := time.Now()
	s.now = func() time.Time { clock = clock.Add(6 * time.Second); return clock }
	if err := s.turn(t.Context(), true); err != nil || !strings.Contains(said.String(), "whether users see it could not be asked: no passphrase") {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestThePageIsTold(t *testing.T) {
	p := &paged{}
	s, _ := switchOf(t, p, behindNginx())
	told := func() string {
		var out bytes.Buffer
		if err := s.tell(t.Context(), &out, false); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := told(); got != "users of prod are let in\n" {
		t.Error(got)
	}
	p.kept = true
	if got := told(); !strings.Contains(got, "tarot:maintenance is true") {
		t.Error(got)
	}
	p.held = &engine.Held{Who: "ada@shop", Since: time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)}
	if got := told(); got != "users of prod get the maintenance page, since 2026-11-27T20:00:00Z by ada@shop\n" {
		t.Error(got)
	}
}
