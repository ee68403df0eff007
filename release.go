package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
	"tarot-platform/internal/state"
)

// forward is the variable by which an `up` is allowed to replace a release that somebody
// has returned to: it names that release.
const forward = "TAROT_FORWARD"

// chooseRelease finds out what is to be deployed: what the stack file says, or the pinned
// release.
func chooseRelease(ctx *pulumi.Context, docker *engine.Engine, cfg config.Config, source values) (args *components.PlatformArgs, err error) {
	args = &components.PlatformArgs{Source: source.open, Prefix: ctx.Project() + "-" + ctx.Stack(), Project: ctx.Project(), Pinned: cfg.Releases.Pin != ""}
	if args.Application, err = cfg.ReadApplication(); err != nil {
		return nil, err
	}
	if args.Pinned {
		cfg, args.Release, args.Application, err = loadPinned(ctx, docker, args.Prefix, cfg, source)
	} else {
		err = refuseOvertaking(ctx, docker, args.Prefix)
	}
	if err != nil {
		return nil, err
	}
	if err := cfg.CheckRunsOn(args.Application); err != nil {
		return nil, err
	}
	args.Config = cfg.With(args.Application)
	if args.Volumes, err = state.Volumes(ctx.Context(), stackName(ctx)); err != nil {
		return nil, fmt.Errorf("which volumes the stack has can't be told, and so not whether this update would remove one: %w", err)
	}
	args.Uses = engine.Uses(args.Config, args.Application, args.Prefix, ctx.Project())
	if args.Pinned { // it has run here, and where its image is says nothing of where it came from
		for i := range args.Uses {
			args.Uses[i].Application, args.Uses[i].Place = "", ""
		}
	}
	return args, nil
}

// loadPinned is today's configuration with what shapes the pinned release taken from its
// record, and that release. Secrets are those of today. It is checked as any other.
func loadPinned(ctx *pulumi.Context, docker *engine.Engine, prefix string, now config.Config, source values) (config.Config, release.Release, config.Application, error) {
	var application config.Application
	releases, err := docker.Releases(ctx.Context(), prefix)
	if err != nil {
		return now, release.Release{}, application, err
	}
	index := slices.IndexFunc(releases, func(r release.Release) bool { return r.Name == now.Releases.Pin })
	if index < 0 {
		return now, release.Release{}, application, fmt.Errorf("%s:releases.pin: %q is not allowed; allowed: empty, or a release that can be returned to: %s",
			config.Namespace, now.Releases.Pin, release.Names(releases))
	}
	r := releases[index]
	if err := docker.CheckRelease(ctx.Context(), r); err != nil {
		return now, r, application, err
	}
	all, err := withRelease(source, r)
	if err != nil {
		return now, r, application, fmt.Errorf("release %s: %w", r.Name, err)
	}
	if err := json.Unmarshal([]byte(r.Application), &application); err != nil {
		return now, r, application, fmt.Errorf("release %s: %w", r.Name, err)
	}
	cfg, err := config.Load(all)
	if err == nil {
		err = cfg.With(application).Validate()
	}
	if err != nil {
		return now, r, application, fmt.Errorf("release %s can not be returned to with the rest of today's stack file: %w", r.Name, err)
	}
	return cfg, r, application, nil
}

