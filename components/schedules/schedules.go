// Package schedules is the commands that run when they are due. Each has a container of its
// own, which is a replica of a service with the scheduler (cmd/scheduler) in place of its
// command; the scheduler is in a volume, so that the image needs to know nothing of it.
package schedules

import (
	_ "embed"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/services"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

const (
	// component is what the state knows all of it by.
	component = "schedules"
	// scheduler is the name of the program and of the volume.
	scheduler = "scheduler"
	// publisher is the name of the job that puts the one into the other, and of its image: no
	// service can be called so.
	publisher = "publish-scheduler"
	// folder is where the volume is in the containers.
	folder = "/run/scheduler"
	// port is the scheduler's, for Prometheus.
	port = "9746"
	// metrics are kept of it.
	metrics = "schedule_.+"
	// killed is how long the scheduler takes to stop what runs when its grace is over, and to
	// write down that it did: 10 s from SIGTERM to SIGKILL, and some.
	killed = 15 * time.Second
)

//go:embed rules.yml.tmpl
var rules string

// Part describes itself. It follows the release: what is due runs in the image that users
// have, with the schema that its migration has made.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return component }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	names := c.Scheduled()
	if len(names) == 0 {
		return part.Spec{}, nil
	}
	build := c.Scheduler.Build
	s := part.Spec{
		Component: component,
		Follows:   true,
		Images:    []part.Image{{Name: publisher, Reference: c.Scheduler.Reference, Build: &build, Component: component}},
		Volumes:   []part.Volume{{Name: scheduler, Resource: component + "-" + scheduler, Engine: c.Stack + "-" + scheduler}},
		Jobs:      []part.Job{publish(c)},
	}
	for _, name := range names {
		service, err := describe(c, name)
		if err != nil {
			return s, err
		}
		s.Services = append(s.Services, service)
		s.Scrapes = append(s.Scrapes, prometheus.Static(service.Job, service.Name+":"+port, metrics))
	}
	if !c.Monitoring.Enabled {
		return s, nil
	}
	group, err := prometheus.PartsGroup(component, rules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, nil)
	s.Alerts = []prometheus.Group{group}
	return s, err
}

// program is where the scheduler is: another one has another path, so that a container that
// the engine starts again finds its own.
func program(c part.Context) string {
	_, tag, _ := strings.Cut(c.Scheduler.Reference, ":")
	return scheduler + "-" + tag
}

// publish puts the scheduler into the volume. A new volume is root's.
func publish(c part.Context) part.Job {
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    publisher,
				Command: []string{"/" + scheduler, "install", "/volume", program(c)},
				Limits:  workload.Limits{Memory: 32 << 20},
				Logging: c.Log(publisher),
				User:    "0:0",
			},
			Image:  publisher,
			Mounts: []part.Mount{{Kind: workload.Volume, Source: scheduler, Target: "/volume"}},
		},
		Within: time.Minute,
	}
}

func describe(c part.Context, name string) (part.Service, error) {
	cfg := c.Schedules[name]
	s, err := services.As(c, cfg.Service, cfg.Grace())
	if err != nil {
		return s, err
	}
	file := path.Join(folder, program(c))
	s.Name = config.ScheduleWorkload(name)
	s.Command = append(words(name, cfg, file), cfg.Command...)
	s.Environment = maps.Clone(s.Environment)
	maps.Copy(s.Environment, cfg.Environment)
	s.Health = workload.Health{Test: []string{"CMD", file, "health"}, Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3}
	s.Limits = workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: component + "." + name}
	s.Replicas, s.Exclusive, s.StopGrace = 1, true, cfg.Grace()+killed
	s.Logging = c.Log(s.Name)
	s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Volume, Source: scheduler, Target: folder})
	s.Job = s.Name
	s.Explain = nil
	return s, nil
}

// words start the scheduler; what it is to run comes after them.
func words(name string, cfg config.Schedule, file string) []string {
	all := []string{file, "serve", "--name=" + name, "--state=" + folder + "/state", "--cron=" + cfg.Cron, "--zone=" + cfg.TimeZone,
		"--limit=" + cfg.TimeLimit.String(), "--grace=" + cfg.Grace().String()}
	if cfg.Retries > 0 {
		all = append(all, fmt.Sprintf("--retries=%d", cfg.Retries), "--pause="+cfg.RetryPause.String())
	}
	if cfg.Overlap == "wait" {
		all = append(all, "--wait")
	}
	return append(all, "--")
}
