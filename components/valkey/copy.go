package valkey

import (
	"fmt"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/components/schedules"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/backup/valkey"
	"tarot-platform/internal/config"
	"tarot-platform/internal/restore/task"
)

const (
	// copyFolder is where the volume with the copy is in the container, and roomFolder that of the
	// rehearsal; scratchFolder is what was restored.
	copyFolder    = "/copy"
	roomFolder    = "/rehearsal"
	scratchFolder = "/scratch"
	// dataFolder is where the image has a volume: what has nothing there would get one without a name.
	dataFolder = "/data"
)

// Copy copies a queue every hour into a volume, from which the nightly backup takes it: all of one
// moment, while it is used. The server's own files that are copied while it writes are no copy.
type Copy struct{}

// Name implements part.Part.
func (Copy) Name() string { return config.QueueCopySchedule }

// Spec implements part.Part.
func (Copy) Spec(c part.Context) (part.Spec, error) {
	// It may be all that is left of a queue.
	copies := part.Volume{Name: backup.QueueVolume, Resource: component + "-" + backup.QueueVolume, Engine: c.Stack + "-" + backup.QueueVolume,
		Data: true, Backup: true, Owner: user}
	switch {
	case !c.Cache.Enabled:
		copies.Unused = off
	case c.Cache.Profile != "queue":
		copies.Unused = "cache.profile is " + c.Cache.Profile
	case !c.Backup.Enabled:
		copies.Unused = backup.Off
	}
	s := part.Spec{Component: component, Volumes: []part.Volume{copies}}
	if copies.Unused != "" {
		return s, nil
	}
	service := backup.Scheduled(c, config.QueueCopySchedule, schedules.Timetable{
		Cron: config.QueueCopyCron, TimeZone: c.Backup.TimeZone, Overlap: "skip", Limit: 30 * time.Minute, Grace: 10 * time.Second, Retries: 2, Pause: time.Minute,
	}, copying(c))
	s.Needs, s.Follows = []string{name, name + "-users"}, true
	s.Services, s.Scrapes = []part.Service{service}, []prometheus.Job{schedules.Scrape(service)}
	s.Jobs = []part.Job{giving(c, backup.QueueVolume)}
	return s, nil
}

// at is where the server answers.
func at() string { return fmt.Sprintf("%s:%d", name, port) }

func copying(c part.Context) part.Service {
	called := config.ScheduleWorkload(config.QueueCopySchedule)
	return part.Service{
		Program: workload.Program{
			Name:    called,
			Command: backup.Helper(c, "copy-valkey", "--server="+at(), "--user=backup", "--password="+workload.SecretDir+"/backup", "--to="+copyFolder),
			Limits:  workload.Limits{CPUs: c.Backup.CPUs, Memory: int64(c.Backup.Memory), Key: "backup"},
			Logging: c.Log(called),
			User:    user,
		},
		Image:   name,
		Secrets: []part.SecretFile{{Name: "backup", Secret: backupPassword}},
		Mounts: []part.Mount{
			{Kind: workload.Volume, Source: backup.QueueVolume, Target: copyFolder},
			{Kind: workload.Tmpfs, Target: "/tmp"}, {Kind: workload.Tmpfs, Target: dataFolder},
		},
		Networks: []string{part.Inner},
		After:    []string{backup.Publisher},
	}
}

// giving is the job that gives a new volume to the server's user.
func giving(c part.Context, volume string) part.Job {
	j := storage.Giving(c, "own-"+volume, part.Service{Program: workload.Program{User: user, Limits: workload.Limits{Memory: 32 << 20}}, Image: name},
		[]part.Mount{{Kind: workload.Volume, Source: volume}}, func(part.Mount) string { return "-" })
	j.Mounts = append(j.Mounts, part.Mount{Kind: workload.Tmpfs, Target: dataFolder})
	return j
}

// Rehearsal is the room without a network in which a server stands on the copy of the queue that a
// rehearsal has restored. Until it is asked, there is no server.
type Rehearsal struct{}

// Name implements part.Part.
func (Rehearsal) Name() string { return backup.QueueRoomVolume }

// Spec implements part.Part.
func (Rehearsal) Spec(c part.Context) (part.Spec, error) {
	if !c.BacksUpQueue() {
		return part.Spec{}, nil
	}
	const room = backup.QueueRoomVolume
	return part.Spec{
		Component: component,
		Follows:   true,
		Services: []part.Service{{
			Program: workload.Program{
				Name:      room,
				Command:   backup.Standing(c, "stand-valkey", "--scratch="+scratchFolder, "--at="+roomFolder),
				Health:    backup.Healthy(c),
				Limits:    workload.Limits{CPUs: c.Backup.CPUs, Memory: int64(c.Cache.Memory) + helperMemory, Key: "cache"}, // it holds what the live one does
				Replicas:  1,
				Logging:   c.Log(room),
				User:      user,
				Exclusive: true,
				Isolated:  true,
				StopGrace: 20 * time.Second,
			},
			Image: name,
			Mounts: []part.Mount{
				{Kind: workload.Volume, Source: room, Target: roomFolder},
				backup.Scratch(scratchFolder), backup.Tools(),
				{Kind: workload.Tmpfs, Target: "/tmp"}, {Kind: workload.Tmpfs, Target: dataFolder},
			},
			After: []string{backup.Publisher},
		}},
		Jobs:    []part.Job{giving(c, room)},
		Volumes: []part.Volume{{Name: room, Resource: component + "-" + room, Engine: c.Stack + "-" + room, Copies: true}},
	}, nil
}

// helperMemory is what the helper beside a server takes.
const helperMemory = 64 << 20

// Restored is what a restore of the queue has to know; nil: there is none. What snapshots have is
// in the volume of the copies, and where it goes to is the server's own.
func Restored(c part.Context) *task.Volume {
	if !c.BacksUpQueue() {
		return nil
	}
	return &task.Volume{Name: backup.QueueVolume, Engine: c.Stack + "-" + name, Queue: valkey.Log}
}

// Client is true for what the application's account of the server is told.
func Client(s part.Service) bool {
	for _, f := range s.Secrets {
		if f.Secret == appPassword {
			return true
		}
	}
	return false
}
