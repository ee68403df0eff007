package runtime

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// Task is a program that runs once for an image, before its replicas start.
type Task struct {
	// Name is the task's name.
	Name string
	// Image is what it runs.
	Image workload.Image
	// Command is what it runs in the image.
	Command []string
	// Mounts are its volumes.
	Mounts []workload.Mount
	// Limits, Logging and User are as a workload's.
	Limits  workload.Limits
	Logging workload.Logging
	User    string
}

// Once declares a task: a container that runs to its end, on the engine itself
// in every runtime (the provider knows no Swarm jobs), without a network. It is
// replaced, and so runs again, when its image changes.
//
// The provider takes an exit code other than 0 for success. The output doesn't:
// it fails with the task's log.
func Once(ctx *pulumi.Context, stack Stack, t Task, parent pulumi.Resource) (pulumi.Resource, pulumi.BoolOutput, error) {
	name := stack.Prefix + "-" + t.Name
	w := workload.Workload{Mounts: t.Mounts, Limits: t.Limits}
	var dependsOn []pulumi.Resource
	if t.Image.Resource != nil {
		dependsOn = append(dependsOn, t.Image.Resource)
	}
	container, err := docker.NewContainer(ctx, name, &docker.ContainerArgs{
		Name:         pulumi.String(name),
		Image:        pulumi.String(t.Image.Reference),
		Entrypoints:  pulumi.ToStringArray(t.Command),
		User:         pulumi.String(t.User),
		Mounts:       mounts(w),
		Attach:       pulumi.Bool(true),
		Logs:         pulumi.Bool(true),
		MustRun:      pulumi.Bool(false),
		Restart:      pulumi.String("no"),
		NetworkMode:  pulumi.String("none"),
		ReadOnly:     pulumi.Bool(true),
		SecurityOpts: pulumi.StringArray{pulumi.String("no-new-privileges")},
		Capabilities: docker.ContainerCapabilitiesArgs{Drops: pulumi.StringArray{pulumi.String("ALL")}},
		Memory:       pulumi.Int(int(t.Limits.Memory >> 20)),
		MemorySwap:   pulumi.Int(int(t.Limits.Memory >> 20)),
		LogDriver:    pulumi.String(t.Logging.Driver),
		LogOpts:      pulumi.ToStringMap(t.Logging.Options),
		Labels: docker.ContainerLabelArray{
			docker.ContainerLabelArgs{Label: pulumi.String(stack.Label), Value: pulumi.String(stack.Prefix)},
			docker.ContainerLabelArgs{Label: pulumi.String("tarot.workload"), Value: pulumi.String(t.Name)},
		},
	}, pulumi.Parent(parent), pulumi.DependsOn(dependsOn), pulumi.DeleteBeforeReplace(true))
	if err != nil {
		return nil, pulumi.BoolOutput{}, fmt.Errorf("task %s: %w", name, err)
	}
	done := pulumi.All(container.ExitCode, container.ContainerLogs).ApplyT(func(values []any) (bool, error) {
		code, _ := values[0].(int)
		if code != 0 && !ctx.DryRun() {
			log, _ := values[1].(string)
			return false, fmt.Errorf("task %s ended with exit code %d:\n%s", name, code, tail(log))
		}
		return true, nil
	}).(pulumi.BoolOutput)
	return container, done, nil
}

// tail is the end of a task's log.
func tail(log string) string {
	if log == "" {
		return "(no log)"
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
