package runtime

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/state"
)

// Task is a program that runs to its end, once for what it is made of.
type Task struct {
	// Workload is what runs. Its replicas, ports and health are not used; its
	// user may be root, without capabilities.
	workload.Workload
	// Within is how long it may take; after that it is stopped.
	Within time.Duration
	// Told begins those lines of its log that whoever runs the update has to read;
	// empty: there are none.
	Told string
}

// Started is a task that has been declared.
type Started struct {
	// Resource is what others may depend on.
	Resource pulumi.Resource
	// Await returns when the task has ended well, and an error with its last log
	// lines when it hasn't; the provider would take any end for a good one. In a
	// preview it returns at once.
	Await func() error
}

// Once declares a task: a container, on the engine itself in every runtime (the
// provider knows no Swarm jobs). It runs again when something in it changes, and
// after it has failed; never beside an earlier run of it.
func Once(ctx *pulumi.Context, stack Stack, t Task, parent pulumi.Resource) (*Started, error) {
	name := stack.Prefix + "-" + t.Name
	if !ctx.DryRun() {
		tell := func(text string) { _ = ctx.Log.Warn("task "+name+": "+text, nil) }
		if err := stack.Engine.AwaitEarlier(ctx.Context(), stack.Prefix, t.Name, t.Within, tell); err != nil {
			return nil, fmt.Errorf("task %s: %w", name, err)
		}
	}
	attempt, there, err := stack.Engine.Attempt(ctx.Context(), stack.Prefix, t.Name)
	var pruned state.Task
	if err == nil && !there {
		pruned, err = stack.before(ctx, t.Name)
		attempt = pruned.Next()
	}
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	dependsOn := t.DependsOn
	if t.Image.Resource != nil {
		dependsOn = append(append([]pulumi.Resource{}, dependsOn...), t.Image.Resource)
	}
	command := t.Command
	if t.Exports() {
		t.Workload, command = withEnvironmentFile(t.Workload), append(workload.Loaded(t.Name), command...)
	}
	args := &docker.ContainerArgs{
		Image:        pulumi.String(t.Image.Reference),
		Entrypoints:  pulumi.ToStringArray(command),
		Envs:         pulumi.ToStringArray(t.FullEnvironment()),
		User:         pulumi.String(t.User),
		Mounts:       mounts(t.Workload),
		Tmpfs:        tmpfs(t.Workload),
		Uploads:      uploads(t.Workload),
		MustRun:      pulumi.Bool(false),
		Restart:      pulumi.String("no"),
		ReadOnly:     pulumi.Bool(len(t.Files)+len(t.Secrets) == 0), // nothing can be uploaded into one that is
		SecurityOpts: pulumi.StringArray{pulumi.String("no-new-privileges")},
		Capabilities: docker.ContainerCapabilitiesArgs{Drops: pulumi.StringArray{pulumi.String("ALL")}},
		Memory:       pulumi.Int(int(t.Limits.Memory >> 20)),
		MemorySwap:   pulumi.Int(int(t.Limits.Memory >> 20)),
		LogDriver:    pulumi.String(t.Logging.Driver),
		LogOpts:      pulumi.ToStringMap(t.Logging.Options),
		Labels: docker.ContainerLabelArray{
			docker.ContainerLabelArgs{Label: pulumi.String(stack.Label), Value: pulumi.String(stack.Prefix)},
			docker.ContainerLabelArgs{Label: pulumi.String("tarot.workload"), Value: pulumi.String(t.Name)},
			docker.ContainerLabelArgs{Label: pulumi.String("tarot.attempt"), Value: pulumi.String(strconv.Itoa(attempt))},
		},
	}
	if len(t.Networks) == 0 {
		args.NetworkMode = pulumi.String("none")
	} else {
		args.NetworksAdvanced = containerNetworks(t.Networks)
	}
	container, err := docker.NewContainer(ctx, name, args, pulumi.Parent(parent), pulumi.DependsOn(dependsOn),
		// Under a name of its own, so that what an interrupted `up` has left is not
		// in the way.
		pulumi.DeleteBeforeReplace(false), pulumi.ReplaceOnChanges(inertFields), stack.Plan.task(ctx, name, t.Name))
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	stack.Plan.declared(container)
	stack.kept.keep(container)
	stack.tasks.add(t.Name, container)
	return &Started{container, func() error {
		if ctx.DryRun() {
			return nil
		}
		id, err := idOf(ctx, container)
		if err == nil && id == pruned.ID && pruned.Ended {
			return nil // it had done its work
		}
		if err == nil {
			err = stack.Engine.AwaitTask(ctx.Context(), id, t.Within)
		}
		if err != nil {
			return fmt.Errorf("task %s, as user %s: %w", name, t.User, err)
		}
		if t.Told != "" {
			for line := range strings.Lines(stack.Engine.Logs(ctx.Context(), id)) {
				if strings.HasPrefix(line, t.Told) {
					_ = ctx.Log.Warn(name+": "+strings.TrimSpace(line), nil)
				}
			}
		}
		return nil
	}}, nil
}

// uploads are a workload's files and secrets, readable by all in the container:
// what is uploaded belongs to root, and there is one user in it.
func uploads(w workload.Workload) docker.ContainerUploadArray {
	var all docker.ContainerUploadArray
	for _, f := range w.Files {
		all = append(all, docker.ContainerUploadArgs{File: pulumi.String(f.Path()), Content: f.Content, Permissions: pulumi.String("0444")})
	}
	for _, s := range w.Secrets {
		all = append(all, docker.ContainerUploadArgs{File: pulumi.String(s.Path()), Content: s.Value, Permissions: pulumi.String("0444")})
	}
	return all
}
