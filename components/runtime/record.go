package runtime

import (
	"maps"
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Record describes labels that are kept: those of an empty volume, which every engine has,
// and which survives whatever happens to the containers.
type Record struct {
	// Name is the record's in the engine. Labels never change: what has others has another
	// name.
	Name string
	// Labels are what is written down.
	Labels map[string]pulumi.StringInput
}

// recordResource is what Pulumi's state calls the record of the release that runs.
const recordResource = "release"

// Record implements Runtime. It outlives the stack's next record, and the stack.
func (s Stack) Record(ctx *pulumi.Context, r Record, parent pulumi.Resource) error {
	var labels docker.VolumeLabelArray
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		labels = append(labels, docker.VolumeLabelArgs{Label: pulumi.String(name), Value: r.Labels[name]})
	}
	record, err := docker.NewVolume(ctx, recordResource, &docker.VolumeArgs{Name: pulumi.String(r.Name), Labels: labels},
		pulumi.Parent(parent), pulumi.RetainOnDelete(true), pulumi.DeleteBeforeReplace(false))
	if err != nil || ctx.DryRun() {
		return err
	}
	_, err = idOf(ctx, record)
	return err
}
