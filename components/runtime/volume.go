package runtime

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
	"tarot-platform/internal/state"
)

// Volume describes a volume.
type Volume struct {
	// Resource is what Pulumi's state calls it, and Name the engine.
	Resource, Name string
	// Data is what no update may remove. The other fields are for such volumes.
	Data bool
	// Driver is the engine's volume driver, and Options what that is given where it makes the volume.
	Driver  string
	Options map[string]string
	// Retain leaves it behind when the stack is destroyed.
	Retain bool
	// Before is the volume in the stack's state; nil: it has none.
	Before *state.Volume
	// Unused is what the configuration says where it no longer asks for the volume, which
	// is then declared for the sake of its data.
	Unused string
}

// Volume implements Runtime. Pulumi replaces a volume by removing it, and leaves it alone
// where the *state* says that it is retained: what the program says counts from the next
// update on. So a name and a driver of data change only where both say so. They outlive the
// stack unless the configuration says otherwise, and whatever changes together, a destroy
// alone removes them.
func (s Stack) Volume(ctx *pulumi.Context, v Volume, parent pulumi.Resource) (pulumi.StringInput, error) {
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false)}
	// No labels and no options: they belong to the volume as it is found. One that somebody
	// else has made, such as Compose, has some, and the difference would be a replacement.
	ignored := []string{"labels", "driverOpts"}
	args := &docker.VolumeArgs{}
	if v.Unused != "" {
		_ = ctx.Log.Warn(fmt.Sprintf("volume %s stays with the stack, although %s:%s: to leave it out would cost its data. %s",
			v.Before.Name, config.Namespace, v.Unused, v.wayOut()), nil)
		v.Name, v.Driver = v.Before.Name, v.Before.Driver
	}
	args.Name = pulumi.String(v.Name)
	if v.Data {
		args.Driver = pulumi.String(v.Driver)
		opts = append(opts, pulumi.RetainOnDelete(v.Retain))
		if !v.Retain || v.Before != nil && !v.Before.Retained {
			ignored = append(ignored, "name", "driver")
		}
		opts = append(opts, pulumi.IgnoreChanges(ignored))
	} else if len(v.Options) > 0 {
		opts = append(opts, pulumi.IgnoreChanges([]string{"driverOpts"}))
	}
	if len(v.Options) > 0 {
		args.DriverOpts = pulumi.ToStringMap(v.Options)
	}
	volume, err := docker.NewVolume(ctx, v.Resource, args, opts...)
	if err != nil {
		return nil, fmt.Errorf("volume %s: %w", v.Name, err)
	}
	if v.Data {
		v.warnKept(ctx, volume)
	}
	return volume.Name, nil
}

// warnKept tells where the volume is not what the configuration asks for.
func (v Volume) warnKept(ctx *pulumi.Context, volume *docker.Volume) {
	pulumi.All(volume.Name, volume.Driver).ApplyT(func(actual []any) string {
		if actual[0] != v.Name || actual[1] != v.Driver {
			_ = ctx.Log.Warn(fmt.Sprintf("volume %s keeps its name and its driver, %s: to make it %s with the driver %s would cost its data. %s",
				actual[0], actual[1], v.Name, v.Driver, v.wayOut()), &pulumi.LogArgs{Resource: volume})
		}
		return ""
	})
}

// wayOut is how a volume can leave the stack with its data kept.
func (v Volume) wayOut() string {
	if v.Retain {
		return fmt.Sprintf("Until now %s:volumes.retain was false; run `pulumi up` once more to have the change made", config.Namespace)
	}
	return fmt.Sprintf("Set %s:volumes.retain to true and run `pulumi up` twice: the first time keeps it, the second makes the change", config.Namespace)
}
