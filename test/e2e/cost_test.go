//go:build e2e && cost

package e2e

import (
	"crypto/tls"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// TestMonitoringCost measures what the monitoring costs: `make bench-monitoring`.
// The rate that users get with it and without it, in turns on one stack; and its
// memory and disk.
//
//suite:cost
func TestMonitoringCost(t *testing.T) {
	rounds := number(t, "COST_ROUNDS", 5)
	s := prodStack(t, map[string]any{"runtime": "containers", "backend.replicas": 2, "backend.workers": 2, "nginx.requestRate": 0, "nginx.cpus": 2.0})
	var with, without []float64
	for range rounds {
		without = append(without, s.maximum(false))
		with = append(with, s.maximum(true))
	}
	slices.Sort(with)
	slices.Sort(without)
	ratio := with[rounds/2] / without[rounds/2]
	t.Logf("requests a second: %.0f (%.0f–%.0f) with monitoring, %.0f (%.0f–%.0f) without: ratio %.3f", with[rounds/2], with[0], with[rounds-1],
		without[rounds/2], without[0], without[rounds-1], ratio)

	users := s.users(s.outputs())
	time.Sleep(3 * time.Minute)
	users.stop()
	var memory float64
	for _, m := range s.query(`sum by (workload) (container_memory_working_set_bytes{workload!~"backend|nginx"})`) {
		memory += m.number()
		t.Logf("%-14s %4.0f MB, %.3f cores", m.Metric["workload"], m.number()/1e6, s.value(fmt.Sprintf("sum(rate(container_cpu_usage_seconds_total{workload=%q}[2m]))", m.Metric["workload"])))
	}
	samples := s.value("sum(rate(prometheus_tsdb_head_samples_appended_total[2m]))")
	var logs float64
	for _, w := range append(slices.Clone(watching), "cadvisor") {
		logs += float64(len(s.docker("logs", "--since", "2m", s.one(w)))) / 120
	}
	if math.IsNaN(samples) || memory == 0 {
		t.Fatal("Prometheus does not know itself")
	}
	// Two bytes a sample at most: https://prometheus.io/docs/prometheus/latest/storage/
	t.Logf("all of it: %.0f MB of memory, %.0f series, %.0f samples a second, %.0f MB of disk a day (of it logs %.1f)",
		memory/1e6, s.value("sum(prometheus_tsdb_head_series)"), samples, (samples*2+logs)*86400/1e6, logs*86400/1e6)
	if ratio < leastRatio {
		t.Errorf("with monitoring, users get %.3f of the rate; want at least %.2f", ratio, leastRatio)
	}
}

// leastRatio is what monitoring may cost.
const leastRatio = 0.95

// maximum is the rate at which the stack answers 16 users that each ask again as
// soon as they are answered.
func (s *stack) maximum(monitored bool) float64 {
	s.t.Helper()
	s.config("monitoring.enabled", monitored)
	s.up()
	api := fmt.Sprint(s.outputs()["apiUrl"])
	targets := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: api + "/cards/the-fool"})
	count := func(length time.Duration) float64 {
		attacker := vegeta.NewAttacker(vegeta.Workers(16), vegeta.MaxWorkers(16), vegeta.HTTP2(false),
			vegeta.TLSConfig(&tls.Config{InsecureSkipVerify: true})) //nolint:gosec // self-signed
		begin, answered := time.Now(), 0
		for result := range attacker.Attack(targets, vegeta.Rate{}, length, "") {
			if result.Code == http.StatusOK {
				answered++
			} else {
				s.t.Errorf("%d %s", result.Code, strings.TrimSpace(result.Error))
			}
		}
		return float64(answered) / time.Since(begin).Seconds()
	}
	count(5 * time.Second) // it has just been made
	time.Sleep(15 * time.Second)
	rate := count(20 * time.Second)
	s.t.Logf("monitoring %v: %.0f requests a second", monitored, rate)
	return rate
}
