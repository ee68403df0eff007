package postgres

import (
	_ "embed" // the rules and the dashboard
	"fmt"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// job is what Prometheus calls it.
const job = Name

// metrics is what is kept of the exporter's.
const metrics = `pg_up|pg_settings_max_connections|pg_stat_activity_(count|max_tx_duration)|pg_stat_database_(xact_commit|xact_rollback|tup_(inserted|updated|deleted)|deadlocks|blks_hit|blks_read|temp_bytes)|pg_database_size_bytes|pg_stat_user_tables_(n_dead_tup|n_live_tup)|pg_replication_slot_(slot_is_active|safe_wal_size_bytes)|pg_wal_size_bytes|pg_stat_archiver_(failed_count|last_archive_age)|pg_database_wraparound_age_datfrozenxid_seconds`

//go:embed rules.yml.tmpl
var rules string

//go:embed postgres.json
var dashboard string

// Exporter is what watches the server: metrics, with the alerts and the dashboard that are made
// of them. It logs in through the socket, as an account that reads figures and nothing else.
type Exporter struct{}

// Name implements part.Part.
func (Exporter) Name() string { return Name + "-exporter" }

// Spec implements part.Part.
func (e Exporter) Spec(c part.Context) (part.Spec, error) {
	if !c.HasPostgres() || !c.Monitoring.Enabled {
		return part.Spec{}, nil
	}
	service := part.Service{
		Program: workload.Program{
			Name: e.Name(),
			Command: []string{"/bin/postgres_exporter", "--collector.database_wraparound", "--no-collector.statio_user_tables",
				"--no-collector.stat_bgwriter", "--no-collector.replication", "--no-collector.roles"},
			Environment: map[string]string{"DATA_SOURCE_NAME": fmt.Sprintf("host=%s user=exporter dbname=%s sslmode=disable", socketFolder, database)},
			Health:      monitoring.Answers("http://127.0.0.1:9187/"),
			Limits:      workload.Limits{CPUs: 0.25, Memory: 48 << 20},
			User:        monitoring.Nobody, // whom the server knows by this number
		},
		Mounts: []part.Mount{{Kind: workload.Volume, Source: Socket, Target: socketFolder, ReadOnly: true}},
		Job:    job,
	}
	group, err := prometheus.PartsGroup(Name, rules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, nil)
	if err != nil {
		return part.Spec{}, err
	}
	s := monitoring.Spec(c, service, "database.exporterImage", c.Database.ExporterImage)
	s.Scrapes = []prometheus.Job{prometheus.Static(job, e.Name()+":9187", metrics)}
	s.Alerts = []prometheus.Group{group}
	s.Dashboards = map[string]string{Name + ".json": dashboard}
	return s, nil
}
