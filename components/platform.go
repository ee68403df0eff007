// Package components is what the platform is made of: one component resource a
// file, put together in platform.go. Components get plain data and other
// components; none of them reads Pulumi's configuration, and none knows whether
// a workload becomes containers or services.
package components

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"

	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/state"
)

// Engine is what the platform asks of the Docker engine.
type Engine interface {
	runtime.Engine
	Inspector
	// Host is the name by which published ports are reached from here.
	Host() string
	// Platform is the engine's os/architecture.
	Platform() string
	// Places are where it keeps what cAdvisor has to see.
	Places() engine.Places
	// Local is true where the engine shares this machine's files.
	Local() bool
	// Mounted is true where a healthy container of the workload has the volume.
	Mounted(ctx context.Context, prefix, workload, volume string) (bool, error)
	// Condition is how a workload does, whatever it answers itself, and Revive restarts
	// what is unhealthy of it.
	Condition(ctx context.Context, prefix, workload string) (engine.Condition, error)
	Revive(ctx context.Context, prefix, workload string) error
	// Published are where a workload's ports are reached on the host, by the port in
	// the container.
	Published(ctx context.Context, prefix, workload string) (map[int]engine.Published, error)
	// MarkUses writes down what the stack has its volumes for; a claim only where
	// nothing is written down yet.
	MarkUses(ctx context.Context, uses []engine.Use, claim bool) error
	// Strays are the stack's containers but for those to keep and Swarm's, and Remove
	// removes some.
	Strays(ctx context.Context, prefix string, keep []string) ([]engine.Stray, error)
	Remove(ctx context.Context, strays []engine.Stray) error
	// Exec runs a command in one of a workload's containers.
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	// Signal sends a signal to a workload's containers.
	Signal(ctx context.Context, prefix, workload, signal string) error
	// Releases are those that have run, and Retain removes the oldest.
	Releases(ctx context.Context, prefix string) ([]release.Release, error)
	Retain(ctx context.Context, r engine.Retention) ([]string, error)
	// Fix says what a ready image's name means now, and TagImage gives one a name more.
	Fix(ctx context.Context, name, repository string) (engine.Fixed, error)
	TagImage(ctx context.Context, image, name string) error
	// Claim has everybody's Retain spare an image until it is released.
	Claim(ctx context.Context, prefix, image string) (release func() error, err error)
}

// PlatformArgs describe a stack.
type PlatformArgs struct {
	Config config.Config
	// Source is the configuration as it was written, without secrets: what a
	// release's record keeps.
	Source map[string]string
	// Application is what Config has from the application itself.
	Application config.Application
	// Pinned is true where Config has an earlier release, which is Release.
	Pinned  bool
	Release release.Release
	// Uses are what the stack has its volumes for.
	Uses []engine.Use
	// Volumes are those in the stack's state, by the names of their resources.
	Volumes map[string]state.Volume
	Engine  Engine
	// Prefix begins the names of everything in the engine: project-stack.
	Prefix string
	// Check runs a smoke test.
	Check func(ctx context.Context, test smoke.Test, within time.Duration) error
	// Dial returns what asks the nginx at an address.
	Dial func(base, token string) NginxClient
	// Tasks are the one-shot tasks that Pulumi's state knows, by their names; nil: none.
	Tasks func(ctx context.Context) (map[string]state.Task, error)
	// Known are the ids of all that Pulumi's state knows; nil: it is not asked.
	Known func(ctx context.Context) (map[string]bool, error)
	// Sleep waits.
	Sleep func(time.Duration)
}

// Platform is the application and all that is around it.
type Platform struct {
	pulumi.ResourceState

	// Outputs are the stack's outputs.
	Outputs pulumi.Map
	// Kept are the ids of the containers that were declared; none in a preview.
	Kept []string
}

