package main

import (
	"fmt"
	"strings"
	"time"
)

// metrics is what Prometheus is told. All series are there from the start: the first failure
// is an increase, too.
func (s *scheduler) metrics() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	add := func(name, kind, help string, value float64, labels ...string) {
		if help != "" {
			fmt.Fprintf(&text, "# HELP schedule_%s %s\n# TYPE schedule_%[1]s %[3]s\n", name, help, kind)
		}
		all := append([]string{fmt.Sprintf("schedule=%q", s.Name)}, labels...)
		fmt.Fprintf(&text, "schedule_%s{%s} %v\n", name, strings.Join(all, ","), value)
	}
	help := "How often it has run."
	for _, o := range []outcome{succeeded, failed, timedOut, interrupted} {
		add("runs_total", "counter", help, float64(s.runs[o]), fmt.Sprintf("outcome=%q", o))
		help = ""
	}
	add("skipped_total", "counter", "How often it was left out, as the last one still ran.", float64(s.skipped))
	add("running", "gauge", "1 while it runs.", boolean(!s.since.IsZero()))
	add("failing", "gauge", "1 where the last run has failed.", boolean(s.state.Outcome != "" && s.state.Outcome != succeeded))
	add("due_since_success", "gauge", "How often it was due since it has succeeded, with the run under way.", float64(s.state.Since))
	add("last_success_timestamp_seconds", "gauge", "When it has succeeded; 0: not yet.", unix(s.state.Succeeded))
	add("last_run_timestamp_seconds", "gauge", "When the last run began; 0: there was none.", unix(s.state.Began))
	add("last_duration_seconds", "gauge", "How long the last run took.", s.state.Took.Seconds())
	add("next_timestamp_seconds", "gauge", "When it is due next.", unix(s.next))
	return text.String()
}

func boolean(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
