package components

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// Folders of the application contract, docs/application.md.
const (
	appDir    = "/app"
	dataDir   = appDir + "/data"
	staticDir = appDir + "/static"
	logsDir   = appDir + "/logs"
)

// BackendArgs describe the application.
type BackendArgs struct {
	Config  config.Config
	Runtime runtime.Runtime
	Image   *Image
	Secrets []workload.Secret
	Storage *Storage
	// Networks are the ones that it is on; TrustedSubnet is the one that
	// requests come from.
	Networks      []*workload.Network
	TrustedSubnet string
	// MountCode bind-mounts the application's folder.
	MountCode bool
	// Release is the folder of the release's static files, below the published
	// ones. Empty: they are not published.
	Release string
	// Rollout is how a changed release takes the place of the one that runs.
	Rollout runtime.Rollout
	// Migrated is true where the database is known to have the release's schema, or
	// a later one: no migration runs.
	Migrated bool
	// OnlyNew has the migration leave a database alone that is there already.
	OnlyNew bool
	// Stack is where the migration runs.
	Stack runtime.Stack
	// Publish puts the release's static files where nginx finds them; nil: the
	// application serves its own.
	Publish func() (*runtime.Started, error)
}

// Backend is the application's replicas.
type Backend struct {
	pulumi.ResourceState
	*runtime.Running
}

// NewBackend declares the replicas.
func NewBackend(ctx *pulumi.Context, name string, args *BackendArgs, opts ...pulumi.ResourceOption) (*Backend, error) {
	b := &Backend{}
	if err := ctx.RegisterComponentResource("tarot:index:Backend", name, b, opts...); err != nil {
		return nil, err
	}
	w, err := args.workload()
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w", name, err)
	}
	rollout := args.Rollout
	rollout.Prepare = func() ([]pulumi.Resource, error) { return args.prepare(ctx, w, b) }
	if b.Running, err = args.Runtime.Run(ctx, w, rollout, b); err != nil {
		if hint := args.Config.Backend.Mentioned(err.Error(), w.Environment); hint != "" {
			err = fmt.Errorf("%w\n%s", err, hint)
		}
		if errors.Is(err, engine.ErrNotWritable) {
			err = fmt.Errorf("%w\n%s belongs to somebody else in the volume %s; this mends it:\n"+
				"docker run --rm --user 0:0 --network none --volume %s:%s --entrypoint chown %s -R %s %s", err, dataDir, args.Config.Volumes.Data,
				args.Config.Volumes.Data, dataDir, args.Image.Reference, w.User, dataDir)
		}
		return nil, fmt.Errorf("backend %q: %w", name, err)
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"names": b.Names})
}

// prepare has the static files published and the schema migrated.
func (args *BackendArgs) prepare(ctx *pulumi.Context, w workload.Workload, parent pulumi.Resource) ([]pulumi.Resource, error) {
	var tasks []*runtime.Started
	if args.Publish != nil {
		task, err := args.Publish()
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task)
	}
	if args.migrates() {
		task, err := args.migrate(ctx, w, parent)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task)
	}
	var resources []pulumi.Resource
	for _, task := range tasks {
		if err := task.Await(); err != nil {
			return nil, err
		}
		resources = append(resources, task.Resource)
	}
	return resources, nil
}

// migrates is false where only a new database would be migrated, and whether it is one
// can't be seen: it is in no file.
func (args *BackendArgs) migrates() bool {
	cfg := args.Config.Backend
	return len(cfg.Migrate) > 0 && !args.Migrated && !(args.OnlyNew && args.Config.DatabaseFile() == "")
}

// onlyNewScript runs the migration where there is no database. It looks into the
// volume itself: that nothing runs, or that no record tells of it, says nothing of the
// data in there.
const onlyNewScript = `if [ -s "$1" ]; then
  echo "$1 is there: a release that has run before leaves its schema as it is"
  exit 0
fi
shift
exec "$@"
`

// migrationTime is how long a migration may take.
const migrationTime = 15 * time.Minute

// migrate declares the migration: a replica with another command. What has no
// effect on it is left out, or it would run again for every such change.
func (args *BackendArgs) migrate(ctx *pulumi.Context, w workload.Workload, parent pulumi.Resource) (*runtime.Started, error) {
	w.Name = "migrate"
	w.Command = args.Config.Backend.Migrate
	if args.OnlyNew {
		w.Command = append([]string{"/bin/sh", "-c", onlyNewScript, w.Name, args.Config.DatabaseFile()}, w.Command...)
	}
	w.Logging = logging(args.Config.Logging, w.Name)
	w.Environment = maps.Clone(w.Environment)
	for _, name := range []string{"HOST", "PORT", "WORKERS", "GRACEFUL_TIMEOUT", "FORWARDED_ALLOW_IPS", "DEBUGGER_PORT", "MIGRATE_ON_START", "DEBUG"} {
		delete(w.Environment, name)
	}
	w.Ports = nil
	return runtime.Once(ctx, args.Stack, runtime.Task{Workload: w, Within: migrationTime}, parent)
}