// platform is what the steps of NewPlatform share.
type platform struct {
	*Platform
	PlatformArgs
	ctx      *pulumi.Context
	stack    runtime.Stack
	runtime  runtime.Runtime
	edge     *workload.Network
	internal *workload.Network
	// watching is the monitoring's own.
	watching *workload.Network
}

// NewPlatform declares everything, in the order of a deploy. In an update it
// waits for each step, and returns an error where what runs is not what was
// asked for; then nothing of what ran before is gone.
func NewPlatform(ctx *pulumi.Context, name string, args *PlatformArgs, opts ...pulumi.ResourceOption) (*Platform, error) {
	p := &platform{Platform: &Platform{}, PlatformArgs: *args, ctx: ctx,
		stack: runtime.NewStack(args.Prefix, engine.StackLabel, args.Engine)}
	if err := ctx.RegisterComponentResource("tarot:index:Platform", name, p.Platform, opts...); err != nil {
		return nil, err
	}
	p.stack.Before = args.Tasks
	var err error
	if p.runtime, err = runtime.New(args.Config.Runtime, p.stack, args.Config.Swarm.Constraints); err != nil {
		return nil, err
	}
	if err := p.networks(); err != nil {
		return nil, err
	}
	storage, err := NewStorage(ctx, "storage", p.volumes(), p.child())
	if err != nil {
		return nil, err
	}
	credentials, err := NewCredentials(ctx, "credentials", &args.Config, p.child())
	if err != nil {
		return nil, err
	}
	image, sources, unclaim, err := p.backendImage()
	if err != nil {
		return nil, err
	}
	defer unclaim()
	if err := p.mark(true); err != nil {
		return nil, err
	}
	if sources.Reference == "" {
		if err := p.warnUnreadable(sources.Build); err != nil {
			return nil, err
		}
	}
	site, err := p.site(image, storage, credentials)
	if err != nil {
		return nil, err
	}
	record, more, err := p.follow(&site, image, storage, credentials)
	if err != nil {
		return nil, err
	}
	if err := p.foretell(); err != nil {
		return nil, err
	}
	// Pulumi is about to stop the earlier replicas.
	p.Sleep(time.Until(site.lingers))
	if !ctx.DryRun() {
		if p.Kept, err = p.stack.Kept(ctx); err != nil {
			return nil, err
		}
	}
	maps.Copy(more, pulumi.Map{
		"adminPassword": credentials.AdminPassword,
		"image":         pulumi.String(image.Reference),
		"release":       record,
		"services":      site.services,
		"standIns":      present(site.standIns),
		"volumes":       volumes(storage),
	})
	p.outputs(more)
	return p.Platform, ctx.RegisterResourceOutputs(p.Platform, pulumi.Map{"url": p.Outputs["url"], state.TasksOutput: p.stack.Tasks()})
}

// monitor declares what watches the site, and returns its outputs.
func (p *platform) monitor(s *site, image *Image, storage *Storage, credentials *Credentials) (pulumi.Map, error) {
	if !p.Config.Monitoring.Enabled {
		for name, volume := range p.Volumes {
			if strings.HasPrefix(name, "monitoring-") && !volume.Retained {
				return pulumi.Map{}, keepMonitoring(p.ctx, "monitoring", p.volumes(), p.child())
			}
		}
		return pulumi.Map{}, nil
	}
	m, err := NewMonitoring(p.ctx, "monitoring", &MonitoringArgs{
		Config: p.Config, Runtime: p.runtime, Stack: p.stack, Storage: storage, Before: p.Volumes, Inspector: p.Engine, Places: p.Engine.Places(),
		Watched: p.internal, Own: p.watching, Edge: p.edge, BaseURL: p.baseURL(),
		GrafanaPassword: credentials.GrafanaPassword, Release: p.release(image).Name, ReleaseImage: image.Reference,
	}, p.child())
	if err != nil {
		return nil, err
	}
	maps.Copy(s.services, m.Services)
	maps.Copy(s.standIns, m.StandIns)
	if m.GrafanaURL == "" {
		return pulumi.Map{}, nil
	}
	return pulumi.Map{"grafanaUrl": pulumi.String(m.GrafanaURL), "grafanaPassword": credentials.GrafanaPassword}, nil
}

