// Package nodeexporter is the part that shows what the host does, and what only a deploy
// knows: the latter is a file, written by a job. In Prometheus' own files it would restart
// Prometheus with every release.
package nodeexporter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

const (
	name = "node-exporter"
	job  = "node" // what Prometheus calls it
	// metrics is the volume for textfiles, where the deploy, and jobs of the operator's,
	// put metrics to be shown.
	metrics   = "metrics"
	textfiles = "/textfile"
	within    = 30 * time.Second
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part. node-exporter sees of the host what any process sees: nothing
// of it is mounted. The disk is seen through the data volume that is on it.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.Monitoring.Enabled {
		return monitoring.Unused(c, metrics, monitoring.Off), nil
	}
	service := part.Service{
		Program: workload.Program{
			Name: name,
			Command: []string{
				"/bin/node_exporter", "--collector.disable-defaults",
				"--collector.cpu", "--collector.diskstats", "--collector.filesystem", "--collector.loadavg", "--collector.meminfo",
				"--collector.textfile", "--collector.time", "--collector.uname", "--collector.vmstat",
				"--collector.filesystem.mount-points-include=^/volumes/", "--collector.textfile.directory=" + textfiles,
				"--log.format=json",
			},
			Health: monitoring.Answers("http://127.0.0.1:9100/"),
			Limits: workload.Limits{CPUs: 0.25, Memory: 64 << 20},
			User:   monitoring.Nobody,
		},
		Mounts: []part.Mount{
			{Kind: workload.Volume, Source: metrics, Target: textfiles, ReadOnly: true},
			{Kind: workload.Volume, Source: "data", Target: "/volumes/data", ReadOnly: true},
		},
		Job: job,
	}
	s := monitoring.Spec(c, service, "monitoring.images.nodeExporter", c.Monitoring.Images.NodeExporter)
	s.Volumes = []part.Volume{monitoring.Volume(c, metrics, "")}
	facts, err := publish(c)
	s.Jobs = []part.Job{facts}
	s.Scrapes = []prometheus.Job{prometheus.Static(job, name+":9100", prometheus.NodeMetrics)}
	return s, err
}

// publishScript has the file appear when it is whole. A release is deployed when something that is
// told of it has changed; the job runs when anything has, which is when containers are replaced.
const publishScript = `set -eu
cd ` + textfiles + `
now=$(date +%s) deployed=
if [ -e platform.prom ] && [ "$(sed '/platform_deployed_timestamp_seconds/,$d' platform.prom)" = "$1" ]; then
  deployed=$(sed -n 's/^platform_deployed_timestamp_seconds //p' platform.prom)
fi
{
  printf '%s\n' "$1"
  echo "# HELP platform_deployed_timestamp_seconds When this release was deployed."
  echo "# TYPE platform_deployed_timestamp_seconds gauge"
  echo "platform_deployed_timestamp_seconds ${deployed:-$now}"
  echo "# HELP platform_updated_timestamp_seconds When an update has changed something for the last time."
  echo "# TYPE platform_updated_timestamp_seconds gauge"
  echo "platform_updated_timestamp_seconds $now"
} >.platform.prom.new
chmod 644 .platform.prom.new
mv .platform.prom.new platform.prom
`

// publish has the deploy's metrics shown.
func publish(c part.Context) (part.Job, error) {
	of, err := made(c)
	const name = "monitoring-facts" // what states and volumes know it by
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    name,
				Command: []string{"/bin/sh", "-c", publishScript, "facts", deployMetrics(c), of},
				Limits:  workload.Limits{Memory: 32 << 20},
				Logging: c.Log(name),
				User:    "0:0", // the volume belongs to root
			},
			Image:  "node-exporter",
			Mounts: []part.Mount{{Kind: workload.Volume, Source: metrics, Target: textfiles}},
		},
		When:   part.Beside,
		Within: within,
	}, err
}

// made names what containers are made of, and no secret: with another one, some are replaced.
func made(c part.Context) (string, error) {
	file, err := c.StackFile("")
	if err != nil {
		return "", err
	}
	o := c.Offered
	sum := sha256.Sum256(fmt.Appendf(file, "%v", []any{o.Scrapes, o.Alerts, o.Dashboards, c.Scheduler.Reference, c.Helper.Reference, c.Archiving.Reference}))
	return hex.EncodeToString(sum[:8]), nil
}

// deployMetrics are what only the deploy knows, as metrics.
func deployMetrics(c part.Context) string {
	maintenance := 0
	if c.Maintenance {
		maintenance = 1
	}
	wanted := []string{
		"# HELP platform_replicas_wanted How many replicas a workload is to have.",
		"# TYPE platform_replicas_wanted gauge",
		fmt.Sprintf("platform_replicas_wanted{workload=%q} %d", config.BackendName, c.Backend.Replicas),
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		wanted = append(wanted, fmt.Sprintf("platform_replicas_wanted{workload=%q} %d", name, c.Services[name].Replicas))
	}
	return strings.Join(append(wanted,
		"# HELP platform_release_info Always 1; the release that runs.",
		"# TYPE platform_release_info gauge",
		fmt.Sprintf("platform_release_info{release=%q,image=%q} 1", c.Release.Name, c.Release.Image),
		"# HELP platform_maintenance 1 while users get the maintenance page on request.",
		"# TYPE platform_maintenance gauge",
		"platform_maintenance "+strconv.Itoa(maintenance),
	), "\n")
}
