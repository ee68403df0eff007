//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// api talks to the engine without the CLI, which may differ from machine to machine.
func api(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// containers are the stack's running containers of a workload, by id.
func (s *stack) containers(workload string) map[string]container.InspectResponse {
	s.t.Helper()
	docker := api(s.t)
	list, err := docker.ContainerList(context.Background(), container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", "tarot.stack="+s.prefix()), filters.Arg("label", "tarot.workload="+workload))})
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]container.InspectResponse{}
	for _, c := range list {
		if found[c.ID], err = docker.ContainerInspect(context.Background(), c.ID); err != nil {
			s.t.Fatal(err)
		}
	}
	return found
}

// inspections is all that the engine tells of the stack: containers, services
// with their tasks, configs, networks, volumes and the image's history.
func (s *stack) inspections(image string) string {
	s.t.Helper()
	docker, ctx := api(s.t), context.Background()
	var all strings.Builder
	add := func(v any, err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := json.NewEncoder(&all).Encode(v); err != nil {
			s.t.Fatal(err)
		}
	}
	mine := filters.NewArgs(filters.Arg("label", "tarot.stack="+s.prefix()))
	list, err := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	add(list, err)
	if len(list) == 0 {
		s.t.Fatal("the stack has no containers")
	}
	for _, c := range list {
		add(docker.ContainerInspect(ctx, c.ID))
	}
	history, err := docker.ImageHistory(ctx, image)
	add(history, err)
	add(docker.ImageInspect(ctx, image))
	if services, err := docker.ServiceList(ctx, allServices); err == nil {
		tasks, err := docker.TaskList(ctx, swarm.TaskListOptions{})
		add(tasks, err)
		configs, err := docker.ConfigList(ctx, swarm.ConfigListOptions{})
		add(configs, err)
		add(services, nil)
	}
	volumes, err := docker.VolumeList(ctx, volume.ListOptions{})
	add(volumes, err)
	return all.String()
}

func (s *stack) hasVolume(name string) bool {
	s.t.Helper()
	_, err := api(s.t).VolumeInspect(context.Background(), name)
	return err == nil
}

// removeVolumes removes all of the stack's but some.
func (s *stack) removeVolumes(but ...string) {
	docker := api(s.t)
	records, _ := docker.VolumeList(context.Background(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "tarot.stack="+s.prefix()))})
	for _, v := range records.Volumes {
		if !slices.Contains(but, v.Name) {
			_ = docker.VolumeRemove(context.Background(), v.Name, false)
		}
	}
	var names []string
	own, _ := docker.VolumeList(context.Background(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", s.prefix()+"-"))})
	for _, v := range own.Volumes {
		names = append(names, v.Name)
	}
	for _, kind := range []string{"data", "static", "logs"} {
		names = append(names, s.volume(kind))
	}
	for _, name := range names {
		if slices.Contains(but, name) {
			continue
		}
		// Tasks of a removed service hold on to their volumes until they are gone.
		for range 60 {
			if err := docker.VolumeRemove(context.Background(), name, false); err == nil || errdefs.IsNotFound(err) {
				break
			}
			time.Sleep(time.Second)
		}
	}
}

// leftovers names what the stack still has in the engine.
func (s *stack) leftovers() []string {
	docker, ctx := api(s.t), context.Background()
	mine := filters.NewArgs(filters.Arg("label", "tarot.stack="+s.prefix()))
	var left []string
	for range 60 { // tasks finish after their service is gone
		left = nil
		containers, _ := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
		for _, c := range containers {
			left = append(left, "container "+c.Names[0])
		}
		if len(left) == 0 {
			break
		}
		time.Sleep(time.Second)
	}
	networks, _ := docker.NetworkList(ctx, s.networks())
	for _, n := range networks {
		left = append(left, "network "+n.Name)
	}
	volumes, _ := docker.VolumeList(ctx, volume.ListOptions{})
	for _, v := range volumes.Volumes {
		if strings.Contains(v.Name, s.id) {
			left = append(left, "volume "+v.Name)
		}
	}
	if services, err := docker.ServiceList(ctx, allServices); err == nil {
		for _, v := range services {
			if strings.HasPrefix(v.Spec.Name, s.prefix()) {
				left = append(left, "service "+v.Spec.Name)
			}
		}
		configs, _ := docker.ConfigList(ctx, swarm.ConfigListOptions{})
		for _, c := range configs {
			if strings.HasPrefix(c.Spec.Name, s.prefix()) {
				left = append(left, "config "+c.Spec.Name)
			}
		}
		secrets, _ := docker.SecretList(ctx, swarm.SecretListOptions{})
		for _, c := range secrets {
			if strings.HasPrefix(c.Spec.Name, s.prefix()) {
				left = append(left, "secret "+c.Spec.Name)
			}
		}
	}
	return left
}

var allServices = swarm.ServiceListOptions{}

func (s *stack) networks() network.ListOptions {
	return network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "tarot.stack="+s.prefix()))}
}

// report shows what the engine knows when a test has failed.
func (s *stack) report() {
	for _, w := range []string{"backend", "nginx"} {
		for id, c := range s.containers(w) {
			s.t.Logf("%s %s: %s", c.Name, id[:12], c.State.Status)
		}
	}
}
