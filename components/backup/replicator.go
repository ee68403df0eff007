package backup

import (
	_ "embed" // the rules and the dashboard
	"fmt"
	"path"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/cron"
)

const (
	// job is what Prometheus calls the backups.
	job = component
	// port is the helper's, for Prometheus and for the rehearsal.
	port = 9747
	// metrics is what is kept of the helper's and Litestream's.
	metrics = `backup_.+|litestream_(db_size|wal_size|disk_full)|litestream_replica_operation_(total|bytes|errors_total)`
)

//go:embed replicator.rules.yml.tmpl
var replicatorRules string

//go:embed backup.json
var dashboard string

// Replicator sends a database in a file to the target as it changes, and has the metrics of all
// that is backed up: it is there also where no database is in a file.
//
// Two would make copies that can't be restored, so that there is one, which is stopped before
// the next one starts, and which holds a lock in the database's volume.
type Replicator struct{}

// Name implements part.Part.
func (Replicator) Name() string { return replicator }

// Spec implements part.Part.
func (Replicator) Spec(c part.Context) (part.Spec, error) {
	if !c.Backup.Enabled {
		return part.Spec{}, nil
	}
	s := part.Spec{Component: component, Follows: true, Services: []part.Service{replicate(c)},
		Scrapes: []prometheus.Job{prometheus.Static(job, fmt.Sprintf("%s:%d", replicator, port), metrics)}}
	if !c.Monitoring.Enabled {
		return s, nil
	}
	s.Dashboards = map[string]string{"backup.json": dashboard}
	var err error
	s.Alerts, err = alerts(c, replicator, replicatorRules, "")
	return s, err
}

// alerts are the rules of one of the parts. expression is when it runs; empty: always.
func alerts(c part.Context, name, rules, expression string) ([]prometheus.Group, error) {
	_, database := DatabaseVolume(c)
	of := struct {
		Database bool
		Oldest   int // how old a good one may be, in seconds
	}{Database: database}
	if expression != "" {
		longest, err := cron.Longest(expression, c.Backup.TimeZone)
		if err != nil {
			return nil, err
		}
		of.Oldest = int((longest + late) / time.Second)
	}
	group, err := prometheus.PartsGroup(name, rules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, of)
	return []prometheus.Group{group}, err
}

// late is how long after its time a run may end before it is told.
const late = 2 * time.Hour

func replicate(c part.Context) part.Service {
	at := Place(c.Config, c.Stack)
	words := append([]string{"guard", "--database=" + c.DatabaseFile(), "--state=" + stateFolder, "--retention=" + c.Backup.Retention.String(), "--litestream=/usr/local/bin/litestream"},
		told(c, c.Backup.Target)...)
	if c.Secrets[key] != "" {
		words = append(words, "--key-kept")
	}
	s := part.Service{
		Program: workload.Program{
			Name:      replicator,
			Command:   helper(c, toolsFolder, words...),
			Health:    healthy(c, toolsFolder),
			Limits:    workload.Limits{CPUs: 0.5, Memory: 64 << 20},
			Replicas:  1,
			Logging:   c.Log(replicator),
			User:      c.Backend.User,
			Exclusive: true,
			StopGrace: 45 * time.Second, // what was written last goes to the target
		},
		Image:    replicator,
		Secrets:  credentials(c, secret, sshKey),
		Mounts:   []part.Mount{volume(stateVolume, stateFolder, false), volume(toolsVolume, toolsFolder, true), {Kind: workload.Tmpfs, Target: "/tmp"}},
		Networks: networks(at),
		After:    ground(c),
		Job:      job,
	}
	if m, there := DatabaseVolume(c); there {
		s.Mounts = append(s.Mounts, m)
	}
	// Whose job says there how it does. Not before the application is on it: a move that is taken back removes the
	// volume, which Swarm's earlier tasks would keep.
	if c.RunsPostgres() && c.Archives() {
		s.Command = append(s.Command, "--archive="+path.Join(roomFolder, "results"))
		s.Mounts = append(s.Mounts, volume(RoomVolume, roomFolder, true))
	}
	s.Mounts = append(s.Mounts, targetMounts(false, at)...)
	return s
}

// healthy is that the helper lives, and holds what it has to: not that a target answers, for which
// there are alerts.
func healthy(c part.Context, folder string) workload.Health {
	return workload.Health{Test: append([]string{"CMD"}, helper(c, folder, "health")...), Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 90 * time.Second, Retries: 3}
}
