package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// oneSite is an engine with two replicas.
type oneSite struct {
	places  []engine.Place
	sources []engine.LogSource
	// takes is how long the command takes, and obeys is whether it ends when it is asked to.
	takes  time.Duration
	obeys  bool
	code   int
	oom    bool
	begun  *engine.OneOff
	entry  engine.Entry
	ended  int
	asked  chan struct{}
	failed error
}

func (s *oneSite) LogSources(context.Context, string) ([]engine.LogSource, error) {
	return s.sources, nil
}

func (s *oneSite) Pick(_ context.Context, _, workload string, _ int) (engine.Place, error) {
	if workload != "backend" {
		return engine.Place{}, errors.Join(errors.New(workload), engine.ErrNoReplica)
	}
	return s.places[0], s.failed
}

func (s *oneSite) Enter(ctx context.Context, _ string, e engine.Entry) error {
	s.entry = e
	asked := s.asked
	if !s.obeys {
		asked = nil
	}
	select {
	case <-time.After(s.takes):
	case <-asked:
		return &engine.ExitError{Code: 143}
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.code != 0 {
		return &engine.ExitError{Code: s.code}
	}
	return nil
}

func (s *oneSite) BeginOneOff(_ context.Context, o engine.OneOff) (engine.Begun, error) {
	s.begun, s.asked = &o, make(chan struct{})
	return engine.NewBegun("fresh", "tarot-prod-run-x", func(context.Context) error { s.ended++; return nil }), nil
}

func (s *oneSite) Interrupt(context.Context, string) error { close(s.asked); return nil }

func (s *oneSite) KilledForMemory(context.Context, string) bool { return s.oom }

func twoReplicas() *oneSite {
	return &oneSite{places: []engine.Place{{ID: "one", Name: "backend-1", Number: 1, Well: true}},
		sources: []engine.LogSource{{Workload: "nginx", Running: true}, {Workload: "backend", Running: true}, {Workload: "migrate"}}}
}

func TestAOneOffEndsAsItsCommandDoes(t *testing.T) {
	d := deployed{name: "prod", prefix: "tarot-prod"}
	s := twoReplicas()
	once := oneOff{service: "backend", within: time.Minute, command: []string{"python", "-c", "1"}, in: strings.NewReader("")}
	if err := d.runOnce(t.Context(), s, once); err != nil || s.ended != 1 || s.begun.Like != "one" || s.begun.Within <= time.Minute {
		t.Errorf("%v: %+v", err, s)
	}
	if got := s.entry.Command; got[len(got)-3] != "python" || s.entry.Terminal {
		t.Errorf("it runs %q", got)
	}
	s.code = 7
	var exit *engine.ExitError
	if err := d.runOnce(t.Context(), s, once); !errors.As(insideError(err), &exit) || exit.Code != 7 || s.ended != 2 {
		t.Errorf("%v: %+v", err, s)
	}
}

// Whatever ends it, it is asked to end first, and what it ran in is removed.
func TestAOneOffIsRemovedWhateverEndsIt(t *testing.T) {
	d := deployed{name: "prod", prefix: "tarot-prod"}
	var exit *engine.ExitError
	s := twoReplicas()
	s.takes, s.obeys = time.Minute, true
	once := oneOff{service: "backend", within: 10 * time.Millisecond, command: []string{"sleep", "60"}, in: strings.NewReader("")}
	if err := d.runOnce(t.Context(), s, once); !errors.As(err, &exit) || exit.Code != exitTime || s.ended != 1 {
		t.Errorf("its time is up: %v: %+v", err, s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, once.within = twoReplicas(), time.Hour
	s.takes, s.obeys = time.Minute, true
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := insideError(d.runOnce(ctx, s, once)); !errors.As(err, &exit) || exit.Code != exitInterrupted || s.ended != 1 {
		t.Errorf("Ctrl-C: %v: %+v", err, s)
	}
}

func TestWhoMayNotRunTwice(t *testing.T) {
	cfg := config.Everything()
	for _, owner := range []string{"postgres", "cache"} {
		if err := ownsNothing(cfg, owner); owner == "postgres" && (err == nil || !strings.Contains(err.Error(), "stack exec postgres -- COMMAND")) {
			t.Errorf("%s: %v", owner, err)
		}
	}
	if err := ownsNothing(cfg, "backend"); err != nil {
		t.Error(err)
	}
}

func TestServiceAndCommand(t *testing.T) {
	for _, test := range []struct {
		args          []string
		dash          int
		service, want string
	}{
		{[]string{"python", "x"}, 0, "backend", "python x"},
		{[]string{"worker", "python"}, 1, "worker", "python"},
		{[]string{"worker"}, 1, "", ""}, {[]string{"worker", "python"}, -1, "", ""}, {[]string{"a", "b", "c"}, 2, "", ""}, {nil, -1, "", ""},
	} {
		service, command, err := serviceAndCommand(test.args, test.dash)
		if service != test.service || strings.Join(command, " ") != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: %q, %q, %v", test.args, service, command, err)
		}
	}
}

// A service that does not run is told from one that is none.
func TestWhatThereIsToEnter(t *testing.T) {
	d := deployed{name: "prod", prefix: "tarot-prod"}
	if _, err := d.pick(t.Context(), twoReplicas(), "frontend", 0); err == nil || !strings.Contains(err.Error(), `SERVICE is "frontend", and nothing of that name runs; there are here: backend, nginx`) {
		t.Error(err)
	}
	if _, err := d.pick(t.Context(), twoReplicas(), "backend", -1); err == nil || !strings.Contains(err.Error(), "replica is -1") {
		t.Error(err)
	}
	none := twoReplicas()
	none.sources = nil
	if _, err := d.pick(t.Context(), none, "frontend", 0); err == nil || !strings.Contains(err.Error(), "nothing of the stack prod runs") {
		t.Error(err)
	}
}

// What is entered has what the service loads, where there is such a file, and ends as the command
// does.
func TestACommandIsLoadedWithTheEnvironment(t *testing.T) {
	command := loaded([]string{"sh", "-c", `echo "$GIVEN in $HOME: $*"; exit 3`, "x", "a b", "c"})
	file := t.TempDir() + "/environment"
	script := strings.ReplaceAll(command[2], workload.EnvironmentPath, file)
	run := func() string {
		cmd := exec.Command(command[0], append([]string{command[1], script}, command[3:]...)...)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/"}
		out, err := cmd.Output()
		return fmt.Sprint(strings.TrimSpace(string(out)), "; ", err)
	}
	if said := run(); said != "in /tmp: a b c; exit status 3" {
		t.Error(said)
	}
	if err := os.WriteFile(file, []byte("export GIVEN='by the file'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := run(); said != "by the file in /tmp: a b c; exit status 3" {
		t.Error(said)
	}
}
