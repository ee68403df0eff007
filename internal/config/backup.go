package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/cron"
)

// Backup is what keeps copies of all that users have stored: docs/backups.md.
type Backup struct {
	// Back up: a database in a file as it changes, and every night it and all other files.
	Enabled bool `key:"enabled" allowed:"true or false"`
	// Where the backups go: an own folder for each stack. The database is there as it is, so
	// that whoever can read this place can read it. Empty: a volume of the stack's own, on the disk
	// that serves, which is lost with it.
	Target string `key:"target" allowed:"empty, an absolute path of a folder of the engine's host, s3://BUCKET/PATH (?endpoint=https://HOST&region=REGION), sftp://USER@HOST:PORT/PATH or webdavs://HOST/PATH; without a password"`
	// The id of the S3 access key, or WebDAV's user. Its secret is `backupSecret`.
	AccessKey string `key:"accessKey" allowed:"a text without spaces; empty only where no target is s3:// or webdavs://"`
	// The public key of the SFTP server, as `ssh-keyscan` shows it, without the name.
	HostKey string `key:"hostKey" allowed:"a public key such as ssh-ed25519 AAAA…; empty only where no target is sftp://"`
	// How far back the database can be restored: to a second of the last hour, and to some minutes
	// before that.
	Retention time.Duration `key:"retention" allowed:"a duration of whole hours, from 24h to 8760h"`
	// The nightly backup, which is encrypted.
	Files BackupFiles `key:"files"`
	// The daily rehearsal of a restore.
	Rehearsal BackupRehearsal `key:"rehearsal"`
	// The time zone that the hours of `files.cron` and `rehearsal.cron` are of.
	TimeZone string `key:"timeZone" allowed:"a name of IANA's database, such as UTC or Asia/Shanghai"`
	// The most CPU that the nightly backup and the rehearsal get, each, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that each of them gets. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 128m, such as 256m"`
	// The image of Litestream.
	ReplicatorImage string `key:"replicatorImage" allowed:"an image reference of Litestream, 0.5.17 or later: earlier ones wrote, without an error, what could not be restored"`
	// The image of restic.
	FilesImage string `key:"filesImage" allowed:"an image reference of restic, 0.17 or later"`
}

// BackupFiles is the nightly backup of all volumes that hold what users have stored, with a
// consistent copy of the database.
type BackupFiles struct {
	// Where it goes, if to another place than the database. Empty: the same one.
	Target string `key:"target" allowed:"as backup.target, without webdavs://, or rest:https://USER@HOST/REPOSITORY; empty only where backup.target is not webdavs://"`
	// When.
	Cron string `key:"cron" allowed:"five fields such as 15 2 * * * that some day has, or @daily, @weekly or @hourly"`
	// What is left out, as restic's patterns below a volume: `uploads/cache/**` is in the volume
	// uploads.
	Exclude []string `key:"exclude" allowed:"a list of patterns that do not begin with / or !"`
	// Of how many days the last backup is kept.
	KeepDaily int `key:"keepDaily" allowed:"a whole number from 1 to 1000"`
	// Of how many weeks the last backup is kept.
	KeepWeekly int `key:"keepWeekly" allowed:"a whole number from 0 to 1000"`
	// Of how many months the last backup is kept.
	KeepMonthly int `key:"keepMonthly" allowed:"a whole number from 0 to 1000"`
	// The target lets nobody remove anything, and forgets by itself: nothing is removed here.
	AppendOnly bool `key:"appendOnly" allowed:"true or false"`
}

// BackupRehearsal restores what is newest into a scratch volume, checks it, and starts the
// release on it, without a network.
type BackupRehearsal struct {
	// When.
	Cron string `key:"cron" allowed:"five fields such as 45 3 * * * that some day has, or @daily, @weekly or @hourly"`
	// Start the release on what was restored, and ask it what a release is asked.
	Application bool `key:"application" allowed:"true or false"`
	// How much of the files is restored. Of more than that it is a part, another one each day.
	MaxFiles Bytes `key:"maxFiles" allowed:"a size with a unit, at least 16m, such as 10g"`
}

func backupDefaults() Backup {
	return Backup{
		Retention: 720 * time.Hour, TimeZone: "UTC", CPUs: 1, Memory: 256 << 20,
		Files:           BackupFiles{Cron: "15 2 * * *", KeepDaily: 7, KeepWeekly: 5, KeepMonthly: 12},
		Rehearsal:       BackupRehearsal{Cron: "45 3 * * *", Application: true, MaxFiles: 10 << 30},
		ReplicatorImage: "litestream/litestream:0.5.18", FilesImage: "restic/restic:0.19.1",
	}
}

// The schedules of the backup, of which each has a container as a user's has.
const (
	BackupFilesSchedule     = "backup-files"
	BackupRehearsalSchedule = "backup-rehearsal"
)

// leastBackupKey is in bytes: restic derives its key of it slowly.
const leastBackupKey = 16

var (
	sshKey = regexp.MustCompile(`^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*$`)
	noGaps = regexp.MustCompile(`^\S*$`)
	// litestreamVersion is that of a tag, where the tag is one.
	litestreamVersion = regexp.MustCompile(`:v?([0-9]+)\.([0-9]+)\.([0-9]+)(@|-|$)`)
)

// leastLitestream is the first version without known silent corruption.
var leastLitestream = []int{0, 5, 17}

