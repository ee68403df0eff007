package postgres

import (
	"path"
	"strconv"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/components/schedules"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/config"
	"tarot-platform/internal/restore/task"
)

const (
	// dumpFolder is where the volume with the copy is in the container.
	dumpFolder = "/dump"
	// dumpOwner is the job that gives that volume to the server's user.
	dumpOwner = "own-" + backup.DumpVolume
)

// Dump copies the database every night into a volume, from which the nightly backup takes it: all
// of one moment, while it is written. Files of a server that are copied while it runs are no copy.
type Dump struct{}

// Name implements part.Part.
func (Dump) Name() string { return config.PostgresDumpSchedule }

// Spec implements part.Part.
func (Dump) Spec(c part.Context) (part.Spec, error) {
	// It may be all that is left of a database.
	copies := part.Volume{Name: backup.DumpVolume, Resource: component + "-" + backup.DumpVolume, Engine: c.Stack + "-" + backup.DumpVolume,
		Data: true, Backup: true, Owner: user}
	switch {
	case !c.RunsPostgres():
		copies.Unused = "database.kind is " + c.Database.Kind
	case !c.Backup.Enabled:
		copies.Unused = backup.Off
	}
	s := part.Spec{Component: component, Volumes: []part.Volume{copies}}
	if copies.Unused != "" {
		return s, nil
	}
	// It waits for a table that is altered, and others would wait behind it: for some minutes, no more.
	service := backup.Scheduled(c, config.PostgresDumpSchedule, schedules.Timetable{
		Cron: c.Database.Dump.Cron, TimeZone: c.Backup.TimeZone, Overlap: "skip", Limit: 2 * time.Hour, Grace: 10 * time.Second, Retries: 2, Pause: 5 * time.Minute,
	}, dump(c))
	s.Needs, s.Follows = []string{Name}, true
	s.Services, s.Scrapes = []part.Service{service}, []prometheus.Job{schedules.Scrape(service)}
	s.Jobs = []part.Job{giving(c, dumpOwner, backup.DumpVolume)}
	return s, nil
}

func dump(c part.Context) part.Service {
	s := Tool(c, config.ScheduleWorkload(config.PostgresDumpSchedule), backup.Helper(c, "dump-postgres", "--programs="+programs(c), "--socket="+socketFolder, "--database="+database, "--to="+dumpFolder)...)
	s.Limits = workload.Limits{CPUs: c.Backup.CPUs, Memory: int64(c.Backup.Memory), Key: "backup"}
	s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Volume, Source: backup.DumpVolume, Target: dumpFolder}, part.Mount{Kind: workload.Tmpfs, Target: "/tmp"})
	s.Networks = []string{part.Inner} // for Prometheus: the server is asked by its socket
	s.After = []string{backup.Publisher}
	return s
}

// programs is the folder with the server's programs in its image.
func programs(c part.Context) string {
	return path.Join("/usr/lib/postgresql", strconv.Itoa(c.Database.Version), "bin")
}

// giving is the job that gives a new volume to the server's user.
func giving(c part.Context, name, volume string) part.Job {
	j := storage.Giving(c, name, part.Service{Program: workload.Program{User: user, Limits: workload.Limits{Memory: 64 << 20}}, Image: Name},
		[]part.Mount{{Kind: workload.Volume, Source: volume}}, func(part.Mount) string { return "-" })
	j.Mounts = append(j.Mounts, inPlaceOfImages(c.Database.Version, "")...)
	return j
}

// Restored is what a restore of the database has to know; nil: it is in no server of the stack's.
func Restored(c part.Context) *task.Server {
	if !c.RunsPostgres() {
		return nil
	}
	s := &task.Server{Database: database, Owner: owner, Volume: backup.DumpVolume, UID: uid, GID: uid, Programs: programs(c), Socket: socketFolder,
		Name: Name, Data: Name, Version: c.Database.Version, Accounts: Users{}.Name()}
	if c.Archives() {
		t, _ := place(c)
		if t.Credentials.SSHKey != "" {
			t.Credentials.SSHKey = path.Join(task.Opened, backup.SSHKeyFile)
		}
		s.Archive = ArchiveSettings(c, t, path.Join(task.Volumes, Name))
	}
	return s
}

// ArchivePlace is where the archive of a stack is.
func ArchivePlace(c part.Context) target.Target { t, _ := place(c); return t }

// uid is the number of the server's user, and of its group.
const uid = 999
