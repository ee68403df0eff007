package compose

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"tarot-platform/internal/config"
)

// dataLike are folders that hold what a program has stored, and not what it is made of.
var dataLike = regexp.MustCompile(`(?i)(^|[-_.])(data|db|database|media|uploads?|storage|instance|files|attachments|backups?|logs?|pgdata|dbdata|sqlite)$`)

// mount is one that is a volume here.
type mount struct {
	// name is its key, and path where it is.
	name, path string
	// engine is the volume of Compose's, or the folder of the host, that has the data.
	engine string
	bind   bool
}

// mounts are what a service keeps, and the folders in memory; all else is told.
func (im *importer) mounts(name string, database bool) (kept []mount, memory []string) {
	s := im.project.Services[name]
	for _, v := range s.Volumes {
		key := "services." + name + ".volumes." + v.Target
		switch v.Type {
		case types.VolumeTypeTmpfs:
			memory = append(memory, v.Target)
			if v.Tmpfs != nil && v.Tmpfs.Size != 0 {
				im.miss(key, "a folder in memory counts as the container's memory, and has no size of its own", "see that "+im.key(name)+"memory has room for it")
			}
		case types.VolumeTypeVolume:
			if m, ok := im.volume(key, v); ok {
				kept = append(kept, m)
			}
		case types.VolumeTypeBind:
			if m, ok := im.bind(key, name, v, database); ok {
				kept = append(kept, m)
			}
		default:
			im.miss(key, "mounts of the type "+v.Type+" are not known here", "put the files into the image")
		}
	}
	for _, t := range s.Tmpfs {
		folder, options, has := strings.Cut(t, ":")
		memory = append(memory, folder)
		if has {
			im.miss("services."+name+".tmpfs."+folder, "a folder in memory has no options here ("+options+")", "see that "+im.key(name)+"memory has room for it")
		}
	}
	memory = slices.DeleteFunc(memory, func(folder string) bool { return path.Clean(folder) == "/tmp" }) // which every container has
	return kept, memory
}

func (im *importer) volume(key string, v types.ServiceVolumeConfig) (mount, bool) {
	if v.Source == "" {
		im.miss(key, "a volume without a name is lost with its container", "give it a name in the Compose file, or leave it out; what need not survive is a folder of the key tmpfs")
		return mount{}, false
	}
	declared := im.project.Volumes[v.Source]
	if declared.Driver != "" && declared.Driver != "local" {
		im.miss("volumes."+v.Source+".driver", "a stack's volumes have one driver, tarot:volumes.driver", "set that to "+declared.Driver+" where all of them can have it, and add the volume "+declared.Name+" by hand")
		return mount{}, false
	}
	if len(declared.DriverOpts) > 0 {
		im.miss("volumes."+v.Source+".driver_opts", "a volume is made without options here", "the one that there is, "+declared.Name+", has them; on another engine make it by hand first: docker volume create")
	}
	if v.ReadOnly {
		im.miss(key, "a volume can be written here", "nothing, where that does no harm")
	}
	if v.Volume != nil && (v.Volume.Subpath != "" || v.Volume.NoCopy) {
		im.miss(key, "a volume is mounted whole, and a new one begins with what the image has there", "move what is in the folder to the volume's top")
	}
	return mount{entry(v.Source), path.Clean(v.Target), cmp.Or(declared.Name, v.Source), false}, true
}

// bind is a folder or a file of the host. What holds data becomes a volume; code and settings
// belong into the image.
func (im *importer) bind(key, name string, v types.ServiceVolumeConfig, database bool) (mount, bool) {
	info, err := os.Stat(v.Source)
	build := im.project.Services[name].Build
	switch {
	case strings.HasSuffix(v.Source, "docker.sock"):
		im.miss(key, "no container has the engine's socket: it is root on the host", "leave it out; logs are in make logs, metrics in tarot:monitoring, jobs at times are tarot:schedules")
	case build != nil && filepath.Clean(v.Source) == filepath.Clean(build.Context):
		im.miss(key, "the image has the code, and a release is an image", "nothing; for a stack to work on: tarot:backend.mountCode")
	case database || !v.ReadOnly && (dataLike.MatchString(path.Base(v.Target)) || dataLike.MatchString(filepath.Base(v.Source))) && (err != nil || info.IsDir()):
		return mount{entry(filepath.Base(v.Source)), path.Clean(v.Target), v.Source, true}, true
	default:
		im.miss(key, "nothing of the host is mounted: a release would not have it, and a rollback not have it back",
			"COPY it in the Dockerfile; what the program stores there is a volume: "+im.set(name, "volumes.NAME")+" "+v.Target)
	}
	return mount{}, false
}

// ofContract are what volumes of the backend are called that have keys of their own.
var ofContract = []string{"data", "static", "logs"}

