package engine

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// checkNames finds what has one of the stack's names and is not the stack's.
func (e *Engine) checkNames(ctx context.Context, names Names, prefix string) ([]error, error) {
	var faults []error
	look := func(kind string, names []string, name string, labels map[string]string) {
		for _, n := range names {
			if name == prefix+"-"+n && labels[StackLabel] != prefix {
				faults = append(faults, fmt.Errorf("the %s %s%s is not of this stack, and has the name that this one needs: remove it, or give this stack another name",
					kind, name, ofStack(labels)))
			}
		}
	}
	containers, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	for _, c := range containers {
		if c.Labels[taskLabel] == "" {
			look("container", names.Containers, name(c), c.Labels)
		}
	}
	networks, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker engine at %s: list networks: %w", e.Address, err)
	}
	for _, n := range networks {
		look("network", names.Networks, n.Name, n.Labels)
	}
	services, err := e.services(ctx)
	for _, s := range services {
		look("service", names.Services, s.Spec.Name, s.Spec.Labels)
	}
	return faults, err
}

// ignoreGone is nil for what has gone since it was listed.
func ignoreGone(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}
