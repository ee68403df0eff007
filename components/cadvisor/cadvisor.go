// Package cadvisor is the part that shows what the containers use. Their names and labels
// are known to the engine alone, so it is the one workload that may ask that: through its
// socket, without a published port or a way out, and without capabilities. It sees no
// networks of others: for that it would need the host's /proc.
package cadvisor

import (
	"strconv"
	"strings"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/monitoring"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/engine"
)

const name = "cadvisor"

// Where cAdvisor finds the sockets, wherever they are on the host: in the image, a
// folder of that name may be closed to its user, as /root is.
const (
	dockerSocket     = "/var/run/docker.sock"
	containerdSocket = "/run/containerd/containerd.sock"
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.Monitoring.Enabled {
		return part.Spec{}, nil
	}
	s := monitoring.Spec(c, service(c), "monitoring.images.cadvisor", c.Monitoring.Images.Cadvisor)
	s.Scrapes = []prometheus.Job{prometheus.Containers(name, c.Stack)}
	return s, nil
}

func service(c part.Context) part.Service {
	paths, interval := c.Host.Paths, c.Monitoring.Interval.String()
	s := part.Service{
		Program: workload.Program{
			Name: name,
			Command: []string{
				"/usr/bin/cadvisor", "--docker_only=true", "--docker=unix://" + dockerSocket,
				"--store_container_labels=false", "--whitelisted_container_labels=" + strings.Join([]string{engine.StackLabel, engine.WorkloadLabel, engine.AttemptLabel}, ","),
				"--housekeeping_interval=" + interval, "--max_housekeeping_interval=" + interval,
				"--enable_metrics=cpu,memory", "--logtostderr",
			},
			Health: monitoring.Answers("http://127.0.0.1:8080/healthz"),
			Limits: workload.Limits{CPUs: 0.25, Memory: 128 << 20},
			User:   "65534:" + strconv.Itoa(paths.Group),
		},
		Mounts: []part.Mount{host("/sys/fs/cgroup", "/sys/fs/cgroup"), host(paths.Socket, dockerSocket)},
		Job:    name,
	}
	if paths.Group == 0 {
		s.User, s.Root = "0:0", "it is not known who else may use the engine's socket"
	}
	if paths.Containerd == "" {
		s.Mounts = append(s.Mounts, host(paths.Layers, paths.Layers))
		return s
	}
	s.Groups = []int{paths.ContainerdGroup}
	if paths.ContainerdGroup == 0 && s.Root == "" {
		s.Root = "containerd's socket is that of root's group"
	}
	s.Command = append(s.Command, "--containerd="+containerdSocket)
	s.Mounts = append(s.Mounts, host(paths.Containerd, containerdSocket))
	return s
}

// host is the engine host's own, to be read.
func host(path, target string) part.Mount {
	return part.Mount{Kind: workload.Bind, Source: path, Target: target, ReadOnly: true}
}
