package components

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
)

// Storage is the named volumes.
type Storage struct {
	pulumi.ResourceState

	// Data, Static and Logs are the volumes' names. Static and Logs are nil
	// where there is none.
	Data, Static, Logs pulumi.StringInput
}

// NewStorage declares the volumes. They outlive the stack unless the
// configuration says otherwise, and no change of a name removes one.
func NewStorage(ctx *pulumi.Context, name string, args *config.Volumes, opts ...pulumi.ResourceOption) (*Storage, error) {
	s := &Storage{}
	if err := ctx.RegisterComponentResource("tarot:index:Storage", name, s, opts...); err != nil {
		return nil, err
	}
	outputs := pulumi.Map{}
	for _, v := range []struct {
		kind, volume string
		to           *pulumi.StringInput
	}{{"data", args.Data, &s.Data}, {"static", args.Static, &s.Static}, {"logs", args.Logs, &s.Logs}} {
		if v.volume == "" {
			continue
		}
		volume, err := newVolume(ctx, name+"-"+v.kind, v.volume, args, s)
		if err != nil {
			return nil, err
		}
		*v.to, outputs[v.kind] = volume.Name, volume.Name
	}
	return s, ctx.RegisterResourceOutputs(s, outputs)
}

func newVolume(ctx *pulumi.Context, name, volume string, args *config.Volumes, parent pulumi.Resource) (*docker.Volume, error) {
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false)}
	if args.Retain {
		opts = append(opts, pulumi.RetainOnDelete(true))
	} else {
		// The provider renames by removing. What destroy may remove, an update
		// still must not.
		opts = append(opts, pulumi.IgnoreChanges([]string{"name", "driver"}))
	}
	// No labels: they belong to the volume as it is found, and a difference
	// would be a replacement.
	v, err := docker.NewVolume(ctx, name, &docker.VolumeArgs{Name: pulumi.String(volume), Driver: pulumi.String(args.Driver)}, opts...)
	if err != nil {
		return nil, fmt.Errorf("volume %s: %w", volume, err)
	}
	v.Name.ApplyT(func(actual string) string {
		if actual != volume {
			_ = ctx.Log.Warn(fmt.Sprintf("volume %s keeps its name: while %s:volumes.retain is false, %q would cost its data. "+
				"Set retain to true, run `pulumi up`, then rename", actual, config.Namespace, volume), &pulumi.LogArgs{Resource: v})
		}
		return actual
	})
	return v, nil
}
