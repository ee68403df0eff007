package components

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
)

func (p *platform) release(image *Image) release.Release {
	return release.New(image.Reference, p.Source, config.Namespace)
}

// earlier are the images of those of the releases that can be returned to.
func (p *platform) earlier(image *Image, found []release.Release) []string {
	current := p.release(image).Name
	var images []string
	for _, r := range found {
		if r.Name != current && len(images) < p.Config.Releases.Keep {
			images = append(images, r.Image)
		}
	}
	slices.Sort(images)
	return slices.DeleteFunc(slices.Compact(images), func(other string) bool { return other == image.Reference })
}

// inSequence gives a release its record: the one that it has while it is the latest,
// and otherwise the next. What ran before it is where the way back leads; but not back
// to what a rollback has just left.
func (p *platform) inSequence(r release.Release, found []release.Release) release.Release {
	r.Sequence = 1
	if len(found) > 0 {
		r.Sequence, r.Before = found[0].Sequence+1, found[0].Name
	}
	switch index := slices.IndexFunc(found, func(other release.Release) bool { return other.Name == r.Name }); {
	case index == 0:
		r.Sequence, r.Before, r.Record = found[0].Sequence, found[0].Before, found[0].Record
		return r
	case index > 0 && p.Pinned:
		r.Before = found[index].Before
	}
	r.Record = engine.RecordName(p.Prefix, r.Name, r.Sequence)
	return r
}

// record declares the record of a release that runs as wanted, and has those
// that are too old removed. It outlives the stack's next release, and the stack.
func (p *platform) record(image *Image, found []release.Release) (pulumi.StringOutput, error) {
	r := p.inSequence(p.release(image), found)
	source, err := json.Marshal(r.Configuration)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	application, err := json.Marshal(p.Application)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	label := func(name, value string) docker.VolumeLabelArgs {
		return docker.VolumeLabelArgs{Label: pulumi.String(name), Value: pulumi.String(value)}
	}
	labels := docker.VolumeLabelArray{
		label(engine.ApplicationLabel, string(application)),
		label(engine.ConfigurationLabel, string(source)), label(engine.ImageLabel, r.Image),
		label(engine.ReleaseLabel, r.Name), label(engine.SequenceLabel, strconv.Itoa(r.Sequence)), label(engine.StackLabel, p.Prefix),
	}
	if r.Before != "" {
		labels = append(labels, label(engine.BeforeLabel, r.Before))
	}
	_, err = docker.NewVolume(p.ctx, "release", &docker.VolumeArgs{
		Name:   pulumi.String(r.Record),
		Labels: labels,
	}, p.child(), pulumi.RetainOnDelete(true), pulumi.DeleteBeforeReplace(false))
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("release %s: %w", r.Name, err)
	}
	if p.Pinned {
		_ = p.ctx.Log.Warn(fmt.Sprintf("%s:releases.pin is %s: the stack runs this release, whatever else the stack file says", config.Namespace, r.Name), nil)
	}
	if p.ctx.DryRun() {
		return pulumi.String(r.Name).ToStringOutput(), nil
	}
	removed, err := p.Engine.Retain(p.ctx.Context(), p.Prefix, r.Name, p.ctx.Project()+"-backend", p.Config.Releases.Keep)
	if len(removed) > 0 {
		_ = p.ctx.Log.Info("removed: "+strings.Join(removed, ", "), nil)
	}
	if err != nil { // what is too much on a disk is no failed deploy
		_ = p.ctx.Log.Warn(err.Error(), nil)
	}
	return pulumi.String(r.Name).ToStringOutput(), nil
}
