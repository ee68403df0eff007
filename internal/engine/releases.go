package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/config"
	"tarot-platform/internal/release"
)

// Labels of a release's record: an empty volume, which every engine has, which
// survives whatever happens to the containers, and which Pulumi can declare.
const (
	ReleaseLabel       = "tarot.release"
	ImageLabel         = "tarot.image"
	ImagesLabel        = "tarot.images" // of services, by their names, as JSON
	ConfigurationLabel = "tarot.configuration"
	ApplicationLabel   = "tarot.application"
	SequenceLabel      = "tarot.sequence"
	BeforeLabel        = "tarot.before"
	// The names of the secrets, as JSON. A record that has this label is complete.
	SecretsLabel    = "tarot.secrets"
	ImageIDLabel    = "tarot.image-id"
	PinnedLabel     = "tarot.pinned"
	UnfinishedLabel = "tarot.unfinished"
)

// RecordLabels are a release's, on its record.
func RecordLabels(r release.Release) (map[string]string, error) {
	configuration, err := json.Marshal(r.Configuration)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(append([]string{}, r.Secrets...)) // [] where there is none
	if err != nil {
		return nil, err
	}
	labels := map[string]string{
		ApplicationLabel: r.Application, ConfigurationLabel: string(configuration), ImageLabel: r.Image, ReleaseLabel: r.Name,
		SecretsLabel: string(secrets), SequenceLabel: strconv.Itoa(r.Sequence), StackLabel: r.Stack,
	}
	for label, value := range map[string]string{BeforeLabel: r.Before, ImageIDLabel: r.ImageID, PinnedLabel: r.PinnedBy} {
		if value != "" {
			labels[label] = value
		}
	}
	if len(r.Images) > 0 {
		images, err := json.Marshal(r.Images)
		if err != nil {
			return nil, err
		}
		labels[ImagesLabel] = string(images)
	}
	if r.Unfinished {
		labels[UnfinishedLabel] = "true"
	}
	return labels, nil
}

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
		r, err := readRecord(v)
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", v.Name, err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b release.Release) int {
		return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), b.Created.Compare(a.Created), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// readRecord reads a record.
func readRecord(v *volume.Volume) (release.Release, error) {
	r := release.Release{
		Name: v.Labels[ReleaseLabel], Image: v.Labels[ImageLabel], ImageID: v.Labels[ImageIDLabel], Application: v.Labels[ApplicationLabel],
		Configuration: map[string]string{}, Before: v.Labels[BeforeLabel], PinnedBy: v.Labels[PinnedLabel], Unfinished: v.Labels[UnfinishedLabel] != "",
		Record: v.Name, Stack: v.Labels[StackLabel], Labels: v.Labels,
	}
	err := json.Unmarshal([]byte(v.Labels[ConfigurationLabel]), &r.Configuration)
	if err != nil {
		return r, err
	}
	if text := v.Labels[ImagesLabel]; text != "" {
		if err := json.Unmarshal([]byte(text), &r.Images); err != nil {
			return r, err
		}
	}
	if text := v.Labels[SecretsLabel]; text != "" {
		if err := json.Unmarshal([]byte(text), &r.Secrets); err != nil {
			return r, err
		}
		r.Complete = true
	} else {
		r.Secrets = listedSecrets(r.Configuration)
	}
	if text := v.Labels[SequenceLabel]; text != "" {
		if r.Sequence, err = strconv.Atoi(text); err != nil {
			return r, err
		}
	}
	r.Created, err = time.Parse(time.RFC3339, v.CreatedAt)
	return r, err
}

// listedSecrets are the names in a configuration's backend.secrets: all that a record of
// before there was SecretsLabel says of them. What can't be read is found by whoever
// loads the configuration.
func listedSecrets(configuration map[string]string) []string {
	var backend struct{ Secrets []string }
	_ = json.Unmarshal([]byte(configuration[config.Namespace+":backend"]), &backend)
	return backend.Secrets
}

// RecordName is the volume that records a stack's release. A volume's labels and
// its time can not be changed: one that runs again gets another record.
func RecordName(prefix, release string, sequence int) string {
	return fmt.Sprintf("%s-release-%s-%d", prefix, release, sequence)
}

// contentTag is the form of the tags that components/release.go gives.
var contentTag = regexp.MustCompile(`^[0-9a-f]{16}$`)

// CheckRelease says why a release can not be returned to, if so: an image that was
// built here is in no registry, and a record may lack what shaped the release.
func (e *Engine) CheckRelease(ctx context.Context, r release.Release) error {
	const goOn = "go forward (make forward), or check out what it was made of and run `pulumi up`"
	if _, has := r.Configuration[config.Namespace+":backend"]; !has && !r.Complete {
		return fmt.Errorf("release %s can not be returned to: its record says nothing of %s:backend (a secret was inside, and was left out with all that is beside it), "+
			"so the application would get default values; %s", r.Name, config.Namespace, goOn)
	}
	for _, image := range r.AllImages() {
		if _, tag, _ := strings.Cut(image, ":"); !contentTag.MatchString(tag) {
			continue
		}
		there, err := e.HasImage(ctx, image)
		if err == nil && !there {
			err = fmt.Errorf("release %s can not be returned to: its image %s was removed from this engine; %s", r.Name, image, goOn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
