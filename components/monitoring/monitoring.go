// Package monitoring is what all parts of the monitoring have in common.
package monitoring

import (
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// Component is the component resource of all of it.
const Component = "monitoring"

// Nobody is the user of the official images of Prometheus and its exporters.
const Nobody = "65534:65534"

// Off says why the volumes are not used where there is no monitoring.
const Off = "monitoring.enabled is false"

// Spec is what a part of the monitoring is, with what all of them have: one replica of a
// service that follows the release. image is its image's reference, and key names that in the
// configuration.
func Spec(c part.Context, service part.Service, key, image string) part.Spec {
	service.Image, service.Replicas, service.Logging = service.Name, 1, c.Log(service.Name)
	if service.Networks == nil {
		service.Networks = []string{part.Watch}
	}
	if service.StopGrace == 0 {
		service.StopGrace = 10 * time.Second
	}
	service.Mounts = append(service.Mounts, part.Mount{Kind: workload.Tmpfs, Target: "/tmp"})
	return part.Spec{Component: Component, Follows: true, Services: []part.Service{service},
		Images: []part.Image{{Name: service.Name, Reference: image, SetUp: image, Key: key, Component: Component}}}
}

// Owns gives the part's service a volume of its own, so that it never runs twice.
func Owns(c part.Context, s part.Spec, target string) part.Spec {
	service := &s.Services[0]
	service.Exclusive = true
	service.Mounts = append(service.Mounts, part.Mount{Kind: workload.Volume, Source: service.Name, Target: target})
	s.Volumes = append(s.Volumes, Volume(c, service.Name, ""))
	return s
}

// Unused is what is left of a part that is switched off: its volume. why is what the
// configuration says.
func Unused(c part.Context, volume, why string) part.Spec {
	return part.Spec{Component: Component, Volumes: []part.Volume{Volume(c, volume, why)}}
}

// Volume is one that outlives the stack as the application's do.
func Volume(c part.Context, name, unused string) part.Volume {
	return part.Volume{Name: name, Resource: Component + "-" + name, Engine: c.Stack + "-" + name, Data: true, Unused: unused}
}

// Answers is a health check in the words of the official images, which are made
// of busybox. Nothing waits for these but the first `up`, and one that hangs is missed by
// Prometheus before (TargetDown).
func Answers(url string) workload.Health {
	return workload.Health{
		Test:     []string{"CMD", "wget", "-q", "-O", "/dev/null", url},
		Interval: 5 * time.Second, Passing: time.Minute, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
	}
}
