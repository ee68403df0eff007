package compose

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"tarot-platform/internal/config"
)

// Options are what the owner of the project, and the place where it is going to run, say.
type Options struct {
	// Stack is the new stack's name, and Prefix what the engine's names begin with: the
	// Pulumi project's name and the stack's.
	Stack, Prefix string
	// Root is the folder of the Pulumi project, an absolute path: what a stack file names is
	// relative to it.
	Root string
	// Backend is the service that users reach; empty: it is found.
	Backend string
	// Keep are services that stay services, though the platform has a part for their image.
	Keep []string
	// Subnets are three networks that no other stack file has: edge, backend, monitoring.
	Subnets [3]string
}

// importer is an import that is going on.
type importer struct {
	Result
	project Project
	options Options
	images  map[string]image
	roles   map[string]role
	backend string
	// cache is the service that becomes the platform's; empty: none does.
	cache string
	// migrate is the service that becomes the backend's migration; empty: none does.
	migrate string
	// names are what services are called here, as hosts too.
	names map[string]string
}

// Import makes a configuration of a project. An error is one that its owner has to mend
// before anything can be made of it; what can't be taken over is in the result.
func Import(p Project, o Options) (Result, error) {
	im := &importer{project: p, options: o, images: map[string]image{}, roles: map[string]role{}}
	for _, name := range o.Keep {
		if _, there := p.Services[name]; !there {
			return im.Result, fmt.Errorf("there is no service %q to keep in the project; there are: %s", name, strings.Join(p.ServiceNames(), ", "))
		}
	}
	for name, s := range p.Services {
		im.images[name] = builds(s.Build)
		if im.roles[name] = roleOf(s, im.images[name]); slices.Contains(o.Keep, name) || name == o.Backend {
			im.roles[name] = program
		}
	}
	if err := im.begin(); err != nil {
		return im.Result, err
	}
	im.fillBackend()
	for _, name := range p.ServiceNames() {
		if im.roles[name] == program && name != im.backend && name != im.migrate {
			im.addService(name)
		}
	}
	im.depend()
	im.fillParts()
	im.tellUnread()
	im.Secrets = slices.DeleteFunc(im.Secrets, func(s Secret) bool { return !config.TakesSecret(s.Name, im.Config.ApplicationSecrets()) }) // of keys that were refused
	im.sort()
	if err := im.Config.Validate(); err != nil { // every step was checked: this is for what none has thought of
		return im.Result, fmt.Errorf("what was made of the project is no configuration: %w", err)
	}
	return im.Result, nil
}

// begin finds what all else depends on: which service is the backend, what everything is
// called, and where the backend's image comes from.
func (im *importer) begin() error {
	backend, err := im.chooseBackend(im.options.Backend)
	if err != nil {
		return err
	}
	im.backend = backend
	for _, name := range im.project.ServiceNames() {
		if im.roles[name] != cache {
			continue
		}
		if im.cache == "" {
			im.cache = name
			continue
		}
		im.roles[name] = program
		im.miss("services."+name, "the platform has one Valkey, which "+im.cache+" becomes", "it stays a service; --keep "+im.cache+" makes it the other way round")
	}
	im.Config = im.base()
	s := im.project.Services[backend]
	if s.Build == nil {
		im.Config.Backend.Image = s.Image
	} else {
		im.Config.Backend.Context, im.Config.Backend.Dockerfile, im.Config.Backend.Target = im.folder(s.Build.Context), im.inContext(s.Build), s.Build.Target
		im.tellTag(backend)
	}
	if err := im.Config.Validate(); err != nil {
		return fmt.Errorf("services.%s, the backend: %w", backend, err)
	}
	im.migrate = im.findMigration()
	im.name()
	im.became(backend, "tarot:backend")
	im.arguments(backend)
	return nil
}

// base is what holds before anything of the project is known: one container for each
// service, and nothing that nobody asked for, as Compose has it.
func (im *importer) base() config.Config {
	cfg := config.Defaults()
	cfg.Backend.Replicas, cfg.Backend.Workers, cfg.Backend.DatabaseURL = 1, 1, ""
	cfg.Backend.Health.Interval = firstChecks
	cfg.Nginx.TLS.Mode = "off"
	cfg.Volumes.Data, cfg.Volumes.Logs, cfg.Volumes.Static = "", "", im.options.Prefix+"-static"
	cfg.Networks.EdgeSubnet, cfg.Networks.BackendSubnet, cfg.Networks.MonitoringSubnet = im.options.Subnets[0], im.options.Subnets[1], im.options.Subnets[2]
	cfg.Secrets = map[string]string{}
	return cfg
}

