package components

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/runtime"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
)

// young images stay, whatever becomes of their release: somebody may have built or
// tagged one for what is not recorded yet, with a program that claims nothing.
const young = time.Hour

// release is the one that this `up` makes: the pinned one as it was recorded, or a new
// one of what the stack file says.
func (p *platform) release(image *Image) release.Release {
	if p.Pinned {
		return p.Release
	}
	return release.New(image.Reference, p.Source, p.Config.ApplicationSecrets(), config.Namespace)
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

// inSequence gives a release its record: the one that it has while it is the latest and
// nothing else is to be said of it, and otherwise the next. What ran as wanted before it
// is where the way back leads; but not back to what a rollback has just left.
func (p *platform) inSequence(r release.Release, found []release.Release) release.Release {
	r.Stack, r.Sequence, r.Before, r.PinnedBy, r.Labels = p.Prefix, 1, "", "", nil
	if p.Pinned {
		r.PinnedBy = engine.Who()
	}
	index := slices.IndexFunc(found, func(other release.Release) bool { return other.Name == r.Name })
	if len(found) > 0 {
		latest := found[0]
		if index == 0 && (latest.PinnedBy != "") == p.Pinned && latest.Unfinished == r.Unfinished {
			return latest
		}
		r.Sequence, r.Before = latest.Sequence+1, latest.Name
		if latest.Unfinished {
			r.Before = latest.Before
		}
		if index == 0 || index > 0 && p.Pinned || r.Before == r.Name {
			r.Before = found[index].Before
		}
	}
	r.Record = engine.RecordName(p.Prefix, r.Name, r.Sequence)
	return r
}

// record declares the record of a release that users have. Unfinished is one whose `up`
// is about to fail all the same. A record outlives the stack's next release, and the
// stack.
func (p *platform) record(image *Image, found []release.Release, unfinished bool) (pulumi.StringOutput, error) {
	var none pulumi.StringOutput
	r := p.release(image)
	r.Unfinished = unfinished
	application, err := json.Marshal(p.Application)
	if err != nil {
		return none, err
	}
	r.Application, r.ImageID = string(application), ""
	r = p.inSequence(r, found)
	labels := r.Labels // a volume's never change
	if labels == nil {
		if labels, err = engine.RecordLabels(r); err != nil {
			return none, fmt.Errorf("release %s: %w", r.Name, err)
		}
	}
	var all docker.VolumeLabelArray
	for name, value := range labels {
		all = append(all, docker.VolumeLabelArgs{Label: pulumi.String(name), Value: pulumi.String(value)})
	}
	if r.Labels == nil {
		all = append(all, docker.VolumeLabelArgs{Label: pulumi.String(engine.ImageIDLabel), Value: image.ID})
	}
	slices.SortFunc(all, func(a, b docker.VolumeLabelInput) int {
		return strings.Compare(string(a.(docker.VolumeLabelArgs).Label.(pulumi.String)), string(b.(docker.VolumeLabelArgs).Label.(pulumi.String)))
	})
	record, err := docker.NewVolume(p.ctx, "release", &docker.VolumeArgs{
		Name:   pulumi.String(r.Record),
		Labels: all,
	}, p.child(), pulumi.RetainOnDelete(true), pulumi.DeleteBeforeReplace(false))
	if err != nil {
		return none, fmt.Errorf("release %s: %w", r.Name, err)
	}
	if p.Pinned {
		_ = p.ctx.Log.Warn(fmt.Sprintf("%s:releases.pin is %s: the stack runs this release, whatever else the stack file says", config.Namespace, r.Name), nil)
	}
	name := pulumi.String(r.Name).ToStringOutput()
	if p.ctx.DryRun() {
		return name, nil
	}
	if _, err := runtime.ID(p.ctx, record); err != nil {
		return none, fmt.Errorf("release %s: %w", r.Name, err)
	}
	return name, nil
}

// retain has what is too old removed. It comes last: the release that has just been
// deployed has its record then, which is what keeps its image.
func (p *platform) retain(current string) {
	removed, err := p.Engine.Retain(p.ctx.Context(), engine.Retention{
		Prefix: p.Prefix, Current: current, Repository: p.ctx.Project() + "-backend", Keep: p.Config.Releases.Keep, Young: young})
	if len(removed) > 0 {
		_ = p.ctx.Log.Info("removed: "+strings.Join(removed, ", "), nil)
	}
	if err != nil { // what is too much on a disk is no failed deploy
		_ = p.ctx.Log.Warn(err.Error(), nil)
	}
}
