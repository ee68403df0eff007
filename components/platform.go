// Package components makes a running stack of the platform's parts. The parts (parts.go)
// describe themselves, by package part; a runtime (package runtime) makes resources of what
// they describe; and the rollout in here puts both in the order of a deploy. None of them
// reads Pulumi's configuration.
package components

import (
	"context"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/nginx"
	"tarot-platform/components/runtime"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/preflight"
	"tarot-platform/internal/release"
	"tarot-platform/internal/sbom"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/state"
)

// Engine is what the platform asks of the Docker engine.
type Engine interface {
	runtime.Engine
	nginx.Engine
	// Host is the name by which published ports are reached from here.
	Host() string
	// Platform is the engine's os/architecture.
	Platform() string
	// HostPaths are where it keeps what cAdvisor has to see.
	HostPaths() engine.HostPaths
	// Local is true where the engine shares this machine's files.
	Local() bool
	// Obstacles are what would make a deploy fail half-way.
	Obstacles(ctx context.Context, needs engine.Needs) (engine.Obstacles, error)
	// Machine is what is known of the engine's machine, Obtainable says whether an image is there or can be
	// had, and SizeOf what images take.
	Machine(ctx context.Context, prefix string, workloads []string) engine.Machine
	Obtainable(ctx context.Context, image string) (here bool, refused string, err error)
	SizeOf(ctx context.Context, images []string) int64
	// CheckUses refuses volumes that belong to something else, and Guests are the containers
	// of others on the stack's networks.
	CheckUses(ctx context.Context, wanted []engine.Use) (warnings []string, faults []error, err error)
	Guests(ctx context.Context, prefix string) ([]engine.Guest, error)
	// EndServices ends the tasks of those of the stack's Swarm services that are going.
	EndServices(ctx context.Context, prefix string, going func(name string) bool) error
	// Volume is the one of the name; there is false where the engine has none.
	Volume(ctx context.Context, name string) (found engine.Volume, there bool, err error)
	// LookAt says what is mounted at a folder of its machine, EngineLies what its own folder of volumes
	// lies on, and MakeFolders makes folders below one. They run one of the images that FirstThere finds.
	LookAt(ctx context.Context, prefix, image, folder string) (engine.Mount, error)
	EngineLies(ctx context.Context, prefix, image string) (engine.Medium, error)
	MakeFolders(ctx context.Context, prefix, image, below string, names []string) error
	FirstThere(ctx context.Context, images []string) (string, error)
	// Network is a stack's network; there is false where it has none of that name.
	Network(ctx context.Context, prefix, name string) (found engine.Network, there bool, err error)
	// Mounted is true where a healthy container of the workload has the volume.
	Mounted(ctx context.Context, prefix, workload, volume string) (bool, error)
	// MarkUses writes down what the stack has its volumes for; a claim only where
	// nothing is written down yet.
	MarkUses(ctx context.Context, uses []engine.Use, claim bool) error
	// Orphans are the stack's containers but for those to keep and Swarm's, and Remove
	// removes some.
	Orphans(ctx context.Context, prefix string, keep []string) ([]engine.Orphan, error)
	Remove(ctx context.Context, orphans []engine.Orphan) error
	// Releases are those that have run, and PruneReleases removes the oldest.
	Releases(ctx context.Context, prefix string) ([]release.Release, error)
	PruneReleases(ctx context.Context, p engine.Prune) ([]string, error)
	// Fix says what a ready image's name means now, and TagImage gives one a name more.
	Fix(ctx context.Context, name, repository string) (engine.Fixed, error)
	TagImage(ctx context.Context, image, name string) error
	// Operating is what is done with a stack and is not finished; false: nothing is.
	Operating(ctx context.Context, prefix string) (engine.Held, bool, error)
	// Files, Inventory, KeepInventory and KeepScan are of what images are made of.
	sbom.Engine
	KeepScan(ctx context.Context, prefix, image, id string, result []byte) error
	// Claim has everybody's PruneReleases spare images until it is released.
	Claim(ctx context.Context, prefix string, images ...string) (release func() error, err error)
}

