// Package backup keeps copies of what users have stored, and rehearses every day that they can be
// brought back. It has four parts. The ground is what the others stand on: volumes, programs and
// the key. The replicator sends a database in a file to the target as it changes. Every night the
// files go there, encrypted, with a copy of the database. The rehearsal restores both into a
// scratch volume, and starts the release on them. These three follow a release: a backup that
// does not start holds none up.
//
// What runs in their containers is cmd/backup, which starts Litestream and restic.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/components/schedules"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/config"
)

// component is what the state knows all of it by.
const component = "backup"

// What containers, and the images that they run, are called.
const (
	replicator = "backup-replicator"
	standing   = "backup-rehearsal"
	publisher  = "publish-backup"
	litestream = "publish-litestream"
	owner      = "own-backup"
	sealer     = "publish-state"
)

// The volumes. Resource and Engine of each follow from its name.
const (
	targetVolume  = "backup-target"
	stateVolume   = "backup-state"
	scratchVolume = "backup-scratch"
	toolsVolume   = "backup-tools"
)

// Where they are in containers.
const (
	stateFolder   = "/state"
	scratchFolder = "/scratch"
	toolsFolder   = "/run/backup"
	sourceFolder  = "/source"
	roomFolder    = "/run/rehearsal"
	queueRoom     = "/run/rehearsal-valkey"
)

// The secrets, of which the first has a value in any case.
const (
	key         = "backupKey"
	secret      = "backupSecret"
	sshKey      = "backupSshKey"
	filesSecret = "backupFilesSecret"
)

// keyLength is in characters of 62: 256 bits.
const keyLength = 43

// off says why volumes are not used where nothing is backed up.
const off = "backup.enabled is false"

// Place is where backups of the database go: the stack's own folder there. The configuration
// has been checked.
func Place(cfg config.Config, stack string) target.Target { return place(cfg.Backup.Target, stack) }

// FilesPlace is where the files go.
func FilesPlace(cfg config.Config, stack string) target.Target {
	if cfg.Backup.Files.Target != "" {
		return place(cfg.Backup.Files.Target, stack)
	}
	return Place(cfg, stack)
}

func place(text, stack string) target.Target {
	t, err := target.Parse(text)
	if err != nil {
		panic("backup: a target that was not checked: " + err.Error())
	}
	t.Stack = stack
	return t
}

// DatabaseVolume is the volume with the database, where that is a file in one.
func DatabaseVolume(c part.Context) (mount part.Mount, there bool) {
	file := c.DatabaseFile()
	for _, m := range storage.Mounts(c) {
		if strings.HasPrefix(file, m.Target+"/") && len(m.Target) > len(mount.Target) {
			mount, there = m, true
		}
	}
	return mount, there
}

// tag is a name for what is exactly this image.
func tag(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return hex.EncodeToString(sum[:8])
}

// The programs in the volume of the tools. Another one has another name, so that a container that
// the engine starts again finds its own.
func helperName(c part.Context) string     { return "backup-" + helperTag(c) }
func schedulerName(c part.Context) string  { return "scheduler-" + helperTag(c) }
func litestreamName(c part.Context) string { return "litestream-" + tag(c.Backup.ReplicatorImage) }

// LitestreamFile is what Litestream is called in the volume of the tools.
func LitestreamFile(c part.Context) string { return litestreamName(c) }

func helperTag(c part.Context) string {
	_, tag, _ := strings.Cut(c.Helper.Reference, ":")
	return tag
}

// helper is the words that start it, where the tools are in a folder.
func helper(c part.Context, folder string, words ...string) []string {
	return append([]string{path.Join(folder, helperName(c))}, words...)
}

// What other parts need for a cron job of theirs that has the helper.
const (
	// Publisher is the job that has put it there before.
	Publisher = publisher
	// DatabasePassword is the secret of the stack's own PostgreSQL.
	DatabasePassword = "databasePassword"
	// RoomVolume has the server that a rehearsal stands on, and what its room answers.
	RoomVolume = "rehearsal-postgres"
	// DumpVolume has the newest copy of a PostgreSQL's database, which the nightly backup takes along.
	DumpVolume = "postgres-dump"
	// QueueVolume has the newest copy of a queue, and QueueRoomVolume what the room answers in which a
	// server stands on it.
	QueueVolume     = "valkey-copy"
	QueueRoomVolume = "rehearsal-valkey"
)

// What opens a target, for who archives: the secrets, and the name of a key's file.
const (
	Key        = key
	Secret     = secret
	SSHKey     = sshKey
	SSHKeyFile = "backup_ssh_key"
)

// Helper is the words that start the helper in what Scheduled returns.
func Helper(c part.Context, words ...string) []string { return helper(c, schedules.Folder, words...) }

// Scheduled is a service that runs when it is due, as schedules.Wrap makes it, with the programs of
// the backup.
func Scheduled(c part.Context, name string, t schedules.Timetable, s part.Service) part.Service {
	return schedules.Wrap(c, name, t, s, toolsVolume, schedulerName(c))
}

// Scratch is the volume that a rehearsal restores into, for the room with a server, and Tools are the
// programs of the backup; Standing is that room's command, and Healthy how it is asked.
func Scratch(folder string) part.Mount { return volume(scratchVolume, folder, true) }
func Tools() part.Mount                { return volume(toolsVolume, toolsFolder, true) }

func Standing(c part.Context, words ...string) []string { return helper(c, toolsFolder, words...) }
func Healthy(c part.Context) workload.Health            { return healthy(c, toolsFolder) }

// Off says why what belongs to backups is not used.
const Off = off

// networks are the backend's, and where a target is elsewhere one with a way out.
func networks(targets ...target.Target) []string {
	all := []string{part.Inner}
	for _, t := range targets {
		if t.Remote() && len(all) == 1 {
			all = append(all, part.Edge)
		}
	}
	return all
}

// targetMounts are the volumes and folders that backups go to; there is one at most, as both
// places are the same one on the host, or one of them is elsewhere.
func targetMounts(readOnly bool, targets ...target.Target) []part.Mount {
	for _, t := range targets {
		switch t.Kind {
		case target.Volume:
			return []part.Mount{{Kind: workload.Volume, Source: targetVolume, Target: target.Mount, ReadOnly: readOnly}}
		case target.Folder:
			return []part.Mount{{Kind: workload.Bind, Source: t.Path, Target: target.Mount, ReadOnly: readOnly}}
		}
	}
	return nil
}

func volume(name, folder string, readOnly bool) part.Mount {
	return part.Mount{Kind: workload.Volume, Source: name, Target: folder, ReadOnly: readOnly}
}

// credentials are the secrets that open targets, as far as there are any, and the key.
func credentials(c part.Context, names ...string) []part.SecretFile {
	var all []part.SecretFile
	for _, name := range names {
		if name == key || c.Secrets[name] != "" {
			all = append(all, part.SecretFile{Name: files[name], Secret: name})
		}
	}
	return all
}

// files are what they are called below workload.SecretDir.
var files = map[string]string{key: "backup_key", secret: "backup_secret", sshKey: "backup_ssh_key", filesSecret: "backup_files_secret"}

// told are the words by which a program knows a target. What opens it is in the secrets' files.
func told(c part.Context, text string) []string {
	all := []string{"--stack=" + c.Stack, "--target=" + text}
	if c.Backup.AccessKey != "" {
		all = append(all, "--access-key="+c.Backup.AccessKey)
	}
	if c.Backup.HostKey != "" {
		all = append(all, "--host-key="+c.Backup.HostKey)
	}
	return all
}
