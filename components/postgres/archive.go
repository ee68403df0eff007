package postgres

import (
	_ "embed" // the script and the rules
	"fmt"
	"slices"
	"strconv"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/components/schedules"
	"tarot-platform/components/workload"
	"tarot-platform/internal/backup/archive"
	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/config"
	"tarot-platform/internal/cron"
)

const (
	// ArchiveVolume has the archive where the target is a volume, or a kind that pgBackRest does not know.
	ArchiveVolume = Name + "-archive"
	// archiveOwner is the job that gives it to the server's user, and stanza the one that begins the archive.
	archiveOwner = "own-" + ArchiveVolume
	stanza       = Name + "-stanza"
	// archiveScript is what the server starts; pgBackRest looks for its own name in that.
	archiveScript = "pgbackrest.sh"
)

//go:embed archive.sh
var archiveText string

//go:embed archive.rules.yml.tmpl
var archiveRules string

// Archive is what is regular of the archive, beside what the server sends there itself: a copy of what has
// changed, every night, after which what is newest is restored and looked at.
type Archive struct{}

// Name implements part.Part.
func (Archive) Name() string { return config.PostgresArchiveSchedule }

// Spec implements part.Part.
func (Archive) Spec(c part.Context) (part.Spec, error) {
	if !c.Archives() {
		return part.Spec{}, nil
	}
	service := backup.Scheduled(c, config.PostgresArchiveSchedule, schedules.Timetable{
		Cron: c.Database.Archive.Cron, TimeZone: c.Backup.TimeZone, Overlap: "skip", Limit: 6 * time.Hour, Grace: 30 * time.Second, Retries: 2, Pause: 10 * time.Minute,
	}, archiver(c, config.ScheduleWorkload(config.PostgresArchiveSchedule), backup.Helper(c, "archive", "night")))
	begin := archiver(c, stanza, backup.Standing(c, "archive", "stanza"))
	begin.Mounts = append(begin.Mounts, backup.Tools())
	s := part.Spec{Component: component, Needs: []string{Name, Rehearsal{}.Name()}, Follows: true, Services: []part.Service{service}, Scrapes: []prometheus.Job{schedules.Scrape(service)},
		Jobs: []part.Job{{Service: begin, Within: 5 * time.Minute, Warns: "WARNING: "}}}
	if !c.Monitoring.Enabled {
		return s, nil
	}
	longest, err := cron.Longest(c.Database.Archive.Cron, c.Backup.TimeZone)
	if err != nil {
		return s, err
	}
	group, err := prometheus.PartsGroup(s.Jobs[0].Name, archiveRules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, struct{ Oldest int }{int((longest + late) / time.Second)})
	s.Alerts = []prometheus.Group{group}
	return s, err
}

// late is how long after its time a run may end before it is told.
const late = 2 * time.Hour

// archiver runs beside the server, as its user, with its data, its socket and the archive.
func archiver(c part.Context, name string, command []string) part.Service {
	s := Tool(c, name, append(command, "--programs="+programs(c), "--database="+database)...)
	s.Environment["PG_MAJOR"] = strconv.Itoa(c.Database.Version) // for who runs the helper in there
	s.Limits = workload.Limits{CPUs: c.Backup.CPUs, Memory: int64(c.Backup.Memory), Key: "backup"}
	archiving(c, &s)
	s.Mounts = slices.DeleteFunc(s.Mounts, func(m part.Mount) bool { return m.Kind == workload.Tmpfs && m.Target == dataFolder })
	s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Volume, Source: Name, Target: dataFolder, ReadOnly: true},
		part.Mount{Kind: workload.Volume, Source: backup.RoomVolume, Target: roomFolder}, part.Mount{Kind: workload.Tmpfs, Target: "/tmp"})
	if len(s.Networks) == 0 {
		s.Networks = []string{part.Inner} // for Prometheus
	}
	s.After = []string{backup.Publisher, roomOwner}
	return s
}

// place is where the archive goes, and what the server and its archiver know of it.
func place(c part.Context) (t target.Target, same bool) {
	t = backup.Place(c.Config, c.Stack)
	t.Credentials = target.Credentials{AccessKey: c.Backup.AccessKey, HostKey: c.Backup.HostKey}
	if c.Secrets[backup.SSHKey] != "" {
		t.Credentials.SSHKey = workload.SecretDir + "/" + backup.SSHKeyFile
	}
	return archive.Place(t)
}

// archiving has a service find the archive.
func archiving(c part.Context, s *part.Service) {
	t, _ := place(c)
	s.Files = append(s.Files, part.File{Name: archive.SettingsFile, Text: part.Plain(ArchiveSettings(c, t, dataFolder))})
	s.Secrets = append(s.Secrets, part.SecretFile{Name: archive.KeyFile, Secret: backup.Key, Make: archive.Key})
	switch t.Kind {
	case target.S3:
		s.Secrets = append(s.Secrets, part.SecretFile{Name: archive.SecretFile, Secret: backup.Secret, Make: archive.Secret})
	case target.SFTP:
		s.Secrets = append(s.Secrets, part.SecretFile{Name: backup.SSHKeyFile, Secret: backup.SSHKey})
	case target.Folder:
		s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Bind, Source: t.Path, Target: target.Mount})
	default:
		s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Volume, Source: ArchiveVolume, Target: target.Mount})
	}
	if t.Remote() {
		s.Networks = []string{part.Inner, part.Edge}
	}
}

// ArchiveSettings are pgBackRest's, where the server's volume is in a folder.
func ArchiveSettings(c part.Context, t target.Target, folder string) string {
	return archive.Settings{Data: fmt.Sprintf("%s/%d/docker", folder, c.Database.Version), Socket: socketFolder, Retention: c.Backup.Retention, Queue: int64(c.Database.Archive.Queue)}.Text(t)
}

// archived is what a server has that archives: the volume, with whom it belongs to, and what is to be told.
func archived(c part.Context, s *part.Spec) {
	v := part.Volume{Name: ArchiveVolume, Resource: component + "-" + ArchiveVolume, Engine: c.Stack + "-" + ArchiveVolume, Data: true, Owner: user}
	if !c.Archives() {
		v.Unused = backup.Off
		s.Volumes = append(s.Volumes, v)
		return
	}
	t, same := place(c)
	if t.Kind != target.Volume {
		v.Unused = "backup.target is another place"
	} else {
		s.Jobs = append(s.Jobs, giving(c, archiveOwner, ArchiveVolume))
	}
	s.Volumes = append(s.Volumes, v)
	if !same {
		s.Warnings = append(s.Warnings, fmt.Sprintf("pgBackRest, which archives the database, knows S3 by TLS, SFTP by a key and folders, and not what %s:backup.target is: the archive is in the volume %s-%s, on the disk that serves. "+
			"The nightly copy of the database goes where the files go", config.Namespace, c.Stack, ArchiveVolume))
	}
	server := &s.Services[0]
	archiving(c, server)
	server.Command = append(server.Command, archiveScript)
	server.Files = append(server.Files, part.File{Name: archiveScript, Text: part.Plain(archiveText)})
}
