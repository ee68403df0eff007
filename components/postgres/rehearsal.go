package postgres

import (
	"time"

	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const (
	// roomFolder is where the rehearsal's own volume is, and scratchFolder what was restored.
	roomFolder    = "/rehearsal"
	scratchFolder = "/scratch"
	roomOwner     = "own-" + backup.RoomVolume
)

// Rehearsal is the room without a network in which a server of the same version stands on the copy
// of the database that a rehearsal has restored. Until it is asked, there is no server.
type Rehearsal struct{}

// Name implements part.Part.
func (Rehearsal) Name() string { return backup.RoomVolume }

// Spec implements part.Part.
func (Rehearsal) Spec(c part.Context) (part.Spec, error) {
	if !c.Archives() {
		return part.Spec{}, nil
	}
	owner := giving(c, roomOwner, backup.RoomVolume)
	return part.Spec{
		Component: component,
		Follows:   true,
		Services:  []part.Service{stand(c)},
		Jobs:      []part.Job{owner},
		Volumes:   []part.Volume{{Name: backup.RoomVolume, Resource: component + "-" + backup.RoomVolume, Engine: c.Stack + "-" + backup.RoomVolume, Copies: true}},
	}, nil
}

func stand(c part.Context) part.Service {
	return part.Service{
		Program: workload.Program{
			Name:      backup.RoomVolume,
			Command:   backup.Standing(c, "stand-postgres", "--scratch="+scratchFolder, "--at="+roomFolder, "--programs="+programs(c), "--config="+workload.ConfigDir+"/postgresql.conf", "--owner="+owner),
			Health:    backup.Healthy(c),
			Limits:    workload.Limits{CPUs: c.Backup.CPUs, Memory: int64(c.Database.Memory), Key: component}, // its settings are the live one's
			Replicas:  1,
			Logging:   c.Log(backup.RoomVolume),
			User:      user,
			Exclusive: true,
			Isolated:  true,
			StopGrace: 20 * time.Second, // what the server has goes away
		},
		Image: Name,
		Files: []part.File{{Name: "postgresql.conf", Text: part.Plain(Settings(c.Database))}},
		Mounts: append([]part.Mount{
			{Kind: workload.Volume, Source: backup.RoomVolume, Target: roomFolder},
			backup.Scratch(scratchFolder), backup.Tools(),
			{Kind: workload.Tmpfs, Target: "/tmp"},
			{Kind: workload.Tmpfs, Target: "/dev/shm"},
		}, inPlaceOfImages(c.Database.Version, "")...),
		After: []string{backup.Publisher},
	}
}
