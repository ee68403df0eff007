package valkey

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// job is what Prometheus calls it.
const job = name

// metrics is what is kept of the exporter's.
const metrics = `redis_(up|connected_clients|blocked_clients|rejected_connections_total|acl_access_denied_auth_total|errors_total|commands_total|commands_duration_seconds_total|evicted_keys_total|expired_keys_total)|redis_keyspace_(hits|misses)_total|redis_memory_(used|used_rss|max)_bytes|redis_aof_(current_size_bytes|base_size_bytes|last_write_status|last_bgrewrite_status)`

//go:embed rules.yml.tmpl
var rules string

//go:embed valkey.json
var dashboard string

// Exporter is what watches the server: metrics, with the alerts and the dashboard that are made
// of them.
type Exporter struct{}

// Name implements part.Part.
func (Exporter) Name() string { return name + "-exporter" }

// Spec implements part.Part.
func (e Exporter) Spec(c part.Context) (part.Spec, error) {
	if !c.Cache.Enabled || !c.Monitoring.Enabled {
		return part.Spec{}, nil
	}
	server := fmt.Sprintf("%s:%d", name, port)
	service := part.Service{
		Program: workload.Program{
			Name: e.Name(),
			// The user's name is wanted twice: here, and in the address that finds the password.
			Command: []string{"/redis_exporter", "--redis.addr=redis://" + server, "--redis.user=exporter", "--redis.password-file=" + workload.SecretDir + "/passwords",
				"--config-command=-", "--redis-only-metrics"},
			Health: monitoring.Answers("http://127.0.0.1:9121/health"),
			Limits: workload.Limits{CPUs: 0.25, Memory: 32 << 20},
			User:   "59000:59000", // of the official image
			// Two would ask with two passwords while one is replaced.
			Exclusive: true,
		},
		Secrets: []part.SecretFile{{Name: "passwords", Secret: exporterPassword, Make: func(password string) (string, error) {
			text, err := json.Marshal(map[string]string{"redis://exporter@" + server: password})
			return string(text), err
		}}},
		Networks: []string{part.Watch, part.Inner},
		Job:      job,
	}
	group, err := prometheus.PartsGroup(name, rules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, struct{ Queue bool }{c.Cache.Profile == "queue"})
	if err != nil {
		return part.Spec{}, err
	}
	s := monitoring.Spec(c, service, "cache.exporterImage", c.Cache.ExporterImage)
	s.Scrapes = []prometheus.Job{prometheus.Static(job, e.Name()+":9121", metrics)}
	s.Alerts = []prometheus.Group{group}
	s.Dashboards = map[string]string{name + ".json": dashboard}
	return s, nil
}
