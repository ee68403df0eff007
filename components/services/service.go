package services

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/components/backend"
	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// As is a program that runs beside a service, or beside the backend, with what that has: its
// image, variables, secrets, volumes, networks and user. It listens for nobody, and grace is
// its own.
func As(c part.Context, name string, grace time.Duration) (part.Service, error) {
	cfg := c.Services[name] // of the backend, the zero one: its image, and no more
	cfg.Port, cfg.Scrape.Port, cfg.StopGrace, cfg.StopSignal = 0, 0, grace, ""
	s, err := describe(c, name, cfg)
	s.Upstream, s.Answers, s.Writes = false, nil, nil
	return s, err
}

// describe is a service: one that runs the backend's image is a replica of the backend with
// another command, and any other has what its keys say.
func describe(c part.Context, name string, cfg config.Service) (part.Service, error) {
	s := part.Service{
		Image:    name,
		Networks: []string{part.Inner},
		Mounts:   []part.Mount{{Kind: workload.Tmpfs, Target: "/tmp"}},
	}
	if cfg.OfBackend() {
		replica, err := backend.Replica(c)
		if err != nil {
			return s, err
		}
		s = replica
		s.Environment, s.Secrets = inherited(c, cfg, replica)
	}
	s.Name, s.Logging, s.Command, s.Replicas = name, c.Log(name), cfg.Command, cfg.Replicas
	s.Environment, s.Health, s.Ports, s.Writes, s.Job = with(s.Environment, cfg), health(c, cfg), nil, nil, ""
	s.Limits = workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: "services." + name}
	s.User, s.Recreate, s.StopSignal, s.StopGrace = cmp.Or(cfg.User, c.Backend.User), cfg.StopsFirst(), cfg.StopSignal, cfg.StopGrace
	s.Secrets = secretFiles(s.Secrets, cfg)
	s.Mounts = append(slices.Clone(s.Mounts), mounts(name, cfg)...)
	if s.Health.Steady == 0 { // what is asked has a shell, which the attempt needs
		s.Writes = slices.Sorted(maps.Values(cfg.Volumes))
	}
	if cfg.Egress && !slices.Contains(s.Networks, part.Edge) {
		s.Networks = append(slices.Clone(s.Networks), part.Edge)
	}
	if cfg.Scrape.Port != 0 {
		s.Job = name
	}
	s.Upstream, s.Answers = verified(c, name)
	s.Explain = func(err error) error { return explain(c, s, err) }
	return s, nil
}

// inherited is of the backend's environment and secrets what another program of its image has a
// use for, by whatever names. What tells a web server where to listen, and how, is only for what
// listens. What the service itself says goes before it.
func inherited(c part.Context, cfg config.Service, replica part.Service) (map[string]string, []part.SecretFile) {
	all := maps.Clone(replica.Environment)
	change := func(variable, value string) {
		for _, name := range c.Backend.Called(variable) {
			if _, told := all[name]; told && value != "" {
				all[name] = value
			} else {
				delete(all, name)
			}
		}
	}
	change("DEBUGGER_PORT", "")
	change("GRACEFUL_TIMEOUT", strconv.Itoa(max(1, int(cfg.StopGrace*3/4/time.Second))))
	if cfg.Port == 0 {
		for _, variable := range []string{"HOST", "PORT", "WORKERS", "WEB_CONCURRENCY"} {
			change(variable, "")
		}
	} else {
		change("PORT", strconv.Itoa(cfg.Port))
	}
	own := slices.Concat(cfg.Secrets, cfg.SecretEnvironment)
	for _, name := range own {
		delete(all, name)
	}
	var secrets []part.SecretFile
	for _, f := range replica.Secrets {
		name := strings.ToUpper(f.Name)
		_, value := cfg.Environment[name]
		_, file := cfg.Environment[name+"_FILE"]
		another := slices.Contains(own, name) && f.Secret != name
		if !value && !file && !another {
			secrets = append(secrets, f)
		}
	}
	return all, secrets
}

// with adds the service's own.
func with(environment map[string]string, cfg config.Service) map[string]string {
	all := maps.Clone(environment)
	if all == nil {
		all = map[string]string{}
	}
	if cfg.Port != 0 {
		all["PORT"] = strconv.Itoa(cfg.Port)
	}
	maps.Copy(all, cfg.Environment)
	return all
}

// secretFiles adds the service's own to those that it has from the backend, which may be the
// same ones.
func secretFiles(inherited []part.SecretFile, cfg config.Service) []part.SecretFile {
	all := slices.Clone(inherited)
	file := func(name string) *part.SecretFile {
		called := strings.ToLower(name)
		index := slices.IndexFunc(all, func(f part.SecretFile) bool { return f.Name == called })
		if index < 0 {
			index, all = len(all), append(all, part.SecretFile{Name: called, Secret: name})
		}
		return &all[index]
	}
	for _, name := range cfg.Secrets {
		file(name).Variable = name + "_FILE"
	}
	for _, name := range cfg.SecretEnvironment {
		f := file(name)
		f.Variable, f.Export = name+"_FILE", name
	}
	return all
}

// explain adds to an error of a service the keys that mend it.
func explain(c part.Context, s part.Service, err error) error {
	key := config.Namespace + ":services." + s.Name
	if errors.Is(err, workload.ErrNoHealthCheck) {
		err = fmt.Errorf("%w\nset one of %[2]s.health.path, .port and .command; or %[2]s.health.none to true, where there is nothing to ask", err, key)
	}
	if errors.Is(err, engine.ErrCheckRefused) {
		err = fmt.Errorf("%w\n%s.health.path is %q: name a page that answers 2xx or 3xx", err, key, c.Services[s.Name].Health.Path)
	}
	if !errors.Is(err, engine.ErrNotWritable) {
		return err
	}
	for volume, target := range c.Services[s.Name].Volumes {
		if strings.Contains(err.Error(), target) {
			err = storage.Somebodys(err, c.Stack+"-"+s.Name+"-"+volume, target, cmp.Or(c.Release.Images[s.Name], c.Release.Image), s.User)
		}
	}
	return err
}
