package components

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/preflight"
	"tarot-platform/internal/release"
)

// The list has all that a user goes through before a deploy, in a preview as in an update.
func TestTheChecklistOfADeploy(t *testing.T) {
	inProject(t)
	for _, s := range []stage{preview, up} {
		var got checks.Report
		r := deploy(stack(t, "prod"), &recorder{stage: s, checked: func(r checks.Report) error { got = r; return nil }}, &fakeEngine{})
		if r.err != nil || len(r.warnings.texts) > 0 {
			t.Fatalf("%v, %q", r.err, r.warnings.texts)
		}
		var ids []string
		for _, c := range got.Checks {
			ids = append(ids, c.ID)
			if c.Result != checks.Pass && !slices.Contains([]string{"firewall", "backup"}, c.ID) {
				t.Errorf("%+v", c)
			}
		}
		const want = "turn environment engine engine-version clock swarm cpus memory disk ports privileged-ports subnets ipv6 images firewall certificate migrations backup state names data sites volumes advice"
		if strings.Join(ids, " ") != want {
			t.Errorf("got  %s\nwant %s", strings.Join(ids, " "), want)
		}
	}
}

// Whoever wants the list alone gets it, and nothing is declared.
func TestADeployThatIsWantedForItsChecklistEndsThere(t *testing.T) {
	inProject(t)
	enough := errors.New("that is all")
	r := deploy(stack(t, "prod"), &recorder{stage: preview, checked: func(checks.Report) error { return enough }}, &fakeEngine{})
	if r.err == nil || !strings.Contains(r.err.Error(), enough.Error()) || len(r.all) > 0 {
		t.Errorf("%v, with %d resources", r.err, len(r.all))
	}
}

// What stops an `up` does so before anything is declared, and is a warning where the stack's file says so.
func TestWhatIsFoundStopsAnUpOrIsAccepted(t *testing.T) {
	inProject(t)
	failing := []release.Release{{Name: "r1", Image: "another", Created: time.Now().Add(-30 * 24 * time.Hour)}}
	for id, test := range map[string]struct {
		change func(*config.Config)
		engine func() *fakeEngine
		says   string
	}{
		"memory":         {engine: func() *fakeEngine { return &fakeEngine{machine: func(m *engine.Machine) { m.Memory = 100 << 20 }} }, says: "that is no limit"},
		"disk":           {engine: func() *fakeEngine { return &fakeEngine{machine: func(m *engine.Machine) { m.Disk.Free = 1 }} }, says: "1B is free"},
		"clock":          {engine: func() *fakeEngine { return &fakeEngine{machine: func(m *engine.Machine) { m.Ahead = time.Hour }} }, says: "1h0m0s ahead of"},
		"engine-version": {engine: func() *fakeEngine { return &fakeEngine{machine: func(m *engine.Machine) { m.Version = "19.03.1" }} }, says: "is older than 20.10"},
		"privileged-ports": {engine: func() *fakeEngine {
			return &fakeEngine{obstacles: engine.Obstacles{Rights: []error{errors.New("443 is not allowed")}}}
		}, says: "443 is not allowed"},
		"images": {engine: func() *fakeEngine { return &fakeEngine{refused: "manifest unknown"} }, says: "its registry says: manifest unknown"},
		"backup": {change: backedUp, engine: func() *fakeEngine {
			return &fakeEngine{releases: failing, replicates: `{"state": "failing", "why": "403", "database": "/data/prod.db"}`}
		},
			says: "the release may migrate the database, and its backup is not recent: the database's is failing: 403"},
	} {
		t.Run(id, func(t *testing.T) {
			for _, s := range []stage{preview, up} {
				cfg := stack(t, "prod")
				cfg.Backend.Migrate = []string{"migrate"}
				if test.change != nil {
					test.change(&cfg)
				}
				docker := test.engine()
				r := deploy(cfg, &recorder{stage: s}, docker)
				if r.err == nil || !strings.Contains(r.err.Error(), test.says) || !strings.Contains(r.err.Error(), "accept[0]' "+id) || len(r.all) > 0 {
					t.Errorf("%v, with %d resources", r.err, len(r.all))
				}
				cfg.Preflight.Accept = []string{id}
				docker = test.engine()
				r = deploy(cfg, &recorder{stage: s}, docker)
				if said := strings.Join(r.warnings.texts, "\n"); r.err != nil || !strings.Contains(said, test.says) || !strings.Contains(said, "preflight.accept says to go on") || len(r.all) == 0 {
					t.Errorf("accepted: %v, warned %q, with %d resources", r.err, said, len(r.all))
				}
			}
		})
	}
}

// Whoever returns to a release is told, and gets there; what nobody may know better of stops them, too.
func TestAWayBackIsNotHeldUp(t *testing.T) {
	inProject(t)
	full := func(m *engine.Machine) { m.Disk.Free = 1 }
	r := deployPinned(stack(t, "prod"), &recorder{}, &fakeEngine{machine: full})
	if said := strings.Join(r.warnings.texts, "\n"); r.err != nil || !strings.Contains(said, "it would stop an `up` that goes forward") {
		t.Errorf("%v, warned %q", r.err, said)
	}
	r = deployPinned(stack(t, "prod"), &recorder{}, &fakeEngine{machine: full, obstacles: engine.Obstacles{Subnets: []error{errors.New("it overlaps")}}})
	if r.err == nil || !strings.Contains(r.err.Error(), "it overlaps") || strings.Contains(r.err.Error(), "free at") || len(r.all) > 0 {
		t.Errorf("%v, with %d resources", r.err, len(r.all))
	}
}

// What nobody can say stops nothing where the deploy may go well all the same, and everything where the engine is
// who does not answer.
func TestWhatCantBeToldIsNoPass(t *testing.T) {
	inProject(t)
	var got checks.Report
	rec := func() *recorder {
		return &recorder{checked: func(r checks.Report) error { got = r; return nil }, guarded: preflight.Guarded{Wanted: true, Err: errors.New("it takes root")}}
	}
	docker := &fakeEngine{failures: map[string]error{"registry": errors.New("no such host")}, machine: func(m *engine.Machine) {
		m.Memory, m.ClockKnown, m.DiskUnknown = 0, false, errors.New("none runs")
	}}
	r := deploy(stack(t, "prod"), rec(), docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	for _, id := range []string{"memory", "clock", "disk", "images", "firewall"} {
		i := slices.IndexFunc(got.Checks, func(c checks.Check) bool { return c.ID == id })
		if i < 0 || got.Checks[i].Result != checks.Unknown {
			t.Errorf("%s: %+v", id, got.Checks)
			continue
		}
		if !slices.ContainsFunc(r.warnings.texts, func(w string) bool {
			return strings.Contains(w, got.Checks[i].Found) && strings.Contains(w, "can't be told")
		}) {
			t.Errorf("%s: nobody is told: %q", id, r.warnings.texts)
		}
	}
	r = deploy(stack(t, "prod"), rec(), &fakeEngine{failures: map[string]error{"obstacles": errors.New("docker engine: gone")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "docker engine: gone") || len(r.all) > 0 {
		t.Errorf("%v, with %d resources", r.err, len(r.all))
	}
}

func (rec *recorder) guard(context.Context, string, config.Config) preflight.Guarded {
	return rec.guarded
}
