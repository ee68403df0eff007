package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"

	"tarot-platform/internal/release"
)

// Prune says what stays of a stack's earlier releases.
type Prune struct {
	// Prefix is the stack's, and Current the release that it runs.
	Prefix, Current string
	// Repository is the name of the images that the stack's project builds for the backend,
	// without a tag, and Project what those for its services begin with: PROJECT-SERVICE. No
	// other image is ever removed.
	Repository, Project string
	// Tools are the repositories of images that are the platform's own and no release's, and
	// InUse those of their images that this `up` has deployed. The others go at once.
	Tools, InUse []string
	// Keep is how many earlier releases can be returned to.
	Keep int
	// Young images stay: somebody may have built one for what is not recorded yet.
	Young time.Duration
}

// built is true for an image that the project has built, or has given its name.
func (p Prune) built(image string) bool {
	repository, tag, _ := strings.Cut(image, ":")
	return contentTag.MatchString(tag) && (repository == p.Repository || p.Project != "" && strings.HasPrefix(repository, p.Project+"-"))
}

// PruneReleases removes the records of a stack's releases that are too old, each together with
// its image. An image stays, and its record with it, while anything on the engine uses
// it; so does one that was tagged lately. It returns what it has removed.
//
// It is for the end of an `up`, when this release's own record is there. While another
// stack cleans up, it does nothing and says so: the next `up` does it.
func (e *Engine) PruneReleases(ctx context.Context, r Prune) (removed []string, err error) {
	lock, err := e.lockImages(ctx, r.Prefix)
	if err != nil {
		return nil, fmt.Errorf("earlier images stay until the next `up`: %w", err)
	}
	defer func() { err = errors.Join(err, lock.release(ctx)) }()
	all, err := e.records(ctx, "")
	if err != nil {
		return nil, err
	}
	going := tooOld(all, r)
	staying := slices.DeleteFunc(slices.Clone(all), func(s release.Release) bool {
		return slices.ContainsFunc(going, func(g release.Release) bool { return g.Record == s.Record })
	})
	used, err := e.used(ctx, staying)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, g := range going {
		if err := lock.held(ctx); err != nil {
			return removed, errors.Join(append(failures, err)...)
		}
		told, err := e.retire(ctx, g, r, used, staying)
		removed = append(removed, told...)
		failures = append(failures, err)
	}
	tools, err := e.earlierTools(ctx, r, used)
	if err != nil {
		return removed, errors.Join(append(failures, err)...)
	}
	for _, name := range tools {
		if err := lock.held(ctx); err != nil {
			return removed, errors.Join(append(failures, err)...)
		}
		gone, err := e.removeImage(ctx, name)
		if gone {
			removed = append(removed, "image "+name)
		}
		failures = append(failures, err)
	}
	return removed, errors.Join(append(failures, e.pruneInventories(ctx, r.Prefix))...)
}

// earlierTools are the images of tools that nobody has a use for any more.
func (e *Engine) earlierTools(ctx context.Context, r Prune, used users) ([]string, error) {
	var earlier []string
	for _, repository := range r.Tools {
		found, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository))})
		if err != nil {
			return nil, fmt.Errorf("images of %s: %w", repository, err)
		}
		for _, summary := range found {
			for _, name := range summary.RepoTags {
				if of, tag, _ := strings.Cut(name, ":"); of != repository || !contentTag.MatchString(tag) || slices.Contains(r.InUse, name) {
					continue
				}
				i, err := e.api.ImageInspect(ctx, name)
				if errdefs.IsNotFound(err) {
					continue
				}
				if err != nil {
					return nil, fmt.Errorf("image %s: %w", name, err)
				}
				if !used.need(name, i) && e.since(taggedAt(i)) >= r.Young {
					earlier = append(earlier, name)
				}
			}
		}
	}
	return earlier, nil
}

// removeImage takes a name from an image, and the image where it was the last one. false: a
// container of this very moment has it.
func (e *Engine) removeImage(ctx context.Context, name string) (bool, error) {
	_, err := e.api.ImageRemove(ctx, name, image.RemoveOptions{})
	if errdefs.IsConflict(err) {
		return false, nil
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return false, fmt.Errorf("image %s: %w", name, err)
	}
	return true, nil
}

// tooOld are the stack's records that have served their time.
func tooOld(all []release.Release, r Prune) []release.Release {
	mine := slices.DeleteFunc(slices.Clone(all), func(other release.Release) bool { return other.Stack != r.Prefix })
	latest, going := split(mine)
	kept := 0
	for _, other := range latest {
		if other.Name == r.Current {
			continue
		}
		if kept++; kept > r.Keep {
			going = append(going, other)
		}
	}
	return going
}

