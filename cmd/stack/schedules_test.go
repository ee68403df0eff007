package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"tarot-platform/internal/engine"
)

// scheduling has a container for each of the workloads.
type scheduling struct {
	workloads []string
	ran       []string
}

func (s *scheduling) LogSources(context.Context, string) (all []engine.LogSource, err error) {
	for _, name := range s.workloads {
		all = append(all, engine.LogSource{Workload: name})
	}
	return all, nil
}

func (s *scheduling) ExecTo(_ context.Context, prefix, workload string, out, _ io.Writer, command ...string) error {
	s.ran = append([]string{prefix, workload}, command...)
	fmt.Fprintln(out, "its line")
	return fmt.Errorf("now: %w", &engine.ExitError{Code: 7})
}

func TestRunSchedule(t *testing.T) {
	docker := &scheduling{workloads: []string{"backend", "cron-sweep", "cron-report", "cron-report"}}
	var out bytes.Buffer
	err := runSchedule(t.Context(), docker, "tarot-prod", "report", &out, io.Discard)
	var exit *engine.ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || out.String() != "its line\n" || strings.Join(docker.ran, " ") != "tarot-prod cron-report /run/scheduler/current now" {
		t.Errorf("%v: %q, %q", err, out.String(), docker.ran)
	}
	docker.ran = nil
	if err := runSchedule(t.Context(), docker, "tarot-prod", "backend", &out, io.Discard); err == nil || err.Error() != `SCHEDULE is "backend"; there are here: report, sweep` || docker.ran != nil {
		t.Errorf("%v: %q", err, docker.ran)
	}
}
