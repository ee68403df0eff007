package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/release"
)

// Labels of a release's record: an empty volume, which every engine has, which
// survives whatever happens to the containers, and which Pulumi can declare.
const (
	ReleaseLabel       = "tarot.release"
	ImageLabel         = "tarot.image"
	ConfigurationLabel = "tarot.configuration"
	ApplicationLabel   = "tarot.application"
	SequenceLabel      = "tarot.sequence"
	BeforeLabel        = "tarot.before"
)

// Releases are a stack's, the one that ran last first. With an empty prefix, all
// stacks'.
func (e *Engine) Releases(ctx context.Context, prefix string) ([]release.Release, error) {
	all, err := e.records(ctx, prefix)
	latest, _ := split(all)
	return latest, err
}

// split tells each release's latest record from its earlier ones.
func split(records []release.Release) (latest, superseded []release.Release) {
	seen := map[string]bool{}
	for _, r := range records {
		key := r.Stack + " " + r.Name
		if seen[key] {
			superseded = append(superseded, r)
		} else {
			latest = append(latest, r)
		}
		seen[key] = true
	}
	return latest, superseded
}

// records are the releases' records, the latest first. A release that ran again
// after another one has two for as long as the earlier one is not cleared away.
func (e *Engine) records(ctx context.Context, prefix string) ([]release.Release, error) {
	args := filters.NewArgs(filters.Arg("label", ReleaseLabel))
	if prefix != "" {
		args.Add("label", StackLabel+"="+prefix)
	}
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: args})
	if err != nil {
		return nil, fmt.Errorf("releases: %w", err)
	}
	var all []release.Release
	for _, v := range found.Volumes {
		r := release.Release{Name: v.Labels[ReleaseLabel], Image: v.Labels[ImageLabel],
			Application: v.Labels[ApplicationLabel], Configuration: map[string]string{}, Before: v.Labels[BeforeLabel], Record: v.Name, Stack: v.Labels[StackLabel]}
		if err := json.Unmarshal([]byte(v.Labels[ConfigurationLabel]), &r.Configuration); err != nil {
			return nil, fmt.Errorf("release %s: %w", v.Name, err)
		}
		if r.Created, err = time.Parse(time.RFC3339, v.CreatedAt); err != nil {
			return nil, fmt.Errorf("release %s: %w", v.Name, err)
		}
		if text := v.Labels[SequenceLabel]; text != "" {
			if r.Sequence, err = strconv.Atoi(text); err != nil {
				return nil, fmt.Errorf("release %s: %w", v.Name, err)
			}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b release.Release) int {
		return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), b.Created.Compare(a.Created), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// RecordName is the volume that records a stack's release. A volume's labels and
// its time can not be changed: one that runs again gets another record.
func RecordName(prefix, release string, sequence int) string {
	return fmt.Sprintf("%s-release-%s-%d", prefix, release, sequence)
}

// contentTag is the form of the tags that components/image.go gives.
var contentTag = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Retain removes the records of all but the newest releases of a stack, the
// current one apart, and the images of a repository that no release of any stack
// needs and no container uses. It returns what it has removed.
func (e *Engine) Retain(ctx context.Context, prefix, current, repository string, keep int) ([]string, error) {
	all, err := e.records(ctx, prefix)
	if err != nil {
		return nil, err
	}
	mine, superseded := split(all)
	var removed []string
	for _, r := range superseded {
		if err := e.removeRecord(ctx, r); err != nil {
			return removed, err
		}
	}
	kept := 0
	for _, r := range mine {
		if r.Name == current {
			continue
		}
		if kept++; kept <= keep {
			continue
		}
		if err := e.removeRecord(ctx, r); err != nil {
			return removed, err
		}
		removed = append(removed, "release "+r.Name)
	}
	images, err := e.removeImages(ctx, repository)
	return append(removed, images...), err
}

func (e *Engine) removeRecord(ctx context.Context, r release.Release) error {
	if err := e.api.VolumeRemove(ctx, r.Record, false); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("release %s: %w", r.Name, err)
	}
	return nil
}

// CheckRelease says why a release can not be returned to, if so: an image that was
// built here is in no registry.
func (e *Engine) CheckRelease(ctx context.Context, r release.Release) error {
	if _, tag, _ := strings.Cut(r.Image, ":"); !contentTag.MatchString(tag) {
		return nil
	}
	_, err := e.api.ImageInspect(ctx, r.Image)
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("release %s can not be returned to: its image %s was removed from this engine", r.Name, r.Image)
	}
	return err
}

func (e *Engine) removeImages(ctx context.Context, repository string) ([]string, error) {
	needed, err := e.Releases(ctx, "")
	if err != nil {
		return nil, err
	}
	found, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository))})
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	var removed []string
	var failures []error
	for _, i := range found {
		for _, tag := range i.RepoTags {
			_, suffix, _ := strings.Cut(tag, ":")
			if !contentTag.MatchString(suffix) || slices.ContainsFunc(needed, func(r release.Release) bool { return r.Image == tag }) {
				continue
			}
			_, err := e.api.ImageRemove(ctx, tag, image.RemoveOptions{})
			switch {
			case err == nil:
				removed = append(removed, "image "+tag)
			case errdefs.IsConflict(err) || errdefs.IsNotFound(err): // a container uses it: next time
			default:
				failures = append(failures, fmt.Errorf("image %s: %w", tag, err))
			}
		}
	}
	return removed, errors.Join(failures...)
}
