// Package schedules is the commands that run when they are due. Each has a container of its
// own, which is a replica of a service with the scheduler (cmd/scheduler) in place of its
// command; the scheduler is in a volume, so that the image needs to know nothing of it.
package schedules

import (
	_ "embed" // the rules
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/services"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// Folder is where the volume with the scheduler is in the containers.
const Folder = "/run/scheduler"

const (
	// component is what the state knows all of it by.
	component = "schedules"
	// scheduler is the name of the program and of the volume.
	scheduler = "scheduler"
	// publisher is the name of the job that puts the one into the other, and of its image: no
	// service can be called so.
	publisher = "publish-scheduler"
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
		s.Scrapes = append(s.Scrapes, Scrape(service))
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
	s.Command = cfg.Command
	s.Environment = maps.Clone(s.Environment)
	maps.Copy(s.Environment, cfg.Environment)
	s.Limits = workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: component + "." + name}
	return Wrap(c, name, Timetable{Cron: cfg.Cron, TimeZone: cfg.TimeZone, Overlap: cfg.Overlap, Limit: cfg.TimeLimit, Grace: cfg.Grace(), Retries: cfg.Retries, Pause: cfg.RetryPause},
		s, scheduler, program(c)), nil
}

// Timetable is when a command runs, and what becomes of a run.
type Timetable struct {
	// Cron and TimeZone are when it is due, and Overlap what becomes of what is due while it
	// runs: as in config.Schedule.
	Cron, TimeZone, Overlap string
	// Limit is how long an attempt may take, and Grace how long what runs may go on when its
	// container is to end.
	Limit, Grace time.Duration
	// Retries are the attempts after one that failed, with a Pause before each.
	Retries int
	Pause   time.Duration
}

// Wrap is a service whose command runs when it is due, in place of for ever. It is called
// cron-NAME. The scheduler is a program of that name in a volume, which is mounted at Folder.
func Wrap(c part.Context, name string, t Timetable, s part.Service, volume, program string) part.Service {
	file := path.Join(Folder, program)
	s.Name = config.ScheduleWorkload(name)
	s.Command = append(words(name, t, file), s.Command...)
	s.Health = workload.Health{Test: []string{"CMD", file, "health"}, Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3}
	s.Replicas, s.Exclusive, s.StopGrace = 1, true, t.Grace+killed
	s.Logging = c.Log(s.Name)
	s.Mounts = append(slices.Clone(s.Mounts), part.Mount{Kind: workload.Volume, Source: volume, Target: Folder})
	s.Job = s.Name
	s.Explain = nil
	return s
}

// Scrape is where the metrics are of what Wrap has returned.
func Scrape(s part.Service) prometheus.Job { return prometheus.Static(s.Job, s.Name+":"+port, metrics) }

// words start the scheduler; what it is to run comes after them.
func words(name string, t Timetable, file string) []string {
	all := []string{file, "serve", "--name=" + name, "--state=" + Folder + "/state", "--cron=" + t.Cron, "--zone=" + t.TimeZone,
		"--limit=" + t.Limit.String(), "--grace=" + t.Grace.String()}
	if t.Retries > 0 {
		all = append(all, fmt.Sprintf("--retries=%d", t.Retries), "--pause="+t.Pause.String())
	}
	if t.Overlap == "wait" {
		all = append(all, "--wait")
	}
	return append(all, "--")
}
