// Package storage is the part that keeps what the application must not lose: the volumes
// that the configuration names, and the address of its database.
package storage

import (
	_ "embed" // the script
	"fmt"
	"slices"
	"strings"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// Own is the job that gives new volumes to the application's user. What mounts them comes
// after it: an engine gives a volume that is empty to whom the image says, when a container is
// made.
const Own = config.OwnVolumes

const (
	// component and resource are what Pulumi's state knows all of it by.
	component = "storage"
	resource  = component + "-"
	// places is where the job has the volumes: no image has anything there.
	places = "/run/volumes/"
	// within is how long it may take to copy what an image has for a new volume.
	within = 5 * time.Minute
)

//go:embed own.sh
var ownScript string

// Place is where a job finds a volume that nobody has written to yet as it is, and not with
// what the image has in the volume's place.
func Place(volume string) string { return places + volume }

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return component }

// Volumes are those of the contract, and the user's own, where the application has them. One
// without a name in the engine is not used.
func Volumes(c part.Context) []config.Volume {
	all := []config.Volume{
		{Name: "data", Engine: c.Volumes.Data, Path: c.Backend.DataDir()},
		{Name: "static", Engine: c.Volumes.Static, Path: c.Backend.StaticFolder()},
		{Name: "logs", Engine: c.Volumes.Logs, Path: c.Backend.LogsDir()},
	}
	if c.Volumes.Uploads != "" {
		all = append(all, config.Volume{Name: config.Uploads, Engine: c.Volumes.Uploads, Path: c.Backend.UploadsDir()})
	}
	for _, v := range c.Backend.FurtherVolumes() {
		if v.Engine == "" {
			v.Engine = config.VolumeName(c.Stack, v.Name)
		}
		all = append(all, v)
	}
	return all
}

// Key is the configuration's of the name that the engine has for a volume; empty: it is none of
// these, or has a name that follows from the stack's.
func Key(c part.Context, volume string) string {
	for _, v := range c.Backend.FurtherVolumes() {
		if v.Name == volume {
			return "backend.volumes." + volume
		}
	}
	if slices.ContainsFunc(Volumes(c), func(v config.Volume) bool { return v.Name == volume }) {
		return "volumes." + volume
	}
	return ""
}

// Mounts are the volumes that are used.
func Mounts(c part.Context) []part.Mount {
	var all []part.Mount
	for _, v := range Volumes(c) {
		if v.Engine != "" {
			all = append(all, part.Mount{Kind: workload.Volume, Source: v.Name, Target: v.Path})
		}
	}
	return all
}

// Jobs are the names of what has to be done with the volumes before anybody mounts them.
func Jobs(c part.Context) []string {
	if len(Mounts(c)) == 0 {
		return nil
	}
	return []string{Own}
}

// Spec implements part.Part. The volumes' names are the configuration's, and other parts
// mount them.
func (Part) Spec(c part.Context) (part.Spec, error) {
	s := part.Spec{Component: component, Volumes: declared(c)}
	if len(Jobs(c)) > 0 {
		s.Jobs = []part.Job{own(c)}
	}
	s.Jobs = append(s.Jobs, checkSQLite(c)...)
	if c.Volumes.Uploads != "" {
		s.Application = append(s.Application, part.Variable{Name: "UPLOADS_DIR", Value: c.Backend.UploadsDir()})
	}
	switch plain, secret := c.DatabaseURL(); {
	case secret != "":
		s.Secrets = []part.Secret{{Name: secret, Given: c.Secrets[secret]}}
		// Exported, as hardly a program reads its file.
		s.Application = append(s.Application, part.Variable{Name: "DATABASE_URL", Secret: secret, Export: true})
	case plain != "":
		s.Application = append(s.Application, part.Variable{Name: "DATABASE_URL", Value: plain})
	}
	return s, nil
}

// declared are the volumes with those that the configuration has forgotten, and Pulumi would
// remove.
func declared(c part.Context) []part.Volume {
	var all []part.Volume
	for _, v := range Volumes(c) {
		volume := part.Volume{Name: v.Name, Resource: resource + v.Name, Engine: v.Engine, Data: true, Output: v.Name}
		volume.Backup = v.Name != "logs"
		if v.Engine == "" {
			volume.Unused, volume.Output = "volumes."+v.Name+" is empty", ""
		}
		all = append(all, volume)
	}
	for _, known := range c.Known {
		name, mine := strings.CutPrefix(known, resource)
		if !mine || slices.ContainsFunc(all, func(v part.Volume) bool { return v.Name == name }) {
			continue
		}
		unused := "backend.volumes has no " + name
		if name == config.Uploads {
			unused += ", and volumes.uploads is empty"
		}
		all = append(all, part.Volume{Name: name, Resource: known, Data: true, Unused: unused})
	}
	return all
}

// own gives the application's. It runs in the release's image, whose folders are what new
// volumes begin with.
func own(c part.Context) part.Job {
	of := part.Service{Program: workload.Program{User: c.Backend.User, Limits: workload.Limits{Memory: int64(c.Backend.Memory)}}, Image: config.BackendName}
	job := Giving(c, Own, of, Mounts(c), func(m part.Mount) string {
		if m.Source == "static" { // into which the releases publish
			return "-" + m.Target
		}
		return m.Target
	})
	if holds, there := InSQLite(c); there && c.Volumes.Mount == "" { // of which the rollout has looked at the file system
		job.Environment = map[string]string{"SQLITE_IN": holds.Name}
	}
	return job
}

// Giving is the job that gives those of the volumes that are new to the user of a service. It is
// root, as nobody else gives something away, and may do that alone. It runs in the service's
// image: they begin with what that has in the folder that from names, as own.sh knows it.
func Giving(c part.Context, name string, to part.Service, volumes []part.Mount, from func(part.Mount) string) part.Job {
	words := []string{"/bin/sh", "-c", ownScript, Own, to.User}
	var mounts []part.Mount
	for _, m := range volumes {
		words = append(words, m.Source, from(m))
		m.Target = Place(m.Source)
		mounts = append(mounts, m)
	}
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:         name,
				Command:      words,
				Limits:       workload.Limits{Memory: to.Limits.Memory},
				Logging:      c.Log(name),
				User:         "0:0",
				Root:         "a new volume is root's, and only root can give it away",
				Capabilities: []string{"CHOWN"},
			},
			Image:  to.Image,
			Mounts: mounts,
		},
		Within: within,
	}
}

// Somebodys adds to an error of who can't write a volume how it becomes the user's: no update changes
// what somebody else has written.
func Somebodys(err error, volume, path, image, user string) error {
	return fmt.Errorf("%w\n%[2]s belongs to somebody else in the volume %[3]s; this mends it:\n"+
		"docker run --rm --user 0:0 --network none --volume %[3]s:%[2]s --entrypoint chown %[4]s -R %[5]s %[2]s", err, path, volume, image, user)
}
