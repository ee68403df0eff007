// Package compose makes a stack file of a Compose project: what Compose says is read by
// Compose's own loader, and all that a stack file can't say is told, line by line.
package compose

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
)

// Source is what `docker compose` would be called with.
type Source struct {
	// Files are as with -f: the first one, and those that go before it.
	Files []string
	// Profiles are as with --profile; none: those of COMPOSE_PROFILES.
	Profiles []string
	// EnvFiles are as with --env-file; none: .env beside the first file.
	EnvFiles []string
}

// Project is a Compose project, resolved as Compose does: interpolation, extends, includes,
// environment files and profiles.
type Project struct {
	*types.Project
	// unread are the attributes that it has and that nothing here reads.
	unread []tree.Path
	// Said are the warnings of Compose's loader, such as of a variable without a value.
	Said []string
}

// read are the attributes that an import takes over, or tells of with what they say. All
// others, also those that Compose will have one day, are told by their names.
var read = []string{
	"name", "version", "include", "volumes", "secrets",
	"services.*.image", "services.*.build.context", "services.*.build.dockerfile", "services.*.build.target", "services.*.build.args",
	"services.*.command", "services.*.entrypoint", "services.*.environment", "services.*.env_file", "services.*.ports", "services.*.expose",
	"services.*.volumes", "services.*.tmpfs", "services.*.healthcheck", "services.*.depends_on", "services.*.user", "services.*.working_dir",
	"services.*.stop_grace_period", "services.*.stop_signal", "services.*.scale", "services.*.deploy.replicas", "services.*.deploy.labels",
	"services.*.deploy.resources.limits.cpus", "services.*.deploy.resources.limits.memory", "services.*.cpus", "services.*.mem_limit",
	"services.*.logging", "services.*.networks", "services.*.extra_hosts", "services.*.restart", "services.*.labels", "services.*.secrets",
	"services.*.profiles", "services.*.extends", "services.*.platform", "services.*.links",
	// These are so for every container here.
	"services.*.cap_drop", "services.*.read_only",
	// They shape what is told of services.*.networks.
	"networks.*.name", "networks.*.internal", "networks.*.external",
}

// Load reads it.
func Load(ctx context.Context, from Source) (Project, error) {
	var p Project
	restore := listen(&p.Said)
	defer restore()
	report := func(found []loader.UnsupportedAttribute) {
		for _, attribute := range found {
			if !slices.Contains(p.unread, attribute.Path) {
				p.unread = append(p.unread, attribute.Path)
			}
		}
	}
	options, err := cli.NewProjectOptions(from.Files,
		cli.WithOsEnv, cli.WithEnvFiles(from.EnvFiles...), cli.WithDotEnv,
		cli.WithDefaultProfiles(from.Profiles...), cli.WithResolvedPaths(true),
		cli.WithLoadOptions(loader.WithSupportedAttributes(supported(), report)))
	if err != nil {
		return p, fmt.Errorf("read %s: %w", strings.Join(from.Files, ", "), err)
	}
	if p.Project, err = options.LoadProject(ctx); err != nil {
		return p, fmt.Errorf("read %s: %w", strings.Join(from.Files, ", "), err)
	}
	p.Said = append(p.Said, besides(from.Files)...)
	return p, nil
}

// supported are those of Compose's attributes that are read, with all below them.
var supported = sync.OnceValue(func() []tree.Path {
	var all []tree.Path
	for _, prefix := range read {
		all = append(all, tree.Path(prefix))
	}
	for _, path := range schema.AttributePaths() {
		if slices.ContainsFunc(read, func(prefix string) bool { return strings.HasPrefix(string(path), prefix+".") }) {
			all = append(all, path)
		}
	}
	return all
})

// besides tells of what `docker compose` reads where it is given no files, and does not read
// where it is.
func besides(files []string) []string {
	if len(files) != 1 {
		return nil
	}
	var said []string
	for _, name := range cli.DefaultOverrideFileNames {
		if found, _ := filepath.Glob(filepath.Join(filepath.Dir(files[0]), name)); len(found) > 0 {
			said = append(said, fmt.Sprintf("%s is beside it and was not read; where it is meant, name it after %s", name, filepath.Base(files[0])))
		}
	}
	return said
}

// listen collects what Compose's loader warns of, which it gives to a logger of the whole
// process.
func listen(said *[]string) (restore func()) {
	logger := logrus.StandardLogger()
	out := logger.Out
	hooks := logger.ReplaceHooks(logrus.LevelHooks{})
	logger.SetOutput(io.Discard)
	logger.AddHook(ear{said})
	return func() {
		logger.SetOutput(out)
		logger.ReplaceHooks(hooks)
	}
}

type ear struct{ said *[]string }

func (ear) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

func (e ear) Fire(entry *logrus.Entry) error {
	if !slices.Contains(*e.said, entry.Message) && !strings.Contains(entry.Message, "`version` is obsolete") {
		*e.said = append(*e.said, entry.Message)
	}
	return nil
}