// retire removes a record, and its images first: an image without a record would be
// nobody's. Where one of the images has to stay, its record does, and with it the others.
func (e *Engine) retire(ctx context.Context, r release.Release, retention Prune, used users, staying []release.Release) ([]string, error) {
	var removed, going []string
	for _, name := range r.AllImages() {
		recorded := slices.ContainsFunc(staying, func(other release.Release) bool { return slices.Contains(other.AllImages(), name) })
		if recorded || !retention.built(name) {
			continue
		}
		found, err := e.api.ImageInspect(ctx, name)
		switch {
		case errdefs.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("image %s: %w", name, err)
		case used.need(name, found) || e.since(taggedAt(found)) < retention.Young:
			return nil, nil
		default:
			going = append(going, name)
		}
	}
	for _, name := range going {
		if gone, err := e.removeImage(ctx, name); err != nil || !gone {
			return removed, err
		}
		removed = append(removed, "image "+name)
	}
	if err := e.api.VolumeRemove(ctx, r.Record, false); err != nil && !errdefs.IsNotFound(err) {
		return removed, fmt.Errorf("release %s: %w", r.Name, err)
	}
	// One that ran again has a later record.
	if !slices.ContainsFunc(staying, func(other release.Release) bool { return other.Stack == r.Stack && other.Name == r.Name }) {
		removed = append(removed, "release "+r.Name)
	}
	return removed, nil
}

// taggedAt is when the image got its last tag, by the engine's clock.
func taggedAt(i image.InspectResponse) time.Time {
	if !i.Metadata.LastTagTime.IsZero() {
		return i.Metadata.LastTagTime
	}
	created, _ := time.Parse(time.RFC3339Nano, i.Created) // none: not young
	return created
}

// users are the images that anything on the engine uses, whoever's it is: by the names
// that it uses them by, and by their IDs.
type users struct{ names, ids map[string]bool }

// need is true where the image could not do without the name: somebody uses it by
// that, or uses the image, which has no other name. Docker itself never refuses to
// take away one of two.
func (u users) need(name string, i image.InspectResponse) bool {
	if u.names[name] {
		return true
	}
	others := slices.DeleteFunc(slices.Clone(i.RepoTags), func(tag string) bool { return tag == name || strings.HasPrefix(tag, "<none>") })
	return u.ids[i.ID] && len(others) == 0
}

// used asks who uses what: containers of every state, services with what they would
// roll back to, the records that stay, and what is being deployed.
func (e *Engine) used(ctx context.Context, records []release.Release) (users, error) {
	u := users{map[string]bool{}, map[string]bool{}}
	containers, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return u, fmt.Errorf("which images containers use: %w", err)
	}
	for _, c := range containers {
		u.names[familiar(c.Image)], u.ids[c.ImageID] = true, true
	}
	var byName []string
	for _, r := range records {
		byName = append(byName, r.AllImages()...)
		u.ids[r.ImageID] = true
	}
	if e.Info.Swarm.ControlAvailable {
		services, err := e.api.ServiceList(ctx, swarm.ServiceListOptions{})
		if err != nil {
			return u, fmt.Errorf("which images services use: %w", err)
		}
		for _, s := range services {
			for _, spec := range []*swarm.ServiceSpec{&s.Spec, s.PreviousSpec} {
				if spec != nil && spec.TaskTemplate.ContainerSpec != nil {
					byName = append(byName, spec.TaskTemplate.ContainerSpec.Image)
				}
			}
		}
	}
	claimed, err := e.claimed(ctx)
	if err != nil {
		return u, err
	}
	byName = append(byName, claimed...)
	slices.Sort(byName)
	for _, name := range slices.Compact(byName) {
		u.names[familiar(name)] = true
		found, err := e.api.ImageInspect(ctx, name)
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err) {
			return u, fmt.Errorf("image %s: %w", name, err)
		}
		u.ids[found.ID] = true
	}
	return u, nil
}

// familiar is an image's name as the engine lists it: without a digest beside the tag,
// and without the registry and folder that go without saying.
func familiar(name string) string {
	if before, _, both := strings.Cut(name, "@"); both && strings.Contains(before[strings.LastIndex(before, "/")+1:], ":") {
		name = before
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil { // an ID
		return name
	}
	return reference.FamiliarString(named)
}
