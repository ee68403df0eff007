package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tarot-platform/internal/engine"
)

// watcher is the engine of a stack whose parts are all healthy.
type watcher struct {
	docker
	up, measured map[string]int
	pending      []string
	alerts       string
	asked        int
	later        func(*watcher) // after it was asked for the first time
}

func (w *watcher) Exec(_ context.Context, _, workload string, command ...string) (string, error) {
	if workload == "alertmanager" {
		return w.alerts, nil
	}
	if !slices.Contains(command, seenQuery) {
		return "[]", nil
	}
	if w.asked++; w.asked == 2 && w.later != nil {
		w.later(w)
	}
	var all []string
	add := func(label, value string, number int) {
		all = append(all, fmt.Sprintf(`{"metric": {%q: %q}, "value": [1795521600, "%d"]}`, label, value, number))
	}
	for job, number := range w.up {
		add("job", job, number)
	}
	for name, number := range w.measured {
		add("workload", name, number)
	}
	for _, job := range w.pending {
		all = append(all, fmt.Sprintf(`{"metric": {"__name__": "ALERTS", "alertname": "TargetDown", "job": %q}, "value": [1795521600, "1"]}`, job))
	}
	return "[" + strings.Join(all, ",") + "]", nil
}

func watchedStack(age time.Duration) (*watcher, Outputs) {
	w := &watcher{alerts: noAlerts, up: map[string]int{"backend": 2, "nginx": 1, "prometheus": 1, "alertmanager": 1, "node": 1, "cadvisor": 1, "probe": 1},
		measured: map[string]int{"backend": 2}}
	out := Outputs{Services: map[string]Service{"backend": {Replicas: 2, Job: "backend"}}}
	w.replicas = []engine.Replica{replica("backend-1", "backend", "", "healthy"), replica("backend-2", "backend", "", "healthy")}
	for name, job := range map[string]string{"nginx": "nginx", "prometheus": "prometheus", "alertmanager": "alertmanager", "node-exporter": "node",
		"cadvisor": "cadvisor", "blackbox": "probe", "grafana": ""} {
		out.Services[name] = Service{Replicas: 1, Job: job}
		w.replicas = append(w.replicas, replica(name+"-1", name, "", "healthy"))
		w.measured[name] = 1
	}
	for i := range w.replicas {
		w.replicas[i].Since = now.Add(-age)
	}
	return w, out
}

func TestATargetWithoutDataIsNeverWell(t *testing.T) {
	silenced := `[{"labels": {"alertname": "TargetDown", "job": "backend"}, "status": {"state": "suppressed", "silencedBy": ["a"]}}]`
	inhibited := `[{"labels": {"alertname": "TargetDown", "job": "backend"}, "status": {"state": "suppressed", "inhibitedBy": ["a"]}}]`
	for name, test := range map[string]struct {
		change func(*watcher)
		want   string
	}{
		"all have data":                  {func(*watcher) {}, ""},
		"none is up":                     {func(w *watcher) { w.up["cadvisor"] = 0 }, "no metrics of cadvisor: 0 of 1 answer"},
		"none is known":                  {func(w *watcher) { delete(w.up, "node") }, "no metrics of node-exporter: 0 of 1 answer"},
		"one replica of two":             {func(w *watcher) { w.up["backend"] = 1 }, "no metrics of backend: 1 of 2 answer"},
		"nothing at all":                 {func(w *watcher) { w.up, w.measured = nil, nil }, "no metrics of prometheus: 0 of 1 answer"},
		"cAdvisor sees none":             {func(w *watcher) { w.measured = nil }, "alertmanager, backend, blackbox, cadvisor, grafana, nginx, node-exporter, prometheus: cAdvisor runs, and does not see them"},
		"cAdvisor sees one of two":       {func(w *watcher) { w.measured["backend"] = 1 }, "containers of backend: cAdvisor runs"},
		"it sees those that go, too":     {func(w *watcher) { w.measured["backend"] = 4 }, ""},
		"a rule lacks something":         {func(w *watcher) { w.pending = []string{"node"} }, "no metrics of node, or not all"},
		"silenced":                       {func(w *watcher) { w.alerts, w.pending = silenced, []string{"backend"}; delete(w.up, "backend") }, ""},
		"another one is silenced":        {func(w *watcher) { w.alerts = silenced; delete(w.up, "nginx") }, "no metrics of nginx"},
		"a consequence, nobody's wish":   {func(w *watcher) { w.alerts = inhibited; delete(w.up, "backend") }, "no metrics of backend"},
		"it is not healthy: told anyway": {func(w *watcher) { w.up["backend"], w.measured["backend"], w.replicas[0].State = 1, 1, "unhealthy" }, "unhealthy"},
		"on another machine":             {func(w *watcher) { w.measured["backend"], w.replicas[0].Node = 1, "there" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, out := watchedStack(time.Hour)
			test.change(w)
			s, err := Of(t.Context(), "prod", "tarot-prod", out, w, now)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(s.Problems, "; ")
			if test.want == "" && all != "" || !strings.Contains(all, test.want) || strings.Contains(test.want, "unhealthy") && strings.Contains(all, "monitoring") {
				t.Errorf("problems %q, want %q", all, test.want)
			}
			if w.asked != 1 {
				t.Errorf("it was asked %d times", w.asked)
			}
		})
	}
}

// What is new has not been asked for its metrics yet: that is waited for, and no
// longer than it takes.
func TestANewTargetIsAskedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		age, took time.Duration
		later     func(*watcher)
		problems  int
	}{
		"it comes":      {20 * time.Second, time.Second, func(w *watcher) { w.up["backend"] = 2 }, 0},
		"it never does": {20 * time.Second, 70 * time.Second, nil, 1},
		"it is old":     {90 * time.Second, 0, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, out := watchedStack(test.age)
				w.up["backend"], w.later = 0, test.later
				begin := time.Now()
				s, err := Of(t.Context(), "prod", "tarot-prod", out, w, now)
				if err != nil || len(s.Problems) != test.problems || time.Since(begin) != test.took {
					t.Errorf("%v: %q after %s; want %d after %s", err, s.Problems, time.Since(begin), test.problems, test.took)
				}
			})
		})
	}
}