// withRelease is today's configuration with a release's own.
func withRelease(source values, r release.Release) (map[string]string, error) {
	all := maps.Clone(source.all)
	for _, key := range release.Keys {
		full := config.Namespace + ":" + key
		delete(all, full)
		if value, set := r.Configuration[full]; set {
			all[full] = value
		}
	}
	build := config.Namespace + ":build"
	if text := release.WithTodays(all[build], source.all[build]); text != "" {
		all[build] = text
	}
	backend, database := map[string]any{}, config.Namespace+":"+config.DatabaseURLSecret
	if text := all[config.Namespace+":backend"]; text != "" {
		if err := asWritten(text, &backend); err != nil {
			return nil, err
		}
	}
	external, err := config.IsExternal(source.all) // which is no part of a release
	if err != nil {
		return nil, err
	}
	for key := range source.secret { // one that came later is nothing that the release knows
		name := strings.TrimPrefix(key, config.Namespace+":")
		if !config.TakesSecret(name, r.Secrets) || key == database && !external && !slices.Contains(r.Secrets, name) {
			delete(all, key)
		}
	}
	// A record of before a password was refused there: today's goes before it.
	if address, _ := backend["databaseUrl"].(string); config.HasPassword(address) {
		delete(backend, "databaseUrl")
		all[database] = cmp.Or(source.all[database], address)
	}
	for _, name := range r.Secrets {
		if all[config.Namespace+":"+name] == "" {
			return nil, fmt.Errorf("it had the secret %s:%s, which is not set today; set it by `pulumi config set --secret %[1]s:%[2]s`, then return", config.Namespace, name)
		}
	}
	// Its images are there: nothing is built, and no folder is looked at.
	backend["image"] = r.Image
	text, err := json.Marshal(backend)
	all[config.Namespace+":backend"] = string(text)
	if err == nil {
		err = withoutBuildSecrets(all)
	}
	if err != nil || len(r.Images) == 0 {
		return all, err
	}
	return all, withImages(all, r.Images)
}

// withoutBuildSecrets leaves out the secrets that building it took: they may be gone by now.
func withoutBuildSecrets(all map[string]string) error {
	key := config.Namespace + ":build"
	if all[key] == "" {
		return nil
	}
	build := map[string]any{}
	if err := asWritten(all[key], &build); err != nil {
		return err
	}
	if build["secrets"] == nil {
		return nil
	}
	delete(build, "secrets")
	text, err := json.Marshal(build)
	all[key] = string(text)
	return err
}

// asWritten decodes JSON, and leaves numbers as they are written: a variable may be 0.10.
func asWritten(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// withImages gives the services the images that a release had.
func withImages(all map[string]string, images map[string]string) error {
	key := config.Namespace + ":services"
	services := map[string]map[string]any{}
	if err := asWritten(all[key], &services); err != nil {
		return err
	}
	for name, image := range images {
		if services[name] == nil {
			return fmt.Errorf("its record has the image %s of the service %s, and nothing else of that", image, name)
		}
		services[name]["image"] = image
		for _, built := range []string{"context", "dockerfile", "target"} {
			delete(services[name], built)
		}
	}
	text, err := json.Marshal(services)
	all[key] = string(text)
	return err
}

// refuseOvertaking refuses to go forward in silence where the stack's last deploy was a rollback
// and this checkout does not say so: somebody has returned for a reason.
func refuseOvertaking(ctx *pulumi.Context, docker *engine.Engine, prefix string) error {
	releases, err := docker.Releases(ctx.Context(), prefix)
	if err != nil || len(releases) == 0 || releases[0].PinnedBy == "" || os.Getenv(forward) == releases[0].Name {
		return err
	}
	r, from := releases[0], ""
	if len(releases) > 1 {
		from = " from " + releases[1].Name
	}
	told := fmt.Sprintf("the stack runs the release %s, to which %s returned%[7]s at %[3]s, and this checkout's %s:releases.pin is empty: `pulumi up` would go forward. "+
		"To stay: `pulumi config set --path %[4]s:releases.pin %[1]s`, or `make rollback STACK=%[5]s TO=%[1]s`. "+
		"To go forward: `make forward STACK=%[5]s`, or `%[6]s=%[1]s pulumi up`",
		r.Name, r.PinnedBy, r.Created.UTC().Format("2006-01-02 15:04 UTC"), config.Namespace, ctx.Stack(), forward, from)
	if ctx.DryRun() {
		return ctx.Log.Warn(told, nil)
	}
	return fmt.Errorf("%s", told)
}
