package config

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Volume is a further volume of the application.
type Volume struct {
	// Name is its key in the stack file.
	Name string
	// Engine is what the engine calls it; empty: the platform chooses.
	Engine string
	// Path is where the application has it.
	Path string
}

// OptionsOf are what the driver is given for a volume that has data.
func (v Volumes) OptionsOf(name string) map[string]string {
	if v.Mount == "" {
		return v.DriverOptions
	}
	// A folder below the mount point, and not the mount point itself: while nothing is mounted the folder
	// is not there, and the engine starts nothing that has the volume.
	return map[string]string{"type": "none", "o": "bind", "device": v.Place(name)}
}

// Place is the folder of a volume below the mount point.
func (v Volumes) Place(name string) string { return path.Join(v.Mount, name) }

// VolumeName is what the engine calls a further volume that has no name of its own. The word
// in the middle keeps it apart from all else that a stack has.
func VolumeName(stack, name string) string { return stack + "-volume-" + name }

// The folders of the contract, below the working folder.
func (b Backend) DataDir() string { return path.Join(b.WorkingDir, "data") }
func (b Backend) LogsDir() string { return path.Join(b.WorkingDir, "logs") }

// UploadsDir is where users' files are, in a volume that no release has anything in.
func (b Backend) UploadsDir() string { return path.Join(b.WorkingDir, "uploads") }

// Uploads is the name in the stack file of the volume with users' files, and in `backend.volumes`
// of one with a path of one's own.
const Uploads = "uploads"

// StaticFolder is where the image has its static files.
func (b Backend) StaticFolder() string {
	if path.IsAbs(b.StaticDir) {
		return path.Clean(b.StaticDir)
	}
	return path.Join(b.WorkingDir, b.StaticDir)
}

// FurtherVolumes are those of `backend.volumes`, by their names.
func (b Backend) FurtherVolumes() []Volume {
	var all []Volume
	for _, name := range slices.Sorted(maps.Keys(b.Volumes)) {
		engine, folder, named := strings.Cut(b.Volumes[name], ":")
		if !named {
			engine, folder = "", engine
		}
		all = append(all, Volume{name, engine, folder})
	}
	return all
}

// folders are those that have something mounted at them in a replica, or may have, the code's
// among them.
func (cfg Config) folders() []string {
	b := cfg.Backend
	all := append([]string{b.WorkingDir, b.DataDir(), b.StaticFolder(), b.LogsDir()}, b.Tmpfs...)
	if cfg.Volumes.Uploads != "" {
		all = append(all, b.UploadsDir())
	}
	for _, v := range b.FurtherVolumes() {
		all = append(all, v.Path)
	}
	return all
}

var (
	// further is what a volume may be called: it is part of names in the engine and in the state.
	further = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$`)
	// folder is an absolute path that is written in one way only.
	folder = regexp.MustCompile(`^(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*|/\.[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)+$`)
	// systems are folders that hold what the container itself needs, with all below those that
	// end in a slash.
	systems = []string{"/proc/", "/sys/", "/dev/", "/run/", "/tmp/", "/etc/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/usr", "/usr/bin/", "/usr/lib/", "/var"}
)

// own is true for a folder that an application may have something mounted at.
func own(place string) bool {
	return folder.MatchString(place) && !slices.ContainsFunc(systems, func(system string) bool {
		return place == strings.TrimSuffix(system, "/") || strings.HasSuffix(system, "/") && strings.HasPrefix(place, system)
	})
}

// checkFolders checks what is mounted where.
func (b Backend) checkFolders(c *checker, v Volumes) {
	c.want(own(b.WorkingDir), "backend.workingDir", b.WorkingDir)
	taken := map[string]string{"/tmp": "a folder in memory already"}
	take := func(key, shown, place string) {
		if owner, twice := taken[place]; twice {
			c.because(key, shown, place+" is "+owner)
		}
		taken[place] = key + "'s"
	}
	static := b.StaticFolder()
	c.want(b.StaticDir != "" && static != b.WorkingDir && (own(static) || !own(b.WorkingDir)), "backend.staticDir", b.StaticDir)
	if static == b.DataDir() || static == b.LogsDir() || v.Uploads != "" && static == b.UploadsDir() {
		c.because("backend.staticDir", b.StaticDir, static+" is for what the application writes")
	}
	for _, contract := range []struct{ key, volume, place string }{
		{"volumes.data", v.Data, b.DataDir()}, {"volumes.uploads", v.Uploads, b.UploadsDir()},
		{"volumes.static", v.Static, b.StaticFolder()}, {"volumes.logs", v.Logs, b.LogsDir()},
	} {
		if contract.volume != "" {
			taken[contract.place] = contract.key + "'s"
		}
	}
	if b.MountCode {
		taken[b.WorkingDir] = "backend.mountCode's"
	}
	for _, volume := range b.FurtherVolumes() {
		shown := fmt.Sprintf("%s: %s", volume.Name, b.Volumes[volume.Name])
		reserved := slices.Contains([]string{"data", "static", "logs"}, volume.Name)
		if !further.MatchString(volume.Name) || reserved || !own(volume.Path) || volume.Engine != "" && !volumeName.MatchString(volume.Engine) ||
			strings.HasPrefix(b.Volumes[volume.Name], ":") {
			c.want(false, "backend.volumes", shown)
			continue
		}
		if volume.Name == Uploads {
			c.want(v.Uploads == "", "volumes.uploads", v.Uploads)
		}
		take("backend.volumes", shown, volume.Path)
	}
	for _, place := range b.Tmpfs {
		inRun := folder.MatchString(place) && strings.HasPrefix(place, "/run/") && !strings.HasPrefix(place+"/", "/run/config/") && !strings.HasPrefix(place+"/", "/run/secrets/")
		if !own(place) && !inRun {
			c.want(false, "backend.tmpfs", place)
			continue
		}
		take("backend.tmpfs", place, place)
	}
}

// named are the volumes' names in the engine that a stack file gives, with their keys.
func (cfg Config) named() map[string]string {
	all := map[string]string{"volumes.data": cfg.Volumes.Data, "volumes.uploads": cfg.Volumes.Uploads, "volumes.static": cfg.Volumes.Static, "volumes.logs": cfg.Volumes.Logs}
	for _, v := range cfg.Backend.FurtherVolumes() {
		all["backend.volumes."+v.Name] = v.Engine
	}
	return all
}

// keeps is true where a volume would hold the file.
func (cfg Config) keeps(file string) bool {
	inside := func(place string) bool { return strings.HasPrefix(file, place+"/") }
	return cfg.Volumes.Data != "" && inside(cfg.Backend.DataDir()) || cfg.Volumes.Uploads != "" && inside(cfg.Backend.UploadsDir()) ||
		slices.ContainsFunc(cfg.Backend.FurtherVolumes(), func(v Volume) bool { return inside(v.Path) })
}
