package components

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/engine"
)

// Inspector says what is in an image that the engine has.
type Inspector interface {
	Image(ctx context.Context, reference string) (engine.Image, error)
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
}

// Image is an image on the engine.
type Image struct {
	pulumi.ResourceState
	workload.Image

	// StandIn tells what a stand-in base image is in truth; empty for the real one.
	StandIn pulumi.StringOutput
}

// NewImage declares an image. One that is built is tagged with the hash of its
// sources: an unchanged context builds nothing, a changed one is a new image
// beside the old one, which stays for a rollback.
func NewImage(ctx *pulumi.Context, name string, args *ImageArgs, opts ...pulumi.ResourceOption) (*Image, error) {
	i := &Image{}
	if err := ctx.RegisterComponentResource("tarot:index:Image", name, i, opts...); err != nil {
		return nil, err
	}
	i.Reference = args.Reference
	// KeepLocally from the first day: the provider removes by name, so that a
	// replacement would take the image away that it has just made.
	image := &docker.RemoteImageArgs{KeepLocally: pulumi.Bool(true)}
	if args.Reference == "" {
		hash, err := args.Build.Hash()
		if err != nil {
			return nil, fmt.Errorf("image %q: %w", name, err)
		}
		i.Reference = args.Repository + ":" + hash
		if err := emptyBuildLog(); err != nil {
			return nil, fmt.Errorf("image %q: %w", name, err)
		}
		image.Build = build(args.Build)
	}
	image.Name = pulumi.String(i.Reference)
	resource, err := docker.NewRemoteImage(ctx, name, image, pulumi.Parent(i), showFailedBuild(ctx, name, args.Build.Syntax()),
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
	i.StandIn = seen.ApplyT(func(v any) string { return v.(engine.Image).StandIn }).(pulumi.StringOutput)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"reference": pulumi.String(i.Reference), "standIn": i.StandIn})
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
