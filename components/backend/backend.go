// Package backend is the application, after docs/application.md.
package backend

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// Python is what the applications' Dockerfiles begin with; it is they who say so.
const Python = "python:3.11-slim"

// name is the workload's, and what nginx and Prometheus look it up by.
const name = "backend"

// The lengths of generated secrets, in characters of 62: 64 are more than the
// 256 bits that HS256 wants (RFC 7518, section 3.2), 24 are 142 bits.
const (
	jwtKeyLength        = 64
	adminPasswordLength = 24
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	service, err := replicas(c)
	if err != nil {
		return part.Spec{}, err
	}
	s := part.Spec{
		Component: name,
		Needs:     needs(c),
		Services:  []part.Service{service},
		Jobs:      migration(c, service),
		Secrets:   secrets(c),
		Images:    []part.Image{image(c)},
		Scrapes:   []prometheus.Job{prometheus.Replicas(name, c.Backend.Paths.Metrics, c.Backend.Port, c.Monitoring.Interval)},
		Outputs:   map[string]part.Output{"adminPassword": {Secret: "adminPassword"}},
	}
	if c.Backend.MountCode && !c.Host.Local {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the engine is on another machine (%s), which does not have the folder %s: "+
			"the backend runs from the image, without hot reload", c.Host.Name, c.Backend.Context))
	}
	return s, nil
}

// Dependencies is the name of the part that has what the configuration says it depends on.
const Dependencies = "dependencies"

// Replica is one of its replicas, for whoever runs something else that is to have the same.
func Replica(c part.Context) (part.Service, error) { return replicas(c) }

func replicas(c part.Context) (part.Service, error) {
	cfg := c.Backend
	s := part.Service{
		Program: workload.Program{
			Name:        name,
			Command:     cfg.Command,
			Environment: environment(c),
			Writes:      writes(c),
			Health:      health(c),
			Limits:      workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: "backend"},
			Replicas:    cfg.Replicas,
			Logging:     c.Log(name),
			User:        cfg.User,
			Home:        true,
			Hosts:       cfg.ExtraHosts,
			StopGrace:   cfg.StopGrace,
		},
		Image:    name,
		Secrets:  secretFiles(c, false),
		Networks: []string{part.Inner},
		After:    earlier(c),
		Upstream: c.Nginx.Enabled,
		Job:      name,
		Mounts:   mounts(c),
	}
	s.Explain = func(err error) error { return explain(c, s.Environment, err) }
	if c.Networks.BackendEgress {
		s.Networks = append(s.Networks, part.Edge)
	}
	if mountsCode(c) {
		folder, err := filepath.Abs(cfg.Context)
		if err != nil {
			return s, err
		}
		s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Bind, Source: folder, Target: cfg.WorkingDir})
	}
	for _, p := range []struct {
		key             string
		host, container int
	}{{"backend.publishPort", cfg.PublishPort, cfg.Port}, {"backend.debuggerPort", cfg.DebuggerPort, cfg.DebuggerPort}} {
		if p.host != 0 {
			s.Ports = append(s.Ports, workload.Port{Address: cfg.PublishAddress, Host: p.host, Container: p.container, Key: p.key, AddressKey: "backend.publishAddress"})
		}
	}
	return s, nil
}

// needs are the parts that come before it: those that have something for the application,
// what has its volumes, and what the configuration says.
func needs(c part.Context) []string {
	all := append(slices.Clone(c.Offered.Before), storage.Part{}.Name())
	if len(c.Backend.DependsOn) > 0 {
		all = append(all, Dependencies)
	}
	return all
}

// mounts are the volumes, and the folders in memory.
func mounts(c part.Context) []part.Mount {
	all := storage.Mounts(c)
	// The one of the data comes first, as ever: another order would be another container.
	after := min(len(all), 1)
	if c.Volumes.Data == "" {
		after = 0
	}
	all = slices.Insert(all, after, part.Mount{Kind: workload.Tmpfs, Target: "/tmp"})
	for _, folder := range c.Backend.Tmpfs {
		all = append(all, part.Mount{Kind: workload.Tmpfs, Target: folder})
	}
	return all
}

