// Package services is the programs that an application brings beside its backend: workers,
// schedulers, other web servers, by names of the user's own. Nothing here, and nothing that
// realises it, knows one of them.
package services

import (
	_ "embed"
	"maps"
	"slices"
	"strings"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/backend"
	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/config"
)

//go:embed rules.yml.tmpl
var rules string

// component is what the state knows all of it by.
const component = "services"

// volumePrefix begins the names that the state has for volumes of services.
const volumePrefix = "service-volume-"

// Part are the services that go out with the backend: those that run its image find the schema
// that its migration has made, none is touched by a release that was not found good, and a
// worker is there before the first request asks for a new kind of work, where the runtime can
// tell so early. Otherwise that is before the edge switches.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return "services" }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	before := c.BeforeBackend()
	s, err := specOf(c, func(name string) bool { return !before[name] })
	if err != nil {
		return s, err
	}
	s.With = config.BackendName
	s.Secrets = secrets(c)
	s.Routes, s.Warnings = routes(c)
	s.Volumes = append(s.Volumes, left(c)...)
	if len(c.Services) == 0 || !c.Monitoring.Enabled {
		return s, nil
	}
	group, err := prometheus.PartsGroup(component, rules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, nil)
	s.Alerts = []prometheus.Group{group}
	return s, err
}

// Dependencies are the services that the backend depends on.
type Dependencies struct{}

// Name implements part.Part.
func (Dependencies) Name() string { return backend.Dependencies }

// Spec implements part.Part.
func (Dependencies) Spec(c part.Context) (part.Spec, error) {
	before := c.BeforeBackend()
	return specOf(c, func(name string) bool { return before[name] })
}

// specOf describes those of the services that are wanted, each after those that it depends on.
func specOf(c part.Context, wanted func(name string) bool) (part.Spec, error) {
	s := part.Spec{Component: component}
	for _, name := range c.OrderedServices() {
		if !wanted(name) {
			continue
		}
		cfg := c.Services[name]
		service, err := describe(c, name, cfg)
		if err != nil {
			return s, err
		}
		s.Services = append(s.Services, service)
		if len(cfg.Volumes) > 0 {
			s.Jobs = append(s.Jobs, giving(c, service))
		}
		for _, volume := range slices.Sorted(maps.Keys(cfg.Volumes)) {
			s.Volumes = append(s.Volumes, part.Volume{Name: volumeOf(name, volume), Resource: volumeOf(name, volume), Engine: c.Stack + "-" + name + "-" + volume, Data: true,
				Backup: true, Owner: cfg.User})
		}
		if !cfg.OfBackend() {
			s.Images = append(s.Images, image(c, name))
		}
		if cfg.Scrape.Port != 0 {
			s.Scrapes = append(s.Scrapes, prometheus.Replicas(name, cfg.Scrape.Path, cfg.Scrape.Port, c.Monitoring.Interval))
		}
	}
	if len(s.Services) == 0 {
		s.Component = ""
	}
	return s, nil
}

func volumeOf(service, volume string) string { return volumePrefix + service + "-" + volume }

// left are the volumes of services that are not there any more, or name them no more.
func left(c part.Context) []part.Volume {
	wanted := map[string]bool{}
	for name, s := range c.Services {
		for volume := range s.Volumes {
			wanted[volumeOf(name, volume)] = true
		}
	}
	var all []part.Volume
	for _, resource := range c.Known {
		if strings.HasPrefix(resource, volumePrefix) && !wanted[resource] {
			all = append(all, part.Volume{Name: resource, Resource: resource, Data: true, Unused: "services has no such volume any more"})
		}
	}
	return all
}

// secrets are those of all services that the backend does not have as well.
func secrets(c part.Context) []part.Secret {
	var names []string
	for _, s := range c.Services {
		names = slices.Concat(names, s.Secrets, s.SecretEnvironment)
	}
	slices.Sort(names)
	var all []part.Secret
	for _, name := range slices.Compact(names) {
		if !slices.Contains(c.Backend.OwnSecrets(), name) {
			all = append(all, part.Secret{Name: name, Given: c.Secrets[name]})
		}
	}
	return all
}

func image(c part.Context, name string) part.Image {
	i := part.Image{Name: name, Reference: c.Release.Images[name], Component: component}
	if c.Services[name].Context != "" {
		build := Build(c.Config, name, c.Host.Platform)
		i.Build = &build
	} else {
		i.Key = "services." + name + ".image"
	}
	return i
}

// Build is what a service's image is built from: with the arguments of the backend's.
func Build(cfg config.Config, name, platform string) buildcontext.Build {
	b, s := backend.Build(cfg, platform), cfg.Services[name]
	b.Context, b.Dockerfile, b.Target = s.Context, s.Dockerfile, s.Target
	return b
}

// giving is the job that gives its new volumes to the service's user. An image that nothing is
// asked of may have no shell, so that the backend's does it: then they have what that image has
// in their places, and its owner, from the service's first container.
func giving(c part.Context, s part.Service) part.Job {
	cfg, shell := c.Services[s.Name], true
	if !cfg.OfBackend() && s.Health.Steady > 0 {
		s.Image, shell = config.BackendName, false
	}
	return storage.Giving(c, storage.Own+"-"+s.Name, s, volumes(s.Name, cfg), func(m part.Mount) string {
		if !shell {
			return "-"
		}
		return m.Target
	})
}

func volumes(name string, s config.Service) []part.Mount {
	var all []part.Mount
	for _, volume := range slices.Sorted(maps.Keys(s.Volumes)) {
		all = append(all, part.Mount{Kind: workload.Volume, Source: volumeOf(name, volume), Target: s.Volumes[volume]})
	}
	return all
}

// mounts are the service's own, beside /tmp.
func mounts(name string, s config.Service) []part.Mount {
	all := volumes(name, s)
	for _, target := range s.Tmpfs {
		all = append(all, part.Mount{Kind: workload.Tmpfs, Target: target})
	}
	return all
}
