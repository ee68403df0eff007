package postgres

import (
	_ "embed" // the rules and the dashboard
	"fmt"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// poolerJob is what Prometheus calls it.
const poolerJob = "pgbouncer"

// poolerMetrics is what is kept of the exporter's.
const poolerMetrics = `pgbouncer_(up|used_clients|config_max_client_connections|databases_pool_size|databases_current_connections)|pgbouncer_pools_(client_(active|waiting)_connections|client_maxwait_seconds|server_(active|idle)_connections)|pgbouncer_stats_totals_(sql_transactions_pooled_total|client_wait_seconds_total|server_in_transaction_seconds_total)`

//go:embed pooler.rules.yml.tmpl
var poolerRules string

//go:embed pgbouncer.json
var poolerDashboard string

// BouncerExporter is what watches the pooler.
type BouncerExporter struct{}

// Name implements part.Part.
func (BouncerExporter) Name() string { return Pooler + "-exporter" }

// Spec implements part.Part.
func (e BouncerExporter) Spec(c part.Context) (part.Spec, error) {
	if !c.Pools() || !c.Monitoring.Enabled {
		return part.Spec{}, nil
	}
	service := part.Service{
		Program: workload.Program{
			Name: e.Name(),
			Command: []string{"/bin/pgbouncer_exporter", "--pgBouncer.pid-file=",
				fmt.Sprintf("--pgBouncer.connectionString=postgres://%s@%s:%d/pgbouncer?sslmode=disable&connect_timeout=5", figures, Pooler, poolerPort)},
			Health: monitoring.Answers("http://127.0.0.1:9127/"),
			Limits: workload.Limits{CPUs: 0.25, Memory: 32 << 20},
			User:   monitoring.Nobody,
		},
		// It reads no file; the driver reads this variable.
		Secrets:  []part.SecretFile{{Name: "password", Secret: figuresPassword, Export: "PGPASSWORD"}},
		Networks: []string{part.Watch, part.Inner},
		Job:      poolerJob,
	}
	group, err := prometheus.PartsGroup(poolerJob, poolerRules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, nil)
	if err != nil {
		return part.Spec{}, err
	}
	s := monitoring.Spec(c, service, "database.pooler.exporterImage", c.Database.Pooler.ExporterImage)
	s.Scrapes = []prometheus.Job{prometheus.Static(poolerJob, e.Name()+":9127", poolerMetrics)}
	s.Alerts = []prometheus.Group{group}
	s.Dashboards = map[string]string{poolerJob + ".json": poolerDashboard}
	return s, nil
}