// firstChecks is the time between two checks until one passes. Compose's interval is that of
// checks that pass.
const firstChecks = 2 * time.Second

// try makes a change where the configuration is still valid with it, and tells of it where it
// is not. A change replaces maps and lists, and never writes into those that are there.
func (im *importer) try(key, mend string, change func(*config.Config)) bool {
	next := im.Config
	change(&next)
	err := next.Validate()
	if err == nil {
		im.Config = next
		return true
	}
	im.miss(key, strings.Join(sentences(err), "; "), mend)
	return false
}

// sentences are the errors that are joined in one.
func sentences(err error) []string {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return []string{err.Error()}
	}
	var all []string
	for _, one := range several.Unwrap() {
		all = append(all, one.Error())
	}
	return all
}

// with is a map with one more entry, for try.
func with[V any](all map[string]V, name string, value V) map[string]V {
	more := maps.Clone(all)
	if more == nil {
		more = map[string]V{}
	}
	more[name] = value
	return more
}

// folder is a folder as a stack file names it.
func (im *importer) folder(path string) string {
	if !filepath.IsAbs(path) {
		return path // of another host, such as a repository: the check refuses it
	}
	rel, err := filepath.Rel(im.options.Root, path)
	if err != nil {
		return path
	}
	if rel = filepath.ToSlash(rel); !strings.HasPrefix(rel, "..") && rel != "." {
		rel = "./" + rel
	}
	return rel
}

// inContext is a Dockerfile as a stack file names it.
func (*importer) inContext(b *types.BuildConfig) string {
	if !filepath.IsAbs(b.Dockerfile) {
		return filepath.ToSlash(filepath.Clean(b.Dockerfile))
	}
	rel, err := filepath.Rel(b.Context, b.Dockerfile)
	if err != nil {
		return b.Dockerfile
	}
	return filepath.ToSlash(rel)
}

func (im *importer) tellTag(name string) {
	if tag := im.project.Services[name].Image; tag != "" {
		im.miss("services."+name+".image", "an image that is built is called PROJECT-NAME here, with the hash of its sources as its tag", "nothing; to have it built elsewhere: "+im.set(name, "image")+" "+tag)
	}
}

// arguments are for all that is built.
func (im *importer) arguments(name string) {
	b := im.project.Services[name].Build
	if b == nil {
		return
	}
	key := "services." + name + ".build.args."
	for _, argument := range slices.Sorted(maps.Keys(b.Args)) {
		value := b.Args[argument]
		had, twice := im.Config.Build.Args[argument]
		switch {
		case value == nil:
			im.miss(key+argument, "has no value", "pulumi config set --path 'tarot:build.args."+argument+"' VALUE")
		case isSecret(argument, *value):
			im.miss(key+argument, "looks like a secret, and a build argument is readable in docker history", "name it in tarot:build.secrets, set it by pulumi config set --secret tarot:"+argument+", and have the Dockerfile read it: RUN --mount=type=secret,id="+argument)
		case twice && had != *value:
			im.miss(key+argument, "another image is built with another value, and tarot:build.args is for all", "give one of the arguments another name")
		default:
			im.try(key+argument, "leave it out", func(c *config.Config) { c.Build.Args = with(c.Build.Args, argument, *value) })
		}
	}
}

// sameImage is true for a service that runs the backend's image.
func (im *importer) sameImage(name string) bool {
	a, b := im.project.Services[name], im.project.Services[im.backend]
	switch {
	case a.Build == nil && b.Build == nil, a.Build == nil && b.Image != "":
		return a.Image == b.Image
	case a.Build == nil || b.Build == nil:
		return false
	}
	return a.Build.Context == b.Build.Context && a.Build.Dockerfile == b.Build.Dockerfile && a.Build.DockerfileInline == b.Build.DockerfileInline &&
		a.Build.Target == b.Build.Target && maps.EqualFunc(a.Build.Args, b.Build.Args, func(x, y *string) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y })
}

// findMigration is a service with the backend's image that has to end well before the backend
// starts.
func (im *importer) findMigration() string {
	for _, name := range slices.Sorted(maps.Keys(im.project.Services[im.backend].DependsOn)) {
		dependency := im.project.Services[im.backend].DependsOn[name]
		if _, there := im.project.Services[name]; there && dependency.Condition == types.ServiceConditionCompletedSuccessfully && im.sameImage(name) {
			return name
		}
	}
	return ""
}
