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

// Job is a program that runs to its end, once for what it is made of.
type Job struct {
	// Workload is what runs. Its replicas, ports and health are not used; its
	// user may be root, without capabilities but for those that it names.
	workload.Workload
	// Within is how long it may take; after that it is stopped.
	Within time.Duration
	// Again are identities; with another one the job runs again.
	Again pulumi.StringArray
	// Warns begins those lines of its log that whoever runs the update has to read;
	// empty: there are none.
	Warns string
}

// JobRun is a job that has been declared.
type JobRun struct {
	// Resource is what others may depend on, and ID another one after each run.
	Resource pulumi.Resource
	ID       pulumi.StringInput
	// Await starts the job, and returns when it has ended well, and an error with its last log
	// lines when it hasn't; the provider would take any end for a good one. In a
	// preview it returns at once.
	Await func() error
}

// Job implements Runtime: a container, on the engine itself with both runtimes (the
// provider knows no Swarm jobs). It runs again when something in it changes, and
// after it has failed; never beside an earlier run of it.
func (s Stack) Job(ctx *pulumi.Context, j Job, parent pulumi.Resource) (*JobRun, error) {
	name := s.Prefix + "-" + j.Name
	if !ctx.DryRun() {
		tell := func(text string) { _ = ctx.Log.Warn("job "+name+": "+text, nil) }
		if err := s.Engine.AwaitEarlier(ctx.Context(), s.Prefix, j.Name, j.Within, tell); err != nil {
			return nil, fmt.Errorf("job %s: %w", name, err)
		}
	}
	attempt, there, err := s.Engine.Attempt(ctx.Context(), s.Prefix, j.Name)
	var gone state.Job
	if err == nil && !there {
		gone, err = s.before(ctx, j.Name)
		attempt = gone.Next()
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", name, err)
	}
	var dependsOn []pulumi.Resource
	if j.Image.Resource != nil {
		dependsOn = append(dependsOn, j.Image.Resource)
	}
	command := j.Command
	switch {
	case j.Exports():
		j.Workload, command = withEnvironmentFile(j.Workload), append(workload.Loaded(j.Name), command...)
	case j.Home:
		command = append(workload.Homed(j.Name), command...)
	}
	args := s.container(j.Workload)
	args.Entrypoints = pulumi.ToStringArray(command)
	args.Uploads = uploads(j.Workload)
	args.Start, args.Attach, args.Restart = neverStarted.start, neverStarted.attach, pulumi.String("no")
	args.ReadOnly = pulumi.Bool(len(j.Files)+len(j.Secrets) == 0) // nothing can be uploaded into one that is
	labels := append(args.Labels.(docker.ContainerLabelArray),
		docker.ContainerLabelArgs{Label: pulumi.String("tarot.attempt"), Value: pulumi.String(strconv.Itoa(attempt))})
	if len(j.Again) > 0 {
		labels = append(labels, docker.ContainerLabelArgs{Label: pulumi.String("tarot.again"), Value: joined(j.Again)})
	}
	args.Labels = labels
	if len(j.Networks) == 0 {
		args.NetworkMode = pulumi.String("none")
	} else {
		args.NetworksAdvanced = containerNetworks(j.Networks, "")
	}
	container, err := docker.NewContainer(ctx, name, args, pulumi.Parent(parent), pulumi.DependsOn(dependsOn),
		// Under a name of its own, so that what an interrupted `up` has left is not
		// in the way.
		pulumi.DeleteBeforeReplace(false), pulumi.ReplaceOnChanges(notApplied), s.plan.job(ctx, name, j.Name))
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", name, err)
	}
	s.plan.declared(container)
	s.declared.job(j.Name, container)
	return &JobRun{container, container.ID().ToStringOutput(), func() error {
		if ctx.DryRun() {
			return nil
		}
		id, err := idOf(ctx, container)
		if err == nil && id == gone.ID && gone.Ended {
			return nil // it had done its work
		}
		if err == nil {
			err = s.Engine.AwaitJob(ctx.Context(), id, j.Within)
		}
		if err != nil {
			return fmt.Errorf("job %s, as user %s: %w", name, j.User, err)
		}
		if j.Warns != "" {
			for line := range strings.Lines(s.Engine.Logs(ctx.Context(), id)) {
				if strings.HasPrefix(line, j.Warns) {
					_ = ctx.Log.Warn(name+": "+strings.TrimSpace(line), nil)
				}
			}
		}
		return nil
	}}, nil
}

// joined are identities as a label has them.
func joined(all pulumi.StringArray) pulumi.StringOutput {
	return all.ToStringArrayOutput().ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput)
}

// neverStarted is what the provider is told of a container that it is not to start: one
// that is started by its Await, or never. Attached, it is not stopped before it is removed,
// which would be an error where somebody has pruned it (terraform-provider-docker 3.9.0,
// resourceDockerContainerDelete). To attach to what does not run costs no time.
var neverStarted = struct{ start, attach pulumi.Bool }{false, true}

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
