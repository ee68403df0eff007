// A Pulumi program that deploys a Python web backend on Docker.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/stackfile"
	"tarot-platform/internal/state"
)

func main() {
	var after func()
	// Pulumi's engine has the program wait until all is done, so also what was
	// replaced is gone; and it waits for the program. One that fails ends here.
	pulumi.Run(func(ctx *pulumi.Context) (err error) {
		after, err = deploy(ctx)
		return err
	})
	after()
}

// deploy declares the stack, and returns what is left to do after the update.
func deploy(ctx *pulumi.Context) (after func(), err error) {
	source, err := configuration()
	if err != nil {
		return nil, err
	}
	if err := ours(source.all, ctx.Project()); err != nil {
		return nil, err
	}
	if err := config.RefuseSealed(source.sealed, secretsIn(ctx)); err != nil {
		return nil, err
	}
	cfg, err := config.Load(source.all)
	if err != nil {
		return nil, err
	}
	docker, err := engine.Open(ctx.Context())
	if err != nil {
		return nil, err
	}
	prefix := ctx.Project() + "-" + ctx.Stack()
	application, err := cfg.ReadApplication()
	if err != nil {
		return nil, err
	}
	var pinned release.Release
	if cfg.Releases.Pin != "" {
		if cfg, pinned, application, err = earlier(ctx, docker, prefix, cfg, source); err != nil {
			return nil, err
		}
	} else if err := overtakes(ctx, docker, prefix); err != nil {
		return nil, err
	}
	cfg = cfg.With(application)
	volumes, err := state.Volumes(ctx.Context(), stackName(ctx))
	if err != nil {
		return nil, fmt.Errorf("which volumes the stack has can't be told, and so not whether this update would remove one: %w", err)
	}
	uses := engine.Uses(cfg, application, prefix, ctx.Project())
	if pinned.Name != "" { // it has run here, and where its image is says nothing of where it came from
		for i := range uses {
			uses[i].Application, uses[i].Place = "", ""
		}
	}
	if err := errors.Join(docker.Preflight(context.WithoutCancel(ctx.Context()), cfg, prefix), neighbours(ctx, docker, uses)); err != nil {
		return nil, err
	}
	platform, err := components.NewPlatform(ctx, "platform", &components.PlatformArgs{
		Config: cfg, Source: source.open, Application: application, Pinned: pinned.Name != "", Release: pinned, Uses: uses, Volumes: volumes, Engine: docker, Prefix: prefix, Check: check, Dial: dial, Sleep: time.Sleep,
		Tasks: tasks(ctx),
		Known: func(c context.Context) (map[string]bool, error) { return state.IDs(c, stackName(ctx)) },
	})
	if err != nil {
		return nil, err
	}
	for name, value := range platform.Outputs {
		ctx.Export(name, value)
	}
	return tidy(ctx, docker, prefix, platform.Kept), nil
}

// neighbours refuses volumes that are somebody else's, and tells of what is in the way
// of a later update.
func neighbours(ctx *pulumi.Context, docker *engine.Engine, uses []engine.Use) error {
	warnings, faults, err := docker.CheckUses(ctx.Context(), uses)
	if err != nil {
		return err
	}
	guests, err := docker.Guests(ctx.Context(), uses[0].Stack)
	if err != nil {
		return err
	}
	for _, g := range guests {
		warnings = append(warnings, fmt.Sprintf("the container %s is on this stack's network %s, and not of this stack: the network can't be removed or changed before `%s`", g.Container, g.Network, g.Mend()))
	}
	for _, w := range warnings {
		if err := ctx.Log.Warn(w, nil); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}

// tasks reads Pulumi's state, once, if it is asked for.
func tasks(ctx *pulumi.Context) func(context.Context) (map[string]state.Task, error) {
	read := sync.OnceValues(func() (map[string]state.Task, error) { return state.Tasks(ctx.Context(), stackName(ctx)) })
	return func(context.Context) (map[string]state.Task, error) { return read() }
}

// stackName is what the CLI finds this stack by.
func stackName(ctx *pulumi.Context) string {
	return state.Name(ctx.Organization(), ctx.Project(), ctx.Stack())
}

func check(ctx context.Context, test smoke.Test, within time.Duration) error {
	return test.Run(ctx, within)
}

func dial(base, token string) components.NginxClient { return edge.Client{Base: base, Token: token} }

// values are the stack's configuration: a key with its namespace, and its value
// as Pulumi passes it on. Sealed are the keys that Pulumi says hold a secret.
type values struct {
	all, open, secret map[string]string
	sealed            []string
}

// configuration reads all of it at once: Pulumi's own accessors take a key at a
// time, and would never see one that is misspelt.
func configuration() (values, error) {
	v := values{map[string]string{}, map[string]string{}, map[string]string{}, nil}
	for variable, target := range map[string]any{pulumi.EnvConfig: &v.all, pulumi.EnvConfigSecretKeys: &v.sealed} {
		if text := os.Getenv(variable); text != "" {
			if err := json.Unmarshal([]byte(text), target); err != nil {
				return v, fmt.Errorf("%s: %w", variable, err)
			}
		}
	}
	for key, value := range v.all {
		// Also what should be a secret and is not marked as one.
		if slices.Contains(v.sealed, key) || config.IsSecret(strings.TrimPrefix(key, config.Namespace+":")) {
			v.secret[key] = value
		} else {
			v.open[key] = value
		}
	}
	return v, nil
}

// ours refuses keys that would be overlooked: those of the project's name, where
// that was changed.
func ours(all map[string]string, project string) error {
	for key := range all {
		if name, mine := strings.CutPrefix(key, project+":"); mine && project != config.Namespace {
			return fmt.Errorf("%s is not allowed; allowed: %s:%s (this program's keys begin with %s:, whatever the project is called)",
				key, config.Namespace, name, config.Namespace)
		}
	}
	return nil
}

// secretsIn are the paths of the secrets in the stack's file, for an error; none where
// it is somewhere else.
func secretsIn(ctx *pulumi.Context) []string {
	file, err := os.ReadFile("Pulumi." + ctx.Stack() + ".yaml")
	if err != nil {
		return nil
	}
	paths, _ := stackfile.Secrets(file)
	return paths
}