func (b Backup) check(c *checker, cfg Config) {
	c.want(b.Retention >= 24*time.Hour && b.Retention <= 8760*time.Hour && b.Retention%time.Hour == 0, "backup.retention", b.Retention)
	for key, expression := range map[string]string{"files": b.Files.Cron, "rehearsal": b.Rehearsal.Cron} {
		_, err := cron.Parse(expression, "UTC")
		c.want(err == nil, "backup."+key+".cron", expression)
	}
	_, err := cron.Zone(b.TimeZone)
	c.want(err == nil, "backup.timeZone", b.TimeZone)
	for _, pattern := range b.Files.Exclude {
		c.want(pattern != "" && !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "!"), "backup.files.exclude", pattern)
	}
	c.between("backup.files.keepDaily", b.Files.KeepDaily, 1, 1000)
	c.between("backup.files.keepWeekly", b.Files.KeepWeekly, 0, 1000)
	c.between("backup.files.keepMonthly", b.Files.KeepMonthly, 0, 1000)
	c.want(b.Rehearsal.MaxFiles >= 16<<20, "backup.rehearsal.maxFiles", b.Rehearsal.MaxFiles)
	c.want(b.CPUs >= 0.01, "backup.cpus", b.CPUs)
	c.want(b.Memory >= 128<<20, "backup.memory", b.Memory)
	c.want(imageName.MatchString(b.ReplicatorImage) && !tooOld(b.ReplicatorImage), "backup.replicatorImage", b.ReplicatorImage)
	c.matches("backup.filesImage", b.FilesImage, imageName)
	c.want(b.HostKey == "" || sshKey.MatchString(b.HostKey), "backup.hostKey", b.HostKey)
	c.matches("backup.accessKey", b.AccessKey, noGaps)
	if n := len(cfg.Secrets["backupKey"]); n > 0 && n < leastBackupKey {
		c.add(Fault{Namespace, "backupKey", fmt.Sprintf("a secret of %d bytes", n), fmt.Sprintf("at least %d bytes, or none for a generated one", leastBackupKey)})
	}
	b.checkTargets(c, cfg)
	for _, name := range []string{BackupFilesSchedule, BackupRehearsalSchedule} {
		if _, taken := cfg.Schedules[name]; taken && b.Enabled {
			c.because("schedules", name, "the platform has one of that name where backup.enabled is true")
		}
	}
}

// tooOld is true for a tag that says so. One that says no version is looked at where it runs.
func tooOld(image string) bool {
	found := litestreamVersion.FindStringSubmatch(image)
	if found == nil {
		return false
	}
	var version []int
	for _, text := range found[1:4] {
		number, err := strconv.Atoi(text)
		if err != nil {
			return false // larger than any
		}
		version = append(version, number)
	}
	return slices.Compare(version, leastLitestream) < 0
}

// checkTargets checks where backups go, and where they are wanted, whether all is there that a
// target needs.
func (b Backup) checkTargets(c *checker, cfg Config) {
	place := func(key, text string, not target.Kind, why string) target.Kind {
		t, err := target.Parse(text)
		switch {
		case err != nil:
			c.because(key, withoutPassword(text), strings.ReplaceAll(err.Error(), "\n", "; "))
		case t.Kind == not:
			c.because(key, text, why)
		case t.Kind == target.Folder && strings.HasPrefix(t.Path+"/", enginesOwn):
			c.because(key, text, enginesOwn+" is the engine's own")
		}
		return t.Kind
	}
	database := place("backup.target", b.Target, target.Rest, "a rest-server takes files alone: backup.files.target")
	files := database
	if b.Files.Target != "" {
		files = place("backup.files.target", b.Files.Target, target.WebDAV, "restic knows no WebDAV")
	}
	local := []target.Kind{target.Volume, target.Folder}
	if b.Files.Target != "" && b.Files.Target != b.Target && slices.Contains(local, database) && slices.Contains(local, files) {
		c.because("backup.files.target", b.Files.Target, "on the engine's host both go to one place: leave it empty, or name one elsewhere")
	}
	if !b.Enabled {
		return
	}
	if files == target.WebDAV && b.Files.Target == "" {
		c.because("backup.files.target", "", "restic knows no WebDAV, so that files have to go elsewhere")
	}
	secret := func(key, what string) {
		if cfg.Secrets[key] == "" {
			c.add(Fault{Namespace, key, `""`, fmt.Sprintf("%s, which the target needs: `pulumi config set --secret %s:%s`", what, Namespace, key)})
		}
	}
	either := []target.Kind{database, files}
	if slices.Contains(either, target.S3) || slices.Contains(either, target.WebDAV) {
		c.want(b.AccessKey != "", "backup.accessKey", "")
		secret("backupSecret", "the secret of backup.accessKey")
	}
	if !slices.Contains(either, target.SFTP) {
		return
	}
	c.want(b.HostKey != "", "backup.hostKey", "")
	const key = "a private key in OpenSSH's form, without a passphrase"
	if files == target.SFTP { // restic asks by ssh, which takes no password
		secret("backupSshKey", key)
	} else if cfg.Secrets["backupSecret"] == "" {
		secret("backupSshKey", key+", or the password backupSecret")
	}
}

// enginesOwn is where an engine keeps its volumes, if nobody has moved them.
const enginesOwn = "/var/lib/docker/"
