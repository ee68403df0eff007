package components

import (
	"context"
	"maps"

	"tarot-platform/components/backend"
	"tarot-platform/components/services"
	"tarot-platform/internal/buildcontext"
)

// Exact is the name of the image that one with a tag is locked to. Of others it is the name itself.
type Exact func(ctx context.Context, name string) (string, error)

// exact asks what an image is locked to.
func (r *rollout) exact(name string) (string, error) {
	if r.args.Exact == nil {
		return name, nil
	}
	return r.args.Exact(r.ctx.Context(), name)
}

// lockBases has the release be built on the images that its Dockerfiles' are locked to, but for those
// that the configuration says another one of. A pinned release has been built.
func (r *rollout) lockBases() error {
	cfg := &r.args.Config
	if r.args.Exact == nil || r.args.Pinned {
		return nil
	}
	platform := r.args.Engine.Platform()
	var builds []buildcontext.Build
	if cfg.Backend.Image == "" {
		builds = append(builds, backend.Build(*cfg, platform))
	}
	for name, s := range cfg.Services {
		if s.Image == "" && !s.OfBackend() {
			builds = append(builds, services.Build(*cfg, name, platform))
		}
	}
	locked := map[string]string{}
	for _, b := range builds {
		names, err := b.Images()
		if err != nil {
			continue // building it will say what is wrong, and of which image
		}
		for _, name := range names {
			exact, err := r.exact(cfg.Build.Base(name))
			if err != nil {
				return err
			}
			if exact != cfg.Build.Base(name) {
				locked[cfg.Build.BaseName(name)] = exact
			}
		}
	}
	if len(locked) > 0 {
		all := maps.Clone(cfg.Build.BaseImages)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, locked)
		cfg.Build.BaseImages = all
	}
	return nil
}

// lockImages has the parts run the images that theirs are locked to.
func (r *rollout) lockImages() error {
	for _, d := range r.parts {
		for n, i := range d.Images {
			if i.Build != nil {
				continue
			}
			var err error
			if d.Images[n].Reference, err = r.exact(i.Reference); err != nil {
				return err
			}
		}
	}
	return nil
}