// backendMounts finds a place for what the backend keeps.
func (im *importer) backendMounts() {
	kept, memory := im.mounts(im.backend, false)
	for _, m := range kept {
		key := "services." + im.backend + ".volumes." + m.path
		engine := m.engine
		b := im.Config.Backend
		var done bool
		switch {
		case m.path == b.StaticFolder():
			im.miss(key, "nginx serves the static files that each release's image has there, from the volume "+im.Config.Volumes.Static, "have the image made with them (RUN python manage.py collectstatic): docs/application.md, Recipes")
			continue
		case m.path == b.DataDir():
			engine = im.made(m, "-data")
			done = im.try(key, "", func(c *config.Config) { c.Volumes.Data = engine })
		case m.path == b.LogsDir():
			engine = im.made(m, "-logs")
			done = im.try(key, "", func(c *config.Config) { c.Volumes.Logs = engine })
		default:
			name := m.name
			if slices.Contains(ofContract, name) {
				name = config.BackendName + "-" + name
			}
			name = free(b.Volumes, name)
			place := m.path
			if m.bind {
				engine = config.VolumeName(im.options.Prefix, name)
			} else {
				place = engine + ":" + m.path
			}
			done = im.try(key, "have the program keep it in another folder", func(c *config.Config) { c.Backend.Volumes = with(c.Backend.Volumes, name, place) })
		}
		if done {
			im.Data = append(im.Data, Data{im.from(m), engine, "tarot:backend", m.path, im.Config.Backend.User})
		}
	}
	for _, folder := range memory {
		im.try("services."+im.backend+".tmpfs."+folder, "leave it out", func(c *config.Config) {
			c.Backend.Tmpfs = append(slices.Clip(c.Backend.Tmpfs), path.Clean(folder))
		})
	}
}

// made is the volume that a folder of the host becomes; what is a volume already stays it.
func (im *importer) made(m mount, end string) string {
	if m.bind {
		return im.options.Prefix + end
	}
	return m.engine
}

// from is where the data are: a volume, or a folder as a stack file names it.
func (im *importer) from(m mount) string {
	if m.bind {
		return im.folder(m.engine)
	}
	return m.engine
}

// serviceMounts are volumes of a service's own. What the backend mounts at the same place is
// inherited with its image.
func (im *importer) serviceMounts(name string, ofBackend bool) {
	s := im.project.Services[name]
	_, database := known(s)
	kept, memory := im.mounts(name, database)
	for _, m := range kept {
		key := "services." + name + ".volumes." + m.path
		if ofBackend && im.backendHas(m) {
			continue
		}
		if others := im.shares(name, m); len(others) > 0 {
			im.miss(key, "a volume of its own is no other service's, and "+strings.Join(others, ", ")+" mounts "+m.engine+", too", "have one of them serve the files, or store them in an object store")
			continue
		}
		own := im.names[name]
		volume := free(im.Config.Services[own].Volumes, m.name)
		if im.tryService(name, key, "leave it out", func(s *config.Service) { s.Volumes = with(s.Volumes, volume, m.path) }) {
			im.Data = append(im.Data, Data{im.from(m), fmt.Sprintf("%s-%s-%s", im.options.Prefix, own, volume), "tarot:services." + own, m.path, cmp.Or(im.Config.Services[own].User, im.Config.Backend.User)})
		}
	}
	for _, folder := range memory {
		if ofBackend && slices.Contains(im.Config.Backend.Tmpfs, path.Clean(folder)) {
			continue
		}
		im.tryService(name, "services."+name+".tmpfs."+folder, "leave it out", func(s *config.Service) {
			s.Tmpfs = append(slices.Clip(s.Tmpfs), path.Clean(folder))
		})
	}
}

// backendHas is true for what the backend mounts at the same place.
func (im *importer) backendHas(m mount) bool {
	return slices.ContainsFunc(im.project.Services[im.backend].Volumes, func(v types.ServiceVolumeConfig) bool {
		source := v.Source
		if declared, named := im.project.Volumes[v.Source]; named && v.Type == types.VolumeTypeVolume {
			source = cmp.Or(declared.Name, v.Source)
		}
		return source == m.engine && path.Clean(v.Target) == m.path
	})
}

// shares are the other programs that mount the same volume.
func (im *importer) shares(name string, m mount) []string {
	var all []string
	for _, other := range im.project.ServiceNames() {
		if other == name || im.roles[other] != program {
			continue
		}
		if slices.ContainsFunc(im.project.Services[other].Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Source == m.engine || v.Source != "" && v.Type == types.VolumeTypeVolume && im.project.Volumes[v.Source].Name == m.engine
		}) {
			all = append(all, other)
		}
	}
	return all
}