func (args *BackendArgs) workload() (workload.Workload, error) {
	cfg := args.Config.Backend
	w := workload.Workload{
		Name:        "backend",
		Image:       args.Image.Image,
		Command:     cfg.Command,
		Environment: args.environment(),
		Secrets:     args.Secrets,
		Mounts: []workload.Mount{
			{Kind: workload.Volume, Source: args.Storage.Data, Target: dataDir},
			{Kind: workload.Tmpfs, Target: "/tmp"},
		},
		Writes:    slices.DeleteFunc([]string{dataDir, args.Config.DatabaseFile()}, func(place string) bool { return place == "" }),
		Networks:  args.Networks,
		Health:    health(cfg.Health),
		Limits:    workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory)},
		Replicas:  cfg.Replicas,
		User:      cfg.User,
		StopGrace: cfg.StopGrace,
	}
	w.Logging = logging(args.Config.Logging, w.Name)
	if args.Storage.Static != nil {
		w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Volume, Source: args.Storage.Static, Target: staticDir})
	}
	if args.Storage.Logs != nil {
		w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Volume, Source: args.Storage.Logs, Target: logsDir})
	}
	if args.MountCode {
		folder, err := filepath.Abs(cfg.Context)
		if err != nil {
			return w, err
		}
		w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Bind, Source: pulumi.String(folder), Target: appDir})
	}
	if cfg.PublishPort != 0 {
		w.Ports = append(w.Ports, workload.Port{Address: cfg.PublishAddress, Host: cfg.PublishPort, Container: cfg.Port})
	}
	if cfg.DebuggerPort != 0 {
		w.Ports = append(w.Ports, workload.Port{Address: cfg.PublishAddress, Host: cfg.DebuggerPort, Container: cfg.DebuggerPort})
	}
	return w, nil
}

// environment is the contract's, docs/application.md. The user's own values go before
// it; the configuration has none of those that must be as they are here.
func (args *BackendArgs) environment() map[string]string {
	cfg := args.Config.Backend
	env := map[string]string{}
	env["HOST"] = "0.0.0.0"
	env["PORT"] = strconv.Itoa(cfg.Port)
	env["WORKERS"] = strconv.Itoa(cfg.Workers)
	env["DATABASE_URL"] = cfg.DatabaseURL
	env["DEBUG"] = strconv.FormatBool(cfg.Debug)
	env["LOG_LEVEL"] = cfg.LogLevel
	env["FORWARDED_ALLOW_IPS"] = args.TrustedSubnet
	env["GRACEFUL_TIMEOUT"] = strconv.Itoa(int(cfg.Drain / time.Second))
	env["RELEASE"] = args.Image.Reference
	env["STATIC_DIR"], env["STATIC_URL"] = staticDir, cfg.Paths.Static
	if args.Release != "" {
		env["STATIC_DIR"], env["STATIC_URL"] = staticDir+"/"+args.Release, cfg.Paths.Static+"/"+args.Release
	}
	if len(cfg.Migrate) > 0 {
		env["MIGRATE_ON_START"] = "false"
	}
	if cfg.DebuggerPort != 0 {
		env["DEBUGGER_PORT"] = strconv.Itoa(cfg.DebuggerPort)
	}
	maps.Copy(env, cfg.Environment)
	return env
}

func health(cfg config.Health) workload.Health {
	return workload.Health{Interval: cfg.Interval, Timeout: cfg.Timeout, StartPeriod: cfg.StartPeriod, Retries: cfg.Retries}
}

// untagged are the drivers that refuse a tag.
var untagged = map[string]bool{"local": true, "none": true, "etwlogs": true}

// logging adds the workload's name as the tag that tells the logs apart.
func logging(cfg config.Logging, name string) workload.Logging {
	options := maps.Clone(cfg.Options)
	if options == nil {
		options = map[string]string{}
	}
	if options["tag"] == "" && !untagged[cfg.Driver] {
		options["tag"] = name
	}
	return workload.Logging{Driver: cfg.Driver, Options: options}
}
