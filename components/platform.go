// Package components is what the platform is made of: one component resource a
// file, put together in platform.go. Components get plain data and other
// components; none of them reads Pulumi's configuration, and none knows whether
// a workload becomes containers or services.
package components

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// answerTime is how long a stack whose workloads are all healthy may take to
// answer from outside.
const answerTime = 30 * time.Second

// Engine is what the platform asks of the Docker engine.
type Engine interface {
	runtime.Engine
	Inspector
	// Host is the name by which published ports are reached from here.
	Host() string
	// Platform is the engine's os/architecture.
	Platform() string
	// Local is true where the engine shares this machine's files.
	Local() bool
}

// PlatformArgs describe a stack.
type PlatformArgs struct {
	Config config.Config
	Engine Engine
	// Prefix begins the names of everything in the engine: project-stack.
	Prefix string
	// Answers waits until an address answers.
	Answers func(ctx context.Context, url string, within time.Duration) error
}

// Platform is the application and all that is around it.
type Platform struct {
	pulumi.ResourceState

	// Outputs are the stack's outputs. They fail where what runs is not what was
	// asked for.
	Outputs pulumi.Map
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
}

// NewPlatform declares everything.
func NewPlatform(ctx *pulumi.Context, name string, args *PlatformArgs, opts ...pulumi.ResourceOption) (*Platform, error) {
	p := &platform{Platform: &Platform{}, PlatformArgs: *args, ctx: ctx,
		stack: runtime.Stack{Prefix: args.Prefix, Label: engine.StackLabel, Engine: args.Engine}}
	if err := ctx.RegisterComponentResource("tarot:index:Platform", name, p.Platform, opts...); err != nil {
		return nil, err
	}
	var err error
	if p.runtime, err = runtime.New(args.Config.Runtime, p.stack, args.Config.Swarm.Constraints); err != nil {
		return nil, err
	}
	if err := p.networks(); err != nil {
		return nil, err
	}
	storage, err := NewStorage(ctx, "storage", &args.Config.Volumes, p.child())
	if err != nil {
		return nil, err
	}
	credentials, err := NewCredentials(ctx, "credentials", &args.Config, p.child())
	if err != nil {
		return nil, err
	}
	image, err := NewImage(ctx, "backend-image", p.backendImage(), p.child())
	if err != nil {
		return nil, err
	}
	published, publishedOK, err := p.publishStatic(image, storage)
	if err != nil {
		return nil, err
	}
	backend, err := NewBackend(ctx, "backend", &BackendArgs{
		Config: args.Config, Runtime: p.runtime, Image: image, Secrets: credentials.Secrets, Storage: storage,
		Networks: p.backendNetworks(), TrustedSubnet: args.Config.Networks.BackendSubnet,
		MountCode: p.mountCode(), DependsOn: published,
	}, p.child())
	if err != nil {
		return nil, err
	}
	services := pulumi.Map{"backend": describe(backend.Running, image.Reference, args.Config.Backend.Replicas)}
	gates := []any{backend.Ready, publishedOK}
	standIns := map[string]pulumi.StringOutput{"backend": image.StandIn}
	if args.Config.Nginx.Enabled {
		nginx, image, err := p.nginx(storage, published)
		if err != nil {
			return nil, err
		}
		services["nginx"] = describe(nginx.Running, image.Reference, 1)
		gates = append(gates, nginx.Ready)
		standIns["nginx"] = image.StandIn
	}
	p.outputs(gates, pulumi.Map{
		"adminPassword": credentials.AdminPassword,
		"image":         pulumi.String(image.Reference),
		"services":      services,
		"standIns":      present(standIns),
		"volumes":       volumes(storage),
	})
	return p.Platform, ctx.RegisterResourceOutputs(p.Platform, pulumi.Map{"url": p.Outputs["url"]})
}

func (p *platform) child() pulumi.ResourceOption { return pulumi.Parent(p.Platform) }

