package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// mountedFiles is how plain containers get a workload's files.
type mountedFiles struct {
	mounts    docker.ContainerMountArray
	resources []pulumi.Resource
}

// files puts a workload's files and secrets into volumes. The engine has no
// secrets for plain containers, the provider can not upload into a container
// whose root is read-only, and an environment variable would show in `docker
// inspect`. So a container that is never started, and has no read-only root,
// takes the uploads into volumes that the real ones mount read-only.
//
// The volumes' names change with the content: a running container never sees
// another content than the one that it was started with.
func (c containers) files(ctx *pulumi.Context, w workload.Workload, parent pulumi.Resource) (mountedFiles, error) {
	var out mountedFiles
	if len(w.Files)+len(w.Secrets) == 0 {
		return out, nil
	}
	base := c.Prefix + "-" + w.Name + "-files"
	// A random suffix that is drawn anew when the content changes. A hash of the
	// content would let whoever can list volumes guess a weak password.
	suffix, err := random.NewRandomId(ctx, base, &random.RandomIdArgs{
		ByteLength: pulumi.Int(4),
		Keepers:    pulumi.StringMap{"content": contentHash(w)},
	}, pulumi.Parent(parent))
	if err != nil {
		return out, err
	}
	seed := &docker.ContainerArgs{
		Name:    pulumi.Sprintf("%s-%s", base, suffix.Hex),
		Image:   pulumi.String(w.Image.Reference),
		Start:   neverStarted.start,
		Attach:  neverStarted.attach,
		MustRun: pulumi.Bool(false),
		User:    pulumi.String(w.User),
		Labels: docker.ContainerLabelArray{
			docker.ContainerLabelArgs{Label: pulumi.String(c.Label), Value: pulumi.String(c.Prefix)},
		},
		NetworkMode: pulumi.String("none"),
	}
	mount := func(kind, folder string) error {
		volume, err := docker.NewVolume(ctx, base+"-"+kind, &docker.VolumeArgs{Name: pulumi.Sprintf("%s-%s-%s", base, kind, suffix.Hex)},
			pulumi.Parent(parent), pulumi.DeleteBeforeReplace(false))
		if err != nil {
			return err
		}
		at := func(readOnly bool) docker.ContainerMountArgs {
			return docker.ContainerMountArgs{Type: pulumi.String("volume"), Source: volume.Name, Target: pulumi.String(folder), ReadOnly: pulumi.Bool(readOnly)}
		}
		seed.Mounts = append(mountArray(seed.Mounts), at(false))
		out.mounts = append(out.mounts, at(true))
		return nil
	}
	if len(w.Files) > 0 {
		if err := mount("config", workload.ConfigDir); err != nil {
			return out, err
		}
	}
	if len(w.Secrets) > 0 {
		if err := mount("secrets", workload.SecretDir); err != nil {
			return out, err
		}
	}
	seed.Uploads = uploads(w)
	var dependsOn []pulumi.Resource
	if w.Image.Resource != nil {
		dependsOn = append(dependsOn, w.Image.Resource)
	}
	container, err := docker.NewContainer(ctx, base, seed, pulumi.Parent(parent), pulumi.DependsOn(dependsOn),
		// What it holds does not depend on the image that it is made from.
		pulumi.IgnoreChanges([]string{"image"}), pulumi.DeleteBeforeReplace(true),
		c.retryWithoutLeftover(ctx, "container", base, func(name string) (bool, error) { return c.Engine.RemoveContainer(ctx.Context(), c.Prefix, name) }))
	if err != nil {
		return out, fmt.Errorf("container %s: %w", base, err)
	}
	c.declared.container(container)
	out.resources = []pulumi.Resource{container}
	return out, nil
}

func mountArray(in docker.ContainerMountArrayInput) docker.ContainerMountArray {
	all, _ := in.(docker.ContainerMountArray)
	return all
}

// contentHash is secret where one of the contents is.
func contentHash(w workload.Workload) pulumi.StringOutput {
	parts := make([]any, 0, 2*(len(w.Files)+len(w.Secrets)))
	for _, f := range w.Files {
		parts = append(parts, pulumi.String(f.Name), f.Content)
	}
	for _, s := range w.Secrets {
		parts = append(parts, pulumi.String(s.Name), s.Value)
	}
	return pulumi.All(parts...).ApplyT(func(values []any) string {
		sum := sha256.New()
		for _, v := range values {
			fmt.Fprintf(sum, "%d:%v", len(fmt.Sprint(v)), v)
		}
		return hex.EncodeToString(sum.Sum(nil))
	}).(pulumi.StringOutput)
}
