package components

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
	"tarot-platform/internal/state"
)

// Storage is the named volumes.
type Storage struct {
	pulumi.ResourceState

	// Data, Static and Logs are the volumes' names. Static and Logs are nil
	// where there is none.
	Data, Static, Logs pulumi.StringInput
}

// StorageArgs describe the volumes.
type StorageArgs struct {
	config.Volumes
	// Before are the volumes in the stack's state, by the names of their resources.
	Before map[string]state.Volume
}

// NewStorage declares the volumes. They outlive the stack unless the configuration
// says otherwise, and no update removes one, whatever changes together: a destroy
// alone does.
func NewStorage(ctx *pulumi.Context, name string, args *StorageArgs, opts ...pulumi.ResourceOption) (*Storage, error) {
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
			if err := keepVolume(ctx, name+"-"+v.kind, "volumes."+v.kind+" is empty", args, s); err != nil {
				return nil, err
			}
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

// newVolume declares a volume whose data no update removes. Pulumi replaces a volume
// by removing it, and leaves it alone where the *state* says that it is retained: what
// the program says counts from the next update on. So a name and a driver change only
// where both say so.
func newVolume(ctx *pulumi.Context, name, volume string, args *StorageArgs, parent pulumi.Resource) (*docker.Volume, error) {
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false), pulumi.RetainOnDelete(args.Retain)}
	before, known := args.Before[name]
	if !args.Retain || known && !before.Retained {
		opts = append(opts, pulumi.IgnoreChanges([]string{"name", "driver"}))
	}
	// No labels: they belong to the volume as it is found, and a difference
	// would be a replacement.
	v, err := docker.NewVolume(ctx, name, &docker.VolumeArgs{Name: pulumi.String(volume), Driver: pulumi.String(args.Driver)}, opts...)
	if err != nil {
		return nil, fmt.Errorf("volume %s: %w", volume, err)
	}
	pulumi.All(v.Name, v.Driver).ApplyT(func(actual []any) string {
		if actual[0] != volume || actual[1] != args.Driver {
			_ = ctx.Log.Warn(fmt.Sprintf("volume %s keeps its name and its driver, %s: to make it %s with the driver %s would cost its data. %s",
				actual[0], actual[1], volume, args.Driver, args.wayOut()), &pulumi.LogArgs{Resource: v})
		}
		return ""
	})
	return v, nil
}

// wayOut is how a volume can leave the stack with its data kept.
func (args *StorageArgs) wayOut() string {
	if args.Retain {
		return fmt.Sprintf("Until now %s:volumes.retain was false; run `pulumi up` once more to have the change made", config.Namespace)
	}
	return fmt.Sprintf("Set %s:volumes.retain to true and run `pulumi up` twice: the first time keeps it, the second makes the change", config.Namespace)
}

// keepVolume declares a volume that the configuration no longer asks for, where Pulumi
// would remove it. Nothing uses it. why is what the configuration says.
func keepVolume(ctx *pulumi.Context, name, why string, args *StorageArgs, parent pulumi.Resource) error {
	before, known := args.Before[name]
	if !known || before.Retained {
		return nil
	}
	_ = ctx.Log.Warn(fmt.Sprintf("volume %s stays with the stack, although %s:%s: to leave it out would cost its data. %s",
		before.Name, config.Namespace, why, args.wayOut()), nil)
	kept := *args
	kept.Driver = before.Driver
	_, err := newVolume(ctx, name, before.Name, &kept, parent)
	return err
}

// mark writes down what the stack has its volumes for: a claim before the application
// gets them, and the whole truth when it runs. What a pinned release says of itself is
// not today's.
func (p *platform) mark(claim bool) error {
	if p.ctx.DryRun() || p.Pinned && !claim || len(p.Uses) == 0 {
		return nil
	}
	return p.Engine.MarkUses(p.ctx.Context(), p.Uses, claim)
}

func (p *platform) volumes() *StorageArgs { return &StorageArgs{p.Config.Volumes, p.Volumes} }
