// Package blackbox is the part that asks the site what users ask, through nginx.
package blackbox

import (
	assets "tarot-platform/assets/blackbox"
	"tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/nginx"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const (
	name = "blackbox"
	job  = "probe" // what Prometheus calls it
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.Monitoring.Enabled || !c.Nginx.Enabled {
		return part.Spec{}, nil
	}
	service := part.Service{
		Program: workload.Program{
			Name:    name,
			Command: []string{"/bin/blackbox_exporter", "--config.file=" + workload.ConfigDir + "/blackbox.yml", "--log.format=json"},
			Health:  monitoring.Answers("http://127.0.0.1:9115/-/healthy"),
			Limits:  workload.Limits{CPUs: 0.25, Memory: 64 << 20},
			User:    monitoring.Nobody,
		},
		Files:    []part.File{{Name: "blackbox.yml", Text: part.Plain(assets.Settings())}},
		Networks: []string{part.Watch, part.Inner},
		Job:      job,
	}
	s := monitoring.Spec(c, service, "monitoring.images.blackboxExporter", c.Monitoring.Images.BlackboxExporter)
	s.Scrapes = []prometheus.Job{prometheus.Probe(job, nginx.Probe(c), c.Site.Name)}
	return s, nil
}
