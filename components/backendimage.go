package components

import (
	"fmt"
	"maps"

	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/engine"
)

// backendImage declares the application's image. In an update nobody removes it until it
// is unclaimed, for which its release has to be recorded.
func (p *platform) backendImage() (image *Image, args *ImageArgs, unclaim func(), err error) {
	args = p.backendImageArgs()
	ready, err := p.fixed(args)
	if err != nil {
		return nil, nil, nil, err
	}
	reference, err := args.reference()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("image %q: %w", "backend-image", err)
	}
	unclaim = func() {}
	if !p.ctx.DryRun() {
		release, err := p.Engine.Claim(p.ctx.Context(), p.Prefix, reference)
		if err != nil {
			return nil, nil, nil, err
		}
		unclaim = func() {
			if err := release(); err != nil { // it spares one image until the next `up`
				_ = p.ctx.Log.Warn(err.Error(), nil)
			}
		}
	}
	if ready.Tag && !p.ctx.DryRun() {
		err = p.Engine.TagImage(p.ctx.Context(), p.Config.Backend.Image, ready.Name)
	}
	if err == nil {
		image, err = NewImage(p.ctx, "backend-image", args, p.child())
	}
	if err != nil {
		unclaim()
	}
	return image, args, unclaim, err
}

// fixed gives a ready image the name that means what its tag means now: a tag that moves
// is a change, and a release that can be returned to. A pinned release has its own.
func (p *platform) fixed(args *ImageArgs) (engine.Fixed, error) {
	if args.Reference == "" || p.Pinned {
		return engine.Fixed{}, nil
	}
	ready, err := p.Engine.Fix(p.ctx.Context(), args.Reference, args.Repository)
	if err != nil {
		return ready, err
	}
	if ready.Warning != "" {
		_ = p.ctx.Log.Warn(ready.Warning, nil)
	}
	args.Reference = ready.Name
	return ready, nil
}

func (p *platform) backendImageArgs() *ImageArgs {
	b := p.Config.Build
	args := maps.Clone(b.Args)
	if args == nil {
		args = map[string]string{}
	}
	for name, value := range map[string]string{"BASE_REGISTRY": b.BaseRegistry, "PIP_INDEX_URL": b.PipIndexURL, "APT_MIRROR": b.AptMirror} {
		if value != "" {
			args[name] = value
		}
	}
	target := b.Platform
	if target == "" {
		target = p.Engine.Platform() // left out, the provider warns at every run
	}
	cfg := p.Config.Backend
	return &ImageArgs{
		Reference:  cfg.Image,
		Repository: p.ctx.Project() + "-backend",
		Build:      buildcontext.Build{Context: cfg.Context, Dockerfile: cfg.Dockerfile, Target: cfg.Target, Platform: target, Args: args},
		Inspector:  p.Engine,
	}
}