// writes are the folders of data, and the database's file. None is not nil: it is known.
func writes(c part.Context) []string {
	all := []string{}
	for _, m := range storage.Mounts(c) {
		if m.Source != "static" && m.Source != "logs" {
			all = append(all, m.Target)
		}
	}
	if file := c.DatabaseFile(); file != "" {
		all = slices.Insert(all, min(len(all), 1), file)
	}
	return all
}

// earlier are the jobs that the replicas come after.
func earlier(c part.Context) []string {
	all := append(slices.Clone(c.Offered.Jobs), storage.Jobs(c)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// health is what the configuration says, and where it says nothing the image's.
func health(c part.Context) workload.Health {
	cfg := c.Backend.Health
	h := workload.Health{Interval: cfg.Interval, Timeout: cfg.Timeout, StartPeriod: cfg.StartPeriod, Retries: cfg.Retries}
	switch {
	case len(cfg.Command) > 0:
		h.Test = slices.Concat([]string{"CMD"}, cfg.Command)
	case cfg.Path != "": // by the name that the application has to answer to anyway
		h.Test = workload.AsksHTTP(c.Backend.Port, cfg.Path, cmp.Or(c.Site.Name, "localhost"))
	case cfg.Port != 0:
		h.Test = workload.Connects(cfg.Port)
	}
	return h
}

// mountsCode is false with an engine on another machine, which does not have the folder.
func mountsCode(c part.Context) bool { return c.Backend.MountCode && c.Host.Local }

// explain adds to an error of the replicas what of the platform is behind it.
func explain(c part.Context, environment map[string]string, err error) error {
	if hint := c.Backend.Mentioned(err.Error(), environment); hint != "" {
		err = fmt.Errorf("%w\n%s", err, hint)
	}
	if errors.Is(err, workload.ErrNoHealthCheck) {
		err = fmt.Errorf("%w: set one of %[2]s:backend.health.path, which is asked by HTTP, %[2]s:backend.health.port, which has to take a connection, "+
			"and %[2]s:backend.health.command; or give the Dockerfile a HEALTHCHECK", err, config.Namespace)
	}
	if errors.Is(err, engine.ErrCheckRefused) {
		err = fmt.Errorf("%w\n%s:backend.health.path is %q: name a page that answers 2xx or 3xx", err, config.Namespace, c.Backend.Health.Path)
	}
	if errors.Is(err, engine.ErrNotWritable) {
		err = notWritable(c, err)
	}
	return err
}

// notWritable says how a volume becomes the application's that is somebody else's, and has
// something in it: no update changes that.
func notWritable(c part.Context, err error) error {
	said := err.Error()
	var all, named []config.Volume
	for _, v := range storage.Volumes(c) {
		if slices.Contains(writes(c), v.Path) {
			all = append(all, v)
			if strings.Contains(said, v.Path+"/") {
				named = append(named, v)
			}
		}
	}
	if len(named) == 0 {
		named = all
	}
	for _, v := range named {
		err = storage.Somebodys(err, v.Engine, v.Path, c.Release.Image, c.Backend.User)
	}
	return err
}

func image(c part.Context) part.Image {
	i := part.Image{Name: name, Reference: c.Release.Image}
	if c.Backend.Image != "" {
		i.Key = "backend.image"
	} else {
		build := Build(c.Config, c.Host.Platform)
		i.Build, i.SetUp = &build, c.Build.Base(c.Build.BaseRegistry+Python)
	}
	if mountsCode(c) {
		i.Inspect = func(words []string) string { return warnHidden(c, words) }
	}
	return i
}

// Build is what the application's image is built from, for the engine's platform where the
// configuration names no other.
func Build(cfg config.Config, platform string) buildcontext.Build {
	b := cfg.Build
	args := maps.Clone(b.Args)
	if args == nil {
		args = map[string]string{}
	}
	for name, value := range map[string]string{"BASE_REGISTRY": b.BaseRegistry, "PIP_INDEX_URL": b.PipIndexURL, "APT_MIRROR": b.AptMirror} {
		if value != "" {
			args[name] = value
		}
	}
	if b.Platform != "" {
		platform = b.Platform // left out, the provider warns at every run
	}
	return buildcontext.Build{Context: cfg.Backend.Context, Dockerfile: cfg.Backend.Dockerfile, Target: cfg.Backend.Target, Platform: platform, Args: args,
		BaseImages: b.Bases(), Secrets: b.Secrets}
}