// foretell has a preview say what the update would restart.
func (p *platform) foretell() error {
	if !p.ctx.DryRun() {
		return nil
	}
	text, err := p.stack.Plan.Tell(p.ctx.Context(), func(workload string) (int, error) {
		return p.Engine.Runs(p.ctx.Context(), p.Prefix, workload)
	})
	if err != nil {
		return err
	}
	return p.ctx.Log.Info(text, nil)
}

// site is what is there for users.
type site struct {
	services pulumi.Map
	standIns map[string]pulumi.StringOutput
	// lingers is until when requests may still go to the earlier replicas.
	lingers time.Time
}

// site declares the application and what is in front of it.
func (p *platform) site(image *Image, storage *Storage, credentials *Credentials) (s site, err error) {
	s = site{services: pulumi.Map{}, standIns: map[string]pulumi.StringOutput{"backend": image.StandIn}}
	args := &BackendArgs{
		Config: p.Config, Runtime: p.runtime, Stack: p.stack, Image: image, Secrets: credentials.Secrets, Storage: storage,
		Networks: p.backendNetworks(), TrustedSubnet: p.Config.Networks.BackendSubnet, MountCode: p.mountCode(),
	}
	if args.MountCode {
		p.warnHidden(image)
	}
	static := p.Config.Backend.Paths.Static
	if storage.Static != nil {
		args.Publish = func() (*runtime.Started, error) { return p.publishStatic(image, storage) }
		args.Release = staticFolder(image.Reference)
		static += "/" + args.Release
	}
	if p.Pinned {
		// It has run before. What the database was brought to since then is not its
		// business: only one that is not there yet is migrated.
		args.OnlyNew = true
		if args.Migrated, err = p.Engine.Mounted(p.ctx.Context(), p.Prefix, "backend", p.Config.Volumes.Data); err != nil {
			return s, err
		}
	}
	front := &proxy{p: p, static: static}
	var frontImage *Image
	if p.Config.Nginx.Enabled {
		if front.token, err = p.edgeToken(); err != nil {
			return s, err
		}
		if frontImage, err = NewImage(p.ctx, "nginx-image", &ImageArgs{Reference: p.Config.Nginx.Image, Inspector: p.Engine}, p.child()); err != nil {
			return s, err
		}
		s.standIns["nginx"] = frontImage.StandIn
		if p.Config.Maintenance && !p.ctx.DryRun() {
			if err := front.close(p.ctx.Context()); err != nil {
				return s, fmt.Errorf("maintenance page: %w", err)
			}
		}
		args.Rollout = runtime.Rollout{Edge: front, Proven: p.Pinned}
		defer p.removeStrays(front)()
	}
	backend, err := NewBackend(p.ctx, "backend", args, p.child())
	if err != nil {
		return s, err
	}
	front.backend = backend.Running
	s.services["backend"] = describe(backend.Running, image.Reference, p.Config.Backend.Replicas)
	if p.Config.Nginx.Enabled {
		nginx, err := p.nginx(front, frontImage, storage, backend.Running)
		if err != nil {
			return s, err
		}
		s.services["nginx"], s.lingers = describe(nginx.Running, frontImage.Reference, 1), front.lingers
	}
	if !p.ctx.DryRun() {
		if err := front.check(p.ctx.Context()); err != nil {
			for name := range s.services {
				err = fmt.Errorf("%w%s", err, p.Engine.Tail(p.ctx.Context(), p.Prefix, name))
			}
			return s, err
		}
	}
	return s, nil
}