// networks declares one network, or one for the edge and one without a way out.
func (p *platform) networks() error {
	var err error
	cfg := p.Config.Networks
	p.internal, err = p.runtime.Network(p.ctx, "backend", runtime.NetworkArgs{Subnet: cfg.BackendSubnet, Internal: cfg.Isolated}, p.Platform)
	if err != nil {
		return err
	}
	p.edge = p.internal
	if cfg.Isolated {
		p.edge, err = p.runtime.Network(p.ctx, "edge", runtime.NetworkArgs{Subnet: cfg.EdgeSubnet}, p.Platform)
	}
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

func (p *platform) backendImage() *ImageArgs {
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

// publishStatic copies the image's static files into the static volume before
// its replicas start. Files of earlier releases stay: a page that was loaded
// before keeps its pictures.
//
// The volume is mounted at the data folder, which the contract says is empty
// and belongs to the application's user: that is what an empty volume takes
// over, and the static folder stays visible as the source.
func (p *platform) publishStatic(image *Image, storage *Storage) ([]pulumi.Resource, pulumi.BoolOutput, error) {
	if storage.Static == nil {
		return nil, pulumi.Bool(true).ToBoolOutput(), nil
	}
	container, done, err := runtime.Once(p.ctx, p.stack, runtime.Task{
		Name:    "publish-static",
		Image:   image.Image,
		Command: []string{"/bin/sh", "-c", "cp -pR " + staticDir + "/. " + dataDir + "/"},
		Mounts:  []workload.Mount{{Kind: workload.Volume, Source: storage.Static, Target: dataDir}},
		Limits:  workload.Limits{Memory: int64(p.Config.Backend.Memory)},
		Logging: logging(p.Config.Logging, "publish-static"),
		User:    p.Config.Backend.User,
	}, p.Platform)
	return []pulumi.Resource{container}, done, err
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

func (p *platform) nginx(storage *Storage, dependsOn []pulumi.Resource) (*Nginx, *Image, error) {
	image, err := NewImage(p.ctx, "nginx-image", &ImageArgs{Reference: p.Config.Nginx.Image, Inspector: p.Engine}, p.child())
	if err != nil {
		return nil, nil, err
	}
	hosts := append(slices.Clone(p.Config.Nginx.ServerNames), p.Engine.Host())
	if p.Engine.Local() {
		hosts = append(hosts, "localhost", "127.0.0.1")
	}
	slices.Sort(hosts[len(p.Config.Nginx.ServerNames):])
	nginx, err := NewNginx(p.ctx, "nginx", &NginxArgs{
		Config: p.Config, Runtime: p.runtime, Image: image, Storage: storage,
		Networks: p.edgeNetworks(), Hosts: slices.Compact(hosts), DependsOn: dependsOn,
	}, p.child())
	return nginx, image, err
}

// describe is what `services` tells of a workload.
func describe(r *runtime.Running, image string, replicas int) pulumi.Map {
	return pulumi.Map{"image": pulumi.String(image), "replicas": pulumi.Int(replicas), "names": pulumi.ToStringArray(r.Names)}
}

// present leaves the images out that are no stand-ins.
func present(standIns map[string]pulumi.StringOutput) pulumi.StringMapOutput {
	all := pulumi.StringMap{}
	for name, text := range standIns {
		all[name] = text
	}
	return all.ToStringMapOutput().ApplyT(func(found map[string]string) map[string]string {
		maps.DeleteFunc(found, func(_, text string) bool { return text == "" })
		return found
	}).(pulumi.StringMapOutput)
}

func volumes(s *Storage) pulumi.Map {
	all := pulumi.Map{}
	for kind, name := range map[string]pulumi.StringInput{"data": s.Data, "static": s.Static, "logs": s.Logs} {
		if name != nil {
			all[kind] = name
		}
	}
	return all
}

// outputs sets the stack's outputs. The addresses wait for the gates, so that
// none is told of something that does not answer, and so that a gate's error is
// consumed and fails the update.
func (p *platform) outputs(gates []any, more pulumi.Map) {
	base := p.baseURL()
	paths := p.Config.Backend.Paths
	passed := pulumi.All(gates...).ApplyT(func([]any) (bool, error) {
		if p.ctx.DryRun() {
			return true, nil
		}
		// All are healthy, and the way through may still be missing: nginx looks
		// the backend's addresses up once a second.
		return true, p.Answers(p.ctx.Context(), base+paths.Health, answerTime)
	})
	p.Outputs = pulumi.Map{
		"runtime":  pulumi.String(p.Config.Runtime),
		"replicas": pulumi.Int(p.Config.Backend.Replicas),
	}
	for name, path := range map[string]string{
		"url": "", "apiUrl": paths.API, "docsUrl": paths.Docs, "adminUrl": paths.Admin, "healthUrl": paths.Health, "staticUrl": paths.Static,
	} {
		p.Outputs[name] = passed.ApplyT(func(any) string { return base + path }).(pulumi.StringOutput)
	}
	maps.Copy(p.Outputs, more)
}

// baseURL is where the stack answers, seen from the machine that Pulumi runs on.
func (p *platform) baseURL() string {
	cfg := p.Config
	host := p.Engine.Host()
	if strings.Contains(host, ":") { // an IPv6 address
		host = "[" + host + "]"
	}
	if !cfg.Nginx.Enabled {
		return "http://" + host + portSuffix(cfg.Backend.PublishPort, 80)
	}
	if names := cfg.Nginx.ServerNames; len(names) > 0 && resolves(p.ctx.Context(), names[0]) {
		host = names[0]
	}
	if cfg.Nginx.TLS.Mode == "off" {
		return "http://" + host + portSuffix(cfg.Nginx.HTTPPort, 80)
	}
	return "https://" + host + portSuffix(cfg.Nginx.HTTPSPort, 443)
}

// resolves is false for a name that no DNS here knows (yet): an address with it
// would not answer.
func resolves(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	return err == nil && len(found) > 0
}
