package workload

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"time"
)

// nameForm is a DNS label: the name is looked up by the other workloads.
var nameForm = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// userForm is numbers, as only the image knows its names, and neither is root's.
var userForm = regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`)

// variableForm is what a shell takes for a variable.
var variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reader are what root needs to become a user that may read files whoever they are of, and
// write no others' (cmd/backup as).
var reader = []string{"DAC_READ_SEARCH", "SETGID", "SETUID"}

// Validate says what a runtime could not realise, or should not: a workload
// without limits, as root, or with a path that is mounted twice. The faults are
// mistakes in components, as configuration has been checked before.
func (w Workload) Validate() error {
	var faults []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("workload %q: "+format, append([]any{w.Name}, args...)...))
		}
	}
	want(nameForm.MatchString(w.Name), "the name is no DNS label")
	want(w.Image.Reference != "", "no image")
	want(w.Replicas >= 1, "replicas %d, want at least 1", w.Replicas)
	want(len(w.Ports) == 0 || w.Replicas <= 1, "%d replicas can not share a host port", w.Replicas)
	want(!w.Exclusive || w.Replicas <= 1, "%d replicas, and only one may run at a time", w.Replicas)
	want(w.Limits.Memory > 0, "no memory limit")
	want(userForm.MatchString(w.User) || w.Root != "" && w.User == "0:0", "user %q, want uid:gid other than root", w.User)
	want(!slices.Contains(w.Groups, 0) || w.Root != "", "groups %v, want none of root's", w.Groups)
	want(len(w.Capabilities) == 0 || w.Root != "" && !slices.ContainsFunc(w.Capabilities, func(c string) bool { return !slices.Contains(reader, c) }),
		"capabilities %v, and a service may have none but those of a reader, as root: %v", w.Capabilities, reader)
	want(w.Isolated || len(w.Networks) > 0, "no network")
	want(!w.Isolated || len(w.Networks) == 0, "isolated, and on %d networks", len(w.Networks))
	want(w.Health.Steady >= time.Second || w.Health.Steady == 0 && w.Health.Interval >= time.Second && w.Health.Retries >= 1,
		"no health check, and no time in which it has to run without ending")
	want(!w.Health.Direct || len(w.Health.Test) > 1 && w.Health.Test[0] == "CMD", "a check that the engine starts itself, and no command")
	want(w.StopGrace >= time.Second, "stop grace %s, want at least 1s", w.StopGrace)
	reachable := false
	for _, n := range w.Networks {
		reachable = reachable || !n.Internal
	}
	want(len(w.Ports) == 0 || reachable, "publishes ports, but has internal networks only")
	targets := map[string]bool{}
	for _, m := range w.Mounts {
		want(path.IsAbs(m.Target), "mount target %q is not absolute", m.Target)
		want(!targets[m.Target], "mount target %q is used twice", m.Target)
		want((m.Kind == Tmpfs) == (m.Source == nil), "mount %q: a %s and its source do not fit", m.Target, m.Kind)
		targets[m.Target] = true
	}
	want(slices.ContainsFunc(w.Mounts, func(m Mount) bool { return m.Kind == Tmpfs && m.Target == "/tmp" }),
		"no tmpfs at /tmp, where the health check remembers until the next start that it has passed")
	for _, f := range w.Files {
		want(f.Name == path.Base(f.Name), "file name %q has a folder", f.Name)
	}
	for _, s := range w.Secrets {
		want(s.Name == path.Base(s.Name), "secret name %q has a folder", s.Name)
		want(s.Export == "" || variableForm.MatchString(s.Export), "secret %q can't be the variable %q", s.Name, s.Export)
	}
	return errors.Join(faults...)
}
