package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
)

// Comparison is what two services have in common.
type Comparison struct {
	// Missing is true where the first one is not there.
	Missing bool
	// Difference names what their tasks differ in; empty: nothing.
	Difference string
}

// CompareServices compares what the tasks of two services are made of, but for
// labels, aliases and the number of forced updates.
func (e *Engine) CompareServices(ctx context.Context, a, b string) (Comparison, error) {
	first, err := e.service(ctx, a)
	if errdefs.IsNotFound(err) {
		return Comparison{Missing: true}, nil
	}
	if err != nil {
		return Comparison{}, err
	}
	second, err := e.service(ctx, b)
	if err != nil {
		return Comparison{}, err
	}
	return Comparison{Difference: difference(first.Spec.TaskTemplate, second.Spec.TaskTemplate)}, nil
}

func (e *Engine) service(ctx context.Context, name string) (swarm.Service, error) {
	service, _, err := e.api.ServiceInspectWithRaw(ctx, name, swarm.ServiceInspectOptions{})
	return service, err
}

// difference names the first field of a task's specification that differs.
func difference(a, b swarm.TaskSpec) string {
	a, b = comparable(a), comparable(b)
	for _, pair := range []struct {
		prefix string
		a, b   any
	}{{"", a, b}, {"ContainerSpec.", *a.ContainerSpec, *b.ContainerSpec}} {
		one, other := reflect.ValueOf(pair.a), reflect.ValueOf(pair.b)
		for i := range one.NumField() {
			field := one.Type().Field(i).Name
			if field != "ContainerSpec" && !reflect.DeepEqual(one.Field(i).Interface(), other.Field(i).Interface()) {
				return pair.prefix + field
			}
		}
	}
	return ""
}

// comparable leaves out what two services that run the same differ in.
func comparable(spec swarm.TaskSpec) swarm.TaskSpec {
	spec.ForceUpdate = 0
	spec.Runtime = ""
	spec.Networks = slices.Clone(spec.Networks)
	for i := range spec.Networks {
		spec.Networks[i].Aliases = nil
	}
	slices.SortFunc(spec.Networks, func(a, b swarm.NetworkAttachmentConfig) int {
		if a.Target < b.Target {
			return -1
		}
		return 1
	})
	container := swarm.ContainerSpec{}
	if spec.ContainerSpec != nil {
		container = *spec.ContainerSpec
	}
	container.Labels = nil
	container.Image = withoutDigest(container.Image) // the engine may have added it
	// The provider sends these in any order.
	container.Configs, container.Secrets = slices.Clone(container.Configs), slices.Clone(container.Secrets)
	slices.SortFunc(container.Configs, func(a, b *swarm.ConfigReference) int { return order(a.ConfigID, b.ConfigID) })
	slices.SortFunc(container.Secrets, func(a, b *swarm.SecretReference) int { return order(a.SecretID, b.SecretID) })
	spec.ContainerSpec = &container
	return spec
}

func order(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ServiceForce is the number of forced updates that the service has to be
// declared with. It is the one that it has, so that nothing changes; but where
// its last update has failed, or it was given up, another one: Pulumi believes that the update was
// made, and would see no difference. It is for services that are to have tasks.
func (e *Engine) ServiceForce(ctx context.Context, name string) (int, error) {
	service, err := e.service(ctx, name)
	if errdefs.IsNotFound(err) || err == nil && service.Spec.TaskTemplate.ContainerSpec == nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if status := service.UpdateStatus; status != nil && failedUpdate(status.State) {
		sum := fnv.New32a()
		fmt.Fprint(sum, status.StartedAt, status.State)
		return int(sum.Sum32() >> 2), nil
	}
	if mode := service.Spec.Mode.Replicated; mode != nil && mode.Replicas != nil && *mode.Replicas == 0 {
		return int(service.Spec.TaskTemplate.ForceUpdate) + 1, nil
	}
	return int(service.Spec.TaskTemplate.ForceUpdate), nil
}

// GiveUpService ends the tasks of a service whose first deploy has failed: they would be
// started again for ever. One that had tasks before keeps them.
func (e *Engine) GiveUpService(ctx context.Context, name string) error {
	service, err := e.service(ctx, name)
	if err != nil {
		return err
	}
	if before := service.PreviousSpec; before != nil {
		if mode := before.Mode.Replicated; mode == nil || mode.Replicas == nil || *mode.Replicas > 0 {
			return nil
		}
	}
	return e.ScaleService(ctx, name, 0)
}

func failedUpdate(state swarm.UpdateState) bool {
	switch state {
	case swarm.UpdateStatePaused, swarm.UpdateStateRollbackStarted, swarm.UpdateStateRollbackPaused, swarm.UpdateStateRollbackCompleted:
		return true
	}
	return false
}

// ScaleService sets the number of a service's tasks, where it is another one.
func (e *Engine) ScaleService(ctx context.Context, name string, replicas int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	service, err := e.service(ctx, name)
	if err != nil {
		return err
	}
	want := uint64(replicas)
	mode := service.Spec.Mode.Replicated
	if mode == nil || mode.Replicas == nil || *mode.Replicas == want {
		return nil
	}
	mode.Replicas = &want
	if _, err := e.api.ServiceUpdate(ctx, service.ID, service.Version, service.Spec, swarm.ServiceUpdateOptions{}); err != nil {
		return fmt.Errorf("service %s: scale to %d: %w", name, replicas, err)
	}
	// The change has to be seen by whoever asks next.
	return poll(ctx, timeout, func(ctx context.Context) (bool, error) {
		now, err := e.service(ctx, name)
		return err == nil && now.Version.Index > service.Version.Index, err
	})
}