// Compiler makes what an image of programs of this module is built from.
type Compiler func(ctx context.Context, platform string) (buildcontext.Build, error)

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
	// Operation is the one that this deploy is, or is a step of: no other is let through.
	Operation string
	// Uses are what the stack has its volumes for.
	Uses []engine.Use
	// Volumes are those in the stack's state, by the names of their resources.
	Volumes map[string]state.Volume
	Engine  Engine
	// Prefix begins the names of everything in the engine: project-stack. Project is its first
	// part.
	Prefix, Project string
	// Runtime returns the runtime that the configuration names. nil: runtime.New.
	Runtime func(name string, stack runtime.Stack, constraints []string) (runtime.Runtime, error)
	// Scheduler makes what the scheduler's image is built from, for an os/architecture, and
	// Helper what that of the backups is, Archiving what that of a PostgreSQL is that is archived, Pooling
	// what that of the pooler before one is, and ACME what that of what gets certificates is. nil: compile.Scheduler,
	// compile.Backup, compile.Postgres, compile.Pooler, compile.ACME.
	Scheduler, Helper, Archiving, Pooling, ACME Compiler
	// Origin says of which commit sources are (package origin); nil: images say nothing of it.
	Origin func(ctx context.Context, folder string) map[string]string
	// Scan looks for known vulnerabilities; nil: nobody does.
	Scan Scanner
	// Exact says what images are locked to; nil: to nothing.
	Exact Exact
	// Check runs a smoke test.
	Check func(ctx context.Context, test smoke.Test, within time.Duration) error
	// Dial returns what asks a nginx.
	Dial func(edge.Client) nginx.Client
	// Checked gets the checklist, whatever is found; an error ends the deploy there. nil: nobody wants it.
	Checked func(checks.Report) error
	// Guarded asks the engine's machine for its firewall; nil: nobody does.
	Guarded func(ctx context.Context, prefix string, cfg config.Config) preflight.Guarded
	// Jobs are those that Pulumi's state knows, by their names; nil: none.
	Jobs func(ctx context.Context) (map[string]state.Job, error)
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
	// Declared are the ids of the containers that were declared; none in a preview.
	Declared []string
}

// NewPlatform declares everything, in the order of a deploy. In an update it
// waits for each step, and returns an error where what runs is not what was
// asked for; then nothing of what ran before is gone.
func NewPlatform(ctx *pulumi.Context, name string, args *PlatformArgs, opts ...pulumi.ResourceOption) (*Platform, error) {
	r, err := newRollout(ctx, args)
	if err != nil {
		return nil, err
	}
	p := &Platform{}
	if err := ctx.RegisterComponentResource("tarot:index:Platform", name, p, opts...); err != nil {
		return nil, err
	}
	r.made = newRealised(ctx, r.runtime, p, args)
	if err := r.deploy(); err != nil {
		return nil, err
	}
	if p.Declared, err = r.report(); err != nil {
		return nil, err
	}
	if p.Outputs, err = r.outputs(); err != nil {
		return nil, err
	}
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{"url": p.Outputs["url"], state.JobRunsOutput: r.runtime.JobRuns()})
}

// deploy is a deploy, from what a stack stands on to the record of its release. What fails
// leaves everything after it undeclared, and with users what they had before.
func (r *rollout) deploy() error {
	unclaim, err := r.claimImages()
	if err != nil {
		return err
	}
	defer unclaim() // its release is recorded by then, or has failed
	if err := r.checkOperation(); err != nil {
		return err
	}
	removeSecrets, err := r.writeBuildSecrets()
	if err != nil {
		return err
	}
	defer removeSecrets()
	if err := r.endMoving(); err != nil {
		return err
	}
	if err := r.declareGround(); err != nil {
		return err
	}
	if err := r.declareImages(); err != nil {
		return err
	}
	if err := r.markUses(true); err != nil {
		return err
	}
	if err := r.openEdge(); err != nil {
		return err
	}
	defer r.removeOrphans()()
	if err := r.inspect(); err != nil {
		return err
	}
	if err := r.serve(); err != nil { // jobs, canary, verify, start
		return err
	}
	if err := r.switchUsers(); err != nil {
		return err
	}
	if err := r.checkSite(); err != nil {
		return err
	}
	if err := r.finalize(); err != nil { // follow, record, prune
		return err
	}
	r.edge.AwaitDrain() // Pulumi is about to stop the earlier replicas
	return r.retire()
}
