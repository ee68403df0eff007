package backup

import (
	"slices"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/config"
)

// Ground is what the others stand on. It follows no release: the programs are there, and the
// volumes are the user's, before anything starts that needs them. Its jobs run once for what they
// are made of, so that hardly a release waits for them.
type Ground struct{}

// Name implements part.Part.
func (Ground) Name() string { return component }

// Spec implements part.Part.
func (Ground) Spec(c part.Context) (part.Spec, error) {
	s := part.Spec{Component: component, Volumes: volumes(c)}
	if !c.Backup.Enabled {
		return s, nil
	}
	build := c.Helper.Build
	s.Images = []part.Image{
		{Name: publisher, Reference: c.Helper.Reference, Build: &build, Component: component},
		{Name: replicator, Reference: c.Backup.ReplicatorImage, SetUp: c.Backup.ReplicatorImage, Key: "backup.replicatorImage", Component: component},
		{Name: filesService, Reference: c.Backup.FilesImage, SetUp: c.Backup.FilesImage, Key: "backup.filesImage", Component: component},
	}
	s.Jobs = []part.Job{publish(c), publishLitestream(c), own(c)}
	s.Secrets = []part.Secret{{Name: key, Given: c.Secrets[key], Length: keyLength,
		Stays: "it opens the backups that there are, and a new one would not. A new key is for a new place: `make backup-key` keeps this one, then another backup.target and another tarot:backupKey"}}
	for _, name := range []string{secret, sshKey, filesSecret} {
		if given := c.Secrets[name]; given != "" {
			s.Secrets = append(s.Secrets, part.Secret{Name: name, Given: given})
		}
	}
	return s, nil
}

// volumes are those of the backup. What is on the target, and what is known of it, no update
// removes; the scratch and the programs are made anew by the next one.
func volumes(c part.Context) []part.Volume {
	all := []part.Volume{
		{Name: targetVolume, Resource: targetVolume, Engine: c.Stack + "-backup", Data: true},
		{Name: stateVolume, Resource: stateVolume, Engine: c.Stack + "-backup-state", Data: true},
	}
	if !c.Backup.Enabled {
		all[0].Unused, all[1].Unused = off, off
		return all
	}
	if Place(c.Config, c.Stack).Kind != target.Volume {
		all[0].Unused = "backup.target is another place"
	}
	return append(all,
		part.Volume{Name: scratchVolume, Resource: scratchVolume, Engine: c.Stack + "-backup-scratch", Copies: true},
		part.Volume{Name: toolsVolume, Resource: toolsVolume, Engine: c.Stack + "-backup-tools"})
}

// publish puts the helper and the scheduler into the volume of the tools. A new volume is root's.
func publish(c part.Context) part.Job {
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    publisher,
				Command: []string{"/backup", "install", "/volume", helperTag(c)},
				Limits:  workload.Limits{Memory: 32 << 20},
				Logging: c.Log(publisher),
				User:    "0:0",
			},
			Image:  publisher,
			Mounts: []part.Mount{volume(toolsVolume, "/volume", false)},
		},
		Within: time.Minute,
	}
}

// publishLitestream puts Litestream beside them, for the rehearsal, which has restic's image.
func publishLitestream(c part.Context) part.Job {
	j := publish(c)
	j.Name, j.Image, j.Logging = litestream, replicator, c.Log(litestream)
	j.Command = helper(c, "/volume", "install", "--copy", "/usr/local/bin/litestream", "/volume", litestreamName(c))
	j.Limits.Memory, j.After = 64<<20, []string{publisher}
	return j
}

// own gives the volumes to the application's user, who restores into them, too. It runs in
// the release's image, which has a shell.
func own(c part.Context) part.Job {
	of := part.Service{Program: workload.Program{User: c.Backend.User, Limits: workload.Limits{Memory: int64(c.Backend.Memory)}}, Image: config.BackendName}
	mounts := []part.Mount{volume(stateVolume, "", false), volume(scratchVolume, "", false)}
	if Place(c.Config, c.Stack).Kind == target.Volume {
		mounts = append(mounts, volume(targetVolume, "", false))
	}
	return storage.Giving(c, owner, of, mounts, func(part.Mount) string { return "-" })
}

// ground are the jobs that what runs comes after.
func ground(c part.Context) []string {
	return slices.Concat(storage.Jobs(c), []string{publisher, litestream, owner})
}
