package components

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/engine"
)

// Inspector says what is in an image that the engine has.
type Inspector interface {
	Image(ctx context.Context, reference string) (engine.Image, error)
	// HasImage is true where the engine has it.
	HasImage(ctx context.Context, reference string) (bool, error)
}

// ImageArgs describe an image: one that is built, or a ready one.
type ImageArgs struct {
	// Reference is a ready image. Empty: build.
	Reference string
	// Repository is the name of the image that is built, without a tag.
	Repository string
	// Build is what it is built from.
	Build buildcontext.Build
	// Inspector reads the image once it is there.
	Inspector Inspector

	named string // what reference has found
}

// Image is an image on the engine.
type Image struct {
	pulumi.ResourceState
	workload.Image

	// StandIn tells what a stand-in base image is in truth; empty for the real one.
	StandIn pulumi.StringOutput
	// ID is what the reference means.
	ID pulumi.StringOutput
}

// NewImage declares an image. One that is built is tagged with the hash of its
// sources: an unchanged context builds nothing, a changed one is a new image
// beside the old one, which stays for a rollback.
func NewImage(ctx *pulumi.Context, name string, args *ImageArgs, opts ...pulumi.ResourceOption) (*Image, error) {
	i := &Image{}
	if err := ctx.RegisterComponentResource("tarot:index:Image", name, i, opts...); err != nil {
		return nil, err
	}
	var err error
	if i.Reference, err = args.reference(); err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	// KeepLocally from the first day: the provider removes by name, so that a
	// replacement would take the image away that it has just made.
	image := &docker.RemoteImageArgs{KeepLocally: pulumi.Bool(true)}
	if args.Reference == "" {
		if err := emptyBuildLog(); err != nil {
			return nil, fmt.Errorf("image %q: %w", name, err)
		}
		image.Build = build(args.Build)
	}
	image.Name = pulumi.String(i.Reference)
	again, err := anew(ctx, image, args.Inspector, i.Reference)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	resource, err := docker.NewRemoteImage(ctx, name, image, pulumi.Parent(i), showFailedBuild(ctx, name, args.Build.Syntax()), again,
		// The tag differs, so both can be there; nothing is missing in between.
		pulumi.DeleteBeforeReplace(false))
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	i.Resource = resource
	seen := resource.ImageId.ApplyT(func(string) (engine.Image, error) {
		return args.Inspector.Image(ctx.Context(), i.Reference)
	})
	i.Start = seen.ApplyT(func(v any) []string { return v.(engine.Image).Start }).(pulumi.StringArrayOutput)
	i.Health = seen.ApplyT(func(v any) []string { return v.(engine.Image).Health }).(pulumi.StringArrayOutput)
	i.Environment = seen.ApplyT(func(v any) []string { return v.(engine.Image).Environment }).(pulumi.StringArrayOutput)
	i.ID = seen.ApplyT(func(v any) string { return v.(engine.Image).ID }).(pulumi.StringOutput)
	i.StandIn = seen.ApplyT(func(v any) string { return v.(engine.Image).StandIn }).(pulumi.StringOutput)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"reference": pulumi.String(i.Reference), "standIn": i.StandIn})
}

// reference is the image's name: the ready one's, or that of the hash of what it is built
// from.
func (args *ImageArgs) reference() (string, error) {
	if args.named == "" {
		args.named = args.Reference
	}
	if args.named == "" {
		hash, err := args.Build.Hash()
		if err != nil {
			return "", err
		}
		args.named = args.Repository + ":" + hash
	}
	return args.named, nil
}

// anew has an image that somebody has removed built or pulled again by a plain `up`:
// Pulumi asks the engine in a refresh only, and would take it for one that is there. It
// gets a trigger that no earlier `up` had; one that is there keeps what it has.
func anew(ctx *pulumi.Context, image *docker.RemoteImageArgs, inspector Inspector, reference string) (pulumi.ResourceOption, error) {
	there, err := inspector.HasImage(ctx.Context(), reference)
	if err != nil {
		return nil, err
	}
	if there {
		return pulumi.IgnoreChanges([]string{"triggers"}), nil
	}
	image.Triggers = pulumi.StringMap{"missingSince": pulumi.String(time.Now().UTC().Format(time.RFC3339Nano))}
	return pulumi.ReplaceOnChanges([]string{"triggers"}), nil
}

func build(b buildcontext.Build) docker.RemoteImageBuildArgs {
	args := docker.RemoteImageBuildArgs{
		Context: pulumi.String(b.Context),
		// Where a builder is named, the provider takes it from the project's
		// folder, not from the context's.
		Dockerfile:   pulumi.String(filepath.ToSlash(filepath.Join(b.Context, b.Dockerfile))),
		BuildArgs:    pulumi.ToStringMap(maps.Clone(b.Args)),
		Platform:     pulumi.String(b.Platform),
		BuildLogFile: pulumi.String(BuildLog),
		// The engine's own. Where none is named, the official plugin writes no log.
		Builder: pulumi.String("default"),
	}
	if b.Target != "" {
		args.Target = pulumi.String(b.Target)
	}
	return args
}
