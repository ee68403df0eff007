package runtime

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/origin"
)

// ImageArgs describe an image: one that is built, or a ready one.
type ImageArgs struct {
	// Resource is what Pulumi's state calls it.
	Resource string
	// Reference names the exact image. What is built has the hash of its sources as its
	// tag: an unchanged context builds nothing, a changed one is a new image beside the
	// old one, which stays for a rollback.
	Reference string
	// Build is what it is built from; nil: it is a ready image.
	Build *buildcontext.Build
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

// Image implements Runtime.
func (s Stack) Image(ctx *pulumi.Context, args ImageArgs, parent pulumi.Resource) (*Image, error) {
	i := &Image{}
	if err := ctx.RegisterComponentResource("tarot:index:Image", args.Resource, i, pulumi.Parent(parent)); err != nil {
		return nil, err
	}
	i.Reference = args.Reference
	resource, err := s.remoteImage(ctx, args, i)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", args.Resource, err)
	}
	i.Resource = resource
	seen := resource.ImageId.ApplyT(func(string) (engine.Image, error) {
		return s.Engine.Image(ctx.Context(), args.Reference)
	})
	i.Start = seen.ApplyT(func(v any) []string { return v.(engine.Image).Start }).(pulumi.StringArrayOutput)
	i.Health = seen.ApplyT(func(v any) []string { return v.(engine.Image).Health }).(pulumi.StringArrayOutput)
	i.Environment = seen.ApplyT(func(v any) []string { return v.(engine.Image).Environment }).(pulumi.StringArrayOutput)
	i.ID = seen.ApplyT(func(v any) string { return v.(engine.Image).ID }).(pulumi.StringOutput)
	i.StandIn = seen.ApplyT(func(v any) string { return v.(engine.Image).StandIn }).(pulumi.StringOutput)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"reference": pulumi.String(i.Reference), "standIn": i.StandIn})
}

func (s Stack) remoteImage(ctx *pulumi.Context, args ImageArgs, parent pulumi.Resource) (*docker.RemoteImage, error) {
	// KeepLocally from the first day: the provider removes by name, so that a
	// replacement would take the image away that it has just made.
	image := &docker.RemoteImageArgs{Name: pulumi.String(args.Reference), KeepLocally: pulumi.Bool(true)}
	// The tag differs, so both can be there; nothing is missing in between.
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false)}
	syntax := ""
	if args.Build != nil {
		if err := emptyBuildLog(); err != nil {
			return nil, err
		}
		if err := refuseSent(*args.Build); err != nil {
			return nil, err
		}
		from, err := pinned(*args.Build, args.Reference)
		if err != nil {
			return nil, err
		}
		built := s.build(from)
		if built.Label, err = s.labels(ctx, *args.Build, args.Reference); err != nil {
			return nil, err
		}
		image.Build, syntax = built, args.Build.Syntax()
	}
	again, err := s.anew(ctx, image, args.Reference)
	if err != nil {
		return nil, err
	}
	return docker.NewRemoteImage(ctx, args.Resource, image, append(opts, showFailedBuild(ctx, args.Resource, syntax), again)...)
}

// labels say of which commit a build is. An image that is there keeps those of the commit that
// built it first: a commit that changes nothing in it is no other image (docs/adr/0033).
func (s Stack) labels(ctx *pulumi.Context, b buildcontext.Build, reference string) (pulumi.StringMapInput, error) {
	if s.Origin == nil {
		return nil, nil
	}
	there, err := s.Engine.HasImage(ctx.Context(), reference)
	if err != nil {
		return nil, err
	}
	var labels map[string]string
	if there {
		found, err := s.Engine.Image(ctx.Context(), reference)
		if err != nil {
			return nil, err
		}
		labels = origin.Of(found.Labels)
	} else {
		labels = s.Origin(ctx.Context(), sources(b.Context))
	}
	if len(labels) == 0 {
		return nil, nil
	}
	return pulumi.ToStringMap(labels), nil
}

// sources is the folder whose commit a build is of. What is compiled here is built from a folder
// that git does not know.
func sources(context string) string {
	if strings.HasPrefix(filepath.ToSlash(filepath.Clean(context)), buildFolder+"/") {
		return "."
	}
	return context
}

// anew has an image that somebody has removed built or pulled again by a plain `up`:
// Pulumi asks the engine in a refresh only, and would take it for one that is there. It
// gets a trigger that no earlier `up` had; one that is there keeps what it has.
func (s Stack) anew(ctx *pulumi.Context, image *docker.RemoteImageArgs, reference string) (pulumi.ResourceOption, error) {
	there, err := s.Engine.HasImage(ctx.Context(), reference)
	if err != nil {
		return nil, err
	}
	if there {
		return pulumi.IgnoreChanges([]string{"triggers"}), nil
	}
	image.Triggers = pulumi.StringMap{"missingSince": pulumi.String(time.Now().UTC().Format(time.RFC3339Nano))}
	return pulumi.ReplaceOnChanges([]string{"triggers"}), nil
}

// pinned is a build with the exact base images that were said, if any: by a Dockerfile that
// names them. There is one for each tag.
func pinned(b buildcontext.Build, reference string) (buildcontext.Build, error) {
	if len(b.BaseImages) == 0 {
		return b, nil
	}
	_, tag, _ := strings.Cut(reference, ":")
	return b.Pinned(filepath.Join(buildFolder, "dockerfiles", tag))
}

func (s Stack) build(b buildcontext.Build) docker.RemoteImageBuildArgs {
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
	var secrets docker.RemoteImageBuildSecretArray
	for _, name := range b.Secrets { // the state has no more of one than where it was
		secrets = append(secrets, docker.RemoteImageBuildSecretArgs{Id: pulumi.String(name), Src: pulumi.String(filepath.ToSlash(filepath.Join(s.secretFolder(), name)))})
	}
	if secrets != nil {
		args.Secrets = secrets
	}
	return args
}