// follow is what comes when users have the release: its static files become the
// current ones, it is watched, and then it is recorded as one that ran as wanted. Where
// something of this fails it is recorded as what users have.
func (p *platform) follow(s *site, image *Image, storage *Storage, credentials *Credentials) (record pulumi.StringOutput, outputs pulumi.Map, err error) {
	found, err := p.Engine.Releases(p.ctx.Context(), p.Prefix)
	if err != nil {
		return record, nil, err
	}
	var static errgroup.Group
	if storage.Static != nil {
		earlier := p.earlier(image, found)
		static.Go(func() error { return p.activateStatic(image, storage, earlier) })
	}
	if err = p.mark(false); err == nil {
		outputs, err = p.monitor(s, image, storage, credentials)
	}
	err = errors.Join(err, static.Wait())
	record, unrecorded := p.record(image, found, err != nil)
	if err = errors.Join(err, unrecorded); err == nil && !p.ctx.DryRun() {
		p.retain(p.release(image).Name)
	}
	return record, outputs, err
}

func (p *platform) child() pulumi.ResourceOption { return pulumi.Parent(p.Platform) }

// networks declares one network, or one for the edge, and without a way out one for
// the backend and one for what watches it.
func (p *platform) networks() error {
	var err error
	cfg := p.Config.Networks
	p.internal, err = p.runtime.Network(p.ctx, "backend", runtime.NetworkArgs{Subnet: cfg.BackendSubnet, Internal: cfg.Isolated}, p.Platform)
	if err != nil {
		return err
	}
	p.edge, p.watching = p.internal, p.internal
	if !cfg.Isolated {
		return nil
	}
	if p.edge, err = p.runtime.Network(p.ctx, "edge", runtime.NetworkArgs{Subnet: cfg.EdgeSubnet, After: p.internal}, p.Platform); err != nil || !p.Config.Monitoring.Enabled {
		return err
	}
	p.watching, err = p.runtime.Network(p.ctx, "monitoring", runtime.NetworkArgs{Subnet: cfg.MonitoringSubnet, Internal: true, After: p.edge}, p.Platform)
	return err
}

func (p *platform) backendNetworks() []*workload.Network {
	if p.Config.Networks.BackendEgress && p.edge != p.internal {
		return []*workload.Network{p.internal, p.edge}
	}
	return []*workload.Network{p.internal}
}

func (p *platform) edgeNetworks() []*workload.Network {
	if p.edge != p.internal {
		return []*workload.Network{p.edge, p.internal}
	}
	return []*workload.Network{p.internal}
}

// mountCode is false with an engine on another machine, which does not have the
// folder.
func (p *platform) mountCode() bool {
	if p.Config.Backend.MountCode && !p.Engine.Local() {
		_ = p.ctx.Log.Warn(fmt.Sprintf("the engine is on another machine (%s), which does not have the folder %s: "+
			"the backend runs from the image, without hot reload", p.Engine.Host(), p.Config.Backend.Context), nil)
		return false
	}
	return p.Config.Backend.MountCode
}

func (p *platform) nginx(front *proxy, image *Image, storage *Storage, backend *runtime.Running) (*Nginx, error) {
	hosts := append(slices.Clone(p.Config.Nginx.ServerNames), p.Engine.Host())
	if p.Engine.Local() {
		hosts = append(hosts, "localhost", "127.0.0.1")
	}
	slices.Sort(hosts[len(p.Config.Nginx.ServerNames):])
	nginx, err := NewNginx(p.ctx, "nginx", &NginxArgs{
		Config: p.Config, Runtime: p.runtime, Stack: p.stack, Image: image, Storage: storage, Token: front.token, Rotation: backend.Hosts, Addresses: backend.Addresses,
		Networks: p.edgeNetworks(), Hosts: slices.Compact(hosts),
	}, p.child())
	if err != nil || p.ctx.DryRun() {
		return nginx, err
	}
	configuration, err := runtime.Text(p.ctx, nginx.Configuration)
	if err != nil {
		return nil, err
	}
	return nginx, front.turn(p.ctx.Context(), configuration)
}
