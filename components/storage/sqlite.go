package storage

import (
	_ "embed" // the script
	"strings"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

var (
	//go:embed sqlite.sh
	sqliteScript string
	//go:embed sqlite.py
	sqliteProgram string
)

// InSQLite is the volume that holds the database, where that is a file; there is false where
// it is none, or in no volume.
func InSQLite(c part.Context) (holds config.Volume, there bool) {
	file := c.DatabaseFile()
	for _, v := range Volumes(c) {
		// One may be mounted inside of another one.
		if v.Engine != "" && strings.HasPrefix(file, v.Path+"/") && len(v.Path) > len(holds.Path) {
			holds, there = v, true
		}
	}
	return holds, there
}

// checkSQLite is the job that tells of a SQLite in the release's image that is known to lose
// data: who takes a base image from a distribution has its SQLite. It runs once an image, when
// users have the release, and holds up none.
func checkSQLite(c part.Context) []part.Job {
	if c.DatabaseFile() == "" {
		return nil
	}
	return []part.Job{{
		Service: part.Service{
			Program: workload.Program{
				Name:    config.CheckSQLite,
				Command: []string{"/bin/sh", "-c", sqliteScript, config.CheckSQLite, sqliteProgram},
				// As much as the application itself: to be killed for want of memory would be a failure.
				Limits:  workload.Limits{Memory: int64(c.Backend.Memory)},
				Logging: c.Log(config.CheckSQLite),
				User:    c.Backend.User,
			},
			Image: config.BackendName,
		},
		When:   part.Follows,
		Within: time.Minute,
		Warns:  "warning: ",
	}}
}
